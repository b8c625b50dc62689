using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Postrider.Tracking;

/// <summary>Which links may lead over us: those that say themselves, to every reader alike, where they go.</summary>
public static class LinkTarget
{
    /// <summary>The target as it is sent in a <c>Location</c> field (RFC 9110 §10.2.2): ASCII. False: the link stays as it is.</summary>
    /// <remarks>
    /// Browsers drop tabs and line ends inside an address and read a backslash as a slash (WHATWG URL §4.4): an address with one of them is
    /// not the same to everybody, and neither is one without a scheme. One with a user name shows another host than it leads to.
    /// </remarks>
    public static bool TryRead(string? href, [NotNullWhen(true)] out string? target)
    {
        target = null;
        var text = href?.Trim(' ', '\t', '\n', '\r', '\f') ?? "";
        var scheme = text.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? 8
            : text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? 7 : 0;
        if (scheme == 0 || text.Length > TrackingTokens.MaxTargetBytes)
            return false;
        foreach (var c in text)
            if (c <= ' ' || c == '\\' || char.IsControl(c) || char.IsWhiteSpace(c) || char.IsSurrogate(c) && !IsPaired(text))
                return false;
        var end = text.AsSpan(scheme).IndexOfAny('/', '?', '#');
        var host = end < 0 ? text.AsSpan(scheme) : text.AsSpan(scheme, end);
        if (host.IsEmpty || host.Contains('@') || host.ContainsAnyExceptInRange('!', '~')
            || !Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Host.Length == 0)
            return false;
        target = Ascii(text);
        return target.Length <= TrackingTokens.MaxTargetBytes;
    }

    static bool IsPaired(string text)
    {
        for (var i = 0; i < text.Length; i++)
            if (char.IsSurrogate(text[i]) && (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[++i])))
                return false;
        return true;
    }

    /// <summary>As browsers send it (WHATWG URL §1.3): other characters as percent-encoded UTF-8.</summary>
    static string Ascii(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange('!', '~'))
            return text;
        var ascii = new StringBuilder(text.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(text))
            if (b is > 0x20 and < 0x7f)
                ascii.Append((char)b);
            else
                ascii.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        return ascii.ToString();
    }
}
