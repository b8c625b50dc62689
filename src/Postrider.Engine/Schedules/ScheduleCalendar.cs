namespace Postrider.Schedules;

/// <summary>What the clock of a zone shows, or would have shown.</summary>
/// <param name="Fold">1: the second time that it shows it; 0 otherwise.</param>
public readonly record struct WallClock(DateTime Local, int Fold);

/// <summary>One time at which a schedule comes. It is known by what the clock shows, whatever becomes of the zone's rules.</summary>
/// <param name="Fold">As <see cref="WallClock.Fold"/>.</param>
/// <param name="At">When that is by the rules as they are known now.</param>
public readonly record struct Occurrence(DateTime Local, int Fold, DateTimeOffset At)
{
    public WallClock Wall => new(Local, Fold);
}

/// <summary>When a schedule comes: a crontab line or a list of times, in a zone, within a span. Pure: no clock, nothing stored.</summary>
/// <remarks>
/// Where the clock is put forward over a time, it comes at the first instant after, together with all others of that gap and of that
/// instant: once. Where the clock is put back, a time of day comes the first time only; what means "every so often"
/// (<see cref="CronExpression.IsInterval"/>) comes both times. (Vixie's cron and Cronos do the same.)
/// </remarks>
public sealed class ScheduleCalendar
{
    /// <summary>More than any clock is put back by.</summary>
    static readonly TimeSpan MostBack = TimeSpan.FromHours(25);

    readonly CronExpression? _cron;
    readonly IReadOnlyList<Occurrence> _times;   // by instant

    ScheduleCalendar(
        TimeZoneRules zone, CronExpression? cron, IReadOnlyList<Occurrence> times, DateTimeOffset? startsAt, DateTimeOffset? endsAt)
    {
        Zone = zone;
        (_cron, _times) = (cron, times);
        (StartsAt, EndsAt) = (startsAt, endsAt);
    }

    public TimeZoneRules Zone { get; }

    /// <summary>It does not come before; null: it may come at once.</summary>
    public DateTimeOffset? StartsAt { get; }

    /// <summary>It does not come after; null: for ever.</summary>
    public DateTimeOffset? EndsAt { get; }

    public static ScheduleCalendar Of(
        CronExpression cron, TimeZoneRules zone, DateTimeOffset? startsAt = null, DateTimeOffset? endsAt = null) =>
        new(zone, cron, [], startsAt, endsAt);

    /// <param name="times">Of the wall clock with their folds, in any order; a time that is there twice comes once.</param>
    public static ScheduleCalendar Of(
        IEnumerable<WallClock> times, TimeZoneRules zone, DateTimeOffset? startsAt = null, DateTimeOffset? endsAt = null)
    {
        var sorted = times.Select(t => OccurrenceAt(zone, t)).OrderBy(o => o.At).ThenBy(o => o.Local).DistinctBy(o => o.At);
        return new(zone, null, [.. sorted], startsAt, endsAt);
    }

    /// <summary>When a time is by the rules as they are known now; a second one that no longer is there counts as the first.</summary>
    public static Occurrence OccurrenceAt(TimeZoneRules zone, WallClock time)
    {
        var wall = zone.Resolve(time.Local);
        return time.Fold == 1 && wall.Second is { } second
            ? new Occurrence(time.Local, 1, second) : new Occurrence(time.Local, 0, wall.First);
    }

    /// <summary>The first after an instant; null when there is none any more.</summary>
    public Occurrence? After(DateTimeOffset instant)
    {
        if (StartsAt is { } start && instant < start)
            instant = start.AddTicks(-1);
        var next = _cron is null ? Listed(instant) : Named(_cron, instant);
        return next is { } found && found.At <= (EndsAt ?? DateTimeOffset.MaxValue) ? found : null;
    }

    /// <summary>Those after an instant, one after the other.</summary>
    public IEnumerable<Occurrence> AllAfter(DateTimeOffset instant)
    {
        while (After(instant) is { } next)
        {
            yield return next;
            instant = next.At;
        }
    }

    Occurrence? Listed(DateTimeOffset instant)
    {
        foreach (var time in _times)
            if (time.At > instant)
                return time;
        return null;
    }

    Occurrence? Named(CronExpression cron, DateTimeOffset instant)
    {
        var from = Zone.LocalAt(instant);
        // What the clock showed before it was put back does not come again.
        if (!cron.IsInterval && Zone.FindPutBack(instant - MostBack, instant) is { } back && back.LocalBefore > from)
            from = back.LocalBefore.AddTicks(-1);
        Occurrence? next = null;
        for (var local = cron.After(from); local is { } time && next is null; local = cron.After(time))
            next = FirstAfter(instant, time, cron.IsInterval);
        return cron.IsInterval && Again(cron, instant, next) is { } again ? again : next;
    }

    /// <summary>Null: all its instants are past.</summary>
    Occurrence? FirstAfter(DateTimeOffset instant, DateTime local, bool both)
    {
        var wall = Zone.Resolve(local);
        if (wall.First > instant)
            return new Occurrence(local, 0, wall.First);
        return both && wall.Second > instant ? new Occurrence(local, 1, wall.Second.Value) : null;
    }

    /// <summary>What comes again because the clock is put back before <paramref name="otherwise"/> comes; null: nothing.</summary>
    Occurrence? Again(CronExpression cron, DateTimeOffset instant, Occurrence? otherwise)
    {
        if (Zone.FindPutBack(instant, instant + MostBack) is not { } back || otherwise is { } other && other.At < back.At)
            return null;
        return cron.After(back.LocalAfter.AddTicks(-1)) is { } local && local < back.LocalBefore
            ? new Occurrence(local, 1, back.At + (local - back.LocalAfter)) : null;
    }
}
