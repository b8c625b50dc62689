using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Batches;

/// <summary>The expander's life in a node with the role <c>scheduler</c>.</summary>
public sealed partial class ExpanderHost(Expander expander, BatchOptions options, TimeProvider clock, ILogger<ExpanderHost> logger)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.LookEvery, clock);
        try
        {
            do
                await WorkAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops; what a cursor has not passed is for the next start.
        }
    }

    async Task WorkAsync(CancellationToken ct)
    {
        try
        {
            while (await expander.RunOnceAsync(ct))
                ;
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogStoreAway(e.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Large batches wait for the store: {Reason}")]
    partial void LogStoreAway(string reason);
}
