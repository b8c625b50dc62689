using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Postrider.Simulation;

namespace Postrider.Storage.Memory;

/// <summary>Stores for simulations.</summary>
public static class MemoryStorage
{
    public static SimulationStores Open(TimeProvider clock, StoreWatch watch) =>
        new(new WatchedStore(new WatchedTables(watch), clock, watch), new MemoryQuotas());

    sealed class WatchedTables(StoreWatch watch) : MemoryTables
    {
        public override void Ended(RecipientId recipient, RecipientState state) => watch.Ended(recipient, state);
    }

    sealed class WatchedStore(MemoryTables tables, TimeProvider clock, StoreWatch watch) : MemoryStore(tables, clock)
    {
        public override Task<RecordResult> RecordAsync(AttemptRecord record)
        {
            watch.Recorded(record);
            return base.RecordAsync(record);
        }
    }
}

/// <summary>What was taken of quotas, in memory. Thread-safe.</summary>
sealed class MemoryQuotas : IQuotaStore
{
    readonly Lock _lock = new();
    readonly Dictionary<(string Scope, QuotaSpan Span, DateTimeOffset Start), long> _used = [];

    public Task<IReadOnlyList<long>> TakeAsync(IReadOnlyList<QuotaAsk> asks)
    {
        lock (_lock)
            return Task.FromResult<IReadOnlyList<long>>([.. asks.Select(Take_NeedsLock)]);
    }

    long Take_NeedsLock(QuotaAsk ask)
    {
        var used = _used.GetValueOrDefault(Key(ask));
        var part = ask.Quota.PartOf(used, ask.Count);
        _used[Key(ask)] = used + part;
        return part;
    }

    public Task GiveBackAsync(IReadOnlyList<QuotaAsk> unused)
    {
        lock (_lock)
        {
            foreach (var ask in unused)
                _used[Key(ask)] = _used.GetValueOrDefault(Key(ask)) - ask.Count;
        }
        return Task.CompletedTask;
    }

    public Task<IReadOnlyList<long>> UsedAsync(IReadOnlyList<QuotaAsk> quotas, CancellationToken ct)
    {
        lock (_lock)
            return Task.FromResult<IReadOnlyList<long>>([.. quotas.Select(ask => _used.GetValueOrDefault(Key(ask)))]);
    }

    static (string, QuotaSpan, DateTimeOffset) Key(QuotaAsk ask) => (ask.Scope, ask.Quota.Span, ask.WindowStart);
}
