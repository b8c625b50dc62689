using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>What a message that came whole says about itself.</summary>
/// <param name="Content">Complete but for the bytes, which need the message's id.</param>
/// <param name="Senders">Whom it names as having sent it for its author (RFC 5322 §3.6.2): some readers show them first.</param>
sealed record CheckedRaw(
    RawMessage Message, MessageContent Content, IReadOnlyList<MessageRecipient> Recipients, IReadOnlyList<EmailAddress> Senders);

/// <summary>Checks a message that came whole (<see cref="SubmissionRequest.Mime"/>), and reads from its header what the members of other
/// requests say.</summary>
/// <remarks>Strict where a server further on could read something else than we do: in the header's form, in From and in Sender. Lenient in
/// all that is only shown.</remarks>
static class RawCheck
{
    const string Pointer = "/mime";

    /// <summary>Null exactly when faults were added.</summary>
    public static CheckedRaw? Read(SubmissionRequest request, SubmissionOptions options, Faults faults)
    {
        var mime = request.Mime.GetValueOrDefault();
        if (SaysItTwice(request))
        {
            faults.Add(Pointer, "invalid-field",
                "A message that comes whole says itself what it says: leave out subject, text, html, headers, reply_to and attachments.");
            return null;
        }
        if (mime.Length > options.MaxMessageBytes)
        {
            faults.Add(Pointer, "too-large", $"The message has {mime.Length:N0} bytes; at most {options.MaxMessageBytes:N0} are taken.");
            return null;
        }
        if (!WholeMessage.TryRead(mime, MimeLimits.Default, out var message, out var fault))
        {
            var slug = fault switch
            {
                WholeMessageFault.Empty => "no-content",
                WholeMessageFault.BareCr or WholeMessageFault.LineBreak => "header-injection",
                _ => "invalid-mime",
            };
            faults.Add(Pointer, slug, $"The message is refused: {fault.Describe()}.");
            return null;
        }
        if (message!.Bytes.Length > options.MaxMessageBytes)
        {
            faults.Add(Pointer, "too-large", $"The message, its long lines encoded, has {message.Bytes.Length:N0} bytes; "
                + $"at most {options.MaxMessageBytes:N0} are taken.");
            return null;
        }
        var from = From(message.Headers, options.AddressRules, faults);
        var senders = Senders(message.Headers, faults);
        var path = Path(request, from, options.AddressRules, faults);
        var recipients = Recipients(request, message.Headers, options, faults);
        if (from is null || faults.Any)
            return null;
        var content = new MessageContent
        {
            From = from,
            ReplyTo = Shown(message.Headers, "Reply-To", options.AddressRules),
            Subject = Shortened(message.Headers.Find("Subject")?.Text ?? ""),
            ReversePath = path,
        };
        return new CheckedRaw(new RawMessage(message, request.RemovedHeaders), content, recipients, senders);
    }

    static bool SaysItTwice(SubmissionRequest request) =>
        request.Subject is not null || request.Text is not null || request.Html is not null || request.Headers.Count > 0
        || request.ReplyTo.Count > 0 || request.Attachments.Count > 0;

    /// <summary>Exactly one field with exactly one mailbox: with more, readers and filters look at different ones.</summary>
    static Mailbox? From(HeaderBlock headers, AddressRules rules, Faults faults)
    {
        var count = headers.Count("From");
        if (count != 1)
        {
            faults.Add("/from", "invalid-address", count == 0
                ? "The message has no From header." : $"The message has {count} From headers; it must have exactly one.");
            return null;
        }
        if (!headers.TryReadMailboxes("From", rules, out var mailboxes, out var fault))
            faults.Add("/from", "invalid-address", $"The From header is refused: {fault.Describe()}.");
        else if (mailboxes.Count != 1)
            faults.Add("/from", "invalid-address", $"The From header names {mailboxes.Count} senders; it must name exactly one.");
        else
            return mailboxes[0];
        return null;
    }

    /// <summary>Of all fields of that name: whether there may be several is not for us to say, who they are is.</summary>
    static List<EmailAddress> Senders(HeaderBlock headers, Faults faults)
    {
        // Programs write root@localhost there, and nobody answers to it.
        var rules = new AddressRules { AllowIpLiteral = true, AllowSingleLabelDomain = true };
        if (!headers.TryReadMailboxes("Sender", rules, out var mailboxes, out var fault) && fault != AddressFault.Empty)
            faults.Add(Pointer, "invalid-address", $"The Sender header is refused: {fault.Describe()}.");
        return [.. mailboxes.Select(mailbox => mailbox.Address)];
    }

    /// <summary>Null where reports go to the message's own sender.</summary>
    static ReversePath? Path(SubmissionRequest request, Mailbox? from, AddressRules rules, Faults faults)
    {
        if (request.HasEmptyReversePath)
            return new ReversePath(null);
        return request.From is { } given && AddressCheck.Read(given, "/from", rules, faults) is { } path && path.Address != from?.Address
            ? new ReversePath(path.Address) : null;
    }

    /// <summary>Those of the envelope, each as what the headers show him; without an envelope those of the headers.</summary>
    static IReadOnlyList<MessageRecipient> Recipients(
        SubmissionRequest request, HeaderBlock headers, SubmissionOptions options, Faults faults)
    {
        AddressText[] given = [.. request.To, .. request.Cc, .. request.Bcc];
        if (given.Length == 0)
            return FromHeaders(headers, options, faults);
        var to = Names(Shown(headers, "To", options.AddressRules));
        var cc = Names(Shown(headers, "Cc", options.AddressRules));
        var envelope = AddressCheck.Recipients(new SubmissionRequest { To = given }, options, faults);
        var recipients = new List<MessageRecipient>(envelope.Count);
        AddAll(RecipientKind.To, recipient => to.GetValueOrDefault(Spelling(recipient)));
        AddAll(RecipientKind.Cc, recipient => to.ContainsKey(Spelling(recipient)) ? null : cc.GetValueOrDefault(Spelling(recipient)));
        AddAll(RecipientKind.Bcc,
            recipient => to.ContainsKey(Spelling(recipient)) || cc.ContainsKey(Spelling(recipient)) ? null : recipient);
        return recipients;

        // To, then Cc, then Bcc, and each time in the order of the envelope.
        void AddAll(RecipientKind kind, Func<Mailbox, Mailbox?> shownAs)
        {
            foreach (var recipient in envelope)
            {
                if (shownAs(recipient.Mailbox) is { } shown)
                    recipients.Add(new MessageRecipient(recipients.Count, kind, recipient.Mailbox with { Name = shown.Name }));
            }
        }
    }

    static IReadOnlyList<MessageRecipient> FromHeaders(HeaderBlock headers, SubmissionOptions options, Faults faults)
    {
        return AddressCheck.Recipients(
            new SubmissionRequest { To = Texts("To", "/to"), Cc = Texts("Cc", "/cc"), Bcc = Texts("Bcc", "/bcc") }, options, faults);

        AddressText[] Texts(string name, string pointer)
        {
            // "undisclosed-recipients:;" and an empty field are lists without anybody.
            if (headers.TryReadMailboxes(name, options.AddressRules, out var mailboxes, out var fault) || fault == AddressFault.Empty)
                return [.. mailboxes.Select(mailbox => new AddressText(mailbox.Address.ToString(), mailbox.Name, IsAddressOnly: true))];
            faults.Add(pointer, "invalid-address", $"The {name} header is refused: {fault.Describe()}.");
            return [];
        }
    }

    /// <summary>For lists and search; the message keeps all of it.</summary>
    static string Shortened(string subject)
    {
        const int Most = 2_000;
        return subject.Length <= Most ? subject : subject[..(char.IsHighSurrogate(subject[Most - 1]) ? Most - 1 : Most)];
    }

    /// <summary>The mailboxes as far as they can be read: the bytes go out as they are all the same.</summary>
    static IReadOnlyList<Mailbox> Shown(HeaderBlock headers, string name, AddressRules rules)
    {
        headers.TryReadMailboxes(name, rules, out var mailboxes, out _);
        return mailboxes;
    }

    static Dictionary<string, Mailbox> Names(IReadOnlyList<Mailbox> mailboxes)
    {
        var names = new Dictionary<string, Mailbox>(mailboxes.Count, StringComparer.OrdinalIgnoreCase);
        foreach (var mailbox in mailboxes)
            names.TryAdd(Spelling(mailbox), mailbox);
        return names;
    }

    /// <summary>Envelope and header are often written by different hands: capitals tell nobody apart here.</summary>
    static string Spelling(Mailbox mailbox) => mailbox.Address.ToAscii();
}
