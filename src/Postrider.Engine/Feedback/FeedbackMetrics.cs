using System.Diagnostics.Metrics;

namespace Postrider.Feedback;

/// <summary>What the room counts: reports by who sent them and what became of them, callbacks that were refused.</summary>
public sealed class FeedbackMetrics : IDisposable
{
    readonly Meter _meter = new("Postrider");
    readonly Counter<long> _reports;
    readonly Counter<long> _refused;

    public FeedbackMetrics()
    {
        _reports = _meter.CreateCounter<long>("postrider.feedback.reports");
        _refused = _meter.CreateCounter<long>("postrider.feedback.refused");
    }

    public void Took(string vendor, FeedbackResult result) =>
        _reports.Add(1, new("vendor", vendor), new("result", result.ToString().ToLowerInvariant()));

    /// <param name="status">What it was answered.</param>
    public void Refused(string vendor, int status) => _refused.Add(1, new("vendor", vendor), new("status", status));

    public void Dispose() => _meter.Dispose();
}
