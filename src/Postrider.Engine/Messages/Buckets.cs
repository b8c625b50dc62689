using System.Diagnostics.Metrics;

namespace Postrider.Messages;

/// <summary>Upper bounds of histograms, as advice to whoever collects them: one set for each order of magnitude.</summary>
public static class Buckets
{
    /// <summary>Seconds of what should take milliseconds: commits, accepts.</summary>
    public static readonly InstrumentAdvice<double> Short = new()
    {
        HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    /// <summary>Seconds of talking to peers: OpenTelemetry's bounds for HTTP, and on to the 600 s that SMTP gives the final dot (RFC 5321
    /// §4.5.3.2.6).</summary>
    public static readonly InstrumentAdvice<double> Peers = new()
    {
        HistogramBucketBoundaries =
            [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60, 120, 300, 600],
    };

    /// <summary>Numbers of things done at once.</summary>
    public static readonly InstrumentAdvice<long> Counts = new()
    {
        HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
    };
}
