using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>Whether a schedule comes. Stored by number.</summary>
public enum ScheduleState : byte
{
    Active = 0,
    /// <summary>Nothing comes until it is resumed, and what would have come meanwhile does not come later.</summary>
    Paused = 1,
    /// <summary>It has ended, or was put away: it stays readable and never comes again.</summary>
    Archived = 2,
}

/// <summary>What becomes of times at which nobody was there to send.</summary>
public enum MissedPolicy : byte
{
    /// <summary>The latest of them comes late, when it is not older than <see cref="ScheduleOptions.LatestWithin"/>.</summary>
    Latest,
    /// <summary>None comes later than <see cref="ScheduleOptions.OnTimeWithin"/>.</summary>
    Skip,
    /// <summary>All come late, at most the newest <see cref="ScheduleOptions.MaxCatchUp"/>.</summary>
    All,
}

/// <summary>What becomes of a time that comes while the run before is still being sent.</summary>
public enum OverlapPolicy : byte
{
    Allow,
    Skip,
}

/// <summary>When a schedule comes, as it is kept.</summary>
public sealed record ScheduleTimes
{
    /// <summary>A crontab line; null where <see cref="At"/> says it.</summary>
    public string? Cron { get; init; }

    /// <summary>Times of the wall clock; empty where <see cref="Cron"/> says it.</summary>
    public IReadOnlyList<WallClock> At { get; init; } = [];

    /// <summary>IANA name.</summary>
    public required string TimeZone { get; init; }
    public DateTimeOffset? StartsAt { get; init; }
    public DateTimeOffset? EndsAt { get; init; }
    public MissedPolicy Missed { get; init; }
    public OverlapPolicy Overlap { get; init; }

    /// <summary>As callers write it.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string MissedWord => ScheduleCheck.Word(Missed);

    /// <summary>As callers write it.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string OverlapWord => ScheduleCheck.Word(Overlap);

    /// <exception cref="InvalidOperationException">What was stored cannot be read on this machine: its zones lack one.</exception>
    public ScheduleCalendar ToCalendar()
    {
        var zone = TimeZoneRules.Find(TimeZone)
            ?? throw new InvalidOperationException($"This machine knows no time zone '{TimeZone}': install its zones (package tzdata).");
        if (Cron is null)
            return ScheduleCalendar.Of(At, zone, StartsAt, EndsAt);
        var cron = CronExpression.Parse(Cron, out var fault) ?? throw new InvalidOperationException(fault);
        return ScheduleCalendar.Of(cron, zone, StartsAt, EndsAt);
    }
}

/// <summary>Whom a schedule sends to.</summary>
/// <param name="Source">Whose destinations each run has, as they are then: the schedule's own, or a list's.</param>
/// <param name="IsList">The tenant's list of that id, which may change; else the schedule's own.</param>
public readonly record struct ScheduleRecipients(MessageId Source, bool IsList);

/// <summary>A schedule's mail as it is stored: years may pass until a program reads it.</summary>
/// <param name="Format">What <paramref name="Json"/> is; old numbers stay readable for ever. 1: what <c>POST /emails/send</c> takes,
/// without recipients, as the caller wrote it.</param>
public readonly record struct ScheduledMail(int Format, string Json)
{
    /// <summary>The newest that this program knows, in which it writes.</summary>
    public const int Newest = 1;

    public bool IsNewer => Format > Newest;

    public static ScheduledMail Of(string json) => new(Newest, json);
}

/// <summary>A schedule as it is stored.</summary>
public sealed record Schedule
{
    public required MessageId Id { get; init; }
    public required TenantId Tenant { get; init; }
    public required string Name { get; init; }
    public required ScheduleState State { get; init; }

    /// <summary>Raised by every edit of what comes or when; part of what a run is known by.</summary>
    public required int Revision { get; init; }

    /// <summary>Raised by every write: who writes tests it.</summary>
    public required long Change { get; init; }
    public required ScheduleTimes Times { get; init; }

    public required ScheduledMail Email { get; init; }
    public required ScheduleRecipients Recipients { get; init; }

    /// <summary>When it comes next; null where it does not.</summary>
    public required Occurrence? Next { get; init; }

    /// <summary>The last time that was dealt with; null before the first.</summary>
    public WallClock? Last { get; init; }

    /// <summary>The edition of the zones that <see cref="Next"/> was reckoned with.</summary>
    public required string Edition { get; init; }

    /// <summary>Not looked at before: what failed is tried again then. Null: no reason to wait.</summary>
    public DateTimeOffset? RetryAt { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>What became of a time. Stored by number.</summary>
public enum RunState : byte
{
    /// <summary>Its batch was made, in the same transaction.</summary>
    Enqueued = 0,
    /// <summary>The run before was still being sent.</summary>
    Skipped = 1,
    /// <summary>Nobody was there in time; stands for all that were missed together.</summary>
    Missed = 2,
    /// <summary>Its mail could not be made; nothing was sent.</summary>
    Failed = 3,
}

/// <summary>A run of a schedule: one for each time, whatever became of it.</summary>
public sealed record ScheduleRun
{
    /// <summary>That of its batch where there is one.</summary>
    public required MessageId Id { get; init; }
    public required MessageId Schedule { get; init; }
    public required int Revision { get; init; }

    /// <summary>The time it stands for. One that was asked for by hand has <see cref="ByHand"/> as its fold.</summary>
    public required WallClock Time { get; init; }

    /// <summary>When that was.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>When it was dealt with.</summary>
    public required DateTimeOffset RanAt { get; init; }
    public required RunState State { get; init; }

    /// <summary>Times that were missed together; 1 for any other run.</summary>
    public int Count { get; init; } = 1;
    public string? Reason { get; init; }

    /// <summary>The caller's, of the call that asked for it by hand: the same key again asks for the same run.</summary>
    public string? Key { get; init; }

    /// <summary>In place of <see cref="WallClock.Fold"/>.</summary>
    public const int ByHand = 2;
    public bool IsByHand => Time.Fold == ByHand;
}
