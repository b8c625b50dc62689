using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

// The rules, in prose (docs/states.md, "What an attempt leads to"):
//  - A refusal by the recipient's side uses up the schedule. A refusal of the address is final, and so is a refusal of the message
// anywhere.
//  - Everything that is a provider's or our own fault goes to the next transport at once. When every transport of the route failed on it,
//    the envelope backs off and all of them are asked again, until it expires. Only a refusal by every single one ends it, as failed.
//  - What may have been accepted goes nowhere else. Where the provider recognises a repetition it is asked again there, once; else it
// waits.

/// <summary>From what an attempt came to, to what becomes of each recipient. Pure: no clock, no randomness, no store.</summary>
static class FailurePolicy
{
    /// <summary>Back-off of a round in which every transport failed: 1 s doubling to 5 min.</summary>
    public static readonly TimeSpan ShortestBackOff = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(5);

    /// <summary>A remote that asks for longer is believed up to this much, so that an absurd Retry-After parks nothing for a
    /// year.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(1);

    /// <summary>What must be decided without an attempt; null when the envelope may be attempted.</summary>
    public static Decision? Stop(Lease lease, RoutePatience route, DateTimeOffset now, double jitter)
    {
        var envelope = lease.Envelope;
        if (now >= envelope.ExpiresAt && envelope is { OnAmbiguous: AmbiguityPolicy.Hold, History.PinnedTo: { } asked })
            return EndAll(lease, RecipientState.Held, $"its time was up, and {asked} may have accepted an earlier attempt",
                HeldReason.Ambiguous);
        if (now >= envelope.ExpiresAt)
            return EndAll(lease, RecipientState.Expired, "its time was up before an attempt could start");
        if (lease.Suppressed.Count == lease.Recipients.Count)
            return new Decision(Suppressed(lease), []);
        var history = envelope.History;
        if (history.PinnedTo is { } pinned && !route.LeadsTo(pinned, history.PinnedPlace))
            return ContinueAll(lease, Step.Settle(envelope, now, route, pinned));
        if (history.PinnedTo is null && route.Transports.Count > 0 && route.Transports.All(history.Excludes))
        {
            // The route has changed since: what is left of it has all been asked.
            return route.Transports.All(history.RefusedBy.Contains)
                ? EndAll(lease, RecipientState.Failed, $"refused by every transport of route \"{envelope.Key.Route}\"")
                : ContinueAll(lease, Step.NextRound(envelope, now, jitter, WaitReason.TransportsUnavailable, refused: false));
        }
        return null;
    }

    /// <summary>Whom this installation may not write to is held, the others go on as they were; null when it may write to all.</summary>
    public static Decision? Bar(Lease lease, MayReceive mayReceive, DateTimeOffset now)
    {
        var open = Open(lease).ToLookup(r => mayReceive(r.Mailbox.Address), r => r.N);
        if (!open[false].Any())
            return null;
        var history = lease.Envelope.History;
        var reason = history.IsInDoubt
            ? $"not in POSTRIDER_ALLOW_RECIPIENTS; {history.PinnedTo ?? history.Last} may have accepted an earlier attempt"
            : "not in POSTRIDER_ALLOW_RECIPIENTS";
        return new Decision(
            [.. Suppressed(lease),
                .. open[false].Select(n => new RecipientEnd(n, RecipientState.Held, null, reason, HeldReason.NotAllowed))],
            Together(lease.Envelope, history.Last,
                [.. open[true].Select(n => (n, Step.Untouched(lease.Envelope, now), (Outcome?)null))]));
    }

    /// <summary>The transports that are left of this round do not work now: it is over, and after a back-off those that failed are asked
    /// again too.</summary>
    public static Decision EndRound(Lease lease, DateTimeOffset now, double jitter) =>
        ContinueAll(lease, Step.NextRound(lease.Envelope, now, jitter, WaitReason.TransportsUnavailable, refused: false));

    /// <summary>The one provider that could have told a repetition does not work now: from here on it is as any other unknown
    /// outcome.</summary>
    public static Decision EndPin(Lease lease, string pinned, RoutePatience route, DateTimeOffset now) =>
        ContinueAll(lease, Step.Settle(lease.Envelope, now, route, pinned));

    /// <summary>The next state of each recipient of the lease. Recipients without an outcome were not attempted: they go on as they
    /// were.</summary>
    public static Decision Next(
        Lease lease, AttemptFacts attempt, IReadOnlyList<RecipientOutcome> outcomes, DateTimeOffset now, double jitter)
    {
        var ends = new List<RecipientEnd>();
        var steps = new List<(int N, Step Step, Outcome? Outcome)>();
        foreach (var recipient in lease.Recipients)
        {
            var n = recipient.N;
            if (lease.Suppressed.TryGetValue(n, out var why))
                ends.Add(new RecipientEnd(n, RecipientState.Suppressed, null, why));
            else if (Find(outcomes, n) is not { } outcome)
                steps.Add((n, Step.Untouched(lease.Envelope, now), null));
            else if (Decide(lease.Envelope, attempt, outcome, now, jitter) is { } step)
                steps.Add((n, step, outcome));
            else
                ends.Add(End(lease, attempt, n, outcome));
        }
        return new Decision(ends, Together(lease.Envelope, attempt.Transport, steps, attempt.Place));
    }

    /// <summary>How the recipient goes on; null when it ends with this attempt.</summary>
    static Step? Decide(QueuedEnvelope envelope, AttemptFacts attempt, Outcome outcome, DateTimeOffset now, double jitter)
    {
        // Pinned: an earlier attempt may have been accepted there. Only an answer to the repetition can tell; a refusal or failure on the
        // way is none.
        var pinned = envelope.History.PinnedTo is not null;
        var settle = Step.Settle(envelope, now, attempt.Route, attempt.Transport);
        return KindOf(outcome) switch
        {
            OutcomeKind.Accepted or OutcomeKind.Rejected => null,
            OutcomeKind.Deferred => Defer(envelope, attempt.Route, outcome, now, jitter),
            OutcomeKind.Unknown => attempt.Idempotent && !pinned ? Step.Repeat(envelope, now) : settle,
            OutcomeKind.Unfit or OutcomeKind.Refused => pinned ? settle : Elsewhere(envelope, attempt, now, jitter, outcome, refused: true),
            OutcomeKind.Unreachable => pinned ? settle : Elsewhere(envelope, attempt, now, jitter, outcome, refused: false),
            OutcomeKind.Throttled => pinned ? settle
                : Spills(attempt.Route, outcome) ? Elsewhere(envelope, attempt, now, jitter, outcome, refused: false)
                : Step.WaitHere(envelope, now, BackOff(envelope.Rounds + 1, jitter, outcome.RetryAfter)),
        };
    }

    static bool Spills(RoutePatience route, Outcome outcome) =>
        route.SpillAfter is { } after && (outcome.RetryAfter is not { } asked || asked > after);

    // A rejection whose scope is a sender domain or a transport says nothing of the address or the message.
    static OutcomeKind KindOf(Outcome outcome) =>
        outcome is { Kind: OutcomeKind.Rejected, Scope: OutcomeScope.SenderDomain or OutcomeScope.Transport }
            ? OutcomeKind.Refused
            : outcome.Kind;

    /// <summary>Later, by the schedule; null when it is used up.</summary>
    static Step? Defer(QueuedEnvelope envelope, RoutePatience route, Outcome outcome, DateTimeOffset now, double jitter) =>
        envelope.Deferrals < route.Schedule.Count
            ? Step.Defer(envelope, now + Longer(route.Schedule.Delay(envelope.Deferrals, jitter), Capped(outcome.RetryAfter)))
            : null;

    /// <summary>The next transport at once, or the next round when there is none; null when every transport of the route has refused
    /// it.</summary>
    static Step? Elsewhere(QueuedEnvelope envelope, AttemptFacts attempt, DateTimeOffset now, double jitter, Outcome outcome, bool refused)
    {
        var history = envelope.History;
        bool Refused(string name) => history.RefusedBy.Contains(name) || refused && name == attempt.Transport;
        bool Asked(string name) => Refused(name) || name == attempt.Transport || history.FailedThisRound.Contains(name);

        if (attempt.Route.Transports.All(Refused))
            return null;
        if (!attempt.Route.Transports.All(Asked))
            return Step.NextTransport(envelope, now, refused);
        var reason = outcome.Kind is OutcomeKind.Throttled ? WaitReason.TransportThrottled : WaitReason.TransportsUnavailable;
        return Step.NextRound(envelope, now, jitter, reason, refused);
    }

    static RecipientEnd End(Lease lease, AttemptFacts attempt, int n, Outcome outcome) => KindOf(outcome) switch
    {
        OutcomeKind.Accepted => new(n, RecipientState.Sent, outcome, outcome.Reply.Words),
        OutcomeKind.Deferred => new(n, RecipientState.Failed, outcome, Times(lease.Envelope.Deferrals + 1, outcome.Reply.Words)),
        OutcomeKind.Rejected => outcome.Scope is OutcomeScope.Recipient
            ? new(n, RecipientState.Bounced, outcome, outcome.Reply.Words, Suppress: IsBadForGood(outcome.Reply, lease.Recipients.Count))
            : new(n, RecipientState.Failed, outcome, outcome.Reply.Words),
        OutcomeKind.Refused or OutcomeKind.Unfit or OutcomeKind.Throttled or OutcomeKind.Unreachable or OutcomeKind.Unknown =>
            new(n, RecipientState.Failed, outcome, RefusedReason(lease.Envelope.Key.Route, attempt, outcome)),
    };

    static string Times(int deferrals, string words) => deferrals == 1 ? $"deferred once: {words}" : $"deferred {deferrals} times: {words}";

    static string RefusedReason(string route, AttemptFacts attempt, Outcome outcome) => attempt.Route.Transports.Count == 1
        ? $"refused by {attempt.Transport}, the only transport of route \"{route}\": {outcome.Reply.Words}"
        : $"refused by every transport of route \"{route}\", last by {attempt.Transport}: {outcome.Reply.Words}";

    static bool IsBadForGood(Reply reply, int recipients)
    {
        // An HTTP status says nothing of the kind; the vendor's own words were translated into the enhanced code.
        if (reply.Code is not (>= 500 and < 600) && reply.Command is not "POST")
            return false;
        // At banner, EHLO and MAIL a server does not speak of the recipient, and at the dot it speaks of all of them at once.
        if (reply.Command is "CONNECT" or "EHLO" or "HELO" or "STARTTLS" or "AUTH" or "MAIL"
            || (recipients > 1 && reply.Command is "DATA" or "." or "BDAT"))
            return false;
        return BadAddresses.IsBadForGood(reply.Code, reply.Enhanced);
    }

    /// <summary>Doubles from <see cref="ShortestBackOff"/> to <see cref="LongestBackOff"/>, ± 20 %, and never less than the remote asked
    /// for.</summary>
    /// <param name="round">From 1.</param>
    public static TimeSpan BackOff(int round, double jitter, TimeSpan? retryAfter = null)
    {
        var full = Math.Min(ShortestBackOff.TotalSeconds * Math.Pow(2, Math.Min(round - 1, 20)), LongestBackOff.TotalSeconds);
        var spread = Math.Clamp(full * (0.8 + 0.4 * jitter), ShortestBackOff.TotalSeconds, LongestBackOff.TotalSeconds);
        return Longer(TimeSpan.FromSeconds(spread), Capped(retryAfter));
    }

    static TimeSpan Capped(TimeSpan? asked) =>
        asked is not { } span || span < TimeSpan.Zero ? TimeSpan.Zero : span < LongestRetryAfter ? span : LongestRetryAfter;

    static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;

    static Decision EndAll(Lease lease, RecipientState state, string reason, HeldReason held = HeldReason.None) =>
        new([.. Suppressed(lease), .. Open(lease).Select(r => new RecipientEnd(r.N, state, null, reason, held))], []);

    static Decision ContinueAll(Lease lease, Step step) => new(
        Suppressed(lease),
        Together(lease.Envelope, lease.Envelope.History.Last, [.. Open(lease).Select(r => (r.N, step, (Outcome?)null))]));

    static List<RecipientEnd> Suppressed(Lease lease) =>
        [.. lease.Suppressed.OrderBy(s => s.Key).Select(s => new RecipientEnd(s.Key, RecipientState.Suppressed, null, s.Value))];

    static IEnumerable<MessageRecipient> Open(Lease lease) => lease.Recipients.Where(r => !lease.Suppressed.ContainsKey(r.N));

    static Outcome? Find(IReadOnlyList<RecipientOutcome> outcomes, int n)
    {
        foreach (var outcome in outcomes)
        {
            if (outcome.N == n)
                return outcome.Outcome;
        }
        return null;
    }

    /// <summary>Recipients with the same next step stay together in one envelope.</summary>
    static IReadOnlyList<Continuation> Together(
        QueuedEnvelope envelope, string? transport, List<(int N, Step Step, Outcome? Outcome)> steps, long place = 0) =>
        steps.Count == 0 ? [] : [.. steps.GroupBy(s => s.Step).Select(group => new Continuation
        {
            Recipients = [.. group.Select(s => s.N).Order()],
            State = group.Key.State,
            DueAt = group.Key.DueAt,
            Reason = group.Key.Reason,
            Deferrals = group.Key.Deferrals,
            Rounds = group.Key.Rounds,
            History = group.Key.Apply(envelope.History, transport, place),
            LastOutcome = group.First().Outcome,
        })];
}

/// <summary>What the policy knows of an attempt beside its outcomes.</summary>
/// <param name="Idempotent">The provider recognises a repetition by a key of ours.</param>
/// <param name="Place">Where the transport leads.</param>
sealed record AttemptFacts(string Transport, bool Idempotent, RoutePatience Route, long Place = 0);

/// <summary>What the policy reads of a route.</summary>
/// <param name="Transports">All of them by name, in order, whether or not they work now.</param>
/// <param name="Schedule">The delays after deferrals.</param>
/// <param name="SpillAfter">Mail of a throttled transport goes to the next one when the wait is not known or longer than this; null: it
/// waits.</param>
/// <param name="Settle">How long an unknown outcome of this transport and stream waits for evidence.</param>
/// <param name="Places">Where each transport leads; null: all are of the configuration.</param>
sealed record RoutePatience(IReadOnlyList<string> Transports, DeferralSchedule Schedule, TimeSpan? SpillAfter, TimeSpan Settle,
    IReadOnlyList<long>? Places = null)
{
    /// <summary>It has the transport of this name, and that leads where it led.</summary>
    public bool LeadsTo(string transport, long place)
    {
        for (var i = 0; i < Transports.Count; i++)
            if (Transports[i] == transport && (Places?[i] ?? 0) == place)
                return true;
        return false;
    }
}

/// <summary>What becomes of the recipients of a lease: each is in exactly one of the two.</summary>
sealed record Decision(IReadOnlyList<RecipientEnd> Ends, IReadOnlyList<Continuation> Continues);
