using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>The server commits, and the connection is cut before anybody hears of it: of accepted mail, leases, commit points and outcomes
/// alike.</summary>
sealed class Row11LostCommitReply : Scenario
{
    public override string Row => "11";
    public override string Name => "reply to COMMIT lost";
    public override string Invariant => "No mail is stored twice, with an idempotency key or without; no lease is left that nobody has; nothing arrives twice";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "leases whose commit was not answered are not given back";
    public override string? Missing => PostgresServer.IsInstalled ? null : "postgresql";

    public override async Task PlayAsync(Stage stage)
    {
        stage.RelayRate = 100;
        await stage.OpenStoreAsync();
        await using var cutter = new CommitCutter(stage.Postgres!.Port, 0.05, stage.Random);
        cutter.Start();
        stage.Store = stage.Postgres.Dsn(port: cutter.Port);
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_KEEP_LOST_LEASES"]) = ("1", "1");
        stage.StartSink();
        await stage.StartNodesAsync(apis: 1, workers: 1);
        cutter.IsOn = true;
        stage.StartClient(ClientPlan.Usual with { PerSecond = 60, Connections = 16 });
        stage.StartClient(ClientPlan.Usual with { PerSecond = 60, Connections = 16, Keys = true, Domains = ["keys.example"] });
        var cuts = stage.IsControl ? 60 : stage.Bar(60, 400);
        while (cutter.Cuts < cuts)
            await Clock.WaitAsync(100);
        cutter.IsOn = false;
        stage.Cycles = cutter.Cuts;
        await stage.StopClientAsync();
        await stage.DrainAsync();
        // Nobody was killed: there is no excuse for a second copy.
        foreach (var arrivals in stage.Check().Arrivals.Values.Where(arrivals => arrivals.Count > 1))
            stage.Broken.Add($"{arrivals[0].Recipient} arrived {arrivals.Count} times");
        stage.Notes.Add($"{cutter.Cuts} commits were cut off from their reply");
        await stage.RememberStoriesAsync();
        await stage.DisposeNodesAsync();
    }
}
