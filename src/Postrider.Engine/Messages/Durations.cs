using System.Globalization;

namespace Postrider.Messages;

/// <summary>Spans of time as people write them in configuration: a whole number and its unit, <c>500ms 10s 10m 24h 1d</c>.</summary>
public static class Durations
{
    /// <summary>Ten years: longer is a slip of the pen, and would overflow sums of instants.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromDays(3650);

    /// <summary>The second half of a sentence that names the faulty option.</summary>
    public const string Expected = "is " + Form;
    public const string Form = "a whole number with a unit, such as 500ms, 10s, 10m, 24h or 1d";

    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan span)
    {
        span = default;
        var digits = text.IndexOfAnyExceptInRange('0', '9');
        if (digits is <= 0 or > 12)
            return false;
        var unit = text[digits..] switch
        {
            "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "m" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            "d" => TimeSpan.TicksPerDay,
            _ => 0,
        };
        var number = long.Parse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture);
        if (unit == 0 || number > Longest.Ticks / unit)
            return false;
        span = new TimeSpan(number * unit);
        return true;
    }

    /// <summary>The shortest form that reads back to the same; parts of a millisecond are dropped.</summary>
    public static string Format(TimeSpan span)
    {
        var (unit, name) = span switch
        {
            { Ticks: 0 } => (TimeSpan.TicksPerSecond, "s"),
            _ when span.Ticks % TimeSpan.TicksPerDay == 0 => (TimeSpan.TicksPerDay, "d"),
            _ when span.Ticks % TimeSpan.TicksPerHour == 0 => (TimeSpan.TicksPerHour, "h"),
            _ when span.Ticks % TimeSpan.TicksPerMinute == 0 => (TimeSpan.TicksPerMinute, "m"),
            _ when span.Ticks % TimeSpan.TicksPerSecond == 0 => (TimeSpan.TicksPerSecond, "s"),
            _ => (TimeSpan.TicksPerMillisecond, "ms"),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{span.Ticks / unit}{name}");
    }
}
