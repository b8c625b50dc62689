using Postrider.Messages;

namespace Postrider.Storage.Rules;

/// <summary>Leases of this node that are on disk, or may be, and that nobody attempts: the answer to their commit was lost, or the database
/// went away before their messages were read.</summary>
/// <remarks>The node lives, so no sweep would ever return them: it gives them back itself, with the next transaction that leases or sweeps,
/// and before anything is taken by it. Later would be wrong: where the lost commit never happened, the next lease of the row has the same
/// number, and somebody attempts it.</remarks>
sealed class AstrayLeases
{
    readonly Lock _lock = new();
    readonly List<AstrayLease> _waiting = [];    // guarded by _lock

    // The writer's:
    readonly List<AstrayLease> _taken = [];      // by the running transaction
    readonly List<AstrayLease> _returned = [];   // the same

    /// <summary>Those that the next transaction will look for.</summary>
    public IReadOnlyList<AstrayLease> Waiting
    {
        get
        {
            lock (_lock)
                return _waiting.Count == 0 ? [] : [.. _waiting];
        }
    }

    public void Took(QueueRow row) => _taken.Add(AstrayLease.Of(row));

    /// <summary>They are on disk, and could not be released.</summary>
    public void Add(IEnumerable<AstrayLease> leases)
    {
        lock (_lock)
            _waiting.AddRange(leases);
    }

    /// <summary>A transaction is going to begin.</summary>
    /// <param name="isLastInDoubt">The commit of the one before left, and was not answered.</param>
    public void Begin(bool isLastInDoubt)
    {
        if (isLastInDoubt)
            Add(_taken);
        Add(_returned);
        Committed();
    }

    public void Committed()
    {
        _taken.Clear();
        _returned.Clear();
    }

    /// <summary>Called before rows are taken.</summary>
    public void GiveBack(IWriteSession session)
    {
        List<AstrayLease> waiting;
        lock (_lock)
        {
            if (_waiting.Count == 0)
                return;
            waiting = [.. _waiting];
            _waiting.Clear();
        }
        if (TestSwitches.KeepsLostLeases)
            return;
        _returned.AddRange(waiting);
        Leasing.Release(session, waiting.ConvertAll(w => w.Lease), session.Now, WaitReason.Released);
    }
}

/// <summary>A lease, with what is held before its row.</summary>
readonly record struct AstrayLease(Claimed Lease, int Tenant, string? OrderingKey)
{
    public static AstrayLease Of(QueueRow leased) => new(Claimed.Of(leased), leased.Tenant, leased.OrderingKey);
}
