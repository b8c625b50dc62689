using System.Text;
using Postrider.Metrics;

namespace Postrider.Api;

/// <summary>The call that a Prometheus server makes.</summary>
static class MetricsEndpoint
{
    public static void MapMetrics(this IEndpointRouteBuilder app) =>
        app.MapGet("/metrics", async (HttpContext context, MetricCollector collector, QueueReadings readings, CancellationToken ct) =>
        {
            await readings.RefreshAsync(ct);
            var asksForOpenMetrics =
                context.Request.Headers.Accept.ToString().Contains("application/openmetrics-text", StringComparison.Ordinal);
            var text = collector.Read(families => PrometheusText.Write(families, asksForOpenMetrics));
            return TypedResults.Text(
                text, asksForOpenMetrics ? PrometheusText.OpenMetricsType : PrometheusText.PlainType, Encoding.UTF8);
        }).For(Access.Monitoring).TakingAnyParameters().AnswersPlain(200, "text/plain", "The numbers.")
            .AnswersPlain(200, "application/openmetrics-text", "The numbers.").Says("metrics", "What this process has measured, in Prometheus's text format or in OpenMetrics.");
}
