namespace Postrider.Messages;

/// <summary>The wall clock without its jumps: where it moved more than 5 minutes against the monotonic one, it is believed only when two
/// ticks in a row agree with it.</summary>
/// <remarks>A virtual machine that wakes up, or a clock set by hand, must not expire everything that waits.</remarks>
sealed class SteadyTime
{
    /// <summary>Below this a difference is drift, and the wall clock is right.</summary>
    public static readonly TimeSpan Jump = TimeSpan.FromMinutes(5);

    /// <summary>Two ticks agree when the difference between the clocks moved by less than this between them.</summary>
    static readonly TimeSpan Agreement = TimeSpan.FromSeconds(1);

    readonly TimeProvider _clock;
    readonly Lock _lock = new();
    DateTimeOffset _wall;      // guarded by _lock: wall and monotonic time when they were last believed
    long _stamp;
    TimeSpan _seen;            // the jump at the last tick, zero when there was none
    int _agreeing;

    public SteadyTime(TimeProvider clock)
    {
        _clock = clock;
        _wall = clock.GetUtcNow();
        _stamp = clock.GetTimestamp();
    }

    public DateTimeOffset Now
    {
        get
        {
            lock (_lock)
                return Off_NeedsLock(out var wall, out var steady) ? steady : wall;
        }
    }

    /// <summary>The earlier of both while they disagree: what has expired by it has expired by either.</summary>
    public DateTimeOffset Earliest
    {
        get
        {
            lock (_lock)
                return Off_NeedsLock(out var wall, out var steady) && steady < wall ? steady : wall;
        }
    }

    /// <summary>The clocks disagree: what depends on the time of day (expiry, schedules) waits.</summary>
    public bool IsDoubtful
    {
        get
        {
            lock (_lock)
                return Off_NeedsLock(out _, out _);
        }
    }

    /// <summary>Called about once a second. Returns the jump that it came to believe, mostly none.</summary>
    public TimeSpan Tick()
    {
        lock (_lock)
        {
            var jump = TimeSpan.Zero;
            if (Off_NeedsLock(out var wall, out var steady))
            {
                jump = wall - steady;
                _agreeing = (jump - _seen).Duration() < Agreement ? _agreeing + 1 : 0;
                _seen = jump;
                if (_agreeing < 2)
                    return TimeSpan.Zero;
            }
            _wall = wall;
            _stamp = _clock.GetTimestamp();
            _seen = TimeSpan.Zero;
            _agreeing = 0;
            return jump;
        }
    }

    bool Off_NeedsLock(out DateTimeOffset wall, out DateTimeOffset steady)
    {
        wall = _clock.GetUtcNow();
        steady = _wall + _clock.GetElapsedTime(_stamp);
        return (wall - steady).Duration() > Jump;
    }
}
