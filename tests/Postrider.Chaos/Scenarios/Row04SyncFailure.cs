using Postrider.Chaos.Books;
using Postrider.Chaos.Faults;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>The disk answers fsync of the write-ahead log with an I/O error.</summary>
sealed class Row04SyncFailure : Scenario
{
    const int StorageFailed = 74;

    public override string Row => "4";
    public override string Name => "fsync fails (EIO)";
    public override string Invariant => "No 202 after the error, no second try of a failed fsync: who keeps the log ends, and its next start reads what is there; 0 lost";
    public override string Control => "the disk says that it synced, and did not";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];
    public override string? Missing => Programs.Find("gcc") is null ? "gcc" : null;

    public override async Task PlayAsync(Stage stage)
    {
        var failure = await SyncFailure.MakeAsync(stage.Shared, stage.IsSqlite ? "-wal" : "pg_wal", stage.IsControl);
        stage.StartSink();
        if (stage.IsSqlite)
        {
            foreach (var (name, value) in failure.Variables)
                stage.Settings[name] = value;
        }
        else
        {
            await stage.OpenStoreAsync();
            await stage.Postgres!.StopAsync();
            await stage.Postgres.StartAsync(failure.Variables);
        }
        await stage.StartNodesAsync();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 200 });
        for (var failures = stage.Bar(5, 100); failures > 0; failures--)
        {
            await Clock.WaitAsync(stage.Random.Next(500, 2500));
            var struck = Clock.Now;
            failure.Begin();
            await (stage.IsSqlite ? NodeEndsAsync(stage) : ServerEndsAsync(stage));
            var late = stage.Check().AcknowledgedAt.Count(at => at > struck + 500_000);
            if (late > 0)
                stage.Broken.Add($"{late} mails were acknowledged after the error");
            failure.End();
            if (stage.IsSqlite)
                await stage.Places[0].StartReadyAsync();
            else if (!stage.IsControl)
                await stage.Postgres!.StartAsync();
            stage.Strike("failure of fsync", struck);
        }
        await Clock.WaitAsync(2000);
        await stage.StopClientAsync();
        await stage.DrainAsync();
    }

    static async Task NodeEndsAsync(Stage stage)
    {
        var node = stage.Places[0].Node;
        if (!await node.WaitForExitAsync(TimeSpan.FromSeconds(10)))
        {
            stage.Broken.Add("the node went on after the error");
            await node.KillAsync();
        }
        else if (node.ExitCode != StorageFailed)
        {
            stage.Broken.Add($"the node ended with {node.ExitCode} instead of {StorageFailed}");
        }
    }

    /// <summary>PostgreSQL panics, and cannot recover while its log cannot be synced.</summary>
    static async Task ServerEndsAsync(Stage stage)
    {
        await Clock.WaitAsync(stage.IsControl ? 2000 : 3000);
        if (!stage.IsControl)
            await stage.Postgres!.DisposeAsync();
        if (stage.Places.Any(place => place.Node.HasExited))
            stage.Broken.Add("a node ended with the server");
    }
}
