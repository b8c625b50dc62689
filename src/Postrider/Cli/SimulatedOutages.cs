using System.Globalization;
using Postrider.Messages;
using Postrider.Providers.Simulated;
using Postrider.Simulation;

namespace Postrider.Cli;

/// <summary>When an outage begins: a span after the start, or a day and time of the simulated week.</summary>
static class OutageTime
{
    static readonly string[] Days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// <summary>As a span after <see cref="Scenario.DefaultStart"/>, a Monday at 00:00 UTC. Throws <see cref="CommandFailure"/>.</summary>
    public static string Read(string text, bool isRealTime)
    {
        if (Durations.TryParse(text, out _))
            return text;
        var day = text.Length > 3 ? Array.IndexOf(Days, text[..3].ToLowerInvariant()) : -1;
        if (day < 0 || !TimeSpan.TryParseExact(text[3..].Trim(), @"hh\:mm", CultureInfo.InvariantCulture, out var time))
            throw CommandFailure.Usage(
                $"--outage: \"{Screen.Printable(text)}\" is no start: write a span such as 10s, or a day and time of UTC such as mon09:00");
        if (isRealTime)
            throw CommandFailure.Usage(
                "--outage: days and times are those of virtual time: leave out --real-time, or write a span such as 10s");
        return Durations.Format(TimeSpan.FromDays(day) + time);
    }
}

/// <summary>Mails and outages that are to meet.</summary>
static class OutageMeeting
{
    /// <summary>When the first of so many mails comes, and how long after it the next: evenly from half an outage's length before the first
    /// outage to as long after the last (of one that comes again: the second), so that what changes with it is seen as well.</summary>
    public static (TimeSpan First, TimeSpan Between) Spread(IReadOnlyList<Outage> outages, int mails)
    {
        var around = outages.Max(outage => outage.Length) / 2;
        var from = outages.Min(outage => outage.Start) - around;
        from = from > TimeSpan.Zero ? from : TimeSpan.Zero;
        var until = outages.Max(outage => outage.Start + (outage.Period ?? TimeSpan.Zero) + outage.Length) + around;
        var between = TimeSpan.FromMilliseconds(Math.Floor((until - from).TotalMilliseconds / mails));
        return (from + TimeSpan.FromMilliseconds(Math.Floor(between.TotalMilliseconds / 2)), between);
    }

    /// <summary>Outages that no mail met, in words: what was asked of them is not answered.</summary>
    public static IEnumerable<string> Missed(SimulationResult result)
    {
        if (result.IsPartial)
            yield break;
        var took = (long)result.Took.TotalMilliseconds;
        foreach (var (vendor, outage) in result.Outages)
        {
            var start = (long)outage.Start.TotalMilliseconds;
            if (start >= took)
                yield return $"the outage of {vendor} began after the last mail was done, {SimulationScreen.Span(start)} after the start "
                    + $"and not within {SimulationScreen.Span(took)}: no mail met it. Let mails come for longer with --rate and "
                    + "--email-count, or leave out --rate: then they come around an --outage";
            else if (result.Vendors.First(one => one.Name == vendor).Outcomes.GetValueOrDefault(OutcomeKind.Unreachable) == 0)
                yield return $"no mail met the outage of {vendor}: none was to go to it in that time";
        }
    }

    /// <summary>From and until of every time that it came within the whole, in milliseconds since the start; at most so many.</summary>
    public static IEnumerable<(double From, double Until)> Times(Outage outage, double whole, int most = 500)
    {
        for (var (start, count) = (outage.Start.TotalMilliseconds, 0); start < whole && count < most; count++)
        {
            yield return (start, Math.Min(whole, start + outage.Length.TotalMilliseconds));
            if (outage.Period is not { } period)
                break;
            start += period.TotalMilliseconds;
        }
    }
}
