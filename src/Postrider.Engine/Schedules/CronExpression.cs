using System.Numerics;

namespace Postrider.Schedules;

/// <summary>Which minutes of the wall clock a crontab line names (crontab(5)): minute, hour, day of the month, month, day of the week, or a
/// short form such as <c>@daily</c>. Knows no time zone.</summary>
/// <remarks>As in Vixie's cron: where neither day field starts with <c>*</c>, one of them has to match, else both. What it means where a
/// zone's clock is put forward or back is <see cref="ScheduleCalendar"/>'s.</remarks>
public sealed class CronExpression
{
    /// <summary>29 February falls on a given weekday every 28 years, every 40 across a century that is no leap year.</summary>
    const int MostYearsBetween = 45;

    readonly ulong _minutes;
    readonly uint _hours, _days, _months, _weekdays;   // bit n: the value n
    readonly bool _eitherDay;

    CronExpression(string text, ulong minutes, uint hours, uint days, uint months, uint weekdays, bool isInterval, bool eitherDay)
    {
        Text = text;
        (_minutes, _hours, _days, _months, _weekdays) = (minutes, hours, days, months, weekdays);
        (IsInterval, _eitherDay) = (isInterval, eitherDay);
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>The minute or the hour starts with <c>*</c>: it means "every so often", so an hour that comes twice has it twice. Else it
    /// means a time of day, which a day has once.</summary>
    public bool IsInterval { get; }

    /// <summary>Null: <paramref name="fault"/> says what is wrong and how to write it.</summary>
    public static CronExpression? Parse(string text, out string fault)
    {
        var fields = CronFields.Split(text, out fault);
        if (fields is null)
            return null;
        var minutes = CronFields.Minute.Read(fields[0], ref fault);
        var hours = CronFields.Hour.Read(fields[1], ref fault);
        var days = CronFields.Day.Read(fields[2], ref fault);
        var months = CronFields.Month.Read(fields[3], ref fault);
        var weekdays = CronFields.Weekday.Read(fields[4], ref fault);
        if (fault.Length > 0)
            return null;
        weekdays = (weekdays | weekdays >> 7) & 0x7F;   // 7 is Sunday too
        var isInterval = fields[0][0] == '*' || fields[1][0] == '*';
        var eitherDay = fields[2][0] != '*' && fields[4][0] != '*';
        var cron = new CronExpression(
            text, minutes, (uint)hours, (uint)days, (uint)months, (uint)weekdays, isInterval, eitherDay);
        // 2000 begins a full cycle of leap years.
        if (cron.After(new DateTime(2000, 1, 1)) is not null)
            return cron;
        fault = $"'{text}' never comes: no month that it names has such a day. For the last day of each month write '0 9 28-31 * *' and "
            + "check the day in your data, or name the days one by one.";
        return null;
    }

    public bool Matches(DateTime local) => Has(_minutes, local.Minute) && Has(_hours, local.Hour) && IsDay(local);

    /// <summary>The first minute that it names after <paramref name="local"/>; null when no year of the calendar has one.</summary>
    public DateTime? After(DateTime local)
    {
        var lastYear = Math.Min(local.Year + MostYearsBetween, DateTime.MaxValue.Year - 1);
        var from = local.AddTicks(TimeSpan.TicksPerMinute - local.Ticks % TimeSpan.TicksPerMinute);
        var day = from.Date;
        if (IsDay(day) && FirstTime(from.Hour, from.Minute) is { } today)
            return day + today;
        var first = FirstTime(0, 0)!.Value;
        for (day = NextDay(day); day.Year <= lastYear; day = NextDay(day))
            if (IsDay(day))
                return day + first;
        return null;
    }

    DateTime NextDay(DateTime day)
    {
        day = day.AddDays(1);
        while (day.Day == 1 && !Has(_months, day.Month))
            day = day.AddMonths(1);
        return day;
    }

    TimeSpan? FirstTime(int hour, int minute)
    {
        var minutesLeft = _minutes >> minute << minute;
        if (Has(_hours, hour) && minutesLeft != 0)
            return new TimeSpan(hour, BitOperations.TrailingZeroCount(minutesLeft), 0);
        var hoursLeft = hour == 31 ? 0 : _hours >> (hour + 1) << (hour + 1);
        return hoursLeft == 0 ? null
            : new TimeSpan(BitOperations.TrailingZeroCount(hoursLeft), BitOperations.TrailingZeroCount(_minutes), 0);
    }

    bool IsDay(DateTime day)
    {
        if (!Has(_months, day.Month))
            return false;
        var (byDate, byWeekday) = (Has(_days, day.Day), Has(_weekdays, (int)day.DayOfWeek));
        return _eitherDay ? byDate || byWeekday : byDate && byWeekday;
    }

    static bool Has(ulong set, int value) => (set >> value & 1) != 0;
}
