using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>The hot seam: a handful of domain operations. Each call is committed, on disk, when its task completes.</summary>
/// <remarks>
/// Callers call singly; the implementation commits what waits together (group commit: the running fsync is the batching window, no timer;
/// transactional first, at most 2 ms of bulk work per transaction). Storage that fails stops the store for good: every call then throws
/// <see cref="StoreUnavailableException"/>. Two engines implement it; the contract tests are <c>QueueStoreContract</c>.
/// </remarks>
public interface IQueueStore
{
    /// <summary>Message, recipients, queue row and idempotency row in one transaction. Throws <see cref="StorageLowException"/> when the
    /// disk is nearly full.</summary>
    Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct);

    /// <summary>Leases up to <paramref name="permits"/> envelopes of one key that are due, oldest due first: claim, try and owner are on
    /// disk before the network is touched.
    /// Rows with a past expiry, a cancellation or only suppressed recipients are not leased; those that ended are ended here.
    /// Suspects (3 crashes) are returned only when <paramref name="permits"/> is asked with <paramref name="alone"/>, and then exactly
    /// one.</summary>
    Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct);

    /// <summary>Returns leases that were not attempted: the try is refunded, the row waits until <paramref name="dueAt"/> for the reason
    /// given.</summary>
    Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct);

    /// <summary>The commit point of policy <c>hold</c>: true exactly when the row is still leased by this claim, not cancelled, not
    /// expired, no recipient suppressed. False: send nothing.</summary>
    Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct);

    /// <summary>Applies an attempt's consequences if the claim still stands. Never cancelled by the caller: an outcome that is lost is a
    /// duplicate.</summary>
    Task<RecordResult> RecordAsync(AttemptRecord record);

    /// <summary>Returns the leases of other incarnations of <paramref name="owner"/>'s node: queued at once; <c>hold</c> past its commit
    /// point becomes unknown, due at <paramref name="settleAt"/>. Counts a crash on each row.</summary>
    Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct);

    /// <summary>Ends the waiting of <see cref="RecipientState.Unknown"/> rows that are due: <c>retry</c> queues them again with "possible
    /// duplicate", <c>hold</c> holds them. Returns how many.</summary>
    Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>Forgets idempotency keys whose time is up, at most <paramref name="limit"/> of them. Returns how many: call again while it
    /// is the limit.</summary>
    Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>Ends queued rows whose time is up. Returns how many.</summary>
    Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>After the wall clock was set back: what waits for its turn alone is due now, what waits for another try or for evidence by
    /// <paramref name="latest"/>; mail for a time of its own keeps it. Looks at the next <paramref name="limit"/> rows, a short
    /// transaction: call again until there is no next. Rows that are in others' hands are passed over.</summary>
    /// <param name="after">Where the last call ended; null: from the first.</param>
    Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit);

    /// <summary>For each key with queued rows: how soon the earliest is due; suspects apart. A loose index scan, independent of how many
    /// rows wait.
    /// Rows that wait behind their ordering key do not count: they are due when the one in front has ended.</summary>
    Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct);

    /// <summary>Cancels the open recipients of messages of one tenant; those under way end with their attempt. Returns how many recipients
    /// were cancelled at once, or null where the message is not the tenant's.</summary>
    Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct);

    /// <summary>Sends dead letters (failed, expired, held) of a message again, due now: same recipient ids, next
    /// generation, history cleared. Returns how many recipients, or null where the message is not the tenant's.</summary>
    /// <param name="bounced">What bounced, too.</param>
    /// <param name="discarded">What was discarded, too.</param>
    Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct);

    /// <summary>Moves a message that is still scheduled or queued and was never attempted to another time. False: too late; null: not the
    /// tenant's.</summary>
    Task<bool?> RescheduleAsync(TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct);
}

/// <summary>A stretch of the queue after the wall clock was set back.</summary>
/// <param name="Count">Rows that are due earlier now.</param>
/// <param name="Next">What the next stretch comes after; null: that was the last.</param>
public readonly record struct Hastened(int Count, EnvelopeId? Next);

/// <summary>A key with work, and when the first of it is due.</summary>
/// <param name="Alone">The work is suspects: it is leased with <c>alone</c>, while nothing else is under way on this node.</param>
public readonly record struct DueKey(QueueKey Key, DateTimeOffset DueAt, bool Alone = false);
