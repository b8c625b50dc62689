using System.Globalization;

namespace Postrider.Benchmarks.WholeSystem;

// Several nodes over PostgreSQL, and how fast a queue drains.
sealed partial class Scenarios
{
    const int DrainFew = 10_000;

    /// <summary>Messages of a drain before it: code is compiled, connections are open.</summary>
    const int DrainWarmUp = 20_000;

    /// <summary>Messages at the start of a drain that are not measured.</summary>
    const int DrainStart = 2_000;

    /// <summary>Messages of a drain that are measured.</summary>
    const int DrainMeasured = 8_000;

    /// <summary>A process that takes in, and workers; with none of them it is one process that does everything.</summary>
    async Task PostgresEndToEndAsync(int workers, CancellationToken ct)
    {
        const int connections = 128;
        await using var sink = await CountingSink.StartAsync(ct);
        await using var database = await PostgresServer.StartAsync(Fresh(), [], ct);
        await using var front = PostriderServer.LaunchNode(Fresh(), sink.Port, database.Store, workers == 0 ? "" : "api,smtp,scheduler");
        await front.WaitUntilReadyAsync(ct);
        var nodes = new List<PostriderServer>();
        try
        {
            for (var i = 0; i < workers; i++)
                nodes.Add(PostriderServer.LaunchNode(Fresh(), sink.Port, database.Store, "worker"));
            foreach (var node in nodes)
                await node.WaitUntilReadyAsync(ct);
            var warmUp = await LoadAsync(front, connections, scale.WarmUpSeconds, ct);
            await sink.WhenAsync(warmUp.Accepted, ct);

            var before = sink.Count;
            var start = _clock.GetTimestamp();
            var load = await LoadAsync(front, connections, scale.Seconds, ct);
            var end = await sink.WhenAsync(before + load.Accepted, ct);
            measured.Add(string.Create(CultureInfo.InvariantCulture, $"postrider.postgres-end-to-end.{workers}"),
                load.Accepted / _clock.GetElapsedTime(start, end).TotalSeconds);
        }
        finally
        {
            foreach (var node in nodes)
                await node.DisposeAsync();
        }
    }

    async Task SqliteDrainAsync(int queued, CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var postrider = await PostriderServer.StartAsync(Fresh(), sink.Port, ct);
        await DrainAsync("sqlite", postrider, sink, queued, ct);
    }

    async Task PostgresDrainAsync(int queued, CancellationToken ct)
    {
        await using var sink = await CountingSink.StartAsync(ct);
        await using var database = await PostgresServer.StartAsync(Fresh(), [], ct);
        await using var postrider = PostriderServer.LaunchNode(Fresh(), sink.Port, database.Store, "");
        await postrider.WaitUntilReadyAsync(ct);
        await DrainAsync("postgres", postrider, sink, queued, ct);
    }

    /// <summary>From a queue that was filled while nothing was sent: the rate of the same messages, few or many behind them.</summary>
    async Task DrainAsync(string engine, PostriderServer postrider, CountingSink sink, int queued, CancellationToken ct)
    {
        await SendBatchesAsync(postrider, 0, DrainWarmUp / 1_000, ct);
        await sink.WhenAsync(DrainWarmUp, ct);
        await postrider.PauseAsync(ct);
        await SendBatchesAsync(postrider, DrainWarmUp, queued / 1_000, ct);
        await postrider.ResumeAsync(ct);
        var start = await sink.WhenAsync(DrainWarmUp + DrainStart, ct);
        var end = await sink.WhenAsync(DrainWarmUp + DrainStart + DrainMeasured, ct);
        measured.Add($"postrider.drain-{engine}.{(queued == DrainFew ? "few" : "many")}",
            DrainMeasured / _clock.GetElapsedTime(start, end).TotalSeconds);
    }
}
