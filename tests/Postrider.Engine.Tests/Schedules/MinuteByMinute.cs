using Postrider.Schedules;

namespace Postrider.Engine.Tests.Schedules;

/// <summary>A crontab line as sets of numbers, and the calendar in its plainest form: looks at every minute there is, in the zone's own
/// file. Shares nothing with what it is compared to.</summary>
sealed record MinuteByMinute(
    HashSet<int> Minutes, HashSet<int> Hours, HashSet<int> Days, HashSet<int> Months, HashSet<int> Weekdays,
    bool IsInterval, bool EitherDay, string Text)
{
    public List<Occurrence> Between(ZoneFile zone, DateTimeOffset after, DateTimeOffset until)
    {
        var found = new List<Occurrence>();
        var begin = after.AddDays(-2);   // what the clock showed before counts too
        var shownUntil = DateTime.MinValue;
        for (var instant = begin; instant <= until; instant = instant.AddMinutes(1))
        {
            var local = (instant + zone.OffsetAt(instant)).DateTime;
            var gapEnd = local;
            Occurrence? here = null;
            if (instant > begin && shownUntil != DateTime.MinValue)
            {
                // Minutes that no clock shows, the earliest first.
                for (var skipped = shownUntil.AddMinutes(1); skipped < gapEnd && here is null; skipped = skipped.AddMinutes(1))
                    if (IsNamed(skipped))
                        here = new Occurrence(skipped, 0, instant);
            }
            var isAgain = local <= shownUntil;
            if (here is null && IsNamed(local) && (IsInterval || !isAgain))
                here = new Occurrence(local, isAgain ? 1 : 0, instant);
            if (local > shownUntil)
                shownUntil = local;
            if (here is { } one && instant > after)
                found.Add(one);
        }
        return found;
    }

    bool IsNamed(DateTime local)
    {
        if (!Minutes.Contains(local.Minute) || !Hours.Contains(local.Hour) || !Months.Contains(local.Month))
            return false;
        var (day, weekday) = (Days.Contains(local.Day), Weekdays.Contains((int)local.DayOfWeek));
        return EitherDay ? day || weekday : day && weekday;
    }

    /// <summary>Any crontab line, with a liking for the hours in which clocks are changed.</summary>
    public static MinuteByMinute Any(Random dice)
    {
        var (minutes, minuteText) = Field(dice, 0, 59, 60);
        var (hours, hourText) = dice.Next(3) == 0 ? Few(dice, 0, 4) : Field(dice, 0, 23, 24);
        var (days, dayText) = dice.Next(2) == 0 ? All(1, 31) : Field(dice, 1, 31, 10);
        var (months, monthText) = dice.Next(3) > 0 ? All(1, 12) : Field(dice, 1, 12, 12);
        var (weekdays, weekdayText) = dice.Next(2) == 0 ? All(0, 6) : Field(dice, 0, 6, 7);
        return new MinuteByMinute(minutes, hours, days, months, weekdays,
            minuteText[0] == '*' || hourText[0] == '*', dayText[0] != '*' && weekdayText[0] != '*',
            $"{minuteText} {hourText} {dayText} {monthText} {weekdayText}");
    }

    static (HashSet<int>, string) All(int least, int most) => ([.. Enumerable.Range(least, most - least + 1)], "*");

    static (HashSet<int>, string) Few(Random dice, int least, int most)
    {
        HashSet<int> set = [dice.Next(least, most + 1), dice.Next(least, most + 1)];
        return (set, string.Join(',', set));
    }

    static (HashSet<int>, string) Field(Random dice, int least, int most, int steps)
    {
        switch (dice.Next(4))
        {
            case 0: return All(least, most);
            case 1:
                var step = dice.Next(1, Math.Min(steps, most - least) + 1);
                return ([.. Enumerable.Range(least, most - least + 1).Where(v => (v - least) % step == 0)], $"*/{step}");
            case 2:
                var first = dice.Next(least, most + 1);
                var last = dice.Next(first, most + 1);
                return ([.. Enumerable.Range(first, last - first + 1)], $"{first}-{last}");
            default: return Few(dice, least, most);
        }
    }
}
