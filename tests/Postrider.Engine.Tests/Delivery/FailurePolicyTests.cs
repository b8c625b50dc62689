using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Xunit;
using static Postrider.Engine.Tests.Delivery.Leases;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>The outcome table of <c>docs/states.md</c>, a row per outcome, scope and stage.</summary>
public sealed class FailurePolicyTests
{
    static readonly TimeSpan Settle = TimeSpan.FromSeconds(60);

    static AttemptFacts At(string transport = "a", bool idempotent = false, bool spill = true, params string[] route) =>
        new(transport, idempotent,
            new RoutePatience(route.Length == 0 ? ["a", "b"] : route, DeferralSchedule.Default, spill ? TimeSpan.FromSeconds(1) : null,
                Settle));

    static TransportHistory Refused(params string[] by) => TransportHistory.Empty with { RefusedBy = by };
    static TransportHistory Failed(params string[] by) => TransportHistory.Empty with { FailedThisRound = by };
    static TransportHistory Pinned(string to) => TransportHistory.Empty with { PinnedTo = to };

    /// <summary>What is expected in words: state, seconds until due, why it waits, and what the history says.</summary>
    static string Told(Decision decision) => string.Join(" | ", [
        .. decision.Ends.Select(e => $"{e.State}{(e.Suppress ? " suppress" : "")}"),
        .. decision.Continues.Select(c =>
            $"{c.State} +{(c.DueAt - Now).TotalSeconds:0} {c.Reason} d{c.Deferrals} r{c.Rounds}"
            + (c.History.RefusedBy.Count > 0 ? $" refused:{string.Join(',', c.History.RefusedBy)}" : "")
            + (c.History.FailedThisRound.Count > 0 ? $" failed:{string.Join(',', c.History.FailedThisRound)}" : "")
            + (c.History.PinnedTo is { } pinned ? $" pinned:{pinned}" : ""))]);

    static string Next(Lease lease, AttemptFacts at, Outcome outcome) =>
        Told(FailurePolicy.Next(lease, at, All(lease, outcome), Now, jitter: 0.5));

    [Theory]
    // accepted
    [InlineData(OutcomeKind.Accepted, OutcomeScope.Recipient, 250, null, "DATA", "Sent")]
    // the recipient's side says later
    [InlineData(OutcomeKind.Deferred, OutcomeScope.Recipient, 450, "4.2.0", "RCPT", "Queued +600 Deferred d1 r0")]
    [InlineData(OutcomeKind.Deferred, OutcomeScope.Message, 451, "4.7.1", "DATA", "Queued +600 Deferred d1 r0")]
    [InlineData(OutcomeKind.Deferred, OutcomeScope.Transport, 452, "4.3.1", "RCPT", "Queued +600 Deferred d1 r0")]
    // the address is bad: only codes that say so for good suppress it
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1", "RCPT", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.2", "RCPT", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.2.1", "RCPT", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 556, "5.1.10", "RCPT", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1", "DATA", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 422, "5.1.1", "POST", "Bounced suppress")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, null, "RCPT", "Bounced")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "4.1.1", "RCPT", "Bounced")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 552, "5.2.2", "RCPT", "Bounced")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.7.1", "RCPT", "Bounced")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1", "MAIL", "Bounced")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1", "EHLO", "Bounced")]
    // the message is bad anywhere
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Message, 550, "5.6.0", "DATA", "Failed")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Message, 550, "5.1.1", "DATA", "Failed")]
    // a rejection of a sender domain or transport is the provider's affair
    [InlineData(OutcomeKind.Rejected, OutcomeScope.SenderDomain, 550, "5.7.26", "MAIL", "Queued +0 NextTransport d0 r0 refused:a")]
    [InlineData(OutcomeKind.Rejected, OutcomeScope.Transport, 554, "5.7.1", "CONNECT", "Queued +0 NextTransport d0 r0 refused:a")]
    // this transport cannot or will not carry it
    [InlineData(OutcomeKind.Unfit, OutcomeScope.Message, 552, "5.3.4", "MAIL", "Queued +0 NextTransport d0 r0 refused:a")]
    [InlineData(OutcomeKind.Unfit, OutcomeScope.Recipient, 553, "5.6.7", "RCPT", "Queued +0 NextTransport d0 r0 refused:a")]
    [InlineData(OutcomeKind.Refused, OutcomeScope.Recipient, 554, "5.7.1", "RCPT", "Queued +0 NextTransport d0 r0 refused:a")]
    [InlineData(OutcomeKind.Refused, OutcomeScope.SenderDomain, 550, "5.7.1", "MAIL", "Queued +0 NextTransport d0 r0 refused:a")]
    [InlineData(OutcomeKind.Refused, OutcomeScope.Transport, 535, "5.7.8", "AUTH", "Queued +0 NextTransport d0 r0 refused:a")]
    // its fault, surely not taken
    [InlineData(OutcomeKind.Throttled, OutcomeScope.Transport, 421, "4.7.0", "MAIL", "Queued +0 NextTransport d0 r0 failed:a")]
    [InlineData(OutcomeKind.Unreachable, OutcomeScope.Transport, 0, null, "CONNECT", "Queued +0 NextTransport d0 r0 failed:a")]
    [InlineData(OutcomeKind.Unreachable, OutcomeScope.Transport, 421, null, "CONNECT", "Queued +0 NextTransport d0 r0 failed:a")]
    // may have been accepted: stays where it is
    [InlineData(OutcomeKind.Unknown, OutcomeScope.Message, 0, null, "DATA", "Unknown +60 Settling d0 r0 failed:a")]
    [InlineData(OutcomeKind.Unknown, OutcomeScope.Transport, 502, null, "POST", "Unknown +60 Settling d0 r0 failed:a")]
    public void First_attempt(OutcomeKind kind, OutcomeScope scope, int code, string? enhanced, string command, string expected) =>
        Assert.Equal(expected, Next(Lease(), At(), Outcome(kind, scope, code, enhanced, command)));

    [Theory]
    [InlineData(OutcomeKind.Refused, "Failed")]
    [InlineData(OutcomeKind.Unfit, "Failed")]
    [InlineData(OutcomeKind.Unreachable, "Queued +1 TransportsUnavailable d0 r1 refused:a")]
    [InlineData(OutcomeKind.Throttled, "Queued +1 TransportThrottled d0 r1 refused:a")]
    public void The_other_transport_had_refused_it(OutcomeKind kind, string expected) =>
        Assert.Equal(expected, Next(Lease(history: Refused("a")), At("b"), Outcome(kind, OutcomeScope.Transport, 554)));

    [Theory]
    [InlineData(OutcomeKind.Refused, "Queued +1 TransportsUnavailable d0 r1 refused:b")]
    [InlineData(OutcomeKind.Unreachable, "Queued +1 TransportsUnavailable d0 r1")]
    [InlineData(OutcomeKind.Throttled, "Queued +1 TransportThrottled d0 r1")]
    [InlineData(OutcomeKind.Deferred, "Queued +600 Deferred d1 r0")]
    [InlineData(OutcomeKind.Unknown, "Unknown +60 Settling d0 r1")]
    public void The_other_transport_had_failed_in_this_round(OutcomeKind kind, string expected) =>
        Assert.Equal(expected, Next(Lease(history: Failed("a")), At("b"), Outcome(kind, OutcomeScope.Transport, 450)));

    [Fact]
    public void Refused_by_all_is_failed_not_bounced_and_not_suppressed()
    {
        var lease = Lease(history: Refused("a"));
        var end = Assert.Single(FailurePolicy.Next(lease, At("b"), All(lease,
            Outcome(OutcomeKind.Refused, OutcomeScope.Recipient, 550, "5.1.1")), Now, 0.5).Ends);
        Assert.Equal((RecipientState.Failed, false), (end.State, end.Suppress));
        Assert.Equal("refused by every transport of route \"default\", last by b: 550 5.1.1 words", end.Reason);
    }

    [Fact]
    public void The_fourth_deferral_ends_the_default_schedule_and_says_so()
    {
        var outcome = Outcome(OutcomeKind.Deferred, OutcomeScope.Recipient, 450, "4.2.0", text: "greylisted");
        Assert.Equal("Queued +600 Deferred d3 r0", Next(Lease(deferrals: 2), At(), outcome));
        var lease = Lease(deferrals: 3);
        var end = Assert.Single(FailurePolicy.Next(lease, At(), All(lease, outcome), Now, 0.5).Ends);
        Assert.Equal((RecipientState.Failed, "deferred 4 times: 450 4.2.0 greylisted"), (end.State, end.Reason));
    }

    [Theory]
    [InlineData(1, 600)]
    [InlineData(1200, 1200)]
    [InlineData(100_000_000, 3600)]
    [InlineData(-5, 600)]
    public void A_deferral_that_names_a_time_waits_at_least_so_long_but_never_more_than_an_hour(int asked, int waits)
    {
        var outcome = Outcome(OutcomeKind.Deferred, OutcomeScope.Recipient, 450) with { RetryAfter = TimeSpan.FromSeconds(asked) };
        Assert.Equal($"Queued +{waits} Deferred d1 r0", Next(Lease(), At(), outcome));
    }

    [Fact]
    public void A_route_that_does_not_spill_waits_for_its_throttled_transport()
    {
        var outcome = Outcome(OutcomeKind.Throttled, OutcomeScope.Transport, 429) with { RetryAfter = TimeSpan.FromSeconds(30) };
        Assert.Equal("Queued +30 TransportThrottled d0 r1", Next(Lease(), At(spill: false), outcome));
        Assert.Equal("Queued +1 TransportThrottled d0 r1", Next(Lease(), At(spill: false), outcome with { RetryAfter = null }));
    }

    [Theory]
    [InlineData(0.5, "Queued +1 TransportThrottled d0 r1")]
    [InlineData(30, "Queued +0 NextTransport d0 r0 failed:a")]
    public void A_short_wait_is_no_reason_to_spill(double asked, string expected)
    {
        var outcome = Outcome(OutcomeKind.Throttled, OutcomeScope.Transport, 429) with { RetryAfter = TimeSpan.FromSeconds(asked) };
        Assert.Equal(expected, Next(Lease(), At(), outcome));
    }

    [Fact]
    public void Back_off_doubles_from_one_second_to_five_minutes()
    {
        Assert.Equal([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300],
            Enumerable.Range(1, 11).Select(round => (int)FailurePolicy.BackOff(round, 0.5).TotalSeconds));
        Assert.Equal(300, FailurePolicy.BackOff(int.MaxValue, 0.5).TotalSeconds);
    }

    // A relay that takes each mail and never says so would else send a copy a minute for a day.
    [Theory]
    [InlineData(0, "Unknown +60 Settling d0 r1")]
    [InlineData(1, "Unknown +120 Settling d0 r2")]
    [InlineData(6, "Unknown +3840 Settling d0 r7")]
    [InlineData(8, "Unknown +14400 Settling d0 r9")]
    [InlineData(1_000_000, "Unknown +14400 Settling d0 r1000001")]
    public void A_mail_that_nobody_else_can_take_waits_twice_as_long_after_each_unknown_outcome(int rounds, string expected)
    {
        var lease = Lease();
        lease = lease with { Envelope = lease.Envelope with { Rounds = rounds } };
        Assert.Equal(expected, Next(lease, At(route: ["a"]), Outcome(OutcomeKind.Unknown, OutcomeScope.Message, 0)));
    }

    [Fact]
    public void An_unknown_outcome_is_asked_again_at_once_where_the_provider_knows_a_repetition_and_only_once()
    {
        var unknown = Outcome(OutcomeKind.Unknown, OutcomeScope.Message, 0);
        Assert.Equal("Queued +0 Settling d0 r0 pinned:a", Next(Lease(), At(idempotent: true), unknown));
        Assert.Equal("Unknown +60 Settling d0 r0 failed:a", Next(Lease(history: Pinned("a")), At(idempotent: true), unknown));
    }

    [Theory]
    [InlineData(OutcomeKind.Accepted, "Sent")]
    [InlineData(OutcomeKind.Deferred, "Queued +600 Deferred d1 r0 pinned:a")]
    [InlineData(OutcomeKind.Unfit, "Unknown +60 Settling d0 r0 failed:a")]
    [InlineData(OutcomeKind.Refused, "Unknown +60 Settling d0 r0 failed:a")]
    [InlineData(OutcomeKind.Throttled, "Unknown +60 Settling d0 r0 failed:a")]
    [InlineData(OutcomeKind.Unreachable, "Unknown +60 Settling d0 r0 failed:a")]
    public void A_repetition_that_was_not_answered_proves_nothing_of_the_first_try(OutcomeKind kind, string expected) =>
        Assert.Equal(expected, Next(Lease(history: Pinned("a")), At(idempotent: true), Outcome(kind, OutcomeScope.Transport, 250)));

    // Led elsewhere meanwhile: the other account knows nothing of our key, and would send it a second time.
    [Fact]
    public void A_repetition_goes_only_where_the_first_try_went()
    {
        RoutePatience Leading(long place) => At(route: ["a"]).Route with { Places = [place] };
        var at = At(idempotent: true, route: ["a"]) with { Place = 7, Route = Leading(7) };
        var lease = Lease();
        var pinned = Assert.Single(FailurePolicy.Next(
            lease, at, All(lease, Outcome(OutcomeKind.Unknown, OutcomeScope.Message, 0)), Now, 0.5).Continues).History;
        Assert.Equal(("a", 7), (pinned.PinnedTo, pinned.PinnedPlace));
        Assert.Null(FailurePolicy.Stop(Lease(history: pinned), Leading(7), Now, 0.5));
        var stopped = FailurePolicy.Stop(Lease(history: pinned), Leading(8), Now, 0.5)!;
        Assert.Equal("Unknown +60 Settling d0 r1", Told(stopped));
        Assert.Equal(0, Assert.Single(stopped.Continues).History.PinnedPlace);
        Assert.False(pinned.Excludes("a", 7));
        Assert.True(pinned.Excludes("a", 8));
    }

    [Fact]
    public void Three_recipients_of_one_attempt_go_three_ways()
    {
        var lease = Lease(recipients: 3);
        var decision = FailurePolicy.Next(lease, At(), [
            new(0, Outcome(OutcomeKind.Deferred, OutcomeScope.Recipient, 450)),
            new(1, Outcome(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1")),
            new(2, Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient)),
        ], Now, 0.5);
        Assert.Equal([(1, RecipientState.Bounced), (2, RecipientState.Sent)], decision.Ends.Select(e => (e.N, e.State)));
        Assert.Equal([0], Assert.Single(decision.Continues).Recipients);
    }

    [Fact]
    public void Recipients_with_the_same_next_step_stay_together_though_their_replies_differ()
    {
        var lease = Lease(recipients: 4);
        var decision = FailurePolicy.Next(lease, At(), [.. lease.Recipients.Select(r =>
            new RecipientOutcome(r.N, Outcome(r.N < 3 ? OutcomeKind.Deferred : OutcomeKind.Refused, OutcomeScope.Recipient, 450,
                text: $"to r{r.N}")))], Now, 0.5);
        Assert.Equal([[0, 1, 2], [3]], decision.Continues.Select(c => c.Recipients));
    }

    [Fact]
    public void At_the_dot_a_server_speaks_of_all_recipients_so_none_of_several_is_suppressed()
    {
        var lease = Lease(recipients: 2);
        var decision = FailurePolicy.Next(lease, At(), All(lease, Outcome(OutcomeKind.Rejected, OutcomeScope.Recipient, 550, "5.1.1",
            "DATA")), Now, 0.5);
        Assert.All(decision.Ends, end => Assert.False(end.Suppress));
    }

    [Fact]
    public void Recipients_without_an_outcome_go_on_at_once_as_they_were()
    {
        var lease = Lease(recipients: 3, deferrals: 2, rounds: 4, history: Failed("b"));
        var decision = FailurePolicy.Next(lease, At(), [new(0, Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient))], Now, 0.5);
        var rest = Assert.Single(decision.Continues);
        Assert.Equal([1, 2], rest.Recipients);
        Assert.Equal("Sent | Queued +0 Released d2 r4 failed:b", Told(decision));
    }

    [Fact]
    public void A_recipient_suppressed_since_is_not_attempted_and_ends_so()
    {
        var lease = Lease(recipients: 2) with { Suppressed = OnTheList(1) };
        var decision = FailurePolicy.Next(lease, At(), [new(0, Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient))], Now, 0.5);
        Assert.Equal([(0, RecipientState.Sent), (1, RecipientState.Suppressed)], decision.Ends.Select(e => (e.N, e.State)).Order());
        Assert.Equal("for reason 1", Assert.Single(decision.Ends, e => e.N == 1).Reason);
    }

    [Fact]
    public void A_silent_transport_that_is_the_only_one_left_may_be_asked_again_after_settling()
    {
        var unknown = Outcome(OutcomeKind.Unknown, OutcomeScope.Message, 0);
        Assert.Equal("Unknown +60 Settling d0 r1", Next(Lease(), At(route: ["a"]), unknown));
        Assert.Equal("Unknown +60 Settling d0 r1 refused:b", Next(Lease(history: Refused("b")), At(), unknown));
    }

    [Fact]
    public void A_round_whose_rest_does_not_work_ends_with_a_back_off_and_without_a_word_on_the_timeline()
    {
        Assert.Equal("Queued +4 TransportsUnavailable d1 r3 refused:c",
            Told(FailurePolicy.EndRound(Lease(deferrals: 1, rounds: 2, history: Failed("a") with { RefusedBy = ["c"] }), Now, 0.5)));
    }

    [Fact]
    public void What_one_provider_may_have_taken_is_held_under_hold_when_its_time_is_up()
    {
        var lease = Lease(history: Pinned("a"));
        lease = lease with { Envelope = lease.Envelope with { OnAmbiguous = AmbiguityPolicy.Hold } };
        var end = Assert.Single(FailurePolicy.Stop(lease, At().Route, Now.AddDays(1), 0.5)!.Ends);
        Assert.Equal((RecipientState.Held, HeldReason.Ambiguous), (end.State, end.Held));
    }

    [Theory]
    [InlineData(400, "5.1.3", "POST", true)]   // a vendor's error table
    [InlineData(200, "5.2.1", "POST", true)]   // Postmark speaks of each recipient in a success
    [InlineData(400, "5.7.1", "POST", false)]
    [InlineData(450, "5.1.1", "RCPT", false)]  // contradicts itself
    [InlineData(550, "5.1.1", "RCPT", true)]
    public void An_address_is_suppressed_when_it_is_bad_for_good(int code, string enhanced, string command, bool suppressed)
    {
        var lease = Lease();
        var end = Assert.Single(FailurePolicy.Next(lease, At(),
            All(lease, Outcome(OutcomeKind.Rejected, OutcomeScope.Recipient, code, enhanced, command)), Now, 0.5).Ends);
        Assert.Equal((RecipientState.Bounced, suppressed), (end.State, end.Suppress));
    }

    [Fact]
    public void Nothing_starts_after_its_time_or_with_all_recipients_suppressed()
    {
        var route = At().Route;
        Assert.Null(FailurePolicy.Stop(Lease(), route, Now, 0.5));
        Assert.Equal("Expired", Told(FailurePolicy.Stop(Lease(), route, Now.AddDays(1), 0.5)!));
        Assert.Equal("Suppressed | Suppressed", Told(FailurePolicy.Stop(
            Lease(recipients: 2) with { Suppressed = OnTheList(0, 1) }, route, Now, 0.5)!));
    }

    [Fact]
    public void A_route_that_lost_transports_since_still_ends_or_goes_on()
    {
        Assert.Equal("Failed", Told(FailurePolicy.Stop(Lease(history: Refused("a")), At(route: ["a"]).Route, Now, 0.5)!));
        Assert.Equal("Queued +1 TransportsUnavailable d0 r1", Told(FailurePolicy.Stop(Lease(history: Failed("a")), At(route: ["a"]).Route,
            Now, 0.5)!));
        Assert.Equal("Unknown +60 Settling d0 r0", Told(FailurePolicy.Stop(Lease(history: Pinned("gone")), At(route: ["a"]).Route, Now,
            0.5)!));
    }
}
