using Postrider.Messages;

namespace Postrider.Events;

/// <summary>The log of events as it is told to others: in the order of commits, none left out, none before what it was committed
/// with.</summary>
public interface IEventFeed
{
    /// <summary>A tenant's events after a place. Fewer than <paramref name="limit"/> do not mean the end:
    /// <see cref="EventPage.HasMore"/> does.</summary>
    Task<EventPage> ReadEventsAsync(TenantId tenant, EventCursor after, EventFilter filter, int limit, CancellationToken ct);

    /// <summary>The place after all that has happened.</summary>
    Task<EventCursor> LatestAsync(CancellationToken ct);

    /// <summary>Adds an event that belongs to a tenant and to no message.</summary>
    /// <param name="data">What it tells: a JSON object.</param>
    Task AppendAsync(TenantId tenant, MailEventType type, string data, CancellationToken ct);
}

/// <summary>Which events are asked for; what is null asks for all.</summary>
public sealed record EventFilter
{
    public static readonly EventFilter All = new();

    /// <summary>Public names, or the first part of them with <c>.*</c>.</summary>
    public IReadOnlyList<string>? Types { get; init; }
    public MessageId? Message { get; init; }
    public MessageId? Batch { get; init; }
    public string? Tag { get; init; }

    /// <summary>Events of no message have neither a batch nor a tag.</summary>
    public bool OnlyOfMessages => Message is not null || Batch is not null || Tag is not null;

    public bool HasType(string type)
    {
        if (Types is null)
            return true;
        foreach (var wanted in Types)
        {
            if (wanted == type
                || (wanted.EndsWith(".*", StringComparison.Ordinal) && type.StartsWith(wanted[..^1], StringComparison.Ordinal)))
                return true;
        }
        return false;
    }
}

/// <param name="Next">Where to go on, whether or not anything was found.</param>
public sealed record EventPage(IReadOnlyList<PublicEvent> Events, EventCursor Next, bool HasMore)
{
    /// <summary>When the last that was looked at happened; null: nothing was.</summary>
    public DateTimeOffset? LookedUntil { get; init; }
}
