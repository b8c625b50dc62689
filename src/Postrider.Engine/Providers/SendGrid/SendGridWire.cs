using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Providers.SendGrid;

/// <summary>The body of <c>POST /v3/mail/send</c>, as far as we write or read it. What is not here is ignored, as SendGrid's own options
/// are many.</summary>
sealed record SendGridMail
{
    public IReadOnlyList<SendGridPersonalization>? Personalizations { get; init; }
    public SendGridAddress? From { get; init; }
    public SendGridAddress? ReplyTo { get; init; }
    public IReadOnlyList<SendGridAddress>? ReplyToList { get; init; }
    public string? Subject { get; init; }

    /// <summary>text/plain first, then text/html.</summary>
    public IReadOnlyList<SendGridContent>? Content { get; init; }
    public IReadOnlyList<SendGridAttachment>? Attachments { get; init; }

    /// <summary><c>d-…</c> is a dynamic template.</summary>
    public string? TemplateId { get; init; }
    public Dictionary<string, string?>? Headers { get; init; }

    /// <summary>At most 10.</summary>
    public IReadOnlyList<string>? Categories { get; init; }

    /// <summary>Text by contract; numbers and booleans come all the same.</summary>
    public Dictionary<string, JsonElement>? CustomArgs { get; init; }

    /// <summary>Unix seconds.</summary>
    public long? SendAt { get; init; }
    public string? BatchId { get; init; }
    public SendGridMailSettings? MailSettings { get; init; }
}

/// <summary>Who gets a copy of the mail, and what is different in it.</summary>
sealed record SendGridPersonalization
{
    public SendGridAddress? From { get; init; }
    public IReadOnlyList<SendGridAddress>? To { get; init; }
    public IReadOnlyList<SendGridAddress>? Cc { get; init; }
    public IReadOnlyList<SendGridAddress>? Bcc { get; init; }
    public string? Subject { get; init; }
    public Dictionary<string, string?>? Headers { get; init; }

    /// <summary>Replaced in subject and contents, letter by letter.</summary>
    public Dictionary<string, string?>? Substitutions { get; init; }
    public JsonElement? DynamicTemplateData { get; init; }
    public Dictionary<string, JsonElement>? CustomArgs { get; init; }
    public long? SendAt { get; init; }
}

sealed record SendGridAddress(string? Email, string? Name = null);

sealed record SendGridContent(string? Type, string? Value);

sealed record SendGridAttachment
{
    /// <summary>Base64.</summary>
    public string? Content { get; init; }
    public string? Type { get; init; }
    public string? Filename { get; init; }

    /// <summary><c>attachment</c> or <c>inline</c>.</summary>
    public string? Disposition { get; init; }
    public string? ContentId { get; init; }

    /// <summary>What the official Node SDK lets through from its users instead of <see cref="ContentId"/>. Read, never written.</summary>
    [JsonPropertyName("contentId")]
    public string? ContentIdOfNode { get; init; }
}

sealed record SendGridMailSettings(SendGridSwitch? SandboxMode);

sealed record SendGridSwitch(bool? Enable);

/// <summary>The body of every refusal.</summary>
sealed record SendGridErrorBody(IReadOnlyList<SendGridError>? Errors);

/// <param name="Field">Path of the value at fault with dots, such as <c>personalizations.0.to.0.email</c>; null when none is.</param>
sealed record SendGridError(string? Message, string? Field)
{
    /// <summary>Of no use to us, but the SDKs print it, also when it is null.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.Never)]
    public JsonElement? Help { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(SendGridMail))]
[JsonSerializable(typeof(SendGridErrorBody))]
sealed partial class SendGridJson : JsonSerializerContext
{
    /// <summary>Writes other scripts as they are: half the size, and the bodies go to an API, not into a page.</summary>
    public static SendGridJson Plain =>
        field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
