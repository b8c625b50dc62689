using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Fetches what this node's transports need of the limits that all nodes share, gives back what they do not use, and
/// tells and hears of their circuits.</summary>
/// <remarks>Never a statement per message: transports ask for slices ahead, and what several of them ask goes in one statement.</remarks>
public sealed partial class SharedLimitsHost : BackgroundService
{
    /// <summary>After the store could not be had.</summary>
    static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    static readonly TimeSpan LookForUnused = TimeSpan.FromMilliseconds(500);

    readonly Router _router;
    readonly ISharedLimits _limits;
    readonly TimeProvider _clock;
    readonly ILogger _log;
    readonly SemaphoreSlim _signal = new(0);
    int _awake;
    bool _isAway;
    volatile bool _hasNew;                      // a transport of which nothing was adopted yet

    public SharedLimitsHost(Router router, ISharedLimits limits, Notices notices, TimeProvider clock, ILogger<SharedLimitsHost> log)
    {
        (_router, _limits, _clock, _log) = (router, limits, clock, log);
        foreach (var transport in router.Transports)
            Take(transport);
        router.TransportAdded += Take;
        // Not before: nobody finds the new ones until then.
        router.Replaced += () =>
        {
            _hasNew = true;
            Wake();
        };
        notices.Subscribe(Topic.Transports, AdoptAsync);
    }

    void Take(Transport transport)
    {
        transport.Share();
        transport.AskedForMore += Wake;
    }

    /// <summary>What an operator paused, or what is known to fail, is known before anything is sent.</summary>
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await Guarded(() => AdoptAsync(cancellationToken));
        await base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var timer = _clock.CreateTimer(_ => Wake(), null, LookForUnused, LookForUnused);
        while (!stoppingToken.IsCancellationRequested)
        {
            await _signal.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Volatile.Write(ref _awake, 0);
            if (!await RoundAsync(stoppingToken))
                await Task.Delay(Rest, _clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await TellAsync();
        await GiveBackAsync(all: true, CancellationToken.None);
    }

    async Task AdoptAsync(CancellationToken ct)
    {
        foreach (var state in await _limits.LoadAsync(ct))
            _router.FindTransport(state.Name)?.Adopt(state);
    }

    async Task<bool> TellAsync()
    {
        var told = false;
        foreach (var transport in _router.Transports)
        {
            if (transport.TakeToTell() is not { Count: > 0 } changes)
                continue;
            told = true;
            var (done, mayProbe) = (0, false);
            var isThere = await Guarded(async () =>
            {
                for (; done < changes.Count; done++)
                    mayProbe |= await _limits.TellAsync(changes[done]) && changes[done].Kind == SharedChangeKind.TakeProbe;
            });
            transport.Told([.. changes.Skip(done)], mayProbe);
            if (!isThere)
                return false;
        }
        return !told || await Guarded(() => AdoptAsync(CancellationToken.None));
    }

    void Wake()
    {
        if (Interlocked.Exchange(ref _awake, 1) == 0)
            _signal.Release();
    }

    /// <summary>False: the store is away.</summary>
    internal async Task<bool> RoundAsync(CancellationToken ct) =>
        await AdoptNewAsync(ct) && await TakeAsync(ct) && await TellAsync() && await GiveBackAsync(all: false, ct);

    /// <summary>A transport that came, or came again, stands as the others know it of its name.</summary>
    async Task<bool> AdoptNewAsync(CancellationToken ct)
    {
        if (!_hasNew)
            return true;
        _hasNew = false;
        var isThere = await Guarded(() => AdoptAsync(ct));
        _hasNew |= !isThere;
        return isThere;
    }

    async Task<bool> TakeAsync(CancellationToken ct)
    {
        var asking = new List<(Transport Transport, RateAsk Ask)>();
        foreach (var transport in _router.Transports)
            asking.AddRange(transport.NextAsks().Select(ask => (transport, ask)));
        if (asking.Count == 0)
            return true;
        var isThere = await Guarded(async () =>
        {
            var grants = await _limits.TakeAsync([.. asking.Select(one => one.Ask)], ct);
            foreach (var (index, (transport, _)) in asking.Index())
                transport.Take(grants[index]);
        });
        if (!isThere)
            asking.ForEach(static one => one.Transport.AskFailed(one.Ask.Key));
        return isThere;
    }

    async Task<bool> GiveBackAsync(bool all, CancellationToken ct)
    {
        var unused = new List<RateAsk>();
        foreach (var transport in _router.Transports)
            unused.AddRange(transport.TakeUnused(all));
        return unused.Count == 0 || await Guarded(() => _limits.GiveBackAsync(unused, ct));
    }

    /// <summary>False: the store is away.</summary>
    async Task<bool> Guarded(Func<Task> work)
    {
        try
        {
            await work();
            _isAway = false;
            return true;
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException or OperationCanceledException)
        {
            if (!_isAway && e is not OperationCanceledException)
                LogAway(e.Message);
            _isAway = true;
            return false;
        }
    }

    public override void Dispose()
    {
        _signal.Dispose();
        base.Dispose();
    }

    [LoggerMessage(LogLevel.Warning, "Transports with limits wait, for what all nodes share cannot be had: {Reason}")]
    partial void LogAway(string reason);
}
