using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Postrider.Metrics;

/// <summary>Keeps what the instruments of this process have measured since it started, for whoever comes to read it.</summary>
/// <remarks>Measuring costs a look-up and an addition, without a lock and without memory.</remarks>
sealed class MetricCollector : IDisposable
{
    /// <summary>Of the runtime's, those that tell whether the process has what it needs.</summary>
    static readonly HashSet<string> OfTheRuntime =
    [
        "dotnet.process.cpu.time", "dotnet.process.memory.working_set", "dotnet.gc.collections", "dotnet.gc.pause.time",
        "dotnet.gc.heap.total_allocated", "dotnet.gc.last_collection.memory.committed_size", "dotnet.thread_pool.queue.length",
        "dotnet.monitor.lock_contentions",
    ];

    readonly MeterListener _listener = new();
    readonly ConcurrentDictionary<string, MetricFamily> _families = [];
    readonly Lock _reading = new();
    int _round;   // guarded by _reading

    public MetricCollector()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (Takes(instrument))
                listener.EnableMeasurementEvents(
                    instrument, _families.GetOrAdd(instrument.Name, static (_, made) => new MetricFamily(made), instrument));
        };
        _listener.SetMeasurementEventCallback<long>(static (_, value, tags, family) => ((MetricFamily)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, family) => ((MetricFamily)family!).Take(value, tags));
        _listener.SetMeasurementEventCallback<double>(static (_, value, tags, family) => ((MetricFamily)family!).Take(value, tags));
        _listener.Start();
    }

    /// <summary>What is measured here and sent on elsewhere: the same choice for everybody.</summary>
    public static bool Takes(Instrument instrument) => instrument.Meter.Name switch
    {
        "Postrider" => true,
        "Microsoft.AspNetCore.Hosting" => true,
        "Microsoft.AspNetCore.Server.Kestrel" => instrument.Name is "kestrel.active_connections" or "kestrel.rejected_connections",
        "System.Runtime" => OfTheRuntime.Contains(instrument.Name),
        _ => false,
    };

    /// <summary>Asks what is asked only now, and hands all families over, by name.</summary>
    public string Read(Func<IEnumerable<MetricFamily>, string> write)
    {
        lock (_reading)
        {
            _round++;
            foreach (var family in _families.Values)
                family.Round = _round;
            _listener.RecordObservableInstruments();
            return write(_families.Values.OrderBy(family => family.Name, StringComparer.Ordinal));
        }
    }

    public void Dispose() => _listener.Dispose();
}

/// <summary>What kind of number an instrument makes.</summary>
enum MetricKind : byte { Counter, Gauge, Histogram }

/// <summary>All that one instrument has measured, by its labels.</summary>
sealed class MetricFamily
{
    /// <summary>OpenTelemetry's limit: what comes beyond it is counted together, so that no label can fill the memory.</summary>
    public const int MostSeries = 2_000;

    static readonly double[] DefaultBounds = [0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000];

    readonly ConcurrentDictionary<Tag[], MetricSeries> _series = new(TagComparer.Instance);
    readonly ConcurrentDictionary<Tag[], MetricSeries>.AlternateLookup<ReadOnlySpan<Tag>> _byTags;
    readonly MetricSeries _overflow;
    readonly bool _isSet;      // the measurement is the value, not what is added to it
    int _made;

    public MetricFamily(Instrument instrument)
    {
        (Name, Unit, Description) = (instrument.Name, instrument.Unit ?? "", instrument.Description ?? "");
        var type = instrument.GetType().GetGenericTypeDefinition();
        Kind = type == typeof(Histogram<>) ? MetricKind.Histogram
            : type == typeof(Counter<>) || type == typeof(ObservableCounter<>) ? MetricKind.Counter : MetricKind.Gauge;
        _isSet = instrument.IsObservable || type == typeof(Gauge<>);
        IsObserved = instrument.IsObservable;
        Bounds = Kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
        _byTags = _series.GetAlternateLookup<ReadOnlySpan<Tag>>();
        _overflow = new MetricSeries([new Tag("otel.metric.overflow", "true")], Bounds, int.MaxValue);
    }

    public string Name { get; }
    public string Unit { get; }
    public string Description { get; }
    public MetricKind Kind { get; }

    /// <summary>Upper bounds of a histogram, without the infinite one.</summary>
    public double[] Bounds { get; }

    /// <summary>It is asked at each reading, and what it does not name any more is gone.</summary>
    public bool IsObserved { get; }

    /// <summary>Of the reading under way.</summary>
    public int Round { get; set; }

    /// <summary>In the order in which they were first measured, so that two readings have the same lines at the same places.</summary>
    public IEnumerable<MetricSeries> Series => (_overflow.Round == 0 ? _series.Values : _series.Values.Append(_overflow))
        .Where(series => !IsObserved || series.Round == Round).OrderBy(series => series.Number);

    public void Take(double value, ReadOnlySpan<Tag> tags)
    {
        if (!_byTags.TryGetValue(tags, out var series))
            series = Add(tags);
        series.Round = IsObserved ? Round : 1;
        if (Kind == MetricKind.Histogram)
            series.Record(value, Bounds);
        else if (_isSet)
            series.Set(value);
        else
            series.Add(value);
    }

    MetricSeries Add(ReadOnlySpan<Tag> tags) => _series.Count >= MostSeries
        ? _overflow
        : _series.GetOrAdd(tags.ToArray(), static (key, family) =>
            new MetricSeries(key, family.Bounds, Interlocked.Increment(ref family._made)), this);

    static double[] BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
        Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(bound => (double)bound)],
        _ => DefaultBounds,
    };

    /// <summary>Labels in the order in which a place in the code names them, which is always the same.</summary>
    sealed class TagComparer : IEqualityComparer<Tag[]>, IAlternateEqualityComparer<ReadOnlySpan<Tag>, Tag[]>
    {
        public static readonly TagComparer Instance = new();

        public bool Equals(Tag[]? one, Tag[]? other) => Equals(one.AsSpan(), other!);
        public int GetHashCode(Tag[] tags) => GetHashCode(tags.AsSpan());
        public Tag[] Create(ReadOnlySpan<Tag> tags) => tags.ToArray();

        public int GetHashCode(ReadOnlySpan<Tag> tags)
        {
            var hash = tags.Length;
            foreach (var tag in tags)
                hash = HashCode.Combine(hash, tag.Value);
            return hash;
        }

        public bool Equals(ReadOnlySpan<Tag> tags, Tag[] other)
        {
            if (tags.Length != other.Length)
                return false;
            for (var i = 0; i < other.Length; i++)
            {
                if (tags[i].Key != other[i].Key || !object.Equals(tags[i].Value, other[i].Value))
                    return false;
            }
            return true;
        }
    }
}

/// <summary>One number, or one histogram, under one set of labels. Written by any thread.</summary>
sealed class MetricSeries(Tag[] tags, double[] bounds, int number)
{
    readonly long[] _buckets = new long[bounds.Length == 0 ? 0 : bounds.Length + 1];
    double _value;
    volatile int _round;

    public IReadOnlyList<Tag> Tags => tags;

    /// <summary>Its place among those of its instrument.</summary>
    public int Number => number;

    /// <summary>The reading in which it was last measured; 0: never.</summary>
    public int Round { get => _round; set => _round = value; }

    /// <summary>The sum, of a histogram.</summary>
    public double Value => Volatile.Read(ref _value);

    /// <summary>Of a histogram: how many fell into the bucket of this index; the last one has no upper bound.</summary>
    public long InBucket(int index) => Interlocked.Read(ref _buckets[index]);

    public void Set(double value) => Volatile.Write(ref _value, value);

    public void Add(double value)
    {
        var seen = Volatile.Read(ref _value);
        while (Interlocked.CompareExchange(ref _value, seen + value, seen) is var found && !found.Equals(seen))
            seen = found;
    }

    public void Record(double value, double[] bounds)
    {
        var bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
            bucket++;
        Interlocked.Increment(ref _buckets[bucket]);
        Add(value);
    }
}
