using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>From a mail in SendGrid's shape, already found good by <see cref="SendGridRules"/>, to submissions: one for each
/// personalization.</summary>
static class SendGridSubmissions
{
    public static IReadOnlyList<DialectSubmission> Of(SendGridMail mail)
    {
        var (text, html, further) = Contents(mail);
        List<AttachmentText> attachments = [.. (mail.Attachments ?? []).Select(Attachment), .. further];
        var filling = new Filling();
        List<DialectSubmission> submissions =
            [.. mail.Personalizations!.Select(personalization => Submission(mail, personalization, text, html, attachments, filling))];
        return filling.Fault is { } fault ? [.. submissions.Select(submission => submission with { Fault = fault })] : submissions;
    }

    static DialectSubmission Submission(
        SendGridMail mail, SendGridPersonalization personalization, string? text, string? html, IReadOnlyList<AttachmentText> attachments,
        Filling filling)
    {
        var subject = personalization.Subject is { Length: > 0 } own ? own : mail.Subject;
        var request = new SubmissionRequest
        {
            From = Address(personalization.From ?? mail.From!),
            To = Addresses(personalization.To),
            Cc = Addresses(personalization.Cc),
            Bcc = Addresses(personalization.Bcc),
            ReplyTo = mail.ReplyTo is { } replyTo ? [Address(replyTo)] : Addresses(mail.ReplyToList),
            Subject = Substitute(subject, personalization.Substitutions, filling),
            Text = Substitute(text, personalization.Substitutions, filling),
            Html = Substitute(html, personalization.Substitutions, filling),
            Headers = [.. Merge(mail.Headers, personalization.Headers)
                .Select(header => KeyValuePair.Create(header.Key, HeaderText.Decode(header.Value!)))],
            Attachments = attachments,
            Tags = mail.Categories ?? [],
            Metadata = [.. Merge(mail.CustomArgs, personalization.CustomArgs)
                .Select(argument => new MetadataEntry(argument.Key, TextOf(argument.Value)))],
            SendAt = (personalization.SendAt ?? mail.SendAt) is { } seconds and > 0 && UnixSeconds.TryRead(seconds, out var at)
                ? at.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)
                : null,
        };
        return new DialectSubmission(request)
        {
            Template = string.IsNullOrEmpty(mail.TemplateId) ? null
                : new DialectTemplate { Name = mail.TemplateId, Subject = subject, Data = personalization.DynamicTemplateData ?? default },
        };
    }

    /// <summary>text/plain and text/html are the bodies; other kinds (an invitation as text/calendar) travel as attachments. AMP has no
    /// place with us.</summary>
    static (string? Text, string? Html, IReadOnlyList<AttachmentText> Further) Contents(SendGridMail mail)
    {
        string? text = null, html = null;
        var further = new List<AttachmentText>();
        foreach (var content in mail.Content ?? [])
        {
            var type = content.Type!.Split(';')[0].Trim().ToLowerInvariant();
            if (type == "text/plain" && text is null)
                text = content.Value;
            else if (type == "text/html" && html is null)
                html = content.Value;
            else if (type is not ("text/plain" or "text/html" or "text/x-amp-html"))
            {
                var name = type == "text/calendar" ? "invite.ics" : "part";
                further.Add(new AttachmentText(name, content.Type, null, null, Encoding.UTF8.GetBytes(content.Value!)));
            }
        }
        return (text, html, further);
    }

    static AttachmentText Attachment(SendGridAttachment attachment) =>
        new(attachment.Filename, attachment.Type, attachment.Content, attachment.ContentId ?? attachment.ContentIdOfNode)
        {
            Disposition = attachment.Disposition is "inline" ? "inline" : "attachment",
        };

    static AddressText Address(SendGridAddress? address) => new((address?.Email ?? "").Trim(), address?.Name, IsAddressOnly: true);

    static AddressText[] Addresses(IReadOnlyList<SendGridAddress>? addresses) => [.. (addresses ?? []).Select(Address)];

    /// <summary>Letter by letter, the longest first.</summary>
    static string? Substitute(string? text, Dictionary<string, string?>? substitutions, Filling filling)
    {
        if (text is null || substitutions is null)
            return text;
        var keys = substitutions.Keys.Where(key => key.Length > 0).OrderByDescending(key => key.Length).Select(Regex.Escape).ToList();
        const RegexOptions Options = RegexOptions.NonBacktracking | RegexOptions.CultureInvariant;
        return keys.Count == 0
            ? text : filling.Fill(text, new Regex(string.Join('|', keys), Options), match => substitutions[match.Value] ?? "");
    }

    /// <summary>Those of the personalization win, in the place where the others had them.</summary>
    static Dictionary<string, T> Merge<T>(Dictionary<string, T>? all, Dictionary<string, T>? own)
    {
        var merged = new Dictionary<string, T>(all ?? []);
        foreach (var (name, value) in own ?? [])
            merged[name] = value;
        return merged;
    }

    /// <summary>Text that is none (half a surrogate pair) stays as it was written.</summary>
    static string TextOf(JsonElement value) => CallbackText.TextOf(value) ?? value.GetRawText();
}
