using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Feedback;
using Postrider.Messages;

namespace Postrider.Tracking;

/// <summary>Stores opens and clicks, once a second.</summary>
public sealed partial class HitHost(
    HitBook book, FeedbackReceiver receiver, TrackingOptions options, TimeProvider clock, ILogger<HitHost> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await StoreAsync();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
        await StoreAsync();
    }

    async Task StoreAsync()
    {
        if (book.TakeDropped() is > 0 and var dropped)
            LogDropped(dropped);
        if (book.Take(options.WritesPerSecond) is not { Count: > 0 } reports)
            return;
        try
        {
            await receiver.TakeAsync(reports, CancellationToken.None);
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            // Not kept for later: they are counted, not owed, and mail needs the store first.
            LogLost(reports.Count, e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "{Count} opens and clicks were dropped, because more came than Tracking:WritesPerSecond stores")]
    partial void LogDropped(long count);

    [LoggerMessage(LogLevel.Warning, "{Count} opens and clicks were lost, because the store could not take them: {Reason}")]
    partial void LogLost(int count, string reason);
}
