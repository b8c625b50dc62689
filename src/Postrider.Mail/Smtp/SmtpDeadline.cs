namespace Postrider.Mail.Smtp;

/// <summary>
/// The timer of one connection. Setting and clearing a deadline writes a number; the timer itself is touched only when it would ring
/// too late, and goes to sleep again by itself when it rings too early.
/// </summary>
sealed class SmtpDeadline : IDisposable
{
    const long Never = long.MaxValue;

    readonly TimeProvider _clock;
    readonly Action _expired;
    readonly ITimer _timer;
    readonly Lock _lock = new();
    long _deadline = Never;
    long _rings = Never;
    long _since;

    /// <param name="clock">Whose time counts.</param>
    /// <param name="expired">Called once, on a thread of the timer, when a deadline passes before it is cleared.</param>
    public SmtpDeadline(TimeProvider clock, Action expired)
    {
        _clock = clock;
        _expired = expired;
        _timer = clock.CreateTimer(static self => ((SmtpDeadline)self!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Set(TimeSpan limit)
    {
        lock (_lock)
        {
            Limit = limit;
            _since = _clock.GetTimestamp();
            _deadline = _since + (long)(limit.TotalSeconds * _clock.TimestampFrequency);
            if (_deadline < _rings)
                RingAt_NeedsLock(limit);
        }
    }

    /// <summary>As it was set last.</summary>
    public TimeSpan Limit { get; private set; }

    /// <summary>Since the deadline was set last.</summary>
    public TimeSpan Waited => _clock.GetElapsedTime(Volatile.Read(ref _since));

    public void Clear()
    {
        lock (_lock)
            _deadline = Never;
    }

    public void Dispose() => _timer.Dispose();

    void Ring()
    {
        lock (_lock)
        {
            _rings = Never;
            if (_deadline == Never)
                return;
            var left = _clock.GetElapsedTime(_clock.GetTimestamp(), _deadline);
            if (left > TimeSpan.Zero)
            {
                RingAt_NeedsLock(left);
                return;
            }
            _deadline = Never;
        }
        _expired();
    }

    void RingAt_NeedsLock(TimeSpan left)
    {
        _rings = _deadline;
        // Timers count whole milliseconds and cut off the rest.
        _timer.Change(left + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
    }
}
