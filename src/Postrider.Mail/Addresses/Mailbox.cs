using System.Diagnostics.CodeAnalysis;

namespace Postrider.Mail.Addresses;

/// <summary>An address with the name people see (RFC 5322 §3.4).</summary>
public sealed record Mailbox
{
    /// <summary>Throws <see cref="ArgumentException"/> for a name that <see cref="IsName"/> refuses.</summary>
    public Mailbox(string? name, EmailAddress address)
    {
        Name = name;
        Address = address;
    }

    /// <summary>The display name, in any script; null when there is none. An empty one becomes null.</summary>
    public string? Name
    {
        get;
        init
        {
            if (value is not null && !IsName(value, out var fault))
                throw new ArgumentException($"The display name is refused: {fault.Describe()}.", nameof(value));
            field = string.IsNullOrEmpty(value) ? null : value;
        }
    }

    /// <summary>Where the mail goes.</summary>
    public EmailAddress Address { get; init; }

    /// <summary>Whether a text can be a display name: any Unicode text without control characters and line breaks.</summary>
    public static bool IsName(ReadOnlySpan<char> text, out AddressFault fault)
    {
        fault = TextSafety.Find(text, allowTab: false) switch
        {
            TextDanger.None => AddressFault.None,
            TextDanger.LoneSurrogate => AddressFault.LoneSurrogate,
            TextDanger.LineBreak or TextDanger.Control => AddressFault.ControlCharacter,
        };
        return fault == AddressFault.None;
    }

    /// <summary>Makes a mailbox of a name and an address that come apart. A name of nothing but white space is none.</summary>
    public static bool TryCreate(string? name, EmailAddress address, [NotNullWhen(true)] out Mailbox? mailbox, out AddressFault fault)
    {
        mailbox = null;
        if (!IsName(name, out fault))
            return false;
        mailbox = new Mailbox(string.IsNullOrWhiteSpace(name) ? null : name, address);
        return true;
    }

    /// <summary>Reads <c>Name &lt;a@b.example&gt;</c>, <c>&lt;a@b.example&gt;</c> or <c>a@b.example</c> under the default rules.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out Mailbox? mailbox, out AddressFault fault) =>
        TryParse(text, default, out mailbox, out fault);

    /// <summary>
    /// Reads one mailbox: with or without a name, the name quoted or not, with comments, with encoded words (RFC 2047), which are decoded.
    /// </summary>
    public static bool TryParse(
        ReadOnlySpan<char> text, AddressRules rules, [NotNullWhen(true)] out Mailbox? mailbox, out AddressFault fault)
    {
        var reader = new MailboxReader(text, rules);
        fault = reader.ReadOnly(out mailbox);
        return mailbox is not null;
    }

    /// <summary>
    /// The mailbox as people write it, in Unicode; <see cref="TryParse(ReadOnlySpan{char}, out Mailbox?, out AddressFault)"/> reads it
    /// back.
    /// </summary>
    public override string ToString() => Written(Address.ToString());

    /// <summary>As <see cref="ToString"/>, with the domain in ASCII: for peers that know no other.</summary>
    public string ToStringWithAsciiDomain() => Written(Address.ToAscii());

    string Written(string address) =>
        Name is null ? address : MailboxReader.IsPlainPhrase(Name) ? $"{Name} <{address}>" : $"{AddressSyntax.Quote(Name)} <{address}>";
}

/// <summary>Reads lists of mailboxes, as they stand in To, Cc and Reply-To.</summary>
public static class MailboxList
{
    /// <summary>Reads a list under the default rules.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out IReadOnlyList<Mailbox> mailboxes, out AddressFault fault) =>
        TryParse(text, default, out mailboxes, out fault);

    /// <summary>
    /// Reads an address list (RFC 5322 §3.4). The members of groups are listed like the others, their groups' names are dropped; empty
    /// elements between commas are passed over (§4.4). A list without a single mailbox is <see cref="AddressFault.Empty"/>, unless it has
    /// an empty group such as <c>undisclosed-recipients:;</c>.
    /// </summary>
    /// <param name="text">The list, unfolded.</param>
    /// <param name="rules">Which unusual domains pass.</param>
    /// <param name="mailboxes">In the order written; empty when the list is refused.</param>
    /// <param name="fault">Of the first mailbox that is refused.</param>
    public static bool TryParse(ReadOnlySpan<char> text, AddressRules rules, out IReadOnlyList<Mailbox> mailboxes, out AddressFault fault)
    {
        var reader = new MailboxReader(text, rules);
        var list = new List<Mailbox>();
        fault = reader.ReadList(list);
        mailboxes = fault == AddressFault.None ? list : [];
        return fault == AddressFault.None;
    }
}
