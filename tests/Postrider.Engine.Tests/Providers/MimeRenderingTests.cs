using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

public sealed class MimeRenderingTests
{
    static string Text(OutgoingEnvelope envelope)
    {
        using var rendered = RenderedMessage.Of(MimeRendering.ToMime(envelope));
        return Encoding.ASCII.GetString(rendered.Bytes.Span);
    }

    [Fact]
    public void Every_attempt_for_every_recipient_is_the_same_bytes()
    {
        var envelope = Envelopes.New(3);
        var only = envelope with { Recipients = [envelope.Recipients[4]], Generation = 2, Stream = MailStream.Bulk };
        Assert.Equal(Text(envelope), Text(only));
    }

    [Fact]
    public void Messages_differ_in_id_and_boundary()
    {
        var envelope = Envelopes.New();
        var other = envelope with { Message = envelope.Message.Plus(1) };
        static string Boundary(string mime) => mime.Split("boundary=")[1].Split('\r')[0];
        Assert.NotEqual(Boundary(Text(envelope)), Boundary(Text(other)));
    }

    [Fact]
    public void Message_id_and_date_are_those_of_the_id()
    {
        var envelope = Envelopes.New(from: "shop@bücher.example");
        Assert.Contains($"Message-ID: <{envelope.Message}@xn--bcher-kva.example>\r\n", Text(envelope));
        Assert.Contains("Date: Sun, 01 Mar 2026 09:30:00 +0000\r\n", Text(envelope));
    }

    [Fact]
    public void To_and_cc_are_shown_and_bcc_never()
    {
        var mime = Text(Envelopes.New(2));
        Assert.Contains("ann0@example.net", mime);
        Assert.Contains("ann1@example.net", mime);
        Assert.Contains("Cc: Cy <cy@example.net>", mime);
        Assert.DoesNotContain("bo@example.net", mime);
        Assert.DoesNotContain("Secret", mime);
    }

    [Fact]
    public void A_domain_that_leaves_no_room_for_the_id_is_left_out_of_it()
    {
        var domain = string.Join('.', Enumerable.Repeat(new string('d', 60), 4));
        var envelope = Envelopes.New(from: $"s@{domain}");
        Assert.Contains($"Message-ID: <{envelope.Message}@postrider.invalid>", Text(envelope));
    }

    [Theory]
    [InlineData("shop@[IPv6:2001:db8::1]")]
    [InlineData("shop@[192.0.2.1]")]
    public void A_sender_at_an_address_literal_still_has_a_message_id(string address)
    {
        Assert.True(EmailAddress.TryParse(address, new AddressRules { AllowIpLiteral = true }, out var from, out _));
        var envelope = Envelopes.New();
        envelope = envelope with { Content = envelope.Content with { From = new Mailbox(null, from) } };
        Assert.Contains($"Message-ID: <{envelope.Message}@", Text(envelope));
    }
}
