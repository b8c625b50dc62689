using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Postrider.Mail.Addresses;

/// <summary>Domains of addresses: host names, international ones (IDNA, UTS 46 non-transitional) and IP literals.</summary>
static class DomainSyntax
{
    /// <summary>RFC 5321 §4.5.3.1.2.</summary>
    const int MaxOctets = 255;

    /// <summary>RFC 1035 §2.3.4.</summary>
    const int MaxLabelOctets = 63;

    const string IPv6Tag = "IPv6:";

    static readonly SearchValues<char> HostName = SearchValues.Create("-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    static readonly SearchValues<char> DottedQuad = SearchValues.Create(".0123456789");
    static readonly IdnMapping Idna = new() { UseStd3AsciiRules = true };

    /// <param name="given">What stands after the "@".</param>
    /// <param name="rules">Which unusual domains pass.</param>
    /// <param name="domain">In lower case, in the script it was given in.</param>
    /// <param name="ascii">With A-labels.</param>
    public static AddressFault Read(ReadOnlySpan<char> given, AddressRules rules, out string domain, out string ascii)
    {
        domain = ascii = "";
        if (given.IsEmpty)
            return AddressFault.DomainEmpty;
        if (given.Length > MaxOctets)
            return AddressFault.DomainTooLong;
        if (given[0] == '[')
            return ReadLiteral(given, rules, out domain, out ascii);
        if (!given.ContainsAnyExcept(HostName))
            domain = ascii = LowerCase(given);
        else if (ReadInternational(given, out domain, out ascii) is not AddressFault.None and var fault)
            return fault;
        return CheckLabels(ascii, rules);
    }

    static string LowerCase(ReadOnlySpan<char> ascii) =>
        string.Create(ascii.Length, ascii, static (lower, given) => Ascii.ToLower(given, lower, out _));

    static AddressFault ReadInternational(ReadOnlySpan<char> given, out string domain, out string ascii)
    {
        domain = ascii = "";
        switch (TextSafety.Find(given, allowTab: false))
        {
            case TextDanger.LineBreak or TextDanger.Control: return AddressFault.ControlCharacter;
            case TextDanger.LoneSurrogate: return AddressFault.LoneSurrogate;
            case TextDanger.None: break;
        }
        foreach (var c in given)
        {
            if (c < 0x80 ? !HostName.Contains(c) : TextSafety.IsInvisible(c))
                return AddressFault.DomainCharacter;
        }
        try
        {
            // The mapping does not lower-case labels that are ASCII already.
            ascii = Idna.GetAscii(given.ToString()).ToLowerInvariant();
            domain = Idna.GetUnicode(ascii);
        }
        catch (ArgumentException)   // the only way IdnMapping says no
        {
            return AddressFault.InternationalDomain;
        }
        return ascii.AsSpan().ContainsAnyExcept(HostName) ? AddressFault.InternationalDomain
            : ascii.Length > MaxOctets ? AddressFault.DomainTooLong
            : AddressFault.None;
    }

    static AddressFault CheckLabels(ReadOnlySpan<char> ascii, AddressRules rules)
    {
        var rest = ascii;
        while (true)
        {
            var dot = rest.IndexOf('.');
            var label = dot < 0 ? rest : rest[..dot];
            if (label.IsEmpty)
                return AddressFault.DomainDots;
            if (label.Length > MaxLabelOctets)
                return AddressFault.LabelTooLong;
            if (label[0] == '-' || label[^1] == '-')
                return AddressFault.LabelHyphen;
            if (dot >= 0)
            {
                rest = rest[(dot + 1)..];
                continue;
            }
            if (!label.ContainsAnyExceptInRange('0', '9'))
                return AddressFault.NumericTopLevel;
            return label.Length == ascii.Length && !rules.AllowSingleLabelDomain ? AddressFault.SingleLabelDomain : AddressFault.None;
        }
    }

    /// <summary>RFC 5321 §4.1.3. General address literals (other tags) are refused: nobody has registered one.</summary>
    static AddressFault ReadLiteral(ReadOnlySpan<char> given, AddressRules rules, out string domain, out string ascii)
    {
        domain = ascii = "";
        if (TextSafety.Find(given, allowTab: false) != TextDanger.None)
            return AddressFault.ControlCharacter;
        if (!rules.AllowIpLiteral)
            return AddressFault.IpLiteral;
        if (given[^1] != ']')
            return AddressFault.IpLiteralMalformed;
        var inside = given[1..^1];
        var isV6 = inside.StartsWith(IPv6Tag, StringComparison.OrdinalIgnoreCase);
        if (!isV6 && (inside.ContainsAnyExcept(DottedQuad) || inside.Count('.') != 3))
            return AddressFault.IpLiteralMalformed;
        var number = isV6 ? inside[IPv6Tag.Length..] : inside;
        if (number.ContainsAny('%', '[', '/') || !IPAddress.TryParse(number, out var ip)
            || ip.AddressFamily != (isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork))
            return AddressFault.IpLiteralMalformed;
        domain = ascii = isV6 ? $"[{IPv6Tag}{ip}]" : $"[{ip}]";
        // The parser takes 010 for octal.
        return isV6 || ip.ToString().AsSpan().SequenceEqual(number) ? AddressFault.None : AddressFault.IpLiteralMalformed;
    }
}
