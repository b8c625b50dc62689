using System.Globalization;
using Postrider.Simulation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Postrider.Cli;

/// <summary>A simulation for people: a bar and a table while it runs, and what it came to.</summary>
static class SimulationScreen
{
    const int BarWidth = 40;
    const int DepthWidth = 60;
    const int MostBreaks = 20;
    const string Levels = " ▁▂▃▄▅▆▇█";

    public static IRenderable Live(SimulationProgress? progress)
    {
        if (progress is not { } now)
            return new Text("…");
        var full = BarWidth * now.Ended / Math.Max(1, now.Mails);
        var bar = $"{new string('█', full)}{new string('░', BarWidth - full)} {Number(now.Ended)} of {Number(now.Mails)}";
        return new Rows(
            new Text(bar),
            new Text($"{Span((long)now.Time.TotalMilliseconds)} simulated: {Number(now.Delivered)} delivered, {Number(now.Otherwise)} not, "
                + $"{Number(now.Open)} open, {Number(now.Attempts)} attempts"),
            Screen.MakeTable(["vendor", "delivered"], now.DeliveredBy.OrderBy(vendor => vendor.Key, StringComparer.Ordinal)
                .Select(vendor => new[] { vendor.Key, Number(vendor.Value) })));
    }

    public static void Show(Screen screen, SimulationResult result)
    {
        if (result.IsPartial)
            screen.Line("Interrupted, partial: "
                + $"{Number(result.Mails - result.Delivered - result.Failed - result.Expired)} mails had not ended.");
        screen.Line($"{Number(result.Delivered)} of {Number(result.Mails)} mails delivered, {Number(result.Failed)} failed, "
            + $"{Number(result.Expired)} expired, in {Span((long)result.Took.TotalMilliseconds)} and {Number(result.Tries)} tries (seed {result.Seed})");
        if (result.Failed > 0)
            screen.Line($"ends: {string.Join(", ", result.Ends.Select(end => $"{end.Key.ToString().ToLowerInvariant()} {Number(end.Value)}"))}");
        if (result.PossibleDuplicates > 0)
            screen.Line($"possible duplicates: {Number(result.PossibleDuplicates)} (an earlier answer was lost)");
        if (result.Percentile(50) is { } middle)
            screen.Line($"delay: p50 {Span(middle)}, p99 {Span(result.Percentile(99)!.Value)}, max {Span(result.Percentile(100)!.Value)}");
        screen.Table(["vendor", "delivered", "share", "tries", "failures"], result.Vendors.Select(vendor => new[]
        {
            vendor.Name, Number(vendor.Delivered), vendor.Share.ToString("P1", CultureInfo.InvariantCulture), Number(vendor.Tries),
            Number(vendor.Failures),
        }));
        ShowCircuit(screen, result);
        var depth = result.DepthIn(DepthWidth);
        var most = depth.Max(point => point.Open);
        screen.Line($"queue depth, at most {Number(most)}:");
        var full = Math.Max(most, Levels.Length - 1);   // a full block is eight mails or more
        screen.Line(string.Concat(depth.Select(point => Levels[(point.Open * (Levels.Length - 1) + full - 1) / full])));
    }

    /// <summary>Behind "mails come".</summary>
    public static string Arrivals(Scenario scenario)
    {
        if (scenario.Between == TimeSpan.Zero)
            return "all at once";
        var every = $"one every {Span((long)scenario.Between.TotalMilliseconds)}";
        var last = scenario.FirstAfter + scenario.Between * (scenario.Mails - 1);
        return scenario.FirstAfter == TimeSpan.Zero ? every
            : $"{every} from {Span((long)scenario.FirstAfter.TotalMilliseconds)} to {Span((long)last.TotalMilliseconds)} after the start";
    }

    static void ShowCircuit(Screen screen, SimulationResult result)
    {
        var breaks = result.Vendors.SelectMany(vendor => CircuitBreak.Of(vendor.Name, result.Circuit)).OrderBy(one => one.From).ToList();
        if (breaks.Count == 0)
            return;
        screen.Table(["circuit open", "from", "until", "probes", "because"], breaks.Take(MostBreaks).Select(one => new[]
        {
            one.Vendor, Span(one.From), one.Until is { } until ? Span(until) : "the end", Number(one.Probes), one.Reason,
        }));
        if (breaks.Count > MostBreaks)
            screen.Line($"… and {Number(breaks.Count - MostBreaks)} more; --json has them all");
    }

    /// <summary>A span in at most three figures of what matters: 51 ms, 12.3 s, 4 min 10 s, 1 h 5 min.</summary>
    public static string Span(long milliseconds)
    {
        var span = TimeSpan.FromMilliseconds(milliseconds);
        return span switch
        {
            { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{milliseconds} ms"),
            { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.#} s"),
            { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.Minutes} min {span.Seconds} s"),
            { TotalDays: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.Hours} h {span.Minutes} min"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{span.Days} d {span.Hours} h"),
        };
    }

    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}

/// <summary>A circuit from the moment it opened until it closed, the probes in between included.</summary>
/// <param name="Until">Null: it was open at the end.</param>
readonly record struct CircuitBreak(string Vendor, long From, long? Until, int Probes, string Reason)
{
    public static IEnumerable<CircuitBreak> Of(string vendor, IEnumerable<CircuitEvent> circuit)
    {
        CircuitBreak? current = null;
        foreach (var change in circuit.Where(change => change.Vendor == vendor))
        {
            current = change.State switch
            {
                "open" => current ?? new CircuitBreak(vendor, change.At, null, 0, change.Reason),
                "half_open" when current is { } probed => probed with { Probes = probed.Probes + 1 },
                _ => current,
            };
            if (change.State == "closed" && current is { } closed)
            {
                yield return closed with { Until = change.At };
                current = null;
            }
        }
        if (current is { } open)
            yield return open;
    }
}
