using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Submission;

/// <summary>A real store on the far side of a bad line: accepting can be cut before or after the commit, looking up can fail.</summary>
sealed class LossyStore(IQueueStore store, IMessageReader reader) : IQueueStore, IMessageReader
{
    /// <summary>Thrown instead of the call.</summary>
    public Exception? Before { get; set; }

    /// <summary>Thrown instead of the answer: the commit is done.</summary>
    public Exception? After { get; set; }

    /// <summary>Called when the commit is done, before anybody hears of it.</summary>
    public Action? AfterCommit { get; set; }

    /// <summary>Look-ups fail as often as this.</summary>
    public int BlindLooks { get; set; }

    public int Accepts;

    public async Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        Interlocked.Increment(ref Accepts);
        if (Before is { } before)
            throw before;
        var result = await store.AcceptAsync(acceptance, ct);
        AfterCommit?.Invoke();
        return After is { } after ? throw after : result;
    }

    public Task<bool> ExistsAsync(MessageId id, CancellationToken ct) =>
        BlindLooks-- > 0 ? throw new StoreUnavailableException("no line") : reader.ExistsAsync(id, ct);

    public Task<IReadOnlyList<Lease>> LeaseAsync(QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone,
        CancellationToken ct) =>
        store.LeaseAsync(key, permits, owner, now, alone, ct);
    public Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct) =>
        store.ReleaseAsync(leases, dueAt, reason, ct);
    public Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        store.CommitPointAsync(lease, transport, now, ct);
    public Task<RecordResult> RecordAsync(AttemptRecord record) => store.RecordAsync(record);
    public Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct) =>
        store.SweepAsync(owner, now, settleAt, ct);
    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) => store.SettleAsync(now, limit, ct);
    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) =>
        store.HastenAsync(now, latest, after, limit);
    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        store.PurgeIdempotencyAsync(now, limit, ct);
    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) => store.ExpireAsync(now, limit, ct);
    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct) => store.DueKeysAsync(ct);
    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        store.CancelAsync(tenant, message, now, ct);
    public Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        store.RetryAsync(tenant, message, bounced, discarded, now, expiresAt, ct);
    public Task<bool?> RescheduleAsync(TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        store.RescheduleAsync(tenant, message, sendAt, expiresAt, ct);

    public Task<MessageView?> GetAsync(TenantId tenant, MessageId id, CancellationToken ct) => reader.GetAsync(tenant, id, ct);
    public Task<MessageContent?> GetContentAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        reader.GetContentAsync(tenant, id, ct);
    public Task<MessagePage> ListAsync(TenantId tenant, MessageFilter filter, CancellationToken ct) => reader.ListAsync(tenant, filter, ct);
    public Task<BatchView?> GetBatchAsync(TenantId tenant, MessageId batch, CancellationToken ct) =>
        reader.GetBatchAsync(tenant, batch, ct);
    public Task<StateCounts> CountAsync(TenantId tenant, CancellationToken ct) => reader.CountAsync(tenant, ct);
    public Task<StoredBytes> StoredBytesAsync(TenantId tenant, CancellationToken ct) => reader.StoredBytesAsync(tenant, ct);
}
