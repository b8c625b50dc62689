using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>What people order: cancel, send again, another time. Each looks at one message of one tenant.</summary>
static class Commanding
{
    public static int? Cancel(IWriteSession session, int tenant, long message, long now)
    {
        if (Find(session, tenant, message) is not { } found)
            return null;
        var rows = session.Queue.OfMessage(message);
        foreach (var row in rows.Where(r => r.State != RecipientState.Queued && !r.Cancelled))
        {
            row.Cancelled = true;
            session.Queue.Update(row);
            session.Events.Append(message, tenant, MailEventType.Cancelled, now, null, session.Messages.Open(row).ConvertAll(r => r.N),
                "Cancelled while an attempt was under way: no further attempt is made.");
        }
        // Only now: where one goes that was in front of its ordering key, another of these may come to the front.
        var cancelled = 0;
        foreach (var row in rows.Where(r => r.State == RecipientState.Queued))
            cancelled += Ending.Cancel(session, row, now);
        var doubtful = session.Messages.Recipients(message)
            .Where(r => r is { State: RecipientState.Held, Held: HeldReason.Ambiguous }).Select(r => r.N).ToHashSet();
        var held = session.Messages.CancelHeld(message, now);
        foreach (var n in held)
            session.DeadLetters.Remove(message, n);
        if (held.Count > 0)
        {
            session.Counters.Move(tenant, found.Batch, RecipientState.Held, RecipientState.Cancelled, held.Count);
            foreach (var alike in held.GroupBy(doubtful.Contains))
                session.Events.Append(message, tenant, MailEventType.Cancelled, now, null, [.. alike],
                    alike.Key ? Ending.CancelledInDoubtRemark : null);
        }
        return cancelled + held.Count;
    }

    public static int? Retry(IWriteSession session, int tenant, long message, bool bounced, bool discarded, long now, long expires)
    {
        if (Find(session, tenant, message) is not { } found)
            return null;
        var again = session.Messages.Recipients(message)
            .FindAll(r => (r.State.IsDeadLetter && (discarded || r.Held != HeldReason.Discarded))
                || (bounced && r.State == RecipientState.Bounced));
        SendAgain(session, found, again, now, expires, remark: null);
        return again.Count;
    }

    /// <summary>Sends some dead letters of a message again, and takes those off the list that are none any more.</summary>
    public static int? Redrive(
        IWriteSession session, int tenant, long message, IReadOnlyList<int> numbers, string? remark, long now, long expires)
    {
        if (FindOrForget(session, tenant, message, numbers) is not { } found)
            return null;
        var named = session.Messages.Recipients(message).FindAll(r => numbers.Contains(r.N));
        foreach (var n in numbers.Where(n => !named.Exists(r => r.N == n && (r.State.IsDeadLetter || r.State == RecipientState.Queued))))
            session.DeadLetters.Remove(message, n);
        var again = named.FindAll(r => r.State.IsDeadLetter);
        SendAgain(session, found, again, now, expires, remark);
        return again.Count;
    }

    /// <summary>Takes dead letters of a message off the list for good: what is held is cancelled, what failed or expired has ended
    /// already, and is marked: nobody sends it again who does not ask for just that.</summary>
    public static int? Discard(IWriteSession session, int tenant, long message, IReadOnlyList<int> numbers, string? remark, long now)
    {
        if (FindOrForget(session, tenant, message, numbers) is not { } found)
            return null;
        var discarded = session.Messages.Recipients(message).FindAll(r => numbers.Contains(r.N) && r.State.IsDeadLetter);
        foreach (var n in numbers)
            session.DeadLetters.Remove(message, n);
        foreach (var held in discarded.Where(r => r.State == RecipientState.Held))
        {
            session.Messages.Report(message, held.N, RecipientState.Held, RecipientState.Cancelled, held.Tries, now);
            session.Counters.Move(tenant, found.Batch, RecipientState.Held, RecipientState.Cancelled, 1);
        }
        foreach (var ended in discarded.Where(r => r.State != RecipientState.Held))
            session.Messages.Discard(message, ended.N, now);
        if (discarded.Count > 0)
            session.Events.Append(message, tenant, MailEventType.Discarded, now, null, discarded.ConvertAll(r => r.N), remark);
        return discarded.Count;
    }

    static void SendAgain(
        IWriteSession session, MessageRow found, List<RecipientRow> again, long now, long expires, string? remark)
    {
        var (tenant, message) = (found.Tenant, found.Id);
        var perEnvelope = NewMessage.MostTogether(found.OnAmbiguous);
        var taken = session.Queue.OfMessage(message).ConvertAll(r => r.N);
        // Recipients of one generation travel together: it is part of the key that vendors recognise repetitions by.
        foreach (var chunk in again.GroupBy(r => r.Generation).SelectMany(g => g.Chunk(perEnvelope)))
            Reopen(session, found, chunk, taken, now, expires);
        if (again.Count > 0)
            session.Events.Append(message, tenant, MailEventType.SentAgain, now, null, again.ConvertAll(r => r.N), remark);
        session.Queue.Arrange(tenant, found.OrderingKey);
    }

    static void Reopen(IWriteSession session, MessageRow message, RecipientRow[] recipients, List<int> taken, long now, long expires)
    {
        var n = Continuing.FreeNumber(taken, recipients[0].N);
        taken.Add(n);
        var generation = recipients[0].Generation + 1;
        foreach (var recipient in recipients)
        {
            session.Messages.Reopen(message.Id, recipient.N, n, generation, now);
            session.DeadLetters.Hide(message.Id, recipient.N);
            session.Counters.Move(message.Tenant, message.Batch, recipient.State, RecipientState.Queued, 1);
        }
        session.Queue.Insert(new QueueRow
        {
            Message = message.Id,
            N = n,
            Tenant = message.Tenant,
            Route = message.Route,
            Stream = message.Stream,
            Gate = message.OrderingKey is null ? Gate.Open : Gate.Ordering,
            Due = now,
            Expires = expires,
            State = RecipientState.Queued,
            Wait = WaitReason.SentAgain,
            Recipients = recipients.Length,
            Tries = recipients.Max(r => r.Tries),
            Generation = generation,
            OnAmbiguous = message.OnAmbiguous,
            OrderingKey = message.OrderingKey,
            // Somebody has decided for it; whoever looks at the attempts later must still be told.
            History = Array.Exists(recipients, r => r is { State: RecipientState.Held, Held: HeldReason.Ambiguous })
                ? HistoryCodec.Encode(TransportHistory.Empty with { PossibleDuplicate = true }) : null,
        });
    }

    public static bool? Reschedule(IWriteSession session, int tenant, long message, long sendAt, long expires)
    {
        if (Find(session, tenant, message) is null)
            return null;
        var rows = session.Queue.OfMessage(message);
        if (rows.Count == 0 || rows.Exists(r => r.State != RecipientState.Queued || r.Tries > 0 || r.Generation > 0))
            return false;
        var now = session.Now;
        foreach (var row in rows)
        {
            (row.Due, row.Expires, row.Wait) = (sendAt, expires, sendAt > now ? WaitReason.Scheduled : WaitReason.None);
            session.Queue.Update(row);
        }
        session.Messages.Reschedule(message, sendAt, expires);
        session.Events.Append(
            message, tenant, MailEventType.Rescheduled, now, null, [], $"To {Instant.From(sendAt):yyyy-MM-dd'T'HH:mm:ss'Z'}.");
        return true;
    }

    /// <summary>Of a message that was removed nothing stays on the list.</summary>
    static MessageRow? FindOrForget(IWriteSession session, int tenant, long message, IReadOnlyList<int> numbers)
    {
        if (session.Messages.Find(message) is null)
            foreach (var n in numbers)
                session.DeadLetters.Remove(message, n);
        return Find(session, tenant, message);
    }

    /// <summary>Another tenant's is as good as absent.</summary>
    static MessageRow? Find(IWriteSession session, int tenant, long message) =>
        session.Messages.Find(message) is { } found && found.Tenant == tenant ? found : null;
}
