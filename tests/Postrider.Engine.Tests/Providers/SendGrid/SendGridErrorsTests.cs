using Postrider.Messages;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.SendGrid;

/// <summary>Answers as SendGrid gives them, one row for each that means something of its own.</summary>
public sealed class SendGridErrorsTests
{
    public static TheoryData<int, string, OutcomeKind, OutcomeScope> Answers { get; } = new()
    {
        { 400, Error("Does not contain a valid address.", "personalizations.0.to.0.email"), Rejected, Recipient },
        { 400, Error("Does not contain a valid address.", "personalizations.0.to.7.email"), Rejected, Message },
        { 400, Error("The subject is required.", "subject"), Rejected, Message },
        { 400, Error("The from email does not contain a valid address.", "from.email"), Rejected, Message },
        { 400, Error("Bad Request", null), Rejected, Message },
        { 400, Error("Substitutions may not be used with dynamic templating", "personalizations.0.substitutions"), Rejected, Message },
        { 400, Error("The attachment content must be base64 encoded.", "attachments.0.content"), Unfit, Message },
        { 400, Error("The header is reserved.", "headers.received"), Unfit, Message },
        { 400, Error("The total message size exceeds 30MB.", null), Unfit, Message },
        { 401, Error("The provided authorization grant is invalid, expired, or revoked", null), Refused, Transport },
        { 401, Error("Maximum credits exceeded", null), Refused, Transport },
        { 403,
            Error("The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved.",
                "from"), Refused, SenderDomain },
        { 403, Error("access forbidden", null), Refused, Transport },
        { 403, Error("This account may send to authorized recipients only.", "personalizations.0.to.0.email"), Refused, Recipient },
        { 403, Error("access forbidden", "personalizations.0"), Refused, Transport },
        { 404, Error("not found", null), Refused, Transport },
        { 405, Error("method not allowed", null), Refused, Transport },
        { 413, Error("request entity too large", null), Unfit, Message },
        { 415, Error("unsupported media type", null), Refused, Transport },
        { 429, Error("too many requests", null), Throttled, Transport },
        { 500, Error("internal error", null), Unreachable, Transport },
        { 503, Error("service unavailable", null), Unreachable, Transport },
        { 500, "<html>oops</html>", Unknown, Transport },
        { 502, "", Unknown, Transport },
        { 503, "{\"message\":\"upstream\"}", Unknown, Transport },
        { 503, "{\"errors\":[{}]}", Unknown, Transport },
        { 200, "{\"errors\":[{\"message\":\"no\"}]}", Unknown, Transport },
        { 202, "", Unknown, Transport }, // without X-Message-Id
        { 302, "", Refused, Transport },
        { 403, "<html>blocked</html>", Refused, Transport },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public Task An_answer_becomes_its_outcome(int status, string body, OutcomeKind kind, OutcomeScope scope) =>
        VendorChecks.AssertOutcomeAsync(new HttpReply(status, body), stub => SendGridProviderTests.ProviderAt(stub), kind, scope);

    [Fact]
    public async Task Throttling_says_until_when()
    {
        var reset = TimeProvider.System.GetUtcNow().AddSeconds(45).ToUnixTimeSeconds();
        await using var stub = HttpStub.Start(
            new HttpReply(429, Error("too many requests", null)).With("Retry-After", "7").With("X-RateLimit-Reset", $"{reset}"),
            new HttpReply(429, Error("too many requests", null)).With("X-RateLimit-Reset", $"{reset}"),
            new HttpReply(429, Error("too many requests", null)).With("X-RateLimit-Reset", "99999999999999999"));
        await using var provider = SendGridProviderTests.ProviderAt(stub);

        var first = (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0];
        var second = (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0];
        var third = (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0];

        Assert.Equal(TimeSpan.FromSeconds(7), first.RetryAfter);
        Assert.InRange(second.RetryAfter!.Value.TotalSeconds, 30, 45);
        Assert.Null(third.RetryAfter);
    }

    [Fact]
    public async Task A_cut_after_the_call_was_read_is_unknown()
    {
        await using var stub = HttpStub.Start(HttpReply.Cut);
        await using var provider = SendGridProviderTests.ProviderAt(stub);

        Assert.Equal(Unknown, (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].Kind);
    }

    static string Error(string message, string? field) => $$"""{"errors":[{"message":"{{message}}","field":{{(field is null ? "null" : $"\"{field}\"")}},"help":null}]}""";
}
