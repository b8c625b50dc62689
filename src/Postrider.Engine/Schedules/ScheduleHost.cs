using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>The runner's life in a node with the role <c>scheduler</c>.</summary>
public sealed partial class ScheduleHost(
    ScheduleRunner runner, ScheduleTeller teller, ScheduleOptions options, TimeProvider clock, ILogger<ScheduleHost> logger)
    : BackgroundService
{
    /// <summary>Another node may have another edition of the zones while they are brought up to date one by one.</summary>
    static readonly TimeSpan ReckonEvery = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.LookEvery, clock);
        long? reckoned = null;
        try
        {
            do
            {
                if (reckoned is null || clock.GetElapsedTime(reckoned.Value) > ReckonEvery)
                    reckoned = await LookAsync(ReckonAsync, stoppingToken) ? clock.GetTimestamp() : null;
                await LookAsync(RunAsync, stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops; what is due is for another, or for the next start.
        }
    }

    async Task ReckonAsync(CancellationToken ct)
    {
        while (await runner.ReckonAsync(ct) == options.BatchPerNode)
            ;
    }

    async Task RunAsync(CancellationToken ct)
    {
        while (await runner.TickAsync(ct))
            ;
        await teller.TellAsync(ct);
    }

    async Task<bool> LookAsync(Func<CancellationToken, Task> look, CancellationToken ct)
    {
        try
        {
            await look(ct);
            return true;
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogStoreAway(e.Message);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Schedules wait for the store: {Reason}")]
    partial void LogStoreAway(string reason);
}
