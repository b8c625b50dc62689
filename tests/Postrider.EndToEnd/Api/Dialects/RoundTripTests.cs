using Microsoft.Extensions.DependencyInjection;
using Postrider.Engine.Tests.Providers;
using Postrider.Hosting;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api.Dialects;

/// <summary>Our senders pointed at our own server: generated messages go out by the vendor's API, come in by it, and are found in the store
/// as they were, field by field.</summary>
public sealed class RoundTripTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const int Messages = 60;

    readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("ses", true)]
    [InlineData("mailgun", true)]
    [InlineData("sendgrid", false)]
    [InlineData("postmark", false)]
    [InlineData("resend", false)]
    public async Task What_goes_out_by_a_vendors_API_comes_in_by_it_unchanged(string vendor, bool isWhole)
    {
        var reader = _server.Services.GetRequiredService<IMessageReader>();
        await using var provider = Rooms.ProvidersForChecking.First(factory => factory.Scheme == vendor)
            .Create(await SettingsAsync(vendor));
        var carried = 0;
        for (var seed = 0UL; seed < Messages; seed++)
        {
            var content = vendor is "postmark" or "resend" ? Engine.Tests.Providers.Vendors.AnyWrittenContent(seed)
                : Engine.Tests.Providers.Vendors.AnyContent(seed);
            var envelope = Envelopes.With(content, "Al <a@to.test>", "\"O, B\" <b@bücher.example>", "cc:c@to.test", "bcc:d@to.test");

            var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

            if (outcomes.All(outcome => outcome.Kind == OutcomeKind.Unfit))
                continue;
            Assert.All(outcomes, one => Assert.True(one.Kind == OutcomeKind.Accepted, $"seed {seed}: {one.Reply.Text}"));
            Assert.True(MessageId.TryParse(outcomes[0].ProviderId!.AsSpan(0, 36), out var id));
            var view = (await reader.GetAsync(TenantId.First, id, CancellationToken.None))!;
            var arrived = (await reader.GetContentAsync(TenantId.First, id, CancellationToken.None))!;
            Assert.Equal(envelope.Recipients.Select(one => one.Mailbox.Address), view.Recipients.Select(one => one.Mailbox.Address));
            if (isWhole)
            {
                // SES's notifications know a message by its header; the others by what travels beside it.
                HeaderField[] own = vendor == "ses" ? [MessageMaker.Field("X-Postrider-Id", envelope.Message.ToString())] : [];
                var mime = MimeRendering.ToMime(envelope);
                using var rendered = RenderedMessage.Of(mime with { Headers = [.. mime.Headers, .. own] });
                Assert.True(rendered.Bytes.Span.SequenceEqual(arrived.Mime!.Value.Span), $"seed {seed}");
            }
            else
                AssertSame(content, arrived, vendor);
            carried++;
        }
        Assert.True(carried > Messages / 3, $"only {carried} could be carried");
    }

    static void AssertSame(MessageContent sent, MessageContent arrived, string vendor) => Engine.Tests.Providers.Vendors.AssertSame(
        // With a content id an attachment is inline at these vendors.
        vendor == "sendgrid" ? sent : sent with { Attachments = [.. sent.Attachments.Select(a => a with { Inline = a.ContentId is not null })] },
        // Resend takes headers as they will stand in the mail: whoever reads it sees them decoded.
        vendor != "resend" ? arrived
            : arrived with { Headers = [.. arrived.Headers.Select(h => MessageMaker.Field(h.Name, HeaderText.Decode(h.Value)))] });

    async Task<TransportSettings> SettingsAsync(string vendor)
    {
        var by = new Principal(TenantId.First, "test", Scopes.All, null, IsToken: false);
        var kind = vendor == "ses" ? KeyKind.SigV4 : KeyKind.Bearer;
        var made = (await _server.Services.GetRequiredService<ApiKeys>()
            .MakeAsync(by, new KeyRequest(vendor, kind, Scopes.Send, null), CancellationToken.None)).Key!;
        return new TransportSettings
        {
            Name = vendor,
            Scheme = vendor,
            User = kind == KeyKind.SigV4 ? made.Key.Id : made.Secret,
            Password = kind == KeyKind.SigV4 ? made.Secret : null,
            Host = vendor switch { "ses" => "eu-west-1", "mailgun" => "mg.example.com", _ => "" },
            Options = new Dictionary<string, string> { ["endpoint"] = _server.Address.ToString() },
        };
    }
}
