using Postrider.Chaos.Books;
using Postrider.Chaos.Product;

namespace Postrider.Chaos.Scenarios;

/// <summary>The wall clock of the nodes jumps, and differs from node to node; the monotonic clock goes on.</summary>
sealed class Row08Clock : Scenario
{
    static readonly string? Library = Directory.Exists("/usr/lib")
        ? Directory.GetDirectories("/usr/lib", "*-linux-gnu").Select(folder => Path.Combine(folder, "faketime", "libfaketimeMT.so.1"))
            .FirstOrDefault(File.Exists)
        : null;

    static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    static readonly TimeSpan Year = TimeSpan.FromDays(365);

    public override string Row => "8";
    public override string Name => "clocks that jump and differ";
    public override string Invariant => "No lease ends, nothing is sent twice, nothing expires for a clock that was wrong for a moment; 0 lost";
    public override string Control => "the clock stays a year ahead until it is believed";
    public override IReadOnlyList<Engine> ControlEngines => [Engine.Sqlite];
    public override string? Missing => Library is null ? "libfaketime" : null;

    public override async Task PlayAsync(Stage stage)
    {
        stage.RelayRate = 20;
        stage.StartSink();
        await stage.OpenStoreAsync();
        var clocks = new List<string>();
        Place Add(string name, string roles)
        {
            var file = Path.Combine(stage.Shared, $"clock-{name}");
            clocks.Add(file);
            File.WriteAllText(file, "+0");
            return stage.Add(name, roles, new Dictionary<string, string>
            {
                ["LD_PRELOAD"] = Library!,
                ["FAKETIME_TIMESTAMP_FILE"] = file,
                ["FAKETIME_NO_CACHE"] = "1",
                ["DONT_FAKE_MONOTONIC"] = "1",
                // It would let every wait by the monotonic clock end at once.
                ["FAKETIME_FORCE_MONOTONIC_FIX"] = "0",
            });
        }
        if (stage.IsSqlite)
        {
            await Add("node", "").StartReadyAsync();
        }
        else
        {
            foreach (var (name, roles) in new[] { ("api-1", "api"), ("worker-1", "worker"), ("worker-2", "worker") })
                await Add(name, roles).StartReadyAsync();
        }
        stage.StartClient(ClientPlan.Usual with { PerSecond = 60, Count = 600 });
        await stage.WaitForClientAsync(TimeSpan.FromMinutes(2)); // most of it waits now
        foreach (var (jump, lasts) in JumpsOf(stage))
        {
            var struck = Clock.Now;
            foreach (var clock in stage.IsSqlite || jump.Duration() != TimeSpan.FromMinutes(10) ? clocks : clocks.TakeLast(1))
                await File.WriteAllTextAsync(clock, $"{(jump < TimeSpan.Zero ? "-" : "+")}{jump.Duration().TotalSeconds:0}");
            await Clock.WaitAsync(lasts);
            foreach (var clock in clocks)
                await File.WriteAllTextAsync(clock, "+0");
            stage.Strike($"jump of the clock by {jump}", struck);
            await Clock.WaitAsync(2000);
        }
        await stage.DrainAsync();
        if (await stage.Apis[0].Node.StatsAsync() is { } stats && stats["expired"] > 0)
            stage.Broken.Add($"{stats["expired"]} mails expired");
        if (stage.Check().Duplicates is > 0 and var copies)
            stage.Broken.Add($"{copies} mails arrived twice");
        if (stage.Places.Any(place => place.Node.HasExited))
            stage.Broken.Add("a node ended");
    }

    static IEnumerable<(TimeSpan Jump, TimeSpan Lasts)> JumpsOf(Stage stage)
    {
        if (stage.IsControl)
            return [(Year, TimeSpan.FromSeconds(15))];
        var soon = TimeSpan.FromSeconds(1);
        var while_ = TimeSpan.FromSeconds(3);
        (TimeSpan, TimeSpan)[] jumps =
        [
            (soon, while_), (-soon, while_), (Hour, while_), (-Hour, while_), (Year, soon), (-Year, soon), (13 * Year, soon),
            (TimeSpan.FromMinutes(10), while_), (TimeSpan.FromMinutes(-10), while_),
        ];
        return Enumerable.Repeat(jumps, stage.Bar(1, 3)).SelectMany(all => all);
    }
}
