using System.Text;
using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>Makes leases of what is in memory: for the submitter that skips the lease statement, and for the store after it.</summary>
public static class BornLeased
{
    /// <summary>The lease under which an accepted message was inserted, as if it had been leased. Null when none of its recipients is to be attempted.</summary>
    /// <param name="acceptance">Where its batch, if any, and the batch's content are.</param>
    /// <param name="message">One with <see cref="NewMessage.BornLeasedBy"/>.</param>
    /// <param name="suppressed">From <see cref="AcceptResult.Accepted.Suppressed"/>.</param>
    /// <param name="acceptedAt">The row is due from here on.</param>
    public static Lease? Of(Acceptance acceptance, NewMessage message, IReadOnlyList<RecipientId> suppressed, DateTimeOffset acceptedAt)
    {
        var owner = message.BornLeasedBy ?? throw new ArgumentException("The message was not born leased.", nameof(message));
        var open = message.Recipients.Where(r => !IsStopped(message, r.N) && !suppressed.Contains(new RecipientId(message.Id, r.N))).ToList();
        if (open.Count == 0)
            return null;
        var content = message.Content ?? acceptance.Batch?.Content ?? throw new ArgumentException("The message has no content.", nameof(message));
        return new Lease
        {
            Owner = owner,
            Envelope = new QueuedEnvelope
            {
                Id = new EnvelopeId(message.Id, open[0].N),
                Key = new QueueKey(message.Route, message.Stream, acceptance.Tenant),
                DueAt = acceptedAt,
                ExpiresAt = message.ExpiresAt,
                RecipientCount = open.Count,
                Claim = 1,
                Tries = 1,
                OnAmbiguous = message.OnAmbiguous,
                OrderingKey = message.OrderingKey,
            },
            Message = Message(message.Id, acceptance.Batch?.Id, content, message.Recipients, generation: 0),
            Recipients = open.Count == message.Recipients.Count ? message.Recipients : open,
        };
    }

    /// <summary>The message of a lease.</summary>
    public static LeasedMessage Message(
        MessageId id, MessageId? batch, MessageContent content, IReadOnlyList<MessageRecipient> recipients, int generation) => new()
        {
            Id = id,
            Batch = batch,
            Content = content,
            Recipients = recipients,
            Generation = generation,
            ApproximateBytes = ApproximateBytes(content),
        };

    /// <summary>About what the message will take on the wire: texts as UTF-8, attachments as base64 (RFC 2045 §6.8: 4 for 3, and line ends), 1 KB of headers.</summary>
    public static int ApproximateBytes(MessageContent content)
    {
        var bytes = 1024L + content.Subject.Length + Size(content.Text) + Size(content.Html);
        foreach (var header in content.Headers)
            bytes += header.Name.Length + header.Value.Length + 4;
        foreach (var attachment in content.Attachments)
            bytes += 512 + attachment.Content.Length * 137L / 100;
        return (int)Math.Min(bytes, int.MaxValue);
    }

    static long Size(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);

    static bool IsStopped(NewMessage message, int n)
    {
        foreach (var stopped in message.Stopped)
        {
            if (stopped.N == n)
                return true;
        }
        return false;
    }
}
