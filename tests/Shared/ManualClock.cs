namespace Postrider.Testing;

/// <summary>A virtual clock: time moves only when told, timers fire in the order they are due, ties in the order they were made.</summary>
public sealed class ManualClock(DateTimeOffset start) : TimeProvider
{
    /// <summary>As of the system's timers: what they refuse is refused here, or a test would not see it.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1);

    readonly Lock _lock = new();
    readonly PriorityQueue<ManualTimer, (long DueTicks, long Sequence)> _timers = new();
    long _ticks;     // since start
    long _sequence;

    public ManualClock() : this(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)) { }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Volatile.Read(ref _ticks);
    public override DateTimeOffset GetUtcNow() => start + TimeSpan.FromTicks(GetTimestamp()) + WallOffset;

    /// <summary>A jump of the wall clock that timers and timestamps do not see.</summary>
    public TimeSpan WallOffset { get; set; }

    /// <summary>Moves time on; every timer due on the way fires at its own instant.</summary>
    public void Advance(TimeSpan span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(span, TimeSpan.Zero);
        var target = GetTimestamp() + span.Ticks;
        while (TakeDue(target) is { } timer)
            timer.Fire();
        Volatile.Write(ref _ticks, Math.Max(target, GetTimestamp()));
    }

    /// <summary>Moves time on in steps until the condition holds, letting real work (tasks, sockets, the disk) go on between the
    /// steps.</summary>
    /// <param name="realTimeout">Gives up with <see cref="TimeoutException"/> after this much real time.</param>
    public async Task AdvanceUntilAsync(Func<bool> condition, TimeSpan step, TimeSpan limit, TimeSpan? realTimeout = null)
    {
        var realStart = System.GetTimestamp();
        for (var moved = TimeSpan.Zero; !condition(); moved += step)
        {
            if (moved >= limit)
                throw new TimeoutException($"The condition did not hold within {limit} of virtual time.");
            if (System.GetElapsedTime(realStart) > (realTimeout ?? TimeSpan.FromSeconds(60)))
                throw new TimeoutException($"The condition did not hold within the real time allowed; {moved} of virtual time had passed.");
            Advance(step);
            await Task.Delay(TimeSpan.FromMilliseconds(1), System);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    ManualTimer? TakeDue(long target)
    {
        lock (_lock)
        {
            while (_timers.TryPeek(out var timer, out var key))
            {
                if (key.DueTicks > target)
                    return null;
                _timers.Dequeue();
                if (timer.Sequence != key.Sequence)
                    continue; // changed or disposed since
                Volatile.Write(ref _ticks, Math.Max(key.DueTicks, _ticks));
                Arm_NeedsLock(timer, timer.Period);
                return timer;
            }
            return null;
        }
    }

    void Arm_NeedsLock(ManualTimer timer, TimeSpan due)
    {
        timer.Sequence = ++_sequence;
        if (due >= TimeSpan.Zero && due != Timeout.InfiniteTimeSpan)
            _timers.Enqueue(timer, (_ticks + due.Ticks, timer.Sequence));
    }

    sealed class ManualTimer(ManualClock clock, TimerCallback callback, object? state) : ITimer
    {
        public long Sequence;                                     // guarded by the clock's lock
        public TimeSpan Period { get; private set; } = Timeout.InfiniteTimeSpan;

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(dueTime, Longest);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(period, Longest);
            lock (clock._lock)
            {
                Period = period == TimeSpan.Zero ? Timeout.InfiniteTimeSpan : period;
                clock.Arm_NeedsLock(this, dueTime);
            }
            return true;
        }

        public void Dispose()
        {
            lock (clock._lock)
            {
                Period = Timeout.InfiniteTimeSpan;
                Sequence = ++clock._sequence;
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
