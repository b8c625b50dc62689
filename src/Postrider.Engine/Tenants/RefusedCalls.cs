using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Writes down the calls that were refused or failed, once a second, behind all mail. Nobody who calls waits for it, and whoever
/// calls without end is written down a bounded number of times.</summary>
public sealed partial class RefusedCalls : BackgroundService
{
    /// <summary>Rows in a second, of all tenants and of one.</summary>
    const int MostAtOnce = 200;
    const int MostOfTenant = 20;

    static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    readonly IRefusedCallStore _store;
    readonly TimeProvider _clock;
    readonly ILogger<RefusedCalls> _log;
    readonly Meter _meter = new("Postrider");
    readonly Counter<long> _unlogged;
    readonly Lock _lock = new();
    List<RefusedCall> _waiting = [];   // guarded by _lock

    public RefusedCalls(IRefusedCallStore store, TimeProvider clock, ILogger<RefusedCalls> log)
    {
        (_store, _clock, _log) = (store, clock, log);
        _unlogged = _meter.CreateCounter<long>("postrider.refused_calls.unlogged", "{call}",
            "Refused calls that are not in the log of requests: there were too many at once, or the storage was away.");
    }

    /// <param name="call">Method and route.</param>
    /// <param name="target">The path, without the query.</param>
    public void Add(Principal caller, string call, string target, Problem problem)
    {
        var refused = RefusedCall.Of(_clock.GetUtcNow(), caller, call, target, problem);
        lock (_lock)
        {
            if (_waiting.FindIndex(refused.IsAs) is >= 0 and var same)
                _waiting[same] = refused with { Times = _waiting[same].Times + 1 };
            else if (_waiting.Count < MostAtOnce && _waiting.Count(one => one.Tenant == caller.Tenant) < MostOfTenant)
                _waiting.Add(refused);
            else
                _unlogged.Add(1);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, _clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await WriteAsync();
        }
        catch (OperationCanceledException)
        {
            await WriteAsync();
        }
    }

    /// <summary>What waits now.</summary>
    internal async Task WriteAsync()
    {
        List<RefusedCall> calls;
        lock (_lock)
        {
            if (_waiting.Count == 0)
                return;
            (calls, _waiting) = (_waiting, []);
        }
        try
        {
            await _store.AddAsync(calls);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            var lost = calls.Sum(call => (long)call.Times);
            _unlogged.Add(lost);
            LogLost(lost, fault.Message);
        }
    }

    public override void Dispose()
    {
        _meter.Dispose();
        base.Dispose();
    }

    [LoggerMessage(LogLevel.Debug, "{Count} refused calls are not in the log of requests: {Reason}")]
    partial void LogLost(long count, string reason);
}
