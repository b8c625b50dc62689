using System.Buffers;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>How a text travels.</summary>
enum TextEncoding
{
    SevenBit,
    QuotedPrintable,
    Base64,
}

/// <summary>
/// Chooses the encoding of a text and writes it with its Content-Type: as it is where that is safe, else readable, else short.
/// </summary>
static class TextBody
{
    /// <summary>RFC 5322 §2.1.1. Longer lines are legal up to 998, but relays have been seen to break them.</summary>
    const int MaxPlainLine = 78;

    static readonly SearchValues<char> PlainText = SearchValues.Create(
        "\t\r\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Writes header and body of a text part. The last line is left open unless the text closes it.</summary>
    public static void Write(ref OutputBuffer output, ReadOnlySpan<byte> contentType, string text, bool insideMultipart)
    {
        output.Write("Content-Type: "u8);
        output.Write(contentType);
        var encoding = Choose(text, insideMultipart, out var linesAreReady);
        output.Write(encoding switch
        {
            TextEncoding.SevenBit => "; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"u8,
            TextEncoding.QuotedPrintable => "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"u8,
            TextEncoding.Base64 => "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"u8,
        });
        output.StartLine();
        switch (encoding)
        {
            case TextEncoding.SevenBit: WritePlain(ref output, text, linesAreReady); break;
            case TextEncoding.QuotedPrintable: QuotedPrintable.Write(ref output, text); break;
            case TextEncoding.Base64: Base64Lines.Write(ref output, text.AsSpan()); break;
        }
    }

    /// <param name="text">The text.</param>
    /// <param name="insideMultipart">Then "=_" must not stand in the open: every boundary starts so.</param>
    /// <param name="linesAreReady">True when every line end is CRLF already.</param>
    public static TextEncoding Choose(ReadOnlySpan<char> text, bool insideMultipart, out bool linesAreReady)
    {
        linesAreReady = false;
        if (!text.ContainsAnyExcept(PlainText))
        {
            var open = LinesAreSafe(text, out linesAreReady) && !(insideMultipart && text.Contains("=_", StringComparison.Ordinal));
            return open ? TextEncoding.SevenBit : TextEncoding.QuotedPrintable;
        }
        // A character beyond ASCII has at least half an octet more than UTF-16 units and costs nine columns in QP, so twice the surplus is
        // a fair guess at the octets to encode. QP is longer than base64 when these are more than a sixth.
        long octets = Encoding.UTF8.GetByteCount(text);
        var surplus = octets - text.Length;
        return surplus * 12 > octets ? TextEncoding.Base64 : TextEncoding.QuotedPrintable;
    }

    static bool LinesAreSafe(ReadOnlySpan<char> text, out bool linesAreReady)
    {
        linesAreReady = true;
        while (!text.IsEmpty)
        {
            var length = text.IndexOfAny('\r', '\n');
            var line = length < 0 ? text : text[..length];
            if (line.Length > MaxPlainLine || line is ['.', ..] || line.StartsWith("From "))
                return false;
            if (length < 0)
                return true;
            var isCrLf = text[length] == '\r' && length + 1 < text.Length && text[length + 1] == '\n';
            linesAreReady &= isCrLf;
            text = text[(length + (isCrLf ? 2 : 1))..];
        }
        return true;
    }

    static void WritePlain(ref OutputBuffer output, ReadOnlySpan<char> text, bool linesAreReady)
    {
        if (linesAreReady)
        {
            output.WriteAscii(text);
            if (text.IsEmpty || text[^1] == '\n')
                output.StartLine();
            return;
        }
        while (!text.IsEmpty)
        {
            var length = text.IndexOfAny('\r', '\n');
            output.WriteAscii(length < 0 ? text : text[..length]);
            if (length < 0)
                return;
            output.NewLine();
            text = text[length..];
            text = text[(text is ['\r', '\n', ..] ? 2 : 1)..];
        }
    }
}
