using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>PostgreSQL is stopped as by a crash in the middle of its work, and started again.</summary>
sealed class Row09DatabaseRestart : Scenario
{
    static readonly TimeSpan BackWithin = TimeSpan.FromSeconds(10);

    public override string Row => "9";
    public override string Name => "PostgreSQL: restart -m immediate";
    public override string Invariant => "0 lost; mail is taken again within 10 s of the server's return; 503 meanwhile and nothing else";
    public override IReadOnlyList<Engine> Engines => [Engine.Postgres];
    public override string Control => "mail is acknowledged before its commit";
    public override string? Missing => PostgresServer.IsInstalled ? null : "postgresql";

    public override async Task PlayAsync(Stage stage)
    {
        stage.RelayRate = 200;
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_ACK_EARLY"]) = ("1", "1");
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 200, SendAfter = stage.IsControl ? 5 : 0 });
        var slowest = TimeSpan.Zero;
        for (var restarts = stage.Bar(3, 50); restarts > 0; restarts--)
        {
            await Clock.WaitAsync(stage.Random.Next(2000, stage.Plan.IsFull ? 20_000 : 5000));
            var struck = Clock.Now;
            await stage.Postgres!.StopAsync();
            await Clock.WaitAsync(stage.Random.Next(0, 3000));
            await stage.Postgres.StartAsync();
            stage.Strike("restart of the database", struck);
            var took = await FirstAcknowledgementAsync(stage, Clock.Now);
            slowest = took > slowest ? took : slowest;
        }
        if (slowest > BackWithin)
            stage.Broken.Add($"mail was taken again only {slowest.TotalSeconds:0.0} s after the server was back");
        await stage.StopClientAsync();
        await stage.DrainAsync();
        var checker = stage.Check();
        foreach (var other in checker.Refusals.Select(refusal => refusal.Status).Where(status => status is not 503).Distinct())
            stage.Broken.Add($"a submission was answered {other}, not 503");
        if (stage.Places.Any(place => place.Node.HasExited))
            stage.Broken.Add("a node ended instead of waiting for the server");
        stage.Notes.Add($"back {slowest.TotalSeconds:0.0} s after the server at the latest; {checker.Refusals.Count()} answers of 503");
    }

    static async Task<TimeSpan> FirstAcknowledgementAsync(Stage stage, long back)
    {
        while (Clock.Now - back < 30_000_000)
        {
            var first = stage.Check().AcknowledgedAt.Where(at => at > back).DefaultIfEmpty().Min();
            if (first > 0)
                return TimeSpan.FromMicroseconds(first - back);
            await Clock.WaitAsync(100);
        }
        return TimeSpan.FromSeconds(30);
    }
}
