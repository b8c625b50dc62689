namespace Postrider.Metrics;

/// <summary>Puts measuring into the process.</summary>
static class MetricRegistration
{
    public static void AddMetricReading(this IServiceCollection services)
    {
        services.AddSingleton<MetricCollector>();
        services.AddSingleton<QueueReadings>();
        services.AddSingleton<EngineGauges>();
        services.AddHostedService<MetricStart>();
    }

    /// <summary>What is measured before the first reading counts as well.</summary>
    sealed class MetricStart(MetricCollector collector, EngineGauges gauges) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            GC.KeepAlive((collector, gauges)); // made by being asked for
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
