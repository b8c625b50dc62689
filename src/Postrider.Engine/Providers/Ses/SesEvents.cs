using System.Globalization;
using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Providers.Ses;

/// <summary>The events of SES inside a notification: event publishing (<c>eventType</c>) and the older feedback notifications (<c>notificationType</c>).</summary>
static class SesEvents
{
    public static FeedbackReading.Events Read(SnsMessage message)
    {
        try
        {
            using var document = JsonDocument.Parse(message.Message);
            return document.RootElement.ValueKind == JsonValueKind.Object ? Read(document.RootElement, message) : new FeedbackReading.Events([]) { Unreadable = 1 };
        }
        catch (JsonException)
        {
            // "Successfully validated SNS topic for Amazon SES event publishing." comes as plain text, once.
            return new FeedbackReading.Events([]) { Unreadable = message.Message.StartsWith("Successfully validated", StringComparison.Ordinal) ? 0 : 1 };
        }
    }

    static FeedbackReading.Events Read(JsonElement root, SnsMessage message)
    {
        if ((Text(root, "eventType") ?? Text(root, "notificationType")) is not { } type || Member(root, "mail") is not { } mail)
            return new FeedbackReading.Events([]) { Unreadable = 1 };
        var detail = Member(root, type switch
        {
            "Rendering Failure" => "failure",
            "DeliveryDelay" => "deliveryDelay",
            _ => type.ToLowerInvariant(),
        }) ?? default;
        var (kind, recipients) = KindOf(type, detail, mail);
        var occasion = Text(detail, "feedbackId") ?? message.MessageId;
        var events = new List<FeedbackEvent>(recipients.Count);
        foreach (var recipient in recipients)
        {
            events.Add(new FeedbackEvent
            {
                Kind = kind,
                Type = type,
                Key = $"{occasion}/{recipient.Address}",
                CarriedId = CarriedIdOf(mail),
                ProviderId = Text(mail, "messageId"),
                Address = recipient.Address,
                At = Instant(detail, "timestamp") ?? Instant(detail, "arrivalDate") ?? message.SentAt!.Value,
                Reply = recipient.Words is null && recipient.Status is null ? null : new Reply(CodeOf(recipient.Words), recipient.Status, Line(recipient.Words ?? "")),
                Suppressed = SuppressionOf(detail),
                Url = Text(detail, "link"),
                UserAgent = Text(detail, "userAgent"),
                Ip = Text(detail, "ipAddress"),
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
        "Complaint" when Text(detail, "complaintFeedbackType") == "not-spam" => (FeedbackKind.Other, Listed(detail, "complainedRecipients")),
        "Complaint" => (FeedbackKind.Complained, Listed(detail, "complainedRecipients")),
        "Reject" => (FeedbackKind.Rejected, All(mail, Text(detail, "reason"))),
        "Rendering Failure" => (FeedbackKind.Rejected, All(mail, Text(detail, "errorMessage"))),
        "Open" => (FeedbackKind.Opened, OnlyOne(mail)),
        "Click" => (FeedbackKind.Clicked, OnlyOne(mail)),
        "Subscription" => (SubscriptionOf(detail), OnlyOne(mail)),
        _ => (FeedbackKind.Other, OnlyOne(mail)),
    };

    /// <summary>SES has tried again already: also a transient bounce is its last word on this message.</summary>
    static FeedbackKind BounceOf(JsonElement bounce) => (Text(bounce, "bounceType"), Text(bounce, "bounceSubType")) switch
    {
        _ when SuppressionOf(bounce) is not null => FeedbackKind.Rejected,
        ("Permanent", _) => FeedbackKind.BouncedHard,
        ("Transient", "ContentRejected" or "AttachmentRejected") => FeedbackKind.Blocked,
        _ => FeedbackKind.BouncedSoft,
    };

    static FeedbackKind SubscriptionOf(JsonElement subscription) =>
        Member(subscription, "newTopicPreferences") is { } now && now.ValueKind == JsonValueKind.Object && now.TryGetProperty("unsubscribeAll", out var all)
            ? all.ValueKind == JsonValueKind.True ? FeedbackKind.Unsubscribed : FeedbackKind.Resubscribed
            : FeedbackKind.Other;

    static string? SuppressionOf(JsonElement detail) =>
        (Text(detail, "bounceSubType") ?? Text(detail, "complaintSubType")) is ("Suppressed" or "OnAccountSuppressionList") and { } list ? list : null;

    static List<Concerned> Delivered(JsonElement delivery) => [.. Strings(delivery, "recipients").Select(address => new Concerned(address, null, Text(delivery, "smtpResponse")))];

    static List<Concerned> Listed(JsonElement detail, string list) =>
        Member(detail, list) is { ValueKind: JsonValueKind.Array } items
            ? [.. items.EnumerateArray().Select(item => new Concerned(Text(item, "emailAddress"), Text(item, "status"), Text(item, "diagnosticCode")))]
            : [];

    static List<Concerned> All(JsonElement mail, string? words = null) => [.. Strings(mail, "destination").Select(address => new Concerned(address, null, words))];

    /// <summary>These events do not say who it was: only a message to one recipient tells.</summary>
    static List<Concerned> OnlyOne(JsonElement mail) => Strings(mail, "destination").ToList() is [var only] ? [new Concerned(only, null, null)] : [new Concerned(null, null, null)];

    static string? CarriedIdOf(JsonElement mail)
    {
        if (Member(mail, "tags") is { } tags && Strings(tags, CarriedId.Name).FirstOrDefault() is { } tag)
            return tag;
        if (Member(mail, "headers") is not { ValueKind: JsonValueKind.Array } headers)
            return null;
        return headers.EnumerateArray().Where(header => string.Equals(Text(header, "name"), "X-Postrider-Id", StringComparison.OrdinalIgnoreCase))
            .Select(header => Text(header, "value")).FirstOrDefault();
    }

    /// <summary>The reply code of "smtp; 550 5.1.1 …" or "250 OK"; 0 when there is none.</summary>
    static int CodeOf(string? words)
    {
        var text = words.AsSpan().Trim();
        if (text.StartsWith("smtp;", StringComparison.OrdinalIgnoreCase))
            text = text["smtp;".Length..].TrimStart();
        return text.Length >= 3 && int.TryParse(text[..3], NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code is >= 200 and < 600 ? code : 0;
    }

    static string Line(string words) => (words.Length <= 1_000 ? words : words[..1_000]).ReplaceLineEndings(" ");

    static DateTimeOffset? Instant(JsonElement element, string name) =>
        Text(element, name) is { } text && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at)
            ? at : null;

    static IEnumerable<string> Strings(JsonElement element, string name) =>
        Member(element, name) is { ValueKind: JsonValueKind.Array } items
            ? items.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.String).Select(item => item.GetString()!)
            : [];

    static JsonElement? Member(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    static string? Text(JsonElement element, string name) => Member(element, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    /// <summary>Whom an event is about, and what was said of it.</summary>
    readonly record struct Concerned(string? Address, string? Status, string? Words);
}
