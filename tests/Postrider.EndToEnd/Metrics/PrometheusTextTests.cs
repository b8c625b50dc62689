using System.Diagnostics.Metrics;
using Postrider.Messages;
using Postrider.Metrics;
using Xunit;

namespace Postrider.EndToEnd.Metrics;

/// <summary>What is measured is written as Prometheus reads it.</summary>
public sealed class PrometheusTextTests : IDisposable
{
    readonly Meter _meter = new("Postrider");
    readonly MetricCollector _collector = new();

    [Fact]
    public void Names_follow_the_rules_for_units_and_totals()
    {
        Assert.Equal("postrider_attempt_duration_seconds", PrometheusText.NameOf("postrider.attempt.duration", "s"));
        Assert.Equal("postrider_disk_free_bytes", PrometheusText.NameOf("postrider.disk.free", "By"));
        Assert.Equal("postrider_accepted", PrometheusText.NameOf("postrider.accepted", "{message}"));
        Assert.Equal("uptime_seconds", PrometheusText.NameOf("uptime_seconds", "s"));
    }

    [Fact]
    public void A_counter_adds_up_by_its_labels()
    {
        var counter = _meter.CreateCounter<long>("test.prometheus.counted", "{thing}", "Things \\ and\nlines.");
        counter.Add(2, new KeyValuePair<string, object?>("kind", "a"));
        counter.Add(3, new KeyValuePair<string, object?>("kind", "a"));
        counter.Add(1, new KeyValuePair<string, object?>("kind", "b\"\\\n"));
        var text = Read("test_prometheus_counted");
        Assert.Equal(
            """
            # HELP test_prometheus_counted_total Things \\ and\nlines.
            # TYPE test_prometheus_counted_total counter
            test_prometheus_counted_total{kind="a"} 5
            test_prometheus_counted_total{kind="b\"\\\n"} 1

            """, text);
    }

    [Fact]
    public void A_histogram_counts_up_from_bucket_to_bucket()
    {
        var histogram = _meter.CreateHistogram("test.prometheus.took", "s", "How long it took.",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });
        foreach (var took in new[] { 0.25, 0.5, 0.75, 4 })
            histogram.Record(took);
        Assert.Equal(
            """
            # HELP test_prometheus_took_seconds How long it took.
            # TYPE test_prometheus_took_seconds histogram
            test_prometheus_took_seconds_bucket{le="0.5"} 2
            test_prometheus_took_seconds_bucket{le="1"} 3
            test_prometheus_took_seconds_bucket{le="+Inf"} 4
            test_prometheus_took_seconds_sum 5.5
            test_prometheus_took_seconds_count 4

            """, Read("test_prometheus_took"));
        Assert.Contains("_bucket{le=\"1.0\"} 3\n", Read("test_prometheus_took", openMetrics: true));
    }

    [Fact]
    public void OpenMetrics_names_a_counter_without_its_suffix_and_says_where_it_ends()
    {
        _meter.CreateCounter<long>("test.prometheus.open", "{thing}", "Things.").Add(1);
        var text = _collector.Read(families => PrometheusText.Write(families, openMetrics: true));
        Assert.Contains("# TYPE test_prometheus_open counter\ntest_prometheus_open_total 1\n", text);
        Assert.EndsWith("# EOF\n", text);
    }

    [Fact]
    public void What_an_observed_gauge_does_not_name_any_more_is_gone()
    {
        List<string> names = ["a", "b"];
        _meter.CreateObservableGauge("test.prometheus.seen",
            () => names.Select(name => new Measurement<int>(1, new KeyValuePair<string, object?>("name", name))), "{thing}", "Seen.");
        Assert.Contains("name=\"b\"", Read("test_prometheus_seen"));
        names.Remove("b");
        var text = Read("test_prometheus_seen");
        Assert.Contains("name=\"a\"", text);
        Assert.DoesNotContain("name=\"b\"", text);
    }

    [Fact]
    public void No_label_fills_the_memory()
    {
        var counter = _meter.CreateCounter<long>("test.prometheus.many", "{thing}", "Things.");
        for (var i = 0; i < MetricFamily.MostSeries + 10; i++)
            counter.Add(1, new KeyValuePair<string, object?>("n", i));
        var lines = Read("test_prometheus_many").Split('\n');
        Assert.Equal(2 + MetricFamily.MostSeries + 1 + 1, lines.Length);
        Assert.Contains("test_prometheus_many_total{otel_metric_overflow=\"true\"} 10", lines);
    }

    [Fact]
    public void Measuring_allocates_nothing()
    {
        var counter = _meter.CreateCounter<long>("test.prometheus.cheap", "{thing}", "Things.");
        var histogram = _meter.CreateHistogram("test.prometheus.cheap.took", "s", "Took.", advice: Buckets.Short);
        void Measure()
        {
            for (var i = 0; i < 1_000; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("transport", "relay"));
                histogram.Record(0.25, new KeyValuePair<string, object?>("transport", "relay"));
            }
        }
        Measure();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Measure();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    string Read(string name, bool openMetrics = false) => _collector.Read(
        families => PrometheusText.Write(
            families.Where(family => PrometheusText.NameOf(family.Name, "") == name), openMetrics));

    public void Dispose()
    {
        _collector.Dispose();
        _meter.Dispose();
    }
}
