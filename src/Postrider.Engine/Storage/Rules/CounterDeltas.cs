using System.Runtime.InteropServices;
using Postrider.Messages;

namespace Postrider.Storage.Rules;

/// <summary>Sums of recipients by scope and state, as deltas that each transaction adds up in memory and writes once: no row a
/// mail.</summary>
sealed class CounterDeltas
{
    readonly Dictionary<(long Scope, int State), long> _deltas = [];

    public readonly record struct Row(long Scope, int State, long Hour, long Delta);

    public void Add(int tenant, long? batch, int state, int delta)
    {
        Add(tenant, state, delta);
        if (batch is { } scope)
            Add(scope, state, delta);
    }

    /// <summary>Bytes of messages that were stored, or with a minus removed.</summary>
    public void AddStored(int tenant, long bytes) => Add(tenant, StateSums.StoredBytes, bytes);

    public void Add(int tenant, long? batch, RecipientState state, int delta) => Add(tenant, batch, (int)state, delta);

    public void Move(int tenant, long? batch, RecipientState from, RecipientState to, int count)
    {
        if (from == to || count == 0)
            return;
        Add(tenant, batch, (int)from, -count);
        Add(tenant, batch, (int)to, count);
    }

    void Add(long scope, int state, long delta)
    {
        ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(_deltas, (scope, state), out _);
        sum += delta;
    }

    /// <summary>What the transaction added up; then nothing. The open states and what is stored rise and fall,
    /// so their hour is 0 for ever.</summary>
    public List<Row> Take(long now)
    {
        const long hourMs = 3_600_000;
        var rows = new List<Row>(_deltas.Count);
        foreach (var ((scope, state), delta) in _deltas)
        {
            if (delta != 0)
                rows.Add(new Row(scope, state, state is < (int)RecipientState.Sent or StateSums.StoredBytes ? 0 : now / hourMs, delta));
        }
        _deltas.Clear();
        return rows;
    }

    public void Forget() => _deltas.Clear();
}
