namespace Postrider.Hosting;

/// <summary>Between "no longer ready" and "no longer listening": the time that a load balancer needs to see the first.</summary>
sealed class StopDelay(ServerOptions options, TimeProvider clock) : IHostedLifecycleService
{
    bool _started; // else nobody was ever sent here

    // A signal fires ApplicationStopping, which turns readiness off and new mail away; this runs then, before any service stops,
    // the HTTP server included.
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (_started && options.StopDelay > TimeSpan.Zero)
            await Task.Delay(options.StopDelay, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartedAsync(CancellationToken cancellationToken)
    {
        _started = true;
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
