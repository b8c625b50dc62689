using System.Runtime.InteropServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Queue;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Delivery's life in the process: sweep, deliver, drain. What it throws stops the host, which is started again.</summary>
sealed partial class DeliveryHost(IQueueStore store, Router router, Dispatcher dispatcher, Keeper keeper, SteadyTime time,
    DeliveryOptions options, ILogger<DeliveryHost> logger)
    : BackgroundService, IHostedLifecycleService
{
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
        await router.Pauses.LoadAsync(stoppingToken);
        var now = time.Now;
        var swept = await store.SweepAsync(dispatcher.Owner, now, now + options.SettleTransactional, stoppingToken);
        if (swept > 0)
            LogSwept(swept);
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
        if (_started.Task.IsCompleted)
            await dispatcher.DrainAsync(now.Token);
        await base.StopAsync(cancellationToken);
    }

    [LoggerMessage(LogLevel.Warning,
        "{Count} envelopes were under way when this node last ended: they are queued again, or wait for evidence")]
    partial void LogSwept(int count);

    [LoggerMessage(LogLevel.Warning, "{Signal} again: running attempts are cut")]
    partial void LogSecondSignal(PosixSignal signal);
}
