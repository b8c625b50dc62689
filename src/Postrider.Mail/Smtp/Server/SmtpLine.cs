using System.Buffers;
using System.Text;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What the octets read so far amount to.</summary>
enum SmtpLineStatus
{
    /// <summary>Part of a line: nothing was consumed.</summary>
    Incomplete,
    Complete,

    /// <summary>Whole, but with controls or octets that are not UTF-8; consumed.</summary>
    NotText,

    /// <summary>A CR or LF without its other half. What follows cannot be told apart any more.</summary>
    BareLineEnd,
    TooLong,
}

/// <summary>Takes one line of a client from the start of a buffer. Only CRLF ends it. Pure.</summary>
static class SmtpLine
{
    /// <summary>RFC 5321 §4.5.3.1.4, with the line end.</summary>
    public const int MaxOctets = 512;

    /// <summary>MAIL and RCPT: 512 and what SIZE, BODY, SMTPUTF8, DSN and AUTH add (RFC 1870 §6.2, 6152 §2, 6531 §3.1, 3461 §4, 4954
    /// §3).</summary>
    public const int MaxEnvelopeOctets = 2048;

    /// <summary>AUTH and its answers (RFC 4954 §4).</summary>
    public const int MaxAuthOctets = 12_288;

    /// <summary>Throws for octets that are no UTF-8.</summary>
    public static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <param name="buffer">Without the line, when one was taken.</param>
    /// <param name="most">Octets with the line end; 0: what the command at its start is allowed.</param>
    public static SmtpLineStatus Take(ref ReadOnlySequence<byte> buffer, int most, out string line)
    {
        line = "";
        var bytes = buffer.IsSingleSegment ? buffer.FirstSpan : Flat(buffer);
        if (most == 0)
            most = MostFor(bytes);
        var end = bytes[..Math.Min(bytes.Length, most)].IndexOf((byte)'\n');
        if (end < 0)
            return bytes.Length >= most ? SmtpLineStatus.TooLong : SmtpLineStatus.Incomplete;
        if (end == 0 || bytes[end - 1] != '\r' || bytes[..(end - 1)].Contains((byte)'\r'))
            return SmtpLineStatus.BareLineEnd;
        buffer = buffer.Slice(end + 1);
        return TryDecode(bytes[..(end - 1)], out line) ? SmtpLineStatus.Complete : SmtpLineStatus.NotText;
    }

    static byte[] Flat(in ReadOnlySequence<byte> buffer) => buffer.Slice(0, Math.Min(buffer.Length, MaxAuthOctets)).ToArray();

    static int MostFor(ReadOnlySpan<byte> bytes)
    {
        var verb = bytes[..Math.Min(bytes.Length, 5)];
        if (Ascii.EqualsIgnoreCase(verb, "AUTH "u8))
            return MaxAuthOctets;
        return Ascii.EqualsIgnoreCase(verb, "MAIL "u8) || Ascii.EqualsIgnoreCase(verb, "RCPT "u8) ? MaxEnvelopeOctets : MaxOctets;
    }

    static bool TryDecode(ReadOnlySpan<byte> bytes, out string line)
    {
        line = "";
        if (bytes.ContainsAnyInRange((byte)0, (byte)31) || bytes.Contains((byte)127))
            return false;
        if (Ascii.IsValid(bytes))
        {
            line = Encoding.ASCII.GetString(bytes);
            return true;
        }
        try
        {
            line = StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
        // NEL, line and paragraph separators: some reader takes them for the end of a line.
        return TextSafety.Find(line, allowTab: false) == TextDanger.None;
    }
}
