using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>From the result of a transaction to the outcome of each recipient.</summary>
static class SmtpOutcomes
{
    const int MaxTextLength = 1000;

    /// <summary>The outcome of the recipient at <paramref name="index"/> of the transaction.</summary>
    public static Outcome Of(SmtpSendResult result, int index)
    {
        var recipient = result.Recipients[index];
        return recipient switch
        {
            { State: SmtpRecipientState.Accepted, Reply: { } reply }
                => new Outcome(OutcomeKind.Accepted, OutcomeScope.Recipient, ToReply(recipient.Phase, reply), ProviderId: QueueId(reply)),
            // Its own refusal says more than what happened to the others afterwards.
            { State: SmtpRecipientState.Refused, Reply: { } reply }
                => Refusal(recipient.Phase, reply, onlyRecipient: CountTaken(result) <= 1),
            // Left over when the transaction with the others broke off: nothing was sent for this one.
            { State: SmtpRecipientState.TooManyRecipients, Reply: { } reply }
                => new Outcome(OutcomeKind.Unreachable, OutcomeScope.Transport, ToReply(recipient.Phase, reply)),
            _ => Of(result.Failure!),
        };
    }

    /// <summary>The outcome for everyone who has no reply of his own.</summary>
    public static Outcome Of(SmtpFailure failure)
    {
        if (!failure.KnownUnsent)
            return Broken(OutcomeKind.Unknown, OutcomeScope.Transport, failure);
        if (failure.Reply is { } reply && (reply.IsTransient || reply.IsPermanent))
            return Refusal(failure.Phase, reply, onlyRecipient: false);
        return failure.Kind switch
        {
            SmtpFailureKind.MessageTooLarge or SmtpFailureKind.SmtpUtf8Unavailable or SmtpFailureKind.EightBitUnavailable
                => Broken(OutcomeKind.Unfit, OutcomeScope.Message, failure),
            // Withdrawn by ourselves: the one outcome of which no circuit is told.
            SmtpFailureKind.CommitRefused => Broken(OutcomeKind.Unfit, OutcomeScope.Recipient, failure),
            SmtpFailureKind.AuthUnavailable or SmtpFailureKind.AuthRefused => Broken(OutcomeKind.Refused, OutcomeScope.Transport, failure),
            SmtpFailureKind.ConnectFailed or SmtpFailureKind.ConnectionClosed or SmtpFailureKind.Timeout or SmtpFailureKind.Cancelled
                or SmtpFailureKind.TlsFailed or SmtpFailureKind.TlsUnavailable or SmtpFailureKind.Refused or SmtpFailureKind.ServiceClosing
                or SmtpFailureKind.Protocol or SmtpFailureKind.ResponseTooLarge
                => Broken(OutcomeKind.Unreachable, OutcomeScope.Transport, failure),
        };
    }

    static Outcome Refusal(SmtpPhase phase, SmtpReply reply, bool onlyRecipient)
    {
        var verdict = SmtpReplyClassifier.Classify(phase, reply, onlyRecipient);
        return new Outcome(verdict.Kind, verdict.Scope, ToReply(phase, reply));
    }

    static Outcome Broken(OutcomeKind kind, OutcomeScope scope, SmtpFailure failure)
        => new(kind, scope, new Reply(failure.Reply?.Code ?? 0, failure.Reply?.Enhanced, OneLine(failure.Text), Command(failure.Phase)));

    /// <summary>Recipients that got as far as the content; a refusal of the content is about all of them.</summary>
    static int CountTaken(SmtpSendResult result)
    {
        var taken = 0;
        foreach (var recipient in result.Recipients)
        {
            if (recipient.Phase is SmtpPhase.Data or SmtpPhase.Content or SmtpPhase.FinalDot)
                taken++;
        }
        return taken;
    }

    static Reply ToReply(SmtpPhase phase, SmtpReply reply) => new(reply.Code, reply.Enhanced, OneLine(reply.Text), Command(phase));

    static string OneLine(string text)
    {
        var line = text.Contains('\n', StringComparison.Ordinal) ? text.Replace('\n', ' ') : text;
        return line.Length <= MaxTextLength ? line : line[..MaxTextLength];
    }

    static string Command(SmtpPhase phase) => phase switch
    {
        SmtpPhase.Connect or SmtpPhase.Banner => "CONNECT",
        SmtpPhase.Ehlo => "EHLO",
        SmtpPhase.StartTls => "STARTTLS",
        SmtpPhase.Auth => "AUTH",
        SmtpPhase.Rset => "RSET",
        SmtpPhase.Mail => "MAIL",
        SmtpPhase.Rcpt => "RCPT",
        SmtpPhase.Data or SmtpPhase.Content => "DATA",
        SmtpPhase.FinalDot => ".",
        SmtpPhase.Quit => "QUIT",
    };

    /// <summary>
    /// The id under which the server keeps it: "Ok: queued as 4ABC" (Postfix and others) or "Ok 0102…" (SES). Null when it names none.
    /// </summary>
    static string? QueueId(SmtpReply reply)
    {
        const string Mark = "queued as ";
        var text = reply.Text.AsSpan();
        var at = text.IndexOf(Mark, StringComparison.OrdinalIgnoreCase);
        if (at >= 0)
        {
            text = text[(at + Mark.Length)..];
            var end = text.IndexOfAny(' ', '\n');
            return (end < 0 ? text : text[..end]).ToString();
        }
        var isOneWord = text.StartsWith("Ok ", StringComparison.OrdinalIgnoreCase) && text.Length > 10
            && text[3..].IndexOfAny(' ', '\n') < 0;
        return isOneWord ? text[3..].ToString() : null;
    }
}
