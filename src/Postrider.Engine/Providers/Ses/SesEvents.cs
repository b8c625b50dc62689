using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>
/// The events of SES inside a notification: of event publishing (<c>eventType</c>) and of the older feedback (<c>notificationType</c>).
/// </summary>
static class SesEvents
{
    public static FeedbackReading.Events Read(SnsMessage message)
    {
        try
        {
            using var document = JsonDocument.Parse(message.Message);
            return Read(document.RootElement, message);
        }
        catch (JsonException)
        {
            // "Successfully validated SNS topic for Amazon SES event publishing." comes as plain text, once.
            var isGreeting = message.Message.StartsWith("Successfully validated", StringComparison.Ordinal);
            return new FeedbackReading.Events([]) { Unreadable = isGreeting ? 0 : 1 };
        }
    }

    static FeedbackReading.Events Read(JsonElement root, SnsMessage message)
    {
        if ((root.Text("eventType") ?? root.Text("notificationType")) is not { } type
            || root.Member("mail") is not { ValueKind: JsonValueKind.Object } mail)
            return new FeedbackReading.Events([]) { Unreadable = 1 };
        var detail = root.Member(type switch
        {
            "Rendering Failure" => "failure",
            "DeliveryDelay" => "deliveryDelay",
            _ => type.ToLowerInvariant(),
        });
        var (kind, recipients) = KindOf(type, detail, mail);
        var occasion = detail.Text("feedbackId") ?? message.MessageId;
        var events = new List<FeedbackEvent>(recipients.Count);
        foreach (var recipient in recipients)
        {
            events.Add(new FeedbackEvent
            {
                Kind = kind,
                Type = type,
                Key = $"{occasion}/{recipient.Address}",
                CarriedId = CarriedIdOf(mail),
                // The older feedback has no tags, and headers only where that was switched on.
                MayLackId = root.Text("eventType") is null,
                ProviderId = mail.Text("messageId"),
                Address = recipient.Address,
                At = detail.Instant("timestamp") ?? detail.Instant("arrivalDate") ?? message.SentAt!.Value,
                Reply = ReplyOf(recipient),
                Suppressed = SuppressionOf(detail),
                Url = detail.Text("link"),
                UserAgent = detail.Text("userAgent"),
                Ip = detail.Text("ipAddress"),
            });
        }
        return new FeedbackReading.Events(events);
    }

    static (FeedbackKind Kind, IReadOnlyList<Concerned> Recipients) KindOf(string type, JsonElement detail, JsonElement mail) => type switch
    {
        "Send" => (FeedbackKind.Accepted, All(mail)),
        "Delivery" => (FeedbackKind.Delivered, Delivered(detail)),
        "DeliveryDelay" => (FeedbackKind.Deferred, Listed(detail, "delayedRecipients")),
        "Bounce" => (BounceOf(detail), Listed(detail, "bouncedRecipients")),
        "Complaint" when SuppressionOf(detail) is not null => (FeedbackKind.Rejected, Listed(detail, "complainedRecipients")),
        // Somebody said that it was not spam after all.
        "Complaint" when detail.Text("complaintFeedbackType") == "not-spam" => (FeedbackKind.Other, Listed(detail, "complainedRecipients")),
        "Complaint" => (FeedbackKind.Complained, Listed(detail, "complainedRecipients")),
        "Reject" => (FeedbackKind.Rejected, All(mail, detail.Text("reason"))),
        "Rendering Failure" => (FeedbackKind.Rejected, All(mail, detail.Text("errorMessage"))),
        "Open" => (FeedbackKind.Opened, OnlyOne(mail)),
        "Click" => (FeedbackKind.Clicked, OnlyOne(mail)),
        "Subscription" => (SubscriptionOf(detail), OnlyOne(mail)),
        _ => (FeedbackKind.Other, OnlyOne(mail)),
    };

    /// <summary>SES has tried again already: also a transient bounce is its last word on this message.</summary>
    static FeedbackKind BounceOf(JsonElement bounce) => (bounce.Text("bounceType"), bounce.Text("bounceSubType")) switch
    {
        _ when SuppressionOf(bounce) is not null => FeedbackKind.Rejected,
        ("Permanent", _) => FeedbackKind.BouncedHard,
        ("Transient", "ContentRejected" or "AttachmentRejected") => FeedbackKind.Blocked,
        _ => FeedbackKind.BouncedSoft,
    };

    static FeedbackKind SubscriptionOf(JsonElement subscription) =>
        subscription.Member("newTopicPreferences").Member("unsubscribeAll").ValueKind switch
        {
            JsonValueKind.True => FeedbackKind.Unsubscribed,
            JsonValueKind.False => FeedbackKind.Resubscribed,
            _ => FeedbackKind.Other,
        };

    static string? SuppressionOf(JsonElement detail) =>
        (detail.Text("bounceSubType") ?? detail.Text("complaintSubType")) is ("Suppressed" or "OnAccountSuppressionList") and { } list
            ? list
            : null;

    static List<Concerned> Delivered(JsonElement delivery) =>
        [.. Strings(delivery, "recipients").Select(address => new Concerned(address, null, delivery.Text("smtpResponse")))];

    static List<Concerned> Listed(JsonElement detail, string list) =>
        detail.Member(list) is { ValueKind: JsonValueKind.Array } items
            ? [.. items.EnumerateArray()
                .Select(item => new Concerned(item.Text("emailAddress"), item.Text("status"), item.Text("diagnosticCode")))]
            : [];

    static List<Concerned> All(JsonElement mail, string? words = null) =>
        [.. Strings(mail, "destination").Select(address => new Concerned(address, null, words))];

    /// <summary>These events do not say who it was: only a message to one recipient tells.</summary>
    static List<Concerned> OnlyOne(JsonElement mail) =>
        [new Concerned(Strings(mail, "destination").ToList() is [var only] ? only : null, null, null)];

    static string? CarriedIdOf(JsonElement mail)
    {
        if (Strings(mail.Member("tags"), CarriedId.Name).FirstOrDefault() is { } tag)
            return tag;
        if (mail.Member("headers") is not { ValueKind: JsonValueKind.Array } headers)
            return null;
        return headers.EnumerateArray()
            .Where(header => string.Equals(header.Text("name"), SesProvider.IdHeader, StringComparison.OrdinalIgnoreCase))
            .Select(header => header.Text("value")).FirstOrDefault();
    }

    /// <summary>"smtp; 550 5.1.1 …" (RFC 3464 §2.3.6) or "250 OK".</summary>
    static Reply? ReplyOf(Concerned recipient)
    {
        var words = recipient.Words?.Trim();
        if (words?.StartsWith("smtp;", StringComparison.OrdinalIgnoreCase) == true)
            words = words["smtp;".Length..].TrimStart();
        return CallbackText.ReplyOf(words, enhanced: recipient.Status);
    }

    static IEnumerable<string> Strings(JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Array } items
            ? items.EnumerateArray().Select(CallbackText.TextOf).OfType<string>()
            : [];

    /// <summary>Whom an event is about, and what was said of it.</summary>
    readonly record struct Concerned(string? Address, string? Status, string? Words);
}
