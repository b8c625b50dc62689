using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>One attempt as it is kept: it is an event of the message, written in the transaction that applies its consequences.</summary>
public sealed record Attempt
{
    /// <summary>Null when nothing was attempted (cancelled, expired, suppressed between due and start).</summary>
    public string? Transport { get; init; }
    public required DateTimeOffset StartedAt { get; init; }
    public TimeSpan Duration { get; init; }

    /// <summary>Those of the route that were asked before it; empty where it was the first.</summary>
    public IReadOnlyList<PassedOver> PassedOver { get; init; } = [];

    /// <summary>By recipient number.</summary>
    public required IReadOnlyList<RecipientOutcome> Outcomes { get; init; }
}

/// <summary>What one recipient's attempt came to.</summary>
public readonly record struct RecipientOutcome(int N, Outcome Outcome);

/// <summary>The consequences of an attempt, decided by the failure policy; applied only if the lease's claim still stands.</summary>
public sealed record AttemptRecord
{
    public required Lease Lease { get; init; }
    public required Attempt Attempt { get; init; }

    /// <summary>Recipients that end with this attempt.</summary>
    public required IReadOnlyList<RecipientEnd> Ends { get; init; }

    /// <summary>What goes on: none when all ended (the queue row is deleted), else the row is rewritten for the first and a row is added
    /// for each other.</summary>
    public required IReadOnlyList<Continuation> Continues { get; init; }

    /// <summary>Facts to put on the timeline beside the attempt ("possible duplicate", "failed over from a to b").</summary>
    public IReadOnlyList<string> Remarks { get; init; } = [];

    /// <summary>Why opens or clicks are not heard of though that was asked for; null: they are, or nobody asked. Told once it was
    /// sent.</summary>
    public string? TrackingSkipped { get; init; }
}

/// <summary>A recipient's final state (or <see cref="RecipientState.Held"/>).</summary>
/// <param name="Suppress">The address is bad for good: put it on the suppression list.</param>
public sealed record RecipientEnd(
    int N, RecipientState State, Outcome? Outcome, string Reason, HeldReason Held = HeldReason.None, bool Suppress = false);

/// <summary>Recipients that stay open, together in one envelope.</summary>
public sealed record Continuation
{
    /// <summary>Ascending, at least one. The new row's number is the first of them.</summary>
    public required IReadOnlyList<int> Recipients { get; init; }

    /// <summary><see cref="RecipientState.Queued"/> or <see cref="RecipientState.Unknown"/>.</summary>
    public required RecipientState State { get; init; }
    public required DateTimeOffset DueAt { get; init; }
    public required WaitReason Reason { get; init; }
    public required int Deferrals { get; init; }
    public required int Rounds { get; init; }
    public required TransportHistory History { get; init; }

    /// <summary>The last outcome, kept with each of its recipients so that people see why they wait; null when there is none.</summary>
    public Outcome? LastOutcome { get; init; }
}

/// <summary>Whether a record was applied.</summary>
public enum RecordResult : byte
{
    Applied,
    /// <summary>The claim was no longer ours: states are unchanged, the attempt is kept as late evidence.</summary>
    Fenced,
}
