using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Feedback;

/// <summary>Looks again, every few seconds, at reports that came before the attempt that they are about had ended.</summary>
sealed partial class FeedbackHost(FeedbackReceiver receiver, TimeProvider clock, ILogger<FeedbackHost> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            do
                await TickAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    async Task TickAsync(CancellationToken ct)
    {
        try
        {
            while (await receiver.RetryAsync(ct) > 0)
                ; // one transaction after the other, so that no mail waits long for one
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            LogStoreAway(e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Feedback that came early waits for the store: {Reason}")]
    partial void LogStoreAway(string reason);
}
