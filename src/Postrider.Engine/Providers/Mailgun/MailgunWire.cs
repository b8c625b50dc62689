using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Postrider.Providers.Mailgun;

/// <summary>The body of every answer, good or bad, but for 401, which is plain text.</summary>
/// <param name="Id">Of what was taken, in angle brackets; null for a refusal.</param>
sealed record MailgunAnswer(string? Id, string? Message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(MailgunAnswer))]
[JsonSerializable(typeof(Dictionary<string, Dictionary<string, string>>))]
sealed partial class MailgunJson : JsonSerializerContext
{
    /// <summary>With the angle brackets of ids as they are.</summary>
    public static MailgunJson Written =>
        field ??= new MailgunJson(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
