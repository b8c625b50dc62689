using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Takes up, twice a second, what other nodes changed of the tenants.</summary>
public sealed partial class TenantRefresher(
    TenantDirectory tenants, TimeProvider clock, ILogger<TenantRefresher> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        var isAway = false;
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                isAway = await RefreshAsync(isAway, stoppingToken);
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    async Task<bool> RefreshAsync(bool wasAway, CancellationToken ct)
    {
        try
        {
            await tenants.RefreshAsync(ct);
            return false;
        }
        catch (Exception fault) when (fault is StoreUnavailableException or TimeoutException)
        {
            if (!wasAway)
                LogAway(fault);
            return true;
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Changes of the tenants cannot be read; those known last go on to hold")]
    partial void LogAway(Exception fault);
}
