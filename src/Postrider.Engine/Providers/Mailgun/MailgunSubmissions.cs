using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>From the fields of a Mailgun call to submissions: one, or with recipient variables one for each <c>to</c>.</summary>
static partial class MailgunSubmissions
{
    /// <summary>What Mailgun itself does, with which we have nothing to do: its own way of naming variables.</summary>
    const string VariablesHeader = MailgunForm.VariablesHeader;

    /// <summary>Whether a field counts among the options, whose size is limited.</summary>
    public static bool IsOption(string name) => name.Length > 2 && name[1] == ':' && name[0] is 'o' or 'h' or 'v' or 't';

    /// <summary>Throws <see cref="JsonException"/> for variables that are no JSON object.</summary>
    public static IReadOnlyList<DialectSubmission> Of(IReadOnlyList<FormPart> form)
    {
        var variables = Text(form, "recipient-variables") is { Length: > 0 } json ? JsonElement.Parse(json) : default;
        var to = AddressLists.Read(List(form, "to"));
        var texts = new Texts(Text(form, "from"), Text(form, "subject"), Text(form, "text"), Text(form, "html"));
        if (variables.ValueKind == JsonValueKind.Undefined)
            return [Submission(form, texts, to, null)];
        if (variables.ValueKind != JsonValueKind.Object)
            throw new JsonException("recipient-variables is no object");
        var byAddress = variables.EnumerateObject().GroupBy(entry => entry.Name, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(group => group.Key, group => group.Last().Value, StringComparer.OrdinalIgnoreCase);
        // Too many are refused by their number; not after a message was made for each.
        if (to.Count is 0 or > MailgunDialect.MaxRecipients)
            return [Submission(form, texts, to, null)];
        var filling = new Filling();
        // Duplicates get one message, as at Mailgun.
        List<DialectSubmission> submissions = [.. to.DistinctBy(one => one.Text, StringComparer.OrdinalIgnoreCase)
            .Select(one => Submission(
                form, texts, [one], new Variables(filling, VariablesOf(byAddress.GetValueOrDefault(one.Text), one))))];
        return filling.Fault is { } fault ? [.. submissions.Select(submission => submission with { Fault = fault })] : submissions;
    }

    /// <summary>The message as MIME and whom it goes to. Null when there is no message.</summary>
    public static DialectSubmission? OfMime(IReadOnlyList<FormPart> form)
    {
        var message = form.FirstOrDefault(part => part.Name == "message");
        return message.Name is null ? null : new DialectSubmission(new SubmissionRequest
        {
            To = [.. AddressLists.Read(List(form, "to")).Select(to => to with { Name = null })],
            Tags = Tags(form),
            Metadata = Metadata(form, null),
            SendAt = SendAt(form),
            Mime = message.Value,
            RemovedHeaders = ["X-Mailgun-*"],
        });
    }

    public static bool IsTest(IReadOnlyList<FormPart> form) => Text(form, "o:testmode")?.ToLowerInvariant() is "yes" or "true";

    /// <param name="variables">Of the one recipient; null when the call has none.</param>
    static DialectSubmission Submission(
        IReadOnlyList<FormPart> form, Texts texts, IReadOnlyList<AddressText> to, Variables? variables)
    {
        var headers = form.Where(part => part.Name.StartsWith("h:", StringComparison.OrdinalIgnoreCase))
            .Select(part => KeyValuePair.Create(part.Name[2..], Filled(HeaderText.Decode(part.Text), variables)!)).ToList();
        var request = new SubmissionRequest
        {
            From = Filled(texts.From, variables) is { Length: > 0 } from ? new AddressText(from.Trim()) : null,
            To = to,
            Cc = AddressLists.Read(List(form, "cc")),
            Bcc = AddressLists.Read(List(form, "bcc")),
            ReplyTo = AddressLists.Read(headers.FirstOrDefault(header => Is(header.Key, "Reply-To")).Value),
            Subject = Filled(texts.Subject, variables),
            Text = Filled(texts.Plain, variables),
            Html = Filled(texts.Html, variables),
            Headers = [.. headers.Where(header => !Is(header.Key, "Reply-To") && !Is(header.Key, VariablesHeader))],
            // A part without a file name is dropped, as at Mailgun.
            Attachments = [.. form.Where(part => part is { Name: "attachment" or "inline", FileName: not null }).Select(Attachment)],
            Tags = Tags(form),
            Metadata = Metadata(form, variables),
            SendAt = SendAt(form),
        };
        var data = Text(form, "t:variables") ?? headers.FirstOrDefault(header => Is(header.Key, VariablesHeader)).Value;
        return new DialectSubmission(request)
        {
            Template = Text(form, "template") is { Length: > 0 } name
                ? new DialectTemplate { Name = name, Data = data is null ? default : JsonElement.Parse(data) }
                : null,
        };
    }

    /// <summary>An inline file is shown where the HTML says <c>cid:</c> and its name.</summary>
    static AttachmentText Attachment(FormPart part)
    {
        // Some SDKs call every file so: those are told by their names.
        var type = part.ContentType is null or "application/octet-stream" ? FileTypes.Of(part.FileName) : part.ContentType;
        var id = part.Name == "inline" && MimeAttachment.IsContentId(part.FileName!) ? part.FileName : null;
        return new AttachmentText(part.FileName, type, null, id, part.Value) { Disposition = part.Name };
    }

    /// <summary>What stands behind <c>%recipient.</c>, and the whole of it for <c>%recipient%</c> and <c>%recipient_email%</c>.</summary>
    static Dictionary<string, string> VariablesOf(JsonElement own, AddressText to)
    {
        var variables = own.ValueKind != JsonValueKind.Object ? [] : own.EnumerateObject().GroupBy(value => value.Name)
            .ToDictionary(group => "." + group.Key, group => CallbackText.TextOf(group.Last().Value) ?? group.Last().Value.GetRawText());
        variables[""] = variables["_email"] = to.Text;
        variables["_name"] = to.Name ?? "";
        return variables;
    }

    /// <summary>A variable that is not there becomes nothing.</summary>
    static string? Filled(string? text, Variables? variables) => text is null || variables is null
        ? text : variables.Filling.Fill(text, Variable(), match => variables.Values.GetValueOrDefault(match.Groups[1].Value, ""));

    /// <summary>Decoded once, however many messages have them.</summary>
    sealed record Texts(string? From, string? Subject, string? Plain, string? Html);

    /// <param name="Values">Of one recipient.</param>
    sealed record Variables(Filling Filling, IReadOnlyDictionary<string, string> Values);

    [GeneratedRegex("%recipient((?:\\.[^%\\s]{1,100}|_email|_name)?)%", RegexOptions.CultureInvariant)]
    private static partial Regex Variable();

    static string[] Tags(IReadOnlyList<FormPart> form) =>
        [.. form.Where(part => part.Name == "o:tag").Select(part => part.Text).Distinct()];

    static MetadataEntry[] Metadata(IReadOnlyList<FormPart> form, Variables? variables) =>
        [.. form.Where(part => part.Name.StartsWith("v:", StringComparison.Ordinal))
            .Select(part => new MetadataEntry(part.Name[2..], Filled(part.Text, variables)!))];

    /// <summary>From an RFC 2822 date to ours; what is none is left for the submitter to refuse.</summary>
    static string? SendAt(IReadOnlyList<FormPart> form)
    {
        if (Text(form, "o:deliverytime") is not { Length: > 0 } text)
            return null;
        string[] formats = ["ddd, d MMM yyyy H:mm:ss zzz", "ddd, d MMM yyyy H:mm:ss 'GMT'", "d MMM yyyy H:mm:ss zzz"];
        return DateTimeOffset.TryParseExact(text.Trim(), formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
            ? at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)
            : text;
    }

    static string? Text(IReadOnlyList<FormPart> form, string name)
    {
        var part = form.FirstOrDefault(part => part.Name == name);
        return part.Name is null ? null : part.Text;
    }

    static string List(IReadOnlyList<FormPart> form, string name) =>
        string.Join(", ", form.Where(part => part.Name == name).Select(part => part.Text));

    static bool Is(string a, string b) => a.Equals(b, StringComparison.OrdinalIgnoreCase);
}
