using System.Runtime.InteropServices;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>Adds up in memory what attempts of this node came to, until <see cref="FlowHost"/> takes it away.</summary>
/// <param name="patience">How long mail may take that says nothing of it: what has longer was meant for later, and its delay says
/// nothing.</param>
public sealed class FlowBook(TimeProvider clock, TimeSpan patience)
{
    /// <summary>What is counted while the store is away for long: beyond it nothing new is.</summary>
    const int MaxCounts = 50_000;

    static readonly TimeSpan Rounding = TimeSpan.FromSeconds(1);

    readonly Lock _lock = new();
    Dictionary<(TenantId Tenant, long Minute, string Transport, int Kind), long> _counts = []; // guarded by _lock

    internal void Note(Lease lease, string transport, IReadOnlyList<RecipientOutcome> outcomes)
    {
        var now = clock.GetUtcNow();
        var (tenant, accepted, minute) = (lease.Envelope.Key.Tenant, lease.Message.Id.At, FlowCount.MinuteOf(now));
        var sent = 0;
        lock (_lock)
        {
            foreach (var (_, outcome) in outcomes)
            {
                Add_NeedsLock(tenant, minute, transport, (int)outcome.Kind, 1);
                sent += outcome.Kind == OutcomeKind.Accepted ? 1 : 0;
            }
            if (sent > 0 && lease.Envelope.ExpiresAt - accepted <= patience + Rounding)
                Add_NeedsLock(tenant, minute, transport, FlowCount.FirstDelay + FlowDelays.BucketOf(now - accepted), sent);
        }
    }

    /// <summary>All that was added up; from now on it begins anew.</summary>
    internal IReadOnlyList<FlowCount> Take()
    {
        lock (_lock)
        {
            var taken = _counts;
            if (taken.Count == 0)
                return [];
            _counts = [];
            return [.. taken.Select(one => new FlowCount(one.Key.Tenant, one.Key.Minute, one.Key.Transport, one.Key.Kind, one.Value))];
        }
    }

    /// <summary>It could not be written.</summary>
    internal void PutBack(IEnumerable<FlowCount> counts)
    {
        lock (_lock)
            foreach (var one in counts)
                Add_NeedsLock(one.Tenant, one.Minute, one.Transport, one.Kind, one.Count);
    }

    void Add_NeedsLock(TenantId tenant, long minute, string transport, int kind, long count)
    {
        if (_counts.Count >= MaxCounts && !_counts.ContainsKey((tenant, minute, transport, kind)))
            return;
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, (tenant, minute, transport, kind), out _) += count;
    }
}
