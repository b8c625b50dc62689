using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>Our server against clients: Postfix, its load generator, and our own.</summary>
public sealed class SmtpServerPeerTests
{
    [Fact]
    [Trait("Needs", "postfix")]
    public async Task Postfix_passes_on_every_body_byte_by_byte()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls);
        await using var postfix = new PostfixServer { RelayPort = server.Port };
        await postfix.RequireAsync();
        await using var connection = await Smtp.Mails.ConnectAsync(new SmtpEndpoint("127.0.0.1", postfix.Port));
        string[] bodies = [.. SmtpPeerTests.Bodies.Select(row => row.Data).Where(body => !body.Contains("\r\r", StringComparison.Ordinal)),
            string.Concat(Enumerable.Repeat(".0123456789\r\n", 10_000)), "8 bit: \u00c3\u00bc\r\n"];

        for (var i = 0; i < bodies.Length; i++)
            await connection.SendAsync(Smtp.Mails.To($"b{i}@to.test", $"copy{i}@to.test", "bounce@to.test"), "Subject: x\r\n\r\n" + bodies[i]);
        await Eventually.HoldsAsync(() => server.Mails.Count >= bodies.Length);

        for (var i = 0; i < bodies.Length; i++)
        {
            var mail = Assert.Single(server.Mails, m => m.Recipients[0].Address.LocalPart == $"b{i}");
            Assert.Equal(["b", "copy"], mail.Recipients.Select(r => r.Address.LocalPart.TrimEnd([.. "0123456789"])));
            var text = Encoding.Latin1.GetString(mail.Content.Span);
            Assert.Equal(Canonical(bodies[i]), text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        }
        Assert.Empty(server.Faults);
    }

    [Theory]
    [Trait("Needs", "postfix")]
    [InlineData("-d")]
    [InlineData("-N")]
    public async Task Postfixs_load_generator_loses_nothing(string option)
    {
        await using var server = KeepingServer.Start();

        var (code, _, error) = Peers.Run(Requires.Program("smtp-source"),
            [option, "-s", "20", "-m", "500", "-r", "2", "-l", "5000", "-f", "a@from.test", "-t", "b@to.test", $"127.0.0.1:{server.Port}"]);

        Assert.True(code == 0, error);
        Assert.Equal(500, server.Mails.Count);
        Assert.All(server.Mails, mail => Assert.Equal(2, mail.Recipients.Count));
    }

    [Fact]
    public async Task Our_own_client_hands_over_by_DATA_and_by_BDAT_over_TLS_with_credentials()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls, needsAuth: true);
        var endpoint = new SmtpEndpoint("localhost", server.Port)
        {
            Tls = SmtpTlsMode.StartTls,
            TrustedAuthority = TestCertificates.Authority,
            Credentials = SmtpCredentials.WithPassword("user", "secret"),
        };
        await using var connection = await Smtp.Mails.ConnectAsync(endpoint);

        var chunked = await connection.SendAsync(Smtp.Mails.To("a@to.test", "bounce@to.test"), "\r\n.\r\n..\r\nü\r\n");
        var stuffed = await connection.SendAsync(Smtp.Mails.To("ü@to.test"), ".\n..\nno end");

        Assert.Equal([SmtpRecipientState.Accepted, SmtpRecipientState.Refused], chunked.States);
        Assert.Equal([SmtpRecipientState.Accepted], stuffed.States);
        Assert.Equal(["\r\n.\r\n..\r\nü\r\n", ".\r\n..\r\nno end\r\n"], server.Mails.Select(m => Encoding.Latin1.GetString(m.Content.Span)));
    }

    static string Canonical(string body)
    {
        var lines = body.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        return (lines.EndsWith('\n') ? lines : lines + "\n").Replace("\n", "\r\n", StringComparison.Ordinal);
    }
}
