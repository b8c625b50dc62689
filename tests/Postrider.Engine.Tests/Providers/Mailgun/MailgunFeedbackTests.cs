using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Mailgun;

public sealed class MailgunFeedbackTests
{
    // The signature was made in Node and made again in .NET.
    const string Key = "test-signing-key";
    const string Token = "0123456789abcdef0123456789abcdef0123456789abcdef01";
    const string Signature = "c275f7e86b6d2eadffd03949cf3901424761c7792b511c091d96823cf5d5949c";
    const string Delivered = """
        {"event":"delivered","timestamp":1700000000.5,"id":"ev1","recipient":"a@example.net","delivery-status":{"code":250,"message":"OK"},
         "message":{"headers":{"message-id":"2026.1@mg.test"}},"user-variables":{"postrider_id":"pr_1"}}
        """;

    static readonly DateTimeOffset At = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    [Fact]
    public void A_signed_callback_is_read()
    {
        var item = Assert.Single(Assert.IsType<FeedbackReading.Events>(new MailgunFeedback().Read(Call(Delivered), Key, At)).Items);

        Assert.Equal((FeedbackKind.Delivered, "2026.1@mg.test", "a@example.net", "pr_1", At.AddSeconds(0.5), new Reply(250, null, "OK")),
            (item.Kind, item.ProviderId, item.Address, item.CarriedId, item.At, item.Reply!.Value));
        Assert.False(item.MayLackId);
    }

    [Fact]
    public void A_variable_that_Mailgun_did_not_fill_in_is_no_id_and_its_mail_may_be_ours()
    {
        var body = Delivered.Replace("pr_1", "%recipient.postrider_id%", StringComparison.Ordinal);
        var item = Assert.Single(Assert.IsType<FeedbackReading.Events>(new MailgunFeedback().Read(Call(body), Key, At)).Items);

        Assert.Equal((null, true), (item.CarriedId, item.MayLackId));
    }

    [Fact]
    public void A_flipped_bit_in_any_part_of_the_signature_is_refused()
    {
        foreach (var (timestamp, token, signature) in Enumerable.Range(0, 64).Select(i => ("1700000000", Token, Flip(Signature, i)))
            .Concat(Enumerable.Range(0, Token.Length).Select(i => ("1700000000", Flip(Token, i), Signature))).Append(("1700000001", Token, Signature)))
            Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(new MailgunFeedback()
                .Read(Call(Delivered, timestamp, token, signature), Key, At)).Status);

        static string Flip(string text, int at) => text[..at] + (char)(text[at] ^ 1) + text[(at + 1)..];
    }

    [Theory]
    [InlineData(900, true)]
    [InlineData(-900, true)]
    [InlineData(901, false)]
    [InlineData(-901, false)]
    public void It_holds_for_a_quarter_of_an_hour(int seconds, bool isGood) =>
        Assert.Equal(isGood, new MailgunFeedback().Read(Call(Delivered), Key, At.AddSeconds(seconds)) is FeedbackReading.Events);

    [Fact]
    public void A_replay_is_the_same_event_and_another_event_behind_the_same_token_is_refused()
    {
        var feedback = new MailgunFeedback();

        var first = Assert.IsType<FeedbackReading.Events>(feedback.Read(Call(Delivered), Key, At));
        var again = Assert.IsType<FeedbackReading.Events>(feedback.Read(Call(Delivered), Key, At.AddMinutes(5)));
        var forged = feedback.Read(Call(Delivered.Replace("delivered", "complained", StringComparison.Ordinal)), Key, At);

        Assert.Equal(first.Items[0].Key, again.Items[0].Key);
        Assert.Equal(401, Assert.IsType<FeedbackReading.Refused>(forged).Status);
    }

    [Theory]
    [InlineData("\"event\":\"accepted\"", FeedbackKind.Accepted)]
    [InlineData("\"event\":\"failed\",\"severity\":\"temporary\",\"delivery-status\":{\"code\":451,\"retry-seconds\":600}", FeedbackKind.Deferred)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"delivery-status\":{\"code\":550,\"enhanced-code\":\"5.1.1\"}", FeedbackKind.BouncedHard)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"delivery-status\":{\"code\":452}", FeedbackKind.BouncedSoft)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":\"old\"", FeedbackKind.BouncedSoft)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"delivery-status\":{\"code\":550,\"enhanced-code\":\"5.7.1\"}", FeedbackKind.Blocked)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"reason\":\"suppress-bounce\",\"delivery-status\":{\"code\":605}", FeedbackKind.Rejected)]
    [InlineData("\"event\":\"failed\",\"severity\":\"permanent\",\"delivery-status\":{\"code\":607}", FeedbackKind.Rejected)]
    [InlineData("\"event\":\"rejected\"", FeedbackKind.Rejected)]
    [InlineData("\"event\":\"complained\"", FeedbackKind.Complained)]
    [InlineData("\"event\":\"opened\"", FeedbackKind.Opened)]
    [InlineData("\"event\":\"clicked\",\"url\":\"https://x.test/\"", FeedbackKind.Clicked)]
    [InlineData("\"event\":\"unsubscribed\"", FeedbackKind.Unsubscribed)]
    [InlineData("\"event\":\"invented tomorrow\"", FeedbackKind.Other)]
    public void Every_kind_of_event_is_known_by_our_name(string fields, FeedbackKind kind)
    {
        var item = Assert.Single(Events($$"""{"id":"e","timestamp":1,"recipient":"a@to.test",{{fields}} }""").Items);

        Assert.Equal(kind, item.Kind);
        Assert.Equal(fields.Contains("60", StringComparison.Ordinal) && kind == FeedbackKind.Rejected, item.Suppressed is not null);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("5")]
    [InlineData("""{"event":"opened","id":"e","timestamp":"1"}""")]
    [InlineData("""{"event":"opened","id":"e","timestamp":1e300}""")]
    [InlineData("""{"event":"opened","id":"e","timestamp":-1}""")]
    [InlineData("""{"event":"opened","timestamp":1}""")]
    public void An_event_without_kind_id_or_time_is_counted_as_unreadable(string data) => Assert.Equal(1, Events(data).Unreadable);

    [Theory]
    [InlineData("", 400)]
    [InlineData("[]", 401)]
    [InlineData("{\"signature\":5}", 401)]
    public void What_is_no_event_is_refused(string body, int status) =>
        Assert.Equal(status, Assert.IsType<FeedbackReading.Refused>(new MailgunFeedback().Read(Vendors.Post("/x", body), Key, At)).Status);

    static FeedbackReading.Events Events(string data) =>
        Assert.IsType<FeedbackReading.Events>(new MailgunFeedback().Read(Call(data), null, At));

    static InboundCall Call(string data, string timestamp = "1700000000", string token = Token, string signature = Signature) =>
        Vendors.Post("/callbacks/mailgun/x", $$"""{"signature":{"timestamp":"{{timestamp}}","token":"{{token}}","signature":"{{signature}}"},"event-data":""" + data + "}");
}
