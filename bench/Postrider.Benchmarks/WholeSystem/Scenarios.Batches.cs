using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Postrider.Benchmarks.WholeSystem;

// One content for a million, while other mail goes on.
sealed partial class Scenarios
{
    async Task PostriderLargeBatchAsync(CancellationToken ct)
    {
        await using var sink = new TimestampingSink();
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        var content = $$"""{"from":"shop@bench.example","subject":"News","text":"{{new string('x', 2048)}}"}""";
        using var made = await postrider.Http.PostAsync(new Uri("/batches", UriKind.Relative), PostriderServer.Json(content), ct);
        var id = (string)JsonNode.Parse(await made.EnsureSuccessStatusCode().Content.ReadAsStringAsync(ct))!["id"]!;

        var start = _clock.GetTimestamp();
        using var lines = new DestinationLines(scale.DrainMany);
        using var added = await postrider.Http.PostAsync(new Uri($"/batches/{id}/destinations?start=true", UriKind.Relative), lines, ct);
        added.EnsureSuccessStatusCode();
        measured.Add("postrider.large-batch.fill", scale.DrainMany / _clock.GetElapsedTime(start).TotalSeconds);

        start = _clock.GetTimestamp();
        var latency = await PacedLatency.HttpAsync(postrider, sink, 100, TimeSpan.FromSeconds(scale.LatencySeconds), ct);
        measured.Add("postrider.large-batch.submit-to-relay.p99", Measurements.Percentile(latency.SubmitToRelay, 99));
        while (sink.Others < scale.DrainMany)
            await Task.Delay(TimeSpan.FromMilliseconds(20), _clock, ct);
        measured.Add("postrider.large-batch.rate", scale.DrainMany / _clock.GetElapsedTime(start).TotalSeconds);
        measured.Add("postrider.large-batch.memory", ProcessUsage.PeakResidentBytes(postrider.ProcessId) / MiB);
        if (latency.Missing > 0 || sink.Repeated > 0)
            throw new InvalidOperationException($"{latency.Missing} mails did not reach the relay, {sink.Repeated} came twice.");
    }

    /// <summary>A destination a line, written as it is sent.</summary>
    sealed class DestinationLines : HttpContent
    {
        readonly int _count;

        public DestinationLines(int count)
        {
            _count = count;
            Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await using var writer = new StreamWriter(stream, new UTF8Encoding(false), 64 * 1024, leaveOpen: true);
            for (var i = 0; i < _count; i++)
                await writer.WriteAsync(string.Create(
                    CultureInfo.InvariantCulture, $"{{\"email\":\"r{TimestampingSink.FirstOther + i}@bench.example\"}}\n"));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
