using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>A row that was leased, before its message is read.</summary>
readonly record struct Taken(QueueRow Row, IReadOnlyDictionary<int, string> Suppressed)
{
    /// <param name="recipients">All of the message, in the order of their numbers.</param>
    public Lease ToLease(long? batch, MessageContent content, IReadOnlyList<LeasedRecipient> recipients)
    {
        var row = Row;
        var all = recipients.Select(r => r.ToRecipient()).ToList();
        return new Lease
        {
            Envelope = row.ToEnvelope(),
            Owner = row.Owner!.Value,
            Message = BornLeased.Message(
                new MessageId(row.Message), batch is { } id ? new MessageId(id) : null, content, all, row.Generation),
            Recipients = [.. all.Where((_, i) => recipients[i].Envelope == row.N && recipients[i].State == RecipientState.Queued)],
            Suppressed = Suppressed,
        };
    }
}

/// <summary>A row of recipients as a lease needs it.</summary>
readonly record struct LeasedRecipient(int N, int Envelope, RecipientKind Kind, string Address, string? Name, RecipientState State)
{
    public MessageRecipient ToRecipient() => new(N, Kind, new Mailbox(Name, StoredAddress.Parse(Address)));
}

/// <summary>A row that was leased and whose message cannot be read.</summary>
readonly record struct Unreadable(QueueRow Row, string Why);

/// <summary>What a lease is recognised by.</summary>
readonly record struct Claimed(EnvelopeId Id, int Claim, Incarnation Owner)
{
    public static Claimed Of(Lease lease) => new(lease.Envelope.Id, lease.Envelope.Claim, lease.Owner);
    public static Claimed Of(QueueRow leased) =>
        new(new EnvelopeId(new MessageId(leased.Message), leased.N), leased.Claim, leased.Owner!.Value);
}

/// <summary>Takes due rows for a node, tests what must hold when an attempt starts, and gives leases back.</summary>
static class Leasing
{
    /// <summary>Rows that one transaction ends at most: after days of standstill a million may have expired, and all other mail waits
    /// meanwhile.</summary>
    const int MostEnded = 500;

    /// <returns>What was taken; and whether there is more to look at, because so many had to be ended.</returns>
    public static (List<Taken> Taken, bool HasMore) Take(
        IWriteSession session, QueueKey key, int permits, Incarnation owner, long now, bool alone)
    {
        var taken = new List<Taken>();
        var (gate, wanted) = alone ? (Gate.Alone, 1) : (Gate.Open, permits);
        var stopped = session.Expansions.Stopped();
        for (var looked = 0; taken.Count < wanted;)
        {
            if (looked - taken.Count >= MostEnded)
                return (taken, true);
            var due = session.Queue.Due(key, gate, now, wanted - taken.Count);
            if (due.Count == 0)
                break;
            // A row that is not taken is ended or put off, so every round leaves fewer.
            foreach (var row in due)
                TakeOrEnd(session, row, owner, now, stopped, taken);
            looked += due.Count;
        }
        return (taken, false);
    }

    static void TakeOrEnd(IWriteSession session, QueueRow row, Incarnation owner, long now,
        IReadOnlyDictionary<long, BatchStop> stopped, List<Taken> taken)
    {
        if (row.Expires <= now)
        {
            Ending.Expire(session, row, now);
            return;
        }
        if (Expanding.Stops(session, stopped, row, now))
            return;
        var suppressed = SuppressedOf(session, row);
        if (suppressed.Count == row.Recipients)
        {
            Ending.Suppress(session, row, suppressed, now);
            return;
        }
        session.Queue.Lease(row, owner);
        session.Counters.Move(
            row.Tenant, session.Messages.Find(row.Message)?.Batch, RecipientState.Queued, RecipientState.Leased, row.Recipients);
        taken.Add(new Taken(row, suppressed));
    }

    static IReadOnlyDictionary<int, string> SuppressedOf(IWriteSession session, QueueRow row)
    {
        if (!session.Suppressions.AnyFor(row.Tenant))
            return Lease.NoneSuppressed;
        var suppressed = new Dictionary<int, string>();
        foreach (var recipient in session.Messages.Open(row))
        {
            if (session.Suppressions.Find(row.Tenant, row.Stream, recipient.Address) is { } hit)
                suppressed.Add(recipient.N, hit.Remark);
        }
        return suppressed;
    }

    /// <summary>Puts a message that nobody can send aside, with the reason, where a person finds it.</summary>
    public static void Hold(IWriteSession session, Unreadable unreadable, long now)
    {
        var lease = Claimed.Of(unreadable.Row);
        if (session.Queue.Find(lease.Id) is { } row && row.IsHeldBy(lease))
            Ending.End(session, row, RecipientState.Held, now, $"The stored message cannot be read: {unreadable.Why}", HeldReason.Poison);
    }

    public static void Release(IWriteSession session, IReadOnlyList<Claimed> leases, long due, WaitReason reason)
    {
        var now = session.Now;
        foreach (var lease in leases)
        {
            if (session.Queue.Find(lease.Id) is not { } row || !row.IsHeldBy(lease))
                continue;
            row.Tries--;
            if (row.Cancelled)
            {
                Ending.Cancel(session, row, now);
                continue;
            }
            session.Counters.Move(
                row.Tenant, session.Messages.Find(row.Message)?.Batch, RecipientState.Leased, RecipientState.Queued, row.Recipients);
            (row.State, row.Owner, row.PastCommitPoint, row.Due, row.Wait) = (RecipientState.Queued, null, false, due, reason);
            session.Queue.Update(row);
        }
    }

    public static bool PassCommitPoint(IWriteSession session, Lease lease, string transport, long now)
    {
        var key = lease.Envelope.Key;
        if (session.Suppressions.AnyFor(key.Tenant.Value))
        {
            foreach (var recipient in lease.Recipients)
            {
                if (!lease.Suppressed.ContainsKey(recipient.N)
                    && session.Suppressions.Find(key.Tenant.Value, key.Stream, recipient.Mailbox.Address.ToString()) is not null)
                    return false;
            }
        }
        // After a crash the row must say who may have taken it.
        return session.Queue.PassCommitPoint(lease, HistoryCodec.Encode(lease.Envelope.History with { Last = transport }), now);
    }
}
