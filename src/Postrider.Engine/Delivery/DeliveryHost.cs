using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Delivery's life in the process: sweep, deliver, drain. What it throws stops the host, which is started again.</summary>
sealed partial class DeliveryHost(IQueueStore store, Router router, TransportPauses paused, Dispatcher dispatcher, Keeper keeper,
    SteadyTime time, DeliveryOptions options, TimeProvider clock, ILogger<DeliveryHost> logger)
    : BackgroundService, IHostedLifecycleService
{
    static readonly TimeSpan BetweenStarts = TimeSpan.FromSeconds(1);

    readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Everything else has started: a process that cannot listen on its address must not have sent anything.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _started.SetResult();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await _started.Task.WaitAsync(stoppingToken);
        while (!await TryBeginAsync(stoppingToken))
            await Task.Delay(BetweenStarts, clock, stoppingToken);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var keeping = keeper.RunAsync(ended.Token);
        try
        {
            var delivering = dispatcher.RunAsync();
            // A fault of either stops the host: mail that nobody settles or expires any more would wait for ever.
            await await Task.WhenAny(delivering, keeping);
            await delivering;
        }
        finally
        {
            await ended.CancelAsync();
            await keeping;
        }
    }

    /// <summary>False: the database is away at this very moment, which is a state and no fault.</summary>
    async Task<bool> TryBeginAsync(CancellationToken ct)
    {
        try
        {
            await router.Pauses.LoadAsync(ct);
            await paused.LoadAsync(ct);
            var now = time.Now;
            var swept = await store.SweepAsync(dispatcher.Owner, now, now + options.SettleTransactional, ct);
            if (swept > 0)
                LogSwept(swept);
            return true;
        }
        catch (StoreUnavailableException away) when (!away.IsForGood)
        {
            LogWaits(away.Message);
            return false;
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        using var now = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        void Second(PosixSignalContext context)
        {
            context.Cancel = true;
            LogSecondSignal(context.Signal);
            now.Cancel();
        }
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Second);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Second);
        await dispatcher.DrainAsync(now.Token);
        await base.StopAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning,
        "{Count} envelopes were under way when this node last ended: they are queued again, or wait for evidence")]
    partial void LogSwept(int count);

    [LoggerMessage(LogLevel.Warning, "Delivery begins when the store is there: {Reason}")]
    partial void LogWaits(string reason);

    [LoggerMessage(LogLevel.Warning, "{Signal} again: running attempts are cut")]
    partial void LogSecondSignal(PosixSignal signal);
}
