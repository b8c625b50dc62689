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
    /// <summary>Destinations read at once, at most.</summary>
    const int Page = 2_000;

    const int FewestInPiece = 20;
    const int MostInPiece = 500;

    /// <summary>Of merged data in one piece; it ends with the destination that reaches it.</summary>
    const int BytesInPiece = 1024 * 1024;
    const int EndAtOnce = 100;
    const int TidyAtOnce = 500;

    /// <summary>Of one round; the next goes on behind them.</summary>
    const int MostBatches = 100;

    /// <summary>Contents in memory, some 2 to 3 times as much as objects.</summary>
    const long MostOpenBytes = 64 * 1024 * 1024;

    /// <summary>Of one batch, before the next one has its turn: a template may take 20 ms for each destination.</summary>
    static readonly TimeSpan MostOfTurn = TimeSpan.FromMilliseconds(250);

    /// <summary>Of the writer's time: transactional mail waits for it.</summary>
    static readonly TimeSpan PieceTime = TimeSpan.FromMilliseconds(2);

    /// <summary>Until a batch that took too long is looked at again.</summary>
    static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    // The loop's.
    readonly OpenBatches _open = new(batches.ContentAsync, submitter, MostOpenBytes);
    readonly Dictionary<MessageId, Pace> _paces = [];
    readonly Dictionary<MessageId, long> _resting = [];
    readonly HashSet<MessageId> _seen = [];
    int _skip;
    int _piece = 100;

    /// <summary>One round over batches with work. True: there is more to do now.</summary>
    public async Task<bool> RunOnceAsync(CancellationToken ct)
    {
        var work = await batches.WithWorkAsync(clock.GetUtcNow(), _skip, MostBatches, ct);
        GoRound(work);
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

    /// <summary>Batches that wait have work for as long as they wait: more of them than a round has must not keep those behind them. At the
    /// end what was not seen on the way has ended.</summary>
    void GoRound(IReadOnlyList<LargeBatch> work)
    {
        _seen.UnionWith(work.Select(batch => batch.Id));
        if (work.Count == MostBatches)
        {
            _skip += MostBatches;
            return;
        }
        foreach (var ended in _paces.Keys.Except(_seen).ToList())
        {
            _paces.Remove(ended);
            _open.Forget(ended);
        }
        _seen.Clear();
        _skip = 0;
    }

    /// <summary>One batch that nobody can expand must not keep the others: it is paused, and the reason is with its errors. One that
    /// takes too long is left alone for a while.</summary>
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
        var pace = PaceOf(batch);
        if (pace.Rests != why)
            LogResting(batch.Id, why);
        pace.Rests = why;
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
        var pace = PaceOf(batch);
        var room = await RoomAsync(pace, ct);
        if (room <= 0)
            return false;
        var rows = await batches.ReadAsync(batch, batch.Cursor, Math.Min(room, pace.Rows), ct);
        if (rows.Count == 0)
        {
            await EndAsync(batch);
            return false;
        }
        var turn = new Turn(batch, pace, rows, clock.GetTimestamp()) { Cursor = batch.Cursor, Taken = batch.Taken };
        while (turn.Next < rows.Count && !IsOver(turn))
        {
            ct.ThrowIfCancellationRequested();
            if (!await StepAsync(turn, ct))
                return false;
        }
        pace.Rests = null;
        // What is read and not used in this turn is read again in the next.
        pace.Rows = turn.Next < rows.Count ? Math.Max(FewestInPiece, 2 * turn.Next) : Math.Min(Page, 2 * pace.Rows);
        return true;
    }

    bool IsOver(Turn turn) => clock.GetElapsedTime(turn.Started) > MostOfTurn;

    /// <summary>A piece of a turn. False: the batch has to wait, or somebody else was faster.</summary>
    async Task<bool> StepAsync(Turn turn, CancellationToken ct)
    {
        var tenant = turn.Batch.Tenant;
        var most = await submitter.RoomAsync(tenant, Math.Min(_piece, turn.Rows.Count - turn.Next));
        if (most == 0)
        {
            turn.Pace.Rows = FewestInPiece; // as much as may waits already, or the quota is spent: looked at again
            return false;
        }
        var used = 0;
        try
        {
            // Only now: of a batch that waits nothing large is in memory.
            if (await _open.FindAsync(turn.Batch, ct) is not { } maker)
                return false;
            if (maker.Unreadable is { } unreadable)
            {
                await BreakAsync(turn.Batch, unreadable.Detail, error: null);
                return false;
            }
            var piece = Make(turn, maker, most, out var nowhere);
            used = most; // until it is known what was written
            var isWritten = piece.Count > 0 && await WriteAsync(piece, maker, turn.Pace);
            used = isWritten ? piece.Messages.Count : 0;
            if (nowhere is not null)
                return LeaveAlone(turn.Batch, nowhere.Detail);
            if (isWritten)
                turn.Pass(piece);
            return isWritten;
        }
        finally
        {
            await submitter.ReturnAsync(tenant, most - used);
        }
    }

    async Task<bool> WriteAsync(BatchPiece piece, DestinationMessages maker, Pace pace)
    {
        var (done, took) = await expansion.ExpandAsync(piece);
        if (!done)
            return false;
        Fit(took, piece.Count);
        var now = clock.GetUtcNow();
        foreach (var key in pace.Keys)
            handOver.Signal(key, now);
        foreach (var message in piece.Messages)
            if (message.Stopped.Count > 0)
                maker.KeepCopy(piece.Batch.Tenant, message);
        return true;
    }

    /// <summary>Where destinations were taken away since it began, it says so.</summary>
    async Task EndAsync(LargeBatch batch)
    {
        var gone = Math.Max(0, batch.Total - batch.Taken);
        var (done, _) = await expansion.ExpandAsync(new BatchPiece
        {
            Batch = batch,
            From = batch.Cursor,
            To = batch.Cursor,
            Count = gone,
            Messages = [],
            Faults = gone == 0 ? [] : [new DestinationFault(batch.Until + 1, null, "destination-gone", string.Create(
                CultureInfo.InvariantCulture, $"{gone} destinations were erased, or taken away, before their messages were made."))],
            IsLast = true,
        });
        if (done && gone > 0)
            LogGone(gone, batch.Id);
    }

    /// <summary>Of the rows that come next, at most so many, and one at least.</summary>
    /// <param name="nowhere">Why the piece ends in front of a destination for which there is no way out now; null: it does not.</param>
    BatchPiece Make(Turn turn, DestinationMessages maker, int most, out Problem? nowhere)
    {
        nowhere = null;
        var (batch, rows, start) = (turn.Batch, turn.Rows, turn.Next);
        var now = clock.GetUtcNow();
        var messages = new List<NewMessage>(most);
        List<DestinationFault>? faults = null;
        var (count, bytes) = (0, 0L);
        for (; count < most && bytes < BytesInPiece && (count == 0 || !IsOver(turn)); count++)
        {
            var row = rows[start + count];
            var id = batch.First!.Value.Plus(turn.Taken + count);
            if (maker.Make(id, row.Email, row.Name, row.Data, now, out var fault) is { } message)
            {
                messages.Add(message);
                turn.Pace.Keys.Add(new QueueKey(message.Route, message.Stream, batch.Tenant));
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
            From = turn.Cursor,
            To = count == 0 ? turn.Cursor : rows[start + count - 1].N,
            Count = count,
            Messages = messages,
            Faults = faults ?? [],
            IsLast = false,
        };
    }

    /// <summary>How many messages the batch may add now.</summary>
    async Task<int> RoomAsync(Pace pace, CancellationToken ct)
    {
        var room = options.MaxAhead;
        foreach (var key in pace.Keys)
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

    Pace PaceOf(LargeBatch batch) => _paces.TryGetValue(batch.Id, out var pace) ? pace : _paces[batch.Id] = new Pace();

    /// <summary>What is known of a batch for as long as it has work.</summary>
    sealed class Pace
    {
        /// <summary>Why it rests, as was logged; null: it does not.</summary>
        public string? Rests { get; set; }

        /// <summary>Where its messages go: who is told, and what is counted before there are more.</summary>
        public HashSet<QueueKey> Keys { get; } = [];

        /// <summary>To be read for the next turn: some more than the last one used.</summary>
        public int Rows { get; set; } = Page;
    }

    /// <summary>A batch's turn: the rows that were read for it, and how far it has come.</summary>
    /// <param name="Started">A timestamp.</param>
    sealed record Turn(LargeBatch Batch, Pace Pace, IReadOnlyList<StoredDestination> Rows, long Started)
    {
        public int Next { get; private set; }
        public required long Cursor { get; set; }
        public required int Taken { get; set; }

        public void Pass(BatchPiece piece)
        {
            Next += piece.Count;
            (Cursor, Taken) = (piece.To, Taken + piece.Count);
        }
    }
}
