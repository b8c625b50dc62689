using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Fetches parts of the transports' quotas from the store, and gives back at the end what is left of them.</summary>
public sealed partial class QuotaHost : BackgroundService, IHostedLifecycleService
{
    /// <summary>After the store could not be had.</summary>
    static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    readonly Router _router;
    readonly IQuotaStore _quotas;
    readonly TimeProvider _clock;
    readonly ILogger _log;
    readonly SemaphoreSlim _signal = new(0);
    readonly List<Transport> _removed = [];     // guarded by itself
    int _awake;

    public QuotaHost(Router router, IQuotaStore quotas, TimeProvider clock, ILogger<QuotaHost> log)
    {
        (_router, _quotas, _clock, _log) = (router, quotas, clock, log);
        foreach (var transport in router.Transports)
            Count(transport);
        router.TransportAdded += Count;
        router.TransportRemoved += Remove;
    }

    void Count(Transport transport)
    {
        if (transport.Options.Quotas.Count == 0)
            return;
        transport.CountQuotas();
        transport.AskedForMore += Wake;
    }

    /// <summary>What it has left of its quotas goes back when its last attempt has ended.</summary>
    void Remove(Transport transport)
    {
        if (transport.Options.Quotas.Count == 0)
            return;
        lock (_removed)
            _removed.Add(transport);
        transport.CapacityCame += _ => Wake();
        Wake();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => RunAsync(stoppingToken);

    internal async Task RunAsync(CancellationToken stopping)
    {
        await using var end = stopping.Register(Wake);
        while (!stopping.IsCancellationRequested)
        {
            await _signal.WaitAsync(CancellationToken.None);
            Volatile.Write(ref _awake, 0);
            if (await RoundAsync(all: false))
                continue;
            await Task.Delay(Rest, _clock, stopping)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            Wake();
        }
    }

    /// <summary>Delivery has ended by now: nothing of what is given back can still be used.</summary>
    public Task StoppedAsync(CancellationToken cancellationToken) => RoundAsync(all: true);

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _signal.Release();
    }

    List<Transport> Transports
    {
        get
        {
            lock (_removed)
                return [.. _router.Transports, .. _removed];
        }
    }

    /// <summary>False: the store is away.</summary>
    internal async Task<bool> RoundAsync(bool all) => await TakeAsync() && await GiveBackAsync(all);

    async Task<bool> TakeAsync()
    {
        var asks = Transports.SelectMany(transport => transport.NextQuotaAsks().Select(ask => (transport, ask))).ToList();
        if (asks.Count == 0)
            return true;
        IReadOnlyList<long>? granted = null;
        var isThere = await Guarded(async () => granted = await _quotas.TakeAsync([.. asks.Select(one => one.ask)]));
        foreach (var (index, (transport, ask)) in asks.Index())
            transport.Take(ask, granted?[index]);
        return isThere;
    }

    async Task<bool> GiveBackAsync(bool all)
    {
        List<Transport> drained;
        lock (_removed)
            drained = _removed.FindAll(static transport => transport.IsDrained);
        var unused = Transports.SelectMany(transport =>
            transport.TakeUnusedQuotas(all || drained.Contains(transport)).Select(ask => (transport, ask))).ToList();
        var isThere = unused.Count == 0 || await Guarded(async () =>
        {
            try
            {
                await _quotas.GiveBackAsync([.. unused.Select(one => one.ask)]);
            }
            catch (StoreUnavailableException away) when (!away.MayHaveCommitted)
            {
                // The next time. What may have been given back is not given back again: it would be more than the quota.
                unused.ForEach(static one => one.transport.KeepUnusedQuota(one.ask));
                drained.Clear();
                throw;
            }
        });
        lock (_removed)
            _removed.RemoveAll(drained.Contains);
        return isThere;
    }

    async Task<bool> Guarded(Func<Task> work)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException)
        {
            LogAway(e.Message);
            return false;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Transports with quotas wait, for the quotas cannot be counted: {Reason}")]
    partial void LogAway(string reason);
}
