using System.Globalization;

namespace Postrider.Dashboard.Parts;

/// <summary>How times are written: as short as can be in the viewer's zone, and exactly for who points at them.</summary>
static class Times
{
    public static string Iso(DateTimeOffset at) => at.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The instant, and what the viewer's clock showed.</summary>
    public static string Exact(DateTimeOffset at, TimeZoneInfo zone)
    {
        var utc = at.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss.fff 'UTC'", CultureInfo.InvariantCulture);
        return zone.BaseUtcOffset == TimeSpan.Zero && !zone.SupportsDaylightSavingTime
            ? utc
            : string.Create(CultureInfo.InvariantCulture, $"{utc} · {TimeZoneInfo.ConvertTime(at, zone):yyyy-MM-dd HH:mm:ss zzz} {zone.Id}");
    }

    /// <summary>The instant at which a zone's clock shows this.</summary>
    public static DateTimeOffset At(DateTime local, TimeZoneInfo zone) => new(local, zone.GetUtcOffset(local));

    /// <summary>RFC 3339, with the zone's offset.</summary>
    public static string Offset(DateTime local, TimeZoneInfo zone) =>
        At(local, zone).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);

    /// <summary>Of today the time, of this year day and time, else the date.</summary>
    public static string Short(DateTimeOffset at, TimeZoneInfo zone, DateTimeOffset now)
    {
        var (there, today) = (TimeZoneInfo.ConvertTime(at, zone), TimeZoneInfo.ConvertTime(now, zone));
        var form = there.Date == today.Date ? "HH:mm:ss" : there.Year == today.Year ? "d MMM HH:mm" : "d MMM yyyy";
        return there.ToString(form, CultureInfo.InvariantCulture);
    }

    /// <summary>A length in the largest unit that says enough: <c>4.2 s</c>, <c>3 min</c>, <c>5 h</c>.</summary>
    public static string Length(TimeSpan span) => span switch
    {
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0} ms"),
        { TotalSeconds: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.#} s"),
        { TotalMinutes: < 60 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0} min"),
        { TotalHours: < 48 } => string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:0.#} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:0.#} days"),
    };
}
