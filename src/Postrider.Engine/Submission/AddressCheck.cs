using System.Globalization;
using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Reads the addresses of a request.</summary>
static class AddressCheck
{
    /// <summary>RFC 5322 sets no limit; nobody answers to more.</summary>
    const int MaxReplyTo = 25;

    /// <summary>Up to here recipients are compared one by one, beyond it through a set.</summary>
    const int FewRecipients = 8;

    public static Mailbox? Sender(AddressText? from, AddressRules rules, Faults faults)
    {
        if (from is { } text)
            return Read(text, "/from", rules, faults);
        faults.Add("/from", "invalid-address", "The sender is missing: name it in 'from'.");
        return null;
    }

    public static IReadOnlyList<Mailbox> ReplyTo(IReadOnlyList<AddressText> given, AddressRules rules, Faults faults)
    {
        if (given.Count == 0)
            return [];
        if (given.Count > MaxReplyTo)
        {
            faults.Add("/reply_to", "invalid-field", $"At most {MaxReplyTo} addresses to reply to.");
            return [];
        }
        var mailboxes = new List<Mailbox>(given.Count);
        for (var i = 0; i < given.Count; i++)
        {
            if (Read(given[i], "/reply_to", i, rules, faults) is { } mailbox)
                mailboxes.Add(mailbox);
        }
        return mailboxes;
    }

    /// <summary>To, Cc, Bcc in this order, numbered from 0. An address that comes again is dropped: its first place counts,
    /// so somebody in To and Bcc gets one message and is shown in To.</summary>
    public static IReadOnlyList<MessageRecipient> Recipients(SubmissionRequest request, SubmissionOptions options, Faults faults)
    {
        var given = request.To.Count + request.Cc.Count + request.Bcc.Count;
        if (given == 0)
        {
            faults.Add("/to", "no-recipients", "Name at least one recipient in 'to', 'cc' or 'bcc'.");
            return [];
        }
        // Repetitions are dropped only after parsing: far above the limit even that is not worth it.
        if (given > 10 * options.MaxRecipients)
        {
            AddTooMany(given, options, faults);
            return [];
        }
        var recipients = new List<MessageRecipient>(given);
        var seen = given > FewRecipients ? new HashSet<EmailAddress>(given) : null;
        Add(request.To, RecipientKind.To, "/to", recipients, seen, options.AddressRules, faults);
        Add(request.Cc, RecipientKind.Cc, "/cc", recipients, seen, options.AddressRules, faults);
        Add(request.Bcc, RecipientKind.Bcc, "/bcc", recipients, seen, options.AddressRules, faults);
        if (recipients.Count > options.MaxRecipients)
            AddTooMany(recipients.Count, options, faults);
        return recipients;
    }

    /// <summary>Reads one address; null, with a fault, when it is none.</summary>
    public static Mailbox? Read(AddressText text, string pointer, AddressRules rules, Faults faults)
    {
        AddressFault fault;
        if (!text.IsAddressOnly)
        {
            if (Mailbox.TryParse(text.Text, rules, out var whole, out fault))
                return whole;
            faults.Add(pointer, "invalid-address", Describe(text.Text, fault));
            return null;
        }
        if (!EmailAddress.TryParse(text.Text.AsSpan().Trim(' '), rules, out var address, out fault))
        {
            faults.Add($"{pointer}/email", "invalid-address", Describe(text.Text, fault));
            return null;
        }
        if (Mailbox.TryCreate(text.Name, address, out var mailbox, out fault))
            return mailbox;
        faults.Add($"{pointer}/name", fault == AddressFault.ControlCharacter ? "header-injection" : "invalid-address",
            $"The display name is refused: {fault.Describe()}.");
        return null;
    }

    /// <summary>As above, for an element of a list.</summary>
    public static Mailbox? Read(AddressText text, string list, int index, AddressRules rules, Faults faults)
    {
        // The pointer is made only where it is needed: this runs for every recipient of every message.
        if (!text.IsAddressOnly && Mailbox.TryParse(text.Text, rules, out var mailbox, out _))
            return mailbox;
        if (text.IsAddressOnly && EmailAddress.TryParse(text.Text, rules, out var address, out _)
            && Mailbox.TryCreate(text.Name, address, out mailbox, out _))
            return mailbox;
        return Read(text, string.Create(CultureInfo.InvariantCulture, $"{list}/{index}"), rules, faults);
    }

    static void Add(
        IReadOnlyList<AddressText> given, RecipientKind kind, string list,
        List<MessageRecipient> recipients, HashSet<EmailAddress>? seen, AddressRules rules, Faults faults)
    {
        for (var i = 0; i < given.Count; i++)
        {
            if (Read(given[i], list, i, rules, faults) is { } mailbox && IsNew(mailbox.Address, recipients, seen))
                recipients.Add(new MessageRecipient(recipients.Count, kind, mailbox));
        }
    }

    static bool IsNew(EmailAddress address, List<MessageRecipient> recipients, HashSet<EmailAddress>? seen)
    {
        if (seen is not null)
            return seen.Add(address);
        foreach (var recipient in recipients)
        {
            if (recipient.Mailbox.Address.Equals(address))
                return false;
        }
        return true;
    }

    static void AddTooMany(int count, SubmissionOptions options, Faults faults) => faults.Add(
        "", "too-many-recipients",
        $"The message has {count:N0} recipients; at most {options.MaxRecipients:N0} are taken. "
        + "Send one message per destination instead (POST /emails/send).");

    /// <summary>The text is shown back cut and without control characters: it may be anything.</summary>
    static string Describe(string text, AddressFault fault)
    {
        var shown = text.Length <= 100 ? text : text[..100] + "…";
        return $"'{Visible(shown)}' is not an email address: {fault.Describe()}.";
    }

    static string Visible(string text) => string.Create(text.Length, text, static (visible, given) =>
    {
        for (var i = 0; i < given.Length; i++)
        {
            var c = given[i];
            visible[i] = char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029' ? '\ufffd' : c;
        }
    });
}
