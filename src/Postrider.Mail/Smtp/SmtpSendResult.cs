namespace Postrider.Mail.Smtp;

/// <summary>What became of one recipient in one transaction.</summary>
public enum SmtpRecipientState
{
    /// <summary>No reply decided: see <see cref="SmtpSendResult.Failure"/>.</summary>
    Unresolved,

    /// <summary>The server has taken responsibility.</summary>
    Accepted,

    /// <summary>The server said no, for now or for good, to this recipient or to all: the reply and its phase tell.</summary>
    Refused,

    /// <summary>
    /// The transaction took no more recipients after those it took (452 4.5.3, or 552 from old servers, RFC 5321 §4.5.3.1.10).
    /// Not a refusal: send to this one in a new transaction at once.
    /// </summary>
    TooManyRecipients,
}

/// <summary>The fate of one recipient, and the reply that decided it.</summary>
/// <param name="State">What became of it.</param>
/// <param name="Phase">To which command the reply was given; meaningless without a reply.</param>
/// <param name="Reply">The reply that decided; <see langword="null"/> while <see cref="SmtpRecipientState.Unresolved"/>.</param>
public readonly record struct SmtpRecipientResult(SmtpRecipientState State, SmtpPhase Phase, SmtpReply? Reply);

/// <summary>What became of one transaction. A value whatever the server did: the caller decides what follows.</summary>
public sealed record SmtpSendResult
{
    internal SmtpSendResult(SmtpRecipientResult[] recipients, SmtpReply? final, SmtpFailure? failure)
    {
        Recipients = recipients;
        Final = final;
        Failure = failure;
    }

    /// <summary>One for each recipient of the envelope, in its order.</summary>
    public IReadOnlyList<SmtpRecipientResult> Recipients { get; }

    /// <summary>The reply to the final dot or the last chunk; <see langword="null"/> when it did not come to that.</summary>
    public SmtpReply? Final { get; }

    /// <summary>Why the transaction broke off; <see langword="null"/> when every recipient was answered for.</summary>
    public SmtpFailure? Failure { get; }

    /// <summary>True when the server answered no command of this transaction, so that the fault may be the connection's age.</summary>
    internal bool NothingAnswered { get; init; }
}
