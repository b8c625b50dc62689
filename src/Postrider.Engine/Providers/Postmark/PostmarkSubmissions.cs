using System.Globalization;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Postmark;

/// <summary>From a message in Postmark's shape to a submission. What is wrong with it is left to the submitter, who names it by its
/// place.</summary>
static class PostmarkSubmissions
{
    /// <summary>To, Cc and Bcc together, Postmark's own limit.</summary>
    const int MaxRecipients = 50;

    static readonly Problem TooMany = new("too-many-recipients", 422, "Too many recipients",
        "A message has at most 50 recipients: To, Cc and Bcc together.");

    /// <param name="isTemplate">Whether the call is one of those with a template.</param>
    public static DialectSubmission Of(PostmarkMail mail, bool isTemplate)
    {
        var request = new SubmissionRequest
        {
            From = string.IsNullOrWhiteSpace(mail.From) ? null : new AddressText(mail.From.Trim()),
            To = AddressLists.Read(mail.To),
            Cc = AddressLists.Read(mail.Cc),
            Bcc = AddressLists.Read(mail.Bcc),
            ReplyTo = AddressLists.Read(mail.ReplyTo),
            Subject = isTemplate ? null : mail.Subject,
            Text = isTemplate ? null : mail.TextBody,
            Html = isTemplate ? null : mail.HtmlBody,
            Headers = [.. (mail.Headers ?? []).Select(header =>
                KeyValuePair.Create(header?.Name ?? "", HeaderText.Decode(header?.Value ?? "")))],
            Attachments = [.. (mail.Attachments ?? []).Select(Attachment)],
            Tags = string.IsNullOrEmpty(mail.Tag) ? [] : [mail.Tag],
            Metadata = [.. (mail.Metadata ?? []).Select(entry => new MetadataEntry(entry.Key, entry.Value ?? ""))],
            Stream = mail.MessageStream switch
            {
                "outbound" => "transactional",
                "broadcast" or "broadcasts" => "bulk",
                _ => null, // their own names say nothing to us
            },
        };
        return new DialectSubmission(request)
        {
            Fault = request.To.Count + request.Cc.Count + request.Bcc.Count > MaxRecipients ? TooMany : null,
            Template = isTemplate ? Template(mail) : null,
        };
    }

    static DialectTemplate Template(PostmarkMail mail) => new()
    {
        Name = mail.TemplateAlias ?? mail.TemplateId?.ToString(CultureInfo.InvariantCulture) ?? "",
        Data = mail.TemplateModel ?? default,
    };

    /// <summary>The address that a pointer such as <c>/cc/2</c> leads to, as it was written; empty when there is none.</summary>
    public static string AddressAt(PostmarkMail mail, string pointer)
    {
        if (pointer.Split('/') is not ["", var list, var place, ..]
            || !int.TryParse(place, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return "";
        var addresses = AddressLists.Read(list switch { "to" => mail.To, "cc" => mail.Cc, "bcc" => mail.Bcc, _ => mail.ReplyTo });
        return index < addresses.Count ? addresses[index].Text : "";
    }

    static AttachmentText Attachment(PostmarkAttachment? attachment) => new(
        attachment?.Name, attachment?.ContentType, attachment?.Content,
        attachment?.ContentID is { Length: > 0 } id ? id.StartsWith("cid:", StringComparison.OrdinalIgnoreCase) ? id[4..] : id : null);
}
