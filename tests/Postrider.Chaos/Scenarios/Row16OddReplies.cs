using System.Text.Json;
using Postrider.Chaos.Books;

namespace Postrider.Chaos.Scenarios;

/// <summary>A table of odd replies: 421 in the middle of a transaction, a refusal for one of several recipients, a 5xx after the 250,
/// something that is no reply, a reply of a megabyte.</summary>
sealed class Row16OddReplies : Scenario
{
    /// <param name="To">As the sink knows how to behave.</param>
    /// <param name="Arrivals">Of each, in the end.</param>
    sealed record Case(string What, string[] To, int[] Arrivals);

    static readonly IReadOnlyList<Case> Cases =
    [
        new("421 to RCPT, and the connection closed", ["a@leave.example"], [1]),
        new("450 to one recipient of two", ["bad@x.example", "good@x.example"], [1, 1]),
        new("450 to one of two, and the reply for the other lost", ["bad@drop.example", "good@drop.example"], [1, 2]),
        new("250, and a 550 that nobody asked for", ["a@late5xx.example"], [1]),
        new("what is no reply, after the dot", ["a@garbage.example"], [2]),
        new("a reply of a megabyte, after the dot", ["a@flood.example"], [2]),
    ];

    public override string Row => "16";
    public override string Name => "421 in mid-transaction, 4xx for one recipient, 5xx after 250, garbage, a megabyte of reply";
    public override string Invariant => "Each recipient's outcome is right; who was accepted is not sent to again; what is in doubt is sent again once";
    public override IReadOnlyList<Engine> Engines => [Engine.Sqlite];
    public override string Control => "the relay takes the mail and drops the reply where it should say 550 after its 250";

    public override async Task PlayAsync(Stage stage)
    {
        stage.Settings["POSTRIDER_DELIVERY__SETTLE_TRANSACTIONAL"] = "1s";
        stage.Settings["POSTRIDER_RETRY"] = "1s,1s,1s";
        stage.Transports = $"relay=smtp://127.0.0.1:{stage.SinkPort}?tls=none&circuit=off";
        stage.StartSink();
        await stage.StartNodesAsync();
        var cases = Cases.Select(one => stage.IsControl ? one with { To = [.. one.To.Select(Dropped)] } : one).ToList();
        foreach (var one in cases)
            await stage.Apis[0].Node.CallAsync(HttpMethod.Post, "/emails",
                $$"""{"from":"app@chaos.example","to":{{JsonSerializer.Serialize(one.To)}},"subject":"s","text":"t"}""");
        await Clock.WaitAsync(1000);
        await stage.DrainAsync();
        stage.Cycles = Cases.Count;
        var arrivals = Journal.Read(stage.SinkJournal).Where(Checker.IsArrival).GroupBy(line => line[2])
            .ToDictionary(group => group.Key, group => group.Count());
        foreach (var one in cases)
        {
            foreach (var (address, expected) in one.To.Zip(one.Arrivals))
            {
                if (arrivals.GetValueOrDefault(address) != expected)
                    stage.Broken.Add($"{one.What}: {address} got {arrivals.GetValueOrDefault(address)} mails instead of {expected}");
            }
        }
        stage.Notes.AddRange(Cases.Select(one => $"{one.What}: {string.Join(", ", one.To.Zip(one.Arrivals, (to, n) => $"{to} {n}"))}"));
    }

    static string Dropped(string address) => address.Replace("late5xx", "drop", StringComparison.Ordinal);
}
