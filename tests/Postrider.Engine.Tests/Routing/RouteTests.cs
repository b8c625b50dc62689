using FsCheck;
using FsCheck.Fluent;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;
using static Postrider.Engine.Tests.Routing.Transports;

namespace Postrider.Engine.Tests.Routing;

public sealed class RouteTests
{
    readonly ManualClock _clock = new();

    static Route Route(RouteStrategy strategy, params Transport[] transports) =>
        new(new RouteSettings { Name = "r", Strategy = strategy }, transports);

    Transport New(string name, string options = "concurrency=100") => _clock.Transport(options, name);

    /// <summary>Where the next permits would go, each used and given back at once.</summary>
    static string Names(Route route, int count) => string.Concat(Enumerable.Range(0, count).Select(_ =>
    {
        using var permit = route.TakeFor(default, MailStream.Transactional);
        return permit?.Transport.Name ?? "-";
    }));

    [Fact]
    public void Priority_uses_the_first_while_it_is_healthy()
    {
        var (a, b) = (New("a"), New("b"));
        var route = Route(RouteStrategy.Priority, a, b);
        Assert.Equal("aaaa", Names(route, 4));
        a.OpenCircuit();
        Assert.Equal("bbbb", Names(route, 4));
        b.Pause();
        Assert.Equal("-", Names(route, 1));
    }

    [Theory]
    [InlineData(RouteStrategy.Priority)]
    [InlineData(RouteStrategy.Sticky)]
    [InlineData(RouteStrategy.RoundRobin)]
    [InlineData(RouteStrategy.Weighted)]
    public void A_permit_tells_who_was_passed_over_and_why(RouteStrategy strategy)
    {
        var (a, b, c) = (New("a"), New("b"), New("c"));
        var route = Route(strategy, a, b, c);
        using (var first = route.TakeFor(default, MailStream.Bulk)!)
            Assert.Equal(("a", 0), (first.Transport.Name, first.PassedOver.Count));
        a.OpenCircuit();
        c.OpenCircuit();
        b.Pause();
        Assert.Null(route.TakeFor(default, MailStream.Bulk));
        b.Resume();
        c.Reset();
        var needs = new EnvelopeNeeds { History = new TransportHistory { RefusedBy = ["b"] } };
        using var permit = route.TakeFor(needs, MailStream.Bulk)!;
        Assert.Equal("c", permit.Transport.Name);
        Assert.Contains(new PassedOver("b", PassReason.RefusedBefore), permit.PassedOver);
        if (strategy is RouteStrategy.Priority or RouteStrategy.Sticky) // else it was not its turn
            Assert.Contains(new PassedOver("a", PassReason.CircuitOpen), permit.PassedOver);
    }

    [Fact]
    public void Every_cause_of_a_wait_is_a_reason_to_be_passed_over() => Assert.All(
        Enum.GetValues<WaitCause>().Where(cause => cause != WaitCause.None),
        cause => Assert.Equal(cause.ToString(), ((PassReason)cause).ToString()));

    [Fact]
    public void Priority_sends_one_probe_through_the_first_and_the_rest_through_the_second()
    {
        var (a, b) = (New("a"), New("b"));
        a.OpenCircuit();
        _clock.Advance(TimeSpan.FromSeconds(5));
        var permits = Route(RouteStrategy.Priority, a, b).Take(MailStream.Bulk, 5);
        Assert.Equal("abbbb", string.Concat(permits.Select(permit => permit.Transport.Name)));
        Assert.True(permits[0].IsProbe);
    }

    [Theory]
    [InlineData(RouteStrategy.Priority, 3)]
    [InlineData(RouteStrategy.Sticky, 3)]
    [InlineData(RouteStrategy.RoundRobin, 7)]
    [InlineData(RouteStrategy.Weighted, 7)]
    public void Only_the_balancing_strategies_go_past_a_busy_transport(RouteStrategy strategy, int expected)
    {
        var route = Route(strategy, New("a", "concurrency=3"), New("b", "concurrency=4"));
        Assert.Equal(expected, route.Take(MailStream.Transactional, 100).Count);
        Assert.Equal(WaitCause.Busy, route.WhyNot(MailStream.Transactional).Cause);
    }

    [Fact]
    public void No_more_permits_are_taken_than_wanted()
    {
        var a = New("a");
        Assert.Equal(7, Route(RouteStrategy.Priority, a).Take(MailStream.Bulk, 7).Count);
        Assert.Equal(7, a.GetStatus().InFlight);
        Assert.Empty(Route(RouteStrategy.Priority, a).Take(MailStream.Bulk, 0));
    }

    [Fact]
    public void A_short_wait_for_the_limiter_is_waited_for_and_a_long_one_goes_to_the_next()
    {
        var (a, b) = (New("a", "rate=2/s"), New("b"));
        var route = Route(RouteStrategy.Priority, a, b);
        a.Attempt(OutcomeKind.Accepted);
        Assert.Equal("-", Names(route, 1));
        Assert.Equal(WaitCause.RateLimited, route.WhyNot(MailStream.Transactional).Cause);
        _clock.Advance(TimeSpan.FromSeconds(1));
        a.Attempt(OutcomeKind.Throttled, retryAfter: TimeSpan.FromSeconds(30));
        Assert.Equal("b", Names(route, 1));
        _clock.Advance(TimeSpan.FromSeconds(29));
        Assert.Equal("-", Names(route, 1));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("a", Names(route, 1));
    }

    [Fact]
    public void A_route_that_does_not_spill_waits_for_a_throttled_transport_however_long()
    {
        var (a, b) = (New("a"), New("b"));
        var route = new Route(new RouteSettings { Name = "r", SpillAfter = null }, [a, b]);
        a.Attempt(OutcomeKind.Throttled, retryAfter: TimeSpan.FromMinutes(30));
        Assert.Equal("-", Names(route, 1));
        a.Pause();
        Assert.Equal("b", Names(route, 1)); // a broken one is still passed over
    }

    [Fact]
    public void Sticky_stays_with_the_one_that_works_and_wraps_around()
    {
        var (a, b, c) = (New("a"), New("b"), New("c"));
        var route = Route(RouteStrategy.Sticky, a, b, c);
        Assert.Equal("aa", Names(route, 2));
        a.Pause();
        Assert.Equal("bb", Names(route, 2));
        a.Resume();
        Assert.Equal("bb", Names(route, 2));
        b.Pause();
        Assert.Equal("cc", Names(route, 2));
        c.Pause();
        Assert.Equal("aa", Names(route, 2));
    }

    [Fact]
    public void Sticky_does_not_move_for_one_envelope_that_is_excluded()
    {
        var route = Route(RouteStrategy.Sticky, New("a"), New("b"));
        var excluded = new EnvelopeNeeds { History = TransportHistory.Empty with { FailedThisRound = ["a"] } };
        Assert.Equal("b", route.TakeFor(excluded, MailStream.Transactional)!.Transport.Name);
        Assert.Equal("a", Names(route, 1));
    }

    [Fact]
    public void Sticky_does_not_move_for_a_spill()
    {
        var (a, b) = (New("a"), New("b"));
        var route = Route(RouteStrategy.Sticky, a, b);
        a.Attempt(OutcomeKind.Throttled, retryAfter: TimeSpan.FromSeconds(30));
        Assert.Equal("b", Names(route, 1));
        _clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal("a", Names(route, 1));
    }

    [Fact]
    public void Round_robin_takes_turns_among_the_healthy()
    {
        var (a, b, c) = (New("a"), New("b"), New("c"));
        var route = Route(RouteStrategy.RoundRobin, a, b, c);
        Assert.Equal("abcabc", Names(route, 6));
        b.Pause();
        Assert.Equal("acac", Names(route, 4));
        b.Resume();
        Assert.Equal("abcabc", Names(route, 6));
    }

    [Fact]
    public void Weighted_mixes_evenly_by_weight() =>
        // The sequence that nginx's documentation of the algorithm gives for 5, 1, 1.
        Assert.Equal("aabacaaaabacaa",
            Names(Route(RouteStrategy.Weighted, New("a", "weight=5"), New("b", "weight=1"), New("c", "weight=1")), 14));

    [Fact]
    public void Weighted_gives_no_flood_to_a_transport_that_comes_back()
    {
        var (a, b) = (New("a", "weight=3"), New("b", "weight=1"));
        var route = Route(RouteStrategy.Weighted, a, b);
        a.Pause();
        Assert.Equal(new string('b', 50), Names(route, 50));
        a.Resume();
        Assert.Equal(30, Names(route, 40).Count(name => name == 'a'));
    }

    [Fact]
    public void An_envelope_goes_only_where_it_may()
    {
        var small = _clock.Transport("", "small", new ProviderCapabilities { MaxMessageBytes = 1_000, SmtpUtf8 = true });
        var ascii = _clock.Transport("", "ascii", new ProviderCapabilities());
        var route = Route(RouteStrategy.Priority, small, ascii);
        Assert.Equal("small", Taken(new EnvelopeNeeds { Bytes = 1_000 }));
        Assert.Equal("ascii", Taken(new EnvelopeNeeds { Bytes = 1_001 }));
        Assert.Equal("ascii", Taken(new EnvelopeNeeds { History = TransportHistory.Empty with { RefusedBy = ["small"] } }));
        Assert.Equal("ascii", Taken(new EnvelopeNeeds { History = TransportHistory.Empty with { PinnedTo = "ascii" } }));
        var none = new EnvelopeNeeds { Bytes = 1_001, SmtpUtf8 = true };
        Assert.Null(Taken(none));
        Assert.False(route.HasAnyFor(none));
        Assert.Equal(new WaitInfo(WaitCause.NotEligible, null, null, null), route.WhyNot(none, MailStream.Bulk));

        string? Taken(EnvelopeNeeds needs)
        {
            using var permit = route.TakeFor(needs, MailStream.Bulk);
            Assert.Equal(permit is not null, route.HasAnyFor(needs));
            return permit?.Transport.Name;
        }
    }

    [Fact]
    public void A_transport_that_is_set_up_for_other_senders_is_passed_over()
    {
        var route = new Route(new RouteSettings { Name = "r" }, [_clock.Transport("from=shop.example", "a"), _clock.Transport("", "b")]);
        foreach (var (domain, transport) in new[] { ("shop.example", "a"), ("other.example", "b") })
        {
            using var permit = route.TakeFor(new EnvelopeNeeds { SenderDomain = domain }, MailStream.Transactional)!;
            Assert.Equal(transport, permit.Transport.Name);
        }
        var only = new Route(new RouteSettings { Name = "r" }, [_clock.Transport("from=shop.example", "c")]);
        Assert.False(only.HasAnyFor(new EnvelopeNeeds { SenderDomain = "other.example" }));
        Assert.Null(only.TakeFor(new EnvelopeNeeds { SenderDomain = "other.example" }, MailStream.Transactional));
    }

    [Fact]
    public void An_envelope_goes_past_a_transport_that_refuses_its_senders_domain()
    {
        var (a, b) = (New("a"), New("b"));
        var route = Route(RouteStrategy.Priority, a, b);
        a.Attempt(OutcomeKind.Refused, OutcomeScope.SenderDomain, senderDomain: "shop.example");
        var needs = new EnvelopeNeeds { SenderDomain = "shop.example" };
        Assert.Equal("b", route.TakeFor(needs, MailStream.Bulk)!.Transport.Name);
        using var permit = route.TakeFor(new EnvelopeNeeds { SenderDomain = "other.example" }, MailStream.Bulk)!;
        Assert.Equal("a", permit.Transport.Name);
        Assert.False(Postrider.Routing.Route.Fits(permit, needs));
        Assert.True(Postrider.Routing.Route.Fits(permit, default));
    }

    [Fact]
    public void The_reason_told_is_of_the_transport_that_is_free_the_soonest()
    {
        var (a, b) = (New("a"), New("b"));
        var route = Route(RouteStrategy.Priority, a, b);
        a.Pause();
        b.OpenCircuit();
        var wait = route.WhyNot(MailStream.Transactional);
        Assert.Equal((WaitCause.CircuitOpen, "b", TimeSpan.FromSeconds(5)), (wait.Cause, wait.Transport, wait.Remaining));
        Assert.Equal("b failed too often (until 2026-01-01T00:00:05Z)", wait.Describe());
    }

    [Theory]
    [InlineData(RouteStrategy.Priority)]
    [InlineData(RouteStrategy.Sticky)]
    [InlineData(RouteStrategy.RoundRobin)]
    [InlineData(RouteStrategy.Weighted)]
    public void A_reason_is_told_exactly_when_there_is_no_permit(RouteStrategy strategy)
    {
        var choices = from a in Gen.Choose(0, 6) from b in Gen.Choose(0, 6) from spill in Gen.Elements(true, false) select (a, b, spill);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(300), Prop.ForAll(choices.ToArbitrary(), choice =>
        {
            Transport[] transports = [InTrouble("a", choice.a), InTrouble("b", choice.b)];
            TimeSpan? spill = choice.spill ? TimeSpan.FromSeconds(1) : null;
            var route = new Route(new RouteSettings { Name = "r", Strategy = strategy, SpillAfter = spill }, transports);
            var wait = route.WhyNot(MailStream.Bulk);
            using var permit = route.TakeFor(default, MailStream.Bulk);
            return (permit is not null) == (wait.Cause == WaitCause.None);
        }));
    }

    Transport InTrouble(string name, int trouble)
    {
        var transport = New(name, trouble switch { 1 => "concurrency=1", 2 => "rate=2/s", 3 => "rate=1/h", _ => "" });
        switch (trouble)
        {
            case 1: transport.TryTake(MailStream.Bulk); break;
            case 2 or 3: transport.Attempt(OutcomeKind.Accepted); break;
            case 4: transport.Pause(); break;
            case 5: transport.OpenCircuit(); break;
            case 6: transport.Attempt(OutcomeKind.Throttled, retryAfter: TimeSpan.FromSeconds(9)); break;
            default: break;
        }
        return transport;
    }

    [Fact]
    public void A_flapping_first_transport_costs_little_of_the_throughput()
    {
        // A relay that flaps: 2 s up, 2 s down; 100 mails a second for 10 minutes, each retried on the second when the first fails.
        var (a, b) = (New("a"), New("b"));
        var route = Route(RouteStrategy.Priority, a, b);
        var (failures, sent) = (0, 0);
        for (var tick = 0; tick < 60_000; tick++)
        {
            var down = tick / 200 % 2 == 1;
            var history = TransportHistory.Empty;
            while (route.TakeFor(new EnvelopeNeeds { History = history }, MailStream.Transactional) is { } permit)
            {
                using var _ = permit;
                permit.Charge(1);
                var failed = down && permit.Transport == a;
                permit.Report(Outcome(failed ? OutcomeKind.Unreachable : OutcomeKind.Accepted));
                if (!failed)
                {
                    sent++;
                    break;
                }
                failures++;
                history = history with { FailedThisRound = [permit.Transport.Name] };
            }
            _clock.Advance(TimeSpan.FromMilliseconds(10));
        }
        Assert.Equal(60_000, sent);
        Assert.InRange(failures, 10, 1_000);
    }

    [Fact]
    public void The_wait_ends_with_the_first_of_those_asked_that_time_alone_frees()
    {
        var route = Route(RouteStrategy.RoundRobin, New("a", "concurrency=1&stall=30s"), New("b", "rate=10/s&concurrency=100"));
        var permits = route.Take(MailStream.Transactional, 100);
        foreach (var permit in permits)
            permit.Charge(1);
        var wait = route.WhyNot(MailStream.Transactional);
        Assert.Equal(("a", WaitCause.Busy), (wait.Transport, wait.Cause));
        Assert.InRange(wait.Remaining!.Value, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
        _clock.Advance(wait.Remaining.Value);
        Assert.Equal("b", route.TakeFor(default, MailStream.Transactional)?.Transport.Name);
    }
}
