using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Postmark;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Postmark;

public sealed class PostmarkFeedbackTests
{
    const string Delivery = """
        {"RecordType":"Delivery","ServerID":23,"MessageStream":"outbound","MessageID":"6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11","Recipient":"a@example.net",
         "Tag":"welcome","DeliveredAt":"2026-03-01T16:33:54.9070259Z","Details":"250 2.0.0 taken","Metadata":{"postrider_id":"pr_1"}}
        """;

    [Fact]
    public void A_delivery_is_read()
    {
        var item = Assert.Single(Events(Delivery).Items);

        Assert.Equal((FeedbackKind.Delivered, "6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11", "a@example.net", "pr_1", new DateTimeOffset(2026, 3, 1, 16, 33, 54, TimeSpan.Zero).AddTicks(9070259)),
            (item.Kind, item.ProviderId, item.Address, item.CarriedId, item.At));
        Assert.Equal(new Reply(250, null, "250 2.0.0 taken"), item.Reply);
    }

    [Theory]
    [InlineData("Authorization", "Basic YW55Ym9keTpzM2NyZXQ=", true)] // anybody:s3cret
    [InlineData("authorization", "basic YW55Ym9keTpzM2NyZXQ=", true)]
    [InlineData("X-Callback-Key", "s3cret", true)]
    [InlineData("Authorization", "Basic YW55Ym9keTpzM2NyZXU=", false)] // one bit of the last letter
    [InlineData("Authorization", "Basic czNjcmV0", false)]
    [InlineData("Authorization", "Basic !", false)]
    [InlineData("Authorization", "Bearer s3cret", false)]
    [InlineData("X-Callback-Key", "s3creu", false)]
    [InlineData("X-Callback-Key", "", false)]
    [InlineData("X-Other", "", false)]
    public void The_key_proves_it_and_without_it_the_answer_is_401_never_403(string name, string value, bool isGood)
    {
        var read = PostmarkFeedback.Read(Vendors.Post("/callbacks/postmark/x", Delivery, (name, value)), "s3cret");

        if (isGood)
            Assert.IsType<FeedbackReading.Events>(read);
        else
            Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(read).Status);
    }

    [Fact]
    public void A_repetition_has_the_same_key_and_other_events_of_the_message_have_others()
    {
        var bounce = Bounce("HardBounce");

        Assert.Equal(Key(Delivery), Key(Delivery));
        Assert.Equal(Key(bounce), Key(bounce));
        Assert.Equal(4, new[] { Key(Delivery), Key(bounce), Key(Delivery.Replace("a@example", "b@example", StringComparison.Ordinal)),
            Key(bounce.Replace("42", "43", StringComparison.Ordinal)) }.Distinct().Count());

        static string Key(string body) => Assert.Single(Events(body).Items).Key;
    }

    [Theory]
    [InlineData("HardBounce", FeedbackKind.BouncedHard)]
    [InlineData("BadEmailAddress", FeedbackKind.BouncedHard)]
    [InlineData("SoftBounce", FeedbackKind.BouncedSoft)]
    [InlineData("DnsError", FeedbackKind.BouncedSoft)]
    [InlineData("Unknown", FeedbackKind.BouncedSoft)]
    [InlineData("Transient", FeedbackKind.Deferred)]
    [InlineData("Blocked", FeedbackKind.Blocked)]
    [InlineData("SpamNotification", FeedbackKind.Blocked)]
    [InlineData("DMARCPolicy", FeedbackKind.Blocked)]
    [InlineData("VirusNotification", FeedbackKind.Blocked)]
    [InlineData("SpamComplaint", FeedbackKind.Complained)]
    [InlineData("Unsubscribe", FeedbackKind.Unsubscribed)]
    [InlineData("ManuallyDeactivated", FeedbackKind.Rejected)]
    [InlineData("Unconfirmed", FeedbackKind.Rejected)]
    [InlineData("SMTPApiError", FeedbackKind.Rejected)]
    [InlineData("TemplateRenderingFailed", FeedbackKind.Rejected)]
    [InlineData("AutoResponder", FeedbackKind.Other)]
    [InlineData("ChallengeVerification", FeedbackKind.Other)]
    [InlineData("AddressChange", FeedbackKind.Other)]
    [InlineData("Subscribe", FeedbackKind.Other)]
    [InlineData("OpenRelayTest", FeedbackKind.Other)]
    [InlineData("InventedTomorrow", FeedbackKind.Other)]
    public void Every_type_of_bounce_is_known_by_our_name(string type, FeedbackKind kind)
    {
        var item = Assert.Single(Events(Bounce(type)).Items);

        Assert.Equal((kind, $"Bounce/{type}", "b@example.net", type), (item.Kind, item.Type, item.Address, item.Suppressed));
        Assert.Equal(new Reply(550, null, "550 5.1.1 no such user"), item.Reply);
    }

    [Theory]
    [InlineData("""{"RecordType":"SpamComplaint","ID":1,"Email":"b@x.test","BouncedAt":"2026-03-01T00:00:00Z","Inactive":true}""", FeedbackKind.Complained)]
    [InlineData("""{"RecordType":"Open","Recipient":"b@x.test","ReceivedAt":"2026-03-01T00:00:00Z","UserAgent":"UA","Geo":{"IP":"192.0.2.1"}}""", FeedbackKind.Opened)]
    [InlineData("""{"RecordType":"Click","Recipient":"b@x.test","ReceivedAt":"2026-03-01T00:00:00Z","OriginalLink":"https://x.test/"}""", FeedbackKind.Clicked)]
    [InlineData("""{"RecordType":"SubscriptionChange","Recipient":"b@x.test","ChangedAt":"2026-03-01T00:00:00Z","SuppressSending":true,"SuppressionReason":"ManualSuppression"}""", FeedbackKind.Unsubscribed)]
    [InlineData("""{"RecordType":"SubscriptionChange","Recipient":"b@x.test","ChangedAt":"2026-03-01T00:00:00Z","SuppressSending":true,"SuppressionReason":"HardBounce"}""", FeedbackKind.Other)]
    [InlineData("""{"RecordType":"SubscriptionChange","Recipient":"b@x.test","ChangedAt":"2026-03-01T00:00:00Z","SuppressSending":false,"SuppressionReason":null}""", FeedbackKind.Resubscribed)]
    [InlineData("""{"RecordType":"Inbound"}""", FeedbackKind.Other)]
    public void Every_other_record_is_known_by_our_name(string body, FeedbackKind kind) =>
        Assert.Equal(kind, Assert.Single(Events(body).Items).Kind);

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"RecordType":"Delivery"}""")]
    [InlineData("""{"RecordType":"Delivery","DeliveredAt":"soon"}""")]
    [InlineData("""{"RecordType":5}""")]
    public void An_event_without_kind_or_time_is_counted_as_unreadable(string body)
    {
        var read = Events(body);

        Assert.Equal((0, 1), (read.Items.Count, read.Unreadable));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    public void What_is_no_event_is_refused(string body) =>
        Assert.Equal(400, Assert.IsType<FeedbackReading.Refused>(PostmarkFeedback.Read(Vendors.Post("/x", body), null)).Status);

    [Fact]
    public void Bytes_at_random_never_break_the_reader()
    {
        var dice = new Postrider.Testing.Dice(7);
        for (var i = 0; i < 2_000; i++)
        {
            var body = Encoding.UTF8.GetBytes(Delivery);
            body[dice.Next(body.Length)] = (byte)dice.Next(256);
            Assert.NotNull(PostmarkFeedback.Read(Vendors.Post("/x", "") with { Body = body }, null));
        }
    }

    static string Bounce(string type) => $$"""
        {"RecordType":"Bounce","ID":42,"Type":"{{type}}","TypeCode":1,"MessageID":"m","Email":"b@example.net","BouncedAt":"2026-03-01T00:00:00Z",
         "Description":"d","Details":"550 5.1.1 no\r\nsuch user","Inactive":true,"Metadata":{} }
        """;

    static FeedbackReading.Events Events(string body) =>
        Assert.IsType<FeedbackReading.Events>(PostmarkFeedback.Read(Vendors.Post("/x", body), null));
}
