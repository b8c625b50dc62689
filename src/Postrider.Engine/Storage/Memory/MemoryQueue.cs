using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Memory;

/// <summary>The queue in memory: the statements of the engines, written plainly.</summary>
/// <remarks>Not sealed: tests take guarantees away, one at a time, to see that they are missed.</remarks>
class MemoryQueue(MemoryTables tables) : IQueueTable
{
    protected MemoryTables Tables => tables;

    public void Insert(QueueRow row)
    {
        if (tables.Queue.ContainsKey((row.Message, row.N)))
            throw new InvalidOperationException($"The queue has a row {row.Message}-{row.N}.");
        tables.Put(row);
    }

    public void Update(QueueRow row)
    {
        if (tables.Queue.ContainsKey((row.Message, row.N)))
            tables.Put(row);
    }

    public void Delete(QueueRow row) => tables.Remove((row.Message, row.N));

    public virtual QueueRow? Find(EnvelopeId id) =>
        tables.Queue.TryGetValue((id.Message.Value, id.N), out var row) ? MemoryTables.Copy(row) : null;

    public List<QueueRow> OfMessage(long message) => Copies(tables.OfMessage(message));

    public virtual List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit) =>
        Copies(tables.Due(key, gate).TakeWhile(r => r.Due <= now).Take(limit));

    public virtual void Lease(QueueRow row, Incarnation owner)
    {
        (row.State, row.PastCommitPoint, row.Wait, row.Owner) = (RecipientState.Leased, false, WaitReason.None, owner);
        row.Claim++;
        row.Tries++;
        var kept = MemoryTables.Copy(tables.Queue[(row.Message, row.N)]);
        (kept.State, kept.PastCommitPoint, kept.Wait, kept.Owner) = (row.State, false, row.Wait, owner);
        (kept.Claim, kept.Tries) = (row.Claim, row.Tries);
        tables.Put(kept);
    }

    public bool DeleteClaimed(Lease lease)
    {
        var id = lease.Envelope.Id;
        if (!tables.Queue.TryGetValue((id.Message.Value, id.N), out var row) || !IsHeld(row, lease))
            return false;
        Delete(row);
        return true;
    }

    protected virtual bool IsHeld(QueueRow row, Lease lease) => row.IsHeldBy(Claimed.Of(lease));

    public virtual bool PassCommitPoint(Lease lease, byte[]? history, long now)
    {
        var id = lease.Envelope.Id;
        if (!tables.Queue.TryGetValue((id.Message.Value, id.N), out var row) || !row.IsHeldBy(Claimed.Of(lease))
            || row.PastCommitPoint || IsCancelled(row) || row.Expires <= now)
            return false;
        var passed = MemoryTables.Copy(row);
        (passed.PastCommitPoint, passed.History) = (true, history);
        tables.Put(passed);
        return true;
    }

    protected virtual bool IsCancelled(QueueRow row) => row.Cancelled;

    public virtual List<QueueRow> Orphaned(Incarnation owner) => Copies(tables.Queue.Values
        .Where(r => r is { State: RecipientState.Leased, Owner: { } of } && tables.IsOrphan(of, owner)));

    public virtual List<QueueRow> Settled(long now, int limit) =>
        Copies(tables.Doubtful().TakeWhile(r => r.Due <= now).Take(limit));

    public List<QueueRow> Expired(long now, int limit) => Copies(tables.ByExpiry().TakeWhile(r => r.Expires <= now).Take(limit));

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
        var changed = MemoryTables.Copy(tables.Queue[(row.Message, row.N)]);
        changed.Gate = gate;
        tables.Put(changed);
    }

    /// <summary>What waits behind its ordering key does not count.</summary>
    public List<DueKey> DueKeys() =>
    [
        .. tables.EarliestDue().Where(r => IsInFront(r.Gate))
            .OrderBy(r => r.Route, StringComparer.Ordinal).ThenBy(r => r.Stream).ThenBy(r => r.Tenant).ThenBy(r => r.Gate == Gate.Alone)
            .Select(r => new DueKey(new QueueKey(r.Route, r.Stream, new TenantId(r.Tenant)), Instant.From(r.Due), r.Gate == Gate.Alone)),
    ];

    protected virtual bool IsInFront(Gate gate) => gate is Gate.Open or Gate.Alone;

    static List<QueueRow> Copies(IEnumerable<QueueRow> rows) => [.. rows.Select(MemoryTables.Copy)];
}
