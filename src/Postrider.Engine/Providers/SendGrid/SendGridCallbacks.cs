using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.SendGrid;

/// <summary>Writes SendGrid's event webhook, signed as <see cref="SendGridFeedback"/> reads it.</summary>
public sealed class SendGridCallbacks : IFeedbackWriter, IDisposable
{
    readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public string Vendor => "sendgrid";

    public string Key => Convert.ToBase64String(_key.ExportSubjectPublicKeyInfo());

    public CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now)
    {
        if (TypeOf(feedback.Kind) is not { } type)
            return null;
        var entry = CallbackRequest.Object(writer =>
        {
            writer.WriteString("email"u8, feedback.Address);
            writer.WriteNumber("timestamp"u8, feedback.At.ToUnixTimeSeconds());
            writer.WriteString("event"u8, type);
            writer.WriteString("sg_event_id"u8, feedback.Key);
            writer.WriteString("sg_message_id"u8, $"{feedback.ProviderId}.filter0001.1.1");
            if (feedback.CarriedId is { } id)
                writer.WriteString(CarriedId.Name, id);
            if (feedback.Kind is FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft)
                writer.WriteString("type"u8, feedback.Kind == FeedbackKind.BouncedHard ? "bounce" : "blocked");
            if (type == "dropped")
                writer.WriteString("reason"u8, "Bounced Address");
            else if (feedback.Reply is { } reply)
            {
                writer.WriteString(type == "bounce" ? "reason"u8 : "response"u8, reply.Text);
                if (reply.Enhanced is { } enhanced)
                    writer.WriteString("status"u8, enhanced);
            }
            if (feedback.Url is { } url)
                writer.WriteString("url"u8, url);
        });
        // The body ends in a line break, and so does what is signed.
        byte[] body = [.. "["u8, .. entry, .. "]\r\n"u8];
        var timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var signature = _key.SignData(
            [.. Encoding.UTF8.GetBytes(timestamp), .. body], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        return new CallbackRequest(body, "application/json")
        {
            Headers =
            [
                new("X-Twilio-Email-Event-Webhook-Signature", Convert.ToBase64String(signature)),
                new("X-Twilio-Email-Event-Webhook-Timestamp", timestamp),
            ],
        };
    }

    public void Dispose() => _key.Dispose();

    static string? TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted => "processed",
        FeedbackKind.Delivered => "delivered",
        FeedbackKind.Deferred => "deferred",
        FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft => "bounce",
        FeedbackKind.Complained => "spamreport",
        FeedbackKind.Opened => "open",
        FeedbackKind.Clicked => "click",
        FeedbackKind.Unsubscribed => "unsubscribe",
        FeedbackKind.Resubscribed => "group_resubscribe",
        FeedbackKind.Rejected => "dropped",
        FeedbackKind.Other or FeedbackKind.Blocked => null,
    };
}
