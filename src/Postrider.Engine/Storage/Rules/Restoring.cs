using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Sqlite;

namespace Postrider.Storage.Rules;

/// <summary>What became of the mail of a restored database.</summary>
/// <param name="SentAgain">Envelopes that may have been sent since the copy, and are sent again.</param>
/// <param name="Held">Envelopes whose policy is hold: a person decides.</param>
/// <param name="Batches">Large batches that were being expanded, paused now.</param>
/// <param name="Schedules">Schedules whose time came since the copy, paused now.</param>
/// <param name="Jobs">Jobs on dead letters that were under way, cancelled now.</param>
public sealed record RestoredMail(int SentAgain, int Held, int Batches, int Schedules, int Jobs);

/// <summary>Mail of a copy may have left after the copy was made, from the database that is gone. Nobody can be asked; so it is in doubt as
/// mail is whose process died.</summary>
static class Restoring
{
    /// <summary>How many are sent again, and how many are held.</summary>
    public static (int SentAgain, int Held) Run(IWriteSession session, IReadOnlyList<QueueRow> rows, BackupMark mark, long now)
    {
        var (again, held) = (0, 0);
        foreach (var row in rows)
        {
            if (row.Cancelled)
                Ending.Cancel(session, row, now, mayBeSent: true);
            else if (HistoryCodec.TryDecode(row.History) is not { } history)
                Ending.HoldUnreadable(session, row, now);
            else if (row.OnAmbiguous == AmbiguityPolicy.Hold)
            {
                Ending.End(session, row, RecipientState.Held, now,
                    $"Restored from a backup of {mark.Moment}: whether it was sent since is not known.", HeldReason.Ambiguous,
                    MailEventType.Ambiguous);
                held++;
            }
            else
            {
                SendAgain(session, row, history, mark, now);
                again++;
            }
        }
        return (again, held);
    }

    static void SendAgain(IWriteSession session, QueueRow row, TransportHistory history, BackupMark mark, long now)
    {
        var (from, node) = (row.State, row.Owner?.Node);
        (row.State, row.Owner, row.PastCommitPoint) = (RecipientState.Queued, null, false);
        row.Wait = from == RecipientState.Leased ? WaitReason.Released : row.Wait;
        row.History = HistoryCodec.Encode(history with { PossibleDuplicate = true, PinnedTo = null });
        session.Queue.Update(row);
        session.Counters.Move(row.Tenant, session.Messages.Find(row.Message)?.Batch, from, row.State, row.Recipients);
        session.Events.Append(row.Message, row.Tenant, MailEventType.Swept, now, node,
            session.Messages.Open(row).ConvertAll(r => r.N),
            $"Restored from a backup of {mark.Moment}; whether it was sent since is not known. Sent again: possible duplicate.");
    }
}
