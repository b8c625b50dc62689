using System.Diagnostics;
using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

/// <summary>Our client against servers that others wrote.</summary>
public sealed class SmtpPeerTests(PostfixServer postfix) : IClassFixture<PostfixServer>
{
    /// <summary>Bodies whose lines start with, end in and consist of dots, and the line ends that smuggle.</summary>
    public static TheoryData<string> Bodies => [".\r\n", "..\r\n...\r\n", ".a\r\n.\r\n.b", "a\n.\nb", "a\r.\rb",
        "a\r\n.\nMAIL FROM:<evil@to.test>\r\n", "x\r\n\r\n\r\n", "a\r\r\nb"];

    static string Canonical(string body)
    {
        var lines = body.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        return (lines.EndsWith('\n') ? lines : lines + "\n").Replace("\n", "\r\n", StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    [Trait("Needs", "python")]
    public async Task Aiosmtpd_receives_one_message_byte_by_byte(string body)
    {
        await using var server = await AiosmtpdServer.StartAsync();
        await using var connection = await Mails.ConnectAsync(new SmtpEndpoint("127.0.0.1", server.Port));

        var result = await connection.SendAsync(Mails.To("a@to.test", "bounce@to.test", "defer@to.test"), "Subject: dots\r\n\r\n" + body);
        var next = await connection.SendAsync(Mails.To("b@to.test"));

        Assert.Equal([Accepted, Refused, Refused], result.States);
        Assert.Equal([Accepted], next.States);
        var first = await server.ReadAsync();
        Assert.Equal("Subject: dots\r\n\r\n" + Canonical(body), Encoding.ASCII.GetString(first.Content));
        Assert.Equal(["a@to.test"], first.To);
        Assert.Equal(["b@to.test"], (await server.ReadAsync()).To);
    }

    [Fact]
    [Trait("Needs", "python")]
    public async Task Aiosmtpd_takes_TLS_accounts_and_addresses_beyond_ASCII()
    {
        await using var server = await AiosmtpdServer.StartAsync(tls: true, "user", "pass");
        var endpoint = new SmtpEndpoint("localhost", server.Port)
        {
            Tls = SmtpTlsMode.StartTls,
            TrustedAuthority = TestCertificates.Authority,
            Credentials = SmtpCredentials.WithPassword("user", "pass"),
        };

        foreach (var mechanism in (SmtpAuthMechanism?[])[null, SmtpAuthMechanism.Login])
        {
            await using var connection = await Mails.ConnectAsync(
                endpoint with { Credentials = endpoint.Credentials with { Mechanism = mechanism } });
            Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("üser@to.test"), "Subject: \u00c3\u00bc\r\n\r\n")).States);
            var message = await server.ReadAsync();
            Assert.Equal((true, "user", "üser@to.test"), (message.Tls, message.User, message.To[0]));
            Assert.Contains("SMTPUTF8", message.Options);
        }

        var wrong = await Mails.FailToConnectAsync(endpoint with { Credentials = SmtpCredentials.WithPassword("user", "wrong") });
        Assert.Equal((SmtpFailureKind.AuthRefused, 535), (wrong.Kind, wrong.Reply?.Code));
    }

    [Fact]
    [Trait("Needs", "postfix")]
    public async Task Postfix_passes_on_every_body_byte_by_byte_by_DATA_and_by_BDAT()
    {
        await postfix.RequireAsync();
        await using var connection = await Mails.ConnectAsync(new SmtpEndpoint("127.0.0.1", postfix.Port));
        Assert.True(
            connection.Extensions is { Pipelining: true, Chunking: true, SmtpUtf8: true, EightBitMime: true, MaxMessageBytes: 20_000_000 });

        string[] bodies = [.. Bodies.Select(row => row.Data), string.Concat(Enumerable.Repeat(".0123456789\r\n", 10_000))];
        for (var i = 0; i < bodies.Length; i++)
        {
            var to = Mails.To($"postfix+{i}@to.test", "bounce@to.test", "defer@to.test");
            Assert.Equal([Accepted, Refused, Refused], (await connection.SendAsync(to, Whole(bodies[i]))).States);
            Assert.Equal([Accepted, Refused, Refused], (await connection.SendAsync(to, Whole(Canonical(bodies[i])))).States);
        }

        // Mail of other tests may still be on its way to the same place.
        var arrived = await Eventually.GetAsync(() => Task.FromResult(Ours()), ours => ours.Count >= 2 * bodies.Length);
        for (var i = 0; i < bodies.Length; i++)
        {
            var same = arrived.Where(m => m.Recipients[0] == $"postfix+{i}@to.test").Select(
                m => m.Text[(m.Text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
            Assert.Equal([Canonical(bodies[i]), Canonical(bodies[i])], same);
        }

        List<SinkMessage> Ours() =>
            [.. postfix.Behind.Messages.Where(m => m.Recipients[0].StartsWith("postfix+", StringComparison.Ordinal))];

        static string Whole(string body) =>
            "From: sender@from.test\r\nDate: Sat, 21 Nov 2026 21:05:57 +0000\r\nMessage-ID: <1@from.test>\r\n\r\n" + body;
    }

    [Fact]
    [Trait("Needs", "postfix")]
    public async Task Postfix_proves_its_name_and_limits_recipients_of_one_transaction()
    {
        await postfix.RequireAsync();
        await using var connection = await Mails.ConnectAsync(
            new SmtpEndpoint("localhost", postfix.Port) { Tls = SmtpTlsMode.StartTls, TrustedAuthority = TestCertificates.Authority });

        var result = await connection.SendAsync(Mails.To([.. Enumerable.Range(0, 80).Select(i => $"many+{i}@to.test")]));
        var rest = await connection.SendAsync(Mails.To([.. Enumerable.Range(60, 20).Select(i => $"many+{i}@to.test")]));

        Assert.True(connection.IsVerified);
        Assert.Equal([.. Enumerable.Repeat(Accepted, 60), .. Enumerable.Repeat(TooManyRecipients, 20)], result.States);
        Assert.All(rest.States, state => Assert.Equal(Accepted, state));
        Assert.Contains("queued as", result.Final!.Value.Text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Needs", "postfix")]
    public async Task Postfix_refuses_what_is_too_big_before_and_what_nobody_wants_without_harm()
    {
        await postfix.RequireAsync();
        await using var connection = await Mails.ConnectAsync(new SmtpEndpoint("127.0.0.1", postfix.Port));

        var big = await connection.SendAsync(Mails.To("a@to.test"), new string('a', 20_000_001));
        var nobody = await connection.SendAsync(Mails.To("bounce@to.test"));
        var fine = await connection.SendAsync(Mails.To("fine@to.test"));

        Assert.Equal(SmtpFailureKind.MessageTooLarge, big.Failure?.Kind);
        Assert.Equal((Refused, "5.1.1"), (nobody.States[0], nobody.Recipients[0].Reply?.Enhanced));
        Assert.Equal([Accepted], fine.States);
    }

    [Theory]
    [InlineData("-p")]
    [InlineData("-e")]
    [InlineData("")]
    [Trait("Needs", "postfix")]
    public async Task Smtp_sink_takes_a_thousand_messages_over_a_few_connections(string without)
    {
        var program = Requires.Program("smtp-sink");
        var port = Ports.Free();
        string[] user = Environment.IsPrivilegedProcess ? ["-u", "nobody"] : [];
        string[] options = without == "" ? [] : [without];
        using var sink = Process.Start(new ProcessStartInfo(program, [.. user, .. options, $"127.0.0.1:{port}", "128"]))!;
        try
        {
            var endpoint = new SmtpEndpoint("127.0.0.1", port);
            await WaitForPortAsync(endpoint);
            await using var pool = new SmtpPool(endpoint, new() { MaxConnections = 8 }, Mails.Patient, TimeProvider.System);
            var content = Mails.Content("Subject: x\r\n\r\n" + string.Concat(Enumerable.Repeat(new string('x', 70) + "\r\n", 28)));

            await Parallel.ForAsync(0, 1000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, ct) =>
            {
                var result = await pool.SendAsync(Mails.To($"a{i}@to.test"), content, commitPoint: null, ct);
                Assert.Equal([Accepted], result.States);
            });

            Assert.InRange(pool.Idle, 1, 8);
        }
        finally
        {
            sink.Kill();
            await sink.WaitForExitAsync();
        }
    }

    static async Task WaitForPortAsync(SmtpEndpoint endpoint)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10), TimeProvider.System);
        while ((await SmtpConnection.OpenAsync(endpoint, Mails.Patient, TimeProvider.System, limit.Token)) is var opening)
        {
            if (opening.Connection is { } connection)
            {
                await connection.CloseAsync();
                return;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
    }
}
