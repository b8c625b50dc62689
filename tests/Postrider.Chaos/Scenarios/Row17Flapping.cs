using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>The first relay works for two seconds and refuses for two, again and again; the second one works.</summary>
sealed class Row17Flapping : Scenario
{
    const int Failures = 10;        // the default of circuit=
    const int AtOnce = 8;           // attempts that are under way when the circuit opens

    static readonly TimeSpan Phase = TimeSpan.FromSeconds(2);

    public override string Row => "17";
    public override string Name => "a provider that flaps, 2 s up and 2 s down";
    public override string Invariant => "The circuit opens within 10 failures and asks with one probe; at least 90 % of the mail is out while it comes in";
    public override string Control => "no circuit: circuit=off";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];

    public override async Task PlayAsync(Stage stage)
    {
        var circuit = stage.IsControl ? "off" : "10,30s,1s";
        stage.Transports = $"relay=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency={AtOnce}&circuit={circuit} "
            + $"standby=sendgrid://key@?endpoint=http://127.0.0.1:{stage.VendorPort}&coalesce=1&concurrency=32";
        stage.StartSink(SinkPlan.Usual with { Flap = Phase });
        stage.StartVendor();
        await stage.StartNodesAsync(apis: 1, workers: 1);
        stage.StartClient(ClientPlan.Usual with { PerSecond = 100 });
        await Clock.WaitAsync(stage.Span(16, 600));
        await stage.StopClientAsync();
        var checker = stage.Check();
        var done = checker.Arrivals.Count;
        if (done < 0.9 * checker.Acknowledged.Count)
            stage.Broken.Add($"only {done} of {checker.Acknowledged.Count} mails were out when the last one came in");
        // Refused connections of each phase: those that open the circuit, and a probe a second.
        var refused = new List<int>();
        var last = 0L;
        foreach (var line in Journal.Read(stage.SinkJournal).Where(line => line is ["C", _, _, "down"]))
        {
            var at = long.Parse(line[1], null);
            if (at - last > Phase.TotalMicroseconds)
                refused.Add(0);
            refused[^1]++;
            last = at;
        }
        var most = refused.DefaultIfEmpty().Max();
        stage.Cycles = refused.Count;
        stage.Notes.Add($"{refused.Count} times down, {most} refused connections at most in one of them; {done} of {checker.Acknowledged.Count} mails out at once");
        if (most > Failures + AtOnce + 4)
            stage.Broken.Add($"the relay was asked {most} times while it refused");
        await stage.DrainAsync();
    }
}
