using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.Resend;

/// <summary>Writes Resend's webhooks, signed in Svix's way as <see cref="ResendFeedback"/> reads them.</summary>
public sealed class ResendCallbacks : IFeedbackWriter
{
    readonly byte[] _key = new byte[32];

    public ResendCallbacks(Entropy entropy) => entropy.Fill(_key);

    public string Vendor => "resend";

    public string Key => $"whsec_{Convert.ToBase64String(_key)}";

    public CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now)
    {
        if ((feedback.Suppressed is null ? TypeOf(feedback.Kind) : "email.suppressed") is not { } type)
            return null;
        var body = CallbackRequest.Text(writer =>
        {
            writer.WriteString("type"u8, type);
            writer.WriteString("created_at"u8, feedback.At);
            writer.WriteStartObject("data"u8);
            writer.WriteString("email_id"u8, feedback.ProviderId);
            writer.WriteStartArray("to"u8);
            writer.WriteStringValue(feedback.Address);
            writer.WriteEndArray();
            writer.WriteStartObject("tags"u8);
            if (feedback.CarriedId is { } id)
                writer.WriteString(CarriedId.Name, id);
            writer.WriteEndObject();
            if (type == "email.bounced")
            {
                writer.WriteStartObject("bounce"u8);
                writer.WriteString("type"u8, feedback.Kind == FeedbackKind.BouncedHard ? "Permanent" : "Transient");
                writer.WriteString("subType"u8, feedback.Kind == FeedbackKind.Blocked ? "ContentRejected" : "General");
                writer.WriteString("message"u8, feedback.Reply?.Text);
                writer.WriteEndObject();
            }
            if (feedback.Url is { } url)
            {
                writer.WriteStartObject("click"u8);
                writer.WriteString("link"u8, url);
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        });
        var timestamp = now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var signature = HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes($"{feedback.Key}.{timestamp}.{body}"));
        return new CallbackRequest(Encoding.UTF8.GetBytes(body), "application/json")
        {
            Headers =
            [
                new("svix-id", feedback.Key), new("svix-timestamp", timestamp),
                new("svix-signature", $"v1,{Convert.ToBase64String(signature)}"),
            ],
        };
    }

    static string? TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted => "email.sent",
        FeedbackKind.Delivered => "email.delivered",
        FeedbackKind.Deferred => "email.delivery_delayed",
        FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft or FeedbackKind.Blocked => "email.bounced",
        FeedbackKind.Complained => "email.complained",
        FeedbackKind.Opened => "email.opened",
        FeedbackKind.Clicked => "email.clicked",
        FeedbackKind.Rejected => "email.failed",
        FeedbackKind.Other or FeedbackKind.Unsubscribed or FeedbackKind.Resubscribed => null,
    };
}
