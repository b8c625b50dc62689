using System.Net;
using System.Text.Json.Nodes;

namespace Postrider.Benchmarks.WholeSystem;

// Old mail is deleted while other mail goes on.
sealed partial class Scenarios
{
    // When it is looked next stands in the store: the next start keeps to it.
    static readonly Dictionary<string, string> LooksOften = new() { ["POSTRIDER_RETENTION__LOOK_EVERY"] = "100ms" };

    static readonly Dictionary<string, string> ShortAges = new(LooksOften)
    {
        ["POSTRIDER_RETENTION__BODIES"] = "1s",
        ["POSTRIDER_RETENTION__MESSAGES"] = "1s",
        ["POSTRIDER_RETENTION__EVENTS"] = "1s",
    };

    async Task SqliteRetentionAsync(CancellationToken ct) => await RetentionAsync("sqlite", null, ct);

    async Task PostgresRetentionAsync(CancellationToken ct)
    {
        await using var database = await PostgresServer.StartAsync(Fresh(), [], ct);
        await RetentionAsync("postgres", database.Store, ct);
    }

    /// <summary>A server whose mail has all been sent is started again with ages of a second: all of it is to be deleted.</summary>
    /// <param name="store">Null: SQLite.</param>
    async Task RetentionAsync(string engine, string? store, CancellationToken ct)
    {
        var folder = Fresh();
        await using var sink = new TimestampingSink();
        var transports = PostriderServer.Relay(sink.Port);
        string last;
        await using (var full = PostriderServer.Launch(folder, transports, store, more: LooksOften))
        {
            await full.WaitUntilReadyAsync(ct);
            await SendBatchesAsync(full, TimestampingSink.FirstOther, scale.Expired / 1_000, ct);
            while (sink.Others < scale.Expired)
                await Task.Delay(TimeSpan.FromMilliseconds(20), _clock, ct);
            last = await NewestAsync(full, ct);
        }
        await using var postrider = PostriderServer.Launch(folder, transports, store, more: ShortAges);
        var start = _clock.GetTimestamp();
        await postrider.WaitUntilReadyAsync(ct);
        var latency = PacedLatency.HttpAsync(postrider, sink, 100, TimeSpan.FromSeconds(scale.LatencySeconds), ct);
        var gone = GoneAsync(postrider, last, ct);
        var result = await latency;
        if (result.Missing > 0)
            throw new InvalidOperationException($"{result.Missing} mails did not reach the relay.");
        if (gone.IsCompleted)
            Console.Error.WriteLine("  all was deleted before the other mail was at its end: its latency says less.");
        measured.Add($"postrider.retention-{engine}.submit-to-relay.p99", Measurements.Percentile(result.SubmitToRelay, 99));
        await gone;
        measured.Add($"postrider.retention-{engine}.rate", scale.Expired / _clock.GetElapsedTime(start).TotalSeconds);
    }

    static async Task<string> NewestAsync(PostriderServer postrider, CancellationToken ct)
    {
        var page = JsonNode.Parse(await postrider.Http.GetStringAsync(new Uri("/emails?limit=1", UriKind.Relative), ct))!;
        return (string)page["data"]![0]!["id"]!;
    }

    /// <summary>Ends when the message is no more.</summary>
    async Task GoneAsync(PostriderServer postrider, string id, CancellationToken ct)
    {
        while (true)
        {
            using var answer = await postrider.Http.GetAsync(new Uri($"/emails/{id}", UriKind.Relative), ct);
            if (answer.StatusCode == HttpStatusCode.NotFound)
                return;
            await Task.Delay(TimeSpan.FromMilliseconds(100), _clock, ct);
        }
    }
}
