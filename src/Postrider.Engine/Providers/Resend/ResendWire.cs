using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Providers.Resend;

/// <summary>A message as Resend takes it: the body of <c>POST /emails</c>, an element of <c>POST /emails/batch</c>. As far as we write it:
/// Resend's API as an entrance is our own, which reads all of it.</summary>
sealed record ResendEmail
{
    public required string From { get; init; }

    /// <summary>At most 50, as <see cref="Cc"/> and <see cref="Bcc"/>.</summary>
    public required IReadOnlyList<string> To { get; init; }
    public IReadOnlyList<string>? Cc { get; init; }
    public IReadOnlyList<string>? Bcc { get; init; }
    public IReadOnlyList<string>? ReplyTo { get; init; }
    public required string Subject { get; init; }
    public string? Text { get; init; }
    public string? Html { get; init; }
    public Dictionary<string, string>? Headers { get; init; }
    public IReadOnlyList<ResendAttachment>? Attachments { get; init; }
    public required IReadOnlyList<ResendTag> Tags { get; init; }
}

/// <param name="Content">Base64.</param>
/// <param name="ContentId">With one it is shown in the HTML, without one listed under it.</param>
sealed record ResendAttachment(string Filename, string Content, string ContentType, string? ContentId);

sealed record ResendTag(string Name, string Value);

/// <summary>The answer for one message that was taken.</summary>
sealed record ResendTaken(string? Id);

/// <summary>The answer to a permissive batch: ids of those taken, in order, and the others by their place in the call.</summary>
sealed record ResendBatch(IReadOnlyList<ResendTaken?>? Data, IReadOnlyList<ResendBatchError?>? Errors);

sealed record ResendBatchError(int? Index, string? Message);

/// <summary>The body of every refusal.</summary>
/// <param name="Name">What kind it is: <c>validation_error</c>.</param>
sealed record ResendError(string? Name, string? Message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(ResendEmail))]
[JsonSerializable(typeof(IReadOnlyList<ResendEmail>))]
[JsonSerializable(typeof(ResendTaken))]
[JsonSerializable(typeof(ResendBatch))]
[JsonSerializable(typeof(ResendError))]
sealed partial class ResendJson : JsonSerializerContext
{
    /// <summary>Writes other scripts as they are: half the size, and the bodies go to an API, not into a page.</summary>
    public static ResendJson Plain =>
        field ??= new(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
