using System.Buffers;
using System.Text;

namespace Postrider.Mail.Smtp;

/// <summary>
/// Writes content as DATA wants it (RFC 5321 §4.5.2): every line end is CRLF, also where the source had a bare CR or LF, and a line that
/// starts with a dot gets one more. Goes over each byte once; what needs no change is copied in long runs. Feed it in pieces of any size.
/// </summary>
/// <remarks>Bare CR and LF never reach the wire: servers that take them for line ends can be made to see a second message
/// (CVE-2023-51764).</remarks>
struct DotStuffer()
{
    /// <summary>Where in a line the last octet was.</summary>
    enum Place
    {
        LineStart,
        InLine,
        AfterCr,
    }

    Place _place = Place.LineStart;

    /// <summary>Writes the next piece.</summary>
    public void Write(ReadOnlySpan<byte> content, IBufferWriter<byte> output)
    {
        if (content.IsEmpty)
            return;
        if (_place == Place.AfterCr)
        {
            output.Write("\r\n"u8);
            _place = Place.LineStart;
            if (content[0] == '\n')
                content = content[1..];
        }
        // Everything before `done` is written; [done, at) is looked at and unchanged.
        var done = 0;
        var at = 0;
        while (at < content.Length)
        {
            if (_place == Place.LineStart && content[at] == '.')
            {
                output.Write(content[done..at]);
                output.Write("."u8);
                done = at;
            }
            _place = Place.InLine;
            var end = content[at..].IndexOfAny((byte)'\r', (byte)'\n');
            if (end < 0)
                break;
            at += end;
            if (content[at] == '\r' && at + 1 == content.Length)
            {
                // Whether this CR is bare shows with the next piece.
                output.Write(content[done..at]);
                _place = Place.AfterCr;
                return;
            }
            if (content[at] == '\r' && content[at + 1] == '\n')
            {
                at += 2;
            }
            else
            {
                output.Write(content[done..at]);
                output.Write("\r\n"u8);
                done = ++at;
            }
            _place = Place.LineStart;
        }
        output.Write(content[done..]);
    }

    /// <summary>Ends an unfinished last line, so that only the dot and its line end are missing.</summary>
    public void EndLine(IBufferWriter<byte> output)
    {
        if (_place != Place.LineStart)
            output.Write("\r\n"u8);
        _place = Place.LineStart;
    }

    /// <summary>
    /// True when the content can be sent as it is in a chunk (RFC 3030): every CR and LF is part of a CRLF, and it ends in one.
    /// </summary>
    public static bool IsCanonical(in ReadOnlySequence<byte> content)
    {
        if (content.IsEmpty)
            return false;
        // Pieces are a signature and a message, or one message; a CRLF that is split between two is not worth a second state machine.
        foreach (var piece in content)
        {
            if (!piece.IsEmpty && !IsCanonical(piece.Span))
                return false;
        }
        return true;
    }

    static bool IsCanonical(ReadOnlySpan<byte> piece)
    {
        if (!piece.EndsWith("\r\n"u8))
            return false;
        while (piece.IndexOfAny((byte)'\r', (byte)'\n') is var end and >= 0)
        {
            if (piece[end] != '\r' || piece[end + 1] != '\n')
                return false;
            piece = piece[(end + 2)..];
        }
        return true;
    }

    /// <summary>True when no octet is above 127, so that the content needs no 8BITMIME.</summary>
    public static bool IsSevenBit(in ReadOnlySequence<byte> content)
    {
        foreach (var piece in content)
        {
            if (!Ascii.IsValid(piece.Span))
                return false;
        }
        return true;
    }
}
