using System.Diagnostics.Metrics;
using Postrider.Messages;

namespace Postrider.Delivery;

/// <summary>What this room counts, on the meter <c>Postrider</c>. Labels are names of ours, never addresses.</summary>
public sealed class DeliveryMetrics : IDisposable
{
    // Words as in the API, made once: a measurement must not allocate.
    static readonly string[] Outcomes = [.. Enum.GetNames<OutcomeKind>().Select(name => name.ToLowerInvariant())];
    static readonly string[] States = [.. Enumerable.Range(0, (int)Enum.GetValues<RecipientState>().Max() + 1)
        .Select(state => ((RecipientState)state).ToString().ToLowerInvariant())];

    readonly Meter _meter = new("Postrider");
    readonly Counter<long> _outcomes;
    readonly Counter<long> _ended;
    readonly Histogram<double> _duration;
    readonly Histogram<double> _limited;
    readonly Counter<long> _leased;
    readonly Counter<long> _released;
    readonly Counter<long> _fenced;
    readonly Counter<long> _waits;
    long _fencedTotal;

    public DeliveryMetrics()
    {
        _outcomes = _meter.CreateCounter<long>("postrider.attempt.outcomes", "{recipient}",
            "What attempts came to, by transport and outcome, counted in recipients.");
        _ended = _meter.CreateCounter<long>("postrider.recipients.ended", "{recipient}", "Recipients that ended, by state.");
        _duration = _meter.CreateHistogram("postrider.attempt.duration", "s",
            "From the start of an attempt to its outcome, by transport.", advice: Buckets.Peers);
        _limited = _meter.CreateHistogram("postrider.attempt.rate_limit.wait", "s",
            "Waits of tries for the rate limit of their transport.", advice: Buckets.Peers);
        _leased = _meter.CreateCounter<long>("postrider.leases", "{envelope}",
            "Envelopes taken to be attempted, by how: queue or hand-over.");
        _released = _meter.CreateCounter<long>("postrider.releases", "{envelope}", "Leases given back without an attempt.");
        _fenced = _meter.CreateCounter<long>("postrider.records.fenced", "{record}", "Outcomes that came after their lease was lost.");
        _waits = _meter.CreateCounter<long>("postrider.records.retried", "{record}", "Times an outcome waited for the store to come back.");
    }

    /// <summary>Outcomes that came after their lease was lost, since the start.</summary>
    public long Fenced => Interlocked.Read(ref _fencedTotal);

    /// <param name="transport"><see cref="Routing.Transport.Label"/>.</param>
    public void Attempted(string transport, TimeSpan duration)
    {
        if (_duration.Enabled)
            _duration.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("transport", transport));
    }

    /// <inheritdoc cref="Attempted"/>
    public void Outcome(string transport, OutcomeKind kind)
    {
        if (_outcomes.Enabled)
            _outcomes.Add(1, new("transport", transport), new("outcome", Outcomes[(int)kind]));
    }

    /// <inheritdoc cref="Attempted"/>
    public void Limited(string transport, TimeSpan wait) =>
        _limited.Record(wait.TotalSeconds, new KeyValuePair<string, object?>("transport", transport));

    public void Ended(RecipientState state)
    {
        if (_ended.Enabled)
            _ended.Add(1, new KeyValuePair<string, object?>("state", States[(int)state]));
    }

    public void Leased(int count) => _leased.Add(count, new KeyValuePair<string, object?>("by", "queue"));
    public void HandedOver() => _leased.Add(1, new KeyValuePair<string, object?>("by", "hand-over"));
    public void Released(int count) => _released.Add(count);
    public void WaitedForStore() => _waits.Add(1);

    public void RecordFenced()
    {
        Interlocked.Increment(ref _fencedTotal);
        _fenced.Add(1);
    }

    public void Dispose() => _meter.Dispose();
}
