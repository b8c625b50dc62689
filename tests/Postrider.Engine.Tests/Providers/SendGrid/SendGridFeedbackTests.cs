using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.SendGrid;
using Xunit;

namespace Postrider.Engine.Tests.Providers.SendGrid;

public sealed class SendGridFeedbackTests
{
    // Signed by Node's crypto and checked by the vendor's own library.
    const string Key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2Ngq5m1B73ARIZ5lVYIWC8652TREbvkMqZ05AaRc/LoDs0ZXjIisBM14j56rnzWqCt7/DCcJ7UIXZ47nUaYnig==";
    const string Signature = "MEYCIQCjasai3BI+WD7uJ3ek/bazvxYUjYzZlmdTCAnSXI1EMQIhAOppJAM2mU/yiOPfLkQdBuAOb+eRts14jt4E6IVOmuzB";
    const string Body = """[{"email":"a@example.net","timestamp":1700000000,"event":"delivered","sg_event_id":"e1","sg_message_id":"m1.filter0","postrider_id":"pr_1"}]""" + "\r\n";

    [Fact]
    public void A_signed_callback_is_read()
    {
        var read = Assert.IsType<FeedbackReading.Events>(SendGridFeedback.Read(Call(Body), Key));

        var item = Assert.Single(read.Items);
        Assert.Equal((FeedbackKind.Delivered, "e1", "m1", "a@example.net", "pr_1", DateTimeOffset.FromUnixTimeSeconds(1_700_000_000)),
            (item.Kind, item.Key, item.ProviderId, item.Address, item.CarriedId, item.At));
    }

    [Fact]
    public void One_flipped_bit_anywhere_is_refused()
    {
        var body = Encoding.UTF8.GetBytes(Body);
        for (var i = 0; i < body.Length; i++)
        {
            var flipped = (byte[])body.Clone();
            flipped[i] ^= 1;
            Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(SendGridFeedback.Read(Call("") with { Body = flipped }, Key)).Status);
        }
    }

    [Theory]
    [InlineData(Body, Signature, "1700000001")]
    [InlineData(Body, "", "1700000000")]
    [InlineData(Body, "not base64!", "1700000000")]
    [InlineData(Body, null, "1700000000")]
    [InlineData(Body, Signature, null)]
    public void Without_its_signature_and_timestamp_it_is_refused(string body, string? signature, string? timestamp) =>
        Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(SendGridFeedback.Read(Call(body, signature, timestamp), Key)).Status);

    [Fact]
    public void The_line_end_behind_the_body_is_signed_too() =>
        Assert.IsType<FeedbackReading.Refused>(SendGridFeedback.Read(Call(Body.TrimEnd()), Key));

    [Theory]
    [InlineData("\"event\":\"processed\"", FeedbackKind.Accepted)]
    [InlineData("\"event\":\"deferred\",\"response\":\"451 try later\"", FeedbackKind.Deferred)]
    [InlineData("\"event\":\"bounce\",\"type\":\"bounce\",\"reason\":\"550 5.1.1 no such user\",\"status\":\"5.1.1\"",
        FeedbackKind.BouncedHard)]
    [InlineData("\"event\":\"bounce\",\"type\":\"blocked\",\"reason\":\"554 mailbox full\"", FeedbackKind.BouncedSoft)]
    [InlineData("\"event\":\"bounce\",\"type\":\"blocked\",\"bounce_classification\":\"Reputation\"", FeedbackKind.Blocked)]
    [InlineData("\"event\":\"dropped\",\"reason\":\"Bounced Address\"", FeedbackKind.Rejected)]
    [InlineData("\"event\":\"dropped\",\"reason\":\"Invalid\"", FeedbackKind.BouncedHard)]
    [InlineData("\"event\":\"spamreport\"", FeedbackKind.Complained)]
    [InlineData("\"event\":\"open\",\"sg_machine_open\":true", FeedbackKind.Opened)]
    [InlineData("\"event\":\"click\",\"url\":\"https://x.test/\"", FeedbackKind.Clicked)]
    [InlineData("\"event\":\"unsubscribe\"", FeedbackKind.Unsubscribed)]
    [InlineData("\"event\":\"group_unsubscribe\",\"asm_group_id\":5", FeedbackKind.Unsubscribed)]
    [InlineData("\"event\":\"group_resubscribe\"", FeedbackKind.Resubscribed)]
    [InlineData("\"event\":\"invented tomorrow\"", FeedbackKind.Other)]
    public void Every_kind_of_event_is_known_by_our_name(string fields, FeedbackKind kind)
    {
        var read = Events($$"""[{"email":"a@to.test","timestamp":1,"sg_event_id":"e",{{fields}}}]""");

        Assert.Equal(kind, Assert.Single(read.Items).Kind);
        Assert.Equal(0, read.Unreadable);
    }

    [Fact]
    public void What_the_other_server_said_and_why_it_was_dropped_are_kept()
    {
        var read = Events("""
            [{"timestamp":1,"sg_event_id":"1","event":"bounce","type":"bounce","reason":"550 5.1.1 no\r\nsuch user","status":"5.1.1"},
             {"timestamp":1,"sg_event_id":"2","event":"dropped","reason":"Spam Reporting Address"},
             {"timestamp":1,"sg_event_id":"3","event":"open","sg_machine_open":true,"ip":"192.0.2.1","useragent":"UA"}]
            """);

        Assert.Equal(new Reply(550, "5.1.1", "550 5.1.1 no such user"), read.Items[0].Reply);
        Assert.Equal((null, "Spam Reporting Address"), (read.Items[0].Suppressed, read.Items[1].Suppressed));
        Assert.Equal((true, "192.0.2.1", "UA"), (read.Items[2].IsMachine, read.Items[2].Ip, read.Items[2].UserAgent));
    }

    [Fact]
    public void Entries_that_cannot_be_read_do_not_take_the_others_with_them()
    {
        var read = Events("""[5,{},{"event":"open","sg_event_id":"x","timestamp":"soon"},{"event":"open","sg_event_id":"x","timestamp":1e400},{"event":"open","sg_event_id":"x","timestamp":2}]""");

        Assert.Equal((1, 4), (read.Items.Count, read.Unreadable));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[")]
    public void What_is_no_array_is_refused(string body) =>
        Assert.Equal(400, Assert.IsType<FeedbackReading.Refused>(SendGridFeedback.Read(Call(body), null)).Status);

    static FeedbackReading.Events Events(string body) => Assert.IsType<FeedbackReading.Events>(SendGridFeedback.Read(Call(body), null));

    static InboundCall Call(string body, string? signature = Signature, string? timestamp = "1700000000") =>
        Vendors.Post("/callbacks/sendgrid/x", body,
        [.. new[] { ("X-Twilio-Email-Event-Webhook-Signature", signature), ("X-Twilio-Email-Event-Webhook-Timestamp", timestamp) }
            .Where(h => h.Item2 is not null).Select(h => (h.Item1, h.Item2!))]);
}
