using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Testing;
using Xunit;
using static Postrider.Messages.OutcomeKind;

namespace Postrider.Engine.Tests.Providers.Mailgun;

public sealed class MailgunProviderTests
{
    static readonly HttpReply Taken = new(200, """{"id":"<2026.1@mg.test>","message":"Queued. Thank you."}""");

    [Fact]
    public async Task A_message_goes_as_MIME_with_its_recipients_beside_it()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("Ann <a@to.test>", "b@bücher.example", "cc:c@to.test", "bcc:d@to.test");

        var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

        Assert.All(outcomes, o => Assert.Equal((Accepted, "2026.1@mg.test"), (o.Kind, o.ProviderId)));
        var call = Assert.Single(stub.Calls);
        Assert.Equal(("POST", "/v3/mg.test/messages.mime", "Basic YXBpOktFWQ=="), (call.Method, call.Target, call.Header("Authorization")));
        var parts = Parts(call);
        Assert.Equal(["a@to.test", "b@xn--bcher-kva.example", "c@to.test", "d@to.test"], parts.Where(p => p.Name == "to").Select(p => p.Value));
        Assert.Equal(envelope.Message.ToString(), Assert.Single(parts, p => p.Name == "v:postrider_id").Value);
        var mime = Assert.Single(parts, p => p.Name == "message");
        Assert.Contains("filename=\"message.mime\"", mime.Head, StringComparison.Ordinal);
        Assert.DoesNotContain("d@to.test", mime.Value, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_message_is_what_every_transport_sends_byte_for_byte()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        for (var seed = 0UL; seed < 100; seed++)
        {
            var envelope = Envelopes.With(Vendors.AnyContent(seed), "Al <a@to.test>", "cc:c@to.test", "bcc:d@to.test");
            using var rendered = RenderedMessage.Of(MimeRendering.ToMime(envelope));

            await provider.SendAsync(envelope, CancellationToken.None);

            Assert.Equal(Encoding.Latin1.GetString(rendered.Bytes.Span), Assert.Single(Parts(stub.Calls[^1]), p => p.Name == "message").Value);
        }
    }

    [Fact]
    public async Task A_message_that_came_whole_goes_on_as_it_is()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var mime = "From: a@from.test\r\nSubject:  odd \r\n\r\nGr\u00fc\u00dfe"u8.ToArray();

        await provider.SendAsync(Envelopes.With(Envelopes.Content with { Mime = mime }, "a@to.test"), CancellationToken.None);

        Assert.Equal(Encoding.Latin1.GetString(mime), Assert.Single(Parts(stub.Calls[0]), p => p.Name == "message").Value);
    }

    // Mailgun reads the field too, and reports with what stands in it.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_sender_cannot_write_our_variable(bool whole)
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var content = whole
            ? Envelopes.Content with
            {
                Mime = "x-mailgun-variables : {\"postrider_id\":\r\n \"of-another\"}\r\nFrom: a@from.test\r\nX-Own: 1\r\n\r\nX-Mailgun-Variables: x"u8.ToArray(),
            }
            : Envelopes.Content with { Headers = [MessageMaker.Field("X-MAILGUN-variables", "of-another"), MessageMaker.Field("X-Own", "1")] };

        await provider.SendAsync(Envelopes.With(content, "a@to.test"), CancellationToken.None);

        var sent = Assert.Single(Parts(stub.Calls[0]), p => p.Name == "message").Value;
        Assert.DoesNotContain("of-another", sent, StringComparison.Ordinal);
        Assert.Contains("X-Own: 1\r\n", sent, StringComparison.Ordinal);
        if (whole)
            Assert.Equal("From: a@from.test\r\nX-Own: 1\r\n\r\nX-Mailgun-Variables: x", sent);
    }

    [Fact]
    public async Task Recipients_sent_to_apart_see_the_whole_list_all_the_same()
    {
        await using var stub = HttpStub.Start(Taken);
        await using var provider = ProviderAt(stub);
        var envelope = Envelopes.To("a@to.test", "b@to.test");

        await provider.SendAsync(envelope with { Recipients = [envelope.AllRecipients[1]] }, CancellationToken.None);

        var parts = Parts(stub.Calls[0]);
        Assert.Equal(["b@to.test"], parts.Where(p => p.Name == "to").Select(p => p.Value));
        Assert.Equal($"{envelope.Message}-1", Assert.Single(parts, p => p.Name == "v:postrider_id").Value);
        Assert.Contains("To: a@to.test, b@to.test", Assert.Single(parts, p => p.Name == "message").Value, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bad_address_that_nobody_names_is_found_by_asking_for_each_alone_under_one_commit_point()
    {
        await using var stub = HttpStub.Start(call => Parts(call).Any(p => p is { Name: "to", Value: "bad@to.test" })
            ? new HttpReply(400, MailgunErrorsTests.Error("'to' parameter is not a valid address. please check documentation")) : Taken);
        await using var provider = ProviderAt(stub);
        var asked = 0;

        var outcomes = await provider.SendAsync(
            Envelopes.To("a@to.test", "bad@to.test", "bcc:c@to.test") with { CommitPoint = _ => ValueTask.FromResult(++asked == 1) }, CancellationToken.None);

        Assert.Equal([Accepted, Rejected, Accepted], outcomes.Select(o => o.Kind));
        Assert.Equal(OutcomeScope.Recipient, outcomes[1].Scope);
        Assert.Equal((1, 4), (asked, stub.Calls.Count));
    }

    [Theory]
    [InlineData("endpoint", "ftp://x", "option 'endpoint'")]
    [InlineData("region", "mars", "option 'region'")]
    [InlineData("callback_key", "", "option 'callback_key'")]
    public void Faulty_options_are_named(string name, string value, string expected) =>
        VendorChecks.AssertFaultyOption(new MailgunProviderFactory(TimeProvider.System), name, value, expected, "mg.test");

    [Fact]
    public void A_key_and_a_domain_are_needed()
    {
        var factory = new MailgunProviderFactory(TimeProvider.System);
        var good = new TransportSettings { Name = "mg", Scheme = "mailgun", User = "key", Host = "mg.test" };

        Assert.Empty(factory.Check(good));
        Assert.Single(factory.Check(good with { User = null }));
        Assert.Single(factory.Check(good with { Host = "" }));
    }

    internal static IProvider ProviderAt(HttpStub stub, params (string Name, string Value)[] options) =>
        new MailgunProviderFactory(TimeProvider.System).Create(Vendors.Settings("mailgun", stub, options: options) with { Host = "mg.test" });

    /// <summary>The parts of a form, cut at the boundary that the content type names (RFC 7578); bytes as Latin-1.</summary>
    internal static List<(string Head, string Name, string Value)> Parts(HttpCall call)
    {
        var boundary = call.Header("Content-Type")!.Split("boundary=")[1].Trim('"');
        var pieces = ("\r\n" + Encoding.Latin1.GetString(call.Body)).Split($"\r\n--{boundary}");
        Assert.Equal(("", "--\r\n"), (pieces[0], pieces[^1]));
        return [.. pieces[1..^1].Select(piece =>
        {
            var end = piece.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var head = piece[..end];
            return (head, head.Split("name=\"")[1].Split('"')[0], piece[(end + 4)..]);
        })];
    }
}
