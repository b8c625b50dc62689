using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Webhooks;
using Xunit;

namespace Postrider.Engine.Tests.Webhooks;

/// <summary>What is signed verifies; what was changed does not.</summary>
public sealed class WebhookSignatureTests
{
    static readonly byte[] Secret = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    // The example that Svix's own libraries are tested with.
    [Fact]
    public void The_signature_is_the_one_of_the_specification()
    {
        var secret = WebhookSignature.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")!;
        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WebhookSignature.Sign(
            [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, Encoding.UTF8.GetBytes("""{"test": 2432232314}""")));
    }

    [Fact]
    public void What_was_signed_verifies_and_nothing_else_does() => Prop.ForAll<byte[], PositiveInt, PositiveInt>((body, at, which) =>
    {
        var header = WebhookSignature.Sign([Secret], "evt_1_1", at.Get, body);
        var changed = body.Length == 0 ? [1] : body.ToArray();
        if (body.Length > 0)
            changed[which.Get % body.Length] ^= 1;
        return WebhookSignature.Verify(Secret, "evt_1_1", at.Get, body, header)
            && !WebhookSignature.Verify(Secret, "evt_1_1", at.Get, changed, header)
            && !WebhookSignature.Verify(Secret, "evt_1_2", at.Get, body, header)
            && !WebhookSignature.Verify(Secret, "evt_1_1", at.Get + 1L, body, header)
            && !WebhookSignature.Verify([.. Secret.Reverse()], "evt_1_1", at.Get, body, header);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void Two_secrets_make_two_signatures_and_either_verifies()
    {
        byte[] other = [.. Secret.Reverse()];
        var header = WebhookSignature.Sign([Secret, other], "evt_1_1", 5, "{}"u8);
        Assert.Equal(2, header.Split(' ').Length);
        Assert.True(WebhookSignature.Verify(Secret, "evt_1_1", 5, "{}"u8, header));
        Assert.True(WebhookSignature.Verify(other, "evt_1_1", 5, "{}"u8, header));
    }

    [Theory]
    [InlineData(""), InlineData("v1,"), InlineData("v1,AAAA"), InlineData("v2,x v1"), InlineData("v1,%%%"), InlineData("v1a,AAAA")]
    public void A_header_that_is_none_does_not_verify(string header) =>
        Assert.False(WebhookSignature.Verify(Secret, "evt_1_1", 5, "{}"u8, header));

    [Theory]
    [InlineData("whsec_"), InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), InlineData("whsec_c2hvcnQ="), InlineData("whsec_!!!")]
    public void A_secret_that_is_too_short_or_none_is_refused(string text) => Assert.Null(WebhookSignature.ParseSecret(text));

    [Fact]
    public void A_secret_is_read_as_it_is_written() =>
        Assert.Equal(Secret, WebhookSignature.ParseSecret(WebhookSignature.SecretText(Secret)));

    [Fact]
    public void Nine_tries_take_more_than_a_day()
    {
        var sum = TimeSpan.Zero;
        for (var tries = 1; WebhookSchedule.Next(tries, null, 0) is { } delay; tries++)
            sum += delay;
        Assert.Equal(9, WebhookSchedule.Tries);
        Assert.InRange(sum, TimeSpan.FromHours(24), TimeSpan.FromHours(25));
        Assert.Equal(TimeSpan.FromSeconds(5.25), WebhookSchedule.Next(1, null, 0.5));
        Assert.Equal(TimeSpan.FromMinutes(10), WebhookSchedule.Next(1, TimeSpan.FromMinutes(10), 0));
        Assert.Equal(TimeSpan.FromHours(1), WebhookSchedule.Next(1, TimeSpan.FromDays(300), 0));
    }

    [Theory]
    [InlineData("Authorization", "x\r\nY: z"), InlineData("X", "a\nb"), InlineData("X", "a\0b"), InlineData("X", "ä")]
    [InlineData("X: y", "z"), InlineData("", "z"), InlineData("X y", "z"), InlineData("Host", "z"), InlineData("content-length", "5")]
    [InlineData("Transfer-Encoding", "chunked"), InlineData("Webhook-Id", "z"), InlineData("Content-Type", "z"), InlineData("Expires", "z")]
    [InlineData("Connection", "close"), InlineData("X\r\nY", "z")]
    public void A_header_field_that_breaks_the_request_is_refused(string name, string value) =>
        Assert.NotNull(WebhookHeaders.FaultOf(new Dictionary<string, string> { [name] = value }));

    [Theory]
    [InlineData("Authorization", "Bearer abc"), InlineData("Authorization", "Basic dTpw"), InlineData("X-Api-Key", "a b, c;d=\"e\"")]
    public void An_ordinary_header_field_is_taken(string name, string value) =>
        Assert.Null(WebhookHeaders.FaultOf(new Dictionary<string, string> { [name] = value }));
}
