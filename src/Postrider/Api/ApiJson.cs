using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.DeadLetters;
using Postrider.Doctor;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Routing;
using Postrider.Schedules;
using Postrider.Senders;
using Postrider.Suppression;

namespace Postrider.Api;

/// <summary>How answers are written: snake case, instants in UTC with milliseconds, states as words. Generated at build time.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    Converters =
    [
        typeof(InstantConverter), typeof(SnakeCaseEnum<RecipientState>), typeof(SnakeCaseEnum<SuppressionCause>),
        typeof(SnakeCaseEnum<RecipientKind>), typeof(SnakeCaseEnum<MailStream>),
        typeof(SnakeCaseEnum<OutcomeKind>), typeof(SnakeCaseEnum<CircuitPosition>), typeof(SnakeCaseEnum<RouteStrategy>),
        typeof(SnakeCaseEnum<DnsCheckKind>), typeof(SnakeCaseEnum<DnsCheckState>),
        typeof(SnakeCaseEnum<ScheduleState>), typeof(SnakeCaseEnum<RunState>), typeof(SnakeCaseEnum<AmbiguityPolicy>),
        typeof(SnakeCaseEnum<RedriveAction>), typeof(SnakeCaseEnum<RedriveState>), typeof(SnakeCaseEnum<RetentionKind>),
        typeof(SnakeCaseEnum<ErasureState>), typeof(SnakeCaseEnum<Severity>),
    ])]
[JsonSerializable(typeof(SendAnswer))]
[JsonSerializable(typeof(DestinationsAnswer))]
[JsonSerializable(typeof(EmailAnswer))]
[JsonSerializable(typeof(EmailListAnswer))]
[JsonSerializable(typeof(EmailRefAnswer))]
[JsonSerializable(typeof(BatchStatusAnswer))]
[JsonSerializable(typeof(BatchChangeAnswer))]
[JsonSerializable(typeof(BatchListAnswer))]
[JsonSerializable(typeof(BatchRefAnswer))]
[JsonSerializable(typeof(UploadAnswer))]
[JsonSerializable(typeof(DestinationErrorListAnswer))]
[JsonSerializable(typeof(SuppressionAnswer))]
[JsonSerializable(typeof(SuppressionListAnswer))]
[JsonSerializable(typeof(ListAnswer))]
[JsonSerializable(typeof(ListListAnswer))]
[JsonSerializable(typeof(ListRecipientsAnswer))]
[JsonSerializable(typeof(StatsAnswer))]
[JsonSerializable(typeof(TokenAnswer))]
[JsonSerializable(typeof(TokenStatusAnswer))]
[JsonSerializable(typeof(NewKeyAnswer))]
[JsonSerializable(typeof(KeyListAnswer))]
[JsonSerializable(typeof(UserAnswer))]
[JsonSerializable(typeof(UserListAnswer))]
[JsonSerializable(typeof(TenantAnswer))]
[JsonSerializable(typeof(NewTenantAnswer))]
[JsonSerializable(typeof(TenantListAnswer))]
[JsonSerializable(typeof(AlertListAnswer))]
[JsonSerializable(typeof(AuditListAnswer))]
[JsonSerializable(typeof(RequestListAnswer))]
[JsonSerializable(typeof(DeadLetterListAnswer))]
[JsonSerializable(typeof(DeadLetterGroupsAnswer))]
[JsonSerializable(typeof(DeadLetterJobAnswer))]
[JsonSerializable(typeof(DeadLetterJobListAnswer))]
[JsonSerializable(typeof(TransportListAnswer))]
[JsonSerializable(typeof(TransportTestAnswer))]
[JsonSerializable(typeof(RouteListAnswer))]
[JsonSerializable(typeof(RouteAnswer))]
[JsonSerializable(typeof(NodeListAnswer))]
[JsonSerializable(typeof(RetentionListAnswer))]
[JsonSerializable(typeof(ErasureAnswer))]
[JsonSerializable(typeof(ErasureListAnswer))]
[JsonSerializable(typeof(PauseListAnswer))]
[JsonSerializable(typeof(QueueAnswer))]
[JsonSerializable(typeof(DrillAnswer))]
[JsonSerializable(typeof(DoctorAnswer))]
[JsonSerializable(typeof(QuarantineAnswer))]
[JsonSerializable(typeof(DomainAnswer))]
[JsonSerializable(typeof(DomainListAnswer))]
[JsonSerializable(typeof(TemplateAnswer))]
[JsonSerializable(typeof(TemplateListAnswer))]
[JsonSerializable(typeof(PreviewAnswer))]
[JsonSerializable(typeof(RenderAnswer))]
[JsonSerializable(typeof(EventListAnswer))]
[JsonSerializable(typeof(ScheduleAnswer))]
[JsonSerializable(typeof(ScheduleListAnswer))]
[JsonSerializable(typeof(OccurrenceListAnswer))]
[JsonSerializable(typeof(ScheduleRunAnswer))]
[JsonSerializable(typeof(ScheduleRunListAnswer))]
[JsonSerializable(typeof(ScheduleReportAnswer))]
[JsonSerializable(typeof(WebhookAnswer))]
[JsonSerializable(typeof(WebhookListAnswer))]
[JsonSerializable(typeof(WebhookTestAnswer))]
[JsonSerializable(typeof(DeliveryAnswer))]
[JsonSerializable(typeof(DeliveryListAnswer))]
[JsonSerializable(typeof(RedeliverAnswer))]
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

    static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>A success of an endpoint.</summary>
    public static JsonHttpResult<T> Answer<T>(T answer, int status = StatusCodes.Status200OK) =>
        TypedResults.Json(answer, Written, statusCode: status);

    /// <summary>JSON that is written by hand, in the same form.</summary>
    public static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> write)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(bytes, Readable))
            write(writer);
        return bytes.WrittenMemory;
    }

    /// <summary><c>TransportThrottled</c> → <c>transport_throttled</c>.</summary>
    public static string Word<T>(T value) where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());
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
