using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>A row of <c>dead_letters</c>: a recipient that failed, expired or is held. Instants are Unix milliseconds.</summary>
/// <param name="Reason">A word of few, by which people group them; what exactly was said is on the timeline.</param>
sealed record DeadLetterRow(long Message, int N, int Tenant, MailStream Stream, string Route, RecipientState State, string Reason)
{
    public int? Code { get; init; }
    public string? Enhanced { get; init; }
    public string? Transport { get; init; }

    /// <summary>What went wrong may be over by now, and nobody may have taken it already: what is sent again by itself.</summary>
    public bool IsTransient { get; init; }
    public int Tries { get; init; }
    public required long At { get; init; }
    public long? LastAttempt { get; init; }
}

/// <summary><c>dead_letters</c>. A row outlives a redrive, hidden: so it is known since when and how often.</summary>
interface IDeadLetterTable
{
    /// <summary>Again, where it was there before: it keeps its first instant.</summary>
    void Put(DeadLetterRow row);

    /// <summary>It is sent again.</summary>
    void Hide(long message, int n);
    void Remove(long message, int n);
}

/// <summary>Keeps the list of dead letters in step with the recipients, in the transaction that moves them.</summary>
static class DeadLettering
{
    /// <summary>A recipient of a queue row ended without an attempt.</summary>
    public static void Ended(IWriteSession session, QueueRow row, RecipientRow recipient, RecipientState state, HeldReason held, long now)
    {
        if (!state.IsDeadLetter)
        {
            Left(session, row.Message, recipient.N, row.Generation);
            return;
        }
        var history = HistoryCodec.TryDecode(row.History);
        var inDoubt = history is not { IsInDoubt: false };
        session.DeadLetters.Put(new DeadLetterRow(
            row.Message, recipient.N, row.Tenant, row.Stream, row.Route, state, state switch
            {
                RecipientState.Held => DeadLetterReasons.Word(held),
                RecipientState.Expired => inDoubt ? DeadLetterReasons.Word(HeldReason.Ambiguous) : DeadLetterReasons.Word(row.Wait),
                _ => DeadLetterReasons.GivenUp,
            })
        {
            Transport = history?.Last,
            IsTransient = state == RecipientState.Expired && !inDoubt,
            Tries = row.Tries,
            At = now,
            LastAttempt = row.Tries > 0 ? recipient.Updated : null,
        });
    }

    /// <summary>A recipient ended with an attempt, or with the look before one.</summary>
    public static void Ended(IWriteSession session, AttemptRecord record, RecipientEnd end, int tries, long now)
    {
        var envelope = record.Lease.Envelope;
        if (!end.State.IsDeadLetter)
        {
            Left(session, envelope.Id.Message.Value, end.N, record.Lease.Message.Generation);
            return;
        }
        var key = envelope.Key;
        var inDoubt = envelope.History.IsInDoubt;
        session.DeadLetters.Put(new DeadLetterRow(
            envelope.Id.Message.Value, end.N, key.Tenant.Value, key.Stream, key.Route, end.State,
            end.State == RecipientState.Held ? DeadLetterReasons.Word(end.Held)
                : end.State == RecipientState.Expired && inDoubt ? DeadLetterReasons.Word(HeldReason.Ambiguous)
                : end.Outcome is { } known ? DeadLetterReasons.Word(known.Kind) : DeadLetterReasons.GivenUp)
        {
            Code = end.Outcome?.Reply.Code is > 0 and var code ? code : null,
            Enhanced = end.Outcome?.Reply.Enhanced,
            Transport = record.Attempt.Transport ?? envelope.History.Last,
            IsTransient = !inDoubt && (end.State == RecipientState.Expired || end.Outcome is { } outcome && IsTransient(outcome.Kind)),
            Tries = tries,
            At = now,
            LastAttempt = record.Attempt.Transport is null ? null : record.Attempt.StartedAt.Ms,
        });
    }

    /// <summary>A recipient was not let into the queue.</summary>
    public static void NotQueued(
        IWriteSession session, int tenant, PreparedMessage message, int n, RecipientState state, HeldReason held, long now)
    {
        if (state.IsDeadLetter)
            session.DeadLetters.Put(new DeadLetterRow(
                message.Id, n, tenant, message.Stream, message.RouteName, state, DeadLetterReasons.Word(held))
            {
                At = now,
            });
    }

    /// <summary>A provider took it and says now that it was not sent, or that something in doubt arrived.</summary>
    public static void Reported(
        IWriteSession session, MessageRow message, RecipientRow recipient, RecipientState to, string? transport, long now)
    {
        if (to.IsDeadLetter)
            session.DeadLetters.Put(new DeadLetterRow(
                message.Id, recipient.N, message.Tenant, message.Stream, message.Route, to, DeadLetterReasons.NotSent)
            {
                Transport = transport,
                Tries = recipient.Tries,
                At = now,
                LastAttempt = recipient.Updated,
            });
        else if (recipient.State.IsDeadLetter || recipient.Generation > 0)
            session.DeadLetters.Remove(message.Id, recipient.N);
    }

    /// <summary>Most never were on the list: only what was sent again is looked for.</summary>
    static void Left(IWriteSession session, long message, int n, int generation)
    {
        if (generation > 0)
            session.DeadLetters.Remove(message, n);
    }

    static bool IsTransient(OutcomeKind kind) => kind switch
    {
        OutcomeKind.Deferred or OutcomeKind.Throttled or OutcomeKind.Unreachable => true,
        OutcomeKind.Accepted or OutcomeKind.Rejected or OutcomeKind.Unfit or OutcomeKind.Refused or OutcomeKind.Unknown => false,
    };
}
