using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage.Rules;

/// <summary>Ends envelopes without an attempt: cancelled, expired, suppressed, held.</summary>
static class Ending
{
    public const string CancelledInDoubtRemark = "Cancelled; an earlier attempt may have been accepted.";

    /// <summary>The event that tells of a state reached without an attempt.</summary>
    public static MailEventType EventOf(RecipientState state) => state switch
    {
        RecipientState.Cancelled => MailEventType.Cancelled,
        RecipientState.Expired => MailEventType.Expired,
        RecipientState.Suppressed => MailEventType.Suppressed,
        RecipientState.Held => MailEventType.Held,
        RecipientState.Failed => MailEventType.Failed,
        RecipientState.Scheduled or RecipientState.Queued or RecipientState.Leased or RecipientState.Unknown or RecipientState.Sent
            or RecipientState.Delivered or RecipientState.Bounced =>
                throw new ArgumentOutOfRangeException(nameof(state), state, "Not reached without an attempt."),
    };

    /// <summary>Ends all open recipients of a row in one state and deletes the row. Returns how many recipients.</summary>
    public static int End(
        IWriteSession session, QueueRow row, RecipientState state, long now, string? remark, HeldReason held = HeldReason.None,
        MailEventType? type = null)
    {
        var numbers = Close(session, row, state, held, now);
        session.Events.Append(row.Message, row.Tenant, type ?? EventOf(state), now, row.Owner?.Node, numbers, remark);
        return numbers.Count;
    }

    /// <summary>Ends a row all of whose open recipients are on the suppression list.</summary>
    /// <param name="why">By number.</param>
    public static void Suppress(IWriteSession session, QueueRow row, IReadOnlyDictionary<int, string> why, long now)
    {
        var numbers = Close(session, row, RecipientState.Suppressed, HeldReason.None, now);
        NoteSuppressed(session, row.Message, row.Tenant, row.Owner?.Node, numbers.Select(n => (n, why[n])), now);
    }

    /// <summary>Says on the timeline who was suppressed, and for what: those of one reason together.</summary>
    public static void NoteSuppressed(
        IWriteSession session, long message, int tenant, int? node, IEnumerable<(int N, string Why)> suppressed, long now)
    {
        foreach (var alike in suppressed.GroupBy(s => s.Why, s => s.N))
            session.Events.Append(message, tenant, MailEventType.Suppressed, now, node, [.. alike], alike.Key);
    }

    /// <summary>Ends all open recipients of a row in one state and deletes the row; who does it says so on the timeline.</summary>
    static List<int> Close(IWriteSession session, QueueRow row, RecipientState state, HeldReason held, long now)
    {
        var numbers = new List<int>();
        foreach (var recipient in session.Messages.Open(row))
        {
            session.Messages.End(row.Message, recipient.N, state, held, row.Tries, now);
            numbers.Add(recipient.N);
            DeadLettering.Ended(session, row, recipient, state, held, now);
        }
        session.Queue.Remove(row);
        session.Counters.Move(row.Tenant, session.Messages.Find(row.Message)?.Batch, row.State, state, numbers.Count);
        return numbers;
    }

    /// <summary>Ends a row that was cancelled. Who looks at it later must learn that the mail may have arrived all the same.</summary>
    /// <param name="mayBeSent">The attempt that was under way may have been accepted.</param>
    public static int Cancel(IWriteSession session, QueueRow row, long now, bool mayBeSent = false) =>
        End(session, row, RecipientState.Cancelled, now,
            mayBeSent || HistoryCodec.TryDecode(row.History) is not { IsInDoubt: false } ? CancelledInDoubtRemark : null);

    /// <summary>Whom it was offered to cannot be read, so nobody can say where it may go, or whether it was taken: a person must.</summary>
    public static void HoldUnreadable(IWriteSession session, QueueRow row, long now) => End(session, row, RecipientState.Held, now,
        "What the queue knows of earlier attempts cannot be read: damaged, or written by a newer Postrider.", HeldReason.Poison);

    /// <summary>Its time is up. Under hold, what may have been accepted before waits for a person: it must not look unsent.</summary>
    public static void Expire(IWriteSession session, QueueRow row, long now)
    {
        var history = HistoryCodec.TryDecode(row.History);
        if (row.OnAmbiguous == AmbiguityPolicy.Hold && history is null)
            HoldUnreadable(session, row, now);
        else if (row.OnAmbiguous == AmbiguityPolicy.Hold && history?.PinnedTo is { } asked)
            End(session, row, RecipientState.Held, now, $"Its time was up, and {asked} may have accepted an earlier attempt.",
                HeldReason.Ambiguous, MailEventType.Ambiguous);
        else
            End(session, row, RecipientState.Expired, now, null);
    }
}
