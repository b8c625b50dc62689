using System.Text;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp.Server;

/// <summary>Hostile clients: smuggling, sizes, counts, and time.</summary>
public sealed class SmtpServerLimitTests
{
    public static TheoryData<string> Smuggling => SmtpContentDecoderTests.Smuggling;

    [Theory]
    [MemberData(nameof(Smuggling))]
    public async Task What_only_looks_like_the_end_of_content_smuggles_nothing(string trick)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");

        await client.SayAsync($"{trick}MAIL FROM:<evil@from.test>\r\nRCPT TO:<c@to.test>\r\nDATA\r\nsmuggled\r\n.\r\n");

        Assert.StartsWith("550 5.6.0", await client.ReadAsync());
        Assert.StartsWith("250 2.0.0", await client.AskAsync("NOOP"));
        Assert.Empty(server.Mails);
    }

    [Theory]
    [InlineData("NOOP\nNOOP\r\n")]
    [InlineData("NOOP\n")]
    [InlineData("NOOP\rNOOP\r\n")]
    [InlineData("MAIL FROM:<a@from.test>\nRCPT TO:<b@to.test>\r\n")]
    [InlineData("MAIL FROM:<a\r@from.test>\r\n")]
    public async Task Half_a_line_end_in_a_command_ends_the_session(string commands)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        Assert.StartsWith("500 5.5.2", (await client.AskAsync(commands, 1))[0]);
        Assert.True(await client.IsClosedAsync());
    }

    [Theory]
    [InlineData("NOOP ", 512, true)]
    [InlineData("NOOP ", 513, false)]
    [InlineData("EHLO ", 513, false)]
    [InlineData("RCPT TO:<b@to.test> ORCPT=rfc822;", 800, false)]
    [InlineData("MAIL FROM:<a@from.test> AUTH=", 2048, true)]
    [InlineData("MAIL FROM:<a@from.test> AUTH=", 2049, false)]
    [InlineData("AUTH PLAIN ", 12_289, false)]
    public async Task A_line_has_its_limit(string start, int octets, bool taken)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        var reply = await client.AskAsync(start + new string('a', octets - start.Length - 2));

        // Within the limit of the line a parameter may still be too long for itself.
        Assert.StartsWith(taken ? "250" : start.StartsWith("RCPT", StringComparison.Ordinal) ? "503 5.5.1" : "500 5.5.2", reply);
    }

    [Fact]
    public async Task Megabytes_without_a_line_end_are_refused_at_the_first_512_octets_and_never_kept()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        Assert.StartsWith("500 5.5.2", (await client.AskAsync(new string('x', 512), 1))[0]);
        try
        {
            for (var i = 0; i < 100; i++)
                await client.SayAsync(new string('x', 100_000));
        }
        catch (IOException)
        {
            // It need not listen to the end.
        }

        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Who_tries_recipients_without_end_is_sent_away()
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxRecipients = 2 });
        await using var client = await server.GreetedAsync();

        var replies = await client.AskAsync(
            "MAIL FROM:<a@from.test>\r\n" + string.Concat(Enumerable.Repeat("RCPT TO:<bounce@to.test>\r\n", 40)), 42);

        Assert.All(replies[1..41], reply => Assert.StartsWith("550 5.1.1", reply));
        Assert.StartsWith("421 4.7.0", replies[41]);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Who_tries_recipients_in_many_transactions_is_sent_away_as_soon()
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxRecipients = 2 });
        await using var client = await server.GreetedAsync();
        var guesses = "MAIL FROM:<a@from.test>\r\n" + string.Concat(Enumerable.Repeat("RCPT TO:<bounce@to.test>\r\n", 13)) + "RSET\r\n";
        for (var i = 0; i < 3; i++)
            await client.AskAsync(guesses, 15);

        var replies = await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<bounce@to.test>\r\n", 3);

        Assert.StartsWith("421 4.7.0", replies[2]);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Chunks_with_nothing_in_them_are_no_way_to_stay()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();

        // EHLO and MAIL were two of the hundred.
        var replies = await client.AskAsync(string.Concat(Enumerable.Repeat("BDAT 0\r\n", 99)), 99);

        Assert.All(replies[..98], reply => Assert.StartsWith("250 2.0.0", reply));
        Assert.StartsWith("421 4.7.0", replies[98]);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task A_transaction_without_end_ends_after_half_an_hour()
    {
        var clock = new ManualClock();
        // The client hears a reply before the server knows it written: no other limit may be shorter than a step of the clock.
        var only = KeepingServer.Options with { IdleTimeout = TimeSpan.FromHours(1), WriteTimeout = TimeSpan.FromHours(1) };
        await using var server = KeepingServer.Start(only, clock);
        await using var client = await server.InTransactionAsync();
        for (var minutes = 0; minutes < 28; minutes += 4)
        {
            clock.Advance(TimeSpan.FromMinutes(4));
            Assert.StartsWith("250", await client.AskAsync("RCPT TO:<b@to.test>"));
        }
        clock.Advance(TimeSpan.FromMinutes(3));

        await client.AskAsync("RCPT TO:<b@to.test>");
        Assert.StartsWith("421 4.4.2", await client.ReadAsync());
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task A_stopping_server_does_not_wait_for_a_handshake()
    {
        await using var server = KeepingServer.Start(KeepingServer.WithTls, implicitTls: true);
        await using var client = await SmtpDialogue.ConnectAsync(server.Port);
        await Eventually.HoldsAsync(() => server.Server.Connections == 1);

        await server.Server.StopAsync(CancellationToken.None);

        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task The_1001st_recipient_is_put_off_and_the_others_get_their_mail()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();
        var group = string.Concat(Enumerable.Range(0, 1_001).Select(i => $"RCPT TO:<r{i}@to.test>\r\n"));

        var replies = await client.AskAsync("MAIL FROM:<a@from.test>\r\n" + group + "DATA\r\n", 1_003);

        Assert.All(replies[1..1001], reply => Assert.StartsWith("250", reply));
        Assert.StartsWith("452 4.5.3", replies[1001]);
        Assert.StartsWith("250", await client.AskAsync("x\r\n."));
        Assert.Equal(1_000, server.Only.Recipients.Count);
    }

    [Theory]
    [InlineData(100, "250 2.0.0")]
    [InlineData(101, "552 5.3.4")]
    public async Task A_message_that_grows_too_large_is_refused_at_its_end(int lines, string reply)
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxMessageBytes = 1_000 });
        await using var client = await server.InTransactionAsync();
        var text = string.Concat(Enumerable.Repeat("12345678\r\n", lines));

        await client.AskAsync("DATA");
        Assert.StartsWith(reply, await client.AskAsync(text + "."));
        await client.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\n", 2);
        Assert.StartsWith(reply, (await client.AskAsync($"BDAT {text.Length} LAST\r\n{text}", 1))[0]);
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<a@from.test>"));
    }

    [Fact]
    public async Task Who_sends_far_more_than_is_taken_is_cut_off()
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxMessageBytes = 1_000 });
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");

        await client.SayAsync(string.Concat(Enumerable.Repeat("12345678\r\n", 6_000)));

        Assert.StartsWith("552 5.3.4", await client.ReadAsync());
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task A_chunk_of_nonsense_size_is_refused_before_it_comes()
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.InTransactionAsync();

        Assert.StartsWith("552 5.3.4", await client.AskAsync("BDAT 999999999999 LAST"));
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Messages_that_do_not_fit_memory_together_are_put_off()
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxContentMemoryBytes = 40_000 });
        await using var first = await server.InTransactionAsync();
        await first.AskAsync("DATA");
        await first.SayAsync(new string('a', 100) + "\r\n");
        await using var second = await server.InTransactionAsync();
        await second.AskAsync("DATA");
        var large = string.Concat(Enumerable.Repeat(new string('b', 98) + "\r\n", 300));

        Assert.StartsWith("452 4.3.1", await second.AskAsync(large + "."));
        Assert.StartsWith("250", await first.AskAsync("."));
        await second.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n", 3);
        Assert.StartsWith("250", await second.AskAsync("small\r\n."));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_waits_for_a_slow_store_is_in_memory_still(bool chunked)
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxContentMemoryBytes = 60_000 });
        var stored = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        server.Receive = async _ =>
        {
            arrived.TrySetResult();
            await stored.Task;
            return new SmtpReply(250, "2.0.0", "queued");
        };
        var large = string.Concat(Enumerable.Repeat(new string('b', 98) + "\r\n", 300));
        await using var first = await server.InTransactionAsync();
        if (!chunked)
            await first.AskAsync("DATA");
        await first.SayAsync(chunked ? $"BDAT {large.Length} LAST\r\n{large}" : large + ".\r\n");
        await arrived.Task;
        await using var second = await server.InTransactionAsync();
        await second.AskAsync("DATA");

        Assert.StartsWith("452 4.3.1", await second.AskAsync(large + "."));
        stored.SetResult();
        Assert.StartsWith("250", await first.ReadAsync());
        await second.AskAsync("MAIL FROM:<a@from.test>\r\nRCPT TO:<b@to.test>\r\nDATA\r\n", 3);
        Assert.StartsWith("250", await second.AskAsync(large + "."));
    }

    [Theory]
    [InlineData("BLAH", 20, "421 4.7.0 too many errors")]
    [InlineData("NOOP", 100, "421 4.7.0 too many commands without a message")]
    public async Task Who_never_comes_to_the_point_is_sent_away(string command, int most, string reply)
    {
        await using var server = KeepingServer.Start();
        await using var client = await server.GreetedAsync();

        var replies = new List<string>();
        for (var i = 0; i <= most; i++)
        {
            if (await client.AskAsync(command) is { Length: > 0 } answer)
                replies.Add(answer);
            if (replies[^1].StartsWith("500", StringComparison.Ordinal) && replies.Count == most)
                replies.Add(await client.ReadAsync());
        }

        Assert.Contains(reply, replies);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task Connections_have_a_limit_for_one_address_and_a_place_is_free_again_when_one_ends()
    {
        await using var server = KeepingServer.Start(KeepingServer.Options with { MaxConnectionsPerAddress = 2 });
        var first = await server.GreetedAsync();
        await using var second = await server.GreetedAsync();
        await using (var third = await SmtpDialogue.ConnectAsync(server.Port))
        {
            Assert.StartsWith("421 4.7.0", await third.ReadAsync());
            Assert.True(await third.IsClosedAsync());
        }
        Assert.StartsWith("221", await first.AskAsync("QUIT"));
        await first.DisposeAsync();

        await Eventually.HoldsAsync(() => server.Server.Connections < 2);
        await using var fourth = await SmtpDialogue.ConnectAsync(server.Port);
        Assert.StartsWith("220", await fourth.ReadAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("NOO")]
    public async Task Who_says_no_whole_command_for_five_minutes_hears_421(string half)
    {
        var clock = new ManualClock();
        await using var server = KeepingServer.Start(clock: clock);
        await using var client = await server.GreetedAsync();
        await client.SayAsync(half);

        var reply = client.ReadAsync();
        await clock.AdvanceUntilAsync(() => reply.IsCompleted, TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(6));

        Assert.StartsWith("421 4.4.2", await reply);
        await clock.AdvanceUntilAsync(() => server.Server.Connections == 0, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Content_that_drips_is_given_up_after_a_minute()
    {
        var clock = new ManualClock();
        await using var server = KeepingServer.Start(clock: clock);
        await using var client = await server.InTransactionAsync();
        await client.AskAsync("DATA");

        var reply = client.ReadAsync();
        // One octet every 20 seconds: each comes long before the idle timeout.
        for (var i = 0; i < 3; i++)
        {
            await client.SayAsync("x");
            clock.Advance(TimeSpan.FromSeconds(19));
        }
        await clock.AdvanceUntilAsync(() => reply.IsCompleted, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(3));

        Assert.StartsWith("421 4.4.2", await reply);
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_stopping_server_finishes_the_message_in_hand_and_sends_all_others_away()
    {
        var server = KeepingServer.Start();
        await using var idle = await server.GreetedAsync();
        await using var early = await server.InTransactionAsync();
        await using var inHand = await server.InTransactionAsync();
        await inHand.AskAsync("DATA");
        await inHand.SayAsync("one\r\n");

        var stopping = server.Server.StopAsync(CancellationToken.None);
        Assert.StartsWith("421 4.3.2", await idle.ReadAsync());
        Assert.StartsWith("421 4.3.2", await early.ReadAsync());
        await idle.DisposeAsync();
        await early.DisposeAsync();
        Assert.False(stopping.IsCompleted);
        Assert.StartsWith("250", await inHand.AskAsync("two\r\n."));
        Assert.StartsWith("421 4.3.2", await inHand.ReadAsync());
        await inHand.DisposeAsync();
        await stopping;

        Assert.Equal("one\r\ntwo\r\n", KeepingServer.TextOf(server.Only));
        await server.DisposeAsync();
    }

    [Fact]
    public async Task Whatever_a_client_sends_the_server_goes_on()
    {
        await using var server = KeepingServer.Start();
        var dice = new Dice(20261122);
        string[] words =
        [
            "EHLO x\r\n", "MAIL FROM:<a@from.test>\r\n", "RCPT TO:<b@to.test>\r\n", "DATA\r\n", ".\r\n", "\r\n", "BDAT 3\r\n", "abc", "\0",
            "BDAT 2 LAST\r\n", "\n", "\r", "RSET\r\n", "AUTH PLAIN\r\n", "AUTH LOGIN\r\n", "*\r\n", "ü", "<<<<\"", "QUIT\r\n",
            "STARTTLS\r\n",
        ];
        for (var round = 0; round < 200; round++)
        {
            await using var client = await SmtpDialogue.ConnectAsync(server.Port);
            var text = new StringBuilder();
            for (var i = dice.Next(40); i >= 0; i--)
                text.Append(words[dice.Next(words.Length)]);
            try
            {
                await client.SayAsync(text.ToString());
            }
            catch (IOException)
            {
                // Sent away already.
            }
        }

        await using var last = await server.InTransactionAsync();
        await last.AskAsync("DATA");
        Assert.StartsWith("250", await last.AskAsync("still here\r\n."));
        Assert.Empty(server.Faults);
    }
}
