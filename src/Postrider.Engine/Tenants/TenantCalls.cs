using System.Collections.Concurrent;
using System.Globalization;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>How many calls of the API a tenant may make in a minute: a bucket for each tenant on each node, which holds a minute's calls
/// and fills evenly.</summary>
/// <remarks>After a quiet minute a minute's calls may come at once. Several nodes each give the whole limit: it guards a node, it is no
/// quota.</remarks>
public sealed class TenantCalls(TenantDirectory tenants, TimeProvider clock)
{
    readonly ConcurrentDictionary<TenantId, Bucket> _buckets = new();

    /// <summary>Takes one call; the refusal where there is none left.</summary>
    public Problem? Refuse(TenantId tenant)
    {
        if (tenants.SettingsOf(tenant).ApiCallsPerMinute is not (> 0 and var limit))
            return null;
        var bucket = _buckets.GetOrAdd(tenant, _ => new Bucket(limit, clock.GetTimestamp()));
        return bucket.Take(limit, clock) is { } wait ? TooMany(limit, wait) : null;
    }

    static Problem TooMany(int limit, TimeSpan wait) => new("rate-limited", 429, "Rate limited", string.Create(
        CultureInfo.InvariantCulture,
        $"This tenant may make {limit} calls in a minute. Nothing was done; call again when Retry-After is over."))
    {
        RetryAfter = wait,
    };

    /// <summary>The calls that a tenant has left.</summary>
    sealed class Bucket(double left, long at)
    {
        readonly Lock _lock = new();
        double _left = left;
        long _at = at;

        /// <summary>Null: taken; else how long until the next is there.</summary>
        public TimeSpan? Take(int limit, TimeProvider clock)
        {
            lock (_lock)
            {
                var now = clock.GetTimestamp();
                var minutes = clock.GetElapsedTime(_at, now).TotalMinutes;
                (_left, _at) = (Math.Min(limit, _left + minutes * limit), now);
                if (_left < 1)
                    return TimeSpan.FromMinutes((1 - _left) / limit);
                _left--;
                return null;
            }
        }
    }
}
