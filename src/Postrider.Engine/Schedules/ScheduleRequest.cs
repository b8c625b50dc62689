using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>A schedule as an entrance read it, or a change of one: what is null is not given.</summary>
public sealed record ScheduleRequest
{
    public string? Name { get; init; }
    public string? Cron { get; init; }

    /// <summary>Times as written: of the wall clock (<c>2026-12-24T09:00</c>) or with a zone (RFC 3339).</summary>
    public IReadOnlyList<string>? At { get; init; }
    public string? TimeZone { get; init; }
    public string? StartsAt { get; init; }
    public string? EndsAt { get; init; }
    public string? Missed { get; init; }
    public string? Overlap { get; init; }

    /// <summary>The mail as JSON.</summary>
    public string? Email { get; init; }

    /// <summary>Named in the call; null: a list, or not given.</summary>
    public IReadOnlyList<Destination>? Recipients { get; init; }

    /// <summary>A stored list by its id.</summary>
    public MessageId? List { get; init; }

    /// <summary>Anything about the times is given.</summary>
    public bool SaysWhen => Cron is not null || At is not null || TimeZone is not null || StartsAt is not null || EndsAt is not null;
}
