using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Submission;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>Who gets the permits, what waits, and what a stop or a crash leaves behind.</summary>
public sealed class DispatcherTests(ITestOutputHelper output)
{
    static readonly TenantId Tenant = TenantId.First;

    static QueueKey Key(MailStream stream = MailStream.Transactional, string route = "default", int tenant = 1) =>
        new(route, stream, new TenantId(tenant));

    static void TwoRoutes(RoutingOptions options)
    {
        options.Routes["mass"] = new RouteOptions { Transports = "slow" };
        options.Routes["default"] = new RouteOptions { Transports = "fast" };
        options.Rules.Add(new RouteRuleOptions { Stream = "bulk", Route = "mass" });
    }

    [Fact]
    public async Task A_node_has_no_more_attempts_at_a_time_than_it_may_and_goes_on_as_they_end()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=50", options: new DeliveryOptions { Concurrency = 3 });
        await node.KnowAsync("a");
        var (running, most) = (0, 0);
        var gate = new SemaphoreSlim(0);
        node["a"].Answer = async (envelope, _) =>
        {
            var now = Interlocked.Increment(ref running);
            most = Math.Max(most, now);
            await gate.WaitAsync(TestContext.Current.CancellationToken);
            Interlocked.Decrement(ref running);
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        for (var i = 0; i < 12; i++)
            await node.SubmitAsync($"r{i}@example.com");
        await node.UntilAsync(() => Volatile.Read(ref running) == 3);
        gate.Release(12);
        await node.UntilAsync(() => node["a"].Taken.Count() == 13);
        Assert.Equal(3, most);
    }

    [Fact]
    public async Task A_node_leases_no_more_at_once_than_it_may_whatever_its_transports_allow()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=50", options: new DeliveryOptions { MaxLease = 4 });
        await node.KnowAsync("a");
        node.Transport("a").Pause();
        for (var i = 0; i < 18; i++)
            await node.SubmitAsync($"r{i}@example.com");
        node.Transport("a").Resume();
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 19);
        Assert.Equal((18, 4), (node.Queue.Leases.Sum(l => l.Leased), node.Queue.Leases.Max(l => l.Permits)));
    }

    // By the messages that the provider is asked for, in their order: it takes a tenth of a second for each.
    [Theory]
    [InlineData(1, 3, 1)]
    [InlineData(1, 9, 4)]
    [InlineData(1, 1, 1)]
    public async Task Tenants_share_a_slow_transport_by_their_weights(int first, int second, int concurrency)
    {
        await using var node = new DeliveringNode(
            $"a=script://x?concurrency={concurrency}", weights: tenant => tenant == TenantId.First ? first : second);
        await node.StartAsync();
        await node.KnowAsync("a");
        node["a"].Answer = async (envelope, ct) =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), node.Clock, ct);
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        node.Transport("a").Pause();
        for (var i = 0; i < 100; i++)
        {
            await node.SubmitAsync($"of1-{i}@example.com", "bulk", tenant: 1);
            await node.SubmitAsync($"of2-{i}@example.com", "bulk", tenant: 2);
        }
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Asked.Count > 100, step: TimeSpan.FromMilliseconds(20));
        // While both have mail waiting; the first was sent before.
        var shared = node["a"].Asked.Skip(1).Take(100).Count(sending => sending.Recipients[0].StartsWith("of2-", StringComparison.Ordinal));
        var share = 100 * second / (first + second);
        // While a lease of one is being asked for, the other has some of several slots: the more, the busier the machine.
        Assert.InRange(shared, concurrency == 1 ? share - 5 : 60, share + 5);
    }

    [Fact]
    public async Task A_mail_passes_by_the_queue_when_nothing_is_due_ahead()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        await node.KnowAsync("a");
        for (var i = 0; i < 50; i++)
            await node.SubmitAsync($"r{i}@example.com");
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 51);
        Assert.Empty(node.Queue.Leases);
    }

    [Fact]
    public async Task Nothing_passes_by_the_queue_while_something_of_its_key_is_due()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=1 b=script://x");
        node.Transport("a").Pause();
        node.Transport("b").Pause();
        var first = await node.SubmitAsync("first@example.com");
        node.Transport("b").Resume();
        // The permit is there, but the first mail is ahead until it was leased.
        await node.UntilAsync(async () => (await node.StatesAsync(first))[0] == RecipientState.Sent);
        Assert.Single(node.Queue.Leases, l => l.Leased == 1);
    }

    [Fact]
    public async Task A_transport_with_one_slot_asks_the_store_for_nothing_once_its_queue_is_empty()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=1");
        node.Transport("a").Pause();
        for (var i = 0; i < 3; i++)
            await node.SubmitAsync($"r{i}@example.com");
        node.Transport("a").Resume();
        await node.UntilAsync(async () => (await node.CountAsync()).Sent == 3);
        await node.UntilAsync(() => node.Dispatcher.InFlight == 0);
        var asked = node.Queue.Leases.Count;
        await node.PassAsync(node.Clock.GetUtcNow().AddMinutes(1));
        Assert.InRange(node.Queue.Leases.Count - asked, 0, 1);
    }

    [Fact]
    public async Task A_scheduled_mail_waits_for_its_time_and_goes_then()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var at = node.Clock.GetUtcNow().AddHours(2);
        var id = await node.SubmitAsync(DeliveringNode.Mail with { SendAt = at.ToString("O") });
        await node.UntilAsync(() => node.Clock.GetUtcNow() >= at.AddSeconds(-1), within: TimeSpan.FromHours(3),
            step: TimeSpan.FromSeconds(30));
        if (node.Clock.GetUtcNow() < at)
            Assert.Empty(node["a"].Asked);
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent);
        Assert.True(node["a"].Asked.Single().At >= at);
    }

    // No timer takes more than 49.7 days.
    [Fact]
    public async Task A_mail_that_is_due_in_a_year_waits_for_it_and_holds_up_nobody()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var at = node.Clock.GetUtcNow().AddDays(364);
        var later = await node.SubmitAsync(DeliveringNode.Mail with { SendAt = at.ToString("O") });
        var now = await node.SubmitAsync(DeliveringNode.Mail);
        await node.UntilAsync(async () => (await node.StatesAsync(now))[0] == RecipientState.Sent);
        await node.UntilAsync(
            () => node.Clock.GetUtcNow() >= at.AddMinutes(-1), within: TimeSpan.FromDays(365), step: TimeSpan.FromDays(1));
        await node.UntilAsync(async () => (await node.StatesAsync(later))[0] == RecipientState.Sent);
        Assert.True(node["a"].Asked.Max(one => one.At) >= at);
    }

    [Fact]
    public async Task Mail_for_a_paused_transport_costs_no_statement_and_delays_nobody()
    {
        var rows = Environment.GetEnvironmentVariable("POSTRIDER_CHECK") == "1" ? 1_000_000 : 200_000;
        await using var node = await DeliveringNode.StartAsync("fast=script://x slow=script://y", TimeProvider.System, routing: TwoRoutes);
        await node.KnowAsync("fast");
        var unloaded = await LatencyAsync(node, "before");
        node.Transport("slow").Pause();
        await QueueBulkAsync(node, rows);

        var loaded = await LatencyAsync(node, "after");
        output.WriteLine($"submitted to handed to the transport, median of 200: {unloaded.TotalMilliseconds:0.00} ms; "
            + $"with {rows:N0} waiting: {loaded.TotalMilliseconds:0.00} ms");
        Assert.DoesNotContain(node.Queue.Leases, l => l.Key.Stream == MailStream.Bulk);
        Assert.DoesNotContain(node.Queue.Leases, l => l.Leased > 0); // all of the transactional ones were born leased
        Assert.Equal("slow is paused", node.Waits.WaitingFor(Key(MailStream.Bulk, "mass"))!.Value.Text);
        Assert.Empty(node["slow"].Asked);
        // Twice the unloaded, or 25 ms: what a shared machine adds.
        Assert.InRange(loaded, TimeSpan.Zero, unloaded * 2 + TimeSpan.FromMilliseconds(25));
    }

    static async Task<TimeSpan> LatencyAsync(DeliveringNode node, string name)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < 200; i++)
        {
            var sent = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
            node["fast"].Answer = (envelope, _) =>
            {
                sent.TrySetResult(node.Clock.GetTimestamp());
                return new(ScriptedProvider.All(envelope, ScriptedProvider.Accepted));
            };
            var began = node.Clock.GetTimestamp();
            await node.SubmitAsync($"{name}{i}@example.com");
            took.Add(node.Clock.GetElapsedTime(began, await sent.Task));
        }
        return took.Order().ElementAt(100);
    }

    static async Task QueueBulkAsync(DeliveringNode node, int rows)
    {
        const int each = 10_000;
        for (var done = 0; done < rows; done += each)
        {
            var destinations = Enumerable.Range(done, each).Select(n => new Destination(new AddressText($"bulk{n}@example.com"))).ToList();
            var result = await node.Submitter.SubmitToDestinationsAsync(
                DeliveringNode.Mail with { To = [], Stream = "bulk" }, destinations, new SubmissionContext(Tenant, null, default),
                    CancellationToken.None);
            Assert.IsType<SubmissionResult.Accepted>(result);
        }
    }

    [Fact]
    public async Task A_tenant_with_a_little_mail_does_not_wait_for_one_with_much()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=1");
        node.Transport("a").Pause();
        for (var i = 0; i < 100; i++)
            await node.SubmitAsync($"much{i}@example.com", tenant: 1);
        for (var i = 0; i < 3; i++)
            await node.SubmitAsync($"little{i}@example.com", tenant: 2);
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 103);
        var order = node["a"].Taken.ToList();
        Assert.InRange(order.FindLastIndex(address => address.StartsWith("little", StringComparison.Ordinal)), 0, 8);
    }

    [Fact]
    public async Task Transactional_mail_goes_before_bulk_mail_that_waits_longer()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=1");
        node.Transport("a").Pause();
        for (var i = 0; i < 50; i++)
            await node.SubmitAsync($"bulk{i}@example.com", stream: "bulk");
        for (var i = 0; i < 5; i++)
            await node.SubmitAsync($"urgent{i}@example.com");
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 55);
        // A permit may go to bulk in the moment before the first urgent mail is known.
        Assert.InRange(node["a"].Taken.ToList().FindLastIndex(address => address.StartsWith("urgent", StringComparison.Ordinal)), 4, 6);
    }

    [Fact]
    public async Task A_paused_tenant_waits_and_says_so_while_others_are_sent()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var scope = new PauseScope(new TenantId(2), null, null);
        node.Router.Pauses.Add(new Pause(scope, node.Clock.GetUtcNow(), null));
        var paused = await node.SubmitAsync("paused@example.com", tenant: 2);
        await node.SubmitAsync("other@example.com", tenant: 1);
        await node.UntilAsync(() => node["a"].Taken.Contains("other@example.com"));
        Assert.DoesNotContain(node.Queue.Leases, l => l.Key.Tenant.Value == 2);
        Assert.Equal(new Waiting(WaitReason.Paused, "sending is paused"), node.Waits.WaitingFor(Key(tenant: 2)));

        node.Router.Pauses.Remove(scope);
        await node.UntilAsync(() => node["a"].Taken.Contains("paused@example.com"));
        await node.UntilAsync(async () => (await node.GetAsync(paused, tenant: 2)).Recipients[0].State == RecipientState.Sent);
    }

    [Fact]
    public async Task Mails_of_one_ordering_key_go_one_after_the_other_without_waiting_for_a_poll()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x",
            options: new DeliveryOptions { SafetyPoll = TimeSpan.FromMinutes(5) });
        node.Transport("a").Pause();
        for (var i = 0; i < 10; i++)
            await node.SubmitAsync(DeliveringNode.Mail with { To = [new AddressText($"r{i}@example.com")], OrderingKey = "k" });
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 10, within: TimeSpan.FromSeconds(30));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"r{i}@example.com"), node["a"].Taken);
    }

    [Fact]
    public async Task Mails_of_one_ordering_key_follow_each_other_though_they_go_by_other_streams()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x",
            options: new DeliveryOptions { SafetyPoll = TimeSpan.FromMinutes(5) });
        node.Transport("a").Pause();
        for (var i = 0; i < 6; i++)
            await node.SubmitAsync(DeliveringNode.Mail with
            {
                To = [new AddressText($"r{i}@example.com")],
                OrderingKey = "k",
                Stream = i % 2 == 0 ? "bulk" : "transactional",
            });
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 6, within: TimeSpan.FromSeconds(60));
        Assert.Equal(Enumerable.Range(0, 6).Select(i => $"r{i}@example.com"), node["a"].Taken);
    }

    [Fact]
    public async Task Work_whose_time_came_while_nobody_signalled_it_is_found_by_the_poll()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        var first = await DeliveringNode.StartAsync("a=script://x", folder: folder);
        first.Transport("a").Pause();
        for (var i = 0; i < 20; i++)
            await first.SubmitAsync($"r{i}@example.com");
        await first.DisposeAsync();

        await using var second = await DeliveringNode.StartAsync("a=script://x", folder: folder, incarnation: 2);
        await second.UntilAsync(() => second["a"].Taken.Count() == 20, within: TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task An_outcome_waits_in_memory_until_the_store_is_back()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        var answer = new TaskCompletionSource();
        node["a"].Answer = async (envelope, _) =>
        {
            await answer.Task;
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);
        node.Queue.IsAway = true;
        answer.SetResult();
        await node.UntilAsync(() => Volatile.Read(ref node.Queue.TurnedAway) >= 5, step: TimeSpan.FromMilliseconds(100));
        Assert.Equal(1, node.Transport("a").GetStatus().InFlight); // its slot is not free: that bounds duplicates

        node.Queue.IsAway = false;
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, within: TimeSpan.FromMinutes(1),
            step: TimeSpan.FromMilliseconds(100));
        Assert.Single(node["a"].Asked);
    }

    [Fact]
    public async Task A_drain_lets_what_runs_finish_and_leaves_the_rest_in_the_queue()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        var node = await DeliveringNode.StartAsync("a=script://x?concurrency=3", folder: folder);
        await node.KnowAsync("a");
        var answer = new TaskCompletionSource();
        node["a"].Answer = async (envelope, _) =>
        {
            await answer.Task;
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        for (var i = 0; i < 10; i++)
            await node.SubmitAsync($"r{i}@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 4);

        var draining = node.DrainAsync();
        await node.SubmitAsync("late@example.com");
        Assert.False(draining.IsCompleted);
        answer.SetResult();
        await draining;

        var counts = await node.CountAsync();
        Assert.Equal((4, 8, 0), (counts.Sent, counts.Queued, counts.Leased));
        await node.DisposeAsync();
    }

    [Fact]
    public async Task The_end_of_patience_cuts_what_runs_and_records_it_as_unknown()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node["a"].NeverAnswer();
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);
        var draining = node.DrainAsync();
        await node.UntilAsync(() => draining.IsCompleted, within: TimeSpan.FromSeconds(120), step: TimeSpan.FromSeconds(1));
        Assert.Equal([RecipientState.Unknown], await node.StatesAsync(id));
    }

    [Fact]
    public async Task A_second_signal_is_now()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node["a"].NeverAnswer();
        var id = await node.SubmitAsync("ann@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 1);
        using var second = new CancellationTokenSource();
        var draining = node.DrainAsync(second.Token);
        Assert.False(draining.IsCompleted);
        await second.CancelAsync();
        await draining; // the clock has not moved
        Assert.Equal([RecipientState.Unknown], await node.StatesAsync(id));
    }

    [Fact]
    public async Task A_mail_in_hand_at_a_crash_is_queued_again_at_once_and_says_possible_duplicate()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        var first = await DeliveringNode.StartAsync("a=script://x b=script://y", folder: folder);
        first["a"].NeverAnswer();
        var id = await first.SubmitAsync("ann@example.com");
        await first.UntilAsync(() => first["a"].Asked.Count == 1);
        await first.CrashAsync();

        await using var second = await DeliveringNode.StartAsync("a=script://x b=script://y", folder: folder, incarnation: 2);
        await second.UntilAsync(async () => (await second.StatesAsync(id))[0] == RecipientState.Sent, within: TimeSpan.FromSeconds(2));
        var view = await second.GetAsync(id);
        Assert.Equal(2, view.Recipients[0].Tries);
        Assert.Contains(view.Events, e => e.Remark?.Contains("possible duplicate", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task A_mail_that_was_in_hand_at_three_crashes_is_attempted_alone_and_held_when_the_process_dies_of_it()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        MessageId? poison = null;
        for (var start = 1; start <= 4; start++)
        {
            var node = new DeliveringNode("a=script://x", ClockOf(start), folder: folder, incarnation: start);
            node["a"].NeverAnswer();
            await node.StartAsync();
            if (start == 1)
                poison = await node.SubmitAsync("poison@example.com");
            await node.UntilAsync(() => node["a"].Asked.Any(s => s.Message == poison), within: TimeSpan.FromMinutes(1),
                step: TimeSpan.FromMilliseconds(50));
            Assert.Equal(start == 4, node.Queue.Leases.Any(l => l is { Alone: true, Leased: 1 }));
            if (start == 4)
            {
                // Nothing else starts beside it, until it has had its time.
                var asked = node["a"].Asked.Count;
                await node.SubmitAsync("other@example.com");
                await node.UntilAsync(() => node.Manual.GetTimestamp() >= TimeSpan.FromSeconds(25).Ticks,
                    step: TimeSpan.FromMilliseconds(500));
                Assert.Equal((asked, 1), (node["a"].Asked.Count, node.Dispatcher.InFlight));
            }
            await node.CrashAsync();
        }
        await using var last = await DeliveringNode.StartAsync("a=script://x", ClockOf(5), folder: folder, incarnation: 5);
        var held = (await last.GetAsync(poison!.Value)).Recipients[0];
        Assert.Equal((RecipientState.Held, HeldReason.Poison), (held.State, held.HeldReason));
    }

    [Fact]
    public async Task A_suspect_waits_until_nothing_else_is_under_way()
    {
        var folder = await DieThreeTimesAsync();
        await using var node = new DeliveringNode("a=script://x", ClockOf(4), folder: folder, incarnation: 4);
        node.Transport("a").Pause();
        await node.StartAsync();
        var together = 0;
        var most = 0;
        node["a"].Answer = async (envelope, _) =>
        {
            var now = Interlocked.Increment(ref together);
            if (envelope.Recipients[0].Mailbox.Address.LocalPart == "suspect")
                most = now;
            await Task.Yield();
            Interlocked.Decrement(ref together);
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        for (var i = 0; i < 30; i++)
            await node.SubmitAsync($"other{i}@example.com");
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 31, within: TimeSpan.FromMinutes(1), step: TimeSpan.FromMilliseconds(20));
        Assert.Equal(1, most);
    }

    [Fact]
    public async Task A_suspect_is_not_kept_for_ever_by_a_relay_that_takes_its_time()
    {
        var folder = await DieThreeTimesAsync();
        await using var node = new DeliveringNode("a=script://x?concurrency=5&stall=off", ClockOf(4), folder: folder, incarnation: 4);
        var asked = 0;
        node["a"].Answer = async (envelope, ct) =>
        {
            // So that something is always under way.
            await Task.Delay(TimeSpan.FromSeconds(8 + Interlocked.Increment(ref asked) % 7), node.Clock, ct);
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        for (var i = 0; i < 500; i++)
            await node.SubmitAsync($"other{i}@example.com", stream: "bulk");
        var pause = new PauseScope(null, MailStream.Transactional, null); // of the suspect, until the others are under way
        node.Router.Pauses.Add(new Pause(pause, node.Clock.GetUtcNow(), null));
        await node.StartAsync();
        await node.UntilAsync(() => node["a"].Asked.Count >= 3);
        node.Router.Pauses.Remove(pause);
        await node.UntilAsync(() => node["a"].Taken.Contains("suspect@example.com"), within: TimeSpan.FromMinutes(8),
            step: TimeSpan.FromMilliseconds(500));
        Assert.InRange(node["a"].Taken.Count(), 5, 400);
        node["a"].AnswerAll(ScriptedProvider.Accepted);
    }

    /// <summary>The folder of a node that was killed three times with the same envelope in its hands.</summary>
    static async Task<string> DieThreeTimesAsync()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        for (var start = 1; start <= 3; start++)
        {
            var dying = new DeliveringNode("a=script://x", ClockOf(start), folder: folder, incarnation: start);
            dying["a"].NeverAnswer();
            await dying.StartAsync();
            if (start == 1)
                await dying.SubmitAsync("suspect@example.com");
            await dying.UntilAsync(() => dying["a"].Asked.Count == 1, within: TimeSpan.FromMinutes(1), step: TimeSpan.FromMilliseconds(50));
            await dying.CrashAsync();
        }
        return folder;
    }

    static ManualClock ClockOf(int start) => new(Leases.Now.AddMinutes(start));

    [Fact]
    public async Task A_jump_of_the_wall_clock_expires_nothing_and_stops_no_delivery_while_it_is_not_believed()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node.Transport("a").Pause();
        var waiting = await node.SubmitAsync(DeliveringNode.Mail with { Stream = "bulk" });
        node.Router.Pauses.Add(new Pause(new PauseScope(null, MailStream.Bulk, null), node.Clock.GetUtcNow(), null));
        var id = await node.SubmitAsync("ann@example.com");
        node.Manual.WallOffset = TimeSpan.FromDays(400);
        node.Transport("a").Resume(); // the lease statement would expire it too
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Sent, within: TimeSpan.FromSeconds(1));
        await node.UntilAsync(() => node.Manual.GetTimestamp() >= TimeSpan.FromMilliseconds(1_900).Ticks,
            step: TimeSpan.FromMilliseconds(50));
        Assert.Equal(0, (await node.CountAsync()).Expired);
        // Two ticks agree with it: it is the time.
        await node.UntilAsync(async () => (await node.StatesAsync(waiting))[0] == RecipientState.Expired, within: TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Mail_whose_time_is_up_expires()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        node.Transport("a").Pause();
        var id = await node.SubmitAsync(DeliveringNode.Mail with { ExpiresIn = "1h" });
        await node.UntilAsync(async () => (await node.StatesAsync(id))[0] == RecipientState.Expired, within: TimeSpan.FromMinutes(61),
            step: TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task A_route_with_a_little_mail_does_not_wait_for_one_with_much_at_the_same_transport()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x?concurrency=1", routing: options =>
        {
            options.Routes["much"] = new RouteOptions { Transports = "a" };
            options.Routes["little"] = new RouteOptions { Transports = "a" };
        });
        node.Transport("a").Pause();
        for (var i = 0; i < 100; i++)
            await node.SubmitAsync(DeliveringNode.Mail with { To = [new AddressText($"much{i}@example.com")], Route = "much" });
        for (var i = 0; i < 3; i++)
            await node.SubmitAsync(DeliveringNode.Mail with { To = [new AddressText($"little{i}@example.com")], Route = "little" });
        node.Transport("a").Resume();
        await node.UntilAsync(() => node["a"].Taken.Count() == 103);
        Assert.InRange(node["a"].Taken.ToList().FindLastIndex(address => address.StartsWith("little", StringComparison.Ordinal)), 0, 8);
    }

    [Fact]
    public async Task A_store_that_failed_for_good_ends_the_drain_at_once_and_cuts_what_runs()
    {
        await using var node = await DeliveringNode.StartAsync("a=script://x");
        await node.KnowAsync("a");
        node["a"].NeverAnswer();
        await node.SubmitAsync("silent@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 2);
        var answer = new TaskCompletionSource();
        node["a"].Answer = async (envelope, _) =>
        {
            await answer.Task;
            return ScriptedProvider.All(envelope, ScriptedProvider.Accepted);
        };
        await node.SubmitAsync("answered@example.com");
        await node.UntilAsync(() => node["a"].Asked.Count == 3);
        node.Queue.IsGone = true;
        answer.SetResult();
        var before = node.Clock.GetUtcNow();
        var drained = node.DrainAsync();
        await drained.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Equal(before, node.Clock.GetUtcNow()); // nobody's patience was needed
    }
}
