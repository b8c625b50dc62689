using System.Globalization;
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

    /// <summary>Of merged data in one piece; it ends with the destination that reaches it.</summary>
    const int BytesInPiece = 1024 * 1024;
    const int EndAtOnce = 100;
    const int TidyAtOnce = 500;
    const int MostBatches = 100;

    /// <summary>Of the writer's time: transactional mail waits for it.</summary>
    static readonly TimeSpan PieceTime = TimeSpan.FromMilliseconds(2);

    /// <summary>Until a batch that took too long is looked at again.</summary>
    static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    // The loop's.
    readonly Dictionary<MessageId, Open> _open = [];
    readonly Dictionary<MessageId, long> _resting = [];
    int _piece = 100;

    /// <summary>One round over all batches with work. True: there is more to do now.</summary>
    public async Task<bool> RunOnceAsync(CancellationToken ct)
    {
        var work = await batches.WithWorkAsync(clock.GetUtcNow(), MostBatches, ct);
        foreach (var gone in _open.Keys.Except(work.Select(b => b.Id)).ToList())
            _open.Remove(gone);
        foreach (var rested in _resting.Where(r => clock.GetElapsedTime(r.Value) >= Rest).ToList())
            _resting.Remove(rested.Key);
        var more = false;
        foreach (var batch in work.Where(b => !_resting.ContainsKey(b.Id)))
        {
            ct.ThrowIfCancellationRequested();
            more |= await WorkAsync(batch, ct);
        }
        return await batches.TidyAsync(clock.GetUtcNow(), TidyAtOnce) | more;
    }

    /// <summary>One batch that nobody can expand must not keep the others: it is paused, and the reason is with its errors. One that
    /// takes too
    /// long is left alone for a while.</summary>
    async Task<bool> WorkAsync(LargeBatch batch, CancellationToken ct)
    {
        try
        {
            return batch.State == BatchState.Cancelling
                ? (await expansion.EndQueuedAsync(batch, clock.GetUtcNow(), EndAtOnce)).Rows == EndAtOnce
                : await ExpandAsync(batch, ct);
        }
        catch (TimeoutException e)
        {
            return LeaveAlone(batch, e.Message);
        }
        catch (Exception e) when (e is not (StoreUnavailableException or StorageLowException or OperationCanceledException))
        {
            return await BreakAsync(batch, e.Message, e);
        }
    }

    bool LeaveAlone(LargeBatch batch, string why)
    {
        _resting[batch.Id] = clock.GetTimestamp();
        LogResting(batch.Id, why);
        return false;
    }

    async Task<bool> BreakAsync(LargeBatch batch, string why, Exception? error)
    {
        LogBroken(error, batch.Id, why);
        await batches.BreakAsync(batch.Id, $"The server cannot make messages of this batch: {why}", clock.GetUtcNow());
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "Batch {Batch} rests for a while, others go on: {Reason}")]
    partial void LogResting(MessageId batch, string reason);

    [LoggerMessage(LogLevel.Error, "Batch {Batch} is paused: no messages can be made of it: {Reason}")]
    partial void LogBroken(Exception? error, MessageId batch, string reason);

    [LoggerMessage(LogLevel.Warning, "{Count} destinations of batch {Batch} were not there any more when their turn came")]
    partial void LogGone(int count, MessageId batch);

    /// <summary>True: something became of it, so there may be more.</summary>
    async Task<bool> ExpandAsync(LargeBatch batch, CancellationToken ct)
    {
        if (batch.First is null)
        {
            // Whether this node fixed it or another one: the next round reads it.
            await batches.OpenAsync(batch.Id, ids.Reserve(Math.Max(batch.Total, 1)));
            return true;
        }
        if (submitter.WhyNoWay(batch.Tenant, batch.Terms) is { } wait)
            return LeaveAlone(batch, $"It waits for {wait}.");
        if (await OpenAsync(batch, ct) is not { } open)
            return false;
        if (open.Messages.Unreadable is { } unreadable)
            return await BreakAsync(batch, unreadable.Detail, error: null);
        var room = await RoomAsync(open, ct);
        if (room <= 0)
            return false;
        var rows = await batches.ReadAsync(batch, batch.Cursor, Math.Min(room, Page), ct);
        var (cursor, taken) = (batch.Cursor, batch.Taken);
        Problem? nowhere = null;
        for (var start = 0; start < rows.Count || rows.Count == 0;)
        {
            var wanted = Math.Min(_piece, rows.Count - start);
            var most = wanted == 0 ? 0 : await submitter.RoomAsync(batch.Tenant, wanted);
            if (most == 0 && wanted > 0)
                return false; // as much as may waits already, or the quota is spent: looked at again
            var piece = rows.Count == 0 ? End(batch, cursor, taken) : Make(batch, open, rows, start, most, cursor, taken, out nowhere);
            var isWritten = (piece.Count > 0 || piece.IsLast) && await WriteAsync(open, piece);
            await submitter.ReturnAsync(batch.Tenant, isWritten ? most - piece.Messages.Count : most);
            if (nowhere is not null)
                return LeaveAlone(batch, nowhere.Detail);
            if (!isWritten)
                return false;
            (cursor, taken, start) = (piece.To, taken + piece.Count, start + piece.Count);
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
        if (piece is { IsLast: true, Failed: > 0 })
            LogGone(piece.Failed, piece.Batch.Id);
        var now = clock.GetUtcNow();
        foreach (var key in open.Keys)
            handOver.Signal(key, now);
        foreach (var message in piece.Messages)
            if (message.Stopped.Count > 0)
                open.Messages.KeepCopy(piece.Batch.Tenant, message);
        return true;
    }

    /// <summary>What is left when there are no more rows: where destinations were taken away since it began, it says so.</summary>
    static BatchPiece End(LargeBatch batch, long cursor, int taken)
    {
        var gone = Math.Max(0, batch.Total - taken);
        return new BatchPiece
        {
            Batch = batch,
            From = cursor,
            To = cursor,
            Count = gone,
            Messages = [],
            Faults = gone == 0 ? [] : [new DestinationFault(batch.Until + 1, null, "destination-gone", string.Create(
                CultureInfo.InvariantCulture, $"{gone} destinations were erased, or taken away, before their messages were made."))],
            IsLast = true,
        };
    }

    /// <summary>Of rows from one on, at most so many.</summary>
    /// <param name="nowhere">Why the piece ends in front of a destination for which there is no way out now; null: it does not.</param>
    BatchPiece Make(LargeBatch batch, Open open, IReadOnlyList<StoredDestination> rows, int start, int most, long cursor, int taken,
        out Problem? nowhere)
    {
        nowhere = null;
        var now = clock.GetUtcNow();
        var messages = new List<NewMessage>(most);
        List<DestinationFault>? faults = null;
        var (count, bytes) = (0, 0L);
        for (; count < most && bytes < BytesInPiece; count++)
        {
            var row = rows[start + count];
            var id = batch.First!.Value.Plus(taken + count);
            if (open.Messages.Make(id, row.Email, row.Name, row.Data, now, out var fault) is { } message)
            {
                messages.Add(message);
                open.Keys.Add(new QueueKey(message.Route, message.Stream, batch.Tenant));
                bytes += message.MergeData?.Length ?? 0;
            }
            else if (fault!.MayPass)
            {
                nowhere = fault.Problem;
                break;
            }
            else
            {
                (faults ??= []).Add(new DestinationFault(row.N, row.Email, fault.Problem.Slug, fault.Problem.Detail));
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
            IsLast = false,
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
