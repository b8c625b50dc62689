using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Resend;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Resend;

public sealed class ResendFeedbackTests
{
    // Signed and checked by the vendor's own verification code.
    const string Secret = "whsec_cG9zdHJpZGVyLXRlc3QtcmVzZW5kLWtleS0zMmJ5dGU=";
    const string Signature = "v1,vuLdGqer79e25rfa1Bmqd9/+QGBXO8Xq0Wk+x+BM6EA=";
    const string Body = """{"type":"email.delivered","created_at":"2023-11-14T22:13:20.000Z","data":{"email_id":"e1"}}""";
    static readonly DateTimeOffset At = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    [Theory]
    [InlineData("svix", Signature)]
    [InlineData("webhook", Signature)]
    [InlineData("svix", "v1,AAAA v2,x " + Signature)]
    public void A_signed_callback_is_read(string prefix, string signature)
    {
        var item = Assert.Single(Assert.IsType<FeedbackReading.Events>(ResendFeedback.Read(Call(Body, signature, prefix: prefix), Secret,
            At)).Items);

        Assert.Equal((FeedbackKind.Delivered, "email.delivered", "msg_1", "e1", At), (item.Kind, item.Type, item.Key, item.ProviderId, item.At));
    }

    [Fact]
    public void One_flipped_bit_anywhere_is_refused()
    {
        var body = Encoding.UTF8.GetBytes(Body);
        for (var i = 0; i < body.Length; i++)
        {
            var flipped = (byte[])body.Clone();
            flipped[i] ^= 1;
            Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(ResendFeedback.Read(Call(Body) with { Body = flipped }, Secret, At))
                .Status);
        }
    }

    [Theory]
    [InlineData(300, true)]
    [InlineData(-300, true)]
    [InlineData(301, false)]
    [InlineData(-301, false)]
    [InlineData(86_400, false)]
    public void It_holds_for_five_minutes_both_ways(int seconds, bool isGood) =>
        Assert.Equal(isGood, ResendFeedback.Read(Call(Body), Secret, At.AddSeconds(seconds)) is FeedbackReading.Events);

    [Fact]
    public void A_replay_has_the_key_of_the_first() =>
        Assert.Equal(Key(At), Key(At.AddSeconds(60)));

    static string Key(DateTimeOffset now) =>
        Assert.Single(Assert.IsType<FeedbackReading.Events>(ResendFeedback.Read(Call(Body), Secret, now)).Items).Key;

    [Theory]
    [InlineData("v1,vuLdGqer79e25rfa1Bmqd9/+QGBXO8Xq0Wk+x+BM6EE=", "msg_1", "1700000000")]
    [InlineData(Signature, "msg_2", "1700000000")]
    [InlineData(Signature, "msg_1", "1700000001")]
    [InlineData("v2,vuLdGqer79e25rfa1Bmqd9/+QGBXO8Xq0Wk+x+BM6EA=", "msg_1", "1700000000")]
    [InlineData("v1,", "msg_1", "1700000000")]
    [InlineData("v1,!", "msg_1", "1700000000")]
    [InlineData(null, "msg_1", "1700000000")]
    [InlineData(Signature, null, "1700000000")]
    [InlineData(Signature, "msg_1", null)]
    public void Any_part_that_is_not_as_signed_is_refused(string? signature, string? id, string? timestamp) =>
        Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(ResendFeedback.Read(Call(Body, signature, id, timestamp), Secret, At))
            .Status);

    [Theory]
    [InlineData("email.sent", "", FeedbackKind.Accepted)]
    [InlineData("email.scheduled", "", FeedbackKind.Other)]
    [InlineData("email.delivery_delayed", "", FeedbackKind.Deferred)]
    [InlineData("email.bounced", ",\"bounce\":{\"type\":\"Permanent\",\"subType\":\"General\"}", FeedbackKind.BouncedHard)]
    [InlineData("email.bounced", ",\"bounce\":{\"type\":\"Permanent\",\"subType\":\"Suppressed\"}", FeedbackKind.Rejected)]
    [InlineData("email.bounced", ",\"bounce\":{\"type\":\"Transient\",\"subType\":\"MailboxFull\"}", FeedbackKind.BouncedSoft)]
    [InlineData("email.bounced", ",\"bounce\":{\"type\":\"Undetermined\"}", FeedbackKind.BouncedSoft)]
    [InlineData("email.bounced", ",\"bounce\":{\"type\":\"Transient\",\"subType\":\"ContentRejected\"}", FeedbackKind.Blocked)]
    [InlineData("email.complained", "", FeedbackKind.Complained)]
    [InlineData("email.opened", "", FeedbackKind.Opened)]
    [InlineData("email.clicked", ",\"click\":{\"link\":\"https://x.test/\"}", FeedbackKind.Clicked)]
    [InlineData("email.failed", ",\"failed\":{\"reason\":\"quota\"}", FeedbackKind.Rejected)]
    [InlineData("email.suppressed", ",\"suppressed\":{\"type\":\"bounce\"}", FeedbackKind.Rejected)]
    [InlineData("contact.created", "", FeedbackKind.Other)]
    public void Every_kind_of_event_is_known_by_our_name(string type, string fields, FeedbackKind kind) =>
        Assert.Equal(kind, Read($$"""{"type":"{{type}}","created_at":"2026-03-01T00:00:00Z","data":{"email_id":"e"{{fields}} } }""").Kind);

    [Fact]
    public void Our_id_the_address_and_the_reason_are_kept()
    {
        var item = Read("""
            {"type":"email.bounced","created_at":"2026-03-01T00:00:00Z","data":{"email_id":"e","to":["Ann <a@to.test>"],"tags":{"postrider_id":"pr_1"},
             "bounce":{"type":"Permanent","subType":"Suppressed","message":"m","diagnosticCode":["550 5.1.1 no"]}}}
            """);

        Assert.True(item.MayLackId);
        Assert.Equal(("pr_1", "a@to.test", "Suppressed", new Reply(550, null, "550 5.1.1 no")), (item.CarriedId, item.Address, item.Suppressed, item.Reply!.Value));
        Assert.Null(Read("""{"type":"email.opened","created_at":"2026-03-01T00:00:00Z","data":{"to":["a@to.test","b@to.test"]}}""").Address);
    }

    [Theory]
    [InlineData("{}", 1)]
    [InlineData("""{"type":"email.sent","created_at":"soon"}""", 1)]
    [InlineData("""{"type":"\ud800","created_at":"2026-03-01T00:00:00Z"}""", 1)]
    [InlineData("""{"type":"email.sent","created_at":"2026-03-01T00:00:00Z","data":5}""", 0)]
    public void An_event_without_kind_or_time_is_counted_as_unreadable(string body, int unreadable) =>
        Assert.Equal(unreadable, Assert.IsType<FeedbackReading.Events>(ResendFeedback.Read(Call(body), null, At)).Unreadable);

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    public void What_is_no_event_is_refused(string body) =>
        Assert.Equal(400, Assert.IsType<FeedbackReading.Refused>(ResendFeedback.Read(Call(body), null, At)).Status);

    static FeedbackEvent Read(string body) =>
        Assert.Single(Assert.IsType<FeedbackReading.Events>(ResendFeedback.Read(Call(body), null, At)).Items);

    static InboundCall Call(string body, string? signature = Signature, string? id = "msg_1", string? timestamp = "1700000000", string prefix = "svix") =>
        Vendors.Post("/callbacks/resend/x", body,
            [.. new[] { ($"{prefix}-id", id), ($"{prefix}-timestamp", timestamp), ($"{prefix}-signature", signature) }.Where(h => h.Item2 is not null).Select(h => (h.Item1, h.Item2!))]);
}
