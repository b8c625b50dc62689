using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Postrider.Mail.Dkim;

/// <summary>
/// Signs messages for one domain (RFC 6376; rsa-sha256, relaxed/relaxed). Pure but for its key: the same message at the same time gives the
/// same bytes, so every try of a message is the same.
/// </summary>
/// <remarks>
/// Every field of the list that is there is signed, as often as it is there. Those that a reader sees or that decide how the body is read
/// are named once more than they are there (RFC 6376 §5.4.2 and §8.15, "oversigning"): a second Subject, From or Content-Type put in front
/// on the way would otherwise be shown in place of the first and the signature would still be good. The same goes for a field that the
/// message does not have, such as a Reply-To. Fields that servers add or change as they please (Received, Return-Path, Sender) are left
/// alone. The tag l= is never written: what is appended must break the signature (RFC 6376 §8.2). Nor is x=: mail that waited long is none
/// the less ours.
/// </remarks>
/// <param name="domain">In A-labels, lower case (d=).</param>
/// <param name="selector">Names the key's record, <c>selector._domainkey.domain</c> (s=).</param>
/// <param name="key">Stays the caller's: not disposed here.</param>
public sealed class DkimSigner(string domain, string selector, DkimKey key)
{
    static readonly byte[][] SignedNames = Names(
        "From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Content-Type",
        "MIME-Version", "Content-Transfer-Encoding", "In-Reply-To", "References", "Auto-Submitted", "Feedback-ID",
        "List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post");

    /// <summary>How many of <see cref="SignedNames"/>, from the first, are oversigned.</summary>
    const int Oversigned = 8;

    /// <summary>RFC 5322 §2.1.1.</summary>
    const int LineOctets = 78;

    /// <summary>Room for a signature with every field of the list once: a 2,048-bit key, names of usual length.</summary>
    public const int UsualBytes = 1280;

    /// <summary>d=.</summary>
    public string Domain { get; } = domain;

    /// <summary>s=.</summary>
    public string Selector { get; } = selector;

    /// <summary>Writes the DKIM-Signature field, line end included, that goes in front of the message.</summary>
    /// <param name="message">As it will be sent, header and body.</param>
    /// <param name="at">When it was signed (t=): for the same bytes at every try, a time of the message and not of the try.</param>
    /// <param name="output">Gets the field; nothing when it is false.</param>
    /// <returns>False when the message has no From: there is nothing to sign for (RFC 6376 §5.4).</returns>
    public bool TrySign(ReadOnlySpan<byte> message, DateTimeOffset at, IBufferWriter<byte> output)
    {
        var header = HeaderSection.Of(message);
        if (header.LastOf(message, "From"u8, header.Count) < 0)
            return false;
        using var hashing = new HashingWriter();
        Span<byte> hash = stackalloc byte[32];
        var body = new RelaxedBody();
        body.Write(message[header.BodyAt..], hashing);
        body.Finish(hashing);
        hashing.Finish(hash);

        var fields = SignedFields(message, header, out var list);
        var unsigned = Unsigned(list, hash, at);
        foreach (var index in fields)
        {
            RelaxedHeader.Write(header.Field(message, index), hashing);
            hashing.Write("\r\n"u8);
        }
        RelaxedHeader.Write(unsigned, hashing);
        hashing.Finish(hash);
        output.Write(unsigned);
        WriteSignature(hash, output);
        return true;
    }

    /// <summary>Which fields are hashed, in the order of h=; those of the list that are not there hash as nothing.</summary>
    static List<int> SignedFields(ReadOnlySpan<byte> message, HeaderSection header, out List<byte[]> list)
    {
        var fields = new List<int>(24);
        list = new List<byte[]>(32);
        for (var i = 0; i < SignedNames.Length; i++)
        {
            for (var at = header.LastOf(message, SignedNames[i], header.Count); at >= 0; at = header.LastOf(message, SignedNames[i], at))
            {
                fields.Add(at);
                list.Add(SignedNames[i]);
            }
            if (i < Oversigned)
                list.Add(SignedNames[i]);
        }
        return fields;
    }

    /// <summary>The field up to and with <c>b=</c>, as it is hashed (RFC 6376 §3.7) and as it is sent.</summary>
    byte[] Unsigned(List<byte[]> list, ReadOnlySpan<byte> bodyHash, DateTimeOffset at)
    {
        var text = new StringBuilder(512);
        text.Append("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;");
        text.Append(CultureInfo.InvariantCulture, $"\r\n\td={Domain};\r\n\ts={Selector}; t={at.ToUnixTimeSeconds()};");
        text.Append("\r\n\th=");
        var column = 10; // the tab is eight wide
        for (var i = 0; i < list.Count; i++)
        {
            var last = i == list.Count - 1;
            // RFC 6376 §3.5: white space may stand around the colons, folded too.
            if (column + list[i].Length + 1 > LineOctets)
            {
                text.Append("\r\n\t ");
                column = 9;
            }
            text.Append(Encoding.ASCII.GetString(list[i])).Append(last ? ';' : ':');
            column += list[i].Length + 1;
        }
        text.Append("\r\n\tbh=").Append(Convert.ToBase64String(bodyHash)).Append(";\r\n\tb=");
        return Encoding.ASCII.GetBytes(text.ToString());
    }

    void WriteSignature(ReadOnlySpan<byte> hash, IBufferWriter<byte> output)
    {
        // 54 octets are 72 characters; the first line begins with b=, two more.
        const int OctetsPerLine = 51;
        Span<byte> signature = stackalloc byte[key.SignatureBytes];
        key.Sign(hash, signature);
        for (var first = true; !signature.IsEmpty; first = false)
        {
            if (!first)
                output.Write("\r\n\t "u8);
            var line = signature[..Math.Min(OctetsPerLine, signature.Length)];
            Base64.EncodeToUtf8(line, output.GetSpan(Base64.GetMaxEncodedToUtf8Length(line.Length)), out _, out var written);
            output.Advance(written);
            signature = signature[line.Length..];
        }
        output.Write("\r\n"u8);
    }

    static byte[][] Names(params ReadOnlySpan<string> names)
    {
        var bytes = new byte[names.Length][];
        for (var i = 0; i < bytes.Length; i++)
            bytes[i] = Encoding.ASCII.GetBytes(names[i]);
        return bytes;
    }
}
