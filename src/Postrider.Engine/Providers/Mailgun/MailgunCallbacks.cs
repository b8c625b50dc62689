using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.Mailgun;

/// <summary>Writes Mailgun's webhooks, signed as <see cref="MailgunFeedback"/> reads them.</summary>
public sealed class MailgunCallbacks(Entropy entropy) : IFeedbackWriter
{
    public string Vendor => "mailgun";

    public string Key { get; } = CallbackRequest.RandomHex(entropy, 16);

    public CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now)
    {
        if ((feedback.Suppressed is null ? TypeOf(feedback.Kind) : "failed") is not { } type)
            return null;
        var timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var token = CallbackRequest.RandomHex(entropy, 25);
        var body = CallbackRequest.Object(writer =>
        {
            writer.WriteStartObject("signature"u8);
            writer.WriteString("timestamp"u8, timestamp);
            writer.WriteString("token"u8, token);
            writer.WriteString("signature"u8,
                Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Key), Encoding.UTF8.GetBytes(timestamp + token))));
            writer.WriteEndObject();
            writer.WriteStartObject("event-data"u8);
            writer.WriteString("event"u8, type);
            writer.WriteString("id"u8, feedback.Key);
            writer.WriteNumber("timestamp"u8, feedback.At.ToUnixTimeMilliseconds() / 1_000d);
            writer.WriteString("recipient"u8, feedback.Address);
            if (type == "failed")
            {
                writer.WriteString("severity"u8, feedback.Kind == FeedbackKind.Deferred ? "temporary" : "permanent");
                writer.WriteString("reason"u8, feedback.Suppressed is not null ? "suppress-bounce"
                    : feedback.Kind == FeedbackKind.BouncedSoft ? "old" : "bounce");
            }
            writer.WriteStartObject("message"u8);
            writer.WriteStartObject("headers"u8);
            writer.WriteString("message-id"u8, feedback.ProviderId);
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteStartObject("user-variables"u8);
            if (feedback.CarriedId is { } id)
                writer.WriteString(CarriedId.Name, id);
            writer.WriteEndObject();
            if (feedback.Suppressed is not null)
            {
                writer.WriteStartObject("delivery-status"u8);
                writer.WriteNumber("code"u8, 605);
                writer.WriteString("message"u8, "Not delivering to previously bounced address");
                writer.WriteEndObject();
            }
            else if (feedback.Reply is { } reply)
            {
                writer.WriteStartObject("delivery-status"u8);
                writer.WriteNumber("code"u8, reply.Code);
                writer.WriteString("message"u8, reply.Text);
                if (reply.Enhanced is { } enhanced)
                    writer.WriteString("enhanced-code"u8, enhanced);
                writer.WriteEndObject();
            }
            if (feedback.Url is { } url)
                writer.WriteString("url"u8, url);
            writer.WriteEndObject();
        });
        return new CallbackRequest(body, "application/json");
    }

    static string? TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted => "accepted",
        FeedbackKind.Delivered => "delivered",
        FeedbackKind.Deferred or FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft => "failed",
        FeedbackKind.Complained => "complained",
        FeedbackKind.Opened => "opened",
        FeedbackKind.Clicked => "clicked",
        FeedbackKind.Unsubscribed => "unsubscribed",
        FeedbackKind.Rejected => "rejected",
        FeedbackKind.Other or FeedbackKind.Blocked or FeedbackKind.Resubscribed => null,
    };
}
