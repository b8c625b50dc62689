using System.Runtime.InteropServices;

namespace Postrider.Queue;

/// <summary>This node's place among the nodes: the incarnation that its leases name, and whether it may still believe that nobody has taken
/// them.</summary>
/// <remarks>Others declare a node dead when its beats stand still for 20 s, and send its mail. So a node that has not beaten for 10 s, by
/// whichever of its clocks ran longest, begins nothing and lets no last byte leave: one that was frozen, whose machine slept, or that the
/// database is cut off from. The next good beat opens it again.</remarks>
public sealed class ThisNode
{
    /// <summary>Half of what the others wait.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>For fault tests, to show that they would find it: <c>POSTRIDER_TESTING_NO_FENCE=1</c>, refused unless
    /// <c>POSTRIDER_TESTING=1</c>.</summary>
    static readonly bool NeverFences = Environment.GetEnvironmentVariable("POSTRIDER_TESTING") == "1"
        && Environment.GetEnvironmentVariable("POSTRIDER_TESTING_NO_FENCE") == "1";

    sealed record Place(Incarnation Incarnation);

    readonly TimeProvider? _clock;   // null: there is no other node
    readonly Func<TimeSpan> _bootTime;
    volatile Place _place;
    volatile BeatStart? _lastBeat;

    /// <summary>The only one: nobody can take its leases while it lives.</summary>
    public ThisNode(Incarnation only) => (_place, _bootTime) = (new Place(only), () => TimeSpan.Zero);

    /// <param name="began">When it asked to join.</param>
    /// <param name="bootTime">Time since the machine's start, its sleep included; null: the system's.</param>
    public ThisNode(Incarnation first, BeatStart began, TimeProvider clock, Func<TimeSpan>? bootTime = null)
    {
        (_place, _clock, _bootTime) = (new Place(first), clock, bootTime ?? BootTime.Read);
        _lastBeat = began;
    }

    public Incarnation Incarnation => _place.Incarnation;

    /// <summary>An attempt may begin, and a last byte may leave.</summary>
    public bool MayAct => SinceBeat <= Patience || NeverFences;

    /// <summary>The same for a lease: it must be of this incarnation.</summary>
    public bool MayActFor(Lease lease) => (lease.Owner == Incarnation && MayAct) || NeverFences;

    /// <summary>Since the last good beat began.</summary>
    public TimeSpan SinceBeat
    {
        get
        {
            if (_clock is null || _lastBeat is not { } last)
                return TimeSpan.Zero;
            var monotonic = _clock.GetElapsedTime(last.Stamp);
            var wall = _clock.GetUtcNow() - last.Wall;
            var boot = _bootTime() - last.Boot;
            var longest = monotonic > wall ? monotonic : wall;
            return longest > boot ? longest : boot;
        }
    }

    /// <summary>Taken before a beat is sent: the others may have seen it as early as then.</summary>
    public BeatStart Begin() => _clock is null ? BeatStart.None : BeatStart.Of(_clock, _bootTime);

    /// <summary>The beat that was sent then was a good one.</summary>
    public void Beaten(BeatStart began) => _lastBeat = began;

    /// <summary>Joined anew: leases of before are not this node's any more.</summary>
    public void Rejoined(Incarnation next, BeatStart began)
    {
        _place = new Place(next);
        _lastBeat = began;
    }
}

/// <summary>An instant by three clocks.</summary>
public sealed record BeatStart(long Stamp, DateTimeOffset Wall, TimeSpan Boot)
{
    public static readonly BeatStart None = new(0, default, default);

    public static BeatStart Of(TimeProvider clock, Func<TimeSpan>? bootTime = null) =>
        new(clock.GetTimestamp(), clock.GetUtcNow(), (bootTime ?? BootTime.Read)());
}

/// <summary>The clock that goes on while the machine sleeps.</summary>
static class BootTime
{
    const int ClockBootTime = 7;   // CLOCK_BOOTTIME of Linux

    /// <summary>Zero where there is no such clock: the others remain.</summary>
    public static TimeSpan Read() => OperatingSystem.IsLinux() && clock_gettime(ClockBootTime, out var time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick)
        : TimeSpan.Zero;

    struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    [DllImport("libc")]
    static extern int clock_gettime(int clock, out Time time);
}
