using System.Buffers;

namespace Postrider.Schedules;

/// <summary>A wall-clock time and which instants show it.</summary>
/// <param name="First">The only one, or the earlier of two. In a gap the first instant after it.</param>
/// <param name="Second">Where the clock was put back and shows the time again; null elsewhere.</param>
/// <param name="IsInGap">No clock shows the time: it was put forward over it.</param>
readonly record struct WallTime(DateTimeOffset First, DateTimeOffset? Second, bool IsInGap);

/// <summary>The instant at which a zone's clock is put back.</summary>
/// <param name="LocalBefore">What it would have shown then.</param>
/// <param name="LocalAfter">What it shows from then on.</param>
readonly record struct PutBack(DateTimeOffset At, DateTime LocalBefore, DateTime LocalAfter);

/// <summary>The clock of an IANA time zone. Asks the system for nothing but the offset at an instant; gaps and overlaps follow from
/// it.</summary>
/// <remarks>Rests on this: within 30 hours a clock is put forward or back at most once, by at most 24 hours (Samoa, 2011). No zone did
/// otherwise since 1970.</remarks>
public sealed class TimeZoneRules
{
    /// <summary>More than any zone is from UTC.</summary>
    static readonly TimeSpan Far = TimeSpan.FromHours(15);

    static readonly SearchValues<char> Letters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-");

    readonly TimeZoneInfo _zone;

    /// <summary>Which edition of the zones this machine has, such as <c>2025b</c>: where it is another than a schedule was reckoned with,
    /// its next occurrence is reckoned again.</summary>
    public static string Edition { get; } = ReadEdition();

    TimeZoneRules(string id, TimeZoneInfo zone)
    {
        Id = id;
        _zone = zone;
    }

    public static TimeZoneRules Utc { get; } = new("UTC", TimeZoneInfo.Utc);

    /// <summary>Its IANA name.</summary>
    public string Id { get; }

    /// <summary>By IANA name (<c>Europe/Berlin</c>, <c>EST5EDT</c>) or Windows name (<c>W. Europe Standard Time</c>), which is mapped.
    /// Null: there is no such zone.</summary>
    public static TimeZoneRules? Find(string name)
    {
        if (name is "UTC" or "Etc/UTC" or "Z")
            return Utc;
        if (name.Length is 0 or > 100)
            return null;
        if (TimeZoneInfo.TryConvertWindowsIdToIanaId(name, out var mapped))
            name = mapped;
        // What is no zone, or another on each machine, though the folder of zones has it.
        if (name.AsSpan().ContainsAnyExcept(Letters) || !char.IsAsciiLetterUpper(name[0]) || name == "Factory")
            return null;
        return TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone) && zone.HasIanaId ? new TimeZoneRules(name, zone) : null;
    }

    public TimeSpan OffsetAt(DateTimeOffset instant) => _zone.GetUtcOffset(instant.UtcDateTime);

    /// <summary>What its clock shows.</summary>
    public DateTime LocalAt(DateTimeOffset instant) =>
        DateTime.SpecifyKind(instant.UtcDateTime + OffsetAt(instant), DateTimeKind.Unspecified);

    internal WallTime Resolve(DateTime local)
    {
        var middle = new DateTimeOffset(local, TimeSpan.Zero);
        var (before, after) = (OffsetAt(middle - Far), OffsetAt(middle + Far));
        if (before == after)
            return new WallTime(middle - before, null, IsInGap: false);
        var (old, changed) = (middle - before, middle - after);
        var (byOld, byChanged) = (OffsetAt(old) == before, OffsetAt(changed) == after);
        if (byOld && byChanged)
            return new WallTime(old, changed, IsInGap: false);
        if (byOld || byChanged)
            return new WallTime(byOld ? old : changed, null, IsInGap: false);
        return new WallTime(Change(middle - Far, middle + Far), null, IsInGap: true);
    }

    /// <summary>Where the clock is put back after <paramref name="from"/> and not after <paramref name="until"/>; null when it is not.
    /// They are at most 30 hours apart.</summary>
    internal PutBack? FindPutBack(DateTimeOffset from, DateTimeOffset until)
    {
        var (before, after) = (OffsetAt(from), OffsetAt(until));
        if (after >= before)
            return null;
        var at = Change(from, until);
        return new PutBack(at, at.UtcDateTime + before, at.UtcDateTime + after);
    }

    static string ReadEdition()
    {
        const string Folder = "/usr/share/zoneinfo";
        const string Prefix = "# version ";
        foreach (var file in (string[])["tzdata.zi", "+VERSION"])
            try
            {
                var line = File.ReadLines(Path.Combine(Folder, file)).FirstOrDefault() ?? "";
                return line.StartsWith(Prefix, StringComparison.Ordinal) ? line[Prefix.Length..].Trim() : line.Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next one says it, or nobody does.
            }
        return "unknown";
    }

    /// <summary>The first instant of the new offset, given one on each side.</summary>
    DateTimeOffset Change(DateTimeOffset low, DateTimeOffset high)
    {
        var before = OffsetAt(low);
        var (from, until) = (low.ToUnixTimeSeconds(), high.ToUnixTimeSeconds());   // clocks are changed at whole seconds
        while (until - from > 1)
        {
            var middle = from + (until - from) / 2;
            if (OffsetAt(DateTimeOffset.FromUnixTimeSeconds(middle)) == before)
                from = middle;
            else
                until = middle;
        }
        return DateTimeOffset.FromUnixTimeSeconds(until);
    }
}
