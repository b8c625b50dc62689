using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>What one recipient domain may be given through a transport.</summary>
/// <param name="Domain">Lower-case A-labels, or <c>*</c> for every domain that is not named.</param>
/// <param name="Concurrency">Attempts at a time; null: no limit.</param>
/// <param name="Rate">Recipients per span; null: no limit.</param>
/// <param name="Backoff">First pause after the domain answered 421 (RFC 5321 §3.8: it closes the channel),
/// doubled while it goes on; null: none.</param>
public sealed record DomainLimit(string Domain, int? Concurrency, Rate? Rate, TimeSpan? Backoff)
{
    public const string Expected = "is domain:concurrency,rate,back-off for each domain, separated by ';', with '-' or nothing for no limit"
        + " and '*' for all others, such as gmail.com:5,20/s,5m;yahoo.com:2;*:20";

    public static bool TryParse(string text, out IReadOnlyList<DomainLimit> limits)
    {
        var parsed = new List<DomainLimit>();
        limits = parsed;
        foreach (var entry in text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            if (entry.Split(':') is not [var domain, var values] || values.Split(',') is not { Length: >= 1 and <= 3 } parts)
                return false;
            domain = domain.ToLowerInvariant();
            int? concurrency = null;
            Rate? rate = null;
            TimeSpan? backoff = null;
            if (IsGiven(parts, 0) && !Read(RoutingSyntax.TryNumber(parts[0], 1, 10_000, out var number), number, out concurrency)
                || IsGiven(parts, 1) && !Read(RoutingSyntax.TryRate(parts[1], out var limit), limit, out rate)
                || IsGiven(parts, 2) && !Read(Durations.TryParse(parts[2], out var span) && span > TimeSpan.Zero, span, out backoff))
                return false;
            if ((domain != "*" && !IsDomain(domain)) || parsed.Exists(other => other.Domain == domain))
                return false;
            parsed.Add(new DomainLimit(domain, concurrency, rate, backoff));
        }
        return parsed.Count > 0;

        static bool IsGiven(string[] parts, int index) => index < parts.Length && parts[index] is not ("" or "-");

        static bool Read<T>(bool valid, T value, out T? result) where T : struct
        {
            result = valid ? value : null;
            return valid;
        }
    }

    static bool IsDomain(string text) =>
        text.Length is > 0 and <= 255 && text[0] != '.' && text[^1] != '.'
            && text.All(c => c is >= 'a' and <= 'z' or >= '0' and <= '9' or '-' or '.');
}

/// <summary>How one recipient domain stands at a transport.</summary>
/// <param name="Attempts">Under way that hold a recipient of it.</param>
readonly record struct DomainState(int Attempts, GcraState Limiter);

/// <summary>The limits per recipient domain of one transport, with where each domain stands. Guarded by the transport's lock.</summary>
/// <remarks>A transport that relays for all domains would otherwise be throttled as a whole by the strictest of them.</remarks>
sealed class DomainLimits
{
    /// <summary>States are swept of idle domains when they have doubled since the last time, from this many on.</summary>
    const int FirstSweep = 1_000;

    static readonly TimeSpan LongestBackoff = TimeSpan.FromHours(1);

    readonly Dictionary<string, DomainLimit> _named = new(StringComparer.OrdinalIgnoreCase);
    readonly DomainLimit? _others;
    readonly Dictionary<string, DomainState> _states = new(StringComparer.OrdinalIgnoreCase);
    int _sweepAt = FirstSweep;

    public DomainLimits(IReadOnlyList<DomainLimit> limits)
    {
        foreach (var limit in limits)
            if (limit.Domain == "*")
                _others = limit;
            else
                _named.Add(limit.Domain, limit);
    }

    /// <summary>Goes on as the limits that were in force until now stand.</summary>
    /// <param name="shift">From their timeline to this one.</param>
    public void Succeed(DomainLimits before, TimeSpan shift, TimeSpan now)
    {
        foreach (var (domain, state) in before._states)
            _states[domain] = new DomainState(
                0, Gcra.Shift(state.Limiter, before.LimitOf(domain)?.Rate, LimitOf(domain)?.Rate, shift, now));
    }

    /// <summary>When an envelope with recipients of these domains may start: zero or less is now. Null:
    /// when one of a domain's attempts ends.</summary>
    public TimeSpan? Earliest(IReadOnlyList<string> domains, TimeSpan now)
    {
        var earliest = TimeSpan.Zero;
        foreach (var domain in domains)
        {
            if (LimitOf(domain) is not { } limit || !_states.TryGetValue(domain, out var state))
                continue;
            if (state.Attempts >= limit.Concurrency)
                return null;
            var free = Gcra.Earliest(state.Limiter, limit.Rate, now, reserved: 0);
            earliest = free > earliest ? free : earliest;
        }
        return earliest;
    }

    /// <summary>A try begins: once per recipient for the rate, once per domain for the concurrency.</summary>
    public void Enter(IReadOnlyList<string> domains, TimeSpan now)
    {
        foreach (var (domain, recipients) in domains.CountBy(domain => domain, StringComparer.OrdinalIgnoreCase))
        {
            if (LimitOf(domain) is not { } limit)
                continue;
            var state = _states.GetValueOrDefault(domain);
            _states[domain] = new DomainState(state.Attempts + 1, Gcra.Charge(state.Limiter, limit.Rate, now, recipients));
        }
        if (_states.Count >= _sweepAt)
            Sweep(now);
    }

    public void Leave(IReadOnlyList<string> domains)
    {
        foreach (var domain in domains.Distinct(StringComparer.OrdinalIgnoreCase))
            if (_states.TryGetValue(domain, out var state))
                _states[domain] = state with { Attempts = state.Attempts - 1 };
    }

    /// <summary>The domain answered 421. False: nothing is configured for that, it concerns the transport as a whole.</summary>
    public bool BackOff(string domain, TimeSpan now, TimeSpan? retryAfter)
    {
        if (LimitOf(domain)?.Backoff is not { } first)
            return false;
        var state = _states.GetValueOrDefault(domain);
        _states[domain] = state with { Limiter = Gcra.Throttle(state.Limiter, now, retryAfter, first, LongestBackoff) };
        return true;
    }

    public void Accepted(string domain)
    {
        if (_states.TryGetValue(domain, out var state))
            _states[domain] = state with { Limiter = Gcra.Answered(state.Limiter) };
    }

    DomainLimit? LimitOf(string domain) => _named.GetValueOrDefault(domain) ?? _others;

    void Sweep(TimeSpan now)
    {
        foreach (var (domain, state) in _states.ToList())
            // A wait that is long over is forgotten too: the next one begins short again.
            if (state.Attempts == 0 && state.Limiter.Arrival <= now
                && state.Limiter.NotBefore + (state.Limiter.Backoff == TimeSpan.Zero ? TimeSpan.Zero : LongestBackoff) <= now)
                _states.Remove(domain);
        _sweepAt = Math.Max(FirstSweep, 2 * _states.Count);
    }

    /// <summary>Domains that are kept in mind.</summary>
    internal int Count => _states.Count;
}
