using System.Globalization;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Dashboard.Parts;

/// <summary>A step of a chart.</summary>
/// <param name="Good">Recipients that were sent.</param>
/// <param name="Bad">Those that were refused, or given up.</param>
/// <param name="Accepted">Those that came; null: not known by this step.</param>
public readonly record struct ChartBar(string Label, long Good, long Bad, long? Accepted = null);

/// <summary>What went through one transport in the last hour, or through all.</summary>
/// <param name="PerMinute">Sent in the last minute that is over, or in this one if that is more already.</param>
/// <param name="Share">Of what was answered, accepted: 0 to 1; null: nothing was.</param>
public readonly record struct FlowNumbers(long PerMinute, double? Share, TimeSpan? P50, TimeSpan? P95);

/// <summary>Numbers and charts made of what was counted by the minute and by the hour.</summary>
static class FlowSummary
{
    const int Minutes = 60;

    /// <param name="transport">Null: all.</param>
    public static FlowNumbers Of(IEnumerable<FlowCount> counts, string? transport, DateTimeOffset now)
    {
        var minute = FlowCount.MinuteOf(now);
        var own = counts.Where(count => transport is null || count.Transport == transport).ToList();
        long Sum(Func<FlowCount, bool> which) => own.Where(which).Sum(count => count.Count);
        var accepted = Sum(count => count.Outcome == OutcomeKind.Accepted);
        var answered = Sum(count => count.Outcome is not null);
        var delays = own.Where(count => count.Delay is not null).GroupBy(count => count.Delay!.Value)
            .ToDictionary(delay => delay.Key, delay => delay.Sum(count => count.Count));
        var sent = Math.Max(Sum(count => count.Minute == minute - 1 && count.Outcome == OutcomeKind.Accepted),
            Sum(count => count.Minute == minute && count.Outcome == OutcomeKind.Accepted));
        return new FlowNumbers(sent, answered == 0 ? null : (double)accepted / answered,
            FlowDelays.Percentile(delays, 50), FlowDelays.Percentile(delays, 95));
    }

    /// <summary>What transports answered, minute by minute.</summary>
    public static IReadOnlyList<ChartBar> LastHour(IReadOnlyList<FlowCount> counts, DateTimeOffset now, TimeZoneInfo zone)
    {
        var last = FlowCount.MinuteOf(now);
        var minutes = counts.Where(count => count.Outcome is not null).ToLookup(count => count.Minute);
        return
        [
            .. Enumerable.Range(0, Minutes).Select(n => last - Minutes + 1 + n).Select(minute => new ChartBar(
                Local(DateTimeOffset.FromUnixTimeSeconds(minute * 60), zone, "HH:mm"),
                minutes[minute].Where(count => count.Outcome == OutcomeKind.Accepted).Sum(count => count.Count),
                minutes[minute].Where(count => count.Outcome != OutcomeKind.Accepted).Sum(count => count.Count))),
        ];
    }

    public static IReadOnlyList<ChartBar> LastDay(IReadOnlyList<HourCount> counts, DateTimeOffset now, TimeZoneInfo zone) => Bars(
        counts, 24, TimeSpan.FromHours(1), new DateTimeOffset(now.UtcDateTime.Date.AddHours(now.UtcDateTime.Hour), TimeSpan.Zero),
        hour => Local(hour, zone, "ddd HH:mm"));

    /// <summary>By days of UTC: hours of long ago are added up to them.</summary>
    public static IReadOnlyList<ChartBar> LastMonth(IReadOnlyList<HourCount> counts, DateTimeOffset now) => Bars(
        counts, 30, TimeSpan.FromDays(1), new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero),
        day => Local(day, TimeZoneInfo.Utc, "d MMM"));

    static IReadOnlyList<ChartBar> Bars(
        IReadOnlyList<HourCount> counts, int steps, TimeSpan step, DateTimeOffset last, Func<DateTimeOffset, string> label) =>
    [
        .. Enumerable.Range(0, steps).Select(n => last - step * (steps - 1 - n)).Select(from =>
        {
            var here = counts.Where(count => count.Hour >= from && count.Hour < from + step).ToList();
            // What is reported later leaves one state for another: less than nothing is nothing.
            long Sum(Func<RecipientState?, bool> which) => Math.Max(0, here.Where(count => which(count.State)).Sum(count => count.Count));
            return new ChartBar(label(from), Sum(state => state is RecipientState.Sent or RecipientState.Delivered),
                Sum(state => state is RecipientState.Bounced or RecipientState.Failed or RecipientState.Expired
                    or RecipientState.Suppressed),
                Sum(state => state is null));
        }),
    ];

    static string Local(DateTimeOffset at, TimeZoneInfo zone, string form) =>
        TimeZoneInfo.ConvertTime(at, zone).ToString(form, CultureInfo.InvariantCulture);
}
