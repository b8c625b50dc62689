using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Postgres;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>One node's way to the model's tables, with its own clock and its own luck: each call is one transaction of the real
/// rules.</summary>
sealed class ModelStore(ModelTables tables, TimeProvider clock, Mutation mutation) : ISimulatedStore
{
    readonly AstrayLeases _astray = new();
    bool _isLastInDoubt;

    public bool IsAway { get; set; }
    public int RepliesToLose { get; set; }

    public ModelTables Tables => tables;

    public Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        using var prepared = new PreparedAcceptance(acceptance);
        return Commit(session => acceptance.Messages.Any(m => m.BornLeasedBy is { } owner && !IsMember(owner))
            ? throw new StoreUnavailableException("This node was declared dead.")
            : Accepting.Run(session, prepared));
    }

    public Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct)
    {
        IReadOnlyList<Taken> taken;
        bool hasMore;
        do
        {
            (taken, hasMore) = Commit<(IReadOnlyList<Taken>, bool)>(session =>
            {
                GiveBackAstray(session);
                return IsMember(owner) ? Leasing.Take(session, key, permits, owner, now.Ms, alone) : ([], false);
            }).Result;
        }
        while (taken.Count == 0 && hasMore);
        return Task.FromResult<IReadOnlyList<Lease>>([.. taken.Select(Load)]);
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
        Commit(session => IsMember(lease.Owner) && Leasing.PassCommitPoint(session, lease, transport, now.Ms));

    public Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        using var prepared = PreparedRecord.Of(record);
        return Commit(session =>
        {
            if (mutation == Mutation.UnguardedRecord)
                session.Queue.Pretended = record.Lease;
            return Recording.Run(session, prepared);
        });
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
        Task.FromResult<IReadOnlyList<DueKey>>(Read(() => new ModelQueue(tables, mutation, _astray).DueKeys()));

    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        Commit(session => Commanding.Cancel(session, tenant.Value, message.Value, now.Ms));

    public Task<int?> RetryAsync(TenantId tenant, MessageId message, DateTimeOffset now, DateTimeOffset expiresAt, CancellationToken ct) =>
        Commit(session => Commanding.Retry(session, tenant.Value, message.Value, now.Ms, expiresAt.Ms));

    public Task<bool?> RescheduleAsync(
        TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct) =>
        Commit(session => Commanding.Reschedule(session, tenant.Value, message.Value, sendAt.Ms, expiresAt.Ms));

    public Task<FeedbackResult> ReportAsync(FeedbackReport report, DateTimeOffset now) =>
        Commit(session => Reporting.Apply(session, report, now.Ms));

    public async Task LookAtWaitingReportsAsync(DateTimeOffset now)
    {
        foreach (var waiting in tables.Waiting.Where(w => w.RetryAt <= now.Ms).ToList())
            await ReportAsync(waiting.Report with { WaitingId = waiting.Id }, now);
    }

    public Task<bool> ExistsAsync(MessageId id) => Task.FromResult(Read(() => tables.Messages.ContainsKey(id.Value)));

    // From here on: what PostgresMember and Membership do in SQL.

    public Incarnation Join(int node) => Read(() =>
    {
        var number = tables.Members.TryGetValue(node, out var earlier) ? earlier.Incarnation + 1 : 1;
        tables.Members[node] = new ModelMember(number, 0, Alive: true);
        return new Incarnation(node, number);
    });

    public bool Beat(Incarnation node) => Read(() =>
    {
        if (!tables.IsMember(node))
            return false;
        tables.Members[node.Node] = tables.Members[node.Node] with { Beat = tables.Members[node.Node].Beat + 1 };
        return true;
    });

    public IReadOnlyList<SeenNode> Others(Incarnation than) => Read(() => tables.Members
        .Where(m => m.Value.Alive && m.Key != than.Node).Select(m => new SeenNode(m.Key, m.Value.Incarnation, m.Value.Beat)).ToList());

    public void DeclareDead(SeenNode node) => Read(() =>
    {
        if (tables.Members.TryGetValue(node.Id, out var member) && member == new ModelMember(node.Incarnation, node.Beat, Alive: true))
            tables.Members[node.Id] = new ModelMember(node.Incarnation + 1, node.Beat, Alive: false);
        return true;
    });

    bool IsMember(Incarnation node) => !tables.IsShared || tables.IsMember(node);

    T Read<T>(Func<T> read) => IsAway ? throw new StoreUnavailableException("The database is away.") : read();

    Task<T> Commit<T>(Func<ModelSession, T> work)
    {
        if (IsAway)
            throw new StoreUnavailableException("The database is away.");
        var session = new ModelSession(tables, clock, mutation, _astray);
        _astray.Begin(_isLastInDoubt);
        var result = work(session);
        session.Commit();
        _isLastInDoubt = RepliesToLose > 0;
        if (_isLastInDoubt)
        {
            RepliesToLose--;
            throw new StoreUnavailableException("The reply to a commit was lost.", mayHaveCommitted: true);
        }
        _astray.Committed();
        return Task.FromResult(result);
    }

    void GiveBackAstray(ModelSession session)
    {
        if (mutation != Mutation.ForgetLostLease)
            _astray.GiveBack(session);
    }
}
