using System.Globalization;
using Postrider.Api;
using Postrider.Dashboard.Parts;
using Postrider.Routing;

namespace Postrider.Dashboard.Screens;

/// <summary>How a transport's numbers are written.</summary>
static class TransportWords
{
    static readonly string[] Errors = ["refused", "throttled", "unreachable", "unknown"];

    static CultureInfo Invariant => CultureInfo.InvariantCulture;

    /// <summary>What speaks against the transport itself, of all that came of its tries; null before the first.</summary>
    public static double? ErrorShare(TransportAnswer transport)
    {
        var all = transport.Outcomes.Values.Sum();
        var errors = Errors.Sum(word => transport.Outcomes.GetValueOrDefault(word));
        return all == 0 ? null : (double)errors / all;
    }

    public static string Rate(RateAnswer? rate) => rate is null ? "no limit" : string.Create(Invariant, $"{rate.Recipients}/{Span(rate.PerSeconds)}");

    /// <summary>The limit is each node's own.</summary>
    public static string InFlight(TransportAnswer transport)
    {
        var nodes = transport.Nodes.Count(node => node.Alive);
        var text = string.Create(Invariant, $"{transport.InFlight} of {transport.Concurrency}");
        return nodes > 1 ? string.Create(Invariant, $"{text} × {nodes}") : text;
    }

    public static string Latency(LatencyAnswer? latency) => latency is null ? "–"
        : $"{Length(latency.P50Ms)} / {Length(latency.P95Ms)}";

    public static string Quota(QuotaAnswer quota) =>
        $"{Numbers.Count(quota.Used)} of {Numbers.Count(quota.Recipients)} this {(quota.Span == QuotaSpan.Day ? "day" : "month")}";

    /// <summary>What it is doing, in a sentence.</summary>
    public static string? Why(TransportAnswer transport) => transport switch
    {
        { Fault: { } fault } => $"{fault} Its mail waits, or takes another transport of the route.",
        { Paused: true, InFlight: > 0 } => string.Create(
            Invariant, $"Paused: {transport.InFlight} attempts that were under way are ending; nothing new begins."),
        { Paused: true } => "Paused, and empty: nothing is under way, nothing new begins.",
        { State: "open", LastErrors: [var error, ..] } => $"{Words.Meaning("open")} The last error: {error.Text}",
        _ => Words.Meaning(transport.State),
    };

    static string Span(double seconds) => seconds switch
    {
        1 => "s",
        60 => "min",
        3_600 => "h",
        86_400 => "day",
        _ => string.Create(Invariant, $"{seconds:0.###} s"),
    };

    static string Length(double milliseconds) => Times.Length(TimeSpan.FromMilliseconds(milliseconds));
}
