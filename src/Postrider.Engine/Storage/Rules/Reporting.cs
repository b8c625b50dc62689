using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Suppression;

namespace Postrider.Storage.Rules;

/// <summary>Applies what was reported after an attempt: the state by the precedence table, the timeline, the counters, the suppression
/// list.</summary>
static class Reporting
{
    /// <summary>Where the counters of the quarantine are; tenants begin at 1.</summary>
    public const int QuarantineScope = 0;

    /// <summary>The number under which <see cref="QuarantineReason"/> 0 is counted.</summary>
    public const int FirstQuarantineState = 200;

    /// <summary>What one message keeps that may come any number of times: machines open and click, and whoever knows a return path may
    /// report to it for as long as it holds.</summary>
    const int MaxTracked = 1_000;

    /// <summary>For each recipient after the first.</summary>
    const int MoreTracked = 5;

    /// <summary>Attempts looked at to see whether a message was tried at a transport, and what it is called there.</summary>
    const int MaxAttempts = 200;

    /// <summary>A callback can be faster than the answer to the call that sent the message is stored.</summary>
    const long UnmatchedForMs = 15 * 60_000;

    /// <summary>An attempt under way ends: it has timeouts, and a sweep after a crash.</summary>
    const long LeasedForMs = 24 * 60 * 60_000;

    const long FirstLookMs = 2_000;

    /// <summary>63 bits of a hash of whose event it is and of its key: nothing is compared after a hit, and a message has few.</summary>
    public static long KeyOf(FeedbackReport report)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes($"{report.Vendor}\n{report.Event.Key}"), hash);
        return BinaryPrimitives.ReadInt64LittleEndian(hash) & long.MaxValue;
    }

    public static FeedbackResult Apply(IWriteSession session, FeedbackReport report, long now)
    {
        var key = KeyOf(report);
        // Another look at it may have ended its waiting.
        if (report.WaitingId is { } waiting && session.Feedback.WaitsUntil(waiting) is null)
            return FeedbackResult.Duplicate;
        var result = Judge(session, report, key, now);
        if (report.WaitingId is { } waited && result is not (FeedbackResult.Waits or FeedbackResult.Contradicts))
            session.Feedback.EndWait(waited);
        return result;
    }

    public static void Quarantine(IWriteSession session, FeedbackReport report, QuarantineReason reason, long key, long now)
    {
        if (session.Feedback.Quarantine(report, reason, key, now))
            session.Counters.Add(QuarantineScope, null, FirstQuarantineState + (int)reason, 1);
    }

    /// <summary>A provider answered, too late for the lease, that it has the mail.</summary>
    public static void HasIt(IWriteSession session, MessageId id, int n, string transport, long now)
    {
        if (session.Messages.Find(id.Value) is not { } message
            || session.Messages.Recipients(message.Id).Find(r => r.N == n) is not { } recipient)
            return;
        var row = RowOf(session, id, recipient);
        // What is attempted anew has its own outcome.
        if (row is { State: RecipientState.Leased } || Next(recipient, row, FeedbackKind.Accepted) is not { } to)
            return;
        Move(session, message, recipient, row, row?.State ?? recipient.State, to, now);
        DeadLettering.Reported(session, message, recipient, to, transport, now);
    }

    static QueueRow? RowOf(IWriteSession session, MessageId id, RecipientRow recipient) =>
        recipient.State == RecipientState.Queued ? session.Queue.Find(new EnvelopeId(id, recipient.Envelope)) : null;

    static FeedbackResult Judge(IWriteSession session, FeedbackReport report, long key, long now)
    {
        if (report.Message is not { } id || session.Messages.Find(id.Value) is not { } message
            || (report.Owner is { } owner && message.Tenant != owner.Value))
            return Unmatched(session, report, key, now);
        var recipient = Recipient(session, report, message.Id);
        // An address that the message did not go to; without one it is of the message, and nobody knows of whom.
        if (recipient is null && (report.N is not null || report.Event.Address is not null))
            return Unmatched(session, report, key, now);
        if (session.Feedback.IsSeen(message.Id, key))
            return FeedbackResult.Duplicate;
        var row = recipient is null ? null : RowOf(session, id, recipient);
        if (row is not null && FeedbackPrecedence.MustWait(row.State, report.Event.Kind))
            return WaitOn(session, report, key, now, LeasedForMs);
        var trace = TraceOf(session, message.Id, report);
        if (trace == Trace.NotTried)
        {
            Quarantine(session, report, QuarantineReason.NotTriedThere, key, now);
            return FeedbackResult.Quarantined;
        }
        if (trace == Trace.OtherId && !report.IsLookedUp && report.Event.Address is not null)
            return FeedbackResult.Contradicts;
        return Note(session, report, message, recipient, row, key, now);
    }

    static FeedbackResult Note(
        IWriteSession session, FeedbackReport report, MessageRow message, RecipientRow? recipient, QueueRow? row, long key, long now)
    {
        var happened = report.Event;
        // What scans links and images may stand before the recipient's server, which refuses the mail after it.
        var isProof = report.Vendor != FeedbackReport.Tracking || !happened.IsMachine;
        var next = recipient is null || !isProof ? null : Next(recipient, row, happened.Kind);
        // "The provider has it" is news only where that was in doubt.
        if (next is null && happened.Kind == FeedbackKind.Accepted)
            return FeedbackResult.Ignored;
        // Suppressed in any case: that cannot grow.
        if (recipient is not null)
            Suppress(session, report, message, recipient, now);
        if (next is null && HasEnough(session, message.Id, happened.Kind))
            return FeedbackResult.Ignored;
        session.Feedback.See(message.Id, key);
        using (var details = new FieldWriter())
        {
            EventCodec.Write(details, recipient?.N, Details(report));
            // Clocks differ: nothing was reported before it happened.
            session.Events.Append(message.Id, message.Tenant, TypeOf(happened.Kind), Math.Min(happened.At.Ms, now), null, details.Written);
        }
        if (recipient is null || next is not { } to)
            return FeedbackResult.Noted;
        Move(session, message, recipient, row, row?.State ?? recipient.State, to, now);
        DeadLettering.Reported(session, message, recipient, to, report.TransportName, now);
        return FeedbackResult.Moved;
    }

    /// <summary>What machines repeat leaves as much room again for what providers and people say.</summary>
    static bool HasEnough(IWriteSession session, long message, FeedbackKind kind)
    {
        var most = MaxTracked + (MoreTracked * (session.Messages.Recipients(message).Count - 1));
        return session.Feedback.HasSeen(message, kind switch
        {
            FeedbackKind.Opened or FeedbackKind.Clicked or FeedbackKind.Deferred or FeedbackKind.Other => most,
            FeedbackKind.Accepted or FeedbackKind.Delivered or FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft or FeedbackKind.Blocked
                or FeedbackKind.Complained or FeedbackKind.Unsubscribed or FeedbackKind.Resubscribed or FeedbackKind.Rejected => 2 * most,
        });
    }

    static RecipientState? Next(RecipientRow recipient, QueueRow? row, FeedbackKind kind)
    {
        var inDoubt = row is null
            ? recipient.Held is HeldReason.Ambiguous or HeldReason.Poison
            : HistoryCodec.TryDecode(row.History) is not { IsInDoubt: false };
        return FeedbackPrecedence.Next(row?.State ?? recipient.State, inDoubt, kind);
    }

    static void Move(
        IWriteSession session, MessageRow message, RecipientRow recipient, QueueRow? row, RecipientState from, RecipientState to, long now)
    {
        session.Messages.Report(message.Id, recipient.N, recipient.State, to, row?.Tries ?? recipient.Tries, now);
        session.Counters.Move(message.Tenant, message.Batch, from, to, 1);
        if (row is null)
            return;
        row.Recipients--;
        if (row.Recipients == 0)
            session.Queue.Remove(row);
        else
            session.Queue.Update(row);
    }

    static RecipientRow? Recipient(IWriteSession session, FeedbackReport report, long message)
    {
        var recipients = session.Messages.Recipients(message);
        if (report.N is { } n)
            return recipients.Find(r => r.N == n);
        if (recipients is [var only])
            return only;
        if (report.Event.Address is not { } address || !StoredAddress.TryParse(address, out var parsed))
            return null;
        var normal = StoredAddress.Normal(parsed);
        // One address may be there twice; whoever is not told apart is the first.
        return recipients.Find(r => r.Address == address)
            ?? recipients.Find(r => StoredAddress.Normal(StoredAddress.Parse(r.Address)) == normal);
    }

    static Trace TraceOf(IWriteSession session, long message, FeedbackReport report)
    {
        if (report.TransportName is not { } transport)
            return Trace.Fits;
        var attempts = session.Events.Attempts(message, MaxAttempts);
        var (wasTried, hasId) = (false, false);
        foreach (var (type, details) in attempts)
        {
            // A process that died in an attempt did not record where it was.
            if (type == MailEventType.Swept)
                return Trace.Fits;
            if (EventCodec.Read(details).Attempt is not { } attempt || attempt.Transport != transport)
                continue;
            wasTried = true;
            foreach (var (_, outcome, _, _) in attempt.Outcomes)
            {
                // Where no answer came, nobody knows what it is called there.
                if (outcome.ProviderId == report.Event.ProviderId || outcome.Kind == OutcomeKind.Unknown)
                    return Trace.Fits;
                hasId |= outcome.ProviderId is not null;
            }
        }
        return !wasTried ? Trace.NotTried
            : hasId && report.Event.ProviderId is not null && attempts.Count < MaxAttempts ? Trace.OtherId
            : Trace.Fits;
    }

    static FeedbackResult Unmatched(IWriteSession session, FeedbackReport report, long key, long now)
    {
        // Removed since: addresses in a mail work for longer than it is kept here.
        if (report.Vendor == FeedbackReport.Tracking)
            return FeedbackResult.Ignored;
        // One with our id names a message that was stored before anything of it left.
        var mayBeOurs = report is { Message: null, Event: { ProviderId: not null, CarriedId: null } }
            && (report.Event.MayLackId || report.WaitingId is not null);
        if (mayBeOurs)
            return WaitOn(session, report, key, now, UnmatchedForMs);
        Quarantine(session, report, QuarantineReason.Unmatched, key, now);
        return FeedbackResult.Quarantined;
    }

    static FeedbackResult WaitOn(IWriteSession session, FeedbackReport report, long key, long now, long forMs)
    {
        if (report.WaitingId is not { } id)
        {
            foreach (var dropped in session.Feedback.Wait(report, key, now + FirstLookMs, now + forMs))
                Quarantine(session, dropped, QuarantineReason.Crowded, KeyOf(dropped), now);
            return FeedbackResult.Waits;
        }
        var until = session.Feedback.WaitsUntil(id) ?? now;
        if (now >= until)
        {
            Quarantine(session, report, QuarantineReason.Unmatched, key, now);
            return FeedbackResult.Quarantined;
        }
        // The longer it has waited, the less it hurries. An attempt under way is looked at once a minute at least: that is a lookup by id.
        // To search for a message costs more, and another's is never found: five looks, after 2, 10, 50 and 250 s and at the end.
        var waited = Math.Max(0, now - (until - forMs));
        var gap = report.Message is null ? Math.Max(waited * 4, FirstLookMs) : Math.Clamp(waited / 4, FirstLookMs, 60_000);
        session.Feedback.WaitOn(id, Math.Min(now + gap, until));
        return FeedbackResult.Waits;
    }

    static FeedbackDetails Details(FeedbackReport report)
    {
        var e = report.Event;
        return new FeedbackDetails(report.TransportName ?? report.Vendor, e.Type)
        {
            Reply = e.Reply,
            Bounce = e.Kind switch
            {
                FeedbackKind.BouncedHard => "hard",
                FeedbackKind.BouncedSoft => "soft",
                FeedbackKind.Blocked => "blocked",
                _ => null,
            },
            Suppressed = e.Suppressed,
            Url = e.Url,
            UserAgent = e.UserAgent,
            Ip = e.Ip,
            IsMachine = e.IsMachine,
        };
    }

    /// <summary>An address that is bad, or whose owner complains, is so for all streams; mail of one stream can be unsubscribed
    /// from.</summary>
    static void Suppress(IWriteSession session, FeedbackReport report, MessageRow message, RecipientRow recipient, long now)
    {
        // Some providers name all recipients at a domain, because they cannot tell who it was.
        var isCertain = report.N is not null || session.Messages.Recipients(message.Id).Count == 1;
        switch (report.Event.Kind)
        {
            case FeedbackKind.BouncedHard:
                Add(null, SuppressionCause.Bounced, report.Event.Reply is { } reply ? $"bounced: {reply.Words}" : "bounced");
                break;
            case FeedbackKind.Complained when isCertain:
                Add(null, SuppressionCause.Complained, "complained");
                break;
            case FeedbackKind.Unsubscribed when isCertain:
                Add(message.Stream, SuppressionCause.Unsubscribed, "unsubscribed");
                break;
            case FeedbackKind.Resubscribed when isCertain:
                session.Suppressions.Resubscribe(message.Tenant, recipient.Address, message.Stream);
                break;
            default:
                break;
        }

        void Add(MailStream? stream, SuppressionCause cause, string reason) => session.Suppressions.Add(
            message.Tenant, new NewSuppression(recipient.Address, stream, cause, reason, message.Id, now));
    }

    static MailEventType TypeOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted => MailEventType.Confirmed,
        FeedbackKind.Delivered => MailEventType.Delivered,
        FeedbackKind.Deferred => MailEventType.Deferred,
        FeedbackKind.BouncedHard or FeedbackKind.BouncedSoft or FeedbackKind.Blocked => MailEventType.Bounced,
        FeedbackKind.Complained => MailEventType.Complained,
        FeedbackKind.Opened => MailEventType.Opened,
        FeedbackKind.Clicked => MailEventType.Clicked,
        FeedbackKind.Unsubscribed => MailEventType.Unsubscribed,
        FeedbackKind.Resubscribed => MailEventType.Resubscribed,
        FeedbackKind.Rejected => MailEventType.Rejected,
        FeedbackKind.Other => MailEventType.Reported,
    };

    /// <summary>What the attempts of a message say of a report that names it.</summary>
    enum Trace
    {
        /// <summary>Not at the transport that reports.</summary>
        NotTried,
        Fits,
        /// <summary>Tried there, and called otherwise.</summary>
        OtherId,
    }
}
