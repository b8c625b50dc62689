using System.Collections.Concurrent;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>The attempts that this node has under way, for people who ask what becomes of a message.</summary>
public sealed class AttemptsInHand
{
    readonly ConcurrentDictionary<EnvelopeId, AttemptInHand> _attempts = new();

    /// <summary>Null: none of this node.</summary>
    public AttemptInHand? Of(MessageId message, int n)
    {
        // As many as are under way: a few thousand at most.
        foreach (var (envelope, attempt) in _attempts)
        {
            if (envelope.Message == message && attempt.Recipients.Any(r => r.N == n))
                return attempt;
        }
        return null;
    }

    internal AttemptInHand Begin(Lease lease, string transport, DateTimeOffset at) =>
        _attempts[lease.Envelope.Id] = new AttemptInHand(transport, at, lease.Recipients);

    /// <summary>An attempt for a later lease of the same envelope stays.</summary>
    internal void End(Lease lease, AttemptInHand attempt) =>
        _attempts.TryRemove(new KeyValuePair<EnvelopeId, AttemptInHand>(lease.Envelope.Id, attempt));
}

/// <summary>An attempt that was begun and has no outcome yet.</summary>
public sealed record AttemptInHand(string Transport, DateTimeOffset Since, IReadOnlyList<MessageRecipient> Recipients);
