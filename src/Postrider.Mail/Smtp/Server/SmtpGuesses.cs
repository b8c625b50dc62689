using System.Net;

namespace Postrider.Mail.Smtp.Server;

/// <summary>Counts failed authentications by address, so that guessing gets slower wherever it reconnects.</summary>
sealed class SmtpGuesses(SmtpServerOptions options, TimeProvider clock)
{
    const int MaxAddresses = 10_000;
    static readonly TimeSpan Forget = TimeSpan.FromMinutes(15);

    readonly Lock _lock = new();
    readonly Dictionary<IPAddress, (int Count, long At)> _failures = [];

    /// <summary>How long the answer to one more failure is held back.</summary>
    public TimeSpan Failed(IPAddress address)
    {
        var source = Source(address);
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            if (_failures.Count >= MaxAddresses && !_failures.ContainsKey(source))
                Purge_NeedsLock(now);
            if (_failures.Count >= MaxAddresses && !_failures.ContainsKey(source))
                return options.MaxAuthDelay; // under attack from everywhere
            var (count, at) = _failures.GetValueOrDefault(source);
            if (clock.GetElapsedTime(at, now) > Forget)
                count = 0;
            _failures[source] = (count + 1, now);
            var delay = options.AuthDelay * Math.Pow(2, Math.Min(count, 20));
            return delay < options.MaxAuthDelay ? delay : options.MaxAuthDelay;
        }
    }

    /// <summary>What counts as one source: an address of IPv4, a /64 of IPv6, which is what one customer gets (RFC 6177 §2).</summary>
    public static IPAddress Source(IPAddress address)
    {
        Span<byte> octets = stackalloc byte[16];
        if (!address.TryWriteBytes(octets, out var length) || length != 16)
            return address;
        octets[8..].Clear();
        return new IPAddress(octets);
    }

    void Purge_NeedsLock(long now)
    {
        foreach (var (address, failure) in _failures)
        {
            if (clock.GetElapsedTime(failure.At, now) > Forget)
                _failures.Remove(address);
        }
    }
}
