namespace Postrider.Routing;

/// <content>Its quotas: a part of each is fetched in advance, and when nothing is left it takes no mail until the next day or
/// month.</content>
public sealed partial class Transport
{
    readonly List<QuotaShare> _quotas = [];             // guarded by _lock; empty: none, or nothing counts them here

    /// <summary>From now on its quotas are kept, and must be fetched; before any permit is taken.</summary>
    internal void CountQuotas()
    {
        lock (_lock)
            if (_quotas.Count == 0)
                _quotas.AddRange(Options.Quotas.Select(quota => new QuotaShare($"transport {Key}", quota)));
    }

    /// <summary>What to fetch now; <see cref="Take(QuotaAsk, long?)"/> follows for each.</summary>
    internal IReadOnlyList<QuotaAsk> NextQuotaAsks()
    {
        lock (_lock)
            return [.. _quotas.Select(quota => quota.NextAsk()).OfType<QuotaAsk>()];
    }

    /// <param name="count">Null: it could not be fetched.</param>
    internal void Take(QuotaAsk ask, long? count)
    {
        lock (_lock)
        {
            var quota = _quotas.First(quota => quota.Quota == ask.Quota);
            if (count is { } granted)
                quota.Granted(ask, granted, _clock.GetUtcNow());
            else
                quota.AskFailed();
        }
        Tell(capacity: true);
    }

    /// <param name="all">The node stops.</param>
    internal IReadOnlyList<QuotaAsk> TakeUnusedQuotas(bool all)
    {
        lock (_lock)
            return [.. _quotas.Select(quota => quota.TakeUnused(all)).OfType<QuotaAsk>()];
    }

    internal void KeepUnusedQuota(QuotaAsk unused)
    {
        lock (_lock)
            _quotas.First(quota => quota.Quota == unused.Quota).KeepUnused(unused);
    }

    void WantQuota_NeedsLock(int recipients)
    {
        if (_quotas.Count == 0)
            return;
        var now = _clock.GetUtcNow();
        foreach (var quota in _quotas)
        {
            quota.Want(recipients, now);
            _more |= quota.WouldAsk;
        }
    }

    WaitInfo? WhyQuota_NeedsLock(int recipients, TimeSpan now)
    {
        if (_quotas.Count == 0)
            return null;
        var wall = _clock.GetUtcNow();
        foreach (var quota in _quotas)
            if (!quota.Has(recipients, wall))
                return quota.SpentUntil(wall) is { } until
                    ? Wait(WaitCause.QuotaSpent, now + (until - wall), now)
                    : Wait(WaitCause.RateLimited, null, now);
        return null;
    }

    /// <summary>Whether so many recipients may go: zero now, longer once more is fetched; null: the quota is spent.</summary>
    TimeSpan? TakeQuota_NeedsLock(Permit permit, int recipients, TimeSpan now)
    {
        if (WhyQuota_NeedsLock(recipients, now) is not { } wait)
            return TimeSpan.Zero;
        if (wait.Cause == WaitCause.QuotaSpent)
            return null;
        WantQuota_NeedsLock(recipients);
        permit.LateSince ??= now;
        return now - permit.LateSince < LongestLate ? LookAgain : TooLate;
    }
}
