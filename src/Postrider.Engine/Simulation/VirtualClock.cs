namespace Postrider.Simulation;

/// <summary>Time that stands still while there is something to do, and then goes to the next timer at once.</summary>
/// <remarks>Timers fire in the order in which they are due, those due at the same instant in the order in which they were set. Locked
/// only because what ends a simulation may come from other threads.</remarks>
sealed class VirtualClock(DateTimeOffset start) : TimeProvider
{
    readonly Lock _lock = new();
    readonly PriorityQueue<VirtualTimer, (long Due, long Sequence)> _timers = new();   // entries of another sequence are stale
    long _ticks;        // since the start
    long _sequence;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Volatile.Read(ref _ticks);
    public override DateTimeOffset GetUtcNow() => start.AddTicks(GetTimestamp());

    /// <summary>Goes to the next timer and fires it. False: none is set.</summary>
    public bool TryStep()
    {
        if (TakeNext() is not { } next)
            return false;
        next.Fire();
        return true;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new VirtualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    VirtualTimer? TakeNext()
    {
        lock (_lock)
        {
            while (_timers.TryDequeue(out var timer, out var entry))
            {
                if (timer.Sequence != entry.Sequence)
                    continue;
                Volatile.Write(ref _ticks, Math.Max(entry.Due, _ticks));
                Set_NeedsLock(timer, timer.Period);
                return timer;
            }
            return null;
        }
    }

    void Set_NeedsLock(VirtualTimer timer, TimeSpan due)
    {
        timer.Sequence = ++_sequence;
        if (due >= TimeSpan.Zero)
            _timers.Enqueue(timer, (_ticks + due.Ticks, timer.Sequence));
    }

    sealed class VirtualTimer(VirtualClock clock, TimerCallback callback, object? state) : ITimer
    {
        public long Sequence;        // guarded by the clock's lock, as is the period
        public TimeSpan Period = Timeout.InfiniteTimeSpan;

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                Period = period > TimeSpan.Zero ? period : Timeout.InfiniteTimeSpan;
                clock.Set_NeedsLock(this, dueTime);
            }
            return true;
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
