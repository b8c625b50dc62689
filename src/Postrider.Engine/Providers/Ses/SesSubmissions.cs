using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Messages;

namespace Postrider.Providers.Ses;

/// <summary>From SES's shapes to submissions. What it cannot make anything of is told in the words of SES where they are known.</summary>
static class SesSubmissions
{
    /// <summary>SES's own, of one message and of one bulk call.</summary>
    const int MaxRecipients = 50;

    /// <summary>Null when it is refused; then <paramref name="fault"/> says why.</summary>
    public static DialectSubmission? Of(SesEmail email, out string fault)
    {
        fault = "";
        var content = email.Content;
        if (new object?[] { content?.Raw, content?.Simple, content?.Template }.Count(part => part is not null) != 1)
        {
            fault = "Content must have exactly one of Raw, Simple and Template.";
            return null;
        }
        var request = Addressed(email.FromEmailAddress, email.Destination, email.ReplyToAddresses, email.EmailTags);
        if (request.To.Count + request.Cc.Count + request.Bcc.Count > MaxRecipients)
            fault = "Recipient count exceeds 50.";
        else if (content!.Raw is { } raw)
            return Raw(raw, email, out fault);
        else if (request.From is null)
            fault = "Missing required field FromEmailAddress.";
        else if (request.To.Count + request.Cc.Count + request.Bcc.Count == 0)
            fault = "Missing required field Destination.";
        else if (content.Simple is { } simple)
            return Simple(simple, request, out fault);
        else
            return Template(content.Template!, content.Template!.TemplateData, request, out fault);
        return null;
    }

    /// <summary>One message for each entry. Null when the call as a whole is refused.</summary>
    public static IReadOnlyList<DialectSubmission>? Of(SesBulk bulk, out string fault)
    {
        fault = "";
        if (bulk.DefaultContent?.Template is not { } template)
            fault = "Missing required field DefaultContent.Template.";
        else if (bulk.BulkEmailEntries is not { Count: > 0 } || bulk.BulkEmailEntries.Any(entry => entry is null))
            fault = "BulkEmailEntries must have at least one entry.";
        else if (bulk.BulkEmailEntries.Sum(entry => Count(entry.Destination)) > MaxRecipients)
            fault = "Recipient count exceeds 50.";
        else if (bulk.FromEmailAddress is null)
            fault = "Missing required field FromEmailAddress.";
        else
        {
            var submissions = new List<DialectSubmission>(bulk.BulkEmailEntries.Count);
            foreach (var entry in bulk.BulkEmailEntries)
            {
                var request = Addressed(bulk.FromEmailAddress, entry.Destination, bulk.ReplyToAddresses,
                    Merge(bulk.DefaultEmailTags, entry.ReplacementTags));
                var headers = (template.Headers ?? []).Where(header => entry.ReplacementHeaders?.Any(own => Same(own, header)) != true);
                var own = template with { Headers = [.. headers, .. entry.ReplacementHeaders ?? []] };
                var data = entry.ReplacementEmailContent?.ReplacementTemplate?.ReplacementTemplateData;
                if (Template(own, data, request, out fault) is not { } submission)
                    return null;
                submissions.Add(submission);
            }
            return submissions;
        }
        return null;

        static bool Same(SesHeader one, SesHeader other) => string.Equals(one?.Name, other?.Name, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The envelope may be the caller's, apart from what the MIME shows.</summary>
    static DialectSubmission? Raw(SesRaw raw, SesEmail email, out string fault)
    {
        fault = "Content.Raw.Data is empty.";
        if (raw.Data.IsEmpty)
            return null;
        var request = Addressed(email.FromEmailAddress, email.Destination, null, email.EmailTags);
        return new DialectSubmission(request with
        {
            To = [.. request.To, .. request.Cc, .. request.Bcc],
            Cc = [],
            Bcc = [],
            Mime = raw.Data,
            // Instructions to SES; it takes them out too.
            RemovedHeaders = ["X-SES-*"],
        });
    }

    static DialectSubmission? Simple(SesSimple simple, SubmissionRequest request, out string fault)
    {
        fault = $"Missing required field Content.Simple.{(simple.Body is null ? "Body" : "Subject")}.";
        if (simple is not { Subject.Data: not null, Body: not null })
            return null;
        return new DialectSubmission(request with
        {
            Subject = simple.Subject.Data,
            Text = simple.Body.Text?.Data,
            Html = simple.Body.Html?.Data,
            Headers = Headers(simple.Headers),
            Attachments = Attachments(simple.Attachments),
        });
    }

    /// <param name="data">JSON in a string: that of the entry, over that of the template.</param>
    static DialectSubmission? Template(SesTemplate template, string? data, SubmissionRequest request, out string fault)
    {
        fault = "";
        if (template is { TemplateName: null, TemplateArn: null, TemplateContent: null })
            fault = "Template must have one of TemplateName, TemplateArn and TemplateContent.";
        else if (!TryMerge(template.TemplateData, data, out var merged))
            fault = "Template data is not a JSON object.";
        else
        {
            var content = request with { Headers = Headers(template.Headers), Attachments = Attachments(template.Attachments) };
            return new DialectSubmission(content)
            {
                Template = new DialectTemplate
                {
                    // arn:aws:ses:region:account:template/NAME
                    Name = template.TemplateContent is not null ? null : template.TemplateName ?? template.TemplateArn!.Split('/')[^1],
                    Subject = template.TemplateContent?.Subject,
                    Text = template.TemplateContent?.Text,
                    Html = template.TemplateContent?.Html,
                    Data = merged,
                    IsStrict = true,
                },
            };
        }
        return null;
    }

    static SubmissionRequest Addressed(
        string? from, SesDestination? destination, IReadOnlyList<string>? replyTo, IReadOnlyList<SesTag>? tags) => new()
        {
            From = from is null ? null : new AddressText(from),
            To = Addresses(destination?.ToAddresses),
            Cc = Addresses(destination?.CcAddresses),
            Bcc = Addresses(destination?.BccAddresses),
            ReplyTo = Addresses(replyTo),
            Metadata = [.. (tags ?? []).Where(tag => tag?.Name is not null).Select(tag => new MetadataEntry(tag.Name!, tag.Value ?? ""))],
        };

    static AddressText[] Addresses(IReadOnlyList<string>? addresses) =>
        [.. (addresses ?? []).Select(address => new AddressText(address ?? ""))];

    static KeyValuePair<string, string>[] Headers(IReadOnlyList<SesHeader>? headers) =>
        [.. (headers ?? []).Select(header => KeyValuePair.Create(header?.Name ?? "", header?.Value ?? ""))];

    static AttachmentText[] Attachments(IReadOnlyList<SesAttachment>? attachments) =>
        [.. (attachments ?? []).Select(Attachment)];

    static AttachmentText Attachment(SesAttachment? attachment) =>
        new(attachment?.FileName, attachment?.ContentType, null, attachment?.ContentId, attachment?.RawContent ?? default)
        {
            Disposition = attachment?.ContentDisposition is "INLINE" ? "inline" : "attachment",
        };

    static int Count(SesDestination? destination) =>
        (destination?.ToAddresses?.Count ?? 0) + (destination?.CcAddresses?.Count ?? 0) + (destination?.BccAddresses?.Count ?? 0);

    /// <summary>Those of the entry win.</summary>
    static List<SesTag> Merge(IReadOnlyList<SesTag>? all, IReadOnlyList<SesTag>? own) =>
        [.. (all ?? []).Where(tag => own?.Any(other => other?.Name == tag?.Name) != true), .. own ?? []];

    /// <summary>One object out of two, the members of the second over those of the first. Absent texts are empty objects.</summary>
    static bool TryMerge(string? all, string? own, out JsonElement merged)
    {
        merged = default;
        try
        {
            var result = ObjectOf(all);
            foreach (var (name, value) in ObjectOf(own))
                result[name] = value?.DeepClone();
            merged = JsonElement.Parse(result.ToJsonString());
            return true;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException or ArgumentException)
        {
            // No JSON, no object, a member twice, or text that is none.
            return false;
        }
    }

    static JsonObject ObjectOf(string? text) =>
        string.IsNullOrWhiteSpace(text) ? [] : JsonNode.Parse(text)?.AsObject() ?? throw new JsonException();
}
