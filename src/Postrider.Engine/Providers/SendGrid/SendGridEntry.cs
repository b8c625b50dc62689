using System.Security.Cryptography;
using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>A message as SendGrid takes it: one part that messages of a batch share, and its own personalizations.</summary>
/// <remarks>
/// The visible To and Cc are the envelope here, so a message that addresses several people is one personalization with all of them. Recipients who get no To
/// (blind copies alone, or the rest of a message whose others have it already) are their own To, each by itself: nobody sees a blind recipient.
/// </remarks>
sealed class SendGridEntry : CallEntry
{
    readonly string _key;

    SendGridEntry(OutgoingEnvelope envelope, byte[] shared, IReadOnlyList<SendGridCopy> copies) : base(envelope)
    {
        (Shared, Copies) = (shared, copies);
        _key = Convert.ToHexString(SHA256.HashData(shared));
        Bytes = copies.Sum(copy => (long)copy.Json.Length);
    }

    /// <summary>The body of the call without its personalizations: an object, never empty.</summary>
    public byte[] Shared { get; }
    public IReadOnlyList<SendGridCopy> Copies { get; }
    public override object Key => _key;
    public override long Bytes { get; }

    public static SendGridEntry Of(OutgoingEnvelope envelope) => new(
        envelope, JsonSerializer.SerializeToUtf8Bytes(SharedPart(envelope.Content), SendGridJson.Plain.SendGridMail), CopiesOf(envelope, envelope.Recipients));

    /// <summary>The same message for some of its recipients.</summary>
    public SendGridEntry For(IReadOnlyList<MessageRecipient> recipients) =>
        new(Envelope with { Recipients = recipients }, Shared, CopiesOf(Envelope with { Recipients = recipients }, recipients));

    static SendGridMail SharedPart(MessageContent content) => new()
    {
        From = Address(content.From),
        ReplyTo = content.ReplyTo is [var only] ? Address(only) : null,
        ReplyToList = content.ReplyTo.Count > 1 ? [.. content.ReplyTo.Select(Address)] : null,
        Subject = content.Subject,
        Content = [.. Contents(content)],
        Attachments = content.Attachments.Count == 0 ? null : [.. content.Attachments.Select(Attachment)],
        // "You must ensure these are properly encoded if they contain unicode characters" (SendGrid's API reference).
        Headers = content.Headers.Count == 0 ? null : content.Headers.ToDictionary(header => header.Name, header => HeaderText.ToAscii(header.Value)),
    };

    static IEnumerable<SendGridContent> Contents(MessageContent content)
    {
        if (!string.IsNullOrEmpty(content.Text))
            yield return new SendGridContent("text/plain", content.Text);
        if (!string.IsNullOrEmpty(content.Html))
            yield return new SendGridContent("text/html", content.Html);
    }

    static SendGridAttachment Attachment(MimeAttachment attachment) => new()
    {
        Content = Convert.ToBase64String(attachment.Content.Span),
        Type = attachment.ContentType,
        Filename = attachment.FileName,
        Disposition = attachment.Inline ? "inline" : "attachment",
        ContentId = attachment.ContentId,
    };

    static SendGridAddress Address(Mailbox mailbox) => new(mailbox.Address.ToAscii(), mailbox.Name);

    static List<SendGridCopy> CopiesOf(OutgoingEnvelope envelope, IReadOnlyList<MessageRecipient> recipients)
    {
        if (recipients.Any(recipient => recipient.Kind == RecipientKind.To))
            return [Copy(envelope, recipients, shown: RecipientKind.To)];
        var copies = new List<SendGridCopy>();
        if (recipients.Where(recipient => recipient.Kind == RecipientKind.Cc).ToList() is { Count: > 0 } cc)
            copies.Add(Copy(envelope, cc, shown: RecipientKind.Cc));
        foreach (var blind in recipients.Where(recipient => recipient.Kind == RecipientKind.Bcc))
            copies.Add(Copy(envelope, [blind], shown: RecipientKind.Bcc));
        return copies;
    }

    /// <param name="shown">The kind that stands in To.</param>
    static SendGridCopy Copy(OutgoingEnvelope envelope, IReadOnlyList<MessageRecipient> recipients, RecipientKind shown)
    {
        var personalization = new SendGridPersonalization
        {
            To = Of(shown),
            Cc = shown == RecipientKind.To ? Of(RecipientKind.Cc) : null,
            Bcc = shown == RecipientKind.To ? Of(RecipientKind.Bcc) : null,
            CustomArgs = new() { [CarriedId.Name] = JsonSerializer.SerializeToElement(CarriedId.Of(envelope with { Recipients = recipients }), SendGridJson.Default.String) },
        };
        return new SendGridCopy(
            [.. new[] { personalization.To, personalization.Cc, personalization.Bcc }.Select(list => (IReadOnlyList<MessageRecipient>)[.. Matching(list)])],
            JsonSerializer.SerializeToUtf8Bytes(personalization, SendGridJson.Plain.SendGridPersonalization));

        SendGridAddress[]? Of(RecipientKind kind) =>
            recipients.Where(recipient => recipient.Kind == kind).Select(recipient => Address(recipient.Mailbox)).ToArray() is { Length: > 0 } some ? some : null;

        // In the same order as the addresses in the list.
        IEnumerable<MessageRecipient> Matching(IReadOnlyList<SendGridAddress>? list) => ReferenceEquals(list, personalization.To)
            ? recipients.Where(recipient => recipient.Kind == shown)
            : list is null ? [] : recipients.Where(recipient => recipient.Kind == (ReferenceEquals(list, personalization.Cc) ? RecipientKind.Cc : RecipientKind.Bcc));
    }
}

/// <summary>One personalization.</summary>
/// <param name="Lists">Who stands in its <c>to</c>, <c>cc</c> and <c>bcc</c>, in the order of the lists: errors name recipients by their place.</param>
sealed record SendGridCopy(IReadOnlyList<IReadOnlyList<MessageRecipient>> Lists, byte[] Json);
