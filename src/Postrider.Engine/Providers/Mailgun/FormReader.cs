using System.Text;

namespace Postrider.Providers.Mailgun;

/// <summary>One field or file of a form.</summary>
/// <param name="FileName">Null for a field.</param>
readonly record struct FormPart(string Name, string? FileName, string? ContentType, ReadOnlyMemory<byte> Value)
{
    public string Text => Encoding.UTF8.GetString(Value.Span);
}

/// <summary>Reads forms as SDKs send them: multipart/form-data (RFC 7578) and application/x-www-form-urlencoded. Names may
/// repeat.</summary>
static class FormReader
{
    /// <summary>1,000 recipients, options and files; more is no form of a mail.</summary>
    const int MaxParts = 5_000;

    /// <summary>Null when it is neither, or is broken off.</summary>
    public static IReadOnlyList<FormPart>? Read(string? contentType, ReadOnlyMemory<byte> body)
    {
        if (contentType is null)
            return null;
        if (contentType.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
            return Urlencoded(Encoding.UTF8.GetString(body.Span));
        return contentType.StartsWith("multipart/form-data", StringComparison.OrdinalIgnoreCase)
            && Parameter(contentType, "boundary") is { Length: > 0 and <= 200 } boundary
            ? Multipart(body, Encoding.UTF8.GetBytes($"\r\n--{boundary}"))
            : null;
    }

    static List<FormPart>? Urlencoded(string body)
    {
        var parts = new List<FormPart>();
        foreach (var pair in body.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var value = equals < 0 ? "" : Decoded(pair[(equals + 1)..]);
            parts.Add(new FormPart(Decoded(equals < 0 ? pair : pair[..equals]), null, null, Encoding.UTF8.GetBytes(value)));
            if (parts.Count > MaxParts)
                return null;
        }
        return parts;

        static string Decoded(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
    }

    /// <param name="delimiter">The boundary with the line end and the two hyphens before it; the first one may lack the line end.</param>
    static List<FormPart>? Multipart(ReadOnlyMemory<byte> body, byte[] delimiter)
    {
        var first = body.Span.StartsWith(delimiter.AsSpan(2)) ? delimiter.Length - 2 : After(body.Span, delimiter);
        if (first < 0)
            return null;
        var parts = new List<FormPart>();
        for (var rest = body[first..]; !rest.Span.StartsWith("--"u8);)
        {
            if (!rest.Span.StartsWith("\r\n"u8) || rest.Span[2..].IndexOf(delimiter) is not (>= 0 and var length)
                || Part(rest.Slice(2, length)) is not { } part || parts.Count == MaxParts)
                return null;
            parts.Add(part);
            rest = rest[(2 + length + delimiter.Length)..];
        }
        return parts;
    }

    static int After(ReadOnlySpan<byte> body, byte[] delimiter) => body.IndexOf(delimiter) is >= 0 and var at ? at + delimiter.Length : -1;

    static FormPart? Part(ReadOnlyMemory<byte> part)
    {
        var end = part.Span.IndexOf("\r\n\r\n"u8);
        if (end is < 0 or > 16_384)
            return null;
        string? disposition = null, type = null;
        foreach (var line in Encoding.UTF8.GetString(part.Span[..end]).Split("\r\n"))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? "" : line[..colon].Trim();
            if (name.Equals("Content-Disposition", StringComparison.OrdinalIgnoreCase))
                disposition = line[(colon + 1)..];
            else if (name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase))
                type = line[(colon + 1)..].Trim();
        }
        return disposition is not null && Parameter(disposition, "name") is { } field
            ? new FormPart(field, Parameter(disposition, "filename"), type, part[(end + 4)..])
            : null;
    }

    /// <summary>Quoted or not; <c>\"</c> and, as browsers write it, <c>%22</c> are a quote. Null when there is none.</summary>
    static string? Parameter(string header, string name)
    {
        for (var at = 0; (at = header.IndexOf(';', at)) >= 0;)
        {
            var rest = header.AsSpan(++at).TrimStart();
            if (!rest.StartsWith(name, StringComparison.OrdinalIgnoreCase) || rest[name.Length..].TrimStart() is not ['=', .. var value])
            {
                at = SkipQuoted(header, at);
                continue;
            }
            value = value.TrimStart();
            if (value is not ['"', ..])
                return value[..(value.IndexOf(';') is >= 0 and var end ? end : value.Length)].Trim().ToString();
            var text = new StringBuilder();
            for (var i = 1; i < value.Length && value[i] != '"'; i++)
                text.Append(value[i] == '\\' && i + 1 < value.Length && value[i + 1] is '"' or '\\' ? value[++i] : value[i]);
            return text.Replace("%22", "\"").ToString();
        }
        return null;
    }

    /// <summary>To the end of this parameter: a semicolon between quotes is none.</summary>
    static int SkipQuoted(string header, int at)
    {
        for (var isQuoted = false; at < header.Length; at++)
        {
            if (header[at] == '\\' && isQuoted)
                at++;
            else if (header[at] == '"')
                isQuoted = !isQuoted;
            else if (header[at] == ';' && !isQuoted)
                return at;
        }
        return header.Length;
    }
}
