namespace Postrider.Mail.Addresses;

/// <summary>Why an address, a mailbox or a list of mailboxes was refused. <see cref="AddressFaults.Describe"/> says it in words.</summary>
public enum AddressFault
{
    /// <summary>It was not refused.</summary>
    None,

    /// <summary>There is no address at all.</summary>
    Empty,

    /// <summary>No "@" where one must stand.</summary>
    MissingAt,

    /// <summary>A control character, such as CR, LF or NUL, or a separator of lines or paragraphs.</summary>
    ControlCharacter,

    /// <summary>Half of a surrogate pair: no Unicode text.</summary>
    LoneSurrogate,

    /// <summary>Nothing before the "@".</summary>
    LocalPartEmpty,

    /// <summary>More than 64 octets before the "@" (RFC 5321 §4.5.3.1.1).</summary>
    LocalPartTooLong,

    /// <summary>A dot at the start or end of the local part, or two in a row.</summary>
    LocalPartDots,

    /// <summary>A character that the local part may hold only in quotes, or not at all.</summary>
    LocalPartCharacter,

    /// <summary>A quoted local part that is not closed, or with text between the quote and the "@".</summary>
    LocalPartQuotes,

    /// <summary>Nothing after the "@".</summary>
    DomainEmpty,

    /// <summary>More than 255 octets after the "@" (RFC 5321 §4.5.3.1.2).</summary>
    DomainTooLong,

    /// <summary>A character that no host name may hold.</summary>
    DomainCharacter,

    /// <summary>A dot at the start or end of the domain, or two in a row.</summary>
    DomainDots,

    /// <summary>A label of more than 63 octets (RFC 1035 §2.3.4).</summary>
    LabelTooLong,

    /// <summary>A label that starts or ends with a hyphen.</summary>
    LabelHyphen,

    /// <summary>One label only, such as "localhost", where <see cref="AddressRules.AllowSingleLabelDomain"/> is off.</summary>
    SingleLabelDomain,

    /// <summary>The last label is a number: an IP address without brackets.</summary>
    NumericTopLevel,

    /// <summary>IDNA has no A-label form of the domain.</summary>
    InternationalDomain,

    /// <summary>An IP address in brackets, where <see cref="AddressRules.AllowIpLiteral"/> is off.</summary>
    IpLiteral,

    /// <summary>Brackets that hold no IP address.</summary>
    IpLiteralMalformed,

    /// <summary>More than 254 octets in all (RFC 5321 §4.5.3.1.3: a path of 256 with its angle brackets).</summary>
    AddressTooLong,

    /// <summary>A display name with a character that is allowed only inside quotes.</summary>
    NameNeedsQuotes,

    /// <summary>A quoted display name that is not closed.</summary>
    NameQuotes,

    /// <summary>"&lt;" without its "&gt;", or the other way round.</summary>
    AngleBrackets,

    /// <summary>A comment that is not closed.</summary>
    CommentUnclosed,

    /// <summary>Something stands behind the end of the address.</summary>
    TrailingText,

    /// <summary>A group where one mailbox is expected, a group inside a group, or one that is not closed by ";".</summary>
    Group,
}

/// <summary>The words for each <see cref="AddressFault"/>.</summary>
public static class AddressFaults
{
    /// <summary>
    /// What is wrong, as the second half of a sentence a developer can act on: "the local part is longer than 64 octets".
    /// </summary>
    public static string Describe(this AddressFault fault) => fault switch
    {
        AddressFault.None => "nothing is wrong",
        AddressFault.Empty => "there is no address",
        AddressFault.MissingAt => "there is no \"@\" after the local part",
        AddressFault.ControlCharacter => "it contains a control character or a line break",
        AddressFault.LoneSurrogate => "it contains half of a surrogate pair, which is not Unicode text",
        AddressFault.LocalPartEmpty => "the local part (before the \"@\") is empty",
        AddressFault.LocalPartTooLong => "the local part is longer than 64 octets",
        AddressFault.LocalPartDots => "the local part starts or ends with a dot or has two in a row",
        AddressFault.LocalPartCharacter => "the local part contains a character that is not allowed there without quotes",
        AddressFault.LocalPartQuotes => "the quoted local part is not closed right before the \"@\"",
        AddressFault.DomainEmpty => "the domain (after the \"@\") is empty",
        AddressFault.DomainTooLong => "the domain is longer than 255 octets",
        AddressFault.DomainCharacter => "the domain contains a character that is not allowed in host names",
        AddressFault.DomainDots => "the domain starts or ends with a dot or has two in a row",
        AddressFault.LabelTooLong => "a label of the domain is longer than 63 octets",
        AddressFault.LabelHyphen => "a label of the domain starts or ends with a hyphen",
        AddressFault.SingleLabelDomain => "the domain has no dot",
        AddressFault.NumericTopLevel => "the last label of the domain is a number",
        AddressFault.InternationalDomain => "the domain is not a valid international domain name (IDNA)",
        AddressFault.IpLiteral => "an IP address as domain is not allowed here",
        AddressFault.IpLiteralMalformed => "the brackets after the \"@\" do not hold an IP address",
        AddressFault.AddressTooLong => "the address is longer than 254 octets",
        AddressFault.NameNeedsQuotes => "the display name contains a character that needs quotes: write \"the name\" <address>",
        AddressFault.NameQuotes => "the quoted display name is not closed",
        AddressFault.AngleBrackets => "\"<\" and \">\" do not match",
        AddressFault.CommentUnclosed => "a comment in parentheses is not closed",
        AddressFault.TrailingText => "there is text behind the end of the address",
        AddressFault.Group => "a group is not allowed here or is not closed by \";\"",
    };
}
