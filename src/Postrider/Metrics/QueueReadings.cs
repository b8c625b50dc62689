using Postrider.Queue;
using Postrider.Retention;

namespace Postrider.Metrics;

/// <summary>What must be asked of the database to be measured: kept for a while, so that measuring often costs no more than measuring
/// seldom.</summary>
/// <remarks>A reading is kept for 10 s, and for 100 times as long as it took: at most a hundredth of one connection, however much waits.
/// Nothing is asked while nobody measures.</remarks>
sealed partial class QueueReadings(IQueueSums sums, INodeList nodes, DiskOutlook outlook, TimeProvider clock, ILogger<QueueReadings> log)
{
    static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(10);
    const int TimesAsLong = 100;

    /// <summary>How long somebody who measures waits for a new reading before the last one is good enough.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    readonly Lock _lock = new();
    Reading? _last;                 // guarded by _lock, as all below
    long? _readAt;
    TimeSpan _took;
    Task _reading = Task.CompletedTask;

    /// <summary>The last one; null: there was none yet. Begins a new one where it is too old.</summary>
    public Reading? Last
    {
        get
        {
            Begin();
            lock (_lock)
                return _last;
        }
    }

    /// <summary>Waits, though not for long, until the last one is not too old.</summary>
    public async Task RefreshAsync(CancellationToken ct)
    {
        try
        {
            await Begin().WaitAsync(Patience, clock, ct);
        }
        catch (TimeoutException)
        {
            // It comes later; the last one stands until then.
        }
    }

    Task Begin()
    {
        lock (_lock)
        {
            var keep = _took * TimesAsLong > KeptFor ? _took * TimesAsLong : KeptFor;
            if (_reading.IsCompleted && (_readAt is not { } at || clock.GetElapsedTime(at) >= keep))
                _reading = ReadAsync();
            return _reading;
        }
    }

    /// <summary>Must not throw: nobody may be waiting.</summary>
    async Task ReadAsync()
    {
        await Task.Yield();
        var began = clock.GetTimestamp();
        Reading? reading = null;
        try
        {
            var now = clock.GetUtcNow();
            reading = new Reading(
                now, await sums.ReadAsync(now, CancellationToken.None), await nodes.ListNodesAsync(CancellationToken.None),
                await outlook.ForecastAsync(CancellationToken.None));
        }
        catch (Exception e)
        {
            // Numbers that are missing must not end the mail; the next reading tries again.
            LogFailed(e.Message);
        }
        lock (_lock)
        {
            _last = reading ?? _last;
            _took = clock.GetElapsedTime(began);
            _readAt = clock.GetTimestamp();
        }
    }

    [LoggerMessage(LogLevel.Warning, "The queue could not be measured: {Reason}")]
    partial void LogFailed(string reason);
}

/// <summary>What the database said at one moment.</summary>
sealed record Reading(DateTimeOffset At, QueueSums Sums, IReadOnlyList<NodeView> Nodes, DiskForecast Disk);
