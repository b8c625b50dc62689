using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Schedules;

namespace Postrider.Api;

// Shapes of the calls about schedules: promises, as those in Answers.cs.

/// <summary>Body of <c>POST /schedules</c>; of <c>PATCH /schedules/{id}</c> and of the preview any part of it.</summary>
sealed record ScheduleShape
{
    [Description("For people; 1 to 200 characters.")]
    public string? Name { get; init; }
    [Description("Five fields (minute, hour, day of the month, month, day of the week), or @hourly, @daily, @weekly, @monthly, @yearly.")]
    public string? Cron { get; init; }
    [Description("Instead of cron: one time or a list, by the clock of time_zone (2027-01-31T09:30) or with a zone (RFC 3339).")]
    public JsonElement? At { get; init; }
    [Description("Another name for at.")]
    public JsonElement? SendAt { get; init; }
    [Description("IANA name such as Europe/Berlin; a Windows name is translated. Default UTC.")]
    public string? TimeZone { get; init; }
    [Description("Not before this instant (RFC 3339).")]
    public DateTimeOffset? StartsAt { get; init; }
    [Description("Not after this instant; then it archives itself.")]
    public DateTimeOffset? EndsAt { get; init; }
    [Description("When no server was there in time: latest (once, up to 24 h late; the default), skip, or all (up to 100 runs late).")]
    public string? Missed { get; init; }
    [Description("When the run before is still being sent: allow (the default) or skip.")]
    public string? Overlap { get; init; }
    public ScheduledEmailShape? Email { get; init; }
    [Description("Each gets a message of its own; at most 10,000.")]
    public IReadOnlyList<DestinationShape>? Recipients { get; init; }
    [Description("Instead of recipients: the id of a stored list, with whom it has at each run.")]
    public string? List { get; init; }
}

/// <summary>As <c>POST /emails</c> takes it, but for cc, bcc and its time, which the schedule says. The template's newest version is taken
/// at each run unless one is named.</summary>
sealed record ScheduledEmailShape : MessageShape
{
    [Description("One address; for more, recipients of the schedule.")]
    public AddressShape? To { get; init; }
}

/// <summary>A schedule.</summary>
sealed record ScheduleAnswer
{
    public required string Id { get; init; }

    [JsonPropertyOrder(-1)]
    public string Object { get; } = "schedule";
    public required string Name { get; init; }

    /// <summary><c>active</c>, <c>paused</c> or <c>archived</c>.</summary>
    public required ScheduleState State { get; init; }

    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Cron { get; init; }

    /// <summary>By the clock of the zone; the second of two equal times with its offset.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? At { get; init; }
    public required string TimeZone { get; init; }
    public required DateTimeOffset? StartsAt { get; init; }
    public required DateTimeOffset? EndsAt { get; init; }
    public required string Missed { get; init; }
    public required string Overlap { get; init; }

    /// <summary>As it was written; left out in lists.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Email { get; init; }

    /// <summary>Its own, where there are up to 100; left out in lists.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ScheduleRecipientAnswer>? Recipients { get; init; }

    /// <summary>How many there are now; left out in lists.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RecipientCount { get; init; }

    /// <summary>The stored list; null: it names its recipients itself.</summary>
    public required string? List { get; init; }

    /// <summary>Raised by every edit of what comes or when.</summary>
    public required int Revision { get; init; }

    /// <summary>The next 10; the next one in lists.</summary>
    public required IReadOnlyList<OccurrenceAnswer> NextRuns { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>One of whom a schedule sends to.</summary>
sealed record ScheduleRecipientAnswer(
    string Email, string? Name,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] JsonElement? Data);

/// <summary>Answer to <c>GET /schedules</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record ScheduleListAnswer(IReadOnlyList<ScheduleAnswer> Data, bool HasMore, string? Next)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>A time at which a schedule comes.</summary>
/// <param name="At">The instant.</param>
/// <param name="Local">What the zone's clock shows then, with its offset.</param>
/// <param name="ScheduledFor">The time that is meant: another one where the clock was put forward over it.</param>
sealed record OccurrenceAnswer(DateTimeOffset At, string Local, string ScheduledFor);

/// <summary>When a schedule comes.</summary>
sealed record OccurrenceListAnswer(IReadOnlyList<OccurrenceAnswer> Data);

/// <summary>A run of a schedule.</summary>
sealed record ScheduleRunAnswer
{
    /// <summary>That of its batch, where there is one.</summary>
    public required string Id { get; init; }
    public required string ScheduleId { get; init; }

    /// <summary><c>enqueued</c>; or <c>skipped</c>, <c>missed</c> or <c>failed</c>, and then there is no mail.</summary>
    public required RunState State { get; init; }
    public required string? Reason { get; init; }

    /// <summary>The time that is meant, by the zone's clock; of several that were missed the first.</summary>
    public required string ScheduledFor { get; init; }

    /// <summary>When that was.</summary>
    public required DateTimeOffset DueAt { get; init; }
    public required DateTimeOffset RanAt { get; init; }

    /// <summary>Asked for, not by the calendar.</summary>
    public required bool ByHand { get; init; }

    /// <summary>Times that were missed together; 1 otherwise.</summary>
    public required int Count { get; init; }

    /// <summary>Raised by every edit.</summary>
    public required int Revision { get; init; }
    public required string? BatchId { get; init; }

    /// <summary>What became of its mail; left out in lists, and where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ScheduleCountsAnswer? Counts { get; init; }
}

/// <summary>Answer to <c>GET /schedules/{id}/runs</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record ScheduleRunListAnswer(IReadOnlyList<ScheduleRunAnswer> Data, bool HasMore, string? Next)
{
    [JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>Recipients by state.</summary>
/// <param name="Waiting">Their messages are not made yet.</param>
/// <param name="Opened">Messages that people opened, as far as anybody told; null: the runs that are counted have more than 100,000
/// recipients, so opens and clicks are not counted here. The events tell.</param>
/// <param name="Clicked">Messages in which people followed a link; null as before.</param>
/// <param name="Tracking">The same in full; null as before.</param>
sealed record ScheduleCountsAnswer(
    long Waiting, long Queued, long Leased, long Unknown, long Held, long Sent, long Delivered, long Bounced, long Failed, long Expired,
    long Suppressed, long Cancelled, long? Opened, long? Clicked, TrackingAnswer? Tracking);

/// <summary>Answer to <c>GET /schedules/{id}/report</c>.</summary>
/// <param name="CountedRuns">Runs whose mail is counted: the newest, at most 1,000.</param>
sealed record ScheduleReportAnswer(string ScheduleId, ScheduleRunCountsAnswer Runs, long CountedRuns, ScheduleCountsAnswer Counts);

/// <summary>Runs by what became of them; missed ones by how many times they stand for.</summary>
sealed record ScheduleRunCountsAnswer(long Enqueued, long Skipped, long Missed, long Failed);
