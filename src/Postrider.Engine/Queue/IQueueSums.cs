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
    IReadOnlyList<QueueDepth> Depths, IReadOnlyDictionary<RecipientState, long> DeadLetters, long Suppressions);

/// <summary>What waits of one stream in one state.</summary>
/// <param name="OldestDueAt">Since when the oldest of it could have gone; null where nothing of it is due.</param>
public readonly record struct QueueDepth(MailStream Stream, RecipientState State, long Recipients, DateTimeOffset? OldestDueAt);
