using System.Buffers;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>Writes text as quoted-printable UTF-8 (RFC 2045 §6.7), straight from UTF-16.</summary>
static class QuotedPrintable
{
    /// <summary>75 octets and the "=" of a soft break.</summary>
    const int MaxData = 75;

    static readonly SearchValues<char> Literals = SearchValues.Create(
        "\t !\"#$%&'()*+,-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Starts in column 0. CRLF, CR and LF each become a line end; no line end is added at the end.</summary>
    public static void Write(ref OutputBuffer output, ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            var run = text.IndexOfAnyExcept(Literals);
            run = run < 0 ? text.Length : run;
            if (run > 0)
                WriteLiterals(ref output, text[..run], endsLine: run == text.Length || text[run] is '\r' or '\n');
            text = text[run..];
            if (text.IsEmpty)
                return;
            if (text[0] is '\r' or '\n')
            {
                output.NewLine();
                text = text[(text is ['\r', '\n', ..] ? 2 : 1)..];
            }
            else
                text = text[WriteCharacter(ref output, text)..];
        }
    }

    /// <summary>Bytes in whatever charset, their line ends CRLF; otherwise as above.</summary>
    public static void Write(ref OutputBuffer output, scoped ReadOnlySpan<byte> content)
    {
        while (!content.IsEmpty)
        {
            var end = content.IndexOf("\r\n"u8);
            var line = end < 0 ? content : content[..end];
            for (var i = 0; i < line.Length; i++)
                WriteOctet(ref output, line[i], isLast: i == line.Length - 1, startsFrom: line[i..].StartsWith("From "u8));
            if (end < 0)
                return;
            output.NewLine();
            content = content[(end + 2)..];
        }
    }

    static void WriteOctet(ref OutputBuffer output, byte octet, bool isLast, bool startsFrom)
    {
        var literal = octet < 0x80 && Literals.Contains((char)octet) && !(isLast && octet is ((byte)' ' or (byte)'\t'));
        if (output.Column + (literal ? 1 : 3) > MaxData)
            SoftBreak(ref output);
        if (literal && !(output.Column == 0 && (octet == '.' || startsFrom)))
            output.Write(octet);
        else
            output.WriteHex((byte)'=', octet);
    }

    static void WriteLiterals(ref OutputBuffer output, ReadOnlySpan<char> run, bool endsLine)
    {
        // Rule 3: white space must not end a line.
        var last = endsLine && run[^1] is ' ' or '\t' ? run[^1..] : default;
        run = run[..^last.Length];
        while (!run.IsEmpty)
        {
            if (output.Column >= MaxData)
                SoftBreak(ref output);
            // A dot alone ends SMTP data where someone forgets to stuff, "From " starts a message in mbox files.
            if (output.Column == 0 && (run[0] == '.' || run.StartsWith("From ")))
            {
                run = run[WriteCharacter(ref output, run)..];
                continue;
            }
            var part = run[..Math.Min(run.Length, MaxData - output.Column)];
            output.WriteAscii(part);
            run = run[part.Length..];
        }
        if (!last.IsEmpty)
            WriteCharacter(ref output, last);
    }

    /// <summary>
    /// Writes the first character as =XX, its octets on one line. Half surrogates become U+FFFD. Returns its UTF-16 units.
    /// </summary>
    static int WriteCharacter(ref OutputBuffer output, ReadOnlySpan<char> text)
    {
        Span<byte> octets = stackalloc byte[4];
        Rune.DecodeFromUtf16(text, out var rune, out var units);
        var length = rune.EncodeToUtf8(octets);
        if (output.Column + (3 * length) > MaxData)
            SoftBreak(ref output);
        foreach (var octet in octets[..length])
            output.WriteHex((byte)'=', octet);
        return units;
    }

    static void SoftBreak(ref OutputBuffer output)
    {
        output.Write((byte)'=');
        output.NewLine();
    }
}
