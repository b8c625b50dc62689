using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpTlsTests
{
    static SmtpEndpoint Local(SmtpSink sink, SmtpTlsMode tls) =>
        new("localhost", sink.Port) { Tls = tls, TrustedAuthority = TestCertificates.Authority };

    [Theory]
    [InlineData(SmtpSinkTls.StartTls, SmtpTlsMode.StartTls)]
    [InlineData(SmtpSinkTls.StartTls, SmtpTlsMode.Auto)]
    [InlineData(SmtpSinkTls.Implicit, SmtpTlsMode.Implicit)]
    public async Task Mail_goes_encrypted_to_a_server_that_proves_its_name(SmtpSinkTls offered, SmtpTlsMode mode)
    {
        await using var sink = SmtpSink.Start(new() { Tls = offered });
        await using var connection = await Mails.ConnectAsync(Local(sink, mode));

        var result = await connection.SendAsync(Mails.To("a@to.test"), string.Concat(Enumerable.Repeat("0123456789\r\n", 20_000)));

        Assert.Equal([Accepted], result.States);
        Assert.True(connection is { IsEncrypted: true, IsVerified: true });
        Assert.True(Assert.Single(sink.Messages).Encrypted);
        Assert.Equal(240_000, sink.Messages[0].Content.Length);
    }

    [Theory]
    [InlineData(SmtpSinkTls.StartTls, SmtpTlsMode.StartTls)]
    [InlineData(SmtpSinkTls.Implicit, SmtpTlsMode.Implicit)]
    public async Task An_authority_that_nobody_trusts_ends_it(SmtpSinkTls offered, SmtpTlsMode mode)
    {
        await using var sink = SmtpSink.Start(new() { Tls = offered });

        var failure = await Mails.FailToConnectAsync(new SmtpEndpoint("localhost", sink.Port) { Tls = mode });

        Assert.Equal(SmtpFailureKind.TlsFailed, failure.Kind);
        Assert.Contains("certificate", failure.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_for_another_name_ends_it()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=elsewhere.test", key, HashAlgorithmName.SHA256);
        using var other = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
        await using var sink = SmtpSink.Start(new() { Tls = SmtpSinkTls.StartTls, Certificate = other });

        var failure = await Mails.FailToConnectAsync(
            new SmtpEndpoint("localhost", sink.Port) { Tls = SmtpTlsMode.StartTls, TrustedAuthority = other });

        Assert.Equal(SmtpFailureKind.TlsFailed, failure.Kind);
        Assert.Contains("not for localhost", failure.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Opportunistic_TLS_takes_any_certificate_and_says_that_it_proves_nothing()
    {
        await using var sink = SmtpSink.Start(new() { Tls = SmtpSinkTls.StartTls });
        await using var connection = await Mails.ConnectAsync(new SmtpEndpoint("localhost", sink.Port));

        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
        Assert.True(connection is { IsEncrypted: true, IsVerified: false });
    }

    [Theory]
    [InlineData(SmtpTlsMode.Auto, SmtpSinkTls.None)]
    [InlineData(SmtpTlsMode.None, SmtpSinkTls.None)]
    [InlineData(SmtpTlsMode.None, SmtpSinkTls.StartTls)]
    public async Task Without_TLS_on_either_side_mail_goes_in_clear(SmtpTlsMode mode, SmtpSinkTls offered)
    {
        await using var sink = SmtpSink.Start(new() { Tls = offered });
        await using var connection = await Mails.ConnectAsync(Local(sink, mode));

        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
        Assert.False(connection.IsEncrypted);
    }

    [Fact]
    public async Task STARTTLS_that_somebody_stripped_is_not_replaced_by_clear_text()
    {
        await using var sink = SmtpSink.Start();

        var failure = await Mails.FailToConnectAsync(Local(sink, SmtpTlsMode.StartTls));

        Assert.Equal((SmtpPhase.StartTls, SmtpFailureKind.TlsUnavailable), (failure.Phase, failure.Kind));
        Assert.Equal(0, sink.Count);
    }

    [Theory]
    [InlineData(SmtpTlsMode.StartTls, "454 4.7.0 TLS not available\r\n", SmtpFailureKind.TlsUnavailable)]
    [InlineData(SmtpTlsMode.StartTls, "250 ok\r\n", SmtpFailureKind.Protocol)]
    [InlineData(SmtpTlsMode.Auto, "250 ok\r\n", SmtpFailureKind.Protocol)]
    [InlineData(SmtpTlsMode.Auto, "421 4.7.0 bye\r\n", SmtpFailureKind.ServiceClosing)]
    [InlineData(SmtpTlsMode.Auto, "454 4.7.0 TLS not available\r\n", null)]
    public async Task A_refused_STARTTLS_ends_it_where_TLS_is_required(SmtpTlsMode mode, string answer, SmtpFailureKind? kind)
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("STARTTLS");
            await c.OnAsync("STARTTLS", answer);
        });

        var opening = await SmtpConnection.OpenAsync(Mails.At(peer) with { Tls = mode }, Mails.Patient, TimeProvider.System,
            CancellationToken.None);

        Assert.Equal(kind, opening.Failure?.Kind);
        if (opening.Connection is { } connection)
            await connection.DisposeAsync();
    }

    [Theory]
    [InlineData(SmtpTlsMode.StartTls)]
    [InlineData(SmtpTlsMode.Auto)]
    public async Task Replies_injected_behind_STARTTLS_are_refused(SmtpTlsMode mode)
    {
        ScriptedConnection? seen = null;
        await using var peer = ScriptedPeer.Start(async c =>
        {
            seen = c;
            await c.GreetAsync("STARTTLS");
            await c.OnAsync("STARTTLS", "220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n");
            await c.ReadToAsync("never");
        });

        var failure = await Mails.FailToConnectAsync(Mails.At(peer) with { Tls = mode });

        Assert.Equal((SmtpPhase.StartTls, SmtpFailureKind.Protocol), (failure.Phase, failure.Kind));
        Assert.EndsWith("STARTTLS\r\n", seen!.Received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_talks_on_in_clear_after_its_220_is_no_TLS_server()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("STARTTLS");
            await c.OnAsync("STARTTLS", "220 go\r\n");
            await c.ReadToAsync("\u0016");
            await c.SayAsync("250 what do you mean?\r\n");
        });

        Assert.Equal(SmtpFailureKind.TlsFailed, (await Mails.FailToConnectAsync(Mails.At(peer))).Kind);
    }

    [Fact]
    public async Task A_handshake_that_never_ends_runs_into_its_time_limit()
    {
        var clock = new ManualClock();
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("STARTTLS");
            await c.OnAsync("STARTTLS", "220 go\r\n");
            await c.ReadToAsync("never");
        });

        var opening = SmtpConnection.OpenAsync(Mails.At(peer), SmtpTimeouts.Default, clock, CancellationToken.None).AsTask();
        await clock.AdvanceUntilAsync(() => opening.IsCompleted, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));

        Assert.Equal((SmtpPhase.StartTls, SmtpFailureKind.Timeout), ((await opening).Failure!.Phase, (await opening).Failure!.Kind));
    }

    [Fact]
    public async Task What_was_offered_before_TLS_is_forgotten()
    {
        await using var sink = SmtpSink.Start(new()
        {
            Tls = SmtpSinkTls.StartTls,
            Pipelining = false,
            Answer = OnlyFirst("EHLO", "250-sink.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-AUTH PLAIN\r\n250 STARTTLS"),
        });
        await using var connection = await Mails.ConnectAsync(Local(sink, SmtpTlsMode.StartTls));

        Assert.True(connection.Extensions is { Pipelining: false, Chunking: false, AuthMechanisms: [], StartTls: false, SmtpUtf8: true });
    }

    static Func<string, string?> OnlyFirst(string command, string answer)
    {
        var isFirst = true;
        return line =>
        {
            var matches = isFirst && line.StartsWith(command, StringComparison.Ordinal);
            isFirst &= !matches;
            return matches ? answer : null;
        };
    }
}
