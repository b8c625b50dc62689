using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

/// <summary>Peers that are out of step, say too much, or say it at the wrong time.</summary>
public sealed class SmtpOddPeerTests
{
    [Fact]
    public async Task With_pipelining_the_whole_envelope_is_one_write()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            // Nothing is answered before all of it is here: a client that waits for a reply in between would hang.
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n250 ok\r\n550 no\r\n354 go\r\n");
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test", "b@to.test"));

        Assert.Equal([Accepted, Refused], result.States);
    }

    [Fact]
    public async Task With_chunking_the_whole_message_is_one_write()
    {
        var received = "";
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING", "CHUNKING");
            await c.ReadToAsync(Mails.Text);
            received = c.Received;
            await c.SayAsync("250 ok\r\n250 ok\r\n550 no\r\n250 taken\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test", "b@to.test"));

        Assert.Equal([Accepted, Refused], result.States);
        Assert.EndsWith($"\r\nBDAT {Mails.Text.Length} LAST\r\n{Mails.Text}", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_pipelining_no_command_is_sent_before_the_reply_to_the_one_before()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("CHUNKING");
            foreach (var (command, answer) in Steps)
            {
                var before = c.Received.Length;
                var line = await c.ReadToAsync("\r\n");
                Assert.StartsWith(command, line, StringComparison.Ordinal);
                Assert.Equal(before + line.Length, c.Received.Length);
                await c.SayAsync(answer);
            }
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        Assert.Equal([Accepted, Accepted], (await connection.SendAsync(Mails.To("a@to.test", "b@to.test"))).States);
    }

    static readonly (string, string)[] Steps = [("MAIL", "250 ok\r\n"), ("RCPT", "250 ok\r\n"), ("RCPT", "251 ok\r\n"),
        ("DATA", "354 go\r\n")];

    [Theory]
    [InlineData("250 ok\r\n550 no\r\n354 go\r\n")]
    [InlineData("550 no\r\n503 MAIL first\r\n354 go\r\n")]
    public async Task A_server_that_wants_content_for_nobody_gets_an_empty_message(string answers)
    {
        var after = "";
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync(answers);
            after = await c.ReadToAsync("\r\n");
            await c.SayAsync("250 taken, whatever it was\r\n");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n250 ok\r\n354 go\r\n");
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var refused = await connection.SendAsync(Mails.To("a@to.test"));
        var accepted = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal((Refused, 550, ".\r\n"), (refused.States[0], refused.Recipients[0].Reply?.Code, after));
        Assert.Null(refused.Failure);
        Assert.Equal([Accepted], accepted.States);
    }

    [Fact]
    public async Task After_a_transaction_without_end_the_next_one_begins_with_RSET_in_the_same_write()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n550 no\r\n554 nobody\r\n");
            Assert.Equal("RSET\r\n", await c.ReadToAsync("\r\n"));
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n");
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n");
            Assert.StartsWith("MAIL", await c.ReadToAsync("\r\n"), StringComparison.Ordinal);
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n250 ok\r\n354 go\r\n");
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        Assert.Equal([Refused], (await connection.SendAsync(Mails.To("a@to.test"))).States);
        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"))).States);
    }

    [Fact]
    public async Task A_refusal_after_the_250_changes_nothing_and_the_connection_is_not_used_again()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n250 ok\r\n354 go\r\n");
            await c.ReadToAsync("\r\n.\r\n");
            await c.SayAsync("250 taken\r\n554 no, after all\r\n");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal([Accepted], result.States);
        Assert.False(connection.IsUsable);
        Assert.Equal((SmtpFailureKind.ConnectionClosed, true), await KindAsync(connection));
    }

    [Theory]
    [InlineData("250 ok\r\n250 ok\r\n354 go\r\n250 taken before it was sent\r\n", SmtpFailureKind.Protocol, Unresolved)]
    [InlineData("250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 too big\r\n", SmtpFailureKind.Protocol, Refused)]
    [InlineData("250 ok\r\n250 ok\r\n354 go\r\n421 4.3.2 shutting down\r\n", SmtpFailureKind.ServiceClosing, Refused)]
    [InlineData("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", SmtpFailureKind.Protocol, Unresolved)]
    [InlineData("250 ok\r\n354 go\r\n", SmtpFailureKind.Protocol, Unresolved)]
    public async Task Answers_out_of_step_end_the_connection_before_anything_is_sent(string answers, SmtpFailureKind kind,
        SmtpRecipientState state)
    {
        ScriptedConnection? seen = null;
        await using var peer = ScriptedPeer.Start(async c =>
        {
            seen = c;
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync(answers);
            await c.ReadToAsync("never");
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal((kind, true, state), (result.Failure!.Kind, result.Failure.KnownUnsent, result.States[0]));
        Assert.False(connection.IsUsable);
        await connection.DisposeAsync();
        Assert.EndsWith("DATA\r\n", seen!.Received, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("220 hello\r\n250-forged\r\n250 PIPELINING\r\n", SmtpFailureKind.Protocol)]
    [InlineData("220-one\r\n220-two\r\n220", null)]
    [InlineData("554 5.7.1 go away\r\n", SmtpFailureKind.Refused)]
    [InlineData("421 4.7.0 too many connections\r\n", SmtpFailureKind.ServiceClosing)]
    [InlineData("250 hello\r\n", SmtpFailureKind.Protocol)]
    public async Task A_greeting_is_one_reply_of_220_and_nothing_behind_it(string greeting, SmtpFailureKind? kind)
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.SayAsync(greeting);
            if (kind is null)
            {
                await c.SayAsync(" done\r\n");
                await c.OnAsync("EHLO", "250 ok\r\n");
            }
        });

        var opening = await SmtpConnection.OpenAsync(Mails.At(peer), Mails.Patient, TimeProvider.System, CancellationToken.None);

        Assert.Equal(kind, opening.Failure?.Kind);
        Assert.Equal(kind is null, opening.Connection is not null);
        if (opening.Connection is { } connection)
            await connection.DisposeAsync();
        if (kind is SmtpFailureKind.Refused or SmtpFailureKind.ServiceClosing)
            Assert.Equal(greeting, opening.Failure!.Reply + "\r\n");
    }

    [Theory]
    [InlineData("421 4.7.0 later\r\n", null, SmtpFailureKind.ServiceClosing)]
    [InlineData("451 4.7.0 later\r\n", null, SmtpFailureKind.Refused)]
    [InlineData("502 unknown\r\n", "550 5.7.1 go away\r\n", SmtpFailureKind.Refused)]
    [InlineData("354 what\r\n", null, SmtpFailureKind.Protocol)]
    public async Task A_refused_EHLO_ends_it_unless_HELO_helps(string ehlo, string? helo, SmtpFailureKind kind)
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.SayAsync("220 hi\r\n");
            await c.OnAsync("EHLO", ehlo);
            if (helo is not null)
                await c.OnAsync("HELO", helo);
        });

        var failure = await Mails.FailToConnectAsync(Mails.At(peer));

        Assert.Equal((SmtpPhase.Ehlo, kind), (failure.Phase, failure.Kind));
    }

    [Fact]
    public async Task A_server_that_refuses_content_halfway_and_hangs_up_is_quoted()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            await c.SayAsync("250 ok\r\n250 ok\r\n354 go\r\n");
            await c.ReadToAsync("aaaa");
            await c.SayAsync("552 5.3.4 too much\r\n");
            c.HangUp();
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));
        var content = string.Concat(Enumerable.Repeat(new string('a', 76) + "\r\n", 250_000));

        var result = await connection.SendAsync(Mails.To("a@to.test"), content);

        Assert.Equal((SmtpFailureKind.ConnectionClosed, true, SmtpPhase.Content),
            (result.Failure!.Kind, result.Failure.KnownUnsent, result.Failure.Phase));
        Assert.Equal((Refused, "552 5.3.4 too much"), (result.States[0], result.Recipients[0].Reply.ToString()));
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("250 ok\r\n", false)]
    [InlineData("250 ok\r\n250 ok\r\n", false)]
    [InlineData("550 no\r\n", true)]
    [InlineData("250 ok\r\n550 no\r\n", true)]
    [InlineData("421 bye\r\n", true)]
    [InlineData("250 ok\r\n421 bye\r\n", true)]
    public async Task With_chunking_the_message_may_be_taken_unless_an_answer_proves_otherwise(string answers, bool knownUnsent)
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING", "CHUNKING");
            await c.ReadToAsync(Mails.Text);
            await c.SayAsync(answers);
            c.HangUp();
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal(knownUnsent, result.Failure!.KnownUnsent);
    }

    [Fact]
    public async Task Nothing_a_server_says_reaches_the_text_as_more_than_text()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync();
            await c.OnAsync("MAIL",
                Encoding.Latin1.GetString(Encoding.UTF8.GetBytes("550 5.1.0 a\rb\u0000c\u001b[31md\u2028e\u0085f\r\n")));
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(peer));

        var result = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal("a b c [31md e f", result.Recipients[0].Reply?.Text);
    }

    [Fact]
    public async Task Nobody_listening_is_a_failure_to_connect()
    {
        await using var sink = SmtpSink.Start();
        var endpoint = Mails.At(sink);
        await sink.StopAsync();

        var failure = await Mails.FailToConnectAsync(endpoint);

        Assert.Equal((SmtpPhase.Connect, SmtpFailureKind.ConnectFailed), (failure.Phase, failure.Kind));
        Assert.Contains($"127.0.0.1:{sink.Port}", failure.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_does_not_exist_is_a_failure_to_connect()
    {
        var failure = await Mails.FailToConnectAsync(new SmtpEndpoint("no-such-host.invalid", 25));

        Assert.Equal((SmtpPhase.Connect, SmtpFailureKind.ConnectFailed), (failure.Phase, failure.Kind));
    }

    static async Task<(SmtpFailureKind, bool)> KindAsync(SmtpConnection connection)
    {
        var result = await connection.SendAsync(Mails.To("a@to.test"));
        return (result.Failure!.Kind, result.Failure.KnownUnsent);
    }
}
