using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.SendGrid;

/// <summary>Reads SendGrid's event webhook: an array of events, signed when the account has that switched on.</summary>
/// <remarks>
/// The signature has no time limit of its own, because retries run for a day and nobody says that they are signed afresh; repetitions are
/// told by <c>sg_event_id</c>. Without a <c>callback_key</c> the secret path of the callback is all the proof there is.
/// </remarks>
public sealed class SendGridFeedback : IFeedbackReader
{
    const string SignatureHeader = "X-Twilio-Email-Event-Webhook-Signature";
    const string TimestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp";

    public string Vendor => "sendgrid";

    public ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now, CancellationToken ct) =>
        ValueTask.FromResult(Read(call, settings.Options.GetValueOrDefault("callback_key")));

    /// <param name="key">Base64 of the public key (SubjectPublicKeyInfo); null when the webhook is not signed.</param>
    public static FeedbackReading Read(InboundCall call, string? key)
    {
        if (key is not null && !IsSigned(call, key))
            return new FeedbackReading.Refused(401, "the signature does not match");
        return CallbackText.ReadJson(call, body => body.ValueKind == JsonValueKind.Array
            ? Read(body)
            : new FeedbackReading.Refused(400, "not an array of events"));
    }

    /// <summary>Whether a text can be the verification key.</summary>
    public static bool IsKey(string key)
    {
        using var ecdsa = KeyOf(key);
        return ecdsa is not null;
    }

    static ECDsa? KeyOf(string key)
    {
        var ecdsa = ECDsa.Create();
        try
        {
            ecdsa.ImportSubjectPublicKeyInfo(Convert.FromBase64String(key), out _);
            return ecdsa;
        }
        catch (Exception fault) when (fault is FormatException or CryptographicException)
        {
            ecdsa.Dispose();
            return null;
        }
    }

    /// <summary>ECDSA P-256 with SHA-256 over the timestamp's text and the body as it came, its last line end included.</summary>
    static bool IsSigned(InboundCall call, string key)
    {
        if (call.Header(SignatureHeader) is not { } signature || call.Header(TimestampHeader) is not { } timestamp)
            return false;
        var der = new byte[signature.Length];
        if (!Convert.TryFromBase64String(signature, der, out var length))
            return false;
        using var ecdsa = KeyOf(key);
        // The vendor signs in DER; the overload without the format expects r||s and says no to all of them.
        return ecdsa?.VerifyData((byte[])[.. Encoding.UTF8.GetBytes(timestamp), .. call.Body.Span], der.AsSpan(0, length),
            HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) == true;
    }

    static FeedbackReading.Events Read(JsonElement array)
    {
        var events = new List<FeedbackEvent>();
        var unreadable = 0;
        foreach (var item in array.EnumerateArray())
        {
            if (Event(item) is { } read)
                events.Add(read);
            else
                unreadable++;
        }
        return new FeedbackReading.Events(events) { Unreadable = unreadable };
    }

    /// <summary>Null when it has no kind, no key or no time.</summary>
    static FeedbackEvent? Event(JsonElement item)
    {
        if (item.Text("event") is not { } type || item.Text("sg_event_id") is not { } key
            || item.Member("timestamp") is not { ValueKind: JsonValueKind.Number } time
            || !time.TryGetInt64(out var seconds) || !UnixSeconds.TryRead(seconds, out var at))
            return null;
        return new FeedbackEvent
        {
            Kind = KindOf(type, item),
            Type = type,
            Key = key,
            CarriedId = item.Text(CarriedId.Name),
            ProviderId = item.Text("sg_message_id") is { } id ? id.Split('.')[0] : null,
            Address = item.Text("email"),
            At = at,
            Reply = CallbackText.ReplyOf(item.Text("reason") ?? item.Text("response"), enhanced: item.Text("status")),
            Suppressed = type == "dropped"
                && item.Text("reason") is ("Bounced Address" or "Unsubscribed Address" or "Spam Reporting Address") and { } list
                ? list : null,
            Url = item.Text("url"),
            UserAgent = item.Text("useragent"),
            Ip = item.Text("ip"),
            IsMachine = item.Member("sg_machine_open").ValueKind == JsonValueKind.True,
        };
    }

    static FeedbackKind KindOf(string type, JsonElement item) => type switch
    {
        "processed" => FeedbackKind.Accepted,
        "delivered" => FeedbackKind.Delivered,
        "deferred" => FeedbackKind.Deferred,
        "bounce" when item.Text("type") == "blocked" =>
            item.Text("bounce_classification") is "Reputation" or "Content" ? FeedbackKind.Blocked : FeedbackKind.BouncedSoft,
        "bounce" => FeedbackKind.BouncedHard,
        "dropped" when item.Text("reason") == "Invalid" => FeedbackKind.BouncedHard,
        "dropped" => FeedbackKind.Rejected,
        "spamreport" => FeedbackKind.Complained,
        "open" => FeedbackKind.Opened,
        "click" => FeedbackKind.Clicked,
        "unsubscribe" or "group_unsubscribe" => FeedbackKind.Unsubscribed,
        "group_resubscribe" => FeedbackKind.Resubscribed,
        _ => FeedbackKind.Other,
    };
}
