using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <content>From permits to leases to attempts, and back where an attempt cannot be made now.</content>
public sealed partial class Dispatcher
{
    /// <summary>Leases that were given back wait from 200 ms, doubling to 10 s while it goes on: each costs two commits.</summary>
    static readonly TimeSpan ShortestRelease = TimeSpan.FromMilliseconds(200);
    static readonly TimeSpan LongestRelease = TimeSpan.FromSeconds(10);

    /// <summary>Leases what is due, up to the permits in hand, and starts it. Counted in flight by the caller.</summary>
    async Task LeaseAsync(DueKeyState state, long version, List<Permit> hand, Route route)
    {
        var asked = hand.Count;
        var leased = 0;
        try
        {
            var leases = await _store.LeaseAsync(state.Key, asked, _owner, _time.Now, alone: false, CancellationToken.None);
            leased = leases.Count;
            _metrics.Leased(leased);
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
            if (_due.EndLease(state, version, asked, leased))
                Volatile.Write(ref _pollWanted, 1);
            Leave();
        }
    }

    /// <summary>Gives each lease a permit that is good for it; the permits used are taken out of <paramref name="hand"/>.</summary>
    async Task StartAsync(IReadOnlyList<Lease> leases, List<Permit> hand, Route route, DueKeyState state)
    {
        List<Lease>? unplaced = null;
        foreach (var lease in leases)
        {
            if (_open && Place(lease, hand, route) is { } permit)
                Begin(lease, permit, route);
            else
                (unplaced ??= []).Add(lease);
        }
        if (unplaced is null)
            state.ReleaseDelay = TimeSpan.Zero;
        else
            await ReleaseAsync(unplaced, route, state);
    }

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
            // No transport of the route may ever carry it: the attempt at one of them says so, on the timeline, without touching the network.
            fitting = Math.Max(0, hand.FindIndex(permit => !lease.Envelope.History.Excludes(permit.Transport.Name)));
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

    /// <summary>Starts the attempt on the thread pool; the permit is freed when its outcome is on disk.</summary>
    void Begin(Lease lease, Permit permit, Route route)
    {
        Interlocked.Increment(ref _inFlight);
        _ = Task.Run(() => Guarded(() => AttemptAsync(lease, permit, route)));
    }

    async Task AttemptAsync(Lease lease, Permit permit, Route route)
    {
        try
        {
            AttemptEnd end;
            using (permit)
                end = await _lanes.Of(permit.Transport).AttemptAsync(lease, permit, route, Stop);
            if (end == AttemptEnd.NotStarted)
                await ReleaseAsync([lease], route, _due.Get(lease.Envelope.Key));
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Gives leases back that cannot be attempted now: due again when their transport may have come back, or after a growing delay.</summary>
    async Task ReleaseAsync(IReadOnlyList<Lease> leases, Route route, DueKeyState state)
    {
        var now = _time.Now;
        state.ReleaseDelay = state.ReleaseDelay == TimeSpan.Zero ? ShortestRelease : state.ReleaseDelay * 2 < LongestRelease ? state.ReleaseDelay * 2 : LongestRelease;
        foreach (var group in leases.GroupBy(lease => WaitOf(lease, route, now, state.ReleaseDelay)))
        {
            if (await _recorder.ReleaseAsync([.. group], group.Key.DueAt, group.Key.Reason, _now.Token))
                _due.Add(state.Key, group.Key.DueAt, now);
        }
    }

    (DateTimeOffset DueAt, WaitReason Reason) WaitOf(Lease lease, Route route, DateTimeOffset now, TimeSpan delay)
    {
        if (!_open)
            return (now, WaitReason.Released);
        var wait = route.WhyNot(NeedsOf(lease, route), lease.Envelope.Key.Stream);
        var longer = wait.Remaining is { } known && known > delay && wait.Cause != WaitCause.Busy ? known : delay;
        return (now + longer, wait.Reason == WaitReason.None ? WaitReason.Released : wait.Reason);
    }

    void Leave()
    {
        Interlocked.Decrement(ref _inFlight);
        if (_draining.IsCancellationRequested)
            _left.Release();
        else if (Volatile.Read(ref _pollWanted) == 1)
            Wake();
    }
}
