using System.Collections.Concurrent;
using System.Text.Json;
using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>Mail under <c>hold</c> is cancelled, or its address suppressed by a bounce, while its attempt is under way.</summary>
sealed class Row27CancelRace : Scenario
{
    /// <summary>Between the test and the last byte, on a busy machine.</summary>
    static readonly TimeSpan OnTheWay = TimeSpan.FromMilliseconds(700);

    static readonly TimeSpan ContentAfter = TimeSpan.FromMilliseconds(1500);

    public override string Row => "27";
    public override string Name => "cancel and suppression race with sending";
    public override string Invariant => "What was cancelled or suppressed before its commit point does not leave; what is shown as cancelled never arrived";
    public override string Control => "the commit point is passed without the tests";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];

    public override async Task PlayAsync(Stage stage)
    {
        var races = stage.Bar(120, 10_000);
        if (stage.IsControl)
            (races, stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_NO_COMMIT_POINT"]) = (60, "1", "1");
        stage.Transports = $"relay=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency=64&circuit=off";
        stage.StartSink(SinkPlan.Usual with { ContentAfter = ContentAfter });
        await stage.StartNodesAsync(apis: 1, workers: 1);
        await OpenSlotsAsync(stage);
        var cancelled = new ConcurrentDictionary<string, (string Id, long At)>();
        var delays = Enumerable.Range(0, races).Select(_ => stage.Random.Next(0, 4000)).ToList();
        await Parallel.ForEachAsync(Enumerable.Range(0, races), new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
        {
            var address = $"c{i}@hold.example";
            var (status, answer) = await stage.Apis[0].Node.CallAsync(HttpMethod.Post, "/emails",
                $$"""{"from":"app@chaos.example","to":"{{address}}","subject":"s","text":"t","on_ambiguous":"hold"}""");
            if (status != 202)
                return;
            using var json = JsonDocument.Parse(answer);
            var id = json.RootElement.GetProperty("id").GetString()!;
            await Clock.WaitAsync(delays[i]);
            if ((await stage.Apis[0].Node.CallAsync(HttpMethod.Post, $"/emails/{id}/cancel")).Status == 200)
                cancelled[address] = (id, Clock.Now);
        });
        var suppressed = await SuppressAsync(stage);
        await stage.DrainAsync(heldIsOpen: false);
        stage.Cycles += races;
        var arrivals = Journal.Read(stage.SinkJournal).Where(Checker.IsArrival)
            .GroupBy(line => line[2]).ToDictionary(group => group.Key, group => long.Parse(group.First()[0], null));
        var never = 0;
        foreach (var (address, (id, at)) in cancelled)
        {
            var arrived = arrivals.TryGetValue(address, out var when);
            never += arrived ? 0 : 1;
            if (arrived && TimeSpan.FromMicroseconds(when - at) > OnTheWay)
                stage.Broken.Add($"{address} arrived {TimeSpan.FromMicroseconds(when - at).TotalMilliseconds:0} ms after it was cancelled");
            if (arrived && await stage.Apis[0].Node.StateAsync(id) == "cancelled")
                stage.Broken.Add($"{address} is shown as cancelled and has arrived");
        }
        stage.Notes.Add($"{races} races: {cancelled.Count} cancels were taken, {never} of these mails never left, {cancelled.Count - never} had left "
            + $"before; {races - cancelled.Count} cancels came too late");
        if (cancelled.IsEmpty || (cancelled.Count == races && !stage.IsControl))
            stage.Broken.Add("one side won every race: that shows nothing");
        stage.Notes.Add($"{suppressed.Count} addresses were suppressed while a mail to them was under way or waited");
        foreach (var (address, at) in suppressed)
        {
            if (arrivals.TryGetValue(address, out var when) && TimeSpan.FromMicroseconds(when - at) > OnTheWay)
                stage.Broken.Add($"{address} arrived {TimeSpan.FromMicroseconds(when - at).TotalMilliseconds:0} ms after it was suppressed");
        }
    }

    /// <summary>A relay gets one attempt at a time until it has answered: with that alone every cancel would come before the
    /// attempt.</summary>
    static async Task OpenSlotsAsync(Stage stage)
    {
        for (var i = 0; i < 64; i++)
            await stage.Apis[0].Node.CallAsync(HttpMethod.Post, "/emails",
                $$"""{"from":"app@chaos.example","to":"w{{i}}@warm.example","subject":"s","text":"t"}""");
        await stage.DrainAsync(heldIsOpen: false);
    }

    /// <summary>A second mail to an address is under way, before its content, when the bounce of a first one suppresses it.</summary>
    /// <returns>When each address was known to be suppressed.</returns>
    static async Task<ConcurrentDictionary<string, long>> SuppressAsync(Stage stage)
    {
        var suppressed = new ConcurrentDictionary<string, long>();
        var ten = new ParallelOptions { MaxDegreeOfParallelism = 10 };
        await Parallel.ForEachAsync(Enumerable.Range(0, stage.Bar(10, 200)), ten, async (i, _) =>
        {
            // The sink takes the first at RCPT and lets it wait for its 354; the second it refuses with 5.1.1.
            var address = $"gone-late{i}@hold.example";
            var id = "";
            for (var twice = 0; twice < 2; twice++)
            {
                var (_, answer) = await stage.Apis[0].Node.CallAsync(HttpMethod.Post, "/emails",
                    $$"""{"from":"app@chaos.example","to":"{{address}}","subject":"s","text":"t","on_ambiguous":"hold"}""");
                using var json = JsonDocument.Parse(answer);
                id = json.RootElement.TryGetProperty("id", out var given) ? given.GetString()! : id;
            }
            for (var tries = 0; tries < 200; tries++, await Clock.WaitAsync(50))
            {
                if (await stage.Apis[0].Node.StateAsync(id) is not ("bounced" or "suppressed"))
                    continue;
                suppressed[address] = Clock.Now;
                break;
            }
        });
        stage.Cycles += suppressed.Count;
        return suppressed;
    }
}
