using Postrider.Messages;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.Resend;

/// <summary>Answers as Resend gives them, one row for each that means something of its own.</summary>
public sealed class ResendErrorsTests
{
    public static TheoryData<int, string, OutcomeKind, OutcomeScope> Answers { get; } = new()
    {
        { 400, Error("validation_error", "Something is wrong"), Rejected, Message },
        { 422, Error("validation_error", "Invalid `to` field. The email address needs to follow the `email@example.com` format."), Rejected, Recipient },
        { 422, Error("missing_required_field", "Missing `html` or `text` field."), Rejected, Message },
        { 422, Error("missing_required_parameter", "Missing"), Rejected, Message },
        { 422, Error("invalid_parameter", "Invalid"), Rejected, Message },
        { 422, Error("invalid_from_address", "Invalid `from` field."), Rejected, Message },
        { 422, Error("invalid_attachment", "Attachment must have either a `content` or `path`."), Unfit, Message },
        { 400, Error("invalid_idempotency_key", "The key must be 1 to 256 characters."), Refused, Recipient },
        { 401, Error("missing_api_key", "Missing API key"), Refused, Transport },
        { 401, Error("restricted_api_key", "This API key is restricted"), Refused, Transport },
        { 403, Error("invalid_api_key", "API key is invalid"), Refused, Transport },
        { 403, Error("invalid_permission", "No permission"), Refused, Transport },
        { 403, Error("suspended_api_key", "Suspended"), Refused, Transport },
        { 403, Error("validation_error", "You can only send testing emails to your own email address (me@x.test)."), Refused, Recipient },
        { 403, Error("validation_error", "The from.test domain is not verified. Please, add and verify your domain."), Refused, SenderDomain },
        { 404, Error("not_found", "The requested endpoint does not exist"), Refused, Transport },
        { 405, Error("method_not_allowed", "Method is not allowed"), Refused, Transport },
        { 409, Error("concurrent_idempotent_requests", "The first is under way"), Unknown, Transport },
        { 409, Error("invalid_idempotent_request", "Another body"), Unknown, Transport },
        { 409, Error("resource_locked", "Locked"), Throttled, Transport },
        { 413, Error("payload_too_large", "Too large"), Unfit, Message },
        { 413, "", Unfit, Message },
        { 429, Error("rate_limit_exceeded", "Too many requests"), Throttled, Transport },
        { 429, Error("daily_quota_exceeded", "Quota"), Refused, Transport },
        { 429, Error("monthly_quota_exceeded", "Quota"), Refused, Transport },
        { 451, Error("security_error", "Something new"), Refused, Recipient },
        { 500, Error("application_error", "Unexpected"), Unreachable, Transport },
        { 500, Error("internal_server_error", "Unexpected"), Unreachable, Transport },
        { 503, Error("service_unavailable", "Later"), Unreachable, Transport },
        { 500, "<html>oops</html>", Unknown, Transport },
        { 503, "{\"message\":\"upstream\"}", Unknown, Transport },
        { 200, "", Unknown, Transport },
        { 200, "{}", Unknown, Transport },
        { 302, "", Refused, Transport },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public Task An_answer_becomes_its_outcome(int status, string body, OutcomeKind kind, OutcomeScope scope) =>
        VendorChecks.AssertOutcomeAsync(new HttpReply(status, body), stub => ResendProviderTests.ProviderAt(stub), kind, scope);

    [Fact]
    public async Task Throttling_says_until_when()
    {
        await using var stub = HttpStub.Start(
            new HttpReply(429, Error("rate_limit_exceeded", "Too many requests")).With("retry-after", "7").With("ratelimit-reset", "3"),
            new HttpReply(429, Error("rate_limit_exceeded", "Too many requests")).With("ratelimit-reset", "3"));
        await using var provider = ResendProviderTests.ProviderAt(stub);

        Assert.Equal(TimeSpan.FromSeconds(7), (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].RetryAfter);
        Assert.Equal(TimeSpan.FromSeconds(3), (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].RetryAfter);
    }

    [Fact]
    public async Task A_cut_after_the_call_was_read_is_unknown()
    {
        await using var stub = HttpStub.Start(HttpReply.Cut);
        await using var provider = ResendProviderTests.ProviderAt(stub);

        Assert.Equal(Unknown, (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].Kind);
    }

    internal static string Error(string name, string message) => $$"""{"statusCode":1,"name":"{{name}}","message":"{{message}}"}""";
}
