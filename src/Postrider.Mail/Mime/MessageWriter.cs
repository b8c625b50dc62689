using System.Buffers;

namespace Postrider.Mail.Mime;

/// <summary>Writes messages as bytes: RFC 5322 and MIME, seven bits, CRLF, no line over 998 octets.</summary>
public static class MessageWriter
{
    /// <summary>Writes the whole message. Knows no clock and no chance: the same message gives the same bytes.</summary>
    public static void Write(MimeMessage message, IBufferWriter<byte> output)
    {
        var buffer = new OutputBuffer(output);
        HeaderWriter.WriteAll(ref buffer, message);
        new BodyWriter(message).Write(ref buffer);
        buffer.Flush();
    }

    /// <summary>
    /// Whether the headers hold an address that only SMTPUTF8 can carry (RFC 6531): then they are written with raw UTF-8 in that address.
    /// The envelope's addresses are asked on their own.
    /// </summary>
    public static bool NeedsSmtpUtf8(MimeMessage message) =>
        message.From.Address.NeedsSmtpUtf8 || message.Sender?.Address.NeedsSmtpUtf8 == true
        || AnyNeeds(message.To) || AnyNeeds(message.Cc) || AnyNeeds(message.ReplyTo);

    static bool AnyNeeds(IReadOnlyList<Addresses.Mailbox> mailboxes)
    {
        for (var i = 0; i < mailboxes.Count; i++)
        {
            if (mailboxes[i].Address.NeedsSmtpUtf8)
                return true;
        }
        return false;
    }
}
