using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Providers.Postmark;

/// <summary>A message as Postmark takes it: the body of <c>POST /email</c>, an element of <c>POST /email/batch</c>. What is not here is
/// ignored.</summary>
sealed record PostmarkMail
{
    public string? From { get; init; }

    /// <summary>A list with commas (RFC 5322), as <see cref="Cc"/>, <see cref="Bcc"/> and <see cref="ReplyTo"/> are; 50 in all.</summary>
    public string? To { get; init; }
    public string? Cc { get; init; }
    public string? Bcc { get; init; }
    public string? ReplyTo { get; init; }
    public string? Subject { get; init; }
    public string? TextBody { get; init; }
    public string? HtmlBody { get; init; }
    public IReadOnlyList<PostmarkHeader>? Headers { get; init; }
    public IReadOnlyList<PostmarkAttachment>? Attachments { get; init; }
    public string? Tag { get; init; }
    public Dictionary<string, string>? Metadata { get; init; }

    /// <summary>Null is <c>outbound</c>.</summary>
    public string? MessageStream { get; init; }
    public long? TemplateId { get; init; }
    public string? TemplateAlias { get; init; }
    public JsonElement? TemplateModel { get; init; }
}

sealed record PostmarkHeader(string? Name, string? Value);

/// <param name="Content">Base64.</param>
/// <param name="ContentID"><c>cid:x</c>; with one it is shown in the HTML, without one listed under it. There is no other word for that
/// here.</param>
sealed record PostmarkAttachment(string? Name, string? Content, string? ContentType, string? ContentID = null);

/// <summary>The body of <c>POST /email/batchWithTemplates</c>.</summary>
sealed record PostmarkTemplateBatch(IReadOnlyList<PostmarkMail?>? Messages);

/// <summary>The answer for one message, good or bad.</summary>
sealed record PostmarkResult
{
    public string? To { get; init; }
    public string? Cc { get; init; }
    public string? Bcc { get; init; }

    /// <summary>ISO 8601 with seven digits and an offset, as the .NET SDK reads it.</summary>
    public string? SubmittedAt { get; init; }
    public string? MessageID { get; init; }

    /// <summary>0 is success; a result without it is none of Postmark's.</summary>
    public int? ErrorCode { get; init; }
    public string? Message { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNameCaseInsensitive = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(PostmarkMail))]
[JsonSerializable(typeof(IReadOnlyList<PostmarkMail>))]
[JsonSerializable(typeof(PostmarkTemplateBatch))]
[JsonSerializable(typeof(PostmarkResult))]
[JsonSerializable(typeof(IReadOnlyList<PostmarkResult>))]
sealed partial class PostmarkJson : JsonSerializerContext
{
    /// <summary>Writes other scripts as they are: half the size, and the bodies go to an API, not into a page.</summary>
    public static PostmarkJson Plain =>
        field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
