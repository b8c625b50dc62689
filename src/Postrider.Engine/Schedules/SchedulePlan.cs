namespace Postrider.Schedules;

/// <summary>Times that passed without a run.</summary>
/// <param name="First">The earliest of them.</param>
/// <param name="Count">How many; no further than <see cref="SchedulePlan.MostCounted"/>.</param>
public readonly record struct MissedTimes(Occurrence First, int Count);

/// <summary>What is to be done with a schedule now, in one transaction.</summary>
/// <param name="Run">The time that comes; null: none.</param>
/// <param name="Missed">What does not come any more; null: nothing.</param>
/// <param name="Next">When it comes after that; null: never again, it is archived.</param>
public sealed record SchedulePlan(Occurrence? Run, MissedTimes? Missed, Occurrence? Next)
{
    /// <summary>Two months of minutes: nobody needs to know further.</summary>
    public const int MostCounted = 100_000;

    /// <summary>Null: nothing is due.</summary>
    /// <param name="next">The first time that was not dealt with.</param>
    public static SchedulePlan? Of(
        ScheduleCalendar calendar, Occurrence next, MissedPolicy policy, DateTimeOffset now, ScheduleOptions options)
    {
        if (next.At > now)
            return null;
        return policy switch
        {
            MissedPolicy.Latest or MissedPolicy.Skip when OnTime(calendar, next, now, now - options.OnTimeWithin) is { } plan => plan,
            MissedPolicy.Latest => OfLatest(calendar, next, now, now - options.LatestWithin),
            MissedPolicy.Skip => new SchedulePlan(null, Count(calendar, next, DateTimeOffset.MaxValue, until: now), calendar.After(now)),
            MissedPolicy.All => OfAll(calendar, next, now, options.MaxCatchUp),
        };
    }

    /// <summary>What is hardly late comes, each time for itself: the earliest that is on time still. Null: none is.</summary>
    static SchedulePlan? OnTime(ScheduleCalendar calendar, Occurrence next, DateTimeOffset now, DateTimeOffset notBefore)
    {
        var first = next.At >= notBefore ? next : calendar.After(notBefore.AddTicks(-1));
        return first is { } run && run.At <= now ? new SchedulePlan(run, Count(calendar, next, run.At), calendar.After(run.At)) : null;
    }

    static SchedulePlan OfLatest(ScheduleCalendar calendar, Occurrence next, DateTimeOffset now, DateTimeOffset notBefore)
    {
        Occurrence? latest = next.At >= notBefore ? next : null;
        foreach (var due in calendar.AllAfter(next.At >= notBefore ? next.At : notBefore.AddTicks(-1)).TakeWhile(o => o.At <= now))
            latest = due;
        var missed = latest is { } run
            ? Count(calendar, next, run.At)
            : Count(calendar, next, DateTimeOffset.MaxValue, until: now);
        return new SchedulePlan(latest, missed, calendar.After(latest?.At ?? now));
    }

    static SchedulePlan OfAll(ScheduleCalendar calendar, Occurrence next, DateTimeOffset now, int most)
    {
        var kept = new Queue<Occurrence>();
        kept.Enqueue(next);
        var dropped = 0;
        // Every time that is due is gone through; only the newest are kept.
        foreach (var due in calendar.AllAfter(next.At).TakeWhile(o => o.At <= now))
        {
            kept.Enqueue(due);
            if (kept.Count <= most)
                continue;
            kept.Dequeue();
            dropped++;
        }
        var run = kept.Dequeue();
        return new SchedulePlan(run, dropped == 0 ? null : new MissedTimes(next, Math.Min(dropped, MostCounted)),
            kept.TryPeek(out var following) ? following : calendar.After(run.At));
    }

    /// <summary>Null: there are none.</summary>
    static MissedTimes? Count(ScheduleCalendar calendar, Occurrence first, DateTimeOffset before, DateTimeOffset? until = null)
    {
        if (first.At >= before)
            return null;
        var others = calendar.AllAfter(first.At).TakeWhile(o => o.At < before && o.At <= (until ?? DateTimeOffset.MaxValue));
        return new MissedTimes(first, 1 + others.Take(MostCounted - 1).Count());
    }
}
