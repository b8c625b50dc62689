using Postrider.Alerts;
using Postrider.Retention;
using Postrider.Storage;
using Postrider.Storage.Tables;

namespace Postrider.Hosting;

/// <summary>Removes what is old, on nodes that have the role <c>scheduler</c>.</summary>
sealed class RetentionHost(Purger purger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => purger.RunAsync(stoppingToken);
}

/// <summary>Forgets people, on nodes that have the role <c>scheduler</c>.</summary>
sealed class ErasureHost(Eraser eraser) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => eraser.RunAsync(stoppingToken);
}

/// <summary>Notes the size of the database, on every node.</summary>
sealed class DiskOutlookHost(DiskOutlook outlook) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => outlook.RunAsync(stoppingToken);
}

/// <summary>Puts retention into the process.</summary>
static class RetentionRegistration
{
    /// <param name="purges">The node removes what is old.</param>
    public static void AddRetention(this IServiceCollection services, bool purges)
    {
        services.AddSingleton<IRetentionStore, RetentionTables>();
        services.AddSingleton<IErasureStore, ErasureTables>();
        services.AddSingleton<Eraser>();
        services.AddSingleton<IStoreSizes>(sp => new StoreSizeTable(
            sp.GetRequiredService<ITableStore>(), Stores.FolderOf(sp.GetRequiredService<PostriderOptions>()) is not null));
        services.AddSingleton(sp =>
        {
            var storage = sp.GetRequiredService<StorageOptions>();
            return new DiskOutlook(sp.GetRequiredService<IStoreSizes>(), sp.GetRequiredService<AlertPlace>().FreeBytes,
                storage.EffectiveMinFreeBytes, storage.DatabaseMaxBytes, sp.GetRequiredService<TimeProvider>(),
                sp.GetRequiredService<ILogger<DiskOutlook>>());
        });
        services.AddHostedService<DiskOutlookHost>();
        if (!purges)
            return;
        services.AddSingleton<Purger>();
        services.AddHostedService<RetentionHost>();
        services.AddHostedService<ErasureHost>();
    }
}
