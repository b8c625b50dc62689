using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Ses;

public sealed class SesFeedbackTests
{
    const string Topic = "arn:aws:sns:eu-west-1:123456789012:mail";
    const string CertificateUrl = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-x.pem";
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);
    static readonly RSA Key = RSA.Create(2048);
    static readonly X509Certificate2 Certificate = new CertificateRequest("CN=sns.test", Key, HashAlgorithmName.SHA256,
        RSASignaturePadding.Pkcs1)
        .CreateSelfSigned(Now.AddDays(-1), Now.AddDays(1));
    static readonly TransportSettings Settings = new()
    {
        Name = "ses",
        Scheme = "ses",
        Options = new Dictionary<string,
        string>
        { ["topics"] = $"arn:other:x:y:z:w,{Topic}" }
    };

    readonly List<Uri> _fetched = [];

    [Theory]
    [InlineData("1")]
    [InlineData("2")]
    public async Task Both_versions_of_the_signature_stand(string version)
    {
        var events = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery, version: version)));

        Assert.Equal((FeedbackKind.Delivered, "a@to.test", "0100-1", "pr-1"),
            (events.Items[0].Kind, events.Items[0].Address, events.Items[0].ProviderId, events.Items[0].CarriedId));
        Assert.Equal([new Uri(CertificateUrl)], _fetched);
    }

    [Theory]
    [InlineData("3")]
    [InlineData("")]
    public async Task Another_version_does_not(string version) => await AssertRefusedAsync(403, Signed(Delivery, version: version));

    [Fact]
    public async Task A_subject_is_signed_when_there_is_one_and_not_when_it_is_null()
    {
        Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery, subject: "Amazon SES Email Event")));
        Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery).Replace("{\"Type\"", "{\"Subject\":null,\"Type\"",
            StringComparison.Ordinal)));
        await AssertRefusedAsync(403, Signed(Delivery).Replace("{\"Type\"", "{\"Subject\":\"x\",\"Type\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task One_changed_character_of_the_message_or_the_signature_is_refused()
    {
        await AssertRefusedAsync(403, Signed(Delivery).Replace("a@to.test", "b@to.test", StringComparison.Ordinal));
        await AssertRefusedAsync(403, Signed(Delivery).Replace("\"Signature\":\"", "\"Signature\":\"A", StringComparison.Ordinal));
        await AssertRefusedAsync(403,
            Signed(Delivery).Replace("\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://sns.eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.eu-west-1.amazonaws.com:8443/x.pem")]
    [InlineData("https://u@sns.eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.eu-west-1.amazonaws.com.evil.test/x.pem")]
    [InlineData("https://evil.test/sns.eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.a.amazonaws.com/x.pem")]
    [InlineData("https://xsns.eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://s3.eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.s3-eu-west-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.s3-external-1.amazonaws.com/x.pem")]
    [InlineData("https://sns.execute-api.amazonaws.com/x.pem")]
    [InlineData("https://sns.eu-west-1.amazonaws.com/x.txt")]
    [InlineData("not a url")]
    public async Task A_certificate_from_elsewhere_is_not_even_fetched(string url)
    {
        await AssertRefusedAsync(403, Signed(Delivery, certificateUrl: url));
        Assert.Empty(_fetched);
    }

    [Theory]
    [InlineData("https://sns.cn-north-1.amazonaws.com.cn/x.pem")]
    [InlineData("https://sns.us-gov-west-1.amazonaws.com/y/x.pem")]
    public async Task Amazons_other_regions_count(string url) =>
        Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery, certificateUrl: url)));

    [Theory]
    [InlineData(-66)]
    [InlineData(6)]
    public async Task Old_and_future_messages_are_refused(int minutes)
    {
        await AssertRefusedAsync(403, Signed(Delivery, at: Now.AddMinutes(minutes)));
        Assert.Empty(_fetched);
    }

    [Fact]
    public async Task A_message_of_an_hour_ago_may_be_a_repetition() =>
        Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery, at: Now.AddMinutes(-60))));

    [Fact]
    public async Task Other_peoples_topics_are_refused_and_cost_nothing()
    {
        await AssertRefusedAsync(403, Signed(Delivery, topic: Topic + "2"));
        Assert.IsType<FeedbackReading.Refused>(await new SesFeedback(FetchAsync).ReadAsync(
            Call(Signed(Delivery)), Settings with { Options = new Dictionary<string, string>() }, Now, CancellationToken.None));
        Assert.Empty(_fetched);
    }

    [Theory]
    [InlineData("base64")]
    [InlineData("file")]
    public async Task A_certificate_that_the_transport_names_is_believed_wherever_the_message_says_it_is(string form)
    {
        var pem = Certificate.ExportCertificatePem();
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, pem, TestContext.Current.CancellationToken);
            var key = form == "file" ? file : Convert.ToBase64String(Encoding.ASCII.GetBytes(pem));
            var settings = Settings with { Options = new Dictionary<string, string>(Settings.Options) { ["callback_key"] = key } };
            var reader = new SesFeedback((_, _) => ValueTask.FromResult<X509Certificate2?>(null));
            ValueTask<FeedbackReading> ReadAsync(string body) => reader.ReadAsync(Call(body), settings, Now, CancellationToken.None);

            Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(Delivery, certificateUrl: "https://sns.simulated.invalid/x.pem")));
            var forged = Signed(Delivery).Replace("250 OK", "250 KO", StringComparison.Ordinal);
            Assert.Equal(503, Assert.IsType<FeedbackReading.Refused>(await ReadAsync(forged)).Status);
            Assert.Equal(403, Assert.IsType<FeedbackReading.Refused>(await ReadAsync(Signed(Delivery, topic: Topic + "2"))).Status);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Without_the_certificate_the_message_is_to_come_again()
    {
        var reading = await new SesFeedback((_, _) => ValueTask.FromResult<X509Certificate2?>(null)).ReadAsync(Call(Signed(Delivery)),
            Settings, Now, CancellationToken.None);

        Assert.Equal(503, Assert.IsType<FeedbackReading.Refused>(reading).Status);
    }

    [Fact]
    public async Task A_subscription_is_confirmed_at_Amazons_address_only()
    {
        var good = Assert.IsType<FeedbackReading.Confirmation>(await ReadAsync(Signed("You have chosen…", "SubscriptionConfirmation",
            subscribeUrl: "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t")));

        Assert.Equal("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t", good.Url.ToString());
        await AssertRefusedAsync(403,
            Signed("x", "SubscriptionConfirmation", subscribeUrl: "https://evil.test/?Action=ConfirmSubscription"));
        await AssertRefusedAsync(403,
            Signed("x", "SubscriptionConfirmation", topic: Topic + "2", subscribeUrl: "https://sns.eu-west-1.amazonaws.com/"));
        Assert.Empty(Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed("x", "UnsubscribeConfirmation",
            subscribeUrl: "https://sns.eu-west-1.amazonaws.com/"))).Items);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"eventType":"Delivery"}""")]
    public async Task A_bare_event_has_no_signature_and_is_refused(string body) => await AssertRefusedAsync(400, body);

    [Fact]
    public async Task The_first_notification_is_plain_text_and_means_nothing()
    {
        var events = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed("Successfully validated SNS topic for Amazon SES event publishing.")));

        Assert.Equal((0, 0), (events.Items.Count, events.Unreadable));
        Assert.Equal(1, Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed("{"))).Unreadable);
    }

    public static TheoryData<string, string, FeedbackKind, string?> Kinds { get; } = new()
    {
        { "Send", "{}", FeedbackKind.Accepted, "a@to.test" },
        { "Bounce", """{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.BouncedHard, "b@to.test" },
        { "Bounce", """{"bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Rejected, "b@to.test" },
        { "Bounce", """{"bounceType":"Permanent","bounceSubType":"Suppressed","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Rejected, "b@to.test" },
        { "Bounce", """{"bounceType":"Transient","bounceSubType":"MailboxFull","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.BouncedSoft, "b@to.test" },
        { "Bounce", """{"bounceType":"Transient","bounceSubType":"ContentRejected","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Blocked, "b@to.test" },
        { "Bounce", """{"bounceType":"Undetermined","bounceSubType":"Undetermined","bouncedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.BouncedSoft, "b@to.test" },
        { "Complaint", """{"complaintFeedbackType":"abuse","complainedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Complained, "b@to.test" },
        { "Complaint", """{"complaintFeedbackType":"not-spam","complainedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Other, "b@to.test" },
        { "Complaint", """{"complaintSubType":"OnAccountSuppressionList","complainedRecipients":[{"emailAddress":"b@to.test"}]}""", FeedbackKind.Rejected, "b@to.test" },
        { "Reject", """{"reason":"Bad content"}""", FeedbackKind.Rejected, "a@to.test" },
        { "Rendering Failure", """{"errorMessage":"no name"}""", FeedbackKind.Rejected, "a@to.test" },
        { "DeliveryDelay", """{"delayType":"MailboxFull","delayedRecipients":[{"emailAddress":"b@to.test","status":"4.2.2","diagnosticCode":"452 full"}]}""", FeedbackKind.Deferred, "b@to.test" },
        { "Open", """{"ipAddress":"192.0.2.1","userAgent":"UA"}""", FeedbackKind.Opened, "a@to.test" },
        { "Click", """{"link":"https://x.test/"}""", FeedbackKind.Clicked, "a@to.test" },
        { "Subscription", """{"newTopicPreferences":{"unsubscribeAll":true}}""", FeedbackKind.Unsubscribed, "a@to.test" },
        { "Subscription", """{"newTopicPreferences":{"unsubscribeAll":false}}""", FeedbackKind.Resubscribed, "a@to.test" },
        { "Invented", "{}", FeedbackKind.Other, "a@to.test" },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Every_kind_of_event_is_known_by_our_name(string type, string detail, FeedbackKind kind, string? address)
    {
        var member = type switch { "Rendering Failure" => "failure", "DeliveryDelay" => "deliveryDelay", _ => type.ToLowerInvariant() };
        foreach (var name in new[] { "eventType", "notificationType" })
        {
            var events = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(
                $$$"""{"{{{name}}}":"{{{type}}}","mail":{"messageId":"m","destination":["a@to.test"],"headers":[{"name":"X-Postrider-Id","value":"pr-9"}]},"{{{member}}}":{{{detail}}}}""")));

            var item = Assert.Single(events.Items);
            Assert.Equal((kind, address, "pr-9", type), (item.Kind, item.Address, item.CarriedId, item.Type));
            Assert.Equal(name == "notificationType", item.MayLackId);
        }
    }

    [Fact]
    public async Task Several_recipients_are_several_events_with_keys_of_their_own()
    {
        var message = """
            {"eventType":"Bounce","mail":{"messageId":"m","destination":["a@to.test","b@to.test"]},
             "bounce":{"bounceType":"Permanent","feedbackId":"f1","timestamp":"2026-11-21T11:00:00.000Z","bouncedRecipients":[
               {"emailAddress":"a@to.test","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no\r\n such user"},{"emailAddress":"b@to.test"}]}}
            """;
        var first = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(message))).Items;
        var again = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed(message))).Items;

        Assert.Equal(["f1/a@to.test", "f1/b@to.test"], first.Select(e => e.Key));
        Assert.Equal(first.Select(e => e.Key), again.Select(e => e.Key));
        Assert.Equal(new Reply(550, "5.1.1", "550 5.1.1 no  such user"), first[0].Reply);
        Assert.Equal(new DateTimeOffset(2026, 11, 21, 11, 0, 0, TimeSpan.Zero), first[0].At);
        var open = Assert.IsType<FeedbackReading.Events>(await ReadAsync(Signed("""{"eventType":"Open","mail":{"destination":["a@to.test","b@to.test"]},"open":{}}"""))).Items;
        Assert.Null(Assert.Single(open).Address);
    }

    const string Delivery = """
        {"eventType":"Delivery","mail":{"messageId":"0100-1","destination":["a@to.test"],"tags":{"ses:configuration-set":["x"],"postrider_id":["pr-1"]}},
         "delivery":{"recipients":["a@to.test"],"smtpResponse":"250 OK","timestamp":"2026-11-21T11:59:59Z"}}
        """;

    async Task AssertRefusedAsync(int status, string body) =>
        Assert.Equal(status, Assert.IsType<FeedbackReading.Refused>(await ReadAsync(body)).Status);

    ValueTask<FeedbackReading> ReadAsync(string body) =>
        new SesFeedback(FetchAsync).ReadAsync(Call(body), Settings, Now, CancellationToken.None);

    ValueTask<X509Certificate2?> FetchAsync(Uri url, CancellationToken ct)
    {
        _fetched.Add(url);
        return ValueTask.FromResult<X509Certificate2?>(X509CertificateLoader.LoadCertificate(Certificate.RawData));
    }

    static InboundCall Call(string body) => Vendors.Post("/callbacks/ses/x", body, ("Content-Type", "text/plain; charset=UTF-8"));

    /// <summary>Signed as Amazon describes it, written out here a second time.</summary>
    static string Signed(string message, string type = "Notification", string version = "2", string? subject = null,
        string? subscribeUrl = null,
        string certificateUrl = CertificateUrl, string topic = Topic, DateTimeOffset? at = null)
    {
        var timestamp = (at ?? Now).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
        var toSign = type == "Notification"
            ? $"Message\n{message}\nMessageId\nid-1\n{(subject is null ? "" : $"Subject\n{subject}\n")}Timestamp\n{timestamp}\nTopicArn\n{topic}\nType\n{type}\n"
            : $"Message\n{message}\nMessageId\nid-1\nSubscribeURL\n{subscribeUrl}\nTimestamp\n{timestamp}\nToken\nt\nTopicArn\n{topic}\nType\n{type}\n";
        var signature = Key.SignData(Encoding.UTF8.GetBytes(toSign), version == "1"
            ? HashAlgorithmName.SHA1
            : HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var fields = new Dictionary<string, string>
        {
            ["Type"] = type,
            ["MessageId"] = "id-1",
            ["TopicArn"] = topic,
            ["Message"] = message,
            ["Timestamp"] = timestamp,
            ["SignatureVersion"] = version,
            ["Signature"] = Convert.ToBase64String(signature),
            ["SigningCertURL"] = certificateUrl,
        };
        if (subject is not null)
            fields["Subject"] = subject;
        if (subscribeUrl is not null)
            (fields["SubscribeURL"], fields["Token"]) = (subscribeUrl, "t");
        return JsonSerializer.Serialize(fields);
    }
}
