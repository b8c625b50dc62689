using System.Buffers;
using System.Text;

namespace Postrider.Mail.Smtp;

/// <summary>What the bytes read so far amount to.</summary>
enum SmtpReplyStatus
{
    /// <summary>A prefix of a reply: nothing was consumed, more is needed.</summary>
    Incomplete,
    Complete,

    /// <summary>Not SMTP: no digits, or lines of one reply with different codes.</summary>
    Malformed,

    /// <summary>A line, the number of lines or the whole reply is longer than we listen to.</summary>
    TooLarge,
}

/// <summary>
/// Finds one reply at the start of a buffer (RFC 5321 §4.2). Pure: the same bytes give the same answer however they arrived.
/// </summary>
static class SmtpReplyParser
{
    /// <summary>Bytes with the line end. RFC 5321 §4.5.3.1.5 says 512; servers that quote policies or addresses send more.</summary>
    public const int MaxLineBytes = 4096;

    public const int MaxLines = 128;

    /// <summary>Bytes of all lines: above any EHLO answer or policy text seen, and small enough to be parsed again on every read.</summary>
    public const int MaxReplyBytes = 32 * 1024;

    public static SmtpReplyStatus Parse(in ReadOnlySequence<byte> buffer, out SmtpReply reply, out SequencePosition consumed)
    {
        consumed = buffer.Start;
        int length;
        SmtpReplyStatus status;
        if (buffer.IsSingleSegment)
            status = Parse(buffer.FirstSpan, out reply, out length);
        else
            status = Parse(buffer.Slice(0, Math.Min(buffer.Length, MaxReplyBytes + 1)).ToArray(), out reply, out length);
        if (status == SmtpReplyStatus.Complete)
            consumed = buffer.GetPosition(length);
        return status;
    }

    public static SmtpReplyStatus Parse(ReadOnlySpan<byte> bytes, out SmtpReply reply, out int consumed)
    {
        reply = default;
        consumed = 0;
        var at = 0;
        var code = 0;
        for (var lines = 1; ; lines++)
        {
            if (lines > MaxLines)
                return SmtpReplyStatus.TooLarge;
            var rest = bytes[at..];
            if (!StartsLikeReply(rest, code))
                return SmtpReplyStatus.Malformed;
            var end = rest[..Math.Min(rest.Length, MaxLineBytes)].IndexOf((byte)'\n');
            if (end < 0)
                return rest.Length >= MaxLineBytes || bytes.Length > MaxReplyBytes ? SmtpReplyStatus.TooLarge : SmtpReplyStatus.Incomplete;
            if (at + end + 1 > MaxReplyBytes)
                return SmtpReplyStatus.TooLarge;
            // A bare LF ends a line here too: old servers send it, and no byte of ours depends on where a server's line ends.
            var line = rest[..end].TrimEnd((byte)'\r');
            if (line.Length < 3)
                return SmtpReplyStatus.Malformed;
            code = Code(line);
            at += end + 1;
            if (line.Length > 3 && line[3] == '-')
                continue;
            reply = lines == 1 ? Single(code, line) : Several(code, bytes[..at]);
            consumed = at;
            return SmtpReplyStatus.Complete;
        }
    }

    /// <summary>
    /// False as soon as the bytes cannot become a line of this reply, so that a peer of another protocol is noticed at its first bytes.
    /// </summary>
    static bool StartsLikeReply(ReadOnlySpan<byte> line, int code)
    {
        if (line is [< (byte)'2' or > (byte)'5', ..])
            return false;
        for (var i = 1; i < Math.Min(3, line.Length); i++)
        {
            if (line[i] is < (byte)'0' or > (byte)'9')
                return false;
        }
        if (line.Length >= 3 && code != 0 && Code(line) != code)
            return false;
        return line.Length < 4 || line[3] is (byte)' ' or (byte)'-' or (byte)'\r' or (byte)'\n';
    }

    static int Code(ReadOnlySpan<byte> line) => (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');

    static SmtpReply Single(int code, ReadOnlySpan<byte> line)
    {
        var text = TextOf(line);
        var enhanced = TakeEnhanced(code, ref text);
        return new SmtpReply(code, enhanced, Decode(text));
    }

    static SmtpReply Several(int code, ReadOnlySpan<byte> lines)
    {
        string? enhanced = null;
        var joined = new StringBuilder(lines.Length);
        var first = true;
        foreach (var range in lines[..^1].Split((byte)'\n'))
        {
            var text = TextOf(lines[range].TrimEnd((byte)'\r'));
            var own = TakeEnhanced(code, ref text);
            // The last line decides about the code; servers that differ between lines put the telling one last.
            enhanced = own ?? enhanced;
            if (!first)
                joined.Append('\n');
            joined.Append(Decode(text));
            first = false;
        }
        return new SmtpReply(code, enhanced, joined.ToString());
    }

    static ReadOnlySpan<byte> TextOf(ReadOnlySpan<byte> line) => line.Length > 4 ? line[4..].Trim((byte)' ') : [];

    /// <summary>
    /// Takes a leading <c>x.y.z</c> off the text: class 2, 4 or 5, then two numbers of one to three digits (RFC 2034 §4, RFC 3463 §2).
    /// Taken whether or not the server announced ENHANCEDSTATUSCODES: many send them unannounced.
    /// </summary>
    static string? TakeEnhanced(int code, ref ReadOnlySpan<byte> text)
    {
        var length = text.IndexOf((byte)' ') is var space and >= 0 ? space : text.Length;
        if (code is >= 300 and < 400 || length is < 5 or > 9)
            return null;
        var word = text[..length];
        if (word[0] is not ((byte)'2' or (byte)'4' or (byte)'5') || word[1] != '.')
            return null;
        var dot = word[2..].IndexOf((byte)'.');
        if (dot is < 1 or > 3 || !AreDigits(word[2..(2 + dot)]) || !AreDigits(word[(3 + dot)..]))
            return null;
        text = text[length..].TrimStart((byte)' ');
        return Encoding.ASCII.GetString(word);
    }

    static bool AreDigits(ReadOnlySpan<byte> bytes)
        => bytes.Length is >= 1 and <= 3 && !bytes.ContainsAnyExceptInRange((byte)'0', (byte)'9');

    /// <summary>UTF-8 (RFC 6531 §3.7.4 allows it), broken sequences replaced; nothing that could forge a line in a log survives.</summary>
    static string Decode(ReadOnlySpan<byte> text)
    {
        var decoded = Encoding.UTF8.GetString(text);
        foreach (var c in decoded)
        {
            if (IsUnprintable(c))
                return string.Create(decoded.Length, decoded, (clean, dirty) =>
                {
                    for (var i = 0; i < clean.Length; i++)
                        clean[i] = IsUnprintable(dirty[i]) ? ' ' : dirty[i];
                });
        }
        return decoded;
    }

    static bool IsUnprintable(char c) => char.IsControl(c) || c is '\u2028' or '\u2029';
}
