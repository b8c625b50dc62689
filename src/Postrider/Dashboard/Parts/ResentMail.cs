using Postrider.Api;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail that was sent, to be handed over anew: the same content to the same recipients, as a message of its own.</summary>
static class ResentMail
{
    /// <param name="route">Null: as the rules say now.</param>
    public static SubmissionRequest Of(MessageView view, MessageContent content, string? route)
    {
        var terms = new SubmissionRequest
        {
            Tags = view.Tags,
            Metadata = view.Metadata,
            Stream = ApiJson.Word(view.Stream),
            Route = route,
            Track = new TrackRequest(content.Track.Opens, content.Track.Clicks, content.Track.Text),
        };
        // What came whole goes as it came; whom it goes to is said beside it, for its blind copies are not in it.
        if (content.Mime is { } mime)
            return terms with
            {
                From = content.MailFrom is { } path ? Written(path.ToString(), null) : null,
                HasEmptyReversePath = content.MailFrom is null,
                To = [.. view.Recipients.Select(recipient => Written(recipient.Mailbox.Address.ToString(), null))],
                Mime = mime,
                Track = null,
            };
        return terms with
        {
            From = Written(content.From),
            To = Of(view, RecipientKind.To),
            Cc = Of(view, RecipientKind.Cc),
            Bcc = Of(view, RecipientKind.Bcc),
            ReplyTo = [.. content.ReplyTo.Select(Written)],
            Subject = content.Subject,
            Text = content.Text,
            Html = content.Html,
            Headers = [.. content.Headers.Select(field => KeyValuePair.Create(field.Name, field.Value))],
            Attachments = [.. content.Attachments.Select(Written)],
        };
    }

    static List<AddressText> Of(MessageView view, RecipientKind kind) =>
        [.. view.Recipients.Where(recipient => recipient.Kind == kind).Select(recipient => Written(recipient.Mailbox))];

    static AddressText Written(Mailbox mailbox) => Written(mailbox.Address.ToString(), mailbox.Name);

    static AddressText Written(string address, string? name) => new(address, name, IsAddressOnly: true);

    static AttachmentText Written(MimeAttachment file) => new(file.FileName, file.ContentType, null, file.ContentId, file.Content)
    {
        Disposition = file.Inline ? "inline" : "attachment",
    };
}
