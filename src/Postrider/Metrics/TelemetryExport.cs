using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Postrider.Hosting;
using Postrider.Messages;

namespace Postrider.Metrics;

/// <summary>Sends traces and metrics to an OpenTelemetry collector, as the variables <c>OTEL_…</c> say: the SDK reads them itself. Off, and
/// not even loaded, where none names an endpoint.</summary>
sealed class TelemetryExport(string nodeName) : IHostedService, IDisposable
{
    static readonly string[] Watching = ["/healthz", "/readyz", "/metrics"];

    static readonly string[] Signals = ["TRACES", "METRICS"];

    TracerProvider? _traces;
    MeterProvider? _metrics;

    /// <summary>Whether anything is to be sent anywhere.</summary>
    public static bool IsOn => Wants("TRACES") || Wants("METRICS");

    /// <summary>Where it is sent, as far as that is an address.</summary>
    public static IEnumerable<Uri> Endpoints => Signals.Where(Wants)
        .Select(signal => Variable($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") ?? Variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
        .Select(text => Uri.TryCreate(text, UriKind.Absolute, out var endpoint) && endpoint.Port > 0 ? endpoint : null).OfType<Uri>();

    /// <summary>Notes in the span of a call which route it went, for its name.</summary>
    public static async Task TellRouteAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        finally
        {
            if (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } route })
                context.Features.Get<IHttpActivityFeature>()?.Activity.SetTag("http.route", route.Length > 1 ? route.TrimEnd('/') : route);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var resource = ResourceBuilder.CreateDefault()
            .AddService("postrider", serviceVersion: ThisProcess.Version, serviceInstanceId: nodeName)
            .AddEnvironmentVariableDetector(); // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
        if (Wants("TRACES"))
            _traces = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
                .AddSource(MailTrace.SourceName, "Microsoft.AspNetCore", "System.Net.Http")
                .AddProcessor(new Redaction()).AddOtlpExporter().Build();
        if (Wants("METRICS"))
            _metrics = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource)
                .AddMeter("Postrider", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime")
                .AddView(instrument => MetricCollector.Takes(instrument) ? null : MetricStreamConfiguration.Drop)
                .AddOtlpExporter().Build();
        return Task.CompletedTask;
    }

    /// <summary>What is under way still ends; the last of it is sent when this is disposed.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _traces?.Dispose();
        _metrics?.Dispose();
    }

    static bool Wants(string signal) =>
        !"true".Equals(Variable("OTEL_SDK_DISABLED"), StringComparison.OrdinalIgnoreCase)
        && !"none".Equals(Variable($"OTEL_{signal}_EXPORTER"), StringComparison.OrdinalIgnoreCase)
        && (Variable("OTEL_EXPORTER_OTLP_ENDPOINT") ?? Variable($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")) is not null;

    static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    const string CallName = "Microsoft.AspNetCore.Hosting.HttpRequestIn";

    // OpenTelemetry's semantic conventions for HTTP spans, 1.23: {method} {route}, and HTTP for a method that is none.
    static string NameOf(Activity call)
    {
        var method = call.GetTagItem("http.request.method") as string is { } name && name != "_OTHER" ? name : "HTTP";
        return call.GetTagItem("http.route") is string { Length: > 0 } route ? $"{method} {route}" : method;
    }

    /// <summary>Paths may name addresses, and queries secrets: routes say which call it was. Who only watches us leaves no trace.</summary>
    sealed class Redaction : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Kind == ActivityKind.Server && data.GetTagItem("url.path") is string path && Watching.Contains(path))
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            if (data.OperationName == CallName)
                data.DisplayName = NameOf(data);
            foreach (var tag in (ReadOnlySpan<string>)["url.path", "url.query", "url.full", "user_agent.original", "client.address"])
                data.SetTag(tag, null);
        }
    }
}
