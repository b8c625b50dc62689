using System.Globalization;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Reads instants and spans as callers write them.</summary>
public static class TimeText
{
    /// <summary>Reads an instant (RFC 3339 §5.6): date, time to the second or finer, and a zone (<c>Z</c> or an offset), as
    /// <c>2026-03-01T09:30:00+01:00</c>; also to the minute, as ISO 8601 and people have it. Finer than 100 ns is cut. False
    /// also for dates that no calendar has, and for a time without zone: it would mean another instant to everybody.</summary>
    public static bool TryParseInstant(ReadOnlySpan<char> text, out DateTimeOffset instant)
    {
        instant = default;
        // yyyy-MM-ddTHH:mm is 16 characters, with seconds 19; §5.6 lets applications write t, or a space, for T.
        if (text.Length < 17 || text[4] != '-' || text[7] != '-' || text[10] is not ('T' or 't' or ' ') || text[13] != ':')
            return false;
        var hasSeconds = text[16] == ':';
        if (hasSeconds && text.Length < 20)
            return false;
        if (!TryDigits(text[..4], out var year) || !TryDigits(text[5..7], out var month) || !TryDigits(text[8..10], out var day)
            || !TryDigits(text[11..13], out var hour) || !TryDigits(text[14..16], out var minute)
            || !TryDigits(hasSeconds ? text[17..19] : "0", out var second))
            return false;
        if (year is 0 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59
            || second > 60)
            return false;
        var rest = text[(hasSeconds ? 19 : 16)..];
        var ticks = 0L;
        if ((hasSeconds && !TryFraction(ref rest, out ticks)) || !TryZone(rest, out var offset))
            return false;
        // A leap second (§5.7) is the first moment of the next minute here: our clock has none.
        var local = new DateTime(year, month, day, hour, minute, 0, DateTimeKind.Unspecified).Ticks + second * TimeSpan.TicksPerSecond
            + ticks;
        var utc = local - offset.Ticks;
        if (utc < DateTime.MinValue.Ticks || utc > DateTime.MaxValue.Ticks)
            return false;
        instant = new DateTimeOffset(utc, TimeSpan.Zero);
        return true;
    }

    /// <summary>Reads a span: a whole number of seconds, or a number with a unit as in <see cref="Durations"/>. At most ten
    /// years.</summary>
    public static bool TryParseSpan(ReadOnlySpan<char> text, out TimeSpan span)
    {
        if (Durations.TryParse(text, out span))
            return true;
        const int TenYears = 315_360_000;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > TenYears)
            return false;
        span = TimeSpan.FromSeconds(seconds);
        return true;
    }

    static bool TryFraction(ref ReadOnlySpan<char> rest, out long ticks)
    {
        ticks = 0;
        if (rest is not ['.', ..])
            return true;
        var end = rest[1..].IndexOfAnyExceptInRange('0', '9') + 1;
        if (end < 2)
            return false;
        var unit = TimeSpan.TicksPerSecond;
        foreach (var digit in rest[1..end])
            ticks += (digit - '0') * (unit /= 10);
        rest = rest[end..];
        return true;
    }

    static bool TryZone(ReadOnlySpan<char> zone, out TimeSpan offset)
    {
        offset = TimeSpan.Zero;
        if (zone is ['Z' or 'z'])
            return true;
        if (zone is not ['+' or '-', _, _, ':', _, _] || !TryDigits(zone[1..3], out var hours) || !TryDigits(zone[4..], out var minutes)
            || hours > 23 || minutes > 59)
            return false;
        offset = new TimeSpan(hours, minutes, 0);
        if (zone[0] == '-')
            offset = -offset;
        return true;
    }

    static bool TryDigits(ReadOnlySpan<char> digits, out int number) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
