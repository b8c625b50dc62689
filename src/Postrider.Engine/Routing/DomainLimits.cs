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
/// <param name="Limiter">Its rate only where that is not shared.</param>
/// <param name="Waiting">Envelopes with a recipient of it that wait for an instant of its shared rate, each in a slot of the
/// transport.</param>
readonly record struct DomainState(int Attempts, GcraState Limiter, int Waiting);

/// <summary>The limits per recipient domain of one transport, with where each domain stands. Guarded by the transport's lock.</summary>
/// <remarks>
/// A transport that relays for all domains would otherwise be throttled as a whole by the strictest of them. Rates are those of all nodes
/// together where they are shared: each domain has a budget of its own, of which this node holds a part as of the transport's. Attempts at
/// a time are each node's own.
/// </remarks>
sealed class DomainLimits
{
    /// <summary>States are swept of idle domains when they have doubled since the last time, from this many on.</summary>
    const int FirstSweep = 1_000;

    static readonly TimeSpan LongestBackoff = TimeSpan.FromHours(1);

    /// <summary>So long may an envelope wait in a slot of the transport for its domain.</summary>
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    /// <summary>Until it is seen whether the budget has given more.</summary>
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    /// <summary>Who waits looks every <see cref="LookAgain"/>, and takes what has come: a few are held, so a long life makes no
    /// flood.</summary>
    static readonly TimeSpan Lasting = TimeSpan.FromMilliseconds(250);

    readonly Dictionary<string, DomainLimit> _named = new(StringComparer.OrdinalIgnoreCase);
    readonly DomainLimit? _others;
    readonly Dictionary<string, DomainState> _states = new(StringComparer.OrdinalIgnoreCase);
    readonly Dictionary<string, RateShare> _shares = new(StringComparer.OrdinalIgnoreCase);
    readonly HashSet<RateShare> _wanting = [];      // those of _shares that have something to ask
    string? _budget;
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
                0, Gcra.Shift(state.Limiter, before.LimitOf(domain)?.Rate, LimitOf(domain)?.Rate, shift, now), 0);
    }

    /// <summary>From now on their rates are those of all nodes together.</summary>
    /// <param name="budget">The transport's key; no domain is part of it.</param>
    public void Share(string budget) => _budget = budget;

    /// <summary>When an envelope with recipients of these domains may be given a slot: zero or less is now. Null: when one of a domain's
    /// attempts ends.</summary>
    public TimeSpan? Earliest(IReadOnlyList<string> domains, TimeSpan now) => Earliest(domains, now, toEnter: false);

    /// <summary>The same of one that has its slot: when it may go.</summary>
    public TimeSpan? EarliestToEnter(IReadOnlyList<string> domains, TimeSpan now) => Earliest(domains, now, toEnter: true);

    TimeSpan? Earliest(IReadOnlyList<string> domains, TimeSpan now, bool toEnter)
    {
        var earliest = TimeSpan.Zero;
        foreach (var domain in domains)
        {
            if (LimitOf(domain) is not { } limit)
                continue;
            var state = _states.GetValueOrDefault(domain);
            if (state.Attempts >= limit.Concurrency)
                return null;
            var free = Gcra.Earliest(state.Limiter, _budget is null ? limit.Rate : null, now, reserved: 0);
            earliest = free > earliest ? free : earliest;
            if (_budget is null || limit.Rate is not { } rate)
                continue;
            free = toEnter ? Next(domain, rate, now) : Room(domain, rate, state.Waiting, now);
            earliest = free > earliest ? free : earliest;
        }
        return earliest;
    }

    TimeSpan Next(string domain, Rate rate, TimeSpan now)
    {
        var share = ShareOf(domain, rate);
        if (share.Next(now) is { } next)
            return next;
        Want(share, isRefused: true, now);
        return share.NoneBefore(now) ?? now + LookAgain;
    }

    /// <summary>So many may wait as can go within <see cref="LongestWait"/>; who is not known to wait longer tries.</summary>
    TimeSpan Room(string domain, Rate rate, int waiting, TimeSpan now)
    {
        if (waiting * rate.Interval >= LongestWait && waiting > 0)
            return now + LongestWait / 10;
        var share = _shares.GetValueOrDefault(domain);
        var next = share?.Next(now) ?? share?.NoneBefore(now) ?? now;
        return next > now + LongestWait ? next : now;
    }

    RateShare ShareOf(string domain, Rate rate) => _shares.TryGetValue(domain, out var share)
        ? share : _shares[domain] = new RateShare($"{_budget} {domain}", rate, Lasting);

    /// <summary>Something is to be asked of the shared budgets.</summary>
    public bool WouldAsk => _wanting.Count > 0;

    /// <inheritdoc cref="RateShare.NextAsk"/>
    public IReadOnlyList<RateAsk> NextAsks(TimeSpan now)
    {
        List<RateAsk> asks = [.. _wanting.Select(share => share.NextAsk(now)).OfType<RateAsk>()];
        _wanting.Clear();
        return asks;
    }

    public void Granted(RateGrant grant, TimeSpan now) => Find(grant.Key)?.Granted(grant, now);

    public void AskFailed(string key)
    {
        if (Find(key) is not { } share)
            return;
        share.AskFailed();
        _wanting.Add(share);
    }

    /// <inheritdoc cref="RateShare.TakeUnused"/>
    public IEnumerable<RateAsk> TakeUnused(TimeSpan now, bool all) =>
        _shares.Values.Select(share => share.TakeUnused(now, all)).OfType<RateAsk>();

    RateShare? Find(string key) => _shares.GetValueOrDefault(key[(key.LastIndexOf(' ') + 1)..]);

    /// <summary>An envelope begins (1) or ends (-1) to wait in its slot.</summary>
    public void Wait(IReadOnlyList<string> domains, int change)
    {
        foreach (var domain in domains.Distinct(StringComparer.OrdinalIgnoreCase))
            if (LimitOf(domain) is not null)
            {
                var state = _states.GetValueOrDefault(domain);
                _states[domain] = state with { Waiting = state.Waiting + change };
            }
    }

    /// <summary>A try begins: once per recipient for the rate, once per domain for the concurrency.</summary>
    public void Enter(IReadOnlyList<string> domains, TimeSpan now)
    {
        foreach (var (domain, recipients) in domains.CountBy(domain => domain, StringComparer.OrdinalIgnoreCase))
        {
            if (LimitOf(domain) is not { } limit)
                continue;
            var state = _states.GetValueOrDefault(domain);
            _states[domain] = state with
            {
                Attempts = state.Attempts + 1,
                Limiter = Gcra.Charge(state.Limiter, _budget is null ? limit.Rate : null, now, recipients),
            };
            if (_budget is not null && limit.Rate is { } rate)
                Charge(ShareOf(domain, rate), recipients, now);
        }
        if (_states.Count + _shares.Count >= _sweepAt)
            Sweep(now);
    }

    void Charge(RateShare share, int recipients, TimeSpan now)
    {
        share.Charge(share.Take(now) is null ? recipients : recipients - 1, now);
        Want(share, isRefused: false, now);
    }

    void Want(RateShare share, bool isRefused, TimeSpan now)
    {
        share.Want(0, isRefused, now);
        if (share.WouldAsk(now))
            _wanting.Add(share);
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
            if (state is { Attempts: 0, Waiting: 0 } && state.Limiter.Arrival <= now
                && state.Limiter.NotBefore + (state.Limiter.Backoff == TimeSpan.Zero ? TimeSpan.Zero : LongestBackoff) <= now)
                _states.Remove(domain);
        foreach (var (domain, share) in _shares.ToList())
            if (!_states.ContainsKey(domain) && share.IsIdle(now))
                _shares.Remove(domain);
        _sweepAt = Math.Max(FirstSweep, 2 * (_states.Count + _shares.Count));
    }

    /// <summary>Domains that are kept in mind.</summary>
    internal int Count => _states.Count;
}
