using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Submission;

/// <summary>The lease of a message that was stored as leased: equal to what the store would have returned for it.</summary>
static class BornLease
{
    /// <summary>Null when nobody is left to attempt it for.</summary>
    public static Lease? Make(
        Incarnation owner, QueueKey key, NewMessage message, MessageContent content, IReadOnlyList<RecipientId> suppressed, DateTimeOffset now)
    {
        var open = Open(message, suppressed);
        if (open.Count == 0)
            return null;
        return new Lease
        {
            Envelope = new QueuedEnvelope
            {
                Id = new EnvelopeId(message.Id, open[0].N),
                Key = key,
                DueAt = now,
                ExpiresAt = message.ExpiresAt,
                RecipientCount = open.Count,
                Claim = 1,
                Tries = 1,
                OnAmbiguous = message.OnAmbiguous,
            },
            Owner = owner,
            Message = new LeasedMessage { Id = message.Id, Content = content, Recipients = message.Recipients },
            Recipients = open,
        };
    }

    static IReadOnlyList<MessageRecipient> Open(NewMessage message, IReadOnlyList<RecipientId> suppressed)
    {
        if (message.Stopped.Count == 0 && suppressed.Count == 0)
            return message.Recipients;
        var open = new List<MessageRecipient>(message.Recipients.Count);
        foreach (var recipient in message.Recipients)
        {
            if (!IsStopped(message.Stopped, recipient.N) && !IsSuppressed(suppressed, recipient.N))
                open.Add(recipient);
        }
        return open;
    }

    static bool IsStopped(IReadOnlyList<StoppedRecipient> stopped, int n)
    {
        foreach (var one in stopped)
        {
            if (one.N == n)
                return true;
        }
        return false;
    }

    static bool IsSuppressed(IReadOnlyList<RecipientId> suppressed, int n)
    {
        foreach (var one in suppressed)
        {
            if (one.N == n)
                return true;
        }
        return false;
    }
}
