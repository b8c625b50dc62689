using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>Collections of garbage without end, two threads for everything, and standstills that are shorter than a death.</summary>
sealed class Row07Pauses : Scenario
{
    public override string Row => "7";
    public override string Name => "storms of garbage collection, few threads, standstills under 10 s";
    public override string Invariant => "No node is given up, nothing arrives twice, 0 lost";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "the standstill lasts until the others give the node up";

    public override async Task PlayAsync(Stage stage)
    {
        stage.RelayRate = 60;
        stage.Settings["DOTNET_gcServer"] = "0";
        stage.Settings["DOTNET_GCgen0size"] = "10000";                      // hexadecimal: 64 KB
        stage.Settings["DOTNET_ThreadPool_ForceMaxWorkerThreads"] = "2";
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 40 });
        for (var pauses = stage.IsControl ? 1 : stage.Bar(2, 20); pauses > 0; pauses--)
        {
            await Clock.WaitAsync(3000);
            var place = stage.Workers[stage.Random.Next(stage.Workers.Count)];
            if (stage.IsControl)
            {
                await Freezing.OutliveAsync(stage, place);
                continue;
            }
            var struck = Clock.Now;
            await place.Node.FreezeAsync();
            await Clock.WaitAsync(TimeSpan.FromSeconds(7));
            place.Node.Thaw();
            place.Note("standstill", struck);
        }
        await Clock.WaitAsync(3000);
        await stage.StopClientAsync();
        await stage.DrainAsync();
        var deaths = File.ReadLines(stage.Log).Count(line => line.Contains("is declared dead", StringComparison.Ordinal));
        if (deaths > 0)
            stage.Broken.Add($"{deaths} times a node was given up that was only slow");
        if (stage.Check().Duplicates is > 0 and var copies)
            stage.Broken.Add($"{copies} mails arrived twice");
    }
}
