namespace Postrider.Retention;

/// <summary>What grows old. The numbers are stored.</summary>
public enum RetentionKind : byte
{
    Bodies = 1,
    Messages = 2,
    Events = 3,
    Audit = 4,
    Inbox = 5,
    /// <summary>What the messages of a batch share: it goes when none of them has a body any more.</summary>
    BatchBodies = 6,
    Batches = 7,
    Runs = 8,
    Quarantine = 9,
    /// <summary>Sums by hour become sums by day.</summary>
    Counts = 10,
    /// <summary>Parts of the search index of which no message is left.</summary>
    Search = 11,
    /// <summary>Jobs on dead letters that have ended.</summary>
    Jobs = 12,
    /// <summary>Orders to forget people that are done.</summary>
    Erasures = 13,
    /// <summary>Archived ones, with what is left of their runs.</summary>
    Schedules = 14,
    /// <summary>Recipients that were a schedule's own, when no schedule that may still come sends to them.</summary>
    OwnLists = 15,
    /// <summary>Those that are over.</summary>
    Suppressions = 16,
    /// <summary>Calls of the API that were refused.</summary>
    RefusedCalls = 17,
}

/// <summary>A kind in the hand of one node, until the turn ends or its time is up.</summary>
/// <param name="Cursor">How far the kind was looked through; 0: from the beginning.</param>
/// <param name="Revision">Whoever has an older one may not write.</param>
public readonly record struct RetentionTurn(RetentionKind Kind, long Cursor, long Revision);

/// <summary>What one look came to.</summary>
/// <param name="Cursor">Where to go on.</param>
/// <param name="Rows">How much went.</param>
/// <param name="Bytes">Of contents among it.</param>
/// <param name="HasMore">There may be more to do now.</param>
public readonly record struct RetentionPiece(long Cursor, long Rows, long Bytes, bool HasMore);

/// <summary>What has gone of a kind, and what would go now.</summary>
/// <param name="Removed">Since the beginning.</param>
/// <param name="LastAt">When something went last; null: nothing did.</param>
/// <param name="Due">Rows that are old enough; null: too many to be counted in the time that a look may take, or
/// never counted.</param>
public sealed record RetentionStatus(
    RetentionKind Kind, long Removed, long RemovedBytes, DateTimeOffset? LastAt, long? Due, long? DueBytes);

/// <summary>Deletes what is old, in pieces so small that nobody waits for them. What is open, or needed by what is open, is never
/// deleted: that is tested in the transaction that deletes.</summary>
public interface IRetentionStore
{
    /// <summary>Takes the kind that waited longest and that no node has in hand; null: there is none.</summary>
    Task<RetentionTurn?> TakeTurnAsync(DateTimeOffset now, DateTimeOffset until);

    /// <summary>Notes what was done, unless the turn was lost. <paramref name="next"/>: when any node may take the kind again.</summary>
    Task EndTurnAsync(RetentionTurn turn, RetentionPiece done, DateTimeOffset now, DateTimeOffset next);

    /// <summary>One piece of what is older than <paramref name="before"/>.</summary>
    Task<RetentionPiece> PurgeAsync(RetentionKind kind, long cursor, DateTimeOffset before, CancellationToken ct);

    /// <param name="before">From which instant on a kind is too young; null: it is kept for ever.</param>
    Task<RetentionStatus> LookAsync(RetentionKind kind, DateTimeOffset? before, CancellationToken ct);
}
