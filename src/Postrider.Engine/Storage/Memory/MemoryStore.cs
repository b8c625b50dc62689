using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Memory;

/// <summary>The queue in memory: each call is one transaction of the rules that the engines run, and is over when it returns. For
/// simulations; nothing survives the process. Thread-safe.</summary>
/// <remarks>Not sealed: tests give it faults and several nodes, and hold both engines to what it does.</remarks>
class MemoryStore(MemoryTables tables, TimeProvider clock) : IQueueStore
{
    readonly Lock _lock = new();

    public virtual Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        using var prepared = new PreparedAcceptance(acceptance);
        return Commit(session => Accepting.Run(session, prepared));
    }

    public Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct)
    {
        IReadOnlyList<Lease> leases;
        bool hasMore;
        do
        {
            (leases, hasMore) = Commit<(IReadOnlyList<Lease>, bool)>(session =>
            {
                GiveBackAstray(session);
                if (!tables.IsMember(owner))
                    return ([], false);
                var (taken, more) = Leasing.Take(session, key, permits, owner, now.Ms, alone);
                return ([.. taken.Select(Load)], more);
            }).Result;
        }
        while (leases.Count == 0 && hasMore);
        return Task.FromResult(leases);
    }

    Lease Load(Taken taken)
    {
        var message = tables.Messages[taken.Row.Message];
        return taken.ToLease(message.Row.Batch, ContentCodec.Read(message.Content), [.. message.Recipients.Values.Select(r =>
            new LeasedRecipient(r.N, r.Envelope, r.Kind, r.Address, r.Name, r.State))]);
    }

    public Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct) =>
        Commit(session =>
        {
            Leasing.Release(session, [.. leases.Select(Claimed.Of)], dueAt.Ms, reason);
            return true;
        });

    public Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        Commit(session => tables.IsMember(lease.Owner) && Leasing.PassCommitPoint(session, lease, transport, now.Ms));

    public virtual Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        using var prepared = PreparedRecord.Of(record);
        return Commit(session => Recording.Run(session, prepared));
    }

    public Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct) =>
        Commit(session =>
        {
            GiveBackAstray(session);
            return Sweeping.Sweep(session, owner, now.Ms, settleAt.Ms);
        });

    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        Commit(session => Sweeping.Settle(session, now.Ms, limit));

    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        Commit(session => Sweeping.Expire(session, now.Ms, limit));

    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) => Commit(session =>
    {
        var stretch = session.Queue.After(after, limit);
        var late = stretch.FindAll(row => row.State is RecipientState.Queued or RecipientState.Unknown && Latest(row) != row.Due);
        late.ForEach(row => row.Due = Latest(row));
        late.ForEach(session.Queue.Update);
        return new Hastened(late.Count, stretch.Count == limit ? stretch[^1].ToEnvelope().Id : null);

        long Latest(QueueRow row) => QueueTimes.DueOf(row.Wait, row.Due, now.Ms, latest.Ms);
    });

    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        Commit(session => session.Idempotency.Purge(now.Ms, limit));

    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct) =>
        Task.FromResult<IReadOnlyList<DueKey>>(Read(() => Begin().Queue.DueKeys()));

    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        Commit(session => Commanding.Cancel(session, tenant.Value, message.Value, now.Ms));

    public Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        Commit(session => Commanding.Retry(session, tenant.Value, message.Value, bounced, discarded, now.Ms, expiresAt.Ms));

    public Task<bool?> RescheduleAsync(
        TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct) =>
        Commit(session => Commanding.Reschedule(session, tenant.Value, message.Value, sendAt.Ms, expiresAt.Ms));

    public Task<bool> ExistsAsync(MessageId id) => Task.FromResult(Read(() => tables.Messages.ContainsKey(id.Value)));

    protected virtual MemorySession Begin() => new(tables, clock, new MemoryQueue(tables), new MemorySuppressions(tables));

    protected virtual T Read<T>(Func<T> read)
    {
        lock (_lock)
            return read();
    }

    protected virtual Task<T> Commit<T>(Func<MemorySession, T> work)
    {
        lock (_lock)
        {
            var session = Begin();
            var result = work(session);
            session.Commit();
            return Task.FromResult(result);
        }
    }

    /// <summary>Leases whose commit was not answered; none is on the way to memory.</summary>
    protected virtual void GiveBackAstray(MemorySession session) { }
}
