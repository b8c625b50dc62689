using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>SIGSTOP for longer than a lease lives, at every step of an attempt, then SIGCONT: half of the mail goes under <c>hold</c>, and
/// the relay takes long to ask for the content, so that many attempts stand still before their commit point.</summary>
sealed class Row06Stall : Scenario
{
    public override string Row => "6";
    public override string Name => "a node stands still for longer than its lease";
    public override string Invariant => "No write of a node that was given up is applied; under hold nothing arrives twice, under retry only what was under way";
    public override TimeSpan Limit => TimeSpan.FromMinutes(8); // a node is given up after 20 s, and its mail is sent by the others
    public override string Control => "a node believes in its leases for ever, and passes commit points without asking";

    // A process that stands still keeps the lock of a SQLite database: nobody can take its leases.
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Postgres];

    public override async Task PlayAsync(Stage stage)
    {
        stage.RelayRate = 60;
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = "5s";
        if (stage.IsControl)
        {
            foreach (var guarantee in new[] { "", "_NO_COMMIT_POINT", "_NO_FENCE" })
                stage.Settings["POSTRIDER_TESTING" + guarantee] = "1";
        }
        stage.StartSink(SinkPlan.Usual with { ContentAfter = TimeSpan.FromMilliseconds(700) });
        await stage.StartNodesAsync();
        stage.TendNodes();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 40, Domains = ["chaos.example", "hold.example"] });
        for (var freezes = stage.IsControl ? 1 : stage.Bar(stage.IsSqlite ? 6 : 4, 200); freezes > 0; freezes--)
        {
            await Clock.WaitAsync(stage.Random.Next(2000, 4000));
            var place = stage.Workers[stage.Random.Next(stage.Workers.Count)];
            using var held = await place.HoldAsync();
            await place.Node.WaitUntilReadyAsync(TimeSpan.FromSeconds(60));
            await stage.UntilBusyAsync(place);
            if (stage.IsSqlite)
                await StandStillAsync(stage, place);
            else
                await Freezing.OutliveAsync(stage, place);
        }
        await Clock.WaitAsync(3000);
        await stage.StopClientAsync();
        await stage.DrainAsync(heldIsOpen: false);
        stage.Notes.Add($"{stage.Places.Sum(place => place.EndedByItself)} times a node that was given up ended and was started again");
    }

    static async Task StandStillAsync(Stage stage, Product.Place place)
    {
        var struck = Clock.Now;
        await place.Node.FreezeAsync();
        await Clock.WaitAsync(stage.Span(10, 35));
        place.Node.Thaw();
        place.Note("freeze", struck);
        if (!await place.Node.WaitUntilReadyAsync(TimeSpan.FromSeconds(10)))
            stage.Broken.Add("it did not go on after a standstill");
    }
}
