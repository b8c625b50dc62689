using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpAuthenticationTests
{
    static readonly SmtpCredentials Good = SmtpCredentials.WithPassword("üser", "pässword");

    static SmtpSinkOptions Demanding(string mechanisms = "PLAIN LOGIN XOAUTH2", SmtpSinkTls tls = SmtpSinkTls.StartTls)
        => new() { Tls = tls, Account = ("üser", "pässword"), AuthMechanisms = mechanisms };

    static SmtpEndpoint Local(SmtpSink sink) => new("localhost", sink.Port)
    {
        Tls = SmtpTlsMode.StartTls,
        TrustedAuthority = TestCertificates.Authority,
        Credentials = Good,
    };

    public static TheoryData<string, SmtpAuthMechanism?> Mechanisms => new()
    {
        { "PLAIN LOGIN", null },
        { "login", null },
        { "PLAIN LOGIN", SmtpAuthMechanism.Login },
        { "CRAM-MD5 XOAUTH2 PLAIN", null },
        { "XOAUTH2", SmtpAuthMechanism.XOAuth2 },
    };

    [Theory]
    [MemberData(nameof(Mechanisms))]
    public async Task An_account_is_proven_with_a_mechanism_that_both_know(string offered, SmtpAuthMechanism? wanted)
    {
        await using var sink = SmtpSink.Start(Demanding(offered));
        await using var connection = await Mails.ConnectAsync(Local(sink) with { Credentials = Good with { Mechanism = wanted } });

        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
        Assert.Equal("üser", Assert.Single(sink.Messages).User);
    }

    [Fact]
    public async Task A_token_is_fetched_for_each_connection()
    {
        var fetched = 0;
        var credentials = SmtpCredentials.WithAccessToken("üser", _ =>
        {
            fetched++;
            return ValueTask.FromResult("pässword");
        });
        await using var sink = SmtpSink.Start(Demanding());
        for (var i = 0; i < 2; i++)
        {
            await using var connection = await Mails.ConnectAsync(Local(sink) with { Credentials = credentials });
            await connection.SendAsync(Mails.To("a@to.test"));
        }

        Assert.Equal((2, 2), (fetched, sink.Count));
    }

    [Theory]
    [InlineData(SmtpAuthMechanism.Plain)]
    [InlineData(SmtpAuthMechanism.Login)]
    [InlineData(SmtpAuthMechanism.XOAuth2)]
    public async Task Wrong_credentials_are_a_refusal_with_the_servers_words(SmtpAuthMechanism mechanism)
    {
        await using var sink = SmtpSink.Start(Demanding());

        var failure = await Mails.FailToConnectAsync(
            Local(sink) with { Credentials = SmtpCredentials.WithPassword("üser", "wrong") with { Mechanism = mechanism } });

        Assert.Equal((SmtpPhase.Auth, SmtpFailureKind.AuthRefused, "535 5.7.8 bad credentials"),
            (failure.Phase, failure.Kind, failure.Reply.ToString()));
    }

    [Fact]
    public async Task Credentials_never_go_in_clear()
    {
        ScriptedConnection? seen = null;
        await using var peer = ScriptedPeer.Start(async c =>
        {
            seen = c;
            await c.GreetAsync("AUTH PLAIN LOGIN");
            await c.ReadToAsync("never");
        });

        var failure = await Mails.FailToConnectAsync(Mails.At(peer) with { Credentials = Good });

        Assert.Equal((SmtpPhase.Auth, SmtpFailureKind.AuthUnavailable), (failure.Phase, failure.Kind));
        Assert.Contains("not encrypted", failure.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("AUTH", seen!.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_do_not_go_to_a_server_that_cannot_prove_its_name()
    {
        await using var sink = SmtpSink.Start(Demanding());

        var failure = await Mails.FailToConnectAsync(new SmtpEndpoint("localhost", sink.Port) { Credentials = Good });

        Assert.Equal(SmtpFailureKind.AuthUnavailable, failure.Kind);
        Assert.Contains("certificate", failure.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task On_a_trusted_wire_they_may_go_in_clear()
    {
        await using var sink = SmtpSink.Start(Demanding(tls: SmtpSinkTls.None));
        await using var connection = await Mails.ConnectAsync(Mails.At(sink) with { Credentials = Good, AllowPlaintextAuth = true });

        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
    }

    [Theory]
    [InlineData("CRAM-MD5")]
    [InlineData("XOAUTH2")]
    public async Task No_mechanism_in_common_is_told_with_both_lists(string offered)
    {
        await using var sink = SmtpSink.Start(Demanding(offered));

        var failure = await Mails.FailToConnectAsync(Local(sink));

        Assert.Equal(SmtpFailureKind.AuthUnavailable, failure.Kind);
        Assert.Contains(offered, failure.Text, StringComparison.Ordinal);
        Assert.Contains("PLAIN or LOGIN", failure.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("454 4.7.0 later\r\n", SmtpFailureKind.AuthRefused)]
    [InlineData("421 4.7.0 bye\r\n", SmtpFailureKind.ServiceClosing)]
    [InlineData("354 what\r\n", SmtpFailureKind.Protocol)]
    public async Task Other_answers_to_AUTH_keep_their_meaning(string answer, SmtpFailureKind kind)
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("AUTH=PLAIN");
            await c.OnAsync("AUTH PLAIN AMO8c2VyAHDDpHNzd29yZA==\r\n", answer);
        });

        var failure = await Mails.FailToConnectAsync(Mails.At(peer) with { Credentials = Good, AllowPlaintextAuth = true });

        Assert.Equal((SmtpPhase.Auth, kind), (failure.Phase, failure.Kind));
    }

    [Fact]
    public async Task A_server_that_asks_again_gets_the_response_again()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("AUTH PLAIN");
            await c.OnAsync("AUTH PLAIN ", "334 \r\n");
            await c.OnAsync("AMO8c2VyAHDDpHNzd29yZA==\r\n", "235 ok\r\n");
        });

        await using var connection = await Mails.ConnectAsync(Mails.At(peer) with { Credentials = Good, AllowPlaintextAuth = true });
        Assert.True(connection.IsUsable);
    }

    [Fact]
    public async Task A_response_too_long_for_one_line_waits_to_be_asked()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("AUTH PLAIN");
            await c.OnAsync("AUTH PLAIN\r\n", "334 \r\n");
            await c.OnAsync(Convert.ToBase64String(Encoding.ASCII.GetBytes("\0u\0" + new string('p', 10_000))), "235 ok\r\n");
        });

        await using var connection = await Mails.ConnectAsync(
            Mails.At(peer) with { Credentials = SmtpCredentials.WithPassword("u", new string('p', 10_000)), AllowPlaintextAuth = true });
        Assert.True(connection.IsUsable);
    }

    [Fact]
    public void A_secret_is_never_part_of_the_text_of_an_endpoint()
    {
        var endpoint = new SmtpEndpoint("mx.test", 25) { Credentials = SmtpCredentials.WithPassword("user", "geheim") };

        Assert.DoesNotContain("geheim", $"{endpoint} {endpoint.Credentials}", StringComparison.Ordinal);
    }
}
