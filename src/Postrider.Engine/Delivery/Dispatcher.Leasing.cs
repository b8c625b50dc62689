using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <content>From permits to leases to attempts, and back where an attempt cannot be made now.</content>
public sealed partial class Dispatcher
{
    /// <summary>Leases that were given back wait from 100 ms, doubling to 10 s while it goes on: each costs two commits.</summary>
    static readonly TimeSpan ShortestRelease = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LongestRelease = TimeSpan.FromSeconds(10);

    /// <summary>Leases what is due, up to the permits in hand, and starts it. Counted in flight by the caller.</summary>
    async Task LeaseAsync(DueKeyState state, long version, List<Permit> hand, Route route)
    {
        var asked = hand.Count;
        var inHand = asked;
        var leased = 0;
        try
        {
            var began = _time.Now;
            var leases = await _store.LeaseAsync(
                state.Key, asked, _node.Incarnation, _time.Earliest, alone: false, CancellationToken.None);
            leased = leases.Count;
            StoreIsBack();
            _metrics.Leased(leased);
            foreach (var lease in leases)
                AttemptTrace.Leased(lease, "queue", began);
            await StartAsync(leases, hand, route, state);
        }
        catch
        {
            asked = 0;
            throw;
        }
        finally
        {
            foreach (var permit in hand)
                permit.Dispose();
            Interlocked.Add(ref _inHand, -inHand);
            if (_due.EndLease(state, version, asked, leased))
                Volatile.Write(ref _pollWanted, 1);
            Leave();
            Wake(); // it may be due again, and permits may be left
        }
    }

    /// <summary>Gives each lease a permit that is good for it; the permits used are taken out of <paramref name="hand"/>.</summary>
    async Task StartAsync(IReadOnlyList<Lease> leases, List<Permit> hand, Route route, DueKeyState state)
    {
        List<Lease>? unplaced = null;
        foreach (var lease in leases)
        {
            if (_open && Place(lease, hand, route) is { } permit)
            {
                Interlocked.Increment(ref _inFlight);
                StartApart(() => AttemptAsync(lease, permit, route));
            }
            else
            {
                (unplaced ??= []).Add(lease);
            }
        }
        if (unplaced is null)
            state.ReleaseDelay = TimeSpan.Zero;
        else
            await PutOffAsync(unplaced, route, state);
    }

    /// <summary>No permit is good for these now: they wait for one, or for the next round where what is left of this one does not
    /// work.</summary>
    async Task PutOffAsync(List<Lease> leases, Route route, DueKeyState state)
    {
        var stuck = _open ? leases.FindAll(lease => IsStuck(lease, route)) : [];
        foreach (var lease in stuck)
        {
            var decision = EndRound(lease, route);
            var nothing = new Attempt { StartedAt = _time.Now, Outcomes = [] };
            await _recorder.RecordAsync(
                new AttemptRecord { Lease = lease, Attempt = nothing, Ends = decision.Ends, Continues = decision.Continues }, _now.Token);
        }
        leases.RemoveAll(stuck.Contains);
        if (leases.Count > 0)
            await ReleaseAsync(leases, route, state);
    }

    Decision EndRound(Lease lease, Route route) =>
        lease.Envelope.History.PinnedTo is { } pinned && route.Transports.FirstOrDefault(transport => transport.Name == pinned) is { } only
            ? FailurePolicy.EndPin(lease, pinned, _lanes.Of(only).PatienceOf(route, lease.Envelope.Key.Stream), _time.Now)
            : FailurePolicy.EndRound(lease, _time.Now, _jitter());

    // Without this, mail that failed at a relay which is back would wait for another that stays away, one probe at a time; and mail that
    // only one
    // provider may be asked about would wait for that one until it expires. Under hold it does: no other may have it anyway.
    static bool IsStuck(Lease lease, Route route) => HasOtherWays(lease.Envelope)
        && route.WhyNot(NeedsOf(lease, route), lease.Envelope.Key.Stream).Cause
            is WaitCause.CircuitOpen or WaitCause.Probing or WaitCause.Stalled or WaitCause.Paused or WaitCause.Unusable
                or WaitCause.SenderDomainRefused or WaitCause.QuotaSpent;

    static bool HasOtherWays(QueuedEnvelope envelope) => envelope.History.PinnedTo is null
        ? envelope.History.FailedThisRound.Count > 0
        : envelope.OnAmbiguous == AmbiguityPolicy.Retry;

    static Permit? Place(Lease lease, List<Permit> hand, Route route)
    {
        var needs = NeedsOf(lease, route);
        var fitting = hand.FindIndex(permit => Route.Fits(permit, needs));
        if (fitting < 0)
        {
            if (route.TakeFor(needs, lease.Envelope.Key.Stream) is { } other)
                return other;
            if (hand.Count == 0 || route.HasAnyFor(needs))
                return null;
            // No transport of the route may ever carry it: the attempt at one that was not asked yet says so, on the timeline, without
            // touching
            // the network. Where all were asked, the lane decides without an attempt.
            var history = lease.Envelope.History;
            fitting = hand.FindIndex(permit => !history.Excludes(permit.Transport.Name));
            if (fitting < 0 && !route.Transports.All(transport => history.Excludes(transport.Name)))
                return route.TakeFor(new EnvelopeNeeds { History = history }, lease.Envelope.Key.Stream);
            fitting = Math.Max(0, fitting);
        }
        var chosen = hand[fitting];
        hand.RemoveAt(fitting);
        return chosen;
    }

    static EnvelopeNeeds NeedsOf(Lease lease, Route route) => new()
    {
        RecipientDomains = route.HasDomainLimits ? DomainsOf(lease.Recipients) : null,
        History = lease.Envelope.History,
        SenderDomain = lease.Message.Content.From.Address.AsciiDomain,
        Bytes = lease.Message.ApproximateBytes,
        SmtpUtf8 = lease.Message.Content.From.Address.NeedsSmtpUtf8,
    };

    internal static IReadOnlyList<string> DomainsOf(IReadOnlyList<MessageRecipient> recipients) =>
        [.. recipients.Select(recipient => recipient.Mailbox.Address.AsciiDomain)];

    /// <summary>The permit is freed when the outcome is on disk. Counted in flight by the caller.</summary>
    async Task AttemptAsync(Lease lease, Permit permit, Route route)
    {
        try
        {
            // A transport may take its leave back until the attempt begins; then another one may still give it.
            var next = permit;
            for (var asked = 0; next is not null && asked < route.Transports.Count; asked++)
            {
                using var leave = next;
                var end = await _lanes.Of(leave.Transport).AttemptAsync(lease, leave, route, Stop);
                if (end == AttemptEnd.Lost)
                    await _now.CancelAsync(); // the store is gone for good: attempts that run on only become duplicates
                if (end is AttemptEnd.Recorded or AttemptEnd.Lost)
                    return;
                next = _open && end == AttemptEnd.NotStarted ? route.TakeFor(NeedsOf(lease, route), lease.Envelope.Key.Stream) : null;
            }
            next?.Dispose();
            await ReleaseAsync([lease], route, _due.Get(lease.Envelope.Key));
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Gives leases back that cannot be attempted now: due again when their transport may have come back.</summary>
    async Task ReleaseAsync(IReadOnlyList<Lease> leases, Route route, DueKeyState state)
    {
        var now = _time.Now;
        var doubled = state.ReleaseDelay * 2 < LongestRelease ? state.ReleaseDelay * 2 : LongestRelease;
        state.ReleaseDelay = doubled > ShortestRelease ? doubled : ShortestRelease;
        foreach (var group in leases.GroupBy(lease => WaitOf(lease, route, state.ReleaseDelay)))
        {
            var due = now + group.Key.Delay;
            if (await _recorder.ReleaseAsync([.. group], due, group.Key.Reason, _now.Token))
                _due.Add(state.Key, due, now);
        }
    }

    (TimeSpan Delay, WaitReason Reason) WaitOf(Lease lease, Route route, TimeSpan growing)
    {
        if (!_open)
            return (TimeSpan.Zero, WaitReason.Released);
        var wait = route.WhyNot(NeedsOf(lease, route), lease.Envelope.Key.Stream);
        return wait.Cause switch
        {
            WaitCause.None => (growing, WaitReason.NextTransport),
            // Healthy: a slot comes free soon.
            WaitCause.Busy or WaitCause.Unproven => (ShortestRelease, wait.Reason),
            WaitCause.Paused or WaitCause.Unusable or WaitCause.Stalled or WaitCause.CircuitOpen or WaitCause.Probing
                or WaitCause.SenderDomainRefused or WaitCause.RateLimited or WaitCause.Throttled or WaitCause.DomainLimited
                or WaitCause.NotEligible or WaitCause.QuotaSpent =>
                (wait.Remaining is { } known && known > growing ? known : growing, wait.Reason),
        };
    }

    void Leave()
    {
        Interlocked.Decrement(ref _inFlight);
        if (_standsDown || _draining.IsCancellationRequested)
            _left.Release();
        else if (_quiet || _options.Concurrency > 0)
            Wake();
    }
}
