using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Tells the other nodes how the transports are doing on this one: once a second, all that changed in one statement.</summary>
public sealed partial class TransportReporter(
    Router router, ITransportReports reports, TimeProvider clock, ILogger<TransportReporter> log) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    // Null: what an earlier process with this node's number said may stand there still.
    Dictionary<string, string>? _told;
    bool _isAway;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            do
                await RoundAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>Once more when the last attempts have ended.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await RoundAsync(cancellationToken);
    }

    internal async Task RoundAsync(CancellationToken ct)
    {
        var now = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var transport in router.Transports)
            if (TransportReport.Of(transport.GetStatus()) is { IsBlank: false } report)
                now[transport.Key] = report.Write();
        var changed = now.Where(one => _told?.GetValueOrDefault(one.Key) != one.Value).Select(one => one.Key).ToList();
        if (_told is not null && changed.Count == 0 && _told.Count == now.Count)
            return;
        try
        {
            await reports.WriteAsync(now, changed, ct);
            (_told, _isAway) = (now, false);
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            // People see a little less; the next second says it.
            if (!_isAway)
                LogAway(log, e.Message);
            _isAway = true;
        }
    }

    [LoggerMessage(LogLevel.Debug, "How the transports are doing cannot be told to the other nodes: {Reason}")]
    static partial void LogAway(ILogger log, string reason);
}
