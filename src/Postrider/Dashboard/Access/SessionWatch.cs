using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Access;

/// <summary>Looks whether the sessions with open pages still hold, and ends those that do not. While nobody looks at the dashboard it
/// sleeps.</summary>
sealed partial class SessionWatch(LiveSessions live, Sessions sessions, TimeProvider clock, ILogger<SessionWatch> log) : BackgroundService
{
    /// <summary>A revoked session is gone from all pages after this and the reading: well within 20 s.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await live.Any.WaitAsync(stoppingToken);
                while (live.Ids is { Count: > 0 } ids)
                {
                    await LookAsync(ids, stoppingToken);
                    await Task.Delay(Every, clock, stoppingToken);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops, and pages end with their connections.
        }
    }

    async Task LookAsync(IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        try
        {
            var alive = (await sessions.AliveAsync(ids, ct)).ToDictionary(s => s.Session.Id);
            foreach (var id in ids)
            {
                if (!alive.TryGetValue(id, out var now))
                    live.End(id);
                else if (live.Find(id) is { } session)
                    session.Current = now;
            }
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            // Pages show nothing either while the store is away.
            LogNotLooked(fault.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "Sessions of the dashboard could not be looked at: {Reason}")]
    partial void LogNotLooked(string reason);
}
