using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>A relay that answers a byte a second, or never, beside one that works.</summary>
sealed class Row15SlowReply : Scenario
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    public override string Row => "15";
    public override string Name => "a reply that drips, and one that never comes";
    public override string Invariant => "A slot is free again at the deadline; mail by the other transport is not slowed down";
    public override IReadOnlyList<Engine> Engines => [Engine.Sqlite];
    public override string Control => "no deadline: timeout= is not set";

    public override async Task PlayAsync(Stage stage)
    {
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = "1s";
        stage.Settings["POSTRIDER_ROUTES__HTTP__TRANSPORTS"] = "slow"; // what the client sends there has http in its domain
        stage.Settings["POSTRIDER_ROUTES__DEFAULT__TRANSPORTS"] = "relay";
        var timeout = stage.IsControl ? "" : $"&timeout={Deadline.TotalSeconds}s";
        stage.Transports = $"relay=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency=8 "
            + $"slow=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency=4&circuit=off&stall=off{timeout}";
        stage.StartSink();
        await stage.StartNodesAsync();
        stage.StartClient(ClientPlan.Usual with { PerSecond = 40, Domains = ["chaos.example"] });
        await Clock.WaitAsync(stage.Span(4, 60));
        var hung = Clock.Now;
        var count = stage.Bar(8, 200);
        for (var i = 0; i < count; i++)
            await stage.Apis[0].Node.CallAsync(HttpMethod.Post, "/emails", Mail($"h{i}@hold-{(i % 2 == 0 ? "mute" : "drip")}.http.example"));
        // One at a time, because none is answered; each hangs for the deadline.
        await Clock.WaitAsync(Deadline * (count + 1));
        await stage.StopClientAsync();
        stage.Cycles = count;
        var checker = stage.Check();
        var tried = checker.Arrivals.Keys.Count(recipient => recipient.Contains("http", StringComparison.Ordinal));
        if (tried < count)
            stage.Broken.Add($"{tried} of {count} mails had their turn at the slow relay: slots were not freed at the deadline");
        var (before, during) = (Slowest(checker, 0, hung), Slowest(checker, hung, long.MaxValue));
        stage.Notes.Add($"p99 from 202 to the relay: {before.TotalMilliseconds:0} ms before, {during.TotalMilliseconds:0} ms while the other relay hung");
        if (during > 2 * before && during > TimeSpan.FromSeconds(1))
            stage.Broken.Add($"mail by the other transport took {during.TotalMilliseconds:0} ms instead of {before.TotalMilliseconds:0}");
    }

    static string Mail(string address) =>
        $$"""{"from":"app@chaos.example","to":"{{address}}","subject":"s","text":"t","on_ambiguous":"hold","route":"http"}""";

    /// <summary>The 99th percentile of the time from submission's answer to arrival.</summary>
    static TimeSpan Slowest(Checker checker, long from, long until)
    {
        var took = checker.AcknowledgedTimes
            .Where(mail => mail.Value >= from && mail.Value < until && checker.Arrivals.ContainsKey(mail.Key))
            .Select(mail => Math.Max(0, checker.Arrivals[mail.Key][0].At - mail.Value)).Order().ToList();
        return took.Count == 0 ? TimeSpan.Zero : TimeSpan.FromMicroseconds(took[took.Count * 99 / 100]);
    }
}
