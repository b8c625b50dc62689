using System.Text;

namespace Postrider.Providers.Postmark;

/// <summary>Writes Postmark's webhooks: not signed, with the password that <see cref="PostmarkFeedback"/> asks for.</summary>
public sealed class PostmarkCallbacks(Entropy entropy) : IFeedbackWriter
{
    public string Vendor => "postmark";

    public string Key { get; } = CallbackRequest.RandomHex(entropy, 16);

    public CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now)
    {
        if (TypeOf(feedback.Kind) is not var (record, timeField))
            return null;
        var body = CallbackRequest.Object(writer =>
        {
            writer.WriteString("RecordType"u8, record);
            writer.WriteString("MessageID"u8, feedback.ProviderId);
            writer.WriteString(record is "Bounce" or "SpamComplaint" ? "Email"u8 : "Recipient"u8, feedback.Address);
            writer.WriteString(timeField, feedback.At);
            if (record == "Bounce")
                writer.WriteString("Type"u8, feedback.Kind switch
                {
                    FeedbackKind.BouncedHard => "HardBounce",
                    FeedbackKind.Deferred => "Transient",
                    FeedbackKind.Blocked => "Blocked",
                    _ => "SoftBounce",
                });
            if (record == "SubscriptionChange")
                writer.WriteBoolean("SuppressSending"u8, feedback.Kind == FeedbackKind.Unsubscribed);
            if (feedback.Reply is { } reply)
                writer.WriteString("Details"u8, reply.Text);
            if (feedback.Url is { } url)
                writer.WriteString("OriginalLink"u8, url);
            writer.WriteStartObject("Metadata"u8);
            if (feedback.CarriedId is { } id)
                writer.WriteString(CarriedId.Name, id);
            writer.WriteEndObject();
        });
        return new CallbackRequest(body, "application/json")
        {
            Headers = [new("Authorization", $"Basic {Convert.ToBase64String(Encoding.ASCII.GetBytes($"postmark:{Key}"))}")],
        };
    }

    static (string Record, string TimeField)? TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Delivered => ("Delivery", "DeliveredAt"),
        FeedbackKind.Deferred or FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft or FeedbackKind.Blocked => ("Bounce", "BouncedAt"),
        FeedbackKind.Complained => ("SpamComplaint", "BouncedAt"),
        FeedbackKind.Opened => ("Open", "ReceivedAt"),
        FeedbackKind.Clicked => ("Click", "ReceivedAt"),
        FeedbackKind.Unsubscribed or FeedbackKind.Resubscribed => ("SubscriptionChange", "ChangedAt"),
        FeedbackKind.Other or FeedbackKind.Accepted or FeedbackKind.Rejected => null,
    };
}
