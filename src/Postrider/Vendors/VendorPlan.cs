namespace Postrider.Vendors;

/// <summary>When a simulated vendor's mail is sent. Thread-safe.</summary>
/// <param name="sendAt">Null: at once.</param>
sealed class VendorPlan(DateTimeOffset? sendAt)
{
    /// <summary>A plan may be moved while somebody waits for it.</summary>
    static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    DateTimeOffset? _sendAt = sendAt; // guarded by _lock
    bool _isCancelled;                 // guarded by _lock

    public (DateTimeOffset? SendAt, bool IsCancelled) Now
    {
        get
        {
            lock (_lock)
                return (_sendAt, _isCancelled);
        }
    }

    /// <summary>False when it is too late.</summary>
    public bool TryMove(DateTimeOffset to, DateTimeOffset now)
    {
        lock (_lock)
        {
            if (!IsOpen_NeedsLock(now))
                return false;
            _sendAt = to;
            return true;
        }
    }

    /// <inheritdoc cref="TryMove"/>
    public bool TryCancel(DateTimeOffset now)
    {
        lock (_lock)
            return IsOpen_NeedsLock(now) && (_isCancelled = true);
    }

    /// <summary>Until it is sent. False when it never is.</summary>
    public async Task<bool> WaitAsync(TimeProvider clock, CancellationToken ct)
    {
        while (true)
        {
            var (at, isCancelled) = Now;
            var left = at - clock.GetUtcNow();
            if (isCancelled || left is null || left <= TimeSpan.Zero)
                return !isCancelled;
            await Task.Delay(left.Value < LongestWait ? left.Value : LongestWait, clock, ct);
        }
    }

    bool IsOpen_NeedsLock(DateTimeOffset now) => !_isCancelled && _sendAt > now;
}
