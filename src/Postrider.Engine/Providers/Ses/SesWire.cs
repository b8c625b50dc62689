using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Providers.Ses;

/// <summary>The body of <c>POST /v2/email/outbound-emails</c>, as far as we write or read it.</summary>
sealed record SesEmail
{
    /// <summary>A mailbox; with raw content it may be absent, then the MIME says it.</summary>
    public string? FromEmailAddress { get; init; }

    /// <summary>With raw content the envelope; absent, the MIME says who.</summary>
    public SesDestination? Destination { get; init; }
    public IReadOnlyList<string>? ReplyToAddresses { get; init; }

    /// <summary>Exactly one of its members is set.</summary>
    public SesContent? Content { get; init; }
    public IReadOnlyList<SesTag>? EmailTags { get; init; }
    public string? ConfigurationSetName { get; init; }
}

/// <summary>At most 50 altogether.</summary>
sealed record SesDestination
{
    public IReadOnlyList<string>? ToAddresses { get; init; }
    public IReadOnlyList<string>? CcAddresses { get; init; }
    public IReadOnlyList<string>? BccAddresses { get; init; }
}

sealed record SesContent
{
    public SesRaw? Raw { get; init; }
    public SesSimple? Simple { get; init; }
    public SesTemplate? Template { get; init; }
}

/// <param name="Data">The whole MIME message; base64 on the wire.</param>
sealed record SesRaw(ReadOnlyMemory<byte> Data);

sealed record SesSimple
{
    public SesText? Subject { get; init; }
    public SesBody? Body { get; init; }
    public IReadOnlyList<SesHeader>? Headers { get; init; }
    public IReadOnlyList<SesAttachment>? Attachments { get; init; }
}

sealed record SesBody(SesText? Text, SesText? Html);

sealed record SesText(string? Data, string? Charset = null);

sealed record SesHeader(string? Name, string? Value);

sealed record SesAttachment
{
    /// <summary>Base64 on the wire.</summary>
    public ReadOnlyMemory<byte> RawContent { get; init; }
    public string? FileName { get; init; }
    public string? ContentType { get; init; }

    /// <summary><c>ATTACHMENT</c> or <c>INLINE</c>.</summary>
    public string? ContentDisposition { get; init; }
    public string? ContentId { get; init; }
}

/// <summary>A stored template by name or ARN, or one that comes along.</summary>
sealed record SesTemplate
{
    public string? TemplateName { get; init; }
    public string? TemplateArn { get; init; }
    public SesTemplateContent? TemplateContent { get; init; }

    /// <summary>JSON in a string.</summary>
    public string? TemplateData { get; init; }
    public IReadOnlyList<SesHeader>? Headers { get; init; }
    public IReadOnlyList<SesAttachment>? Attachments { get; init; }
}

sealed record SesTemplateContent(string? Subject, string? Text, string? Html);

sealed record SesTag(string? Name, string? Value);

/// <summary>The body of <c>POST /v2/email/outbound-bulk-emails</c>.</summary>
sealed record SesBulk
{
    public string? FromEmailAddress { get; init; }
    public IReadOnlyList<string>? ReplyToAddresses { get; init; }
    public SesBulkContent? DefaultContent { get; init; }
    public IReadOnlyList<SesBulkEntry>? BulkEmailEntries { get; init; }
    public IReadOnlyList<SesTag>? DefaultEmailTags { get; init; }
}

sealed record SesBulkContent(SesTemplate? Template);

sealed record SesBulkEntry
{
    public SesDestination? Destination { get; init; }
    public IReadOnlyList<SesTag>? ReplacementTags { get; init; }
    public SesReplacement? ReplacementEmailContent { get; init; }
    public IReadOnlyList<SesHeader>? ReplacementHeaders { get; init; }
}

sealed record SesReplacement(SesReplacementTemplate? ReplacementTemplate);

/// <param name="ReplacementTemplateData">JSON in a string.</param>
sealed record SesReplacementTemplate(string? ReplacementTemplateData);

sealed record SesSent(string? MessageId);

sealed record SesBulkResult(IReadOnlyList<SesBulkItem> BulkEmailEntryResults);

sealed record SesBulkItem(string Status, string? Error, string? MessageId);

/// <summary>The body of a refusal; the type may also stand in the header <c>x-amzn-errortype</c>.</summary>
sealed record SesErrorBody
{
    [JsonPropertyName("__type")]
    public string? Type { get; init; }

    [JsonPropertyName("code")]
    public string? Code { get; init; }

    [JsonPropertyName("message")]
    public string? Message { get; init; }

    /// <summary>Some of the services in front write it so.</summary>
    [JsonPropertyName("Message")]
    public string? MessageInCapitals { get; init; }
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(SesEmail))]
[JsonSerializable(typeof(SesBulk))]
[JsonSerializable(typeof(SesSent))]
[JsonSerializable(typeof(SesBulkResult))]
[JsonSerializable(typeof(SesErrorBody))]
sealed partial class SesJson : JsonSerializerContext
{
    /// <summary>Writes base64 and other scripts as they are: the default would escape every <c>+</c>.</summary>
    public static SesJson Plain =>
        field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
