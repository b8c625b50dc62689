using System.Diagnostics.Metrics;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>What a store's writers count: how long transactions take and how much each of them carries.</summary>
sealed class StoreMetrics : IDisposable
{
    readonly Meter _meter = new("Postrider");
    readonly Histogram<double> _commit;
    readonly Histogram<long> _batch;
    readonly Counter<long> _failed;

    public StoreMetrics()
    {
        _commit = _meter.CreateHistogram("postrider.store.transaction.duration", "s",
            "From the first statement of a transaction until it is on disk.", advice: Buckets.Short);
        _batch = _meter.CreateHistogram("postrider.store.transaction.operations", "{operation}",
            "Operations that share one transaction.", advice: Buckets.Counts);
        _failed = _meter.CreateCounter<long>("postrider.store.transaction.failures", "{transaction}",
            "Transactions that failed and were repeated piece by piece, or not at all.");
    }

    public bool Times => _commit.Enabled;

    public void Committed(TimeSpan took, int operations)
    {
        _commit.Record(took.TotalSeconds);
        _batch.Record(operations);
    }

    public void Failed() => _failed.Add(1);

    public void Dispose() => _meter.Dispose();
}
