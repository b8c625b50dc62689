using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>Rewrites the row of an envelope that goes on after an attempt, and adds rows where its recipients part.</summary>
static class Continuing
{
    public static void Apply(IWriteSession session, AttemptRecord record, QueueRow row, long now)
    {
        var batch = record.Lease.Message.Batch?.Value;
        row.Tries = Recording.TriesOf(record);
        row.Owner = null;
        row.PastCommitPoint = false;
        // It was under way and the process lives: not what killed it before.
        row.Suspect = 0;
        // The recipient whose number the row has keeps it: another row could not take that number.
        var staying = record.Continues.FirstOrDefault(c => c.Recipients[0] == row.N) ?? record.Continues[0];
        var taken = session.Queue.OfMessage(row.Message).ConvertAll(r => r.N);
        foreach (var next in record.Continues)
        {
            session.Counters.Move(row.Tenant, batch, RecipientState.Leased, next.State, next.Recipients.Count);
            if (next == staying)
                continue;
            var n = FreeNumber(taken, next.Recipients[0]);
            taken.Add(n);
            Put(session, row, next, n, now, isNew: true);
        }
        Put(session, row, staying, row.N, now, isNew: false);
        session.Queue.Arrange(row.Tenant, row.OrderingKey);
    }

    /// <summary>The first recipient's number; where an older row of the message has that one, the next beyond all.</summary>
    public static int FreeNumber(List<int> taken, int wanted)
    {
        if (!taken.Contains(wanted))
            return wanted;
        const int beyondRecipients = 1 << 20;
        return Math.Max(beyondRecipients, taken.Max()) + 1;
    }

    static void Put(IWriteSession session, QueueRow from, Continuation next, int n, long now, bool isNew)
    {
        foreach (var recipient in next.Recipients)
            session.Messages.Touch(from.Message, recipient, n, from.Tries, now);
        var row = new QueueRow
        {
            Message = from.Message,
            N = n,
            Tenant = from.Tenant,
            Route = from.Route,
            Stream = from.Stream,
            Gate = isNew && from.OrderingKey is not null ? Gate.Ordering : Gate.Open,
            Due = next.DueAt.Ms,
            Expires = from.Expires,
            State = next.State,
            Wait = next.Reason,
            Claim = from.Claim,
            Recipients = next.Recipients.Count,
            Tries = from.Tries,
            Deferrals = next.Deferrals,
            Rounds = next.Rounds,
            Suspect = from.Suspect,
            Generation = from.Generation,
            OnAmbiguous = from.OnAmbiguous,
            Cancelled = from.Cancelled,
            OrderingKey = from.OrderingKey,
            History = HistoryCodec.Encode(next.History),
        };
        if (isNew)
            session.Queue.Insert(row);
        else
            session.Queue.Update(row);
    }

    /// <summary>Cancelled while it was under way: no further attempt. What may have been accepted goes on waiting for evidence.</summary>
    public static void EndCancelled(IWriteSession session, long message, long now)
    {
        foreach (var row in session.Queue.OfMessage(message))
        {
            if (row is { Cancelled: true, State: RecipientState.Queued })
                Ending.Cancel(session, row, now);
        }
    }
}
