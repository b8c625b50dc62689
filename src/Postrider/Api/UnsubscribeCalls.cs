using System.Net;

namespace Postrider.Api;

/// <summary>How often links to unsubscribe may be used, by one source and for one address, on this node: they are open to all, and each
/// use is
/// written to disk.</summary>
sealed class UnsubscribeCalls(TimeProvider clock)
{
    /// <summary>In a minute. Large mailbox hosts call for all their users from few addresses.</summary>
    const int PerSource = 1_200;

    /// <summary>In a minute. A mail program that hears nothing calls again.</summary>
    const int PerAddress = 6;

    /// <summary>Sources and addresses that are told apart; those beyond share one bucket.</summary>
    const int MostBuckets = 20_000;

    static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    static readonly object Others = new();

    readonly Lock _lock = new();
    readonly Dictionary<object, (double Left, long At)> _buckets = []; // guarded by _lock

    /// <summary>Null: the call may be made; else how long until the next may.</summary>
    public TimeSpan? OfSource(IPAddress? source) => Take(source is null ? Others : Network(source), PerSource);

    /// <summary>Null: the address may be unsubscribed; else how long until it may be again.</summary>
    public TimeSpan? OfAddress(int tenant, string address) => Take((tenant, address.ToUpperInvariant()), PerAddress);

    TimeSpan? Take(object key, int limit)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (_buckets.Count >= MostBuckets && !_buckets.ContainsKey(key))
            {
                foreach (var (old, bucket) in _buckets)
                    if (clock.GetElapsedTime(bucket.At, now) >= Minute)
                        _buckets.Remove(old); // full again
                if (_buckets.Count >= MostBuckets)
                    (key, limit) = (Others, PerSource);
            }
            var (left, at) = _buckets.TryGetValue(key, out var found) ? found : (limit, now);
            left = Math.Min(limit, left + clock.GetElapsedTime(at, now) / Minute * limit);
            _buckets[key] = (left < 1 ? left : left - 1, now);
            return left < 1 ? Minute * ((1 - left) / limit) : null;
        }
    }

    /// <summary>An address of IPv4, a /64 of IPv6: what one customer gets (RFC 6177 §2).</summary>
    static IPAddress Network(IPAddress source)
    {
        if (source.IsIPv4MappedToIPv6)
            return source.MapToIPv4();
        Span<byte> octets = stackalloc byte[16];
        if (!source.TryWriteBytes(octets, out var length) || length != 16)
            return source;
        octets[8..].Clear();
        return new IPAddress(octets);
    }
}
