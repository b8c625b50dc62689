using Postrider.Batches;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>Why mail of a batch does not leave now. Stored by number.</summary>
enum BatchStop : byte { None = 0, Paused = 1, Cancelled = 2 }

/// <summary>Large batches, where they meet the queue.</summary>
interface IExpansionTable
{
    /// <summary>Moves the cursor of a batch; false when it stands elsewhere, its destinations were changed since they were read, or the
    /// batch is paused, cancelled or done.</summary>
    bool Advance(BatchPiece piece, long now);
    void AddFault(long batch, DestinationFault fault);

    /// <summary>Batches of which nothing may leave; nearly always none.</summary>
    IReadOnlyDictionary<long, BatchStop> Stopped();

    /// <summary>Nothing of it is queued any more.</summary>
    void EndCancel(long batch, long now);
}

/// <summary>Turns destinations into messages, and ends or wakes what waits of a batch.</summary>
static class Expanding
{
    /// <summary>How long mail of a paused batch waits before it is looked at again; going on wakes it at once.</summary>
    const long LookAgainMs = 600_000;

    /// <summary>False: nothing was written.</summary>
    public static bool Run(IWriteSession session, BatchPiece piece, PreparedAcceptance acceptance)
    {
        if (!session.Expansions.Advance(piece, session.Now))
            return false;
        foreach (var fault in piece.Faults)
            session.Expansions.AddFault(piece.Batch.Id.Value, fault);
        if (piece.Messages.Count > 0)
            Accepting.Run(session, acceptance);
        return true;
    }

    public static Acceptance Acceptance(BatchPiece piece) => new()
    {
        Tenant = piece.Batch.Tenant,
        Messages = piece.Messages,
        Batch = new NewBatch { Id = piece.Batch.Id, Count = piece.Batch.Total, IsStored = true },
    };

    /// <summary>True: the row does not leave now, because its batch is stopped.</summary>
    public static bool Stops(IWriteSession session, IReadOnlyDictionary<long, BatchStop> stopped, QueueRow row, long now)
    {
        if (stopped.Count == 0 || session.Messages.Find(row.Message)?.Batch is not { } batch
            || !stopped.TryGetValue(batch, out var stop))
            return false;
        if (stop == BatchStop.Cancelled)
        {
            Ending.Cancel(session, row, now);
            return true;
        }
        (row.Due, row.Wait) = (now + LookAgainMs, WaitReason.Paused);
        session.Queue.Update(row);
        return true;
    }

    public static BatchTurn EndQueued(IWriteSession session, LargeBatch batch, long now, int limit)
    {
        var (rows, hasMore) = RowsOf(session, batch, waitsPaused: false, limit);
        foreach (var row in rows.Where(r => r.State != RecipientState.Queued))
        {
            row.Cancelled = true;
            session.Queue.Update(row);
        }
        // Only now: where one goes that was in front of its ordering key, another of these may come to the front.
        foreach (var row in rows.Where(r => r.State == RecipientState.Queued))
            Ending.Cancel(session, row, now);
        if (!hasMore)
            session.Expansions.EndCancel(batch.Id.Value, now);
        return new BatchTurn(rows.Count, hasMore);
    }

    public static BatchTurn Wake(IWriteSession session, LargeBatch batch, long now, int limit)
    {
        var (rows, hasMore) = RowsOf(session, batch, waitsPaused: true, limit);
        foreach (var row in rows)
        {
            (row.Due, row.Wait) = (now, WaitReason.None);
            session.Queue.Update(row);
        }
        return new BatchTurn(rows.Count, hasMore);
    }

    static (List<QueueRow> Rows, bool HasMore) RowsOf(IWriteSession session, LargeBatch batch, bool waitsPaused, int limit) =>
        batch is { First: { } first, Total: > 0 }
            ? session.Queue.OfBatch(batch.Id.Value, first.Value, first.Plus(batch.Total - 1).Value, waitsPaused, limit) : ([], false);
}
