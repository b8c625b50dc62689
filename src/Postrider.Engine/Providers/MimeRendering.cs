using System.Buffers;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>
/// From a message as it was accepted to the MIME message that every try and every transport sends: Message-ID, Date and boundaries come
/// from its id.
/// </summary>
public static class MimeRendering
{
    public static MimeMessage ToMime(OutgoingEnvelope envelope)
    {
        var content = envelope.Content;
        return new MimeMessage
        {
            From = content.From,
            ReplyTo = content.ReplyTo,
            To = Shown(envelope, RecipientKind.To),
            Cc = Shown(envelope, RecipientKind.Cc),
            MessageId = MessageIdOf(envelope.Message, content.From.Address.AsciiDomain.Trim('[', ']').Replace(':', '.')),
            Date = envelope.Message.At,
            BoundarySeed = (ulong)envelope.Message.Value,
            Subject = content.Subject,
            Text = content.Text,
            Html = content.Html,
            Headers = content.Headers,
            Attachments = content.Attachments,
        };
    }

    // A domain of more than 213 characters leaves no room for it; RFC 6761 §6.4 keeps "invalid" from ever existing.
    static string MessageIdOf(MessageId message, string domain) =>
        MimeMessage.IsMessageId($"{message}@{domain}") ? $"{message}@{domain}" : $"{message}@postrider.invalid";

    static List<Mailbox> Shown(OutgoingEnvelope envelope, RecipientKind kind)
    {
        var shown = new List<Mailbox>();
        foreach (var recipient in envelope.AllRecipients)
        {
            if (recipient.Kind == kind)
                shown.Add(recipient.Mailbox);
        }
        return shown;
    }
}

/// <summary>A message's bytes while it is being sent: one piece of memory, lent from the shared pool and given back at the end.</summary>
public sealed class RenderedMessage : IBufferWriter<byte>, IDisposable
{
    // A mail of 2 KB and its headers fit without growing.
    byte[] _bytes = ArrayPool<byte>.Shared.Rent(8 * 1024);
    int _length;

    RenderedMessage() { }

    public static RenderedMessage Of(MimeMessage message)
    {
        var rendered = new RenderedMessage();
        MessageWriter.Write(message, rendered);
        return rendered;
    }

    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_bytes);
        (_bytes, _length) = ([], 0);
    }

    void IBufferWriter<byte>.Advance(int count) => _length += count;

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint)
    {
        Reserve(Math.Max(sizeHint, 256));
        return _bytes.AsMemory(_length);
    }

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint)
    {
        Reserve(Math.Max(sizeHint, 256));
        return _bytes.AsSpan(_length);
    }

    void Reserve(int size)
    {
        if (_bytes.Length - _length >= size)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_bytes.Length * 2, checked(_length + size)));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
