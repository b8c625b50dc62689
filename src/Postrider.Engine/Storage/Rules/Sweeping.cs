using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>What time and death do to the queue: dead leases return, doubt is settled, what is overdue ends. Reads open rows by their
/// partial indexes only.</summary>
static class Sweeping
{
    public static int Sweep(IWriteSession session, Incarnation owner, long now, long settleAt)
    {
        var orphaned = session.Queue.Orphaned(owner);
        foreach (var row in orphaned)
            ReturnLease(session, row, now, settleAt);
        return orphaned.Count;
    }

    static void ReturnLease(IWriteSession session, QueueRow row, long now, long settleAt)
    {
        var node = row.Owner?.Node;
        var doubtful = row is { OnAmbiguous: AmbiguityPolicy.Hold, PastCommitPoint: true };
        if (row.Suspect >= QueueRow.SuspectLimit)
        {
            Ending.End(session, row, RecipientState.Held, now, "The process died while it attempted this message alone.",
                HeldReason.Poison);
            return;
        }
        if (row.Cancelled && !doubtful)
        {
            // Under hold, what had not passed its commit point is known unsent.
            Ending.Cancel(session, row, now, mayBeSent: row.OnAmbiguous == AmbiguityPolicy.Retry);
            return;
        }
        if (HistoryCodec.TryDecode(row.History) is not { } history)
        {
            Ending.HoldUnreadable(session, row, now);
            return;
        }
        row.Suspect++;
        (row.Owner, row.PastCommitPoint) = (null, false);
        if (doubtful)
            (row.State, row.Due, row.Wait) = (RecipientState.Unknown, settleAt, WaitReason.Settling);
        else
            // Due since when it was: it has its place back, before what came later.
            (row.State, row.Due, row.Wait) = (RecipientState.Queued, Math.Min(row.Due, now), WaitReason.Released);
        if (row.Suspect == QueueRow.SuspectLimit)
        {
            row.Gate = Gate.Alone;
            row.Wait = doubtful ? row.Wait : WaitReason.Suspect;
        }
        // Under hold, what had not passed its commit point is known unsent.
        if (row.OnAmbiguous == AmbiguityPolicy.Retry)
            MarkPossibleDuplicate(row, history);
        session.Queue.Update(row);
        Note(session, row, RecipientState.Leased, MailEventType.Swept, now, node,
            row.OnAmbiguous == AmbiguityPolicy.Retry
                ? "Was under way when its process ended or was given up; whether and where it was sent is not known. "
                    + "Sent again: possible duplicate."
                : doubtful
                    ? "Was under way when its process ended or was given up; whether it was sent is not known."
                    : "Was under way when its process ended or was given up, and had not been sent.");
    }

    public static int Settle(IWriteSession session, long now, int limit)
    {
        var settled = session.Queue.Settled(now, limit);
        foreach (var row in settled)
        {
            if (row.Cancelled)
                Ending.Cancel(session, row, now, mayBeSent: true);
            else if (row.OnAmbiguous == AmbiguityPolicy.Hold)
                Ending.End(session, row, RecipientState.Held, now, "An attempt may have been accepted, and no evidence came.",
                    HeldReason.Ambiguous, MailEventType.Ambiguous);
            else if (HistoryCodec.TryDecode(row.History) is { } history)
                QueueAgain(session, row, history, now);
            else
                Ending.HoldUnreadable(session, row, now);
        }
        return settled.Count;
    }

    static void QueueAgain(IWriteSession session, QueueRow row, TransportHistory history, long now)
    {
        (row.State, row.Due, row.Wait) = (RecipientState.Queued, now, WaitReason.NextTransport);
        MarkPossibleDuplicate(row, history);
        session.Queue.Update(row);
        Note(session, row, RecipientState.Unknown, MailEventType.Settled, now, null, "No evidence came; sent again, possible duplicate.");
    }

    public static int Expire(IWriteSession session, long now, int limit)
    {
        var expired = session.Queue.Expired(now, limit);
        foreach (var row in expired)
            Ending.Expire(session, row, now);
        return expired.Count;
    }

    static void MarkPossibleDuplicate(QueueRow row, TransportHistory history) =>
        row.History = HistoryCodec.Encode(history with { PossibleDuplicate = true, PinnedTo = null });

    static void Note(IWriteSession session, QueueRow row, RecipientState from, MailEventType type, long now, int? node, string remark)
    {
        session.Counters.Move(row.Tenant, session.Messages.Find(row.Message)?.Batch, from, row.State, row.Recipients);
        session.Events.Append(row.Message, row.Tenant, type, now, node, session.Messages.Open(row).ConvertAll(r => r.N), remark);
    }
}
