using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Retention;

/// <summary>Removes what is old, kind by kind. Every node that has the role does it: a kind is in one hand at a time, and a hand that died
/// is waited for <see cref="Patience"/>. Nothing is lost with it, as pieces that were done stay done.</summary>
public sealed partial class Purger(IRetentionStore store, RetentionOptions options, TimeProvider clock, ILogger<Purger> log)
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>Then another kind, perhaps on another node.</summary>
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    public async Task RunAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.LookEvery, clock);
        try
        {
            do
                await LookAsync(stopping);
            while (await timer.WaitForNextTickAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops; others, or its next start, go on.
        }
    }

    async Task LookAsync(CancellationToken ct)
    {
        try
        {
            while (await TakeTurnAsync(ct)) { }
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogAway(fault.Message);
        }
    }

    /// <summary>False: no kind waits for a hand.</summary>
    internal async Task<bool> TakeTurnAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await store.TakeTurnAsync(now, now + Patience) is not { } turn)
            return false;
        var done = new RetentionPiece(turn.Cursor, 0, 0, HasMore: false);
        if (options.AgeOf(turn.Kind) is { } age)
            done = await PurgeAsync(turn, now - age, ct);
        now = clock.GetUtcNow();
        await store.EndTurnAsync(turn, done, now, done.HasMore ? now : now + options.LookEvery);
        if (done.Rows > 0)
            LogRemoved(turn.Kind, done.Rows, done.Bytes);
        return true;
    }

    async Task<RetentionPiece> PurgeAsync(RetentionTurn turn, DateTimeOffset before, CancellationToken ct)
    {
        var (cursor, rows, bytes) = (turn.Cursor, 0L, 0L);
        var started = clock.GetTimestamp();
        while (true)
        {
            var at = clock.GetTimestamp();
            var piece = await store.PurgeAsync(turn.Kind, cursor, before, ct);
            (cursor, rows, bytes) = (piece.Cursor, rows + piece.Rows, bytes + piece.Bytes);
            if (!piece.HasMore || clock.GetElapsedTime(started) > Turn)
                return piece with { Rows = rows, Bytes = bytes };
            // Half of the time at most: mail has the disk to itself in between.
            if (clock.GetElapsedTime(at) is { Ticks: > 0 } took)
                await Task.Delay(took, clock, ct);
        }
    }

    [LoggerMessage(LogLevel.Debug, "Retention removed {Rows} of {Kind}, {Bytes} bytes")]
    partial void LogRemoved(RetentionKind kind, long rows, long bytes);

    [LoggerMessage(LogLevel.Warning, "Retention waits: {Reason}")]
    partial void LogAway(string reason);
}
