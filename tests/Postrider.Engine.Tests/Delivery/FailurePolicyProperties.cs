using FsCheck;
using FsCheck.Fluent;
using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Xunit;
using static Postrider.Engine.Tests.Delivery.Leases;
using Outcome = Postrider.Messages.Outcome;

namespace Postrider.Engine.Tests.Delivery;

/// <summary>What holds for every history, outcome and route.</summary>
public sealed class FailurePolicyProperties
{
    static readonly string[] Names = ["a", "b", "c"];

    sealed record Case(Lease Lease, AttemptFacts Facts, IReadOnlyList<RecipientOutcome> Outcomes, double Jitter)
    {
        public Decision Decision => FailurePolicy.Next(Lease, Facts, Outcomes, Now, Jitter);
        public Outcome? Of(int n) => Outcomes.Where(o => o.N == n).Select(o => o.Outcome).SingleOrDefault();
        public override string ToString() =>
            $"{Facts.Transport} of {string.Join(',', Facts.Route.Transports)}; {Lease.Envelope.History}; {string.Join(", ", Outcomes)}";
    }

    static readonly Gen<Case> Cases =
        from count in Gen.Choose(1, 4)
        from transports in Gen.Choose(1, 3)
        from at in Gen.Choose(0, transports - 1)
        from past in Gen.ArrayOf(Gen.Choose(0, 2), 3)
        from pinned in Gen.Choose(0, 5)
        from deferrals in Gen.Choose(0, 4)
        from rounds in Gen.Choose(0, 30)
        from idempotent in Gen.Elements(true, false)
        from spill in Gen.Elements(true, false)
        from kinds in Gen.ArrayOf(Gen.Choose(0, 7), count)
        from scopes in Gen.ArrayOf(Gen.Choose(0, 3), count)
        from skipped in Gen.Choose(0, 2)
        from suppressed in Gen.Choose(-3, count - 1)
        from jitter in Gen.Choose(0, 99)
        let route = Names[..transports]
        let others = Enumerable.Range(0, transports).Where(i => i != at).ToArray()
        let history = TransportHistory.Empty with
        {
            RefusedBy = [.. others.Where(i => past[i] == 1).Select(i => Names[i])],
            FailedThisRound = [.. others.Where(i => past[i] == 2).Select(i => Names[i])],
            PinnedTo = pinned == 0 ? Names[at] : null,
        }
        select new Case(
            Lease(count, deferrals, rounds, history) with { Suppressed = suppressed >= 0 ? OnTheList(suppressed) : OnTheList() },
            new AttemptFacts(Names[at], idempotent, new RoutePatience(route, DeferralSchedule.Default, spill ? TimeSpan.Zero : null,
                TimeSpan.FromMinutes(1))),
            [.. Enumerable.Range(0, count).Skip(skipped == 2 ? 1 : 0).Where(n => n != suppressed)
                .Select(n => new RecipientOutcome(n, Outcome((OutcomeKind)kinds[n], (OutcomeScope)scopes[n], 550, "5.1.1")))],
            jitter / 100.0);

    static void Holds(Func<Case, bool> property) =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll(Cases.ToArbitrary(), property));

    [Fact]
    public void Every_recipient_appears_exactly_once() =>
        Holds(c => c.Decision.Ends.Select(e => e.N).Concat(c.Decision.Continues.SelectMany(k => k.Recipients)).Order()
            .SequenceEqual(c.Lease.Recipients.Select(r => r.N)));

    [Fact]
    public void Unknown_never_fails_over() => Holds(c => c.Decision.Continues
        .Where(k => k.Recipients.Any(n => c.Of(n)?.Kind is OutcomeKind.Unknown))
        .All(k => k.State is RecipientState.Unknown || k.History.PinnedTo == c.Facts.Transport && c.Facts.Idempotent));

    [Fact]
    public void Unknown_never_ends_by_itself() => Holds(c => c.Decision.Ends.All(e => c.Of(e.N)?.Kind is not OutcomeKind.Unknown));

    [Fact]
    public void A_pinned_envelope_is_never_given_to_another_transport_while_queued() =>
        Holds(c => c.Lease.Envelope.History.PinnedTo is not { } pinned
        || c.Decision.Continues.All(k => k.State is RecipientState.Unknown || k.History.PinnedTo == pinned));

    [Fact]
    public void Nothing_is_final_without_cause() => Holds(c => c.Decision.Ends.All(e => (e.State, c.Of(e.N)?.Kind) switch
    {
        (RecipientState.Sent, OutcomeKind.Accepted) => true,
        (RecipientState.Bounced, OutcomeKind.Rejected) => true,
        (RecipientState.Suppressed, null) => c.Lease.Suppressed.ContainsKey(e.N),
        (RecipientState.Failed, OutcomeKind.Deferred) => c.Lease.Envelope.Deferrals >= 3,
        (RecipientState.Failed, OutcomeKind.Rejected) when c.Of(e.N)!.Scope is OutcomeScope.Message => true,
        (RecipientState.Failed, OutcomeKind.Rejected or OutcomeKind.Refused or OutcomeKind.Unfit) =>
            c.Facts.Route.Transports.All(t => t == c.Facts.Transport || c.Lease.Envelope.History.RefusedBy.Contains(t)),
        _ => false,
    }));

    [Fact]
    public void Only_a_bounce_suppresses() => Holds(c => c.Decision.Ends.All(e => !e.Suppress || e.State is RecipientState.Bounced));

    [Fact]
    public void Only_deferrals_use_up_the_schedule() => Holds(c => c.Decision.Continues.All(k =>
        k.Deferrals == c.Lease.Envelope.Deferrals + (k.Recipients.All(n => c.Of(n)?.Kind is OutcomeKind.Deferred) ? 1 : 0)));

    [Fact]
    public void Whatever_goes_on_can_be_attempted_somewhere_and_never_in_a_hot_loop() => Holds(c => c.Decision.Continues.All(k =>
        c.Facts.Route.Transports.Any(t => !k.History.Excludes(t))
        && (k.DueAt > Now || k.Recipients.Any(n => c.Of(n) is null)
            || k.History.PinnedTo is not null && c.Lease.Envelope.History.PinnedTo is null
            || k.History.RefusedBy.Count + k.History.FailedThisRound.Count
                > c.Lease.Envelope.History.RefusedBy.Count + c.Lease.Envelope.History.FailedThisRound.Count)));

    [Fact]
    public void Waiting_for_providers_is_one_second_to_five_minutes() => Holds(c => c.Decision.Continues
        .Where(k => k.State == RecipientState.Queued && k.Rounds > c.Lease.Envelope.Rounds)
        .All(k => k.DueAt - Now >= TimeSpan.FromSeconds(1) && k.DueAt - Now <= TimeSpan.FromMinutes(5)));

    [Fact]
    public void Waiting_for_evidence_is_one_minute_to_four_hours() => Holds(c => c.Decision.Continues
        .Where(k => k.State == RecipientState.Unknown)
        .All(k => k.DueAt - Now >= TimeSpan.FromMinutes(1) && k.DueAt - Now <= TimeSpan.FromHours(4)));
}
