using Postrider.Messages;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.Mailgun;

/// <summary>Answers as Mailgun gives them, one row for each that means something of its own.</summary>
public sealed class MailgunErrorsTests
{
    public static TheoryData<int, string, OutcomeKind, OutcomeScope> Answers { get; } = new()
    {
        { 400, Error("'to' parameter is not a valid address. please check documentation"), Rejected, Recipient },
        { 400, Error("'from' parameter is not a valid address. please check documentation"), Rejected, Message },
        { 400, Error("Send options (parameters starting with o:, h:, or v:) are limited to 16KB"), Unfit, Message },
        { 400, Error("Domain sandbox.mailgun.org is not allowed to send: Free accounts are for test purposes only. Please upgrade or add the address to authorized recipients"), Refused, Recipient },
        { 400, Error("Domain mg.test is not allowed to send"), Refused, Transport },
        { 401, "Forbidden", Refused, Transport },
        { 402, Error("Request failed"), Refused, Transport },
        { 403, Error("Domain mg.test is disabled"), Refused, Transport },
        { 404, Error("Domain not found: mg.test"), Refused, Transport },
        { 413, Error("Request entity too large"), Unfit, Message },
        { 413, "", Unfit, Message },
        { 418, Error("Something new"), Refused, Recipient },
        { 429, Error("Domain mg.test is not allowed to send: account-requests-per-sec limit exceeded, try again after 120 seconds"), Throttled, Transport },
        { 500, Error("Internal error"), Unreachable, Transport },
        { 503, Error("Later"), Unreachable, Transport },
        { 500, "<html>oops</html>", Unknown, Transport },
        { 502, "", Unknown, Transport },
        { 503, "{\"error\":\"upstream\"}", Unknown, Transport },
        { 200, "Mailgun Magnificent API", Refused, Transport },
        { 200, "", Unknown, Transport },
        { 200, Error("Queued. Thank you."), Unknown, Transport }, // without id
        { 302, "", Refused, Transport },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public Task An_answer_becomes_its_outcome(int status, string body, OutcomeKind kind, OutcomeScope scope) =>
        VendorChecks.AssertOutcomeAsync(new HttpReply(status, body), stub => MailgunProviderTests.ProviderAt(stub), kind, scope);

    [Fact]
    public async Task Throttling_says_until_when_in_a_header_or_in_words()
    {
        await using var stub = HttpStub.Start(
            new HttpReply(429, Error("limit exceeded, try again after 120 seconds")).With("Retry-After", "7"),
            new HttpReply(429, Error("limit exceeded, try again after 120 seconds")),
            new HttpReply(429, Error("limit exceeded")));
        await using var provider = MailgunProviderTests.ProviderAt(stub);

        Assert.Equal(TimeSpan.FromSeconds(7), await RetryAfterAsync());
        Assert.Equal(TimeSpan.FromSeconds(120), await RetryAfterAsync());
        Assert.Null(await RetryAfterAsync());

        async Task<TimeSpan?> RetryAfterAsync() => (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].RetryAfter;
    }

    [Fact]
    public async Task A_cut_after_the_call_was_read_is_unknown()
    {
        await using var stub = HttpStub.Start(HttpReply.Cut);
        await using var provider = MailgunProviderTests.ProviderAt(stub);

        Assert.Equal(Unknown, (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].Kind);
    }

    internal static string Error(string message) => $$"""{"message":"{{message}}"}""";
}
