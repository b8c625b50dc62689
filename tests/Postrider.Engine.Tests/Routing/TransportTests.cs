using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;
using static Postrider.Engine.Tests.Routing.Transports;

namespace Postrider.Engine.Tests.Routing;

public sealed class TransportTests
{
    readonly ManualClock _clock = new();

    static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(5, 4)]
    [InlineData(9, 8)]
    [InlineData(10, 8)]
    [InlineData(100, 80)]
    public void Bulk_leaves_a_fifth_of_the_slots_to_transactional(int concurrency, int bulk)
    {
        var transport = _clock.Transport($"concurrency={concurrency}");
        var taken = 0;
        while (transport.TryTake(MailStream.Bulk) is not null)
            taken++;
        Assert.Equal(bulk, taken);
        while (transport.TryTake(MailStream.Transactional) is not null)
            taken++;
        Assert.Equal(concurrency, taken);
        Assert.Equal(WaitCause.Busy, transport.WhyNot(MailStream.Transactional).Cause);
    }

    [Fact]
    public void A_slot_is_free_again_when_the_permit_is_disposed_and_not_when_it_reports()
    {
        var transport = _clock.Transport("concurrency=1");
        var permit = transport.TryTake(MailStream.Bulk)!;
        permit.Charge(1);
        permit.Report(Outcome(OutcomeKind.Accepted));
        Assert.Null(transport.TryTake(MailStream.Transactional));

        var came = 0;
        transport.CapacityCame += _ => came++;
        permit.Dispose();
        permit.Dispose();
        Assert.Equal(1, came);
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
        Assert.Null(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void The_rate_counts_recipients_and_tells_when_there_is_room_again()
    {
        var transport = _clock.Transport("rate=10/s");
        using (var permit = transport.TryTake(MailStream.Transactional)!)
            Assert.Equal(TimeSpan.Zero, permit.Charge(5));
        var wait = transport.WhyNot(MailStream.Transactional);
        Assert.Equal(WaitCause.RateLimited, wait.Cause);
        Assert.Equal(Seconds(0.5), wait.Remaining);
        Assert.Equal(_clock.GetUtcNow() + Seconds(0.5), wait.Until);
        _clock.Advance(Seconds(0.5));
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void Permits_that_were_not_used_cost_no_rate()
    {
        var transport = _clock.Transport("rate=1/h");
        for (var i = 0; i < 100; i++)
            transport.TryTake(MailStream.Bulk)!.Dispose();
        transport.Attempt(OutcomeKind.Accepted);
        Assert.Null(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void Of_the_burst_bulk_leaves_a_fifth_to_transactional()
    {
        var transport = _clock.Transport("rate=100/s,10&concurrency=100");
        int Take(MailStream stream)
        {
            var taken = 0;
            while (transport.TryTake(stream) is { } permit && permit.Charge(1) == TimeSpan.Zero)
                taken++;
            return taken;
        }
        Assert.Equal(8, Take(MailStream.Bulk));
        Assert.Equal(2, Take(MailStream.Transactional));
    }

    [Fact]
    public void Permits_that_wait_behind_a_large_envelope_are_told_how_long()
    {
        var transport = _clock.Transport("rate=10/s,2");
        using var large = transport.TryTake(MailStream.Transactional)!;
        using var small = transport.TryTake(MailStream.Transactional)!;
        Assert.Equal(TimeSpan.Zero, large.Charge(21));
        Assert.Equal(Seconds(2), small.Charge(1));
        _clock.Advance(Seconds(2));
        Assert.Equal(TimeSpan.Zero, small.Charge(1));
    }

    [Fact]
    public void A_second_try_asks_the_limiter_again()
    {
        var transport = _clock.Transport("rate=10/s");
        using var permit = transport.TryTake(MailStream.Transactional)!;
        permit.Charge(1);
        permit.Report(Outcome(OutcomeKind.Unreachable));
        Assert.Equal(Seconds(0.1), permit.Charge(1));
        _clock.Advance(Seconds(0.1));
        Assert.Equal(TimeSpan.Zero, permit.Charge(1));
    }

    [Fact]
    public void A_throttling_provider_is_left_alone_for_as_long_as_it_asks()
    {
        var transport = _clock.Transport();
        var waiting = transport.TryTake(MailStream.Transactional)!;
        transport.Attempt(OutcomeKind.Throttled, retryAfter: Seconds(90));
        Assert.Equal(Seconds(90), waiting.Charge(1));
        waiting.Dispose();
        Assert.Null(transport.TryTake(MailStream.Transactional));
        Assert.Equal(WaitCause.Throttled, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.Equal(_clock.GetUtcNow() + Seconds(90), transport.GetStatus().ThrottledUntil);
        Assert.True(transport.IsHealthy);
        _clock.Advance(Seconds(90));
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void Throttling_never_opens_the_circuit()
    {
        var transport = _clock.Transport();
        for (var i = 0; i < 50; i++)
        {
            transport.Attempt(OutcomeKind.Throttled);
            _clock.Advance(transport.WhyNot(MailStream.Transactional).Remaining!.Value);
        }
        Assert.Equal(CircuitPosition.Closed, transport.GetStatus().Circuit);
    }

    [Fact]
    public void Failures_open_the_circuit_and_one_probe_brings_traffic_back()
    {
        var transport = _clock.Transport();
        var changes = new List<TransportChangeKind>();
        transport.Changed += change => changes.Add(change.Kind);
        transport.OpenCircuit();
        Assert.Equal(WaitCause.CircuitOpen, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.False(transport.IsHealthy);
        _clock.Advance(transport.WhyNot(MailStream.Transactional).Remaining!.Value);

        var probe = transport.TryTake(MailStream.Bulk)!;
        Assert.True(probe.IsProbe);
        Assert.Null(transport.TryTake(MailStream.Transactional));
        Assert.Equal(WaitCause.Probing, transport.WhyNot(MailStream.Transactional).Cause);
        probe.Charge(1);
        probe.Report(Outcome(OutcomeKind.Accepted));
        Assert.False(transport.TryTake(MailStream.Transactional)!.IsProbe);
        Assert.Equal([TransportChangeKind.CircuitOpened, TransportChangeKind.CircuitHalfOpen, TransportChangeKind.CircuitClosed], changes);
    }

    [Fact]
    public void A_probe_that_was_never_sent_makes_room_for_another()
    {
        var transport = _clock.Transport();
        transport.OpenCircuit();
        _clock.Advance(Seconds(5));
        transport.TryTake(MailStream.Transactional)!.Dispose();
        Assert.True(transport.TryTake(MailStream.Transactional)!.IsProbe);
    }

    [Fact]
    public void A_probe_that_outlived_its_break_has_no_say_in_the_next_one()
    {
        var transport = _clock.Transport("stall=off");
        transport.OpenCircuit();
        _clock.Advance(Seconds(5));
        var old = transport.TryTake(MailStream.Transactional)!;
        old.Charge(1);
        transport.Reset();
        transport.OpenCircuit();
        _clock.Advance(Seconds(60));
        var probe = transport.TryTake(MailStream.Transactional)!;
        Assert.True(probe.IsProbe);
        old.Report(Outcome(OutcomeKind.Accepted));
        Assert.Equal(CircuitPosition.HalfOpen, transport.GetStatus().Circuit);
        old.Dispose();
        Assert.Equal(WaitCause.Probing, transport.WhyNot(MailStream.Transactional).Cause);
    }

    [Fact]
    public void Permits_taken_before_the_circuit_opened_send_nothing_after_it()
    {
        var transport = _clock.Transport();
        using var late = transport.TryTake(MailStream.Transactional)!;
        transport.OpenCircuit();
        Assert.Null(late.Charge(1));
        late.Dispose();
        Assert.Equal(0, transport.GetStatus().InFlight);
    }

    [Theory]
    [InlineData(OutcomeKind.Accepted)]
    [InlineData(OutcomeKind.Deferred)]
    [InlineData(OutcomeKind.Rejected)]
    [InlineData(OutcomeKind.Unfit)]
    [InlineData(OutcomeKind.Refused)]
    public void What_is_not_the_transports_fault_leaves_the_circuit_closed(OutcomeKind kind)
    {
        var transport = _clock.Transport();
        transport.Attempts(100, kind);
        Assert.True(transport.IsHealthy);
    }

    [Theory]
    [InlineData(OutcomeKind.Unreachable)]
    [InlineData(OutcomeKind.Unknown)]
    public void What_is_its_fault_opens_it(OutcomeKind kind)
    {
        var transport = _clock.Transport("circuit=3,30s,5s");
        transport.Attempts(3, kind);
        Assert.False(transport.IsHealthy);
    }

    [Fact]
    public void A_refused_account_opens_the_circuit_at_once()
    {
        var transport = _clock.Transport();
        transport.Attempt(OutcomeKind.Refused, OutcomeScope.Transport);
        Assert.Equal(_clock.GetUtcNow() + TimeSpan.FromMinutes(1), transport.GetStatus().CircuitOpenUntil);
    }

    [Fact]
    public void One_cut_connection_is_one_failure_however_many_recipients_it_had()
    {
        var transport = _clock.Transport();
        using var permit = transport.TryTake(MailStream.Transactional)!;
        permit.Charge(50);
        permit.Report([.. Enumerable.Repeat(Outcome(OutcomeKind.Unknown), 50)]);
        Assert.True(transport.IsHealthy);
        Assert.Equal(50, transport.GetStatus().Outcomes[OutcomeKind.Unknown]);
        Assert.Equal(1, transport.GetStatus().Tries);
    }

    [Fact]
    public void A_circuit_that_is_off_never_opens()
    {
        var transport = _clock.Transport("circuit=off");
        transport.Attempts(100, OutcomeKind.Unreachable);
        transport.Attempt(OutcomeKind.Refused, OutcomeScope.Transport);
        Assert.True(transport.IsHealthy);
    }

    [Fact]
    public void A_refused_sender_domain_is_closed_for_an_hour_and_no_other()
    {
        var transport = _clock.Transport();
        transport.Attempt(OutcomeKind.Refused, OutcomeScope.SenderDomain, senderDomain: "shop.example");
        Assert.True(transport.IsHealthy);
        Assert.False(transport.TakesSenderDomain("Shop.Example"));
        Assert.True(transport.TakesSenderDomain("other.example"));
        Assert.Null(transport.TryTake(MailStream.Transactional)!.Charge(1, "shop.example"));
        Assert.Equal(TimeSpan.Zero, transport.TryTake(MailStream.Transactional)!.Charge(1, "other.example"));
        Assert.Equal(["shop.example"], transport.GetStatus().RefusedSenderDomains.Keys);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.True(transport.TakesSenderDomain("shop.example"));
    }

    [Fact]
    public void A_reset_forgets_circuit_waits_and_refused_domains()
    {
        var transport = _clock.Transport();
        transport.Attempt(OutcomeKind.Refused, OutcomeScope.SenderDomain, senderDomain: "shop.example");
        transport.Attempt(OutcomeKind.Throttled, retryAfter: Seconds(60));
        transport.Reset();
        transport.Attempt(OutcomeKind.Refused, OutcomeScope.Transport);
        transport.Reset();
        Assert.Equal(WaitCause.None, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.True(transport.TakesSenderDomain("shop.example"));
    }

    [Fact]
    public void A_paused_transport_starts_nothing_until_resumed()
    {
        var transport = _clock.Transport();
        var taken = transport.TryTake(MailStream.Transactional)!;
        transport.Pause();
        Assert.Null(taken.Charge(1));
        taken.Dispose();
        Assert.Null(transport.TryTake(MailStream.Transactional));
        Assert.Equal(WaitReason.Paused, transport.WhyNot(MailStream.Transactional).Reason);
        var came = 0;
        transport.CapacityCame += _ => came++;
        transport.Resume();
        Assert.Equal(1, came);
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void After_a_result_that_says_nothing_attempts_go_one_at_a_time_until_there_is_an_answer()
    {
        var transport = new ManualClock().Transport("concurrency=3&circuit=off", known: false);
        transport.Attempts(1, OutcomeKind.Accepted);
        transport.Attempts(1, OutcomeKind.Unknown);
        using (var next = transport.TryTake(MailStream.Transactional)!)
        {
            Assert.Equal(WaitCause.Unproven, transport.WhyNot(MailStream.Transactional).Cause);
            next.Charge(1);
            next.Report(Transports.Outcome(OutcomeKind.Rejected));
        }
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
    }

    [Theory]
    [InlineData(OutcomeKind.Accepted)]
    [InlineData(OutcomeKind.Unreachable)]
    public void Before_its_first_result_a_transport_takes_one_attempt_at_a_time(OutcomeKind kind)
    {
        var clock = new ManualClock();
        var transport = clock.Transport("concurrency=3", known: false);
        var told = 0;
        transport.CapacityCame += _ => told++;
        var first = transport.TryTake(MailStream.Transactional)!;
        first.Charge(1);
        Assert.Equal(WaitCause.Unproven, transport.WhyNot(MailStream.Transactional).Cause);
        first.Report(Transports.Outcome(kind));
        Assert.Equal(1, told); // though its slot is not free yet
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
        Assert.Null(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void An_unanswered_attempt_stalls_the_transport_after_thirty_seconds_until_something_completes()
    {
        var transport = _clock.Transport();
        var hung = transport.TryTake(MailStream.Transactional)!;
        hung.Charge(1);
        var waiting = transport.TryTake(MailStream.Transactional)!;
        _clock.Advance(Seconds(29.9));
        Assert.True(transport.IsHealthy);
        _clock.Advance(Seconds(0.1));
        Assert.Equal(WaitCause.Stalled, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.True(transport.GetStatus().Stalled);
        Assert.Null(waiting.Charge(1));
        _clock.Advance(TimeSpan.FromMinutes(9));
        Assert.Null(transport.TryTake(MailStream.Transactional));

        hung.Report(Outcome(OutcomeKind.Accepted));
        Assert.NotNull(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void While_others_complete_a_hung_attempt_stalls_nothing()
    {
        var transport = _clock.Transport();
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        for (var i = 0; i < 20; i++)
        {
            _clock.Advance(Seconds(20));
            transport.Attempt(OutcomeKind.Accepted);
        }
        Assert.True(transport.IsHealthy);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.True(transport.IsHealthy); // something completed since the hung one began
    }

    [Fact]
    public void Of_several_that_hang_after_a_completion_the_first_stalls_it()
    {
        var transport = _clock.Transport();
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        _clock.Advance(Seconds(5));
        transport.Attempt(OutcomeKind.Accepted);
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        _clock.Advance(Seconds(20));
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        _clock.Advance(Seconds(9));
        Assert.True(transport.IsHealthy);
        _clock.Advance(Seconds(1));
        Assert.False(transport.IsHealthy);
    }

    [Fact]
    public void A_stall_that_ends_in_a_failure_opens_the_circuit_so_that_one_probe_goes_first()
    {
        var transport = _clock.Transport();
        var hung = transport.TryTake(MailStream.Transactional)!;
        hung.Charge(1);
        _clock.Advance(TimeSpan.FromMinutes(10));
        hung.Report(Outcome(OutcomeKind.Unknown));
        hung.Dispose();
        Assert.Equal(WaitCause.CircuitOpen, transport.WhyNot(MailStream.Transactional).Cause);
        _clock.Advance(Seconds(5));
        Assert.True(transport.TryTake(MailStream.Transactional)!.IsProbe);
        Assert.Null(transport.TryTake(MailStream.Transactional));
    }

    [Fact]
    public void A_stall_and_its_end_are_told_once()
    {
        var transport = _clock.Transport();
        var changes = new List<TransportChangeKind>();
        transport.Changed += change => changes.Add(change.Kind);
        var hung = transport.TryTake(MailStream.Transactional)!;
        hung.Charge(1);
        _clock.Advance(Seconds(40));
        for (var i = 0; i < 3; i++)
            transport.TryTake(MailStream.Transactional);
        hung.Report(Outcome(OutcomeKind.Accepted));
        Assert.Equal([TransportChangeKind.Stalled, TransportChangeKind.Recovered], changes);
    }

    [Fact]
    public void Who_waits_for_a_slot_is_told_when_the_transport_would_stall()
    {
        var transport = _clock.Transport("concurrency=1");
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        _clock.Advance(Seconds(10));
        Assert.Equal(Seconds(20), transport.WhyNot(MailStream.Transactional).Remaining);
    }

    [Fact]
    public void A_wall_clock_that_is_set_moves_neither_break_nor_rate_nor_stall()
    {
        var transport = _clock.Transport("rate=1/s");
        transport.TryTake(MailStream.Transactional)!.Charge(1);
        _clock.WallOffset = TimeSpan.FromDays(365);
        Assert.Equal(WaitCause.RateLimited, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.Equal(Seconds(1), transport.WhyNot(MailStream.Transactional).Remaining);
        _clock.WallOffset = TimeSpan.FromDays(-365);
        _clock.Advance(Seconds(1));
        Assert.Equal(WaitCause.None, transport.WhyNot(MailStream.Transactional).Cause);
        Assert.False(transport.GetStatus().Stalled);
    }

    [Fact]
    public void The_last_errors_are_kept_newest_first_and_few()
    {
        var transport = _clock.Transport("circuit=off");
        for (var code = 1; code <= 8; code++)
        {
            using var permit = transport.TryTake(MailStream.Transactional)!;
            permit.Charge(1);
            permit.Report(new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport, new Reply(code, null, "down")));
        }
        transport.Attempt(OutcomeKind.Accepted);
        transport.Attempt(OutcomeKind.Rejected);
        Assert.Equal([8, 7, 6, 5, 4], transport.GetStatus().LastErrors.Select(error => error.Reply.Code));
    }

    [Fact]
    public void Slots_and_reservations_are_exact_under_many_threads()
    {
        var transport = _clock.Transport("concurrency=7&circuit=off&rate=1000000/s,1000000");
        var (most, now) = (0, 0);
        Parallel.For(0, 20_000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, i =>
        {
            if (transport.TryTake(i % 2 == 0 ? MailStream.Bulk : MailStream.Transactional) is not { } permit)
                return;
            using (permit)
            {
                InterlockedMax(ref most, Interlocked.Increment(ref now));
                if (i % 3 != 0 && permit.Charge(1) == TimeSpan.Zero && i % 5 != 0)
                    permit.Report(Outcome((OutcomeKind)(i % 4)));
                Interlocked.Decrement(ref now);
            }
        });
        Assert.InRange(most, 1, 7);
        Assert.Equal(0, transport.GetStatus().InFlight);
        for (var i = 0; i < 7; i++)
            Assert.NotNull(transport.TryTake(MailStream.Transactional));
        Assert.Null(transport.TryTake(MailStream.Transactional));
    }

    static void InterlockedMax(ref int target, int value)
    {
        int seen;
        while ((seen = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, seen) != seen) { }
    }
}
