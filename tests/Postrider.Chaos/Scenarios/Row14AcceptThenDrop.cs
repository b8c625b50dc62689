using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>Relay and vendor take a mail and cut the connection instead of answering, over SMTP and over HTTP, under both
/// policies.</summary>
sealed class Row14AcceptThenDrop : Scenario
{
    static readonly TimeSpan Settle = TimeSpan.FromSeconds(3);

    public override string Row => "14";
    public override string Name => "taken, and cut before the reply (SMTP and HTTP)";
    public override string Invariant => "retry: at least once, and no second attempt while the first is in doubt; hold: exactly once, then held";
    public override string Control => "all mail is sent under retry";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];

    public override async Task PlayAsync(Stage stage)
    {
        var count = stage.IsControl ? 80 : stage.Bar(240, 5000);
        // What a vendor may have taken waits for two minutes.
        stage.StuckAfter = TimeSpan.FromSeconds(stage.IsControl ? 20 : 200);
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = $"{Settle.TotalSeconds}s";
        stage.Settings["POSTRIDER_ROUTES__HTTP__TRANSPORTS"] = "vendor";
        stage.Settings["POSTRIDER_ROUTES__DEFAULT__TRANSPORTS"] = "relay standby";
        // One in four is dropped by its first relay: that must not keep the others waiting behind an open circuit.
        stage.Transports = $"relay=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency=8&circuit=off "
            + $"standby=smtp://127.0.0.1:{stage.SinkPort}?tls=none&concurrency=8&circuit=off "
            + $"vendor=sendgrid://key@?endpoint=http://127.0.0.1:{stage.VendorPort}&coalesce=1&circuit=off&concurrency=8";
        stage.StartSink();
        stage.StartVendor();
        await stage.StartNodesAsync(apis: 1, workers: 1);
        stage.StartClient(ClientPlan.Usual with
        {
            Count = count,
            PerSecond = 40,
            Policy = stage.IsControl ? "retry" : "",
            Domains = stage.IsControl // what is in doubt at a vendor would still be open at its end
                ? ["drop.example", "hold-drop.example"]
                : ["drop.example", "hold-drop.example", "http-drop.example", "hold-http-drop.example"],
        });
        await stage.WaitForClientAsync(TimeSpan.FromMinutes(20));
        await stage.DrainAsync(heldIsOpen: false);
        stage.Cycles = count;
        var checker = stage.Check();
        foreach (var (recipient, arrivals) in checker.Arrivals)
        {
            if (arrivals.Count > 1 && TimeSpan.FromMicroseconds(arrivals[1].At - arrivals[0].At) < Settle)
                stage.Broken.Add($"{recipient} was sent again while the first attempt was in doubt");
        }
        foreach (var (recipient, message) in checker.Acknowledged.Where(mail => mail.Key.Contains("@hold", StringComparison.Ordinal)).Take(100))
        {
            if (!stage.IsControl && await stage.Apis[0].Node.StateAsync(message) is not "held" and var state)
                stage.Broken.Add($"{recipient} should be held, and is {state}");
        }
    }
}
