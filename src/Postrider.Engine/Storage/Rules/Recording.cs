using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Suppression;

namespace Postrider.Storage.Rules;

/// <summary>An attempt's record with the bytes of its event, made by the caller's thread.</summary>
sealed class PreparedRecord(AttemptRecord record, FieldWriter details) : IDisposable
{
    public AttemptRecord Record { get; } = record;

    /// <summary>Null when nothing was attempted.</summary>
    public ReadOnlySpan<byte> Details => details.Written;

    public static PreparedRecord Of(AttemptRecord record)
    {
        var details = new FieldWriter(256);
        var attempt = record.Attempt;
        if (attempt.Transport is not null)
        {
            var outcomes = new AttemptOutcome[attempt.Outcomes.Count];
            var numbers = new int[outcomes.Length];
            for (var i = 0; i < outcomes.Length; i++)
            {
                var (n, outcome) = attempt.Outcomes[i];
                var end = EndOf(record.Ends, n);
                outcomes[i] = new AttemptOutcome(n, outcome, VerdictOf(end, outcome), end?.State);
                numbers[i] = n;
            }
            EventCodec.Write(details, numbers, record.Remarks.Count == 0 ? null : string.Join("; ", record.Remarks),
                new AttemptDetails(attempt.Transport, attempt.Duration, outcomes) { PassedOver = attempt.PassedOver });
        }
        return new PreparedRecord(record, details);
    }

    static RecipientEnd? EndOf(IReadOnlyList<RecipientEnd> ends, int n)
    {
        foreach (var end in ends)
        {
            if (end.N == n)
                return end;
        }
        return null;
    }

    /// <summary>Why it failed, where that is more than the remote's words.</summary>
    static string? VerdictOf(RecipientEnd? end, Outcome outcome) =>
        end is { State: RecipientState.Failed } && end.Reason != outcome.Reply.Words ? end.Reason : null;

    public void Dispose() => details.Dispose();
}

/// <summary>Applies what an attempt came to. The usual one, all recipients ended, is one delete, an update a recipient, and the
/// event.</summary>
static class Recording
{
    public static RecordResult Run(IWriteSession session, PreparedRecord prepared)
    {
        var record = prepared.Record;
        var lease = record.Lease;
        var now = session.Now;
        var cancelled = false;
        if (record.Continues.Count == 0)
        {
            if (!session.Queue.DeleteClaimed(lease))
                return KeepEvidence(session, prepared, now);
            session.Queue.Arrange(lease.Envelope.Key.Tenant.Value, lease.Envelope.OrderingKey);
        }
        else
        {
            if (session.Queue.Find(lease.Envelope.Id) is not { } row || !row.IsHeldBy(Claimed.Of(lease)))
                return KeepEvidence(session, prepared, now);
            Continuing.Apply(session, record, row, now);
            cancelled = row.Cancelled;
        }
        if (record.Attempt.Transport is not null)
            Append(session, prepared, MailEventType.Attempt);
        ApplyEnds(session, record, now);
        if (cancelled)
            Continuing.EndCancelled(session, lease.Envelope.Id.Message.Value, now);
        return RecordResult.Applied;
    }

    /// <summary>Tries as people see them: an envelope that ends without an attempt had one fewer than its leases.</summary>
    public static int TriesOf(AttemptRecord record) => record.Lease.Envelope.Tries - (record.Attempt.Transport is null ? 1 : 0);

    static void Append(IWriteSession session, PreparedRecord prepared, MailEventType type)
    {
        var lease = prepared.Record.Lease;
        session.Events.Append(lease.Envelope.Id.Message.Value, lease.Envelope.Key.Tenant.Value, type, prepared.Record.Attempt.StartedAt.Ms,
            lease.Owner.Node, prepared.Details);
    }

    static void ApplyEnds(IWriteSession session, AttemptRecord record, long now)
    {
        var lease = record.Lease;
        var (message, tenant) = (lease.Envelope.Id.Message.Value, lease.Envelope.Key.Tenant.Value);
        var tries = TriesOf(record);
        foreach (var end in record.Ends)
        {
            if (!session.Messages.End(message, end.N, end.State, end.Held, tries, now))
                continue;
            session.Counters.Move(tenant, lease.Message.Batch?.Value, RecipientState.Leased, end.State, 1);
            DeadLettering.Ended(session, record, end, tries, now);
            if (end.Suppress)
                Suppress(session, lease, end, now);
        }
        AppendWithoutAttempt(session, record, now);
        if (record.TrackingSkipped is { } why && record.Ends.Any(e => e.State == RecipientState.Sent))
            session.Events.Append(message, tenant, MailEventType.TrackingSkipped, now, lease.Owner.Node,
                [.. record.Ends.Where(e => e.State == RecipientState.Sent).Select(e => e.N)], why);
    }

    static void Suppress(IWriteSession session, Lease lease, RecipientEnd end, long now)
    {
        var address = lease.Recipients.First(r => r.N == end.N).Mailbox.Address;
        // An address that is bad for good is bad for all streams.
        session.Suppressions.Add(lease.Envelope.Key.Tenant.Value, new NewSuppression(
            address.ToString(), null, SuppressionCause.Bounced, end.Reason, lease.Envelope.Id.Message.Value, now));
    }

    /// <summary>Ends that no attempt explains, and all that wait for a person, have an event of their own.</summary>
    static void AppendWithoutAttempt(IWriteSession session, AttemptRecord record, long now)
    {
        var own = record.Ends.Where(e => e.State == RecipientState.Held || (e.Outcome is null && !e.State.IsAttempted))
            .ToLookup(e => (e.State, e.Reason));
        if (own.Count == 0)
            return;
        var lease = record.Lease;
        foreach (var group in own)
            session.Events.Append(lease.Envelope.Id.Message.Value, lease.Envelope.Key.Tenant.Value, Ending.EventOf(group.Key.State), now,
                lease.Owner.Node, [.. group.Select(e => e.N)], group.Key.Reason);
    }

    /// <summary>The lease was lost: the attempt is kept, and where its provider says that it has a mail, that counts as a report of it
    /// would: a copy that waits to be sent again does not leave.</summary>
    static RecordResult KeepEvidence(IWriteSession session, PreparedRecord prepared, long now)
    {
        var record = prepared.Record;
        if (record.Attempt.Transport is null)
            return RecordResult.Fenced;
        Append(session, prepared, MailEventType.LateEvidence);
        foreach (var (n, outcome) in record.Attempt.Outcomes)
        {
            if (outcome.Kind == OutcomeKind.Accepted)
                Reporting.HasIt(session, record.Lease.Envelope.Id.Message, n, record.Attempt.Transport, now);
        }
        return RecordResult.Fenced;
    }
}

static class AttemptStates
{
    extension(RecipientState state)
    {
        /// <summary>States that only an attempt's outcome or a later report explains.</summary>
        public bool IsAttempted => state is RecipientState.Sent or RecipientState.Delivered or RecipientState.Bounced;
    }
}
