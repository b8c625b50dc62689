using System.Buffers;
using System.Text;

namespace Postrider.Mail.Addresses;

/// <summary>The characters and lengths of local parts and display names (RFC 5321 §4.1.2, RFC 5322 §3.2.3, RFC 6531 §3.3).</summary>
static class AddressSyntax
{
    /// <summary>RFC 5321 §4.5.3.1.1, as written on the wire: quotes and escapes count.</summary>
    public const int MaxLocalPartOctets = 64;

    /// <summary>A path is at most 256 octets with its angle brackets (RFC 5321 §4.5.3.1.3).</summary>
    public const int MaxAddressOctets = 254;

    /// <summary>atext and the dot.</summary>
    static readonly SearchValues<char> DotAtom = SearchValues.Create(
        "!#$%&'*+-./0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~");

    static readonly SearchValues<char> QuotesAndEscapes = SearchValues.Create("\"\\");

    /// <summary>
    /// The index behind the local part that <paramref name="text"/> starts with: of the "@" when the address is well formed.
    /// </summary>
    public static int EndOfLocalPart(ReadOnlySpan<char> text, out AddressFault fault)
    {
        fault = AddressFault.None;
        if (text is not ['"', ..])
        {
            var at = text.IndexOf('@');
            return at < 0 ? text.Length : at;
        }
        var end = EndOfQuoted(text);
        if (end < 0 || (end < text.Length && text[end] != '@'))
            fault = AddressFault.LocalPartQuotes;
        return end;
    }

    /// <summary>
    /// The index behind the closing quote of the quoted string that <paramref name="text"/> starts with; -1 when it is not closed.
    /// </summary>
    public static int EndOfQuoted(ReadOnlySpan<char> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                return i + 1;
        }
        return -1;
    }

    /// <param name="written">With its quotes, when it has them.</param>
    /// <param name="localPart">Without quotes and escapes.</param>
    /// <param name="octets">Its length on the wire.</param>
    /// <param name="needsQuotes">False also for a quoted local part that needs none: <c>"a"@x.com</c> is <c>a@x.com</c>.</param>
    public static AddressFault ReadLocalPart(ReadOnlySpan<char> written, out string localPart, out int octets, out bool needsQuotes)
    {
        (localPart, octets, needsQuotes) = ("", 0, false);
        if (written.IsEmpty)
            return AddressFault.LocalPartEmpty;
        // Far above any limit: nothing longer is looked at.
        if (written.Length > 4 * MaxLocalPartOctets)
            return AddressFault.LocalPartTooLong;
        var quoted = written[0] == '"';
        var text = quoted ? Unquote(written) : written;
        if (text.ContainsAnyExcept(DotAtom) && CheckUnusual(text, quoted) is not AddressFault.None and var fault)
            return fault;
        needsQuotes = NeedsQuotes(text);
        if (needsQuotes && !quoted)
            return AddressFault.LocalPartDots;
        localPart = text.ToString();
        octets = Encoding.UTF8.GetByteCount(needsQuotes ? Quote(localPart) : localPart);
        return octets > MaxLocalPartOctets ? AddressFault.LocalPartTooLong : AddressFault.None;
    }

    static AddressFault CheckUnusual(ReadOnlySpan<char> text, bool quoted)
    {
        switch (TextSafety.Find(text, allowTab: false))
        {
            case TextDanger.LineBreak or TextDanger.Control: return AddressFault.ControlCharacter;
            case TextDanger.LoneSurrogate: return AddressFault.LoneSurrogate;
            case TextDanger.None: break;
        }
        foreach (var c in text)
        {
            var refused = c < 0x80 ? !quoted && !DotAtom.Contains(c) : TextSafety.IsInvisible(c);
            if (refused)
                return AddressFault.LocalPartCharacter;
        }
        return AddressFault.None;
    }

    static bool NeedsQuotes(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text[0] == '.' || text[^1] == '.' || text.Contains("..", StringComparison.Ordinal))
            return true;
        foreach (var c in text)
        {
            if (c < 0x80 && !DotAtom.Contains(c))
                return true;
        }
        return false;
    }

    /// <summary>The text between the quotes, escapes taken away.</summary>
    public static ReadOnlySpan<char> Unquote(ReadOnlySpan<char> quoted)
    {
        var inner = quoted[1..^1];
        if (!inner.Contains('\\'))
            return inner;
        var text = new StringBuilder(inner.Length);
        for (var i = 0; i < inner.Length; i++)
            text.Append(inner[i] == '\\' && i + 1 < inner.Length ? inner[++i] : inner[i]);
        return text.ToString();
    }

    /// <summary>The text as quoted string (RFC 5322 §3.2.4).</summary>
    public static string Quote(string text)
    {
        if (!text.AsSpan().ContainsAny(QuotesAndEscapes))
            return $"\"{text}\"";
        var quoted = new StringBuilder(text.Length + 4).Append('"');
        foreach (var c in text)
        {
            if (c is '"' or '\\')
                quoted.Append('\\');
            quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }
}
