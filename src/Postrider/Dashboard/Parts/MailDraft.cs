using System.Text.Json;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail while it is written.</summary>
public sealed class MailDraft
{
    /// <summary>The field has no seconds: who picks the minute that runs means now.</summary>
    static readonly TimeSpan MinutePicked = TimeSpan.FromMinutes(1);

    public string From { get; set; } = "";
    public string To { get; set; } = "";
    public string Cc { get; set; } = "";
    public string Bcc { get; set; } = "";
    public string ReplyTo { get; set; } = "";
    public string Subject { get; set; } = "";
    public string Text { get; set; } = "";
    public string Html { get; set; } = "";

    /// <summary>A stored template's name; empty: it is written here.</summary>
    public string Template { get; set; } = "";

    /// <summary>Null: the newest.</summary>
    public int? TemplateVersion { get; set; }

    /// <summary>What the template is filled in with: a JSON object, or empty.</summary>
    public string Data { get; set; } = "";
    public string Stream { get; set; } = "transactional";
    public string Route { get; set; } = "";
    public string Tags { get; set; } = "";

    /// <summary>What the viewer's clock shows then.</summary>
    public DateTime? SendAt { get; set; }
    public List<AttachmentText> Files { get; } = [];

    /// <summary>As an entrance reads it; null: <paramref name="problem"/> says why.</summary>
    public SubmissionRequest? ToRequest(TimeZoneInfo zone, DateTimeOffset now, out Problem? problem)
    {
        var data = DataObject(out problem);
        // An entrance takes what is past for now; who chose it by hand meant another time.
        if (SendAt is { } chosen && Times.At(chosen, zone) < now - MinutePicked)
            problem ??= TenantProblems.InvalidField(
                "/send_at", "This time is past. Choose one that is to come, or empty the field to send at once.");
        return problem is not null ? null : new SubmissionRequest
        {
            From = From.Trim().Length > 0 ? new AddressText(From.Trim()) : null,
            To = AddressList.Split(To),
            Cc = AddressList.Split(Cc),
            Bcc = AddressList.Split(Bcc),
            ReplyTo = AddressList.Split(ReplyTo),
            Subject = IsFromTemplate && Subject.Length == 0 ? null : Subject,
            Text = Text.Length > 0 && !IsFromTemplate ? Text : null,
            Html = Html.Length > 0 && !IsFromTemplate ? Html : null,
            Template = IsFromTemplate ? new TemplateUse(Template.Trim()) { Version = TemplateVersion, Data = data } : null,
            Attachments = Files,
            Stream = Stream,
            Route = Route.Length > 0 ? Route : null,
            Tags = TagList,
            SendAt = SendAt is { } at ? Times.Offset(at, zone) : null,
        };
    }

    public bool IsFromTemplate => Template.Trim().Length > 0;

    IReadOnlyList<string> TagList => [.. Tags.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];

    JsonElement DataObject(out Problem? problem) =>
        IsFromTemplate ? TypedJson.Object(Data, "/data", out problem) : Nothing(out problem);

    static JsonElement Nothing(out Problem? problem)
    {
        problem = null;
        return default;
    }

    /// <summary>As schedules keep it: the body of a call. What it had and no field shows stays.</summary>
    /// <param name="before">The body as it was; null: there is none.</param>
    public string? ToBody(string? before, out Problem? problem)
    {
        var data = DataObject(out problem);
        if (problem is not null)
            return null;
        var shown = new HashSet<string>(StringComparer.Ordinal)
        {
            "from", "to", "reply_to", "subject", "text", "plainContent", "html", "template", "data", "stream", "route", "tags", "attachments",
        };
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartObject();
            if (before is not null)
                foreach (var member in JsonElement.Parse(before).EnumerateObject().Where(member => !shown.Contains(member.Name)))
                    member.WriteTo(writer);
            Write(writer, data);
            writer.WriteEndObject();
        }
        return System.Text.Encoding.UTF8.GetString(bytes.ToArray());
    }

    void Write(Utf8JsonWriter writer, JsonElement data)
    {
        void Text(string name, string value)
        {
            if (value.Length > 0)
                writer.WriteString(name, value);
        }

        void Texts(string name, IEnumerable<string> values)
        {
            writer.WriteStartArray(name);
            foreach (var value in values)
                writer.WriteStringValue(value);
            writer.WriteEndArray();
        }

        Text("from", From.Trim());
        Texts("reply_to", AddressList.Split(ReplyTo).Select(address => address.Text));
        Text("subject", Subject);
        if (IsFromTemplate)
        {
            writer.WriteStartObject("template");
            writer.WriteString("id", Template.Trim());
            if (TemplateVersion is { } version)
                writer.WriteNumber("version", version);
            if (data.ValueKind == JsonValueKind.Object)
            {
                writer.WritePropertyName("variables");
                data.WriteTo(writer);
            }
            writer.WriteEndObject();
        }
        else
        {
            Text("text", this.Text);
            Text("html", Html);
        }
        Text("stream", Stream);
        Text("route", Route);
        Texts("tags", TagList);
        writer.WriteStartArray("attachments");
        foreach (var file in Files)
            WriteFile(writer, file);
        writer.WriteEndArray();
    }

    static void WriteFile(Utf8JsonWriter writer, AttachmentText file)
    {
        writer.WriteStartObject();
        foreach (var (name, value) in new[]
        {
            ("filename", file.FileName), ("content_type", file.ContentType),
            ("content", file.Content ?? (file.Bytes is { } bytes ? Convert.ToBase64String(bytes.Span) : null)),
            ("content_id", file.ContentId), ("disposition", file.Disposition), ("url", file.Url),
        })
            if (value is not null)
                writer.WriteString(name, value);
        writer.WriteEndObject();
    }

    /// <summary>What was read from a body, to be changed.</summary>
    public static MailDraft Of(SubmissionRequest request)
    {
        var draft = new MailDraft
        {
            From = request.From is { } from ? Written(from) : "",
            ReplyTo = string.Join(", ", request.ReplyTo.Select(Written)),
            Subject = request.Subject ?? "",
            Text = request.Text ?? "",
            Html = request.Html ?? "",
            Template = request.Template?.Name ?? "",
            TemplateVersion = request.Template?.Version,
            Data = request.Template is { Data.ValueKind: JsonValueKind.Object } use ? TypedJson.Pretty(use.Data) : "",
            Stream = request.Stream ?? "bulk",
            Route = request.Route ?? "",
            Tags = string.Join(", ", request.Tags),
        };
        draft.Files.AddRange(request.Attachments);
        return draft;
    }

    static string Written(AddressText address) =>
        address is { IsAddressOnly: true, Name: { } name } ? $"\"{name.Replace("\"", "", StringComparison.Ordinal)}\" <{address.Text}>" : address.Text;
}
