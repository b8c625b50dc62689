using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Memory;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>The queue in memory, from which a guarantee may be taken away.</summary>
sealed class ModelQueue(ModelTables tables, Mutation mutation, AstrayLeases astray) : MemoryQueue(tables)
{
    /// <summary>The lease that a record is believed to hold although it does not; null: as it is.</summary>
    public Lease? Pretended { get; set; }

    public override QueueRow? Find(EnvelopeId id)
    {
        var row = base.Find(id);
        if (row is not null && Pretended is { } lease && lease.Envelope.Id == id)
            (row.State, row.Claim, row.Owner) = (RecipientState.Leased, lease.Envelope.Claim, lease.Owner);
        return row;
    }

    public override List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit)
    {
        var due = base.Due(key, gate, now, limit);
        if (mutation == Mutation.LeaseBehind && gate == Gate.Open)
            due = [.. due.Concat(base.Due(key, Gate.Ordering, now, limit)).OrderBy(r => r.Due).ThenBy(r => r.Message).ThenBy(r => r.N)
                .Take(limit)];
        if (mutation == Mutation.LeaseExpired)
            due.ForEach(row => row.Expires += (long)TimeSpan.FromDays(30).TotalMilliseconds);
        return due;
    }

    public override void Lease(QueueRow row, Incarnation owner)
    {
        base.Lease(row, owner);
        astray.Took(row);
    }

    public override bool PassCommitPoint(Lease lease, byte[]? history, long now)
    {
        var passed = base.PassCommitPoint(lease, history, now);
        if (passed && mutation == Mutation.NoteCommitPointApart)
        {
            var row = base.Find(lease.Envelope.Id)!;
            row.PastCommitPoint = false;
            Tables.Put(row);
        }
        return passed;
    }

    protected override bool IsHeld(QueueRow row, Lease lease) => Pretended is not null || base.IsHeld(row, lease);

    protected override bool IsCancelled(QueueRow row) => mutation != Mutation.CommitCancelled && base.IsCancelled(row);

    public override List<QueueRow> Orphaned(Incarnation owner) => mutation != Mutation.SweepLiving ? base.Orphaned(owner)
        : [.. Tables.Queue.Values.Where(r => r is { State: RecipientState.Leased, Owner: not null }).Select(MemoryTables.Copy)];

    public override List<QueueRow> Settled(long now, int limit) => mutation == Mutation.ForgetSettle ? [] : base.Settled(now, limit);

    protected override bool IsInFront(Gate gate) =>
        base.IsInFront(gate) || (mutation == Mutation.LeaseBehind && gate == Gate.Ordering);
}

/// <summary>A transaction of the model.</summary>
sealed class ModelSession(ModelTables tables, TimeProvider clock, Mutation mutation, ModelQueue queue)
    : MemorySession(tables, clock, queue, new ModelSuppressions(tables, mutation))
{
    public void Pretend(Lease lease) => queue.Pretended = lease;

    protected override bool Counts(int state) => mutation != Mutation.MiscountHeld || state != (int)RecipientState.Held;
}

/// <summary>The suppression list, which may be forgotten.</summary>
sealed class ModelSuppressions(ModelTables tables, Mutation mutation) : MemorySuppressions(tables)
{
    public override bool AnyFor(int tenant) => mutation != Mutation.LeaseSuppressed && base.AnyFor(tenant);
}
