using System.Security.Cryptography;
using System.Text.Json;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>A message as SendGrid takes it: one part that messages of a batch share, and its own personalizations.</summary>
/// <remarks>The visible To and Cc are the envelope here, so a message that addresses several people is one personalization with all of
/// them.</remarks>
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
        envelope,
        JsonSerializer.SerializeToUtf8Bytes(SharedPart(envelope.Content), SendGridJson.Plain.SendGridMail),
        CopiesOf(envelope, envelope.Recipients));

    /// <summary>The same message for some of its recipients.</summary>
    public SendGridEntry For(IReadOnlyList<MessageRecipient> recipients) =>
        new(Envelope with { Recipients = recipients }, Shared, CopiesOf(Envelope, recipients));

    static SendGridMail SharedPart(MessageContent content) => new()
    {
        From = Address(content.From),
        ReplyTo = content.ReplyTo is [var only] ? Address(only) : null,
        ReplyToList = content.ReplyTo.Count > 1 ? [.. content.ReplyTo.Select(Address)] : null,
        Subject = content.Subject,
        Content = [.. Contents(content)],
        Attachments = content.Attachments.Count == 0 ? null : [.. content.Attachments.Select(Attachment)],
        // "You must ensure these are properly encoded if they contain unicode characters" (SendGrid's API reference).
        Headers = content.Headers.Count == 0 ? null
            : content.Headers.ToDictionary(header => header.Name, string? (header) => HeaderText.ToAscii(header.Value)),
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

    static List<SendGridCopy> CopiesOf(OutgoingEnvelope envelope, IReadOnlyList<MessageRecipient> recipients) =>
        [.. AddressedCopy.Of(envelope, recipients).Select(copy => new SendGridCopy(copy))];

    /// <summary>Null for none: the field is left out.</summary>
    internal static SendGridAddress[]? Addresses(IReadOnlyList<MessageRecipient> recipients) =>
        recipients.Count == 0 ? null : [.. recipients.Select(recipient => Address(recipient.Mailbox))];
}

/// <summary>One personalization.</summary>
sealed class SendGridCopy(AddressedCopy copy)
{
    /// <summary>Who stands in <c>to</c>, <c>cc</c> and <c>bcc</c>, in the order of the lists: errors name recipients by their
    /// place.</summary>
    public AddressedCopy Shown => copy;

    public byte[] Json { get; } = JsonSerializer.SerializeToUtf8Bytes(new SendGridPersonalization
    {
        To = SendGridEntry.Addresses(copy.To),
        Cc = SendGridEntry.Addresses(copy.Cc),
        Bcc = SendGridEntry.Addresses(copy.Bcc),
        CustomArgs = new() { [CarriedId.Name] = JsonSerializer.SerializeToElement(copy.CarriedId, SendGridJson.Default.String) },
    }, SendGridJson.Plain.SendGridPersonalization);
}
