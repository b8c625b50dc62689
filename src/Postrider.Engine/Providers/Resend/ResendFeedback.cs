using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Resend;

/// <summary>Reads Resend's webhooks: one event a call, signed as Standard Webhooks are.</summary>
/// <remarks>Without a <c>callback_key</c> the secret path of the callback is all the proof there is.</remarks>
public sealed class ResendFeedback : IFeedbackReader
{
    /// <summary>Both ways; the scheme's own.</summary>
    static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    public string Vendor => "resend";

    public ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now, CancellationToken ct) =>
        ValueTask.FromResult(Read(call, settings.Options.GetValueOrDefault("callback_key"), now));

    /// <param name="secret"><c>whsec_</c> and base64; null when the callback is not to be verified.</param>
    public static FeedbackReading Read(InboundCall call, string? secret, DateTimeOffset now) =>
        secret is not null && WhyNotGenuine(call, secret, now) is { } why
            ? new FeedbackReading.Refused(401, why)
            : CallbackText.ReadEvent(call, body => Event(body, Header(call, "id")));

    /// <summary>The bytes of a signing secret; null when it is none.</summary>
    public static byte[]? KeyOf(string secret)
    {
        const string Prefix = "whsec_";
        if (!secret.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var key = new byte[secret.Length];
        return Convert.TryFromBase64String(secret[Prefix.Length..], key, out var length) && length > 0 ? key[..length] : null;
    }

    /// <summary>HMAC-SHA256 over id, time and the body as it came; any of the signatures may fit, so that secrets can be changed.</summary>
    static string? WhyNotGenuine(InboundCall call, string secret, DateTimeOffset now)
    {
        if (Header(call, "id") is not { } id || Header(call, "timestamp") is not { } timestamp
            || Header(call, "signature") is not { } signatures || KeyOf(secret) is not { } key)
            return "the signature is missing";
        var expected = HMACSHA256.HashData(key, (byte[])[.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. call.Body.Span]);
        var isGenuine = false;
        foreach (var signature in signatures.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var given = new byte[signature.Length];
            isGenuine |= signature.StartsWith("v1,", StringComparison.Ordinal)
                && Convert.TryFromBase64String(signature[3..], given, out var length)
                && CryptographicOperations.FixedTimeEquals(given.AsSpan(0, length), expected);
        }
        if (!isGenuine)
            return "the signature does not match";
        if (!UnixSeconds.TryRead(timestamp, out var signedAt))
            return "the timestamp is none";
        return (now - signedAt).Duration() > Tolerance ? "the timestamp is too far from now" : null;
    }

    static string? Header(InboundCall call, string name) => call.Header($"svix-{name}") ?? call.Header($"webhook-{name}");

    /// <summary>Null when it has no kind or no time.</summary>
    static FeedbackEvent? Event(JsonElement item, string? id)
    {
        if (item.Text("type") is not { } type || item.Instant("created_at") is not { } at)
            return null;
        var data = item.Member("data");
        var message = data.Text("email_id");
        var bounce = data.Member("bounce");
        var click = data.Member("click");
        return new FeedbackEvent
        {
            Kind = KindOf(type, bounce),
            Type = type,
            // A retry has the same id (svix-id), also when it is signed afresh.
            Key = id ?? $"{type}/{message}/{at:O}",
            CarriedId = data.Member("tags").Text(CarriedId.Name),
            // Tags are in the samples of some events only, and nowhere promised (resend.com/docs/webhooks, 2026).
            MayLackId = true,
            ProviderId = message,
            // With several it does not say which of them.
            Address = data.Member("to") is { ValueKind: JsonValueKind.Array } to && to.GetArrayLength() == 1
                && to[0].ValueKind == JsonValueKind.String ? AddressOf(to[0]) : null,
            At = at,
            Reply = CallbackText.ReplyOf(Diagnosis(bounce) ?? bounce.Text("message") ?? data.Member("failed").Text("reason")),
            Suppressed = type == "email.suppressed" ? data.Member("suppressed").Text("type") ?? data.Member("suppressed").Text("reason") ?? type
                : IsSuppression(bounce) ? bounce.Text("subType") : null,
            Url = click.Text("link"),
            UserAgent = click.Text("userAgent"),
            Ip = click.Text("ipAddress"),
        };
    }

    static FeedbackKind KindOf(string type, JsonElement bounce) => type switch
    {
        "email.sent" => FeedbackKind.Accepted,
        "email.delivered" => FeedbackKind.Delivered,
        "email.delivery_delayed" => FeedbackKind.Deferred,
        "email.bounced" when IsSuppression(bounce) => FeedbackKind.Rejected,
        "email.bounced" when bounce.Text("subType") is "ContentRejected" or "AttachmentRejected" => FeedbackKind.Blocked,
        "email.bounced" => bounce.Text("type") == "Permanent" ? FeedbackKind.BouncedHard : FeedbackKind.BouncedSoft,
        "email.complained" => FeedbackKind.Complained,
        "email.opened" => FeedbackKind.Opened,
        "email.clicked" => FeedbackKind.Clicked,
        "email.failed" or "email.suppressed" => FeedbackKind.Rejected,
        _ => FeedbackKind.Other,
    };

    static bool IsSuppression(JsonElement bounce) => bounce.Text("subType") is "Suppressed" or "OnAccountSuppressionList";

    static string? Diagnosis(JsonElement bounce) =>
        bounce.Member("diagnosticCode") is { ValueKind: JsonValueKind.Array } codes && codes.GetArrayLength() > 0
            && codes[0].ValueKind == JsonValueKind.String
            ? CallbackText.TextOf(codes[0]) : null;

    /// <summary>The bare address of a mailbox; as it stands where it is none.</summary>
    static string? AddressOf(JsonElement element) => CallbackText.TextOf(element) is not { } text ? null
        : Mail.Addresses.Mailbox.TryParse(text, out var mailbox, out _) ? mailbox.Address.ToString() : text;
}
