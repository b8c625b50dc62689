using System.Buffers.Text;
using System.Text.Unicode;

namespace Postrider.Mail.Mime;

/// <summary>Writes base64 in lines of 76 columns (RFC 2045 §6.8). The last line is left open.</summary>
static class Base64Lines
{
    /// <summary>Octets that make a line of 76.</summary>
    const int LineOctets = 57;

    const int LineLength = 76;

    public static void Write(ref OutputBuffer output, scoped ReadOnlySpan<byte> octets)
    {
        while (octets.Length > LineOctets)
        {
            WriteLine(ref output, octets[..LineOctets]);
            octets = octets[LineOctets..];
        }
        if (octets.IsEmpty)
            return;
        Base64.EncodeToUtf8(octets, output.Reserve(LineLength), out _, out var written);
        output.Advance(written);
    }

    /// <summary>The text as UTF-8. CRLF, CR and LF each become CRLF, half surrogates U+FFFD.</summary>
    public static void Write(ref OutputBuffer output, ReadOnlySpan<char> text)
    {
        // 18 lines: most of a short mail at once, little enough for the stack.
        Span<byte> octets = stackalloc byte[18 * LineOctets];
        var waiting = 0;
        while (!text.IsEmpty)
        {
            waiting += Take(ref text, octets[waiting..]);
            var whole = text.IsEmpty ? waiting : waiting / LineOctets * LineOctets;
            for (var at = 0; at < whole; at += LineOctets)
            {
                if (at + LineOctets < whole || !text.IsEmpty)
                    WriteLine(ref output, octets.Slice(at, LineOctets));
                else
                    Write(ref output, octets[at..whole]);
            }
            octets[whole..waiting].CopyTo(octets);
            waiting -= whole;
        }
    }

    static void WriteLine(ref OutputBuffer output, scoped ReadOnlySpan<byte> octets)
    {
        var line = output.Reserve(LineLength + 2);
        Base64.EncodeToUtf8(octets, line, out _, out _);
        "\r\n"u8.CopyTo(line[LineLength..]);
        output.Advance(LineLength + 2);
        output.StartLine();
    }

    /// <summary>Moves as much text as fits, whole characters only; returns the octets written.</summary>
    static int Take(ref ReadOnlySpan<char> text, scoped Span<byte> target)
    {
        var total = 0;
        while (!text.IsEmpty)
        {
            var end = text.IndexOfAny('\r', '\n');
            Utf8.FromUtf16(end < 0 ? text : text[..end], target[total..], out var read, out var written);
            text = text[read..];
            total += written;
            if (text.IsEmpty || read != end)
                return total;
            if (target.Length - total < 2)
                return total;
            "\r\n"u8.CopyTo(target[total..]);
            total += 2;
            text = text[(text is ['\r', '\n', ..] ? 2 : 1)..];
        }
        return total;
    }
}
