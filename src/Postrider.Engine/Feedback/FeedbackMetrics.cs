using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Postrider.Providers;

namespace Postrider.Feedback;

/// <summary>What the room counts: reports by who sent them, what they say and what became of them, and callbacks that were
/// refused.</summary>
public sealed class FeedbackMetrics : IDisposable
{
    readonly Meter _meter = new("Postrider");
    readonly Counter<long> _reports;
    readonly Counter<long> _refused;
    ConcurrentDictionary<string, bool> _heard = [];   // by transport: whether of something delivered

    public FeedbackMetrics()
    {
        _reports = _meter.CreateCounter<long>("postrider.feedback.reports", "{report}",
            "What providers told of mail that was sent, by vendor, kind and what became of the report.");
        _refused = _meter.CreateCounter<long>("postrider.feedback.refused", "{call}",
            "Callbacks that were turned away, by vendor and status.");
    }

    public void Took(FeedbackReport report, FeedbackResult result)
    {
        _reports.Add(1, new("vendor", report.Vendor), new("kind", KindOf(report.Event.Kind)),
            new("result", result.ToString().ToLowerInvariant()));
        if (report.Transport is { } transport)
            Volatile.Read(ref _heard).AddOrUpdate(transport, static (_, delivered) => delivered,
                static (_, before, delivered) => before || delivered, report.Event.Kind == FeedbackKind.Delivered);
    }

    /// <summary>The transports that reported something since this was last asked, and whether of something delivered.</summary>
    public IReadOnlyDictionary<string, (bool Heard, bool Delivered)> TakeHeard() =>
        Interlocked.Exchange(ref _heard, []).ToDictionary(one => one.Key, one => (true, one.Value));

    /// <param name="status">What it was answered.</param>
    public void Refused(string vendor, int status) => _refused.Add(1, new("vendor", vendor), new("status", status));

    /// <summary>Kinds that are one to whoever watches are counted as one.</summary>
    static string KindOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft => "bounced",
        _ => kind.ToString().ToLowerInvariant(),
    };

    public void Dispose() => _meter.Dispose();
}
