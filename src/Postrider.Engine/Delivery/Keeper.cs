using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>What time alone does: waiting for evidence ends, mail whose time is up expires, idempotency keys are forgotten.</summary>
sealed partial class Keeper(IQueueStore store, Dispatcher dispatcher, SteadyTime time, TimeProvider clock, DeliveryOptions options,
    ILogger<Keeper> logger)
{
    /// <summary>Keys are kept for days: nobody misses it when one is kept a minute longer.</summary>
    static readonly TimeSpan BetweenPurges = TimeSpan.FromMinutes(1);

    /// <summary>Few schedules wait longer between tries; one that does is tried once earlier.</summary>
    static readonly TimeSpan LongestWait = TimeSpan.FromHours(6);

    /// <summary>Of <see cref="DeliveryOptions.KeepLimit"/> rows each: a backlog of millions is gone through beside settling and
    /// expiry, and beside all other writes.</summary>
    const int StretchesATick = 20;

    // The loop's:
    DateTimeOffset _purgedAt;
    bool _hastens;              // the clock was set back, and not all of the queue has been looked at since
    EnvelopeId? _hastenedTo;
    int _hastened;

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.KeepEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
                await TickAsync(stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    internal async Task TickAsync(CancellationToken ct)
    {
        var doubtful = time.IsDoubtful;
        if (time.Tick() < TimeSpan.Zero)
            (_hastens, _hastenedTo, _hastened) = (true, null, 0);
        try
        {
            var now = time.Now;
            int settled, expired;
            do
            {
                settled = await store.SettleAsync(now, options.KeepLimit, ct);
                if (settled > 0)
                    dispatcher.PollSoon();
                // The clocks disagree: a jump must not expire everything that waits.
                expired = doubtful || time.IsDoubtful ? 0 : await store.ExpireAsync(now, options.KeepLimit, ct);
                if (expired > 0)
                    LogExpired(expired);
            }
            while (settled == options.KeepLimit || expired == options.KeepLimit);
            for (var stretch = 0; _hastens && stretch < StretchesATick; stretch++)
                await HastenAsync(now);
            if (!doubtful && !time.IsDoubtful && (now - _purgedAt).Duration() >= BetweenPurges)
            {
                _purgedAt = now;
                while (await store.PurgeIdempotencyAsync(now, options.KeepLimit, ct) == options.KeepLimit)
                    ; // in chunks, so that no mail waits long for a transaction
            }
        }
        catch (StoreUnavailableException e)
        {
            LogStoreAway(e.Message);
        }
        if (doubtful != time.IsDoubtful)
            LogClock(time.IsDoubtful ? "disagree: expiry waits" : "agree again");
    }

    async Task HastenAsync(DateTimeOffset now)
    {
        var done = await store.HastenAsync(now, now + LongestWait, _hastenedTo, options.KeepLimit);
        _hastened += done.Count;
        (_hastenedTo, _hastens) = (done.Next, done.Next is not null);
        if (done.Count > 0)
            dispatcher.PollSoon();
        if (!_hastens)
            LogHastened(_hastened);
    }

    [LoggerMessage(LogLevel.Information, "{Count} envelopes expired")]
    partial void LogExpired(int count);

    [LoggerMessage(LogLevel.Warning, "The wall clock was set back: {Count} envelopes that would have waited for its old time are due earlier")]
    partial void LogHastened(int count);

    [LoggerMessage(LogLevel.Warning, "Settling and expiry wait for the store: {Reason}")]
    partial void LogStoreAway(string reason);

    [LoggerMessage(LogLevel.Warning, "The wall clock and the monotonic clock {State}")]
    partial void LogClock(string state);
}
