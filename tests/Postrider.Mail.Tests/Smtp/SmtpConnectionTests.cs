using System.Buffers;
using Postrider.Mail.Addresses;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpConnectionTests
{
    [Fact]
    public async Task A_message_arrives_as_it_was_given()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("one@to.test", "two@to.test"));

        Assert.Null(result.Failure);
        Assert.Equal(250, result.Final?.Code);
        Assert.Equal([Accepted, Accepted], result.States);
        var message = Assert.Single(sink.Messages);
        Assert.Equal(Mails.Text, message.Text);
        Assert.Equal("sender@from.test", message.ReversePath);
        Assert.Equal(["one@to.test", "two@to.test"], message.Recipients);
        Assert.Equal($"SIZE={Mails.Text.Length}", message.MailParameters);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Each_recipient_gets_the_reply_that_decided_about_it(bool pipelining, bool chunking)
    {
        await using var sink = SmtpSink.Start(new() { Pipelining = pipelining, Chunking = chunking });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("bounce@to.test", "fine@to.test", "defer@to.test", "blocked@to.test"));

        Assert.Null(result.Failure);
        Assert.Equal([Refused, Accepted, Refused, Refused], result.States);
        Assert.Equal([SmtpPhase.Rcpt, SmtpPhase.FinalDot, SmtpPhase.Rcpt, SmtpPhase.Rcpt], result.Recipients.Select(r => r.Phase));
        Assert.Equal(["5.1.1", "2.0.0", "4.2.0", "5.7.1"], result.Recipients.Select(r => r.Reply?.Enhanced));
        Assert.Equal(["fine@to.test"], Assert.Single(sink.Messages).Recipients);
        Assert.Equal(chunking, sink.Messages[0].Chunked);
    }

    [Theory]
    [InlineData("defer-after-data", 451)]
    [InlineData("bounce-after-data", 554)]
    public async Task A_refusal_of_the_content_is_everyones_who_was_taken(string who, int code)
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To($"{who}@to.test", "bounce@to.test", "other@to.test"));

        Assert.Equal([Refused, Refused, Refused], result.States);
        Assert.Equal([code, 550, code], result.Recipients.Select(r => r.Reply!.Value.Code));
        Assert.Equal(SmtpPhase.FinalDot, result.Recipients[2].Phase);
        Assert.Null(result.Failure);
        Assert.True(connection.IsUsable);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task When_every_recipient_is_refused_nothing_is_sent_and_the_next_message_goes_over_the_same_connection(
        bool pipelining, bool chunking)
    {
        await using var sink = SmtpSink.Start(new() { Pipelining = pipelining, Chunking = chunking });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var refused = await connection.SendAsync(Mails.To("bounce@to.test", "defer@to.test"));
        var accepted = await connection.SendAsync(Mails.To("fine@to.test"));

        Assert.Equal([Refused, Refused], refused.States);
        Assert.Equal([Accepted], accepted.States);
        Assert.Equal(1, sink.Connections);
        Assert.Single(sink.Messages);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refused_sender_is_the_answer_for_all_recipients(bool pipelining)
    {
        await using var sink = SmtpSink.Start(new()
        {
            Pipelining = pipelining,
            Answer = line => line.StartsWith("MAIL FROM:<bad@", StringComparison.Ordinal) ? "553 5.1.8 no such sender domain" : null,
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var refused = await connection.SendAsync(
            new SmtpEnvelope(EmailAddress.Parse("bad@from.test"), Mails.To("a@to.test", "b@to.test").Recipients));
        var accepted = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal([Refused, Refused], refused.States);
        Assert.All(refused.Recipients, r => Assert.Equal((SmtpPhase.Mail, 553), (r.Phase, r.Reply!.Value.Code)));
        Assert.Null(refused.Failure);
        Assert.Equal([Accepted], accepted.States);
    }

    [Fact]
    public async Task A_refused_DATA_is_the_answer_for_those_that_were_taken()
    {
        var isFirst = true;
        await using var sink = SmtpSink.Start(new()
        {
            Answer = line =>
            {
                var refuse = line == "DATA" && isFirst;
                isFirst &= !refuse;
                return refuse ? "451 4.3.1 disk full" : null;
            },
        });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var refused = await connection.SendAsync(Mails.To("a@to.test", "bounce@to.test"));
        var accepted = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal([SmtpPhase.Data, SmtpPhase.Rcpt], refused.Recipients.Select(r => r.Phase));
        Assert.Equal([451, 550], refused.Recipients.Select(r => r.Reply!.Value.Code));
        Assert.Equal([Accepted], accepted.States);
    }

    [Fact]
    public async Task Recipients_above_the_servers_limit_are_told_apart_from_refused_ones()
    {
        await using var sink = SmtpSink.Start(new() { MaxRecipients = 2 });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("a@to.test", "b@to.test", "c@to.test", "bounce@to.test"));

        Assert.Equal([Accepted, Accepted, TooManyRecipients, Refused], result.States);
    }

    [Fact]
    public async Task Too_many_before_anyone_was_taken_is_a_refusal_or_a_new_transaction_would_meet_it_again()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("toomany@to.test", "fine@to.test", "toomany+2@to.test"));

        Assert.Equal([Refused, Accepted, TooManyRecipients], result.States);
    }

    [Theory]
    [InlineData("552 too many recipients", TooManyRecipients)]
    [InlineData("552 5.5.3 Too many recipients", TooManyRecipients)]
    [InlineData("552 5.2.2 over quota", Refused)]
    [InlineData("452 4.2.2 over quota", Refused)]
    [InlineData("452 4.3.1 too many messages here", Refused)]
    [InlineData("550 5.5.3 too many recipients", Refused)]
    public async Task Old_servers_say_552_for_too_many_and_mean_452(string reply, SmtpRecipientState expected)
    {
        await using var sink = SmtpSink.Start(new() { Answer = line => line == "RCPT TO:<odd@to.test>" ? reply : null });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("fine@to.test", "odd@to.test"));

        Assert.Equal([Accepted, expected], result.States);
    }

    [Theory]
    [InlineData(51, true)]
    [InlineData(100, true)]
    [InlineData(101, true)]
    [InlineData(237, true)]
    [InlineData(237, false)]
    public async Task Many_recipients_go_in_groups_and_each_gets_its_own_reply(int count, bool pipelining)
    {
        await using var sink = SmtpSink.Start(new() { Pipelining = pipelining, Chunking = true });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        var recipients = Enumerable.Range(0, count).Select(i => $"{(i % 7 == 3 ? "bounce" : "fine")}+{i}@to.test").ToArray();

        var result = await connection.SendAsync(Mails.To(recipients));

        Assert.Equal(recipients.Select(r => r.StartsWith("bounce", StringComparison.Ordinal) ? Refused : Accepted), result.States);
        Assert.Equal(recipients.Where(r => r.StartsWith("fine", StringComparison.Ordinal)), Assert.Single(sink.Messages).Recipients);
    }

    [Fact]
    public async Task A_server_without_EHLO_is_greeted_with_HELO()
    {
        await using var sink = SmtpSink.Start(new() { HeloOnly = true });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("a@to.test"));

        Assert.Equal([Accepted], result.States);
        Assert.Equal(SmtpExtensions.None, connection.Extensions);
        Assert.Equal("", Assert.Single(sink.Messages).MailParameters);
    }

    [Fact]
    public async Task Dots_and_odd_line_ends_survive_as_one_message()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        string[] contents = [".\r\n", "..\r\n", ".\r\n.\r\n..\r\n...\r\n", "Subject: .\r\n\r\n.start\r\nend.\r\n.\r\n\r\n", ""];
        foreach (var content in contents)
            Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"), content)).States);
        await connection.SendAsync(Mails.To("a@to.test"), "a\n.\nMAIL FROM:<evil@to.test>\r.\r\n\rb");

        Assert.Equal([.. contents, "a\r\n.\r\nMAIL FROM:<evil@to.test>\r\n.\r\n\r\nb\r\n"], sink.Messages.Select(m => m.Text));
    }

    [Fact]
    public async Task Content_of_many_blocks_in_odd_pieces_arrives_byte_by_byte()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        var line = ".line that starts with a dot and goes on for a while 0123456789\r\n"u8.ToArray();
        var content = Enumerable.Repeat(line, 60_000).SelectMany(l => l).ToArray();

        var result = await connection.SendAsync(
            Mails.To("a@to.test"), Sequences.Of([.. content.Chunk(77_777)]), commitPoint: null, CancellationToken.None);

        Assert.Equal([Accepted], result.States);
        Assert.Equal(content, Assert.Single(sink.Messages).Content);
    }

    [Fact]
    public async Task A_chunk_replaces_DATA_only_where_that_is_offered_canonical_small_and_fresh()
    {
        var clock = new ManualClock();
        await using var sink = SmtpSink.Start(new() { Chunking = true });
        var opening = await SmtpConnection.OpenAsync(Mails.At(sink), Mails.Patient, clock, CancellationToken.None);
        await using var connection = opening.Connection!;
        var to = Mails.To("a@to.test");

        await connection.SendAsync(to, "fresh\r\n.\r\n");
        await connection.SendAsync(to, "bare\nline end\r\n");
        await connection.SendAsync(to, new string('a', 40_000) + "\r\n");
        await connection.SendAsync(to, Mails.Content(), _ => ValueTask.FromResult(true), CancellationToken.None);
        clock.Advance(TimeSpan.FromSeconds(2));
        await connection.SendAsync(to, "stale\r\n");
        await connection.SendAsync(to, "fresh again\r\n");

        Assert.Equal([true, false, false, false, false, true], sink.Messages.Select(m => m.Chunked));
        Assert.Equal("fresh\r\n.\r\n", sink.Messages[0].Text);
    }

    [Fact]
    public async Task A_message_larger_than_the_servers_limit_is_not_sent()
    {
        await using var sink = SmtpSink.Start(new() { MaxMessageBytes = 100 });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("a@to.test"), new string('a', 101));

        Assert.Equal(SmtpFailureKind.MessageTooLarge, result.Failure?.Kind);
        Assert.True(result.Failure!.KnownUnsent);
        Assert.Equal([Accepted], (await connection.SendAsync(Mails.To("a@to.test"), new string('a', 98))).States);
    }

    [Fact]
    public async Task Addresses_and_content_beyond_ASCII_are_announced_or_not_sent()
    {
        await using var modern = SmtpSink.Start();
        await using var old = SmtpSink.Start(new() { SmtpUtf8 = false, EightBitMime = false });
        await using var toModern = await Mails.ConnectAsync(Mails.At(modern));
        await using var toOld = await Mails.ConnectAsync(Mails.At(old));

        Assert.Equal([Accepted], (await toModern.SendAsync(Mails.To("üser@tö.test"), "gr\u00fc\u00dfe\r\n")).States);
        Assert.Equal([Accepted], (await toOld.SendAsync(Mails.To("user@tö.test"))).States);
        Assert.Equal(SmtpFailureKind.SmtpUtf8Unavailable, (await toOld.SendAsync(Mails.To("üser@tö.test"))).Failure?.Kind);
        Assert.Equal(SmtpFailureKind.EightBitUnavailable,
            (await toOld.SendAsync(Mails.To("user@to.test"), "gr\u00fc\u00dfe\r\n")).Failure?.Kind);

        Assert.Equal(["üser@xn--t-1ga.test"], Assert.Single(modern.Messages).Recipients);
        Assert.Equal("SIZE=7 BODY=8BITMIME SMTPUTF8", modern.Messages[0].MailParameters);
        Assert.Equal(["user@xn--t-1ga.test"], Assert.Single(old.Messages).Recipients);
    }

    [Fact]
    public async Task Delivery_reports_are_asked_for_where_they_are_offered()
    {
        await using var sink = SmtpSink.Start(new() { MaxMessageBytes = null });
        await using var without = SmtpSink.Start(new() { Dsn = false, MaxMessageBytes = null });
        var envelope = new SmtpEnvelope(null, Mails.To("a@to.test").Recipients) { EnvelopeId = "id+1=x é", Return = SmtpDsnReturn.Headers };
        foreach (var server in (SmtpSink[])[sink, without])
        {
            await using var connection = await Mails.ConnectAsync(Mails.At(server));
            Assert.Equal([Accepted], (await connection.SendAsync(envelope)).States);
        }

        Assert.Equal(("", "RET=HDRS ENVID=id+2B1+3Dx+20+C3+A9"), (sink.Messages[0].ReversePath, sink.Messages[0].MailParameters));
        Assert.Equal("", without.Messages[0].MailParameters);
    }

    [Fact]
    public async Task The_commit_point_comes_when_all_but_the_final_dot_is_with_the_server()
    {
        await using var sink = SmtpSink.Start(new() { Chunking = true });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        var seen = -1;

        var result = await connection.SendAsync(Mails.To("a@to.test"), Mails.Content(), _ =>
        {
            seen = sink.Count;
            return ValueTask.FromResult(true);
        }, CancellationToken.None);

        Assert.Equal(0, seen);
        Assert.Equal([Accepted], result.States);
        Assert.Equal(Mails.Text, Assert.Single(sink.Messages).Text);
    }

    [Fact]
    public async Task A_commit_point_that_says_no_drops_the_connection_and_nothing_arrives()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("a@to.test", "bounce@to.test"), Mails.Content(), _ => ValueTask.FromResult(false),
            CancellationToken.None);

        Assert.Equal([Unresolved, Refused], result.States);
        Assert.Equal((SmtpFailureKind.CommitRefused, true), (result.Failure!.Kind, result.Failure.KnownUnsent));
        Assert.False(connection.IsUsable);
        await connection.DisposeAsync();
        await Eventually.HoldsAsync(() => sink.OpenConnections == 0);
        Assert.Equal(0, sink.Count);
    }

    [Fact]
    public async Task Who_listens_hears_of_each_piece_of_a_long_content()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        var (moved, movedByShort) = (0, 0);
        var lines = string.Concat(Enumerable.Repeat($"{new string('x', 70)}\r\n", 10_000));
        var content = Mails.Content($"Subject: long\r\n\r\n{lines}");

        await connection.SendAsync(Mails.To("a@to.test") with { Moved = () => movedByShort++ }, Mails.Content(), null,
            CancellationToken.None);
        var sent = await connection.SendAsync(Mails.To("a@to.test") with { Moved = () => moved++ }, content, null, CancellationToken.None);

        Assert.Equal([Accepted], sent.States);
        Assert.Equal(0, movedByShort);
        Assert.True(moved > 5, $"{moved}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_caller_that_takes_its_leave_back_before_the_last_byte_drops_the_connection_and_nothing_arrives(bool chunking)
    {
        await using var sink = SmtpSink.Start(new() { Chunking = chunking });
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));
        var asked = 0;

        var first = await connection.SendAsync(Mails.To("a@to.test") with { MaySend = () => ++asked == 1 }, Mails.Content(), null,
            CancellationToken.None);
        var second = await connection.SendAsync(Mails.To("b@to.test") with { MaySend = () => ++asked == 1 }, Mails.Content(), null,
            CancellationToken.None);

        Assert.Equal([Accepted], first.States);
        Assert.Equal(2, asked);
        Assert.Equal((SmtpFailureKind.CommitRefused, true), (second.Failure!.Kind, second.Failure.KnownUnsent));
        Assert.False(connection.IsUsable);
        await connection.DisposeAsync();
        await Eventually.HoldsAsync(() => sink.OpenConnections == 0);
        Assert.Equal(1, sink.Count);
    }

    [Fact]
    public async Task A_commit_point_is_not_asked_when_there_is_nothing_to_commit()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(
            Mails.To("bounce@to.test"), Mails.Content(), _ => throw new InvalidOperationException("asked"), CancellationToken.None);

        Assert.Equal([Refused], result.States);
    }

    [Fact]
    public async Task What_a_commit_point_throws_reaches_the_caller_and_nothing_is_sent()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        await Assert.ThrowsAsync<TimeoutException>(async () =>
            await connection.SendAsync(Mails.To("a@to.test"), Mails.Content(), _ => throw new TimeoutException("store lost"),
                CancellationToken.None));

        Assert.False(connection.IsUsable);
        await connection.DisposeAsync();
        await Eventually.HoldsAsync(() => sink.OpenConnections == 0);
        Assert.Equal(0, sink.Count);
    }

    [Fact]
    public async Task A_server_that_closes_answers_for_everyone_who_has_no_answer()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("bounce@to.test", "fine@to.test", "closing@to.test", "later@to.test"));

        Assert.Equal([Refused, Refused, Refused, Refused], result.States);
        Assert.Equal([550, 421, 421, 421], result.Recipients.Select(r => r.Reply!.Value.Code));
        Assert.Equal((SmtpFailureKind.ServiceClosing, true, SmtpPhase.Rcpt),
            (result.Failure!.Kind, result.Failure.KnownUnsent, result.Failure.Phase));
        Assert.False(connection.IsUsable);
        Assert.Equal(0, sink.Count);
    }

    [Fact]
    public async Task A_connection_says_QUIT()
    {
        List<string> lines = [];
        await using var sink = SmtpSink.Start(new()
        {
            Answer = line =>
            {
                lines.Add(line);
                return null;
            },
        });
        var connection = await Mails.ConnectAsync(Mails.At(sink) with { ClientName = "client.test" });

        await connection.CloseAsync();

        Assert.Equal(["banner", "EHLO client.test", "QUIT"], lines);
        await sink.StopAsync();
    }

    [Fact]
    public async Task Who_has_no_name_greets_with_its_address()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.SayAsync("220 hi\r\n");
            await c.OnAsync("EHLO [127.0.0.1]\r\n", "250 ok\r\n");
        });

        await using var connection = await Mails.ConnectAsync(Mails.At(peer));
        Assert.True(connection.IsUsable);
    }
}
