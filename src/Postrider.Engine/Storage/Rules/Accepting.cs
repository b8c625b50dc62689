using System.Security.Cryptography;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>Writes what was handed over. A single message with one recipient is three inserted rows.</summary>
static class Accepting
{
    public static AcceptResult Run(IWriteSession session, PreparedAcceptance acceptance)
    {
        var now = session.Now;
        if (acceptance.Idempotency is { } claim)
        {
            if (session.Idempotency.Find(acceptance.Tenant, claim.Key, now) is { } earlier)
                return CryptographicOperations.FixedTimeEquals(earlier.RequestHash, claim.RequestHash.Span)
                    ? new AcceptResult.Replayed(earlier.Answer)
                    : AcceptResult.Mismatch.Instance;
        }
        if (acceptance.Batch is { IsStored: false } batch)
            session.Messages.InsertBatch(batch, acceptance);
        session.Counters.AddStored(acceptance.Tenant, acceptance.StoredBytes);
        List<RecipientId>? suppressed = null;
        foreach (var message in acceptance.Messages)
            Insert(session, acceptance, message, now, ref suppressed);
        if (acceptance.Idempotency is { } kept)
            session.Idempotency.Put(acceptance.Tenant, kept, suppressed is null ? null : kept.AnswerWithSuppressed?.Invoke(suppressed));
        return suppressed is null ? AcceptResult.Accepted.Instance : new AcceptResult.Accepted { Suppressed = suppressed };
    }

    static void Insert(
        IWriteSession session, PreparedAcceptance acceptance, PreparedMessage message, long now, ref List<RecipientId>? suppressed)
    {
        session.Messages.InsertMessage(message, acceptance);
        session.Search.Add(message);
        session.Accepted.Add(acceptance.Tenant, message.Id);
        var batch = acceptance.Batch?.Id;
        var perEnvelope = NewMessage.MostTogether(message.OnAmbiguous);
        var (envelope, filled) = (-1, 0);   // the envelope being filled, and with how many
        List<(int N, string Why)>? suppressedHere = null;
        foreach (ref readonly var recipient in message.Recipients.AsSpan())
        {
            var (state, held, suppression) = StateOf(session, acceptance, message, recipient);
            if (state == RecipientState.Queued && (envelope < 0 || filled == perEnvelope))
            {
                if (envelope >= 0)
                    InsertEnvelope(session, acceptance, message, envelope, filled, now);
                (envelope, filled) = (recipient.N, 0);
            }
            if (state == RecipientState.Queued)
                filled++;
            else if (suppression is { } hit)
                (suppressedHere ??= []).Add((recipient.N, hit.Remark));
            session.Messages.InsertRecipient(message.Id, recipient, Math.Max(envelope, 0), state, held, acceptance.Fields, now);
            if (state == RecipientState.Queued)
                continue;
            session.Counters.Add(acceptance.Tenant, batch, state, 1);
            DeadLettering.NotQueued(session, acceptance.Tenant, message, recipient.N, state, held, now);
        }
        if (filled > 0)
            InsertEnvelope(session, acceptance, message, envelope, filled, now);
        session.Counters.Add(acceptance.Tenant, batch, StateSums.Accepted, message.Recipients.Length);
        NoteStopped(session, acceptance, message, suppressedHere, now, ref suppressed);
    }

    static (RecipientState, HeldReason, SuppressionHit?) StateOf(
        IWriteSession session, PreparedAcceptance acceptance, PreparedMessage message, in PreparedRecipient recipient)
    {
        if (recipient.Stopped is { } stopped)
            return (stopped.State, stopped.Held, null);
        if (!session.Suppressions.AnyFor(acceptance.Tenant))
            return (RecipientState.Queued, HeldReason.None, null);
        Span<byte> hash = stackalloc byte[StoredAddress.SuppressionHashBytes];
        StoredAddress.SuppressionHash(new TenantId(acceptance.Tenant), recipient.Mailbox, hash);
        var hit = session.Suppressions.Find(acceptance.Tenant, message.Stream, hash);
        return (hit is null ? RecipientState.Queued : RecipientState.Suppressed, HeldReason.None, hit);
    }

    static void InsertEnvelope(
        IWriteSession session, PreparedAcceptance acceptance, PreparedMessage message, int n, int recipients, long now)
    {
        var scheduled = message.SendAt > now;
        var born = message.BornLeasedBy;
        var state = born is null ? RecipientState.Queued : RecipientState.Leased;
        session.Queue.Insert(new QueueRow
        {
            Message = message.Id,
            N = n,
            Tenant = acceptance.Tenant,
            Route = message.RouteName,
            Stream = message.Stream,
            // With an ordering key it starts behind; arranging lets the first through.
            Gate = message.OrderingKeyText is null ? Gate.Open : Gate.Ordering,
            Due = scheduled ? message.SendAt!.Value : now,
            Expires = message.Expires,
            State = state,
            Wait = scheduled ? WaitReason.Scheduled : WaitReason.None,
            Claim = born is null ? 0 : 1,
            Tries = born is null ? 0 : 1,
            Owner = born,
            Recipients = recipients,
            OnAmbiguous = message.OnAmbiguous,
            OrderingKey = message.OrderingKeyText,
        });
        session.Queue.Arrange(acceptance.Tenant, message.OrderingKeyText);
        session.Counters.Add(acceptance.Tenant, acceptance.Batch?.Id, state, recipients);
    }

    /// <summary>Says on the timeline why recipients were not even queued.</summary>
    static void NoteStopped(
        IWriteSession session, PreparedAcceptance acceptance, PreparedMessage message, List<(int N, string Why)>? suppressedHere, long now,
        ref List<RecipientId>? suppressed)
    {
        foreach (ref readonly var recipient in message.Recipients.AsSpan())
        {
            if (recipient.Stopped is { } stopped)
                session.Events.Append(message.Id, acceptance.Tenant, Ending.EventOf(stopped.State), now, null, [stopped.N], stopped.Reason);
        }
        if (suppressedHere is null)
            return;
        Ending.NoteSuppressed(session, message.Id, acceptance.Tenant, null, suppressedHere, now);
        foreach (var (n, _) in suppressedHere)
            (suppressed ??= []).Add(new RecipientId(new MessageId(message.Id), n));
    }
}
