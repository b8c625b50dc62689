using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Postrider.Mail.Mime;

namespace Postrider.Mail.Addresses;

/// <summary>The shape of an encoded word: <c>=?charset?B-or-Q?text?=</c> (RFC 2047 §2).</summary>
static class EncodedWord
{
    /// <summary>Whether an encoded word starts at the start of <paramref name="text"/>, and how long it is. White space ends it.</summary>
    public static bool TryFind(ReadOnlySpan<char> text, out int length)
    {
        length = 0;
        if (!text.StartsWith("=?"))
            return false;
        var charset = text[2..].IndexOf('?');
        if (charset <= 0)
            return false;
        var encoding = 2 + charset + 1;
        if (encoding + 1 >= text.Length || text[encoding + 1] != '?')
            return false;
        var body = text[(encoding + 2)..];
        var end = body.IndexOf("?=", StringComparison.Ordinal);
        if (end < 0)
            return false;
        length = encoding + 2 + end + 2;
        return !text[..length].ContainsAny(' ', '\t');
    }

    /// <summary>
    /// Whether readers might take a part of <paramref name="word"/> for an encoded word, inside quotes or out of place too.
    /// </summary>
    public static bool Resembles(ReadOnlySpan<char> word)
    {
        var start = word.IndexOf("=?", StringComparison.Ordinal);
        return start >= 0 && word[(start + 2)..].Contains("?=", StringComparison.Ordinal);
    }
}

/// <summary>Decodes a run of encoded words. Neighbours in one charset are joined before decoding: senders cut inside characters.</summary>
sealed class EncodedWordDecoder
{
    readonly ArrayBufferWriter<byte> _octets = new();
    Encoding? _encoding;

    /// <summary>False for charsets this machine does not know and for text that is no base64: such words stay as they are.</summary>
    public static bool CanDecode(ReadOnlySpan<char> word)
    {
        Split(word, out var charset, out var kind, out var text);
        return Charsets.TryFind(charset, out _)
            && (kind is 'Q' or 'q' || (kind is 'B' or 'b' && Base64.IsValid(Pad(text))));
    }

    /// <param name="word">One that <see cref="CanDecode"/> accepts.</param>
    /// <param name="target">Gets what was waiting, if that was in another charset.</param>
    public void Add(ReadOnlySpan<char> word, StringBuilder target)
    {
        Split(word, out var charset, out var kind, out var text);
        Charsets.TryFind(charset, out var encoding);
        if (!ReferenceEquals(encoding, _encoding))
            Flush(target);
        _encoding = encoding;
        if (kind is 'Q' or 'q')
            DecodeQ(text);
        else
            _octets.Write(Convert.FromBase64String(Pad(text)));
    }

    public void Flush(StringBuilder target)
    {
        if (_encoding is not null)
            target.Append(_encoding.GetString(_octets.WrittenSpan));
        _octets.ResetWrittenCount();
        _encoding = null;
    }

    static void Split(ReadOnlySpan<char> word, out ReadOnlySpan<char> charset, out char kind, out ReadOnlySpan<char> text)
    {
        var inside = word[2..^2];
        var end = inside.IndexOf('?');
        charset = inside[..end];
        // RFC 2231 §5: charset*language.
        if (charset.IndexOf('*') is >= 0 and var star)
            charset = charset[..star];
        kind = inside[end + 1];
        text = inside[(end + 3)..];
    }

    static string Pad(ReadOnlySpan<char> base64) => base64.TrimEnd('=').ToString().PadRight((base64.TrimEnd('=').Length + 3) / 4 * 4, '=');

    void DecodeQ(ReadOnlySpan<char> text)
    {
        var octets = _octets.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        var written = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '=' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                octets[written++] = byte.Parse(text.Slice(i + 1, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null);
                i += 2;
            }
            else if (text[i] < 0x80)
                octets[written++] = (byte)(text[i] == '_' ? ' ' : text[i]);
            else
                octets[written++] = (byte)'?';
        }
        _octets.Advance(written);
    }
}
