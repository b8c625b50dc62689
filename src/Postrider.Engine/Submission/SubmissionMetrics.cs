using System.Diagnostics.Metrics;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>What the room counts: what was taken, how long that took, and what was refused when it was to be stored.</summary>
public sealed class SubmissionMetrics : IDisposable
{
    static readonly string[] Streams = ["transactional", "bulk"];

    readonly Meter _meter = new("Postrider");
    readonly Counter<long> _accepted;
    readonly Counter<long> _refused;
    readonly Histogram<double> _took;
    readonly Counter<long> _sessions;
    readonly Counter<long> _replies;

    public SubmissionMetrics()
    {
        _accepted = _meter.CreateCounter<long>("postrider.accepted", "{message}", "Messages that are on disk, by stream.");
        _refused = _meter.CreateCounter<long>("postrider.accept.refused", "{call}",
            "Calls whose content was in order and that were not stored, by the problem's slug.");
        _took = _meter.CreateHistogram("postrider.accept.duration", "s", "From a checked message to its commit, by stream.",
            advice: Buckets.Short);
        _sessions = _meter.CreateCounter<long>("postrider.smtp.sessions", "{session}", "Sessions of SMTP submission that began.");
        _replies = _meter.CreateCounter<long>("postrider.smtp.messages", "{message}",
            "Messages that clients sent by SMTP, by the class of our reply: 2xx taken, 4xx later, 5xx refused.");
    }

    internal bool Times => _took.Enabled;

    internal void Accepted(MailStream stream, int messages, TimeSpan took)
    {
        var label = new KeyValuePair<string, object?>("stream", Streams[(int)stream]);
        _accepted.Add(messages, label);
        if (_took.Enabled)
            _took.Record(took.TotalSeconds, label);
    }

    internal void Refused(Problem problem) => _refused.Add(1, new KeyValuePair<string, object?>("problem", problem.Slug));

    public void SessionBegan() => _sessions.Add(1);

    internal void Replied(int code) => _replies.Add(1, new KeyValuePair<string, object?>("reply", code switch
    {
        < 300 => "2xx",
        < 500 => "4xx",
        _ => "5xx",
    }));

    public void Dispose() => _meter.Dispose();
}
