using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Postrider.Providers.Ses;

/// <summary>Writes SES's events as SNS posts them, signed with a certificate of its own as <see cref="SesFeedback"/> reads them.</summary>
/// <remarks>The certificate's address is one of Amazon's, where it cannot be found: a receiver that shall believe it must be given
/// <see cref="Certificate"/>.</remarks>
public sealed class SesCallbacks : IFeedbackWriter, IDisposable
{
    public const string Topic = "arn:aws:sns:us-east-1:000000000000:simulated";

    readonly RSA _key = RSA.Create(2_048);

    public SesCallbacks(DateTimeOffset now) => Certificate =
        new CertificateRequest("CN=sns.simulated", _key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(now.AddDays(-1), now.AddYears(10));

    public X509Certificate2 Certificate { get; }

    public string Vendor => "ses";

    public string Key => Certificate.ExportCertificatePem();

    public CallbackRequest? Write(FeedbackEvent feedback, DateTimeOffset now)
    {
        if ((feedback.Suppressed is null ? TypeOf(feedback.Kind) : "Bounce") is not { } type)
            return null;
        var message = CallbackRequest.Text(writer => WriteEvent(writer, feedback, type));
        var timestamp = now.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
        // In the order in which they are signed.
        (string Name, string Value)[] fields =
        [
            ("Message", message), ("MessageId", feedback.Key), ("Timestamp", timestamp), ("TopicArn", Topic), ("Type", "Notification"),
        ];
        var signed = string.Concat(fields.Select(field => $"{field.Name}\n{field.Value}\n"));
        var signature = _key.SignData(Encoding.UTF8.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var body = CallbackRequest.Object(writer =>
        {
            foreach (var (name, value) in fields)
                writer.WriteString(name, value);
            writer.WriteString("SignatureVersion"u8, "2");
            writer.WriteString("Signature"u8, Convert.ToBase64String(signature));
            writer.WriteString("SigningCertURL"u8, "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-simulated.pem");
        });
        return new CallbackRequest(body, "text/plain")
        {
            Headers = [new("x-amz-sns-message-type", "Notification"), new("x-amz-sns-topic-arn", Topic)],
        };
    }

    public void Dispose()
    {
        Certificate.Dispose();
        _key.Dispose();
    }

    static void WriteEvent(Utf8JsonWriter writer, FeedbackEvent feedback, string type)
    {
        writer.WriteString("eventType"u8, type);
        writer.WriteStartObject("mail"u8);
        writer.WriteString("timestamp"u8, feedback.At);
        writer.WriteString("messageId"u8, feedback.ProviderId);
        WriteList(writer, "destination", feedback.Address);
        writer.WriteStartObject("tags"u8);
        if (feedback.CarriedId is { } id)
            WriteList(writer, CarriedId.Name, id);
        writer.WriteEndObject();
        writer.WriteEndObject();
        var detail = type == "DeliveryDelay" ? "deliveryDelay" : type.ToLowerInvariant();
        writer.WriteStartObject(detail);
        writer.WriteString("timestamp"u8, feedback.At);
        switch (type)
        {
            case "Delivery":
                WriteList(writer, "recipients", feedback.Address);
                writer.WriteString("smtpResponse"u8, feedback.Reply?.Text);
                break;
            case "Bounce":
                writer.WriteString("feedbackId"u8, feedback.Key);
                writer.WriteString("bounceType"u8,
                    feedback.Kind == FeedbackKind.BouncedHard || feedback.Suppressed is not null ? "Permanent" : "Transient");
                writer.WriteString("bounceSubType"u8, feedback.Suppressed is not null ? "OnAccountSuppressionList"
                    : feedback.Kind == FeedbackKind.Blocked ? "ContentRejected" : "General");
                WriteConcerned(writer, "bouncedRecipients", feedback);
                break;
            case "Complaint":
                writer.WriteString("feedbackId"u8, feedback.Key);
                WriteConcerned(writer, "complainedRecipients", feedback);
                break;
            case "DeliveryDelay":
                WriteConcerned(writer, "delayedRecipients", feedback);
                break;
            case "Click":
                writer.WriteString("link"u8, feedback.Url);
                break;
        }
        writer.WriteEndObject();
    }

    static void WriteConcerned(Utf8JsonWriter writer, string list, FeedbackEvent feedback)
    {
        writer.WriteStartArray(list);
        writer.WriteStartObject();
        writer.WriteString("emailAddress"u8, feedback.Address);
        if (feedback.Reply is { } reply)
        {
            writer.WriteString("status"u8, reply.Enhanced);
            writer.WriteString("diagnosticCode"u8, $"smtp; {reply.Text}");
        }
        writer.WriteEndObject();
        writer.WriteEndArray();
    }

    static void WriteList(Utf8JsonWriter writer, string name, string? only)
    {
        writer.WriteStartArray(name);
        writer.WriteStringValue(only);
        writer.WriteEndArray();
    }

    static string? TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted => "Send",
        FeedbackKind.Delivered => "Delivery",
        FeedbackKind.Deferred => "DeliveryDelay",
        FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft or FeedbackKind.Blocked => "Bounce",
        FeedbackKind.Complained => "Complaint",
        FeedbackKind.Opened => "Open",
        FeedbackKind.Clicked => "Click",
        FeedbackKind.Other or FeedbackKind.Rejected or FeedbackKind.Unsubscribed or FeedbackKind.Resubscribed => null,
    };
}
