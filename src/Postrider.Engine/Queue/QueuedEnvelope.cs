using System.Collections.ObjectModel;
using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>What due work is told apart by: the dispatcher asks for permits and leases per key, so that one key never blocks
/// another.</summary>
public readonly record struct QueueKey(string Route, MailStream Stream, TenantId Tenant);

/// <summary>A running process: the node's number and the number of its start. A lease of another incarnation is nobody's.</summary>
public readonly record struct Incarnation(int Node, long Number);

/// <summary>The narrow row of the <c>queue</c> table: the only arbiter of who may attempt an envelope.</summary>
public sealed record QueuedEnvelope
{
    public required EnvelopeId Id { get; init; }
    public required QueueKey Key { get; init; }

    /// <summary>Not before this instant.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>No attempt starts after this instant; then <see cref="RecipientState.Expired"/>.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Recipients that travel in it; the limiter counts them.</summary>
    public required int RecipientCount { get; init; }

    /// <summary>Number of the lease, +1 at each: the fence that a late outcome is tested against.</summary>
    public int Claim { get; init; }

    /// <summary>Attempts started, the running one included. Shown to people; only <see cref="Deferrals"/> drive the schedule.</summary>
    public int Tries { get; init; }

    /// <summary>Refusals for now by the recipient's side: these alone use up the route's schedule.</summary>
    public int Deferrals { get; init; }

    /// <summary>Rounds over all transports of the route that failed by the providers' fault: drives the capped back-off.</summary>
    public int Rounds { get; init; }

    /// <summary>How often the process died while it was leased. At 3 it is leased alone.</summary>
    public int Suspect { get; init; }

    public AmbiguityPolicy OnAmbiguous { get; init; }
    public string? OrderingKey { get; init; }
    public TransportHistory History { get; init; } = TransportHistory.Empty;

    /// <summary>Someone cancelled it while an attempt was under way: it ends with that attempt.</summary>
    public bool Cancelled { get; init; }
}

/// <summary>The right of this node to attempt one envelope, with all that the attempt needs. It has no clock: it ends by record, release or
/// sweep.</summary>
public sealed record Lease
{
    public required QueuedEnvelope Envelope { get; init; }
    public required Incarnation Owner { get; init; }
    public required LeasedMessage Message { get; init; }

    /// <summary>The recipients to attempt: those of this envelope that are still open. Never empty.</summary>
    public required IReadOnlyList<MessageRecipient> Recipients { get; init; }

    /// <summary>Of <see cref="Recipients"/>, those that were put on the suppression list since, by number, with what the list says of them;
    /// they are not attempted.</summary>
    public IReadOnlyDictionary<int, string> Suppressed { get; init; } = NoneSuppressed;

    public static IReadOnlyDictionary<int, string> NoneSuppressed { get; } = ReadOnlyDictionary<int, string>.Empty;
}

/// <summary>The message of a lease.</summary>
public sealed record LeasedMessage
{
    public required MessageId Id { get; init; }

    /// <summary>The batch it belongs to; null for a single message.</summary>
    public MessageId? Batch { get; init; }
    public required MessageContent Content { get; init; }

    /// <summary>All recipients of the message, for the visible To and Cc; more than the lease's when the message travels in several
    /// envelopes.</summary>
    public required IReadOnlyList<MessageRecipient> Recipients { get; init; }

    /// <summary>How often an operator has sent it again; part of the idempotency value.</summary>
    public int Generation { get; init; }

    /// <summary>Size of the content in bytes as stored: an estimate for transports with a size limit.</summary>
    public int ApproximateBytes { get; init; }
}
