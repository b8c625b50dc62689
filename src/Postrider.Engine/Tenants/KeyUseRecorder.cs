using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Stores, twice a minute and at the end, when keys were last used.</summary>
public sealed partial class KeyUseRecorder(ApiKeys keys, TimeProvider clock, ILogger<KeyUseRecorder> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await RecordAsync();
        }
        catch (OperationCanceledException)
        {
            await RecordAsync();
        }
    }

    async Task RecordAsync()
    {
        try
        {
            await keys.RecordUsesAsync(CancellationToken.None);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException)
        {
            LogNotRecorded(fault);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The last uses of API keys could not be stored")]
    partial void LogNotRecorded(Exception fault);
}
