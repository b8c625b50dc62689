using Microsoft.Extensions.Logging;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Batches;

/// <summary>Turns the destinations of large batches into messages, piece by piece, and ends what was cancelled. Any number of nodes do so
/// at once: a piece is written where the cursor stands as it was read, or not at all.</summary>
public sealed partial class Expander(
    IBatchStore batches, IBatchExpansion expansion, Submitter submitter, IHandOver handOver, MessageIds ids, TimeProvider clock,
    BatchOptions options, ILogger<Expander> logger)
{
    /// <summary>Destinations read at once, and of one batch before the next one's turn.</summary>
    const int Page = 2_000;

    const int FewestInPiece = 20;
    const int MostInPiece = 500;
    const int EndAtOnce = 100;
    const int TidyAtOnce = 500;
    const int MostBatches = 100;

    /// <summary>Of the writer's time: transactional mail waits for it.</summary>
    static readonly TimeSpan PieceTime = TimeSpan.FromMilliseconds(2);

    // The loop's.
    readonly Dictionary<MessageId, Open> _open = [];
    int _piece = 100;

    /// <summary>One round over all batches with work. True: there is more to do now.</summary>
    public async Task<bool> RunOnceAsync(CancellationToken ct)
    {
        var work = await batches.WithWorkAsync(clock.GetUtcNow(), MostBatches, ct);
        foreach (var gone in _open.Keys.Except(work.Select(b => b.Id)).ToList())
            _open.Remove(gone);
        var more = false;
        foreach (var batch in work)
        {
            ct.ThrowIfCancellationRequested();
            more |= await WorkAsync(batch, ct);
        }
        return await batches.TidyAsync(clock.GetUtcNow(), TidyAtOnce) | more;
    }

    /// <summary>One batch that nobody can expand must not keep the others: it is paused, and the reason is with its errors.</summary>
    async Task<bool> WorkAsync(LargeBatch batch, CancellationToken ct)
    {
        try
        {
            return batch.State == BatchState.Cancelling
                ? (await expansion.EndQueuedAsync(batch, clock.GetUtcNow(), EndAtOnce)).Rows == EndAtOnce
                : await ExpandAsync(batch, ct);
        }
        catch (Exception e) when (e is not (StoreUnavailableException or StorageLowException or TimeoutException
            or OperationCanceledException))
        {
            LogBroken(e, batch.Id);
            await batches.BreakAsync(batch.Id, $"The server cannot make messages of this batch: {e.Message}", clock.GetUtcNow());
            return true;
        }
    }

    [LoggerMessage(LogLevel.Error, "Batch {Batch} is paused: no messages can be made of it")]
    partial void LogBroken(Exception error, MessageId batch);

    /// <summary>True: something became of it, so there may be more.</summary>
    async Task<bool> ExpandAsync(LargeBatch batch, CancellationToken ct)
    {
        if (batch.First is null)
        {
            // Whether this node fixed it or another one: the next round reads it.
            await batches.OpenAsync(batch.Id, ids.Reserve(Math.Max(batch.Total, 1)));
            return true;
        }
        if (await OpenAsync(batch, ct) is not { } open)
            return false;
        var room = await RoomAsync(open, ct);
        if (room <= 0)
            return false;
        var limit = Math.Min(room, Page);
        var rows = await batches.ReadAsync(batch, batch.Cursor, limit, ct);
        var (cursor, taken) = (batch.Cursor, batch.Taken);
        for (var start = 0; start < rows.Count || rows.Count == 0;)
        {
            var wanted = Math.Min(_piece, rows.Count - start);
            var count = wanted == 0 ? 0 : await submitter.RoomAsync(batch.Tenant, wanted);
            if (count == 0 && wanted > 0)
                return false; // as much as may waits already, or the quota is spent: looked at again
            var piece = Make(batch, open, rows, start, count, cursor, taken, isLast: rows.Count < limit && start + count == rows.Count);
            var isWritten = await WriteAsync(open, piece);
            await submitter.ReturnAsync(batch.Tenant, isWritten ? piece.Faults.Count : count);
            if (!isWritten)
                return false;
            (cursor, taken, start) = (piece.To, taken + count, start + count);
            if (piece.IsLast)
                return false;
            ct.ThrowIfCancellationRequested();
        }
        return true;
    }

    async Task<bool> WriteAsync(Open open, BatchPiece piece)
    {
        var (done, took) = await expansion.ExpandAsync(piece);
        if (!done)
            return false;
        Fit(took, piece.Count);
        var now = clock.GetUtcNow();
        foreach (var key in open.Keys)
            handOver.Signal(key, now);
        foreach (var message in piece.Messages)
            if (message.Stopped.Count > 0)
                open.Messages.KeepCopy(piece.Batch.Tenant, message);
        return true;
    }

    BatchPiece Make(
        LargeBatch batch, Open open, IReadOnlyList<StoredDestination> rows, int start, int count, long cursor, int taken, bool isLast)
    {
        var now = clock.GetUtcNow();
        var messages = new List<NewMessage>(count);
        List<DestinationFault>? faults = null;
        for (var i = 0; i < count; i++)
        {
            var row = rows[start + i];
            if (open.Messages.Make(batch.First!.Value.Plus(taken + i), row.Email, row.Name, row.Data, now, out var fault) is { } message)
            {
                messages.Add(message);
                open.Keys.Add(new QueueKey(message.Route, message.Stream, batch.Tenant));
            }
            else
            {
                (faults ??= []).Add(new DestinationFault(row.N, row.Email, fault!.Slug, fault.Detail));
            }
        }
        return new BatchPiece
        {
            Batch = batch,
            From = cursor,
            To = count == 0 ? cursor : rows[start + count - 1].N,
            Count = count,
            Messages = messages,
            Faults = faults ?? [],
            IsLast = isLast,
        };
    }

    /// <summary>How many messages the batch may add now.</summary>
    async Task<int> RoomAsync(Open open, CancellationToken ct)
    {
        var room = options.MaxAhead;
        foreach (var key in open.Keys)
            room = Math.Min(room, options.MaxAhead - await batches.CountDueAsync(key, clock.GetUtcNow(), options.MaxAhead, ct));
        return room;
    }

    /// <summary>The piece that the writer does in its time: half of what it did too slowly, a little more of what it did fast.</summary>
    void Fit(TimeSpan took, int count)
    {
        if (took > PieceTime)
            _piece = Math.Max(FewestInPiece, Math.Min(_piece, count) / 2);
        else if (count == _piece && took < PieceTime * 0.75)
            _piece = Math.Min(MostInPiece, _piece + Math.Max(1, _piece / 8));
    }

    async Task<Open?> OpenAsync(LargeBatch batch, CancellationToken ct)
    {
        if (_open.TryGetValue(batch.Id, out var open))
            return open;
        if (await batches.ContentAsync(batch.Id, ct) is not { } content)
            return null;
        return _open[batch.Id] = new Open(submitter.ForDestinations(batch.Tenant, content, batch.Terms), []);
    }

    /// <summary>A batch that is being worked on.</summary>
    /// <param name="Keys">Where its messages go: who is told, and what is counted before there are more.</param>
    sealed record Open(DestinationMessages Messages, HashSet<QueueKey> Keys);
}
