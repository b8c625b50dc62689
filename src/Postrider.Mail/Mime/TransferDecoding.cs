using System.Buffers;
using System.Globalization;

namespace Postrider.Mail.Mime;

/// <summary>How the body of a part travels (RFC 2045 §6).</summary>
public enum TransferEncoding
{
    /// <summary>As it is: 7bit, 8bit and binary; also where the name is none that is known.</summary>
    Identity,

    /// <summary>RFC 2045 §6.7.</summary>
    QuotedPrintable,

    /// <summary>RFC 2045 §6.8.</summary>
    Base64,
}

/// <summary>Undoes transfer encodings, of damaged bodies as well as can be.</summary>
static class TransferDecoding
{
    static readonly SearchValues<byte> SpaceAndTab = SearchValues.Create(" \t"u8);

    /// <summary>The encoding that a Content-Transfer-Encoding names.</summary>
    public static TransferEncoding Parse(ReadOnlySpan<char> value)
    {
        value = value.Trim(" \t\"");
        var end = value.IndexOfAny(" \t;(");
        var name = end < 0 ? value : value[..end];
        return name.Equals("base64", StringComparison.OrdinalIgnoreCase) ? TransferEncoding.Base64
            : name.Equals("quoted-printable", StringComparison.OrdinalIgnoreCase) ? TransferEncoding.QuotedPrintable
            : TransferEncoding.Identity;
    }

    /// <summary>The bytes themselves where nothing is encoded.</summary>
    public static ReadOnlyMemory<byte> Decode(ReadOnlyMemory<byte> body, TransferEncoding encoding) => encoding switch
    {
        TransferEncoding.Identity => body,
        TransferEncoding.QuotedPrintable => FromQuotedPrintable(body.Span),
        TransferEncoding.Base64 => FromBase64(body.Span),
    };

    /// <summary>Characters outside the alphabet are passed over, also padding in the middle of it: encoded pieces get joined. What is
    /// missing at the end is missing.</summary>
    static ReadOnlyMemory<byte> FromBase64(ReadOnlySpan<byte> body)
    {
        var decoded = new byte[(body.Length / 4 * 3) + 3];
        var (length, bits, count) = (0, 0, 0);
        foreach (var octet in body)
        {
            var value = ValueOf(octet);
            if (octet == '=' && count > 0)
            {
                length += Flush(decoded.AsSpan(length), bits, count);
                (bits, count) = (0, 0);
            }
            if (value < 0)
                continue;
            bits = (bits << 6) | value;
            if (++count == 4)
            {
                length += Flush(decoded.AsSpan(length), bits, count);
                (bits, count) = (0, 0);
            }
        }
        length += Flush(decoded.AsSpan(length), bits, count);
        return decoded.AsMemory(0, length);
    }

    static int ValueOf(byte octet) => octet switch
    {
        >= (byte)'A' and <= (byte)'Z' => octet - 'A',
        >= (byte)'a' and <= (byte)'z' => octet - 'a' + 26,
        >= (byte)'0' and <= (byte)'9' => octet - '0' + 52,
        (byte)'+' => 62,
        (byte)'/' => 63,
        _ => -1,
    };

    /// <summary>Writes the octets of up to four characters; a single one holds none.</summary>
    static int Flush(Span<byte> target, int bits, int count)
    {
        var octets = count * 6 / 8;
        bits <<= 6 * (4 - count);
        for (var i = 0; i < octets; i++)
            target[i] = (byte)(bits >> (16 - (8 * i)));
        return octets;
    }

    /// <summary>An "=" that is followed by neither two digits nor a line end stays, as RFC 2045 §6.7 (note 2) suggests.</summary>
    static ReadOnlyMemory<byte> FromQuotedPrintable(ReadOnlySpan<byte> body)
    {
        var decoded = new byte[body.Length];
        var length = 0;
        while (!body.IsEmpty)
        {
            var end = body.IndexOf((byte)'\n');
            var next = end < 0 ? body.Length : end + 1;
            var line = LineEnds.TrimEnd(body[..next]);
            var lineEnd = body[line.Length..next];
            // Rule 3: white space at the end of a line was put there on the way.
            var text = line[..(line.LastIndexOfAnyExcept(SpaceAndTab) + 1)];
            if (text is [.., (byte)'='])
            {
                text = text[..^1];
                lineEnd = default;
            }
            length += DecodeLine(text, decoded.AsSpan(length));
            lineEnd.CopyTo(decoded.AsSpan(length));
            length += lineEnd.Length;
            body = body[next..];
        }
        return decoded.AsMemory(0, length);
    }

    static int DecodeLine(ReadOnlySpan<byte> text, Span<byte> target)
    {
        var length = 0;
        while (text.IndexOf((byte)'=') is >= 0 and var at)
        {
            text[..at].CopyTo(target[length..]);
            length += at;
            var isEncoded = at + 2 < text.Length
                && byte.TryParse(text.Slice(at + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out target[length]);
            if (!isEncoded)
                target[length] = (byte)'=';
            length++;
            text = text[(at + (isEncoded ? 3 : 1))..];
        }
        text.CopyTo(target[length..]);
        return length + text.Length;
    }
}
