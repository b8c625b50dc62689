using System.Text.Json.Serialization;

namespace Postrider.Providers.Mailgun;

/// <summary>The body of every answer, good or bad, but for 401, which is plain text.</summary>
/// <param name="Id">Of what was taken, in angle brackets; null for a refusal.</param>
sealed record MailgunAnswer(string? Id, string? Message);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.KebabCaseLower, NumberHandling = JsonNumberHandling.Strict)]
[JsonSerializable(typeof(MailgunAnswer))]
sealed partial class MailgunJson : JsonSerializerContext;
