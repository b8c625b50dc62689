using System.Diagnostics;

namespace Postrider.Messages;

/// <summary>The steps of a message as spans of OpenTelemetry. The trace of the call that brought a message is kept with it and goes on
/// wherever it is attempted.</summary>
/// <remarks>Where nobody listens nothing is made, kept or allocated. A message whose call was not recorded is not recorded later.</remarks>
public static class MailTrace
{
    public const string SourceName = "Postrider";

    static readonly ActivitySource Source = new(SourceName);

    /// <summary>What is to be kept with a message that comes in now; default: nothing.</summary>
    public static ActivityContext Current =>
        Source.HasListeners() && Activity.Current is { Recorded: true } current ? current.Context : default;

    /// <summary>A step of what is under way here. Null where it is not recorded.</summary>
    public static Activity? Start(string name, ActivityKind kind = ActivityKind.Internal) => Source.StartActivity(name, kind);

    /// <summary>A step of a message that came in with a trace. Null where it had none, or nobody listens.</summary>
    /// <param name="isOfMany">It is one of a batch, whose trace must not grow with it: a trace of its own, linked to that of the
    /// call.</param>
    /// <param name="began">Default: now.</param>
    public static Activity? Continue(
        string name, ActivityContext trace, bool isOfMany, ActivityKind kind = ActivityKind.Internal, DateTimeOffset began = default)
    {
        if (trace == default || !Source.HasListeners())
            return null;
        if (!isOfMany)
            return Source.StartActivity(name, kind, trace, startTime: began);
        Activity.Current = null; // or it would be a part of whatever is under way
        return Source.StartActivity(name, kind, parentContext: default, links: [new ActivityLink(trace)], startTime: began);
    }

    /// <summary>As it is kept: a traceparent of W3C Trace Context level 1 (§3.2).</summary>
    public static string Format(ActivityContext trace) =>
        $"00-{trace.TraceId.ToHexString()}-{trace.SpanId.ToHexString()}-"
        + (trace.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? "01" : "00");

    /// <summary>Default where it is none.</summary>
    public static ActivityContext Parse(string text) =>
        ActivityContext.TryParse(text, traceState: null, isRemote: true, out var trace) ? trace : default;
}
