using Postrider.Messages;

namespace Postrider.Routing;

/// <summary>When a deferred recipient is tried again: one delay per deferral; when they are used up,
/// the next deferral is the end.</summary>
/// <remarks>
/// Written as the delays themselves (<c>10m,10m,10m</c>), <c>none</c>, <c>immediate:3</c>, <c>constant:3,10m</c> or
/// <c>exponential:8,1m</c>; with another cap than 1 h <c>exponential:8,1m,4h</c>.
/// </remarks>
public sealed class DeferralSchedule : IEquatable<DeferralSchedule>
{
    public const string Expected = "is delays such as 10m,10m,10m, or none, immediate:3, constant:3,10m, exponential:8,1m"
        + " or exponential:8,1m,4h, with at most 100 tries";

    const int MostTries = 100;

    readonly TimeSpan[] _delays;
    readonly bool _spread;

    DeferralSchedule(TimeSpan[] delays, bool spread)
    {
        _delays = delays;
        _spread = spread;
    }

    /// <summary>Three times at 10 minutes.</summary>
    public static DeferralSchedule Default { get; } = Fixed([.. Enumerable.Repeat(TimeSpan.FromMinutes(10), 3)]);

    public static DeferralSchedule None { get; } = Fixed([]);

    public static DeferralSchedule Fixed(IReadOnlyList<TimeSpan> delays) => new([.. delays], spread: false);

    /// <summary>Doubles from <paramref name="first"/> to <paramref name="longest"/>,
    /// each ± 20 % so that what was deferred together does not come back together.</summary>
    public static DeferralSchedule Exponential(int times, TimeSpan first, TimeSpan longest)
    {
        var delays = new TimeSpan[times];
        for (var i = 0; i < times; i++)
            delays[i] = TimeSpan.FromTicks((long)Math.Min(first.Ticks * Math.Pow(2, i), longest.Ticks));
        return new(delays, spread: true);
    }

    public bool Equals(DeferralSchedule? other) =>
        other is not null && _spread == other._spread && _delays.AsSpan().SequenceEqual(other._delays);

    public override bool Equals(object? obj) => Equals(obj as DeferralSchedule);

    public override int GetHashCode() => HashCode.Combine(_spread, _delays.Length);

    /// <summary>How many deferrals are tried again.</summary>
    public int Count => _delays.Length;

    /// <param name="deferrals">Deferrals so far, from 0.</param>
    /// <param name="jitter">Uniform in [0, 1).</param>
    public TimeSpan Delay(int deferrals, double jitter) => _spread ? _delays[deferrals] * (0.8 + 0.4 * jitter) : _delays[deferrals];

    /// <summary>Null when it cannot be read; <see cref="Expected"/> says how it is written.</summary>
    public static DeferralSchedule? Parse(string text)
    {
        if (text == "none")
            return None;
        var colon = text.IndexOf(':');
        if (colon < 0)
            return ReadDelays(text.Split(',')) is { Length: > 0 and <= MostTries } delays ? Fixed(delays) : null;
        var parts = text[(colon + 1)..].Split(',');
        if (!RoutingSyntax.TryNumber(parts[0], 1, MostTries, out var times) || ReadDelays(parts[1..]) is not { } spans)
            return null;
        return (text[..colon], spans) switch
        {
            ("immediate", []) => Fixed(new TimeSpan[times]),
            ("constant", [var each]) => Fixed([.. Enumerable.Repeat(each, times)]),
            ("exponential", [var first]) => Exponential(times, first, TimeSpan.FromHours(1)),
            ("exponential", [var first, var longest]) => Exponential(times, first, longest),
            _ => null,
        };
    }

    /// <summary>Null when one cannot be read.</summary>
    static TimeSpan[]? ReadDelays(string[] texts)
    {
        var delays = new TimeSpan[texts.Length];
        for (var i = 0; i < texts.Length; i++)
            if (!Durations.TryParse(texts[i].Trim(), out delays[i]))
                return null;
        return delays;
    }
}
