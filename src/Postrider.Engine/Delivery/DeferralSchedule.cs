namespace Postrider.Delivery;

/// <summary>When a deferred recipient is tried again: one delay per deferral; when they are used up, the next deferral is the end.</summary>
public sealed class DeferralSchedule
{
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

    /// <summary>Doubles from <paramref name="first"/> to <paramref name="longest"/>, each ± 20 % so that what was deferred together does not come back together.</summary>
    public static DeferralSchedule Exponential(int times, TimeSpan first, TimeSpan longest)
    {
        var delays = new TimeSpan[times];
        for (var i = 0; i < times; i++)
            delays[i] = TimeSpan.FromTicks((long)Math.Min(first.Ticks * Math.Pow(2, i), longest.Ticks));
        return new(delays, spread: true);
    }

    /// <summary>How many deferrals are tried again.</summary>
    public int Count => _delays.Length;

    /// <param name="deferrals">Deferrals so far, from 0.</param>
    /// <param name="jitter">Uniform in [0, 1).</param>
    public TimeSpan Delay(int deferrals, double jitter) => _spread ? _delays[deferrals] * (0.8 + 0.4 * jitter) : _delays[deferrals];
}
