using System.Globalization;
using Postrider.Submission;

namespace Postrider.Schedules;

/// <summary>Checks when a schedule is to come, and says of everything that is wrong what to write instead.</summary>
static class ScheduleCheck
{
    public const string Slug = "invalid-schedule";

    const int MaxNameLength = 200;

    /// <summary>Calendars of this span can be reckoned with, whatever is added to them.</summary>
    const int FirstYear = 1970, LastYear = 9000;
    const string Never = "never";

    /// <summary>Words as callers write them.</summary>
    static readonly string[] MissedWords = ["latest", "skip", "all"], OverlapWords = ["allow", "skip"];

    static readonly string[] LocalForms = ["yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd HH:mm", "yyyy-MM-dd HH:mm:ss"];

    public static string Word(MissedPolicy policy) => MissedWords[(int)policy];

    public static string Word(OverlapPolicy policy) => OverlapWords[(int)policy];

    /// <summary>Null with the fault.</summary>
    public static string? Name(string? name, Faults faults)
    {
        if (name is { Length: > 0 and <= MaxNameLength } && Mail.Mime.HeaderText.IsSafe(name, out _))
            return name;
        faults.Add("/name", "invalid-field", $"A schedule needs a name of 1 to {MaxNameLength} characters, without control characters.");
        return null;
    }

    /// <summary>What is not given is as <paramref name="before"/> has it. Null: there are faults.</summary>
    /// <param name="before">Null for a new schedule.</param>
    public static ScheduleTimes? Times(
        ScheduleRequest request, ScheduleTimes? before, DateTimeOffset now, ScheduleOptions options, Faults faults)
    {
        var zone = Zone(request.TimeZone ?? before?.TimeZone, faults);
        var times = new ScheduleTimes
        {
            TimeZone = zone?.Id ?? "",
            Missed = (MissedPolicy)Choice(request.Missed, (int)(before?.Missed ?? MissedPolicy.Latest), MissedWords, "/missed", faults),
            Overlap = (OverlapPolicy)Choice(request.Overlap, (int)(before?.Overlap ?? OverlapPolicy.Allow), OverlapWords, "/overlap", faults),
            StartsAt = Instant(request.StartsAt, before?.StartsAt, "/starts_at", faults),
            EndsAt = Instant(request.EndsAt, before?.EndsAt, "/ends_at", faults),
        };
        times = Calendar(request, before, times, zone, options, faults);
        if (faults.Any)
            return null;
        if (times.StartsAt > times.EndsAt)
            faults.Add("/ends_at", Slug, "It ends before it starts: give an ends_at after starts_at, or \"never\".");
        else if (times.ToCalendar().After(now) is null)
            faults.Add(times.Cron is null ? "/at" : "/cron", Slug, times.Cron is null
                ? "All times are past. Give one that is to come, such as 2027-01-31T09:30."
                : "It never comes between starts_at (or now) and ends_at. Widen the span, or change the crontab line.");
        return faults.Any ? null : times;
    }

    static ScheduleTimes Calendar(
        ScheduleRequest request, ScheduleTimes? before, ScheduleTimes times, TimeZoneRules? zone, ScheduleOptions options, Faults faults)
    {
        if (request.Cron is not null && request.At is not null)
            faults.Add("/at", Slug, "Give cron, for times that come again and again, or at, for times one by one; not both.");
        else if (request.Cron is { } text)
        {
            if (CronExpression.Parse(text, out var fault) is null)
                faults.Add("/cron", Slug, fault);
            return times with { Cron = text };
        }
        else if (request.At is { } at)
            return times with { At = zone is null ? [] : List(at, zone, options, faults) };
        else if (before is null)
            faults.Add("/cron", Slug, "When is it to come? Give cron, such as \"0 9 * * 1-5\" (at 9 on weekdays), or at, such as \"2027-01-31T09:30\".");
        return times with { Cron = before?.Cron, At = before?.At ?? [] };
    }

    static List<WallClock> List(IReadOnlyList<string> at, TimeZoneRules zone, ScheduleOptions options, Faults faults)
    {
        if (at.Count == 0 || at.Count > options.MaxTimes)
            faults.Add("/at", Slug, $"Give 1 to {options.MaxTimes:N0} times; for more, give cron.");
        var times = new List<WallClock>(at.Count);
        foreach (var (index, text) in at.Take(options.MaxTimes).Index())
            if (TryTime(text, zone, out var time))
                times.Add(time);
            else
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"/at/{index}"), Slug,
                    $"'{Cut(text)}' is no time. Write 2027-01-31T09:30, by the clock of time_zone, or 2027-01-31T09:30:00Z.");
        return [.. times.Distinct()];
    }

    static bool TryTime(string text, TimeZoneRules zone, out WallClock time)
    {
        if (DateTime.TryParseExact(text, LocalForms, CultureInfo.InvariantCulture, DateTimeStyles.None, out var local))
        {
            time = new WallClock(local, 0);
            return local.Year is >= FirstYear and <= LastYear;
        }
        time = default;
        if (!TimeText.TryParseInstant(text, out var instant) || instant.Year is < FirstYear or > LastYear)
            return false;
        local = zone.LocalAt(instant);
        local = local.AddTicks(-(local.Ticks % TimeSpan.TicksPerSecond));
        time = new WallClock(local, zone.Resolve(local).Second is { } second && instant >= second ? 1 : 0);
        return true;
    }

    static TimeZoneRules? Zone(string? name, Faults faults)
    {
        var zone = TimeZoneRules.Find(name ?? "UTC");
        if (zone is null)
            faults.Add("/time_zone", Slug, $"There is no time zone '{Cut(name!)}'. Write an IANA name, such as Europe/Berlin, "
                + "America/New_York or UTC; offsets such as UTC+2 are none, they do not know daylight saving.");
        return zone;
    }

    static DateTimeOffset? Instant(string? text, DateTimeOffset? before, string pointer, Faults faults)
    {
        if (text is null)
            return before;
        if (text == Never)
            return null;
        if (TimeText.TryParseInstant(text, out var instant) && instant.Year is >= FirstYear and <= LastYear)
            return instant;
        faults.Add(pointer, Slug,
            $"'{Cut(text)}' is no instant. Write it with a zone, such as 2027-01-31T09:30:00+01:00, from {FirstYear} to "
            + $"{LastYear}, or \"{Never}\" for none.");
        return null;
    }

    static int Choice(string? text, int otherwise, string[] words, string pointer, Faults faults)
    {
        if (text is null)
            return otherwise;
        var choice = Array.IndexOf(words, text);
        if (choice < 0)
            faults.Add(pointer, Slug, $"'{Cut(text)}' is none of {string.Join(", ", words)}.");
        return Math.Max(choice, 0);
    }

    static string Cut(string text) => text.Length <= 60 ? text : $"{text[..60]}…";
}
