using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpPoolTests
{
    static SmtpPool PoolFor(SmtpEndpoint endpoint, SmtpPoolOptions? options = null, TimeProvider? clock = null)
        => new(endpoint, options ?? new(), Mails.Patient, clock ?? TimeProvider.System);

    static Task<SmtpSendResult> SendAsync(SmtpPool pool, string to = "a@to.test", CancellationToken ct = default)
        => pool.SendAsync(Mails.To(to), Mails.Content(), commitPoint: null, ct).AsTask();

    [Fact]
    public async Task One_connection_carries_one_message_after_another()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink));

        for (var i = 0; i < 20; i++)
            Assert.Equal([Accepted], (await SendAsync(pool)).States);

        Assert.Equal((1, 1, 0), (sink.Connections, pool.Idle, pool.InUse));
    }

    [Fact]
    public async Task A_connection_is_replaced_after_its_number_of_messages()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink), new() { MaxMessagesPerConnection = 3 });

        for (var i = 0; i < 7; i++)
            await SendAsync(pool);

        Assert.Equal([1, 1, 1, 2, 2, 2, 3], sink.Messages.Select(m => m.Connection));
    }

    [Fact]
    public async Task No_more_connections_than_allowed_are_open_and_the_rest_wait()
    {
        var most = 0;
        await using var sink = SmtpSink.Start(new() { Slow = TimeSpan.FromMilliseconds(20) });
        await using var pool = PoolFor(Mails.At(sink), new() { MaxConnections = 3 });

        await Task.WhenAll(Enumerable.Range(0, 30).Select(async _ =>
        {
            Assert.Equal([Accepted], (await SendAsync(pool, "slow@to.test")).States);
            InterlockedMax(ref most, sink.OpenConnections);
        }));

        Assert.Equal((30, 3), (sink.Count, sink.Connections));
        Assert.InRange(most, 1, 3);
    }

    [Fact]
    public async Task The_connection_used_last_is_used_next()
    {
        await using var sink = SmtpSink.Start(new() { Slow = TimeSpan.FromMilliseconds(50) });
        await using var pool = PoolFor(Mails.At(sink));
        await Task.WhenAll(SendAsync(pool, "slow@to.test"), SendAsync(pool, "slow@to.test"), SendAsync(pool, "slow@to.test"));
        var before = sink.Count;

        for (var i = 0; i < 5; i++)
            await SendAsync(pool);

        Assert.Single(sink.Messages.Skip(before).Select(m => m.Connection).Distinct());
        Assert.Equal(3, pool.Idle);
    }

    [Fact]
    public async Task A_connection_that_the_server_closed_while_idle_costs_no_message()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink));
        await SendAsync(pool);

        for (var i = 0; i < 10; i++)
        {
            await sink.DropConnectionsAsync();
            Assert.Equal([Accepted], (await SendAsync(pool)).States);
        }

        Assert.Equal(11, sink.Connections);
    }

    [Fact]
    public async Task A_reused_connection_that_dies_before_the_first_answer_is_replaced_unseen_once()
    {
        await using var peer = ScriptedPeer.Start(
            async c =>
            {
                await ServeAsync(c);
                await c.ReadToAsync("DATA\r\n");
                c.HangUp();
            },
            ServeAsync);
        await using var pool = PoolFor(Mails.At(peer));

        Assert.Equal([Accepted], (await SendAsync(pool)).States);
        Assert.Equal([Accepted], (await SendAsync(pool)).States);
        Assert.Equal(2, peer.Connections);
    }

    [Theory]
    [InlineData("421 4.4.2 idle too long\r\n")]
    [InlineData("421 4.7.0 too many messages on this connection\r\n")]
    public async Task A_reused_connection_whose_first_answer_is_421_is_replaced_unseen_once(string goodbye)
    {
        await using var peer = ScriptedPeer.Start(
            async c =>
            {
                await ServeAsync(c);
                await c.ReadToAsync("DATA\r\n");
                await c.SayAsync(goodbye);
                c.HangUp();
            },
            ServeAsync);
        await using var pool = PoolFor(Mails.At(peer));

        await SendAsync(pool);
        Assert.Equal([Accepted], (await SendAsync(pool)).States);
    }

    [Fact]
    public async Task A_fresh_connection_that_dies_is_told_and_not_tried_again()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING");
            await c.ReadToAsync("DATA\r\n");
            c.HangUp();
        });
        await using var pool = PoolFor(Mails.At(peer));

        var result = await SendAsync(pool);

        Assert.Equal((SmtpFailureKind.ConnectionClosed, true), (result.Failure!.Kind, result.Failure.KnownUnsent));
        Assert.Equal(1, peer.Connections);
    }

    [Fact]
    public async Task A_reused_connection_that_dies_after_an_answer_or_after_the_dot_is_told_and_not_tried_again()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink));

        await SendAsync(pool);
        var atData = await SendAsync(pool, "drop-at-data@to.test");
        await SendAsync(pool);
        // Small enough to leave in one write with its dot.
        var inData = await SendAsync(pool, "drop-in-data@to.test");
        await SendAsync(pool);
        var afterDot = await SendAsync(pool, "drop-after-dot@to.test");

        Assert.Equal((true, Unresolved), (atData.Failure!.KnownUnsent, atData.States[0]));
        Assert.Equal((false, Unresolved), (inData.Failure!.KnownUnsent, inData.States[0]));
        Assert.Equal((false, Unresolved), (afterDot.Failure!.KnownUnsent, afterDot.States[0]));
        Assert.Single(sink.Messages, m => m.Recipients[0] == "drop-after-dot@to.test");
        Assert.Equal(3, sink.Connections);
    }

    [Fact]
    public async Task With_chunking_a_reused_connection_that_dies_without_a_word_is_told_as_it_may_have_taken_the_message()
    {
        await using var peer = ScriptedPeer.Start(async c =>
        {
            await c.GreetAsync("PIPELINING", "CHUNKING");
            await c.ReadToAsync(Mails.Text);
            await c.SayAsync("250 ok\r\n250 ok\r\n250 taken\r\n");
            await c.ReadToAsync(Mails.Text);
            c.HangUp();
        });
        await using var pool = PoolFor(Mails.At(peer));

        Assert.Equal([Accepted], (await SendAsync(pool)).States);
        var second = await SendAsync(pool);

        Assert.Equal((SmtpFailureKind.ConnectionClosed, false, 1), (second.Failure!.Kind, second.Failure.KnownUnsent, peer.Connections));
    }

    [Fact]
    public async Task A_stopped_server_is_found_again_when_it_is_back()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink));
        await SendAsync(pool);
        await sink.StopAsync();

        var refused = await SendAsync(pool);
        sink.Restart();
        var accepted = await SendAsync(pool);

        Assert.Equal((SmtpFailureKind.ConnectFailed, true), (refused.Failure!.Kind, refused.Failure.KnownUnsent));
        Assert.Equal([Unresolved], refused.States);
        Assert.Equal([Accepted], accepted.States);
    }

    [Fact]
    public async Task What_is_idle_too_long_is_closed_with_QUIT_and_what_is_too_old_is_not_used_again()
    {
        var clock = new ManualClock();
        var quits = 0;
        await using var sink = SmtpSink.Start(new()
        {
            Answer = line =>
            {
                if (line == "QUIT")
                    Interlocked.Increment(ref quits);
                return null;
            },
        });
        await using var pool = PoolFor(Mails.At(sink), new() { IdleLimit = TimeSpan.FromSeconds(30), AgeLimit = TimeSpan.FromSeconds(70) },
            clock);

        await SendAsync(pool);
        for (var i = 0; i < 2; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(29));
            await SendAsync(pool);
            Assert.Equal((1, 1), (pool.Idle, sink.Connections));
        }
        clock.Advance(TimeSpan.FromSeconds(20));
        await SendAsync(pool);
        Assert.Equal(2, sink.Connections);
        clock.Advance(TimeSpan.FromSeconds(30));

        Assert.Equal(0, pool.Idle);
        await Eventually.HoldsAsync(() => sink.OpenConnections == 0 && quits >= 1);
        Assert.Equal([Accepted], (await SendAsync(pool)).States);
    }

    [Fact]
    public async Task Closing_the_pool_says_QUIT_on_what_is_idle()
    {
        var quits = 0;
        await using var sink = SmtpSink.Start(new()
        {
            Slow = TimeSpan.FromMilliseconds(50),
            Answer = line =>
            {
                if (line == "QUIT")
                    Interlocked.Increment(ref quits);
                return null;
            },
        });
        var pool = PoolFor(Mails.At(sink));
        await Task.WhenAll(SendAsync(pool, "slow@to.test"), SendAsync(pool, "slow@to.test"));

        await pool.DisposeAsync();

        Assert.Equal(2, quits);
    }

    [Fact]
    public async Task Who_gives_up_while_waiting_for_a_connection_has_sent_nothing()
    {
        await using var sink = SmtpSink.Start(new() { Slow = TimeSpan.FromSeconds(1) });
        await using var pool = PoolFor(Mails.At(sink), new() { MaxConnections = 1 });
        using var cancel = new CancellationTokenSource();
        var first = SendAsync(pool, "slow@to.test");
        var second = SendAsync(pool, "b@to.test", cancel.Token);

        await cancel.CancelAsync();

        Assert.Equal((SmtpFailureKind.Cancelled, true), ((await second).Failure!.Kind, (await second).Failure!.KnownUnsent));
        Assert.Equal([Accepted], (await first).States);
        Assert.Single(sink.Messages);
    }

    [Fact]
    public async Task Who_gives_up_after_the_dot_may_have_sent_it()
    {
        await using var sink = SmtpSink.Start();
        await using var pool = PoolFor(Mails.At(sink));
        using var cancel = new CancellationTokenSource();
        var sending = SendAsync(pool, "never-answer@to.test", cancel.Token);
        await sink.WaitForAsync(1);

        await cancel.CancelAsync();

        Assert.Equal((SmtpFailureKind.Cancelled, false), ((await sending).Failure!.Kind, (await sending).Failure!.KnownUnsent));
        Assert.Equal([Accepted], (await SendAsync(pool)).States);
    }

    static async Task ServeAsync(ScriptedConnection c)
    {
        await c.GreetAsync("PIPELINING");
        await c.ReadToAsync("DATA\r\n");
        await c.SayAsync("250 ok\r\n250 ok\r\n354 go\r\n");
        await c.ReadToAsync("\r\n.\r\n");
        await c.SayAsync("250 taken\r\n");
    }

    static void InterlockedMax(ref int target, int value)
    {
        for (var seen = Volatile.Read(ref target); value > seen; seen = Volatile.Read(ref target))
        {
            if (Interlocked.CompareExchange(ref target, value, seen) == seen)
                return;
        }
    }
}
