using System.Text;
using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>Makes leases of what is in memory: for the submitter that skips the lease statement, and for the store after it.</summary>
public static class BornLeased
{
    /// <summary>The lease under which a single message was inserted, equal to what the store would have returned for it.
    /// Null when nobody is left to attempt it for.</summary>
    /// <param name="message">One with <see cref="NewMessage.BornLeasedBy"/>.</param>
    /// <param name="suppressed">From <see cref="AcceptResult.Accepted.Suppressed"/>.</param>
    /// <param name="now">The row is due from here on.</param>
    public static Lease? Of(
        QueueKey key, NewMessage message, MessageContent content, IReadOnlyList<RecipientId> suppressed, DateTimeOffset now)
    {
        var owner = message.BornLeasedBy ?? throw new ArgumentException("The message was not born leased.", nameof(message));
        var open = Open(message, suppressed);
        if (open.Count == 0)
            return null;
        return new Lease
        {
            Owner = owner,
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
                OrderingKey = message.OrderingKey,
            },
            Message = Message(message.Id, batch: null, content, message.Recipients, generation: 0),
            Recipients = open,
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

    /// <summary>About what the message will take on the wire: texts as UTF-8, attachments as base64 (RFC 2045 §6.8: 4 for 3, and line
    /// ends), 1 KB of headers.</summary>
    public static int ApproximateBytes(MessageContent content)
    {
        if (content.Mime is { } mime)
            return mime.Length;
        var bytes = 1024L + content.Subject.Length + Size(content.Text) + Size(content.Html);
        foreach (var header in content.Headers)
            bytes += header.Name.Length + header.Value.Length + 4;
        foreach (var attachment in content.Attachments)
            bytes += 512 + attachment.Content.Length * 137L / 100;
        return (int)Math.Min(bytes, int.MaxValue);
    }

    static long Size(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);

    static IReadOnlyList<MessageRecipient> Open(NewMessage message, IReadOnlyList<RecipientId> suppressed)
    {
        if (message.Stopped.Count == 0 && suppressed.Count == 0)
            return message.Recipients;
        var stopped = new HashSet<int>([.. message.Stopped.Select(s => s.N), .. suppressed.Select(s => s.N)]);
        return [.. message.Recipients.Where(r => !stopped.Contains(r.N))];
    }
}
