namespace Postrider.Routing;

/// <summary>So many recipients per span, and so many at once after a quiet time.</summary>
/// <param name="Count">Recipients per <paramref name="Per"/>; 1 to 1,000,000.</param>
/// <param name="Burst">Recipients that may go at once; at least 1.</param>
public readonly record struct Rate(int Count, TimeSpan Per, int Burst)
{
    /// <summary>A twentieth of the count at once, at least 1: in any window of one span at most 105 % of what was asked for leaves.
    /// More would make a provider that counts in fixed windows throttle us,
    /// less would make a daily allowance a mail every few minutes.</summary>
    public Rate(int count, TimeSpan per) : this(count, per, Math.Max(1, count / 20)) { }

    /// <summary>Reads <c>14/s</c>, <c>200/d</c>, <c>5/10s</c>, or with the burst <c>14/s,5</c>.</summary>
    public static bool TryParse(string text, out Rate rate) => RoutingSyntax.TryRate(text, out rate);

    /// <summary>Rounded up: never faster than asked.</summary>
    internal TimeSpan Interval => new((Per.Ticks + Count - 1) / Count);

    /// <summary>A fifth of the burst, none below 5, that bulk mail leaves to transactional mail.</summary>
    internal int KeptForTransactional => Burst / 5;
}

/// <summary>Where a limiter stands.</summary>
/// <param name="Arrival">GCRA's theoretical arrival time: when all that was charged is paid for.</param>
/// <param name="NotBefore">The provider asked us to wait until then.</param>
/// <param name="Backoff">Our own wait at the last throttling that named no time; zero when something was accepted since.</param>
readonly record struct GcraState(TimeSpan Arrival, TimeSpan NotBefore, TimeSpan Backoff);

/// <summary>The generic cell rate algorithm (ITU-T I.371) over recipients, as pure functions of the state and the time.</summary>
/// <remarks>
/// All instants are on a steady timeline: time since any fixed origin that no clock adjustment moves.
/// An envelope may hold more recipients than there is room for: it goes, and those after it pay (debt). So in any window of length w at
/// most w / interval + burst − 1 + (recipients of the largest envelope) leave, and with single recipients at most w / interval + burst.
/// Permits are reserved before it is known whether there is work for them. A reservation is no charge, it only makes room scarcer for the
/// next one: charging and paying back would let a burst through twice when the time between had refilled it anyway.
/// </remarks>
static class Gcra
{
    /// <summary>Providers have asked for days; nobody may stop a transport for longer than this without saying it again.</summary>
    public static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(1);

    /// <summary>Also the answer to <c>Retry-After: 0</c>, which would be a hot loop.</summary>
    public static readonly TimeSpan ShortestRetryAfter = TimeSpan.FromSeconds(1);

    static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(1);

    /// <summary>When one more may start: allowed if that is not after <paramref name="now"/>.</summary>
    /// <param name="rate">Null: only what the provider asked for limits.</param>
    /// <param name="reserved">Permits given out and not yet charged.</param>
    /// <param name="keepBack">How much of the burst this asker must leave.</param>
    public static TimeSpan Earliest(in GcraState state, Rate? rate, TimeSpan now, int reserved, int keepBack = 0)
    {
        if (rate is not { } limit)
            return state.NotBefore;
        var paid = (state.Arrival > now ? state.Arrival : now) + (reserved - (limit.Burst - 1 - keepBack)) * limit.Interval;
        return paid > state.NotBefore ? paid : state.NotBefore;
    }

    /// <summary>Takes the recipients of a try, whether there is room or not.</summary>
    public static GcraState Charge(in GcraState state, Rate? rate, TimeSpan now, int recipients) =>
        rate is not { } limit ? state : state with { Arrival = (state.Arrival > now ? state.Arrival : now) + recipients * limit.Interval };

    /// <summary>The same state under another rate and on another timeline: what is owed are recipients, at the new rate.</summary>
    public static GcraState Shift(in GcraState state, Rate? before, Rate? after, TimeSpan shift, TimeSpan now) => state with
    {
        Arrival = before is { } old && after is { } own && state.Arrival + shift > now
            ? now + (state.Arrival + shift - now) / old.Interval * own.Interval : default,
        NotBefore = state.NotBefore == default ? default : state.NotBefore + shift,
    };

    /// <summary>The provider said slower. Without a time of its own the wait starts at 1 s and doubles to 1 min,
    /// once per round and not once per answer in flight.</summary>
    public static GcraState Throttle(in GcraState state, TimeSpan now, TimeSpan? retryAfter) =>
        Throttle(state, now, retryAfter, ShortestRetryAfter, LongestBackoff);

    /// <param name="first">The wait when no time was named and none was before.</param>
    /// <param name="longest">What it doubles to.</param>
    public static GcraState Throttle(in GcraState state, TimeSpan now, TimeSpan? retryAfter, TimeSpan first, TimeSpan longest)
    {
        if (retryAfter is { } asked)
        {
            var wait = asked < ShortestRetryAfter ? ShortestRetryAfter : asked > LongestRetryAfter ? LongestRetryAfter : asked;
            return state with { NotBefore = now + wait > state.NotBefore ? now + wait : state.NotBefore };
        }
        if (now < state.NotBefore)
            return state;
        var backoff = state.Backoff == TimeSpan.Zero ? first : state.Backoff * 2 > longest ? longest : state.Backoff * 2;
        return state with { NotBefore = now + backoff, Backoff = backoff };
    }

    /// <summary>Something was accepted: the next throttling starts with a short wait again.</summary>
    public static GcraState Answered(in GcraState state) => state.Backoff == TimeSpan.Zero ? state : state with { Backoff = TimeSpan.Zero };
}
