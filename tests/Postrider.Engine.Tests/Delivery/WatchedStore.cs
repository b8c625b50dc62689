using System.Collections.Concurrent;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>The real store, with a book of what it was asked, and a switch that makes it unreachable.</summary>
sealed class WatchedStore(IQueueStore store) : IQueueStore
{
    volatile bool _away;

    /// <summary>Every lease statement: its key, permits and what came back.</summary>
    public ConcurrentQueue<(QueueKey Key, int Permits, int Leased, bool Alone)> Leases { get; } = new();
    public ConcurrentQueue<(int Count, DateTimeOffset DueAt, WaitReason Reason)> Releases { get; } = new();
    public ConcurrentQueue<AttemptRecord> Records { get; } = new();

    /// <summary>Recordings that were turned away.</summary>
    public int TurnedAway;

    public bool IsAway { get => _away; set => _away = value; }

    /// <summary>It has failed and does not come back.</summary>
    public bool IsGone { get; set; }

    /// <summary>What <see cref="SettleAsync"/> throws.</summary>
    public Exception? SettlingFault { get; set; }

    T Here<T>(T task) => IsGone ? throw new StoreUnavailableException("the store has failed") { IsForGood = true }
        : _away ? throw new StoreUnavailableException("the store is away")
        : task;

    public Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct) => Here(store).AcceptAsync(acceptance, ct);

    public async Task<IReadOnlyList<Lease>> LeaseAsync(QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone,
        CancellationToken ct)
    {
        var leases = await Here(store).LeaseAsync(key, permits, owner, now, alone, ct);
        Leases.Enqueue((key, permits, leases.Count, alone));
        return leases;
    }

    public async Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct)
    {
        await Here(store).ReleaseAsync(leases, dueAt, reason, ct);
        Releases.Enqueue((leases.Count, dueAt, reason));
    }

    public Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        Here(store).CommitPointAsync(lease, transport, now, ct);

    public async Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        if (_away)
            Interlocked.Increment(ref TurnedAway);
        var result = await Here(store).RecordAsync(record);
        Records.Enqueue(record);
        return result;
    }

    public Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct) =>
        Here(store).SweepAsync(owner, now, settleAt, ct);
    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        SettlingFault is { } fault ? Task.FromException<int>(fault) : Here(store).SettleAsync(now, limit, ct);
    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) =>
        Here(store).HastenAsync(now, latest, after, limit);
    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        Here(store).PurgeIdempotencyAsync(now, limit, ct);
    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) => Here(store).ExpireAsync(now, limit, ct);
    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct) => Here(store).DueKeysAsync(ct);
    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        Here(store).CancelAsync(tenant, message, now, ct);

    public Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        Here(store).RetryAsync(tenant, message, bounced, discarded, now, expiresAt, ct);

    public Task<bool?> RescheduleAsync(TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        Here(store).RescheduleAsync(tenant, message, sendAt, expiresAt, ct);
}
