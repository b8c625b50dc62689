using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary><c>kill -9</c> under load: of the only node, or of any of those that answer and deliver.</summary>
sealed class Row01Kill : Scenario
{
    public override string Row => "1";
    public override string Name => "kill -9 under load";
    public override string Invariant => "0 lost; each duplicate is an attempt that was under way at a kill, and is in the timeline without outcome";
    public override string Control => "mail is acknowledged before its commit";

    public override async Task PlayAsync(Stage stage)
    {
        if (stage.IsControl)
            (stage.Settings["POSTRIDER_TESTING"], stage.Settings["POSTRIDER_TESTING_ACK_EARLY"]) = ("1", "1");
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.TendNodes();
        // In the control for later: what is lost must not have left before.
        stage.StartClient(ClientPlan.Usual with { PerSecond = stage.IsSqlite ? 600 : 300, SendAfter = stage.IsControl ? 5 : 0 });
        for (var kills = stage.IsControl ? 5 : stage.Bar(20, 500); kills > 0; kills--)
        {
            var victims = stage.IsControl ? stage.Apis : stage.Places;
            var place = victims[stage.Random.Next(victims.Count)];
            using var held = await place.HoldAsync();
            if (stage.IsControl)
                await stage.UntilAcknowledgedAsync(50);
            await Clock.WaitAsync(stage.Random.Next(50, stage.IsControl ? 300 : 1500));
            if (place.Node.HasExited)
                stage.Broken.Add($"{place.Name} had ended by itself before a kill");
            await place.KillAsync();
            // One kill in five hits the start: migration, sweep, first leases.
            if (stage.Random.Next(5) > 0)
                await place.StartReadyAsync();
            else
                await place.StartAsync();
        }
        foreach (var place in stage.Places.Where(place => !place.Node.HasExited))
            await place.Node.WaitUntilReadyAsync(TimeSpan.FromSeconds(60));
        // One calm second more, so that the last start is under load too.
        await Clock.WaitAsync(1000);
        await stage.StopClientAsync();
        await stage.DrainAsync();
    }
}
