using Postrider.Messages;
using Postrider.Routing;
using Postrider.Testing;
using Xunit;
using static Postrider.Engine.Tests.Routing.Transports;

namespace Postrider.Engine.Tests.Routing;

public sealed class DomainLimitsTests
{
    readonly ManualClock _clock = new();

    static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    Transport Limited(string limits) => _clock.Transport($"concurrency=100&domains={limits}");

    static EnvelopeNeeds For(params string[] domains) => new() { RecipientDomains = domains };

    static Permit? Begin(Transport transport, params string[] domains)
    {
        var route = new Route(new RouteSettings { Name = "r" }, [transport]);
        if (route.TakeFor(For(domains), MailStream.Transactional) is not { } permit)
            return null;
        Assert.Equal(TimeSpan.Zero, permit.Charge(domains.Length, null, domains));
        return permit;
    }

    static void End(Permit permit, params Outcome[] outcomes)
    {
        permit.Report(outcomes);
        permit.Dispose();
    }

    static Outcome Says(int code, OutcomeKind kind = OutcomeKind.Deferred) =>
        new(kind, OutcomeScope.Recipient, new Reply(code, null, "", "RCPT"));

    [Fact]
    public void Attempts_at_a_time_are_limited_per_domain()
    {
        var transport = Limited("gmail.com:2;*:1");
        var first = Begin(transport, "gmail.com", "gmail.com", "gmail.com")!; // one attempt, however many recipients
        Assert.NotNull(Begin(transport, "GMAIL.com"));
        Assert.Null(Begin(transport, "gmail.com"));
        Assert.NotNull(Begin(transport, "a.example"));
        Assert.NotNull(Begin(transport, "b.example"));
        Assert.Null(Begin(transport, "c.example", "b.example"));
        End(first, Outcome(OutcomeKind.Accepted));
        Assert.NotNull(Begin(transport, "gmail.com"));
    }

    [Fact]
    public void Domains_that_are_not_named_have_no_limit_without_a_star()
    {
        var transport = Limited("gmail.com:1");
        for (var i = 0; i < 50; i++)
            Assert.NotNull(Begin(transport, "a.example"));
    }

    [Fact]
    public void The_rate_of_a_domain_counts_its_recipients_only()
    {
        var transport = Limited("gmail.com:-,10/s");
        End(Begin(transport, "gmail.com", "a.example", "gmail.com")!, Outcome(OutcomeKind.Accepted));
        var wait = transport.WhyNot(MailStream.Transactional, For("gmail.com"));
        Assert.Equal((WaitCause.DomainLimited, Seconds(0.2)), (wait.Cause, wait.Remaining));
        Assert.Equal(WaitReason.TransportThrottled, wait.Reason);
        Assert.NotNull(Begin(transport, "a.example"));
        _clock.Advance(Seconds(0.2));
        Assert.NotNull(Begin(transport, "gmail.com"));
    }

    [Fact]
    public void After_421_a_domain_rests_longer_each_time_and_the_others_go_on()
    {
        var transport = Limited("gmail.com:-,-,1m;*:50");
        var waits = new List<double>();
        for (var i = 0; i < 8; i++)
        {
            End(Begin(transport, "gmail.com")!, Says(421));
            waits.Add(transport.WhyNot(MailStream.Transactional, For("gmail.com")).Remaining!.Value.TotalMinutes);
            End(Begin(transport, "a.example")!, Outcome(OutcomeKind.Accepted));
            _clock.Advance(TimeSpan.FromMinutes(waits[^1]));
        }
        Assert.Equal([1, 2, 4, 8, 16, 32, 60, 60], waits);
        End(Begin(transport, "gmail.com")!, Outcome(OutcomeKind.Accepted));
        End(Begin(transport, "gmail.com")!, Says(421));
        Assert.Equal(Seconds(60), transport.WhyNot(MailStream.Transactional, For("gmail.com")).Remaining);
    }

    [Fact]
    public void The_421_of_one_recipient_is_not_that_of_the_others()
    {
        var transport = Limited("*:-,-,1m");
        End(Begin(transport, "a.example", "b.example")!, Says(421), Outcome(OutcomeKind.Accepted));
        Assert.Null(Begin(transport, "a.example"));
        Assert.NotNull(Begin(transport, "b.example"));
    }

    [Fact]
    public void A_throttling_that_belongs_to_a_domain_does_not_hold_up_the_transport()
    {
        var transport = Limited("gmail.com:-,-,1m");
        End(Begin(transport, "gmail.com")!, Says(421, OutcomeKind.Throttled));
        Assert.NotNull(Begin(transport, "a.example"));
        End(Begin(transport, "a.example")!, Says(421, OutcomeKind.Throttled)); // nothing is configured for it
        Assert.Equal(WaitCause.Throttled, transport.WhyNot(MailStream.Transactional).Cause);
    }

    [Fact]
    public void Other_refusals_for_now_do_not_make_a_domain_rest()
    {
        var transport = Limited("gmail.com:-,-,1m");
        End(Begin(transport, "gmail.com")!, Says(450));
        Assert.NotNull(Begin(transport, "gmail.com"));
    }

    [Fact]
    public void A_permit_that_was_taken_before_the_envelope_was_known_is_asked_about_its_domains()
    {
        var transport = Limited("gmail.com:1,1/h");
        var running = Begin(transport, "gmail.com")!;
        using var permit = transport.TryTake(MailStream.Transactional)!;
        Assert.False(Route.Fits(permit, For("gmail.com")));
        Assert.True(Route.Fits(permit, For("a.example")));
        Assert.Null(permit.Charge(1, null, ["gmail.com"]));       // until the other one ends
        End(running, Outcome(OutcomeKind.Accepted));
        Assert.Equal(TimeSpan.FromHours(1), permit.Charge(1, null, ["gmail.com"]));
    }

    [Fact]
    public void Only_a_route_with_limits_asks_for_domains()
    {
        Assert.True(new Route(new RouteSettings { Name = "r" }, [_clock.Transport(), Limited("*:1")]).HasDomainLimits);
        Assert.False(new Route(new RouteSettings { Name = "r" }, [_clock.Transport()]).HasDomainLimits);
    }

    [Fact]
    public void Idle_domains_are_forgotten()
    {
        var limits = new DomainLimits([new DomainLimit("*", 5, new Rate(100, Seconds(1)), null)]);
        for (var i = 0; i < 100_000; i++)
        {
            string[] domains = [$"d{i}.example"];
            limits.Enter(domains, Seconds(i));
            limits.Leave(domains);
        }
        Assert.InRange(limits.Count, 1, 2_000);
    }

    [Fact]
    public void Domains_that_backed_off_once_and_were_never_asked_again_are_forgotten_too()
    {
        var limits = new DomainLimits([new DomainLimit("*", 5, null, Seconds(10))]);
        for (var i = 0; i < 100_000; i++)
        {
            string[] domains = [$"d{i}.example"];
            limits.Enter(domains, Seconds(i));
            limits.BackOff(domains[0], Seconds(i), null);
            limits.Leave(domains);
        }
        Assert.InRange(limits.Count, 1, 10_000); // those of the last hour, twice
    }
}
