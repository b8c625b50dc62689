using Postrider.Delivery;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;

namespace Postrider.Hosting;

/// <summary>This process as one node of several: beats, watches, sweeps; drops its leases and joins anew when the others have given it
/// up.</summary>
sealed partial class NodeHost(
    PostgresStore store, IHandOver handOver, DeliveryOptions delivery, StopReason stop, IHostApplicationLifetime lifetime,
    TimeProvider clock, ILogger<Membership> log, IServiceProvider services) : BackgroundService
{
    /// <summary>An attempt that is cut ends within 5 s, whatever its provider does.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dispatcher = services.GetService<Dispatcher>();
        var member = new Membership(store, () => dispatcher?.InFlight ?? 0, () => lifetime.ApplicationStopping.IsCancellationRequested,
            SweepAsync, key => handOver.Signal(key, clock.GetUtcNow()), clock, log);
        try
        {
            while (!await member.RunAsync(stoppingToken))
            {
                if (dispatcher is not null && !await StandDownAsync(dispatcher, stoppingToken))
                {
                    LogHanging(log, Patience);
                    stop.Set(ExitCodes.Storage);
                    lifetime.StopApplication();
                    return;
                }
                await member.RejoinAsync(stoppingToken);
                await SweepGuardedAsync(stoppingToken);
                dispatcher?.Resume();
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>A node beats until its last outcome is recorded: one that drains and is silent would be given up, and all it sends would be
    /// sent again.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        if (services.GetService<Dispatcher>() is { } dispatcher)
            await Task.WhenAny(dispatcher.Drained, ExecuteTask ?? Task.CompletedTask,
                Task.Delay(Timeout.InfiniteTimeSpan, clock, cancellationToken));
        await base.StopAsync(cancellationToken);
    }

    /// <summary>False: attempts did not stop. Outcomes that wait for the database are no reason: they are kept until it is back.</summary>
    async Task<bool> StandDownAsync(Dispatcher dispatcher, CancellationToken stopping)
    {
        while (!await dispatcher.StandDownAsync(Patience))
        {
            if (await store.IsReachableAsync(stopping))
                return false;
        }
        return true;
    }

    async Task SweepGuardedAsync(CancellationToken ct)
    {
        try
        {
            await SweepAsync(ct);
        }
        catch (StoreUnavailableException)
        {
            // It is done again at the next beat.
        }
    }

    async Task SweepAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await store.SweepAsync(store.Member.Incarnation, now, now + delivery.SettleTransactional, ct) > 0)
            services.GetService<Dispatcher>()?.PollSoon();
    }

    [LoggerMessage(LogLevel.Critical,
        "Attempts of leases that this node has lost did not stop within {Patience}: the process ends and must be started again")]
    static partial void LogHanging(ILogger log, TimeSpan patience);
}
