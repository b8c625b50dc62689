using Postrider.Messages;

namespace Postrider.Routing;

/// <content>What it shares with the same transport on other nodes: its rate.</content>
public sealed partial class Transport
{
    /// <summary>An envelope whose instant has passed waits so long for another, and then so long in all.</summary>
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);
    static readonly TimeSpan LongestLate = TimeSpan.FromSeconds(1);

    /// <summary>Longer than any lane waits within an attempt.</summary>
    static readonly TimeSpan TooLate = TimeSpan.FromMinutes(1);

    /// <summary>More of a shared budget may be wanted than is held. Raised outside of the lock.</summary>
    internal event Action? AskedForMore;

    /// <summary>From now on its rate is one for all nodes; before any permit is taken.</summary>
    internal void Share()
    {
        lock (_lock)
            _share ??= Options.Rate is { } rate ? new RateShare(Name, rate) : null;
    }

    /// <summary>What to ask the shared budget for; <see cref="Take(RateGrant)"/> or <see cref="AskFailed"/> follows. Null: nothing.</summary>
    internal RateAsk? NextAsk()
    {
        lock (_lock)
            return _share?.NextAsk(Now);
    }

    internal void Take(RateGrant grant)
    {
        lock (_lock)
            _share?.Granted(grant, Now);
        Tell(capacity: true);
    }

    internal void AskFailed()
    {
        lock (_lock)
            _share?.AskFailed();
    }

    /// <summary>Of its budget what this node took and does not need.</summary>
    /// <param name="all">The node stops.</param>
    internal RateAsk? TakeUnused(bool all)
    {
        lock (_lock)
            return _share?.TakeUnused(Now, all);
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
