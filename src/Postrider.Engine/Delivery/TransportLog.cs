using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>Says in the log when a provider fails and when it is back: one line each way, and one when no transport of a route takes
/// mail.</summary>
/// <remarks>The breaks of one failure are one failure: only what opens a closed circuit is told, and what closes it.</remarks>
sealed partial class TransportLog(Router router, ILogger<TransportLog> logger)
{
    readonly Lock _lock = new();
    readonly HashSet<string> _open = [];            // by circuit
    readonly HashSet<string> _stalled = [];
    readonly HashSet<string> _paused = [];
    readonly HashSet<string> _routesDown = [];

    /// <summary>For <see cref="Router.TransportChanged"/>.</summary>
    public void Note(TransportChange change)
    {
        lock (_lock)
        {
            Tell_NeedsLock(change);
            foreach (var route in router.Table.Routes)
                TellRoute_NeedsLock(route);
        }
    }

    void Tell_NeedsLock(TransportChange change)
    {
        var name = change.Transport;
        var reason = AddressMask.InText(change.Reason);
        switch (change.Kind)
        {
            case TransportChangeKind.CircuitOpened when _open.Add(name):
                LogOpened(name, reason, LastAnswer(name), change.Until);
                break;
            case TransportChangeKind.CircuitClosed when _open.Remove(name):
                LogClosed(name, reason);
                break;
            case TransportChangeKind.Stalled when _stalled.Add(name):
                LogStalled(name, reason);
                break;
            case TransportChangeKind.Recovered when _stalled.Remove(name):
                LogRecovered(name, reason);
                break;
            case TransportChangeKind.SenderDomainRefused:
                LogRefused(name, reason, change.Until);
                break;
            case TransportChangeKind.Paused when _paused.Add(name):
                LogPaused(name, reason);
                break;
            case TransportChangeKind.Resumed when _paused.Remove(name):
                LogResumed(name, reason);
                break;
        }
    }

    void TellRoute_NeedsLock(Route route)
    {
        var down = route.Transports.All(t =>
            t.Options.Fault is not null || _open.Contains(t.Key) || _stalled.Contains(t.Key) || _paused.Contains(t.Key));
        if (down && _routesDown.Add(route.Name))
            LogRouteDown(route.Name, string.Join(", ", route.Transports.Select(t => t.Name)));
        else if (!down && _routesDown.Remove(route.Name))
            LogRouteBack(route.Name);
    }

    string LastAnswer(string transport)
    {
        var last = router.FindTransport(transport)?.GetStatus().LastErrors;
        return last is [var error, ..] ? $"{error.Kind}, {AddressMask.InText(error.Reply.Words)}" : "none";
    }

    [LoggerMessage(LogLevel.Warning,
        "Transport {Transport} failed ({Reason}): no mail goes there until {Until:u}, when one message tries it. Last answer: {Answer}")]
    partial void LogOpened(string transport, string reason, string answer, DateTimeOffset? until);

    [LoggerMessage(LogLevel.Warning, "Transport {Transport} is back: {Reason}")]
    partial void LogClosed(string transport, string reason);

    [LoggerMessage(LogLevel.Warning, "Transport {Transport} stalled: {Reason}")]
    partial void LogStalled(string transport, string reason);

    [LoggerMessage(LogLevel.Warning, "Transport {Transport} no longer stalls: {Reason}")]
    partial void LogRecovered(string transport, string reason);

    [LoggerMessage(LogLevel.Warning,
        "Transport {Transport} refused a sender domain, which is not tried there again until {Until:u}: {Reason}")]
    partial void LogRefused(string transport, string reason, DateTimeOffset? until);

    [LoggerMessage(LogLevel.Information, "Transport {Transport} was paused {Reason}")]
    partial void LogPaused(string transport, string reason);

    [LoggerMessage(LogLevel.Information, "Transport {Transport} was resumed {Reason}")]
    partial void LogResumed(string transport, string reason);

    [LoggerMessage(LogLevel.Error, "Route {Route} has no transport left that takes mail ({Transports}): its mail waits")]
    partial void LogRouteDown(string route, string transports);

    [LoggerMessage(LogLevel.Warning, "Route {Route} has a transport again")]
    partial void LogRouteBack(string route);
}
