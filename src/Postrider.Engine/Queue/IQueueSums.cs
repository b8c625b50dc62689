using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>How much waits, over all tenants. Reads every row of the queue once: ask seldom.</summary>
public interface IQueueSums
{
    Task<QueueSums> ReadAsync(DateTimeOffset now, CancellationToken ct);
}

/// <summary>The queue and what came out of it otherwise than sent, at one moment.</summary>
/// <param name="DeadLetters">Recipients by state: failed, expired, held.</param>
/// <param name="Suppressions">Entries of all lists.</param>
public sealed record QueueSums(
    IReadOnlyList<QueueDepth> Depths, IReadOnlyDictionary<RecipientState, long> DeadLetters, long Suppressions, RunnerSums Runners);

/// <summary>How far behind those are who work beside the queue, over all tenants.</summary>
public sealed record RunnerSums
{
    /// <summary>The earliest time of a schedule that has come and is not dealt with; null: none. Schedules of archived tenants wait for
    /// their tenant.</summary>
    public DateTimeOffset? ScheduleDueAt { get; init; }

    /// <summary>Batches that are becoming messages; paused ones and those that begin later do not count.</summary>
    public long Expanding { get; init; }

    /// <summary>Their destinations that are not messages yet.</summary>
    public long DestinationsLeft { get; init; }

    /// <summary>Deliveries to webhooks that are switched on, not made yet.</summary>
    public long Deliveries { get; init; }

    /// <summary>When the event of the oldest of them happened; null: there are none.</summary>
    public DateTimeOffset? OldestDeliveryAt { get; init; }

    /// <summary>Since when the oldest of them could have been tried (again); null: none is due.</summary>
    public DateTimeOffset? DeliveryDueAt { get; init; }

    /// <summary>Since when a kind of what grows old could have been looked through; null: none is due, or none ever was.</summary>
    public DateTimeOffset? RetentionDueAt { get; init; }
}

/// <summary>What waits of one stream in one state.</summary>
/// <param name="OldestDueAt">Since when the oldest of it could have gone; null where nothing of it is due.</param>
public readonly record struct QueueDepth(MailStream Stream, RecipientState State, long Recipients, DateTimeOffset? OldestDueAt);

/// <summary>What waits of one tenant's mail, and for what. Reads every row of the queue once: ask seldom.</summary>
public interface IQueueGroups
{
    /// <summary>The most recipients first.</summary>
    Task<IReadOnlyList<QueueGroup>> ReadAsync(TenantId tenant, DateTimeOffset now, CancellationToken ct);
}

/// <summary>Mail of a tenant that waits alike.</summary>
/// <param name="Reason">As it was put there; what holds up all of its route now is not in the queue.</param>
/// <param name="IsDue">Its time has come.</param>
/// <param name="FirstDueAt">Of the first of it.</param>
public readonly record struct QueueGroup(
    MailStream Stream, string Route, RecipientState State, WaitReason Reason, bool IsDue, long Recipients, DateTimeOffset FirstDueAt);
