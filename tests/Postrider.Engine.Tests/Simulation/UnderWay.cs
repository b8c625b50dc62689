using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>How far a node is with a lease.</summary>
enum Stage
{
    /// <summary>Leased; nothing was done with it.</summary>
    Leased,
    /// <summary>Past the commit point: the next step sends.</summary>
    Started,
    /// <summary>The provider has answered, and nothing is recorded.</summary>
    Answered,
    /// <summary>What became of it is decided, and has to be written.</summary>
    Decided,
    /// <summary>It is to be given back.</summary>
    GivenBack,
}

/// <summary>A lease in the hands of a node. What is known here is lost when the node dies.</summary>
sealed class UnderWay(Lease lease, int leasedAt)
{
    public Lease Lease { get; } = lease;

    /// <summary>The number of the act that leased it.</summary>
    public int LeasedAt { get; } = leasedAt;
    public Stage Stage { get; set; }
    public bool IsAlone { get; init; }
    public string? Transport { get; set; }
    public DateTimeOffset StartedAt { get; set; }
    public IReadOnlyList<RecipientOutcome> Outcomes { get; set; } = [];
    public AttemptRecord? Record { get; set; }

    /// <summary>The act that recorded it, for good; null: not recorded, or after the lease was lost.</summary>
    public int? RecordedAt { get; set; }

    /// <summary>It passed its commit point, and the node knows that it sent nothing.</summary>
    public bool IsKnownUnsent { get; set; }

    /// <summary>Where it is given back: what it may be called, until when it then waits, and why.</summary>
    public IReadOnlyList<Lease> GiveBack { get; set; } = [];
    public DateTimeOffset GiveBackUntil { get; set; }
    public WaitReason GiveBackReason { get; set; }

    public Outcome? OutcomeOf(int n)
    {
        foreach (var outcome in Outcomes)
        {
            if (outcome.N == n)
                return outcome.Outcome;
        }
        return null;
    }
}
