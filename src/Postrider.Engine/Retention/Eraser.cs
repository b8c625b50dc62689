using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Retention;

/// <summary>Works orders to erase off. Mail to the person alone is cancelled first; mail to others too, and what the person sent, goes on,
/// and is waited for. A hand that died is waited for <see cref="Patience"/>; whatever it did may be done again.</summary>
public sealed partial class Eraser(
    IErasureStore store, IMessageReader messages, IQueueStore queue, TimeProvider clock, ILogger<Eraser> log) : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    static readonly TimeSpan Look = TimeSpan.FromSeconds(1);
    static readonly TimeSpan LookAgain = TimeSpan.FromMinutes(1);

    /// <summary>For what the person sent all mail is looked through: at first after this long, then ever more seldom.</summary>
    static readonly TimeSpan LookThroughAgain = TimeSpan.FromHours(1);

    /// <summary>Then another order, perhaps on another node.</summary>
    static readonly TimeSpan Turn = TimeSpan.FromSeconds(10);

    /// <summary>Messages of a turn: far less than <see cref="Patience"/> of work.</summary>
    const int MostMessages = 1_000;
    const int PageSize = 100;

    readonly SemaphoreSlim _signal = new(0);

    /// <summary>An order was added: look now.</summary>
    public void Wake() => _signal.Release();

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                await LookAsync(stopping);
                await using var timer = clock.CreateTimer(_ => Wake(), null, Look, Timeout.InfiniteTimeSpan);
                await _signal.WaitAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The node stops; others, or its next start, go on.
        }
    }

    async Task LookAsync(CancellationToken ct)
    {
        try
        {
            while (await TakeTurnAsync(ct)) { }
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException or TimeoutException)
        {
            LogAway(fault.Message);
        }
    }

    /// <summary>False: no order waits for a hand.</summary>
    internal async Task<bool> TakeTurnAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        if (await store.TakeAsync(now, now + Patience) is not { } erasure)
            return false;
        var started = clock.GetTimestamp();
        var (erased, open, hasMore) = await EraseMessagesAsync(erasure, ct);
        // Mail that was waited for has ended: what was told of it meanwhile may be anywhere.
        var at = erasure.Waiting > erasure.Cursor.Open && open == 0 ? ErasureCursor.Start : erasure.Cursor;
        var (rows, isThrough) = (0L, false);
        while (!hasMore && !isThrough && clock.GetElapsedTime(started) < Turn)
        {
            var piece = await store.EraseRestAsync(erasure, at, ct);
            (rows, erased) = (rows + piece.Rows, erased + piece.Messages);
            (at, isThrough) = (piece.Next ?? at, piece.Next is null);
        }
        if (isThrough)
        {
            // Of destinations that went just now messages may have been made behind the first look.
            var late = await EraseMessagesAsync(erasure, ct);
            (erased, open) = (erased + late.Erased, late.Open);
            if (late.HasMore || late.Erased > 0)
                (isThrough, at) = (false, ErasureCursor.Start);
            else if (open == 0 && at.Open > 0 && at == erasure.Cursor)
                (isThrough, at) = (false, ErasureCursor.Start); // that look is over, and what was open then may have ended
        }
        var waiting = open + at.Open;
        if (isThrough)
            rows += await store.EraseKeptAsync(erasure, isLast: waiting == 0, ct);
        now = clock.GetUtcNow();
        await store.EndTurnAsync(erasure, new ErasureTurn(erased, rows, waiting, at), now, isThrough ? Next(erasure, open, at, now) : now);
        if (isThrough && waiting == 0)
            LogDone(erasure.Id, erasure.Tenant, erasure.Messages + erased);
        return true;
    }

    /// <summary>Null: it is done.</summary>
    static DateTimeOffset? Next(Erasure erasure, long open, ErasureCursor at, DateTimeOffset now)
    {
        var quarter = (now - erasure.CreatedAt) / 4;
        return open > 0 ? now + LookAgain : at.Open > 0 ? now + (quarter > LookThroughAgain ? quarter : LookThroughAgain) : null;
    }

    /// <summary>What is erased is not found any more; what is open is passed over.</summary>
    async Task<(long Erased, long Open, bool HasMore)> EraseMessagesAsync(Erasure erasure, CancellationToken ct)
    {
        var (erased, open) = (0L, 0L);
        MessageId? before = null;
        do
        {
            var page = await messages.ListAsync(
                erasure.Tenant, new MessageFilter { Address = erasure.Address, Before = before, Limit = PageSize }, ct);
            foreach (var message in page.Messages)
            {
                if (message.Recipients.All(r => Is(erasure, r)))
                    await queue.CancelAsync(erasure.Tenant, message.Id, clock.GetUtcNow(), ct);
                var result = await store.EraseMessageAsync(erasure, message.Id);
                erased += result == ErasedMessage.Erased ? 1 : 0;
                open += result == ErasedMessage.Open ? 1 : 0;
            }
            before = page.ContinueBefore;
        }
        while (before is not null && erased < MostMessages);
        return (erased, open, before is not null);
    }

    static bool Is(Erasure erasure, RecipientView recipient) =>
        string.Equals(recipient.Mailbox.Address.ToAscii(), erasure.Address, StringComparison.OrdinalIgnoreCase);

    public void Dispose() => _signal.Dispose();

    [LoggerMessage(LogLevel.Information, "Erasure {Erasure} of tenant {Tenant} is done: {Count} messages")]
    partial void LogDone(long erasure, TenantId tenant, long count);

    [LoggerMessage(LogLevel.Warning, "Erasures wait: {Reason}")]
    partial void LogAway(string reason);
}
