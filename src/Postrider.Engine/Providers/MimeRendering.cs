using System.Buffers;
using System.Text;
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
            MessageId = MessageIdHeader.Of(envelope.Message, content.From),
            Date = envelope.Message.At,
            BoundarySeed = (ulong)envelope.Message.Value,
            Subject = content.Subject,
            Text = content.Text,
            Html = content.Html,
            Headers = content.Headers,
            Attachments = content.Attachments,
        };
    }

    /// <summary>Of a message as bytes, its lines ending with CRLF.</summary>
    internal static bool HeaderIsAscii(ReadOnlySpan<byte> mime)
    {
        var end = mime.IndexOf("\r\n\r\n"u8);
        return Ascii.IsValid(end < 0 ? mime : mime[..end]);
    }

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

/// <summary>A message's bytes while it is being sent: those that are stored, where the sender made them; else one piece of memory, lent
/// from the shared pool and given back at the end.</summary>
public sealed class RenderedMessage : IBufferWriter<byte>, IDisposable
{
    // A mail of 2 KB and its headers fit without growing.
    const int UsualBytes = 8 * 1024;

    byte[] _bytes = [];
    int _length;

    RenderedMessage() { }

    /// <summary>The message as every transport sends it that carries whole messages.</summary>
    /// <param name="envelope">Whose content it is.</param>
    /// <param name="added">A field for the transport's own use, or null: in front of a stored message, behind the sender's own fields of
    /// one that is rendered.</param>
    public static RenderedMessage Of(OutgoingEnvelope envelope, HeaderField? added = null)
    {
        if (envelope.Content.Mime is { } mime)
            return OfStored(mime, added);
        var message = MimeRendering.ToMime(envelope);
        if (added is null)
            return Of(message);
        // What the transport finds under this name must be its own.
        var others = message.Headers.Where(header => !header.Name.Equals(added.Name, StringComparison.OrdinalIgnoreCase));
        return Of(message with { Headers = [.. others, added] });
    }

    public static RenderedMessage Of(MimeMessage message)
    {
        var rendered = new RenderedMessage { _bytes = ArrayPool<byte>.Shared.Rent(UsualBytes) };
        MessageWriter.Write(message, rendered);
        rendered.Bytes = rendered._bytes.AsMemory(0, rendered._length);
        rendered.NeedsSmtpUtf8 = MessageWriter.NeedsSmtpUtf8(message);
        return rendered;
    }

    static RenderedMessage OfStored(ReadOnlyMemory<byte> mime, HeaderField? added)
    {
        var rendered = new RenderedMessage { Bytes = mime, NeedsSmtpUtf8 = !MimeRendering.HeaderIsAscii(mime.Span) };
        if (added is null)
            return rendered;
        var field = Encoding.ASCII.GetBytes($"{added.Name}: {HeaderText.ToAscii(added.Value)}\r\n");
        rendered.Write(field);
        rendered.Write(mime.Span);
        rendered.Bytes = rendered._bytes.AsMemory(0, rendered._length);
        return rendered;
    }

    /// <summary>Lent: not to be used after <see cref="Dispose"/>.</summary>
    public ReadOnlyMemory<byte> Bytes { get; private set; }

    /// <summary>The header has raw UTF-8 (RFC 6531).</summary>
    public bool NeedsSmtpUtf8 { get; private set; }

    public void Dispose()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        (_bytes, _length, Bytes) = ([], 0, default);
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
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
