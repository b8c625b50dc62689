using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Postrider.Mail.Addresses;

/// <summary>Which unusual domains are accepted. The default refuses both, as no mail to them leaves a machine of its own.</summary>
public readonly record struct AddressRules
{
    /// <summary>Accept <c>user@[192.0.2.1]</c> and <c>user@[IPv6:2001:db8::1]</c> (RFC 5321 §4.1.3).</summary>
    public bool AllowIpLiteral { get; init; }

    /// <summary>Accept a domain without a dot, such as <c>localhost</c>.</summary>
    public bool AllowSingleLabelDomain { get; init; }
}

/// <summary>
/// One email address (RFC 5321 Mailbox, RFC 6531 for other scripts), checked when it was made. Two are equal when their local parts are
/// the same, letter by letter, and their domains are the same domain, however written.
/// </summary>
public sealed record EmailAddress
{
    EmailAddress(string localPart, string domain, string asciiDomain, bool localIsAscii, bool quoted, int octets)
    {
        LocalPart = localPart;
        Domain = domain;
        AsciiDomain = asciiDomain;
        NeedsSmtpUtf8 = !localIsAscii;
        NeedsQuotes = quoted;
        Octets = octets;
    }

    /// <summary>What stands before the "@", without quotes and escapes. Its case is kept: only its host knows whether it matters.</summary>
    public string LocalPart { get; }

    /// <summary>What stands after the "@", in lower case; in the script it was given in.</summary>
    public string Domain { get; }

    /// <summary><see cref="Domain"/> as DNS and SMTP know it: with A-labels (<c>xn--…</c>). The same string when it is ASCII.</summary>
    public string AsciiDomain { get; }

    /// <summary>
    /// True when the local part is not ASCII: only servers that offer SMTPUTF8 can take it, there is no other spelling (RFC 6531).
    /// </summary>
    public bool NeedsSmtpUtf8 { get; }

    /// <summary>True when the local part can only be written in quotes.</summary>
    internal bool NeedsQuotes { get; }

    /// <summary>Length on the wire, of what <see cref="ToAscii"/> gives, in UTF-8; at most 254.</summary>
    internal int Octets { get; }

    /// <summary>The address as people write it; the local part in quotes only where it must be.</summary>
    public override string ToString() => $"{WrittenLocalPart}@{Domain}";

    /// <summary>The address for the wire: the domain with A-labels. Not ASCII only where <see cref="NeedsSmtpUtf8"/> says so.</summary>
    public string ToAscii() => $"{WrittenLocalPart}@{AsciiDomain}";

    /// <summary>The local part as it is written in an address, with quotes and escapes where needed.</summary>
    internal string WrittenLocalPart => NeedsQuotes ? AddressSyntax.Quote(LocalPart) : LocalPart;

    /// <summary>Equal local parts, letter by letter, and the same domain.</summary>
    public bool Equals(EmailAddress? other) => other is not null && LocalPart == other.LocalPart && AsciiDomain == other.AsciiDomain;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(LocalPart, AsciiDomain);

    /// <summary>Reads a bare address, without name, angle brackets, comments or surrounding space, under the default rules.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out EmailAddress? address, out AddressFault fault) =>
        TryParse(text, default, out address, out fault);

    /// <summary>Reads a bare address, without name, angle brackets, comments or surrounding space.</summary>
    public static bool TryParse(
        ReadOnlySpan<char> text, AddressRules rules, [NotNullWhen(true)] out EmailAddress? address, out AddressFault fault)
    {
        address = null;
        if (text.IsEmpty)
        {
            fault = AddressFault.Empty;
            return false;
        }
        var at = AddressSyntax.EndOfLocalPart(text, out fault);
        if (fault != AddressFault.None)
            return false;
        if (at == text.Length || text[at] != '@')
        {
            fault = AddressFault.MissingAt;
            return false;
        }
        return TryCreate(text[..at], text[(at + 1)..], rules, out address, out fault);
    }

    /// <summary>
    /// Reads an address that is known to be good, such as a constant. Throws <see cref="FormatException"/> when it is not.
    /// </summary>
    public static EmailAddress Parse(string text) =>
        TryParse(text, out var address, out var fault)
            ? address
            : throw new FormatException($"'{text}' is not an email address: {fault.Describe()}.");

    /// <summary>Makes an address of its two halves as written; the local part still has its quotes.</summary>
    internal static bool TryCreate(
        ReadOnlySpan<char> local,
        ReadOnlySpan<char> domain,
        AddressRules rules,
        [NotNullWhen(true)] out EmailAddress? address,
        out AddressFault fault)
    {
        address = null;
        fault = AddressSyntax.ReadLocalPart(local, out var localPart, out var localOctets, out var quoted);
        if (fault != AddressFault.None)
            return false;
        fault = DomainSyntax.Read(domain, rules, out var written, out var ascii);
        if (fault != AddressFault.None)
            return false;
        var octets = localOctets + 1 + ascii.Length;
        if (octets > AddressSyntax.MaxAddressOctets)
        {
            fault = AddressFault.AddressTooLong;
            return false;
        }
        address = new EmailAddress(localPart, written, ascii, Ascii.IsValid(localPart), quoted, octets);
        return true;
    }
}
