using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>A worker loses the database for a minute, and keeps the relay.</summary>
sealed class Row12Partition : Scenario
{
    static readonly TimeSpan FencedWithin = TimeSpan.FromSeconds(12);   // 10 s since its last good beat, and what leaves on the way
    static readonly TimeSpan TakenOverWithin = TimeSpan.FromSeconds(35);

    public override string Row => "12";
    public override string Name => "a worker is cut off from the database";
    public override string Invariant => "It sends nothing more after 10 s; the others have its mail within 30 s; under hold nothing arrives twice";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "a node believes in its leases for ever, and passes commit points without asking";
    public override string? Missing => NetworkPen.Missing ?? (PostgresServer.IsInstalled ? null : "postgresql");

    public override async Task PlayAsync(Stage stage)
    {
        await using var pen = await NetworkPen.CreateAsync();
        stage.Postgres = await PostgresServer.CreateAsync(Path.Combine(stage.Shared, "server"), $"127.0.0.1,{pen.Outside}");
        stage.RelayRate = 60;
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = "5s";
        if (stage.IsControl)
        {
            foreach (var guarantee in new[] { "", "_NO_COMMIT_POINT", "_NO_FENCE" })
                stage.Settings["POSTRIDER_TESTING" + guarantee] = "1";
        }
        stage.StartSink(SinkPlan.Usual with { ContentAfter = TimeSpan.FromMilliseconds(400) }, pen.Outside);
        stage.Add("api-1", "api", relay: pen.Outside);
        stage.Add("worker-1", "worker", relay: pen.Outside);
        var cutOff = stage.Add("worker-2", "worker", wrapper: pen.Wrapper, host: pen.Inside, relay: pen.Outside, store: stage.Postgres.Dsn(pen.Outside));
        foreach (var place in stage.Places)
            await place.StartReadyAsync();
        stage.TendNodes();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 40, Domains = ["chaos.example", "hold.example"] });
        for (var cuts = stage.IsControl ? 1 : stage.Bar(2, 50); cuts > 0; cuts--)
        {
            await Clock.WaitAsync(4000);
            await CutAsync(stage, pen, cutOff);
        }
        await stage.StopClientAsync();
        await stage.DrainAsync(heldIsOpen: false);
        await stage.RememberStoriesAsync();
        await stage.DisposeNodesAsync();
    }

    static async Task CutAsync(Stage stage, NetworkPen pen, Place cutOff)
    {
        using var held = await cutOff.HoldAsync();
        var struck = Clock.Now;
        await pen.DropAsync(stage.Postgres!.Port, 1);
        var start = TimeProvider.System.GetTimestamp();
        while (await stage.Apis[0].Node.CountsAsAliveAsync(cutOff.Name) != false
            && TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(60))
            await Clock.WaitAsync(200);
        var taken = TimeProvider.System.GetElapsedTime(start);
        await Clock.WaitAsync(stage.Span(5, 30));
        var last = stage.Check().Arrivals.Values.SelectMany(arrivals => arrivals)
            .Where(arrival => arrival.By == cutOff.Name && arrival.At > struck).Select(arrival => arrival.At).DefaultIfEmpty(struck).Max();
        await pen.HealAsync();
        await Clock.WaitAsync(1000);
        cutOff.Note("partition", struck);
        var sentFor = TimeSpan.FromMicroseconds(last - struck);
        stage.Notes.Add($"given up after {taken.TotalSeconds:0.0} s; the last mail of the node that was cut off left after {sentFor.TotalSeconds:0.0} s");
        if (taken > TakenOverWithin)
            stage.Broken.Add($"the others took over only after {taken.TotalSeconds:0.0} s");
        if (sentFor > FencedWithin)
            stage.Broken.Add($"the node that was cut off still sent after {sentFor.TotalSeconds:0.0} s");
    }
}
