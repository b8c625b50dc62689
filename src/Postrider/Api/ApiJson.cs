using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Senders;

namespace Postrider.Api;

/// <summary>How answers are written: snake case, instants in UTC with milliseconds, states as words. Generated at build time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    Converters =
    [
        typeof(InstantConverter), typeof(SnakeCaseEnum<RecipientState>),
        typeof(SnakeCaseEnum<RecipientKind>), typeof(SnakeCaseEnum<MailStream>),
        typeof(SnakeCaseEnum<OutcomeKind>), typeof(SnakeCaseEnum<CircuitPosition>), typeof(SnakeCaseEnum<RouteStrategy>),
        typeof(SnakeCaseEnum<DnsCheckKind>), typeof(SnakeCaseEnum<DnsCheckState>),
    ])]
[JsonSerializable(typeof(SendAnswer))]
[JsonSerializable(typeof(DestinationsAnswer))]
[JsonSerializable(typeof(EmailAnswer))]
[JsonSerializable(typeof(EmailListAnswer))]
[JsonSerializable(typeof(EmailRefAnswer))]
[JsonSerializable(typeof(BatchStatusAnswer))]
[JsonSerializable(typeof(BatchChangeAnswer))]
[JsonSerializable(typeof(StatsAnswer))]
[JsonSerializable(typeof(TokenAnswer))]
[JsonSerializable(typeof(TokenStatusAnswer))]
[JsonSerializable(typeof(NewKeyAnswer))]
[JsonSerializable(typeof(KeyListAnswer))]
[JsonSerializable(typeof(TransportListAnswer))]
[JsonSerializable(typeof(TransportTestAnswer))]
[JsonSerializable(typeof(RouteListAnswer))]
[JsonSerializable(typeof(PauseListAnswer))]
[JsonSerializable(typeof(QuarantineAnswer))]
[JsonSerializable(typeof(DomainAnswer))]
[JsonSerializable(typeof(DomainListAnswer))]
[JsonSerializable(typeof(InboxAnswer))]
[JsonSerializable(typeof(ClearedAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(StartAnswer))]
[JsonSerializable(typeof(ProblemListAnswer))]
sealed partial class ApiJson : JsonSerializerContext
{
    /// <summary>What answers are written with: "&lt;" and "+" as they are. It is JSON, and never put into a page.</summary>
    public static ApiJson Written =>
        // When first asked for: the generated part of the class is not made before this one.
        field ??= new ApiJson(new JsonSerializerOptions(Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}

/// <summary>RFC 3339 in UTC with milliseconds: <c>2026-01-31T09:30:00.000Z</c>.</summary>
sealed class InstantConverter : JsonConverter<DateTimeOffset>
{
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.GetDateTimeOffset();

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options)
    {
        Span<byte> text = stackalloc byte[24];
        value.UtcDateTime.TryFormat(text, out var length, Format, CultureInfo.InvariantCulture);
        writer.WriteStringValue(text[..length]);
    }
}

/// <summary>An enum as its name in snake case.</summary>
sealed class SnakeCaseEnum<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false)
    where T : struct, Enum;
