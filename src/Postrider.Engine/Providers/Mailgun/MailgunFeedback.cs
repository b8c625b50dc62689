using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>Reads Mailgun's webhooks: one event a call, with a signature that does not cover it.</summary>
/// <remarks>
/// The signature is over a time and a token only: who has once seen one could put any event behind it. So it holds for a short time, and a
/// token that was seen is taken again only with the very same body, which is what Mailgun's own repetitions have. What was seen is
/// remembered by this process.
/// Without a <c>callback_key</c> the secret path of the callback is all the proof there is.
/// </remarks>
public sealed class MailgunFeedback : IFeedbackReader
{
    /// <summary>Both ways.</summary>
    static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(15);

    /// <summary>Far above what comes in the time they hold. When it is full of tokens that still hold, further ones are asked to come
    /// later.</summary>
    const int MaxTokens = 200_000;

    readonly Lock _lock = new();
    readonly Dictionary<string, Seen> _tokens = []; // guarded by _lock

    public string Vendor => "mailgun";

    public ValueTask<FeedbackReading> ReadAsync(InboundCall call, TransportSettings settings, DateTimeOffset now, CancellationToken ct) =>
        ValueTask.FromResult(Read(call, settings.Options.GetValueOrDefault("callback_key"), now));

    /// <param name="key">The webhook signing key; null when the callback is not to be verified.</param>
    public FeedbackReading Read(InboundCall call, string? key, DateTimeOffset now) =>
        // Parsed before it is verified: the signature is a part of the body, and not over it.
        CallbackText.ReadJson(call, body =>
            key is not null && Refusal(body.Member("signature"), call.Body.Span, key, now) is { } refused
                ? refused
                : FeedbackReading.Events.Of(Event(body.Member("event-data"))));

    FeedbackReading.Refused? Refusal(JsonElement signature, ReadOnlySpan<byte> body, string key, DateTimeOffset now)
    {
        if (signature.Text("timestamp") is not { } timestamp || signature.Text("token") is not { } token
            || signature.Text("signature") is not { } hex)
            return new FeedbackReading.Refused(401, "the signature is missing");
        var expected = Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key),
            Encoding.UTF8.GetBytes(timestamp + token)));
        if (!CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(hex), Encoding.UTF8.GetBytes(expected)))
            return new FeedbackReading.Refused(401, "the signature does not match");
        if (!UnixSeconds.TryRead(timestamp, out var signedAt) || (now - signedAt).Duration() > Tolerance)
            return new FeedbackReading.Refused(401, "the timestamp is too far from now");
        return Remember(timestamp + token, Convert.ToHexString(SHA256.HashData(body)), signedAt + Tolerance, now);
    }

    FeedbackReading.Refused? Remember(string token, string hash, DateTimeOffset until, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (_tokens.TryGetValue(token, out var seen))
                return seen.Hash == hash ? null : new FeedbackReading.Refused(401, "the token came before with another event");
            if (_tokens.Count >= MaxTokens)
            {
                foreach (var (old, gone) in _tokens)
                {
                    if (gone.Until < now)
                        _tokens.Remove(old);
                }
                if (_tokens.Count >= MaxTokens)
                    return new FeedbackReading.Refused(503, "too many callbacks at once");
            }
            _tokens.Add(token, new Seen(hash, until));
            return null;
        }
    }

    /// <summary>Null when it has no kind, no id or no time.</summary>
    static FeedbackEvent? Event(JsonElement item)
    {
        if (item.Text("event") is not { } type || item.Text("id") is not { } id
            || item.Member("timestamp") is not { ValueKind: JsonValueKind.Number } time
            || !time.TryGetDouble(out var seconds) || !UnixSeconds.TryRead(seconds, out var at))
            return null;
        var address = item.Text("recipient");
        var carried = item.Member("user-variables").Text(CarriedId.Name);
        // Of mails that shared a call (MailgunBatch).
        var isUnfilled = carried == MailgunBatch.IdVariable;
        var status = item.Member("delivery-status");
        var code = status.Member("code") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : 0;
        var enhanced = status.Text("enhanced-code") is { Length: > 0 } given ? given : null;
        return new FeedbackEvent
        {
            Kind = KindOf(type, item, code, enhanced),
            Type = type,
            Key = $"{id}/{type}/{address}", // ids are unique within a day only
            CarriedId = isUnfilled ? null : carried,
            MayLackId = isUnfilled,
            ProviderId = item.Member("message").Member("headers").Text("message-id"),
            Address = address,
            At = at,
            Reply = CallbackText.ReplyOf(status.Text("message") is { Length: > 0 } words ? words : status.Text("description"), code, enhanced),
            Suppressed = IsSuppression(item, code) ? item.Text("reason") ?? "suppressed" : null,
            Url = item.Text("url"),
            UserAgent = item.Member("client-info").Text("user-agent"),
            Ip = item.Text("ip"),
        };
    }

    static FeedbackKind KindOf(string type, JsonElement item, int code, string? enhanced) => type switch
    {
        "accepted" => FeedbackKind.Accepted,
        "delivered" => FeedbackKind.Delivered,
        "failed" when item.Text("severity") == "temporary" => FeedbackKind.Deferred,
        "failed" when IsSuppression(item, code) => FeedbackKind.Rejected,
        "failed" when enhanced?.StartsWith("5.7.", StringComparison.Ordinal) == true => FeedbackKind.Blocked,
        "failed" => code is >= 400 and < 500 || item.Text("reason") == "old" ? FeedbackKind.BouncedSoft : FeedbackKind.BouncedHard,
        "rejected" => FeedbackKind.Rejected,
        "complained" => FeedbackKind.Complained,
        "opened" => FeedbackKind.Opened,
        "clicked" => FeedbackKind.Clicked,
        "unsubscribed" => FeedbackKind.Unsubscribed,
        _ => FeedbackKind.Other,
    };

    /// <summary>605 bounced, 606 unsubscribed, 607 complained before.</summary>
    static bool IsSuppression(JsonElement item, int code) =>
        code is 605 or 606 or 607 || item.Text("reason")?.StartsWith("suppress-", StringComparison.Ordinal) == true;

    /// <summary>With which body a token came, and how long it holds.</summary>
    readonly record struct Seen(string Hash, DateTimeOffset Until);
}
