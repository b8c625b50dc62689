using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Delivery;

/// <summary>Writes what this node sent to where all nodes' is added up, every few seconds, in pieces that hold up no mail; and forgets what
/// is hours old. A process that dies takes the last seconds with it.</summary>
public sealed partial class FlowHost(FlowBook book, IFlowStore store, TimeProvider clock, ILogger<FlowHost> log) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    /// <summary>The last hour is shown; and a node whose clock is wrong by less is seen too.</summary>
    static readonly TimeSpan Kept = TimeSpan.FromHours(3);

    /// <summary>Some 2 ms of one writer.</summary>
    const int Piece = 250;

    long _forgotten; // the minute in which it was last done
    bool _isAway;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await RoundAsync();
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
        await RoundAsync();
    }

    internal async Task RoundAsync()
    {
        var left = new Queue<FlowCount[]>(book.Take().Chunk(Piece));
        try
        {
            while (left.TryPeek(out var piece))
            {
                await store.AddAsync(piece);
                left.Dequeue();
            }
            var now = clock.GetUtcNow();
            if (FlowCount.MinuteOf(now) != _forgotten)
            {
                await store.ForgetAsync(now - Kept);
                _forgotten = FlowCount.MinuteOf(now);
            }
            _isAway = false;
        }
        catch (Exception e) when (e is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            // People see it later.
            book.PutBack(left.SelectMany(piece => piece));
            if (!_isAway)
                LogAway(log, e.Message);
            _isAway = true;
        }
    }

    [LoggerMessage(LogLevel.Debug, "What was sent cannot be added up for the dashboard: {Reason}")]
    static partial void LogAway(ILogger log, string reason);
}
