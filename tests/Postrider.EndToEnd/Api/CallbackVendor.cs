using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Postrider.Testing;

namespace Postrider.EndToEnd.Api;

/// <summary>A callback as a vendor sends it.</summary>
public sealed record Callback(byte[] Body, params (string Name, string Value)[] Headers)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>One vendor as the tests of callbacks play it: how it takes a mail, and how it reports and signs.</summary>
public sealed class CallbackVendor(string scheme)
{
    const string MailgunKey = "test-signing-key";
    const string PostmarkKey = "callback-password";
    const string ResendKey = "whsec_cG9zdHJpZGVyLXRlc3QtcmVzZW5kLWtleS0zMmJ5dGU=";
    const string Topic = "arn:aws:sns:eu-west-1:123456789012:mail";

    static readonly ECDsa SendGridKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    static readonly RSA AmazonKey = RSA.Create(2048);

    public static readonly X509Certificate2 Certificate =
        new CertificateRequest("CN=sns.test", AmazonKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(Now.AddDays(-1), Now.AddDays(1));

    public static readonly IReadOnlyList<CallbackVendor> All =
        [new("sendgrid"), new("mailgun"), new("postmark"), new("resend"), new("ses")];

    static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    public string Scheme => scheme;

    /// <summary>Mailgun signs a token only, Postmark nothing.</summary>
    public bool SignsBody => scheme is "sendgrid" or "resend" or "ses";

    public bool Expires => scheme is "mailgun" or "resend" or "ses";

    public string Dsn(string endpoint) => $"{scheme}://" + scheme switch
    {
        "sendgrid" => $"SG.key@?callback_key={Uri.EscapeDataString(Convert.ToBase64String(SendGridKey.ExportSubjectPublicKeyInfo()))}",
        "mailgun" => $"key@mg.example.com?callback_key={MailgunKey}",
        "postmark" => $"token@?callback_key={PostmarkKey}",
        "resend" => $"re_key@?callback_key={Uri.EscapeDataString(ResendKey)}",
        _ => $"ID:SECRET@eu-west-1?topics={Uri.EscapeDataString(Topic)}",
    } + $"&endpoint={Uri.EscapeDataString(endpoint)}";

    public HttpReply Taken(HttpCall call) => scheme switch
    {
        "sendgrid" => new HttpReply(202).With("X-Message-Id", "m1"),
        "mailgun" => new HttpReply(200, """{"id":"<m1@mg.example.com>","message":"Queued. Thank you."}"""),
        "postmark" when call.Target.EndsWith("/batch", StringComparison.Ordinal) =>
            new HttpReply(200, """[{"ErrorCode":0,"Message":"OK","MessageID":"m1","To":"ann@example.org"}]"""),
        "postmark" => new HttpReply(200, """{"ErrorCode":0,"Message":"OK","MessageID":"m1","To":"ann@example.org"}"""),
        "resend" when call.Target.EndsWith("/batch", StringComparison.Ordinal) => new HttpReply(200, """{"data":[{"id":"m1"}]}"""),
        "resend" => new HttpReply(200, """{"id":"m1"}"""),
        _ => new HttpReply(200, """{"MessageId":"0100-1"}"""),
    };

    /// <summary>The same for the same message and age, as a repetition is.</summary>
    public Callback Delivered(string message, TimeSpan age = default) => scheme switch
    {
        "sendgrid" => SendGrid((message, "delivered")),
        "mailgun" => Mailgun(message, SecondsAt(age)),
        "postmark" => Postmark(message, ("X-Callback-Key", PostmarkKey)),
        "resend" => Resend(message, SecondsAt(age)),
        _ => new Callback(Encoding.UTF8.GetBytes(Sns("Notification", SesDelivery(message), Now - age, $"n-{message}"))),
    };

    public Callback WithoutProof(string message) => scheme switch
    {
        "sendgrid" or "resend" => Delivered(message) with { Headers = [] },
        "mailgun" => new Callback(Encoding.UTF8.GetBytes(
            Delivered(message).Text.Replace("\"signature\":\"", "\"signature\":\"0", StringComparison.Ordinal))),
        "postmark" => Postmark(message, ("Authorization", $"Basic {Convert.ToBase64String("postmark:wrong"u8)}")),
        _ => new Callback(Encoding.UTF8.GetBytes(
            Delivered(message).Text.Replace("amazonaws.com", "amazonaws.com.evil.test", StringComparison.Ordinal))),
    };

    public static Callback SendGrid(params (string Message, string Event)[] events)
    {
        var entries = events.Select((e, n) => string.Create(CultureInfo.InvariantCulture,
            $$"""
            {"email":"ann@example.org","timestamp":{{SecondsAt(TimeSpan.Zero)}},"event":"{{e.Event}}",
             "sg_event_id":"{{e.Message}}-{{e.Event}}-{{n}}","sg_message_id":"m1.filter0","type":"bounce","status":"5.1.1",
             "reason":"550 5.1.1 no such user","postrider_id":"{{e.Message}}-0"}
            """));
        // Its body ends in a line break, and so does what it signs.
        var body = Encoding.UTF8.GetBytes($"[{string.Join(',', entries)}]\r\n");
        var timestamp = SecondsAt(TimeSpan.Zero).ToString(CultureInfo.InvariantCulture);
        var signature = SendGridKey.SignData(
            [.. Encoding.UTF8.GetBytes(timestamp), .. body], HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
        return new Callback(body, ("X-Twilio-Email-Event-Webhook-Signature", Convert.ToBase64String(signature)),
            ("X-Twilio-Email-Event-Webhook-Timestamp", timestamp));
    }

    public static Callback Confirmation() => new(Encoding.UTF8.GetBytes(Sns("SubscriptionConfirmation", "Please confirm.", Now, "c-1")));

    static Callback Mailgun(string message, long seconds)
    {
        var token = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(message)))[..50];
        var signature = Convert.ToHexStringLower(HMACSHA256.HashData(
            Encoding.UTF8.GetBytes(MailgunKey), Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{seconds}{token}"))));
        return new Callback(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $$"""
            {"signature":{"timestamp":"{{seconds}}","token":"{{token}}","signature":"{{signature}}"},
             "event-data":{"event":"delivered","timestamp":{{seconds}}.5,"id":"e-{{message}}","recipient":"ann@example.org",
             "message":{"headers":{"message-id":"m1@mg.example.com"} },"user-variables":{"postrider_id":"{{message}}-0"},
             "delivery-status":{"code":250,"message":"OK"} } }
            """)));
    }

    static Callback Postmark(string message, (string, string) header) => new(Encoding.UTF8.GetBytes($$"""
        {"RecordType":"Delivery","MessageID":"m1","Recipient":"ann@example.org","DeliveredAt":"2026-11-21T12:00:00Z",
         "Details":"smtp;250 OK","Metadata":{"postrider_id":"{{message}}-0"} }
        """), header);

    static Callback Resend(string message, long seconds)
    {
        var body = $$"""
            {"type":"email.delivered","created_at":"2026-11-21T12:00:00.000Z",
             "data":{"email_id":"m1","to":["ann@example.org"],"tags":{"postrider_id":"{{message}}-0"} } }
            """;
        var signed = string.Create(CultureInfo.InvariantCulture, $"msg_{message}.{seconds}.{body}");
        var signature = HMACSHA256.HashData(Convert.FromBase64String(ResendKey["whsec_".Length..]), Encoding.UTF8.GetBytes(signed));
        return new Callback(Encoding.UTF8.GetBytes(body), ("svix-id", $"msg_{message}"),
            ("svix-timestamp", seconds.ToString(CultureInfo.InvariantCulture)),
            ("svix-signature", $"v1,{Convert.ToBase64String(signature)}"));
    }

    static string SesDelivery(string message) => $$"""
        {"eventType":"Delivery","mail":{"timestamp":"2026-11-21T12:00:00.000Z","messageId":"0100-1","destination":["ann@example.org"],
         "tags":{"postrider_id":["{{message}}-0"]} },
         "delivery":{"timestamp":"2026-11-21T12:00:01.000Z","recipients":["ann@example.org"],"smtpResponse":"250 OK"} }
        """;

    static string Sns(string type, string message, DateTimeOffset at, string id)
    {
        var fields = new Dictionary<string, string>
        {
            ["Type"] = type,
            ["MessageId"] = id,
            ["TopicArn"] = Topic,
            ["Message"] = message,
            ["Timestamp"] = at.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
            ["SignatureVersion"] = "2",
            ["SigningCertURL"] = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-x.pem",
        };
        if (type != "Notification")
            (fields["SubscribeURL"], fields["Token"]) = ("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription", "t");
        string[] signed = type == "Notification"
            ? ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
            : ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
        var text = string.Concat(signed.Select(name => $"{name}\n{fields[name]}\n"));
        fields["Signature"] = Convert.ToBase64String(
            AmazonKey.SignData(Encoding.UTF8.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        return JsonSerializer.Serialize(fields);
    }

    static long SecondsAt(TimeSpan age) => (Now - age).ToUnixTimeSeconds();
}
