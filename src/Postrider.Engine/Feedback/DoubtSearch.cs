using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Feedback;

/// <summary>Asks a transport's provider whether it has a message. Null: it cannot be asked, or not now.</summary>
public delegate ValueTask<FoundAtTransport?> FindAtTransport(
    TenantId tenant, string transport, DoubtfulMessage message, CancellationToken ct);

/// <summary>Before the waiting for evidence ends and a message is sent again, asks the provider, where it can be searched, whether it has
/// it.</summary>
/// <remarks>Found ends the doubt, as a callback would. Not found proves nothing: the waiting goes on.</remarks>
public sealed partial class DoubtSearch(
    IFeedbackStore store, FeedbackReceiver receiver, FindAtTransport find, TimeProvider clock, ILogger<DoubtSearch> logger)
    : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    /// <summary>How long before its end the waiting is looked at: providers' searches lag behind some seconds, and HTTP waits two
    /// minutes.</summary>
    static readonly TimeSpan Ahead = TimeSpan.FromSeconds(60);

    /// <summary>Between two questions for the same envelope.</summary>
    static readonly TimeSpan Again = TimeSpan.FromSeconds(20);

    /// <summary>Searches have narrow rate limits.</summary>
    const int PerLook = 20;

    readonly Dictionary<(MessageId, int), DateTimeOffset> _asked = []; // the loop's

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await LookAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    internal async Task LookAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        foreach (var (envelope, at) in _asked)
        {
            if (now - at > Ahead + Again)
                _asked.Remove(envelope);
        }
        try
        {
            var began = clock.GetTimestamp();
            var answers = 0;
            // More than are asked for: some have been asked for a moment ago, and most transports cannot be searched.
            foreach (var one in (await store.DoubtfulAsync(now + Ahead, 50 * PerLook, ct)).Where(d => IsTime(d, now)))
            {
                answers += await AskAsync(one, now, ct) ? 1 : 0;
                if (answers == PerLook || clock.GetElapsedTime(began) > Again)
                    break;
            }
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            LogStoreAway(e.Message);
        }
    }

    static (MessageId, int) IdOf(DoubtfulEnvelope envelope) => (envelope.Message.Message, envelope.Message.Recipients[0]);

    bool IsTime(DoubtfulEnvelope envelope, DateTimeOffset now) => !_asked.TryGetValue(IdOf(envelope), out var at) || now - at >= Again;

    /// <summary>False: it cannot be asked, or not now.</summary>
    async Task<bool> AskAsync(DoubtfulEnvelope envelope, DateTimeOffset now, CancellationToken ct)
    {
        _asked[IdOf(envelope)] = now;
        if (await find(envelope.Tenant, envelope.Transport, envelope.Message, ct) is not { } found)
            return false;
        if (found.Events.Count > 0)
            await receiver.TakeAsync(found.Vendor, found.Transport, found.Events, ct);
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "The search for what is in doubt waits for the store: {Reason}")]
    partial void LogStoreAway(string reason);
}
