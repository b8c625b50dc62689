using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>The model's queue: the statements of the engines, written as loops over all rows.</summary>
sealed class ModelQueue(ModelTables tables, Mutation mutation, AstrayLeases astray) : IQueueTable
{
    /// <summary>The lease that a record is believed to hold although it does not; null: as it is.</summary>
    public Lease? Pretended { get; set; }

    public void Insert(QueueRow row)
    {
        tables.Queue.Add((row.Message, row.N), ModelTables.Copy(row));
        tables.Changed.Add(row.Message);
    }

    public void Update(QueueRow row)
    {
        if (!tables.Queue.ContainsKey((row.Message, row.N)))
            return;
        tables.Queue[(row.Message, row.N)] = ModelTables.Copy(row);
        tables.Changed.Add(row.Message);
    }

    public void Delete(QueueRow row)
    {
        tables.Queue.Remove((row.Message, row.N));
        tables.Changed.Add(row.Message);
    }

    public QueueRow? Find(EnvelopeId id)
    {
        if (!tables.Queue.TryGetValue((id.Message.Value, id.N), out var row))
            return null;
        var copy = ModelTables.Copy(row);
        if (Pretended is { } lease && lease.Envelope.Id == id)
            (copy.State, copy.Claim, copy.Owner) = (RecipientState.Leased, lease.Envelope.Claim, lease.Owner);
        return copy;
    }

    public List<QueueRow> OfMessage(long message) => Copies(tables.OfMessage(message));

    public List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit)
    {
        var due = Copies(tables.Queue.Values
            .Where(r => r.State == RecipientState.Queued && IsOf(r, key) && Passes(r, gate) && r.Due <= now)
            .OrderBy(r => r.Due).ThenBy(r => r.Message).ThenBy(r => r.N).Take(limit));
        if (mutation == Mutation.LeaseExpired)
            due.ForEach(row => row.Expires += (long)TimeSpan.FromDays(30).TotalMilliseconds);
        return due;
    }

    public void Lease(QueueRow row, Incarnation owner)
    {
        (row.State, row.PastCommitPoint, row.Wait, row.Owner) = (RecipientState.Leased, false, WaitReason.None, owner);
        row.Claim++;
        row.Tries++;
        var kept = tables.Queue[(row.Message, row.N)];
        (kept.State, kept.PastCommitPoint, kept.Wait, kept.Owner) = (row.State, false, row.Wait, owner);
        (kept.Claim, kept.Tries) = (row.Claim, row.Tries);
        tables.Changed.Add(row.Message);
        astray.Took(row);
    }

    public bool DeleteClaimed(Lease lease)
    {
        var id = lease.Envelope.Id;
        if (!tables.Queue.TryGetValue((id.Message.Value, id.N), out var row)
            || (Pretended is null && !row.IsHeldBy(Claimed.Of(lease))))
            return false;
        Delete(row);
        return true;
    }

    public bool PassCommitPoint(Lease lease, byte[]? history, long now)
    {
        var id = lease.Envelope.Id;
        if (!tables.Queue.TryGetValue((id.Message.Value, id.N), out var row) || !row.IsHeldBy(Claimed.Of(lease))
            || row.PastCommitPoint || (row.Cancelled && mutation != Mutation.CommitCancelled) || row.Expires <= now)
            return false;
        (row.PastCommitPoint, row.History) = (true, history);
        tables.Changed.Add(row.Message);
        return true;
    }

    public List<QueueRow> Orphaned(Incarnation owner) => Copies(tables.Queue.Values
        .Where(r => r is { State: RecipientState.Leased, Owner: { } of } && (IsOrphan(of, owner) || mutation == Mutation.SweepLiving)));

    bool IsOrphan(Incarnation of, Incarnation owner) =>
        tables.IsShared ? !tables.IsMember(of) : of.Node == owner.Node && of.Number != owner.Number;

    public List<QueueRow> Settled(long now, int limit) => mutation == Mutation.ForgetSettle ? [] : Copies(tables.Queue.Values
        .Where(r => r.State == RecipientState.Unknown && r.Due <= now).OrderBy(r => r.Due).Take(limit));

    public List<QueueRow> Expired(long now, int limit) => Copies(tables.Queue.Values
        .Where(r => r.State == RecipientState.Queued && r.Expires <= now).OrderBy(r => r.Expires).Take(limit));

    /// <summary>All rows in the order of their key.</summary>
    public List<QueueRow> After(EnvelopeId? last, int limit) => Copies(tables.Queue
        .Where(r => last is not { } id || r.Key.CompareTo((id.Message.Value, id.N)) > 0).Select(r => r.Value).Take(limit));

    public (List<QueueRow> Rows, bool HasMore) OfBatch(long batch, long first, long last, bool waitsPaused, int limit)
    {
        var rows = Copies(tables.Queue.Values.Where(r => r.Message >= first && r.Message <= last
            && tables.Messages[r.Message].Row.Batch == batch && (waitsPaused
            ? r is { State: RecipientState.Queued, Wait: WaitReason.Paused } : !r.Cancelled)).Take(limit));
        return (rows, rows.Count == limit);
    }

    public OrderedRow? FirstOrdered(int tenant, string orderingKey, bool behind) => tables.Queue.Values
        .Where(r => r.Tenant == tenant && r.OrderingKey == orderingKey && (r.Gate == Gate.Ordering) == behind)
        .Select(r => (OrderedRow?)new OrderedRow(r.Message, r.N, r.State, r.Suspect)).FirstOrDefault();

    public void SetGate(OrderedRow row, Gate gate)
    {
        tables.Queue[(row.Message, row.N)].Gate = gate;
        tables.Changed.Add(row.Message);
    }

    public List<DueKey> DueKeys() =>
    [
        .. tables.Queue.Values.Where(r => r.State == RecipientState.Queued && Passes(r, r.Gate == Gate.Alone ? Gate.Alone : Gate.Open))
            .GroupBy(r => (r.Route, r.Stream, r.Tenant, r.Gate == Gate.Alone))
            .OrderBy(g => g.Key.Route, StringComparer.Ordinal).ThenBy(g => g.Key.Stream).ThenBy(g => g.Key.Tenant).ThenBy(g => g.Key.Item4)
            .Select(g => new DueKey(new QueueKey(g.Key.Route, g.Key.Stream, new TenantId(g.Key.Tenant)),
                Instant.From(g.Min(r => r.Due)), g.Key.Item4)),
    ];

    bool Passes(QueueRow row, Gate gate) =>
        row.Gate == gate || (mutation == Mutation.LeaseBehind && gate == Gate.Open && row.Gate == Gate.Ordering);

    static bool IsOf(QueueRow row, QueueKey key) =>
        row.Route == key.Route && row.Stream == key.Stream && row.Tenant == key.Tenant.Value;

    static List<QueueRow> Copies(IEnumerable<QueueRow> rows) => [.. rows.Select(ModelTables.Copy)];
}
