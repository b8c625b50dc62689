namespace Postrider.Chaos.Scenarios;

/// <summary>A second process is started on a SQLite database that one already has, running or standing still.</summary>
sealed class Row21SecondProcess : Scenario
{
    const int Refused = 2;

    static readonly TimeSpan Within = TimeSpan.FromSeconds(5); // the machine may be busy; the bar of 1 s is in the notes

    public override string Row => "21";
    public override string Name => "a second process on the same SQLite database";
    public override string Invariant => "It ends with exit code 2 within a second, also while the first one stands still; the first one goes on";
    public override IReadOnlyList<Engine> Engines => [Engine.Sqlite];
    public override string Control => "the second process has a database of its own";

    public override async Task PlayAsync(Stage stage)
    {
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.StartClient(Books.ClientPlan.Usual with { PerSecond = 50 });
        var first = stage.Places[0];
        if (stage.IsControl)
            stage.Data += "-other";
        var second = stage.Add("second", "");
        var slowest = TimeSpan.Zero;
        for (var starts = stage.Bar(4, 20); starts > 0; starts--)
        {
            if (starts % 2 == 0)
                await first.Node.FreezeAsync();
            var start = TimeProvider.System.GetTimestamp();
            await second.StartAsync();
            var ended = await second.Node.WaitForExitAsync(Within);
            var took = TimeProvider.System.GetElapsedTime(start);
            slowest = took > slowest ? took : slowest;
            first.Node.Thaw();
            stage.Cycles++;
            if (!ended)
                stage.Broken.Add("the second process was not refused");
            else if (second.Node.ExitCode != Refused)
                stage.Broken.Add($"the second process ended with {second.Node.ExitCode}");
            if (!ended)
                await second.Node.KillAsync();
        }
        stage.Notes.Add($"refused within {slowest.TotalSeconds:0.00} s at the latest");
        await stage.StopClientAsync();
        await stage.DrainAsync();
    }
}
