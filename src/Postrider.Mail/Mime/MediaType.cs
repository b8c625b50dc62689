using System.Buffers;
using System.Text;

namespace Postrider.Mail.Mime;

/// <summary>Content types as users give them, made safe to write (RFC 2045 §5.1).</summary>
static class MediaType
{
    public const string OctetStream = "application/octet-stream";

    /// <summary>RFC 2045 §5.1: printable ASCII without space and tspecials.</summary>
    static readonly SearchValues<char> TokenCharacters = SearchValues.Create(
        "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Type and parameters take a line each; nobody needs longer ones (RFC 6838 §4.2: 127 a name).</summary>
    const int MaxPartLength = 70;

    /// <summary>The type with its parameters, one space after each semicolon; application/octet-stream for what is none.</summary>
    public static string Normalize(string? given)
    {
        var text = given.AsSpan().Trim(" \t");
        var end = text.IndexOf(';');
        var type = (end < 0 ? text : text[..end]).TrimEnd(" \t");
        var slash = type.IndexOf('/');
        if (slash < 0 || type.Length > MaxPartLength || !IsToken(type[..slash]) || !IsToken(type[(slash + 1)..]))
            return OctetStream;
        // A body of parts cannot be base64 (RFC 2045 §6.4), and its boundary would be the sender's.
        if (type.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase))
            return OctetStream;
        return end < 0 ? type.ToString() : WithParameters(type, text[end..]);
    }

    public static bool IsToken(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyExcept(TokenCharacters);

    /// <summary>Keeps the parameters that are well formed. The name is ours to write, from the file name.</summary>
    static string WithParameters(ReadOnlySpan<char> type, ReadOnlySpan<char> rest)
    {
        var normal = new StringBuilder().Append(type);
        while (rest is [';', ..])
        {
            rest = rest[1..].TrimStart(" \t");
            var equals = rest.IndexOf('=');
            if (equals < 0 || !IsToken(rest[..equals].TrimEnd(" \t")))
                break;
            var name = rest[..equals].TrimEnd(" \t");
            rest = rest[(equals + 1)..].TrimStart(" \t");
            var length = ValueLength(rest);
            if (length <= 0)
                break;
            var keep = name.Length + length <= MaxPartLength && !name.Contains('*')
                && !name.Equals("name", StringComparison.OrdinalIgnoreCase) && !name.Equals("boundary", StringComparison.OrdinalIgnoreCase);
            if (keep)
                normal.Append("; ").Append(name).Append('=').Append(rest[..length]);
            rest = rest[length..].TrimStart(" \t");
        }
        return normal.ToString();
    }

    /// <summary>The length of the token or quoted string at the start; not positive when there is none.</summary>
    static int ValueLength(ReadOnlySpan<char> rest)
    {
        if (rest is not ['"', ..])
            return rest.IndexOfAnyExcept(TokenCharacters) is >= 0 and var end ? end : rest.Length;
        var length = Addresses.AddressSyntax.EndOfQuoted(rest);
        return length > 0 && !rest[..length].ContainsAnyExceptInRange(' ', '~') ? length : -1;
    }
}
