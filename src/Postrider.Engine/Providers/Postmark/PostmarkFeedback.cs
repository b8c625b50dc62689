using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Postmark;

/// <summary>Reads Postmark's webhooks: one event a call. They are not signed.</summary>
/// <remarks>
/// The proof is <c>callback_key</c>, as the password of Basic authentication in the webhook's URL or in a header <c>X-Callback-Key</c> set
/// on the webhook; without one the secret path of the callback is all there is. Nothing is ever answered with 403: Postmark would stop for
/// good.
/// </remarks>
public sealed class PostmarkFeedback : IFeedbackReader
{
    public string Vendor => "postmark";

    public ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now, CancellationToken ct) =>
        ValueTask.FromResult(Read(call, settings.Options.GetValueOrDefault("callback_key")));

    /// <param name="key">Null when none is asked for.</param>
    public static FeedbackReading Read(InboundCall call, string? key)
    {
        if (key is not null && !CallbackText.IsSecret(CallbackText.Basic(call.Header("Authorization"))?.Password, key)
            && !CallbackText.IsSecret(call.Header("X-Callback-Key"), key))
            return new FeedbackReading.Refused(401, "the callback key is missing or wrong");
        return CallbackText.ReadEvent(call, Event);
    }

    /// <summary>Null when it has no kind or no time.</summary>
    static FeedbackEvent? Event(JsonElement item)
    {
        if (item.Text("RecordType") is not { } type)
            return null;
        var at = type switch
        {
            "Delivery" => item.Instant("DeliveredAt"),
            "Bounce" or "SpamComplaint" => item.Instant("BouncedAt"),
            "Open" or "Click" => item.Instant("ReceivedAt"),
            "SubscriptionChange" => item.Instant("ChangedAt"),
            _ => item.Instant("ReceivedAt") ?? item.Instant("ChangedAt") ?? DateTimeOffset.UnixEpoch,
        };
        if (at is not { } time)
            return null;
        var message = item.Text("MessageID");
        var address = item.Text("Recipient") ?? item.Text("Email");
        return new FeedbackEvent
        {
            Kind = KindOf(type, item),
            Type = type is "Bounce" ? $"Bounce/{item.Text("Type")}" : type,
            Key = item.Member("ID") is { ValueKind: JsonValueKind.Number } number
                ? $"{type}/{number.GetRawText()}" : $"{type}/{message}/{address}/{time:O}",
            CarriedId = item.Member("Metadata").Text(CarriedId.Name),
            ProviderId = message,
            Address = address,
            At = time,
            Reply = CallbackText.ReplyOf(item.Text("Details") is { Length: > 0 } details ? details : item.Text("Description")),
            Suppressed = SuppressedBy(type, item),
            Url = item.Text("OriginalLink"),
            UserAgent = item.Text("UserAgent"),
            Ip = item.Member("Geo").Text("IP"),
        };
    }

    static FeedbackKind KindOf(string type, JsonElement item) => type switch
    {
        "Delivery" => FeedbackKind.Delivered,
        "Bounce" => OfBounce(item.Text("Type")),
        "SpamComplaint" => FeedbackKind.Complained,
        "Open" => FeedbackKind.Opened,
        "Click" => FeedbackKind.Clicked,
        "SubscriptionChange" => item.Member("SuppressSending").ValueKind switch
        {
            JsonValueKind.False => FeedbackKind.Resubscribed,
            // A bounce or a complaint that suppressed it is reported for itself.
            JsonValueKind.True when item.Text("SuppressionReason") is null or "ManualSuppression" => FeedbackKind.Unsubscribed,
            _ => FeedbackKind.Other,
        },
        _ => FeedbackKind.Other,
    };

    /// <summary>By name: one official text has other numbers.</summary>
    static FeedbackKind OfBounce(string? type) => type switch
    {
        "HardBounce" or "BadEmailAddress" => FeedbackKind.BouncedHard,
        "SoftBounce" or "DnsError" or "Unknown" => FeedbackKind.BouncedSoft,
        "Transient" => FeedbackKind.Deferred, // Postmark goes on trying
        "Blocked" or "SpamNotification" or "DMARCPolicy" or "VirusNotification" => FeedbackKind.Blocked,
        "SpamComplaint" => FeedbackKind.Complained,
        "Unsubscribe" => FeedbackKind.Unsubscribed,
        "ManuallyDeactivated" or "Unconfirmed" or "SMTPApiError" or "TemplateRenderingFailed" => FeedbackKind.Rejected,
        _ => FeedbackKind.Other,
    };

    static string? SuppressedBy(string type, JsonElement item) => type == "SubscriptionChange" ? item.Text("SuppressionReason")
        : item.Member("Inactive").ValueKind == JsonValueKind.True ? item.Text("Type") ?? type : null;
}
