using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Smtp;

/// <summary>What leaves by SMTP carries a good signature, over the wire and dot-stuffed, and only then when there is a key.</summary>
public sealed class SmtpSigningTests : IDisposable
{
    static readonly TenantId Tenant = TenantId.First;

    readonly DkimKey _key = DkimKey.Import(DkimKey.Generate());
    readonly SmtpProviderFactory _factory;

    public SmtpSigningTests() => _factory = new(TimeProvider.System, (tenant, domain) =>
        (tenant, domain) == (Tenant, "xn--bcher-kva.example") ? new DkimSigner("xn--bcher-kva.example", "s1", _key) : null);

    public void Dispose() => _key.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // BDAT: the signature and the message in one chunk
    public async Task A_message_is_signed_for_its_senders_domain(bool chunking)
    {
        await using var sink = SmtpSink.Start(new() { Chunking = chunking });
        await using var provider = ProviderAt(sink.Port);
        var envelope = Envelope("ann@bücher.example", "Text\r\n.\r\n..dots\r\n");

        for (var i = 0; i < 2; i++)
            Assert.Equal(OutcomeKind.Accepted, (await provider.SendAsync(envelope, default))[0].Kind);

        Assert.StartsWith("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;", sink.Messages[0].Text, StringComparison.Ordinal);
        Assert.Null(DkimVerifier.Verify(sink.Messages[0].Content, Record));
        Assert.Equal(sink.Messages[0].Content, sink.Messages[1].Content);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)] // a server without 8BITMIME: signed is what it gets, in seven bits
    public async Task A_message_that_came_whole_keeps_every_byte_below_the_signature(bool eightBit)
    {
        await using var sink = SmtpSink.Start(new() { EightBitMime = eightBit });
        await using var provider = ProviderAt(sink.Port);
        var mime = Encoding.UTF8.GetBytes("DKIM-Signature: v=1; a=rsa-sha256; d=list.example; s=x; h=From; bh=AA==; b=AA==\r\n"
            + "from: Ann  <ann@xn--bcher-kva.example>\r\nSubject:folded\r\n\t twice \r\n\tMIME-Version: no header\r\nTo: bob@to.test\r\n"
            + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + "Grüße  \r\n\r\n.\r\n\r\n");
        var envelope = Envelope("ann@bücher.example", "");
        envelope = envelope with { Content = envelope.Content with { Text = null, Mime = mime } };

        Assert.Equal(OutcomeKind.Accepted, (await provider.SendAsync(envelope, default))[0].Kind);

        var message = Assert.Single(sink.Messages);
        Assert.Null(DkimVerifier.Verify(message.Content, Record));
        Assert.Equal("xn--bcher-kva.example", DkimVerifier.TagsOf(message.Content)["d"]);
        Assert.Contains("\r\nDKIM-Signature: v=1; a=rsa-sha256; d=list.example; s=x;", message.Text, StringComparison.Ordinal);
        if (eightBit)
            Assert.Equal(mime, message.Content[^mime.Length..]);
    }

    [Theory]
    [InlineData("ann@other.example", 1, "")]
    [InlineData("ann@bücher.example", 2, "")]
    [InlineData("ann@bücher.example", 1, "off")]
    public async Task Without_a_key_of_this_tenant_or_where_it_is_switched_off_nothing_is_signed(string from, int tenant, string dkim)
    {
        await using var sink = SmtpSink.Start();
        await using var provider = ProviderAt(sink.Port, dkim);
        await provider.SendAsync(Envelope(from, "Hello") with { Tenant = new TenantId(tenant) }, default);
        Assert.DoesNotContain("DKIM-Signature", Assert.Single(sink.Messages).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_switch_is_on_or_off() => Assert.Contains("'dkim' is on or off", Assert.Single(_factory.Check(Settings(25, "maybe"))),
        StringComparison.Ordinal);

    IProvider ProviderAt(int port, string dkim = "") => _factory.Create(Settings(port, dkim));

    static TransportSettings Settings(int port, string dkim) => new()
    {
        Name = "sink",
        Scheme = "smtp",
        Host = SmtpSink.Host,
        Port = port,
        Options = dkim.Length > 0 ? new Dictionary<string, string> { ["dkim"] = dkim } : new Dictionary<string, string>(),
    };

    string? Record(string name) => name == "s1._domainkey.xn--bcher-kva.example" ? DkimRecord.Text(_key) : null;

    static OutgoingEnvelope Envelope(string from, string text) => Envelopes.With(
        new MessageContent { From = new Mailbox("Ann", EmailAddress.Parse(from)), Subject = "Hello", Text = text }, "Bob <bob@to.test>");
}
