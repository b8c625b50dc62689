using Postrider.Messages;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.Postmark;

/// <summary>Answers as Postmark gives them, one row for each that means something of its own.</summary>
public sealed class PostmarkErrorsTests
{
    public static TheoryData<int, string, OutcomeKind, OutcomeScope> Answers { get; } = new()
    {
        { 401, Error(10, "No Account or Server API tokens were supplied"), Refused, Transport },
        { 503, Error(100, "Maintenance"), Unreachable, Transport },
        { 422, Error(300, "Invalid 'To' address: 'a@to.test'."), Rejected, Recipient },
        { 422, Error(300, "Invalid 'From' address: 'x'."), Rejected, Message },
        { 422, Error(400, "The 'From' address you supplied is not a Sender Signature"), Refused, SenderDomain },
        { 422, Error(401, "Sender signature not confirmed"), Refused, SenderDomain },
        { 422, Error(402, "Invalid JSON"), Rejected, Message },
        { 422, Error(403, "Invalid request field"), Rejected, Message },
        { 422, Error(405, "Not allowed to send: out of credits"), Refused, Transport },
        { 422, Error(406, "You tried to send to recipient(s) that have been marked as inactive. Found inactive addresses: a@to.test. Inactive recipients are ones that…"), Rejected, Recipient },
        { 422, Error(409, "JSON required"), Rejected, Message },
        { 422, Error(410, "Too many batch messages"), Unfit, Message },
        { 422, Error(411, "Forbidden attachment type"), Unfit, Message },
        { 422, Error(412, "Account is pending approval: recipients in the sender's domain only"), Refused, Recipient },
        { 422, Error(413, "Account may not send"), Refused, Transport },
        { 422, Error(1235, "The message stream does not exist"), Refused, Transport },
        { 422, Error(999, "Something new"), Refused, Recipient },
        { 404, Error(701, "Not found"), Refused, Transport },
        { 413, Error(300, "Too large"), Unfit, Message },
        { 413, "", Unfit, Message },
        { 429, Error(429, "Rate limit exceeded"), Throttled, Transport },
        { 500, Error(500, "Internal error"), Unreachable, Transport },
        { 500, "<html>oops</html>", Unknown, Transport },
        { 502, "", Unknown, Transport },
        { 503, "{\"message\":\"upstream\"}", Unknown, Transport },
        { 403, "<html>blocked</html>", Unreachable, Transport },
        { 302, "", Refused, Transport },
        { 200, "", Unknown, Transport },
        { 200, "{\"ErrorCode\":0,\"Message\":\"OK\"}", Unknown, Transport }, // without MessageID
        { 200, Error(300, "Invalid 'From' address"), Rejected, Message },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public Task An_answer_becomes_its_outcome(int status, string body, OutcomeKind kind, OutcomeScope scope) =>
        VendorChecks.AssertOutcomeAsync(new HttpReply(status, body), stub => PostmarkProviderTests.ProviderAt(stub), kind, scope);

    [Fact]
    public async Task Throttling_says_until_when()
    {
        await using var stub = HttpStub.Start(new HttpReply(429, Error(429, "Rate limit exceeded")).With("Retry-After", "7"));
        await using var provider = PostmarkProviderTests.ProviderAt(stub);

        Assert.Equal(TimeSpan.FromSeconds(7), (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].RetryAfter);
    }

    [Fact]
    public async Task A_cut_after_the_call_was_read_is_unknown()
    {
        await using var stub = HttpStub.Start(HttpReply.Cut);
        await using var provider = PostmarkProviderTests.ProviderAt(stub);

        Assert.Equal(Unknown, (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].Kind);
    }

    [Fact]
    public async Task Inactive_addresses_of_an_accepted_message_are_told_from_the_others()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, """
            {"MessageID":"6e7f0ea7-7b0a-4c1c-9b0f-3f7d3b0d1c11","ErrorCode":0,"Message":"Message OK, but will not deliver to these inactive addresses: xa@to.test, b@to.test. Inactive recipients are ones that…"}
            """));
        await using var provider = PostmarkProviderTests.ProviderAt(stub);

        var outcomes = await provider.SendAsync(Envelopes.To("a@to.test", "b@to.test", "cc:xa@to.test"), CancellationToken.None);

        Assert.Equal([Accepted, Rejected, Rejected], outcomes.Select(o => o.Kind));
        Assert.Equal((Recipient, "5.2.1"), (outcomes[1].Scope, outcomes[1].Reply.Enhanced));
    }

    internal static string Error(int code, string message) => $$"""{"ErrorCode":{{code}},"Message":"{{message}}"}""";
}
