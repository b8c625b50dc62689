using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>Everything at once: three nodes that answer and three that deliver over one PostgreSQL, of which one is killed and one is
/// frozen again and again, while the database is restarted in the middle of its work.</summary>
sealed class Demonstration : Scenario
{
    public override string Row => "all";
    public override string Name => "3 API nodes, 3 workers: kills, freezes, database restarts";
    public override string Invariant => "0 lost; each duplicate is an attempt without outcome";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "mail is acknowledged before its commit";
    public override string? Missing => PostgresServer.IsInstalled ? null : "postgresql";

    public override async Task PlayAsync(Stage stage)
    {
        var count = stage.Bar(4000, 50_000);
        stage.RelayRate = 200;
        if (stage.IsControl)
            (count, stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_ACK_EARLY"]) = (1200, "1", "1");
        stage.StartSink();
        await stage.StartNodesAsync(apis: 3, workers: 3);
        stage.TendNodes();
        // In the control for later: what is lost must not have left before.
        stage.StartClient(ClientPlan.Usual with
        {
            Count = count,
            PerSecond = stage.Plan.IsFull ? 300 : 80,
            SendAfter = stage.IsControl ? 5 : 0,
        });
        using var over = new CancellationTokenSource();
        var kills = KillAsync(stage, over.Token);
        var freezes = FreezeAsync(stage, over.Token);
        await RestartAtAsync(stage, count / 3);
        await RestartAtAsync(stage, count * 2 / 3);
        await stage.WaitForClientAsync(TimeSpan.FromMinutes(30));
        await over.CancelAsync();
        await Task.WhenAll(kills, freezes);
        await stage.DrainAsync();
        var (killed, frozen) = (await kills, await freezes);
        stage.Notes.Add($"{killed} kills, {frozen} freezes, 2 restarts of the database; "
            + $"{stage.Places.Sum(place => place.EndedByItself)} times a node ended by itself and was started again");
    }

    static async Task<int> KillAsync(Stage stage, CancellationToken over)
    {
        var kills = 0;
        while (!over.IsCancellationRequested)
        {
            await Clock.WaitAsync(TimeSpan.FromMilliseconds(stage.Random.Next(3000, 6000)), CancellationToken.None);
            // Where mail is acknowledged early it is the nodes that answer which lose it.
            var victims = (stage.IsControl ? stage.Apis : stage.Workers).Where(place => !place.IsHeld).ToList();
            if (victims.Count == 0)
                continue;
            var place = victims[stage.Random.Next(victims.Count)];
            using var held = await place.HoldAsync();
            await place.KillAsync();
            await place.StartAsync();
            kills++;
        }
        return kills;
    }

    /// <summary>For as long as it takes the others to give it up, and a little longer.</summary>
    static async Task<int> FreezeAsync(Stage stage, CancellationToken over)
    {
        var freezes = 0;
        for (; !over.IsCancellationRequested; freezes++)
        {
            var place = stage.Workers[freezes % stage.Workers.Count];
            using var held = await place.HoldAsync();
            if (place.Node.HasExited || !await place.Node.WaitUntilReadyAsync(TimeSpan.FromSeconds(60)))
                await place.StartReadyAsync();
            await Freezing.OutliveAsync(stage, place);
        }
        return freezes;
    }

    static async Task RestartAtAsync(Stage stage, int submitted)
    {
        while (!stage.ClientIsDone && stage.Check().Submitted < submitted)
            await Clock.WaitAsync(200);
        var struck = Clock.Now;
        await stage.Postgres!.StopAsync();
        await stage.Postgres.StartAsync();
        stage.Strike("restart of the database", struck);
    }
}

/// <summary>SIGSTOP until the others have given the node up and taken its leases, then SIGCONT.</summary>
static class Freezing
{
    static readonly TimeSpan GivenUpWithin = TimeSpan.FromSeconds(180);

    public static async Task OutliveAsync(Stage stage, Place place)
    {
        var struck = Clock.Now;
        await place.Node.FreezeAsync();
        var start = TimeProvider.System.GetTimestamp();
        var witness = stage.Apis[0];
        // A dead node has the next incarnation already: whoever sees it alive sees another one.
        while (await witness.Node.CountsAsAliveAsync(place.Name) != false)
        {
            if (TimeProvider.System.GetElapsedTime(start) > GivenUpWithin)
                throw new InvalidOperationException($"{place.Name} stood still for {GivenUpWithin.TotalSeconds:0} s and was not given up");
            await Clock.WaitAsync(500);
        }
        // The next beat of the others sweeps, and they send what it had.
        await Clock.WaitAsync(6000);
        place.Node.Thaw();
        await Clock.WaitAsync(1000);
        place.Note("freeze", struck);
    }
}
