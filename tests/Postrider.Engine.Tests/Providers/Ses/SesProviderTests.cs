using System.Text;
using System.Text.Json;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;
using static Postrider.Messages.OutcomeScope;

namespace Postrider.Engine.Tests.Providers.Ses;

public sealed class SesProviderTests
{
    const string Sent = """{"MessageId":"0100-1"}""";

    [Fact]
    public async Task The_message_goes_as_MIME_and_the_envelope_beside_it()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Sent));
        await using var provider = ProviderAt(stub, ("configuration_set", "events"));
        var envelope = Envelopes.To("Ann <a@to.test>", "cc:c@bücher.example", "bcc:d@to.test");

        var outcomes = await provider.SendAsync(envelope with { Recipients = [.. envelope.AllRecipients.Skip(1)] }, CancellationToken.None);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "0100-1"), (o.Kind, o.ProviderId)));
        Assert.Equal(2, outcomes.Count);
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/v2/email/outbound-emails"), (call.Method, call.Target));
        var body = JsonElement.Parse(call.Text);
        Assert.Equal("""{"CcAddresses":["c@xn--bcher-kva.example"],"BccAddresses":["d@to.test"]}""", body.GetProperty("Destination").GetRawText());
        Assert.Equal($$"""[{"Name":"postrider_id","Value":"{{envelope.Message}}"}]""", body.GetProperty("EmailTags").GetRawText());
        Assert.Equal("events", body.GetProperty("ConfigurationSetName").GetString());
        var mime = Encoding.UTF8.GetString(body.GetProperty("Content").GetProperty("Raw").GetProperty("Data").GetBytesFromBase64());
        Assert.Contains("\r\nTo: Ann <a@to.test>\r\n", mime, StringComparison.Ordinal);
        Assert.Contains($"\r\nX-Postrider-Id: {envelope.Message}\r\n", mime, StringComparison.Ordinal);
        Assert.DoesNotContain("d@to.test", mime, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_our_sender_sends_passes_our_dialect_byte_for_byte()
    {
        var dialect = new SesDialect();
        DialectSubmission? arrived = null;
        Problem? problem = null;
        await using var stub = HttpStub.Start(call =>
        {
            var inbound = Vendors.Inbound(call);
            problem = dialect.ReadCredential(inbound) is { Key: "AKID" }
                ? dialect.Verify(inbound, "se/cr+et", TimeProvider.System.GetUtcNow())
                : new Problem("x", 401, "", "");
            if (problem is not null)
                return Vendors.Reply(dialect.Refuse(problem));
            var (answer, submissions) = Vendors.Accept(dialect, inbound);
            arrived = Assert.Single(submissions);
            return Vendors.Reply(answer);
        });
        await using var provider = ProviderAt(stub);
        for (var seed = 0UL; seed < 200; seed++)
        {
            var envelope = Envelopes.With(Vendors.AnyContent(seed), "Al <a@to.test>", "cc:c@to.test", "bcc:d@to.test");

            var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

            Assert.True(problem is null, problem?.Detail);
            Assert.All(outcomes, o => Assert.Equal(Accepted, o.Kind));
            Assert.Equal(["a@to.test", "c@to.test", "d@to.test"], arrived!.Request.To.Select(a => a.Text));
            Assert.Equal([new MetadataEntry(CarriedId.Name, envelope.Message.ToString())], arrived.Request.Metadata);
            var mime = MimeRendering.ToMime(envelope);
            using var expected = RenderedMessage.Of(mime with
            {
                Headers = [.. mime.Headers,
                MessageMaker.Field("X-Postrider-Id", envelope.Message.ToString())]
            });
            Assert.Equal(expected.Bytes.ToArray(), arrived.Request.Mime!.Value.ToArray());
        }
    }

    // What SES reports comes back with the first field of this name: a sender's own would move somebody else's message.
    [Fact]
    public async Task A_sender_cannot_write_our_id()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, """{"MessageId":"1"}"""));
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.With(
            Envelopes.Content with { Headers = [MessageMaker.Field("x-postrider-ID", "of-another"), MessageMaker.Field("X-Own", "1")] },
            "a@to.test");

        await provider.SendAsync(envelope, CancellationToken.None);

        var sent = JsonElement.Parse(stub.Calls[0].Text).GetProperty("Content").GetProperty("Raw").GetProperty("Data").GetBytesFromBase64();
        Assert.True(HeaderBlock.TryRead(sent, MimeLimits.Default, out var header, out _));
        Assert.Equal([$"{new RecipientId(envelope.Message, 0)}"], header.Fields.Where(f => f.Is("X-Postrider-Id")).Select(f => f.Value));
        Assert.NotNull(header.Find("X-Own"));
    }

    [Fact]
    public async Task A_message_that_came_whole_goes_on_as_it_is_behind_our_id()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, """{"MessageId":"1"}"""));
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.With(
            Envelopes.Content with { Mime = "From: a@from.test\r\nSubject:  odd \r\n\r\nGr\u00fc\u00dfe"u8.ToArray() }, "a@to.test");

        Assert.Equal(Accepted, Assert.Single(await provider.SendAsync(envelope, CancellationToken.None)).Kind);

        var sent = JsonElement.Parse(stub.Calls[0].Text).GetProperty("Content").GetProperty("Raw").GetProperty("Data").GetBytesFromBase64();
        Assert.Equal($"X-Postrider-Id: {new RecipientId(envelope.Message, 0)}\r\n"
            + "From: a@from.test\r\nSubject:  odd \r\n\r\nGrüße", Encoding.UTF8.GetString(sent));
    }

    public static TheoryData<int, string, string, OutcomeKind, OutcomeScope> Answers { get; } = new()
    {
        { 400, "MessageRejected",
            "Email address is not verified. The following identities failed the check in region US-EAST-1: sender@from.test", Refused, SenderDomain },
        { 400, "MessageRejected",
            "Email address is not verified. The following identities failed the check in region US-EAST-1: a@to.test, Sender <sender@from.test>", Refused, SenderDomain },
        { 400, "MessageRejected", "Email address is not verified. The following identities failed the check in region US-EAST-1: a@to.test",
            Refused, Recipient },
        { 400, "MessageRejected", "Email address is not verified.", Refused, SenderDomain },
        { 400, "MessageRejected", "Illegal attachment extension", Unfit, Message },
        { 400, "MailFromDomainNotVerifiedException", "x", Refused, SenderDomain },
        { 400, "AccountSuspendedException", "x", Refused, Transport },
        { 400, "SendingPausedException", "x", Refused, Transport },
        { 400, "BadRequestException", "Illegal address", Rejected, Message },
        { 400, "LimitExceededException", "x", Throttled, Transport },
        { 400, "Throttling", "x", Throttled, Transport },
        { 404, "NotFoundException", "Configuration set <x> does not exist.", Refused, Transport },
        { 429, "TooManyRequestsException", "Maximum sending rate exceeded.", Throttled, Transport },
        { 429, "TooManyRequestsException", "Daily message quota exceeded.", Refused, Transport },
        { 429, "SomethingNew", "x", Throttled, Transport },
        { 403, "UnrecognizedClientException", "x", Refused, Transport },
        { 403, "InvalidSignatureException", "x", Refused, Transport },
        { 403, "SignatureDoesNotMatch", "x", Refused, Transport },
        { 403, "AccessDeniedException", "x", Refused, Transport },
        { 403, "InvalidClientTokenId", "x", Refused, Transport },
        { 403, "ExpiredTokenException", "x", Refused, Transport },
        { 413, "RequestEntityTooLarge", "x", Unfit, Message },
        { 500, "InternalServiceErrorException", "x", Unreachable, Transport },
        { 503, "ServiceUnavailable", "x", Unreachable, Transport },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public async Task An_error_becomes_its_outcome_wherever_its_type_stands(int status, string type, string message, OutcomeKind kind,
        OutcomeScope scope)
    {
        await using var stub = HttpStub.Start(
            new HttpReply(status, $$"""{"message":"{{message}}"}""").With("x-amzn-errortype", type + ":http://internal.amazon.com/"),
            new HttpReply(status, $$"""{"__type":"com.amazonaws.sesv2#{{type}}","Message":"{{message}}"}"""),
            new HttpReply(status, $$"""{"code":"{{type}}","message":"{{message}}"}"""));
        await using var provider = ProviderAt(stub);

        for (var i = 0; i < 3; i++)
        {
            var outcome = Assert.Single(await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None));

            Assert.Equal((kind, scope, status), (outcome.Kind, outcome.Scope, outcome.Reply.Code));
            Assert.Equal($"{type}: {message}", outcome.Reply.Text);
            Assert.Equal(kind == Throttled ? TimeSpan.FromSeconds(1) : null, outcome.RetryAfter);
        }
    }

    [Theory]
    [InlineData(200, "{}", Unknown)]
    [InlineData(200, "<html>", Unknown)]
    [InlineData(200, "{\"MessageId\":\"\"}", Unknown)]
    [InlineData(500, "<html>", Unknown)]
    [InlineData(503, "{\"message\":\"from a proxy\"}", Unknown)]
    [InlineData(301, "", Refused)]
    public async Task An_answer_that_is_not_of_SES_is_no_success_and_no_fault_of_its(int status, string body, OutcomeKind kind)
    {
        await using var stub = HttpStub.Start(new HttpReply(status, body));
        await using var provider = ProviderAt(stub);

        Assert.Equal(kind, (await provider.SendAsync(Envelopes.To("a@to.test"), CancellationToken.None))[0].Kind);
    }

    [Fact]
    public async Task A_commit_point_that_says_no_leaves_the_message_unsent()
    {
        await using var stub = HttpStub.Start(new HttpReply(200, Sent));
        await using var provider = ProviderAt(stub);

        var outcome = (await provider.SendAsync(Envelopes.To("a@to.test") with { CommitPoint = _ => ValueTask.FromResult(false) },
            CancellationToken.None))[0];

        Assert.Equal((Unfit, Recipient), (outcome.Kind, outcome.Scope));
        Assert.Empty(stub.Calls);
    }

    [Theory]
    [InlineData("", "AKID", "s", "the region")]
    [InlineData("eu_west", "AKID", "s", "the region")]
    [InlineData("eu-west-1", "AKID", null, "come together")]
    [InlineData("eu-west-1", null, "s", "come together")]
    [InlineData("eu-west-1", "AK ID", "s", "access key id")]
    public void Faulty_settings_are_named(string region, string? user, string? password, string expected)
    {
        var settings = new TransportSettings { Name = "ses", Scheme = "ses", Host = region, User = user, Password = password };

        Assert.Contains(expected, Assert.Single(Factory.Check(settings)), StringComparison.Ordinal);
    }

    [Fact]
    public void Keys_may_be_left_to_the_chain_and_options_are_checked()
    {
        var settings = new TransportSettings { Name = "ses", Scheme = "ses", Host = "eu-west-1" };

        Assert.Empty(Factory.Check(settings));
        Assert.Empty(Factory.Check(settings with
        {
            Options = new Dictionary<string,
            string>
            { ["topics"] = "arn:aws:sns:eu-west-1:1:a,arn:aws:sns:eu-west-1:1:b" }
        }));
        Assert.Single(Factory.Check(settings with { Options = new Dictionary<string, string> { ["topics"] = "mail" } }));
        Assert.Single(Factory.Check(settings with { Options = new Dictionary<string, string> { ["configuration_set"] = "a b" } }));
        Assert.Single(Factory.Check(settings with { Options = new Dictionary<string, string> { ["endpoint"] = "nowhere" } }));
    }

    static SesProviderFactory Factory { get; } = new(TimeProvider.System);

    static IProvider ProviderAt(HttpStub stub, params (string, string)[] options) =>
        Factory.Create(Vendors.Settings("ses", stub, "AKID", options) with { Password = "se/cr+et", Host = "eu-west-1" });
}
