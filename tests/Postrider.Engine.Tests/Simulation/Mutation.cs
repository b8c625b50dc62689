namespace Postrider.Engine.Tests.Simulation;

/// <summary>A guarantee that is taken away on purpose: a simulation that stays green without it proves nothing.</summary>
public enum Mutation
{
    None,
    /// <summary>An outcome is recorded whoever holds the lease now.</summary>
    UnguardedRecord,
    /// <summary>The lease statement does not test whether the time is up.</summary>
    LeaseExpired,
    /// <summary>The lease statement and the commit point do not ask the suppression list.</summary>
    LeaseSuppressed,
    /// <summary>The lease statement takes what waits behind its ordering key.</summary>
    LeaseBehind,
    /// <summary>The commit point does not test whether the message was cancelled.</summary>
    CommitCancelled,
    /// <summary>A sweep takes the leases of nodes that live.</summary>
    SweepLiving,
    /// <summary>What may have been accepted goes to the next transport at once.</summary>
    FailOverUnknown,
    /// <summary>The waiting for evidence never ends.</summary>
    ForgetSettle,
    /// <summary>The caller is answered before the commit.</summary>
    AnswerBeforeCommit,
    /// <summary>At-most-once sends without its commit point.</summary>
    SkipCommitPoint,
    /// <summary>The commit point is tested, and noted apart from the lease: a sweep does not see it.</summary>
    NoteCommitPointApart,
    /// <summary>Leases whose commit was not answered are not given back.</summary>
    ForgetLostLease,
    /// <summary>An outcome that could not be recorded is forgotten, and the attempt made again.</summary>
    SendInsteadOfRecord,
    /// <summary>Ends are not counted where they are held.</summary>
    MiscountHeld,
}
