using System.Buffers;
using System.Text.Unicode;

namespace Postrider.Mail.Mime;

/// <summary>Why a message that came whole cannot be sent as it is.</summary>
public enum WholeMessageFault
{
    /// <summary>It can.</summary>
    None,

    /// <summary>There is not a byte in it.</summary>
    Empty,

    /// <summary>A NUL, which only BINARYMIME could carry (RFC 3030).</summary>
    Nul,

    /// <summary>A CR without LF in the header: servers disagree whether a field starts there.</summary>
    BareCr,

    /// <summary>A character in the header that somebody further on may take for the end of a line: VT, FF, U+0085, U+2028,
    /// U+2029.</summary>
    LineBreak,

    /// <summary>A line of the header is neither field nor fold.</summary>
    NoField,

    /// <summary>The header has bytes that are neither ASCII nor UTF-8.</summary>
    HeaderBytes,

    /// <summary>A line of the header is over 998 octets (RFC 5322 §2.1.1).</summary>
    HeaderLine,

    /// <summary>A line of the body is over 998 octets, where nothing may be encoded anew: inside a signature, or outside of all
    /// parts.</summary>
    BodyLine,

    /// <summary>It goes beyond what the reader reads.</summary>
    TooMuch,
}

/// <summary>The words for each <see cref="WholeMessageFault"/>.</summary>
public static class WholeMessageFaults
{
    /// <summary>What is wrong, as the second half of a sentence.</summary>
    public static string Describe(this WholeMessageFault fault) => fault switch
    {
        WholeMessageFault.None => "nothing is wrong",
        WholeMessageFault.Empty => "it is empty",
        WholeMessageFault.Nul => "it contains a NUL; encode such content in base64",
        WholeMessageFault.BareCr => "its header contains a CR without LF",
        WholeMessageFault.LineBreak =>
            "its header contains a character that may be taken for a line break (VT, FF, U+0085, U+2028 or U+2029)",
        WholeMessageFault.NoField => "a line of its header is no header field; an empty line must end the header",
        WholeMessageFault.HeaderBytes => "its header contains bytes that are neither ASCII nor UTF-8",
        WholeMessageFault.HeaderLine => "a line of its header is longer than 998 bytes",
        WholeMessageFault.BodyLine => "a line is longer than 998 bytes where it cannot be encoded anew (signed content, or outside of all parts)",
        WholeMessageFault.TooMuch => "it is nested too deeply, or has too many parts or header fields",
    };
}

/// <summary>A message as somebody else wrote it, made fit to be sent: line ends are CRLF, no line is over 998 octets; all else is as it
/// came.</summary>
public sealed class WholeMessage
{
    WholeMessage(ReadOnlyMemory<byte> bytes, MimeEntity entity) => (Bytes, Entity) = (bytes, entity);

    /// <summary>Every byte of it.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The same, taken apart.</summary>
    public MimeEntity Entity { get; }

    /// <summary>Its header.</summary>
    public HeaderBlock Headers => Entity.Headers;

    /// <summary>
    /// LF alone, and CR alone in a body, become CRLF; a part with a line over 998 octets is encoded anew. Copies only where something
    /// changes.
    /// </summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, MimeLimits limits, out WholeMessage? message, out WholeMessageFault fault)
    {
        message = null;
        fault = bytes.IsEmpty ? WholeMessageFault.Empty : bytes.Span.Contains((byte)0) ? WholeMessageFault.Nul : WholeMessageFault.None;
        if (fault != WholeMessageFault.None)
            return false;
        if (!MimeReader.TryRead(bytes, limits, out var entity, out _))
            fault = WholeMessageFault.TooMuch;
        else
            fault = CheckHeader(entity.Headers, bytes.Span[..entity.Headers.Length]);
        if (fault != WholeMessageFault.None)
            return false;
        var canonical = CanonicalLines.Of(bytes);
        // Lone CRs were no line ends to the reader, so after them there may be more parts than before.
        if (!canonical.Equals(bytes) && !MimeReader.TryRead(canonical, limits, out entity, out _))
            fault = WholeMessageFault.TooMuch;
        else if (CanonicalLines.HasLongLine(canonical.Span))
            (canonical, fault) = Shorten(entity!, limits, out entity);
        if (fault != WholeMessageFault.None)
            return false;
        message = new WholeMessage(canonical, entity!);
        return true;
    }

    static (ReadOnlyMemory<byte>, WholeMessageFault) Shorten(MimeEntity message, MimeLimits limits, out MimeEntity? shortened)
    {
        shortened = null;
        if (!TransferRecoding.TryRecode(message, sevenBit: false, out var bytes))
            return (default, WholeMessageFault.BodyLine);
        return MimeReader.TryRead(bytes, limits, out shortened, out _)
            ? (bytes, WholeMessageFault.None) : (default, WholeMessageFault.TooMuch);
    }

    static WholeMessageFault CheckHeader(HeaderBlock header, ReadOnlySpan<byte> bytes)
    {
        if (header.DamagedAt is not null)
            return WholeMessageFault.NoField;
        for (var rest = bytes; rest.IndexOf((byte)'\r') is >= 0 and var cr; rest = rest[(cr + 1)..])
        {
            if (cr + 1 == rest.Length || rest[cr + 1] != '\n')
                return WholeMessageFault.BareCr;
        }
        if (!Utf8.IsValid(bytes))
            return WholeMessageFault.HeaderBytes;
        if (bytes.IndexOfAny((byte)'\v', (byte)'\f') >= 0 || bytes.IndexOf("\u0085"u8) >= 0 || bytes.IndexOf("\u2028"u8) >= 0
            || bytes.IndexOf("\u2029"u8) >= 0)
            return WholeMessageFault.LineBreak;
        return CanonicalLines.HasLongLine(bytes) ? WholeMessageFault.HeaderLine : WholeMessageFault.None;
    }
}

/// <summary>Lines as they must be on the wire: CRLF at their ends, at most 998 octets (RFC 5322 §2.1.1, §2.3).</summary>
static class CanonicalLines
{
    const int MaxLine = 998;

    /// <summary>The bytes themselves where every CR and LF is part of a CRLF.</summary>
    public static ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> bytes)
    {
        var span = bytes.Span;
        var first = FirstBare(span);
        if (first < 0)
            return bytes;
        var output = new ArrayBufferWriter<byte>(span.Length + (span.Length / 16) + 256);
        while (first >= 0)
        {
            output.Write(span[..first]);
            output.Write("\r\n"u8);
            span = span[(first + 1)..];
            first = FirstBare(span);
        }
        output.Write(span);
        return output.WrittenMemory;
    }

    /// <summary>Whether a line is too long, its end not counted.</summary>
    public static bool HasLongLine(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > MaxLine)
        {
            // From where the longest line would end backwards, so that most bytes are not looked at.
            var end = bytes[..Math.Min(bytes.Length, MaxLine + 2)].LastIndexOf((byte)'\n');
            if (end < 0)
                return true;
            bytes = bytes[(end + 1)..];
        }
        return false;
    }

    static int FirstBare(ReadOnlySpan<byte> span)
    {
        var at = 0;
        while (span[at..].IndexOfAny((byte)'\r', (byte)'\n') is >= 0 and var found)
        {
            at += found;
            if (span[at] == '\n' || at + 1 == span.Length || span[at + 1] != '\n')
                return at;
            at += 2;
        }
        return -1;
    }
}
