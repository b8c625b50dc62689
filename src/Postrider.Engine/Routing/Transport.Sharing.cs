using Postrider.Messages;

namespace Postrider.Routing;

/// <content>What it shares with the same transport on other nodes: rate, circuit, waits, pauses, refused sender domains.</content>
/// <remarks>
/// Each node has the whole state and decides by itself; what changes it is told, and what others tell is taken over. One thing must be
/// asked for first: to make the probe of a half-open circuit, which only one node may.
/// </remarks>
public sealed partial class Transport
{
    /// <summary>An envelope whose instant has passed waits so long for another, and then so long in all.</summary>
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);
    static readonly TimeSpan LongestLate = TimeSpan.FromSeconds(1);

    /// <summary>Longer than any lane waits within an attempt.</summary>
    static readonly TimeSpan TooLate = TimeSpan.FromMinutes(1);

    /// <summary>Between two questions whether this node may probe.</summary>
    static readonly TimeSpan BetweenProbes = TimeSpan.FromSeconds(1);

    /// <summary>Leave to probe for which there was no work goes to others after this.</summary>
    static readonly TimeSpan UnusedProbe = TimeSpan.FromSeconds(2);

    /// <summary>Well within the time after which a probe of which nothing is heard is anybody's.</summary>
    static readonly TimeSpan KeepProbeEvery = TimeSpan.FromSeconds(5);

    /// <summary>Waits of which the others know all but so much are not told again.</summary>
    static readonly TimeSpan WorthTelling = TimeSpan.FromMilliseconds(100);

    // All guarded by _lock.
    readonly List<SharedChange> _toTell = [];
    bool _isShared;
    bool _isTelling;                                    // what was taken to be told is not told yet: nothing older is taken over
    bool _mayProbe;                                     // the one probe is this node's, under way or not
    TimeSpan _mayProbeSince;                            // or when that was last told
    TimeSpan? _probeAskedAt;
    long _seen;                                         // version of what was taken over last

    /// <summary>There is something to fetch for it or to tell of it. Raised outside of the lock.</summary>
    internal event Action? AskedForMore;

    /// <summary>From now on it is one for all nodes; before any permit is taken.</summary>
    internal void Share()
    {
        lock (_lock)
        {
            _isShared = true;
            _share ??= Options.Rate is { } rate ? new RateShare(Key, rate) : null;
            _domains?.Share(Key);
        }
    }

    /// <summary>What to ask the shared budgets for, its own and those of recipients' domains; <see cref="Take(RateGrant)"/> or <see
    /// cref="AskFailed"/> follows for each.</summary>
    internal IReadOnlyList<RateAsk> NextAsks()
    {
        lock (_lock)
        {
            var now = Now;
            return [.. _share?.NextAsk(now) is { } own ? new[] { own } : [], .. _domains?.NextAsks(now) ?? []];
        }
    }

    internal void Take(RateGrant grant)
    {
        lock (_lock)
            if (grant.Key == Key)
                _share?.Granted(grant, Now);
            else
                _domains?.Granted(grant, Now);
        Tell(capacity: true);
    }

    internal void AskFailed(string key)
    {
        lock (_lock)
            if (key == Key)
                _share?.AskFailed();
            else
                _domains?.AskFailed(key);
    }

    /// <summary>Of its budgets what this node took and does not need.</summary>
    /// <param name="all">The node stops.</param>
    internal IReadOnlyList<RateAsk> TakeUnused(bool all)
    {
        lock (_lock)
        {
            var now = Now;
            return [.. _share?.TakeUnused(now, all) is { } own ? new[] { own } : [], .. _domains?.TakeUnused(now, all) ?? []];
        }
    }

    TimeSpan? EarliestOfDomains_NeedsLock(Permit permit, IReadOnlyList<string> domains, TimeSpan now)
    {
        if (_domains!.EarliestToEnter(domains, now) is not { } free)
            return null;
        if (!_isShared)
            return free;
        if (free <= now)
        {
            if (permit.WaitsForDomains is not null)
                permit.LateSince = null;
            return free;
        }
        if (permit.Instant is { } held)
            _share?.Return(held, now);
        permit.Instant = null;
        if (permit.WaitsForDomains is null)
            _domains.Wait(permit.WaitsForDomains = domains, 1);
        _more |= _domains.WouldAsk;
        permit.LateSince ??= now;
        return now - permit.LateSince < LongestLate ? free : free > now + TooLate ? free : now + TooLate;
    }

    void EndWait_NeedsLock(Permit permit)
    {
        if (permit.WaitsForDomains is { } domains)
            _domains?.Wait(domains, -1);
        permit.WaitsForDomains = null;
    }

    /// <summary>What the other nodes are to know; <see cref="Told"/> follows.</summary>
    internal IReadOnlyList<SharedChange> TakeToTell()
    {
        lock (_lock)
        {
            TendProbe_NeedsLock(Now);
            if (_toTell.Count == 0)
                return [];
            SharedChange[] changes = [.. _toTell];
            _toTell.Clear();
            _isTelling = true;
            return changes;
        }
    }

    /// <param name="failed">Those that are to be told again.</param>
    /// <param name="mayProbe">The probe was asked for, and this node may make it.</param>
    internal void Told(IReadOnlyList<SharedChange> failed, bool mayProbe)
    {
        lock (_lock)
        {
            _isTelling = false;
            _toTell.InsertRange(0, failed.Where(
                change => change.Kind is not (SharedChangeKind.TakeProbe or SharedChangeKind.KeepProbe)));
            if (mayProbe)
            {
                (_mayProbe, _mayProbeSince) = (true, Now);
                _circuit = Circuit.ReturnProbe(_circuit);
            }
        }
        Tell(capacity: mayProbe);
    }

    /// <summary>Takes over how it stands for all nodes.</summary>
    internal void Adopt(SharedState state)
    {
        lock (_lock)
        {
            if (_isTelling || _toTell.Count > 0 || state.Version <= _seen)
                return; // what is told comes back with a version of its own
            _seen = state.Version;
            var now = Now;
            SetPaused_NeedsLock(state.IsPaused);
            _limiter = _limiter with { NotBefore = state.NotBefore > TimeSpan.Zero ? now + state.NotBefore : default };
            _refusedDomains.Clear();
            foreach (var (domain, span) in state.RefusedDomains)
                _refusedDomains[domain] = now + span;
            if (Options.Circuit is not null)
                AdoptCircuit_NeedsLock(state, now);
            _toTell.Clear(); // what was just heard
        }
        Tell(capacity: true);
    }

    void AdoptCircuit_NeedsLock(SharedState state, TimeSpan now)
    {
        if (state.IsProbedHere)
            return; // this node knows better
        _mayProbe = false;
        switch (state.Circuit)
        {
            case CircuitPosition.Closed:
                Apply_NeedsLock(Circuit.Close(_circuit, now, state.Reason));
                break;
            case CircuitPosition.Open or CircuitPosition.HalfOpen:
                var was = _circuit.Position;
                _circuit = _circuit with
                {
                    Position = state.Circuit,
                    Until = now + state.OpenFor,
                    Openings = state.Openings,
                    ProbeOut = state.Circuit == CircuitPosition.HalfOpen,
                };
                _probe = null;
                if (was == CircuitPosition.Closed)
                    Note_NeedsLock(new TransportChange(Key, TransportChangeKind.CircuitOpened, _clock.GetUtcNow(),
                        $"on another node: {state.Reason}", Wall(_circuit.Until, now)));
                break;
        }
    }

    void Share_NeedsLock(SharedChangeKind kind, TimeSpan span = default, int openings = 0, string text = "")
    {
        if (!_isShared)
            return;
        _toTell.Add(new SharedChange(Key, kind, span, openings, text));
        _more = true;
    }

    void ShareCircuit_NeedsLock(CircuitChange change)
    {
        switch (change.To)
        {
            case CircuitPosition.Open:
                Share_NeedsLock(SharedChangeKind.Open, change.OpenFor, _circuit.Openings, change.Reason);
                _mayProbe = false;
                break;
            case CircuitPosition.Closed:
                Share_NeedsLock(SharedChangeKind.Close, text: change.Reason);
                _mayProbe = false;
                break;
            case CircuitPosition.HalfOpen:
                break; // the others know since this node asked
        }
    }

    /// <summary>Of a probe that is over, or for which there is no work, others are told that they may; of one under way that it
    /// is.</summary>
    void TendProbe_NeedsLock(TimeSpan now)
    {
        if (!_mayProbe)
            return;
        if (_probe is null && now - _mayProbeSince > UnusedProbe)
        {
            _mayProbe = false;
            Share_NeedsLock(SharedChangeKind.ReturnProbe);
        }
        else if (_probe is not null && now - _mayProbeSince > KeepProbeEvery)
        {
            _mayProbeSince = now;
            Share_NeedsLock(SharedChangeKind.KeepProbe);
        }
    }

    /// <summary>The circuit lets one attempt through, if this node may make it.</summary>
    bool NeedsLeaveToProbe_NeedsLock(TimeSpan now) => _isShared && !_mayProbe && _circuit.Position switch
    {
        CircuitPosition.Closed => false,
        CircuitPosition.Open => now >= _circuit.Until,
        CircuitPosition.HalfOpen => true,
    };

    void WantProbe_NeedsLock(TimeSpan now)
    {
        if (!NeedsLeaveToProbe_NeedsLock(now) || now - _probeAskedAt < BetweenProbes)
            return;
        _probeAskedAt = now;
        Share_NeedsLock(SharedChangeKind.TakeProbe);
    }

    int KeptBack(MailStream stream) => stream == MailStream.Bulk ? Options.Rate?.KeptForTransactional ?? 0 : 0;

    void Want_NeedsLock(MailStream stream, bool isRefused, TimeSpan now)
    {
        _share?.Want(KeptBack(stream), isRefused, now);
        _more |= _share?.WouldAsk(now) == true;
    }

    WaitInfo? WhyRateLimited_NeedsLock(MailStream stream, TimeSpan now)
    {
        if (_share is null)
        {
            var earliest = Gcra.Earliest(_limiter, Options.Rate, now, _uncharged, KeptBack(stream));
            return earliest > now ? Wait(WaitCause.RateLimited, earliest, now) : null;
        }
        if (_share.Earliest(now) is not { } next)
            return Wait(WaitCause.RateLimited, _share.NoneBefore(now), now);
        return next > now ? Wait(WaitCause.RateLimited, next, now) : null;
    }

    TimeSpan EarliestToSend_NeedsLock(Permit permit, TimeSpan now)
    {
        // The first try has its place reserved, but others may have gone into debt or been throttled since.
        if (_share is null)
            return Gcra.Earliest(_limiter, Options.Rate, now, permit.Charged ? _uncharged : 0);
        if (permit.Instant is { } late && late + _share.Grace < now)
            permit.Instant = null;
        if (_share.IsInDebt && permit.Instant is not null)
        {
            _share.Pay();
            permit.Instant = null;
        }
        if (!_share.IsInDebt)
            permit.Instant ??= _share.Take(now);
        if (permit.Instant is { } instant)
            return instant > _limiter.NotBefore ? instant : _limiter.NotBefore;
        Want_NeedsLock(permit.Stream, isRefused: true, now);
        permit.LateSince ??= now;
        return now + (now - permit.LateSince < LongestLate ? LookAgain : TooLate);
    }
}
