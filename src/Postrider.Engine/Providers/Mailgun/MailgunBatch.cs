using System.Text;
using System.Text.Json;

namespace Postrider.Providers.Mailgun;

/// <summary>Messages that say the same as one call of Mailgun's: each recipient gets a mail of his own, with himself in To.</summary>
/// <remarks>
/// Mailgun makes single mails of a call with <c>recipient-variables</c>, keyed by address, and fills <c>%recipient.name%</c> in; also in
/// <c>v:</c> fields, so each recipient's callbacks have our id of him ("X-Mailgun-Variables substitutions with recipient-variables", its user
/// manual, read in 2026). Its users have seen callbacks with the variable not filled in (django-anymail issue 282, 2022): those are told by
/// address and the id of the call.
/// </remarks>
static class MailgunBatch
{
    /// <summary>What Mailgun fills our id of each recipient in for.</summary>
    public const string IdVariable = $"%recipient.{CarriedId.Name}%";

    /// <param name="entries">At least two that may share a call, no address twice.</param>
    public static MailgunForm Of(IReadOnlyList<MailgunEntry> entries)
    {
        var content = entries[0].Envelope.Content;
        var form = new MailgunForm(
        [
            Encoding.UTF8.GetBytes($"{content.Subject}\n{content.Text}\n{content.Html}"),
            .. content.Attachments.Select(attachment => attachment.Content),
        ]);
        form.AddField("from", content.From.ToStringWithAsciiDomain());
        foreach (var entry in entries)
            form.AddField("to", entry.Envelope.Recipients[0].Mailbox.ToStringWithAsciiDomain());
        form.AddField("subject", content.Subject);
        if (!string.IsNullOrEmpty(content.Text))
            form.AddField("text", content.Text);
        if (!string.IsNullOrEmpty(content.Html))
            form.AddField("html", content.Html);
        if (content.ReplyTo.Count > 0)
            form.AddField("h:Reply-To", string.Join(", ", content.ReplyTo.Select(mailbox => mailbox.ToStringWithAsciiDomain())));
        foreach (var header in content.Headers)
            form.AddField($"h:{header.Name}", header.Value);
        form.AddId(IdVariable);
        form.AddField("recipient-variables", JsonSerializer.Serialize(
            entries.ToDictionary(entry => entry.Address, entry => new Dictionary<string, string>
            {
                [CarriedId.Name] = CarriedId.Of(entry.Envelope),
            }), MailgunJson.Written.DictionaryStringDictionaryStringString));
        foreach (var file in content.Attachments)
            form.AddFile(file.Inline ? "inline" : "attachment", file.FileName, file.ContentType, file.Content.Span);
        return form;
    }
}
