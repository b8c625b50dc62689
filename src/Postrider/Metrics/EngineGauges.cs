using System.Diagnostics.Metrics;
using Postrider.Delivery;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Routing;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Postrider.Metrics;

/// <summary>What is so at this moment, asked for only when somebody measures: transports, the queue, the nodes, the disk.</summary>
sealed class EngineGauges : IDisposable
{
    readonly Meter _meter = new("Postrider");
    readonly Router _router;
    readonly QueueReadings _readings;
    readonly Dispatcher? _dispatcher;
    readonly Readiness _readiness;
    readonly DriveInfo _disk;
    readonly TimeProvider _clock;

    public EngineGauges(Router router, QueueReadings readings, Readiness readiness, PostriderOptions options, TimeProvider clock,
        Dispatcher? dispatcher = null)
    {
        (_router, _readings, _readiness, _dispatcher, _clock) = (router, readings, readiness, dispatcher, clock);
        _disk = new DriveInfo(Stores.FolderOf(options) ?? Path.GetFullPath(options.Data));
        MeasureTransports();
        MeasureQueue();
        MeasureRunners();
        _meter.CreateObservableGauge("postrider.nodes", Nodes, "{node}", "Nodes that share the store, by whether they live.");
        _meter.CreateObservableGauge("postrider.attempts.in_flight", () => _dispatcher?.InFlight ?? 0, "{envelope}",
            "Envelopes in this node's hands, from lease to record.");
        _meter.CreateObservableGauge("postrider.disk.free", FreeBytes, "By",
            "Free space of the disk with the database, or on PostgreSQL with the data folder.");
        _meter.CreateObservableGauge("postrider.store.size", () => _readings.Last?.Disk.Bytes is { } bytes ? [new(bytes)] : Nothing, "By",
            "The data in the database, noted every hour.");
        _meter.CreateObservableGauge("postrider.disk.full_in",
            () => _readings.Last?.Disk.FullIn is { } span ? [new(span.TotalSeconds)] : Unread, "s",
            "When the disk is full if the database grows on as it has in the last days; absent while it does not grow.");
        _meter.CreateObservableGauge("postrider.ready", () => _readiness.WhyNot is null ? 1 : 0, "{node}",
            "1: the node takes mail; 0: it drains, or its storage is away or nearly full.");
        _meter.CreateObservableGauge("postrider.build.info", Build, "{node}", "1, with the version that runs.");
    }

    void MeasureTransports()
    {
        _meter.CreateObservableGauge("postrider.transport.in_flight",
            () => Own(t => t.InFlight).Append(new Measurement<int>(OfTenants(), new Tag("transport", Transport.TenantsLabel))),
            "{permit}", "Permits out, from the leave to begin an attempt to its outcome on disk.");
        _meter.CreateObservableGauge("postrider.transport.concurrency", () => Own(t => t.Concurrency), "{permit}",
            "The most permits that may be out.");
        _meter.CreateObservableGauge("postrider.transport.available", () => Own(t => t.TakesMail ? 1 : 0), "{transport}",
            "1: it takes mail; 0: paused, stalled, failed, or not usable as it is set up.");
        _meter.CreateObservableGauge("postrider.transport.paused", () => Own(t => t.Paused ? 1 : 0), "{transport}",
            "1: paused by an operator.");
        _meter.CreateObservableGauge("postrider.transport.stalled", () => Own(t => t.Stalled ? 1 : 0), "{transport}",
            "1: an attempt is not answered, and nothing completed since.");
        _meter.CreateObservableGauge("postrider.transport.throttled", () => Own(t => t.ThrottledUntil is null ? 0 : 1), "{transport}",
            "1: the provider asked for a wait.");
        _meter.CreateObservableGauge("postrider.transport.standby", Standbys, "{transport}",
            "1: it is meant for when another one fails.");
        _meter.CreateObservableGauge("postrider.transport.circuit", Circuits, "{transport}",
            "1 for the position in which its circuit breaker is: closed, half_open, open.");
    }

    void MeasureQueue()
    {
        _meter.CreateObservableGauge("postrider.queue.depth", Depths, "{recipient}",
            "Recipients that are not done, of all nodes, by stream and state.");
        _meter.CreateObservableGauge("postrider.queue.oldest_due.age", Ages, "s",
            "For how long the oldest mail of a stream has been due.");
        _meter.CreateObservableGauge("postrider.dead_letters", DeadLetters, "{recipient}",
            "Recipients that ended without being sent, or wait for a person, by state.");
        _meter.CreateObservableGauge("postrider.suppressions", () => _readings.Last is { } last ? [new(last.Sums.Suppressions)] : Nothing,
            "{address}", "Addresses that are not mailed.");
        _meter.CreateObservableGauge("postrider.queue.reading.age",
            () => _readings.Last is { } last ? [new((_clock.GetUtcNow() - last.At).TotalSeconds)] : Unread, "s",
            "How old the numbers are that the database was asked for.");
    }

    void MeasureRunners()
    {
        _meter.CreateObservableGauge("postrider.schedules.oldest_due.age", () => Age(r => r.ScheduleDueAt), "s",
            "For how long the schedule that waits longest has been due.");
        _meter.CreateObservableGauge("postrider.batches.expanding", () => Count(r => r.Expanding), "{batch}",
            "Large batches that are becoming messages.");
        _meter.CreateObservableGauge("postrider.batches.destinations_left", () => Count(r => r.DestinationsLeft), "{destination}",
            "Destinations of those batches that are not messages yet.");
        _meter.CreateObservableGauge("postrider.webhooks.pending", () => Count(r => r.Deliveries), "{delivery}",
            "Deliveries to webhooks that are not made yet.");
        _meter.CreateObservableGauge("postrider.webhooks.oldest_pending.age", () => Age(r => r.OldestDeliveryAt), "s",
            "How old the oldest event is that a webhook has not taken.");
        _meter.CreateObservableGauge("postrider.webhooks.oldest_due.age", () => Age(r => r.DeliveryDueAt), "s",
            "For how long the delivery that waits longest could have been tried.");
        _meter.CreateObservableGauge("postrider.retention.oldest_due.age", () => Age(r => r.RetentionDueAt), "s",
            "For how long what is old could have been removed.");
    }

    /// <summary>0: nothing waits.</summary>
    IEnumerable<Measurement<double>> Age(Func<RunnerSums, DateTimeOffset?> of) => _readings.Last is not { Sums.Runners: var runners } last
        ? Unread : [new(of(runners) is { } since ? Math.Max(0, (last.At - since).TotalSeconds) : 0)];

    IEnumerable<Measurement<long>> Count(Func<RunnerSums, long> of) =>
        _readings.Last is { Sums.Runners: var runners } ? [new(of(runners))] : Nothing;

    static readonly IEnumerable<Measurement<long>> Nothing = [];
    static readonly IEnumerable<Measurement<double>> Unread = [];

    IEnumerable<Measurement<int>> Own(Func<TransportStatus, int> of) => _router.Transports.Where(t => t.Options.Owner is null)
        .Select(t => new Measurement<int>(of(t.GetStatus()), new Tag("transport", t.Label)));

    int OfTenants() => _router.Transports.Where(t => t.Options.Owner is not null).Sum(t => t.GetStatus().InFlight);

    IEnumerable<Measurement<int>> Standbys()
    {
        var table = _router.Table;
        return table.Transports.Where(t => t.Options.Owner is null)
            .Select(t => new Measurement<int>(table.IsStandby(t) ? 1 : 0, new Tag("transport", t.Label)));
    }

    IEnumerable<Measurement<int>> Circuits() => _router.Transports.Where(t => t.Options.Owner is null).SelectMany(transport =>
    {
        var position = transport.GetStatus().Circuit;
        return new[] { (CircuitPosition.Closed, "closed"), (CircuitPosition.HalfOpen, "half_open"), (CircuitPosition.Open, "open") }
            .Select(one => new Measurement<int>(
                one.Item1 == position ? 1 : 0, new Tag("transport", transport.Label), new Tag("state", one.Item2)));
    });

    IEnumerable<Measurement<long>> Depths()
    {
        if (_readings.Last is not { Sums.Depths: var depths })
            return Nothing;
        // Zeros too: a series that comes and goes cannot be watched.
        RecipientState[] states =
            [RecipientState.Scheduled, RecipientState.Queued, RecipientState.Leased, RecipientState.Unknown];
        return from stream in Enum.GetValues<MailStream>()
               from state in states.Union(depths.Select(depth => depth.State))
               select new Measurement<long>(depths.Where(depth => (depth.Stream, depth.State) == (stream, state)).Sum(d => d.Recipients),
                   new Tag("stream", Word(stream)), new Tag("state", Word(state)));
    }

    IEnumerable<Measurement<double>> Ages()
    {
        if (_readings.Last is not { Sums.Depths: var depths } last)
            return Unread;
        return from stream in Enum.GetValues<MailStream>()
               let oldest = depths.Where(depth => depth.Stream == stream).Min(depth => depth.OldestDueAt)
               select new Measurement<double>(
                   oldest is { } due ? Math.Max(0, (last.At - due).TotalSeconds) : 0, new Tag("stream", Word(stream)));
    }

    IEnumerable<Measurement<long>> DeadLetters()
    {
        if (_readings.Last is not { Sums.DeadLetters: var letters })
            return Nothing;
        return new[] { RecipientState.Failed, RecipientState.Expired, RecipientState.Held }
            .Select(state => new Measurement<long>(letters.GetValueOrDefault(state), new Tag("state", Word(state))));
    }

    IEnumerable<Measurement<int>> Nodes() => _readings.Last is not { Nodes: var nodes } ? [] :
    [
        new(nodes.Count(node => node.Alive), new Tag("state", "alive")), new(nodes.Count(node => !node.Alive), new Tag("state", "dead")),
    ];

    IEnumerable<Measurement<long>> FreeBytes()
    {
        try
        {
            return [new(_disk.AvailableFreeSpace)];
        }
        catch (IOException)
        {
            return []; // a disk that is gone shows by what cannot be written
        }
    }

    static Measurement<int> Build() => new(1, new Tag("version", ThisProcess.Version));

    static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    public void Dispose() => _meter.Dispose();
}
