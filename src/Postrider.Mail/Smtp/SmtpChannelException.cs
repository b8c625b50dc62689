namespace Postrider.Mail.Smtp;

/// <summary>
/// Carries what a peer or the wire did to us up to the one place in each public operation that turns it into a value.
/// Never leaves this room.
/// </summary>
sealed class SmtpChannelException(SmtpPhase phase, SmtpFailureKind kind, string text, Exception? inner = null) : Exception(text, inner)
{
    public SmtpPhase Phase => phase;

    public SmtpFailureKind Kind => kind;

    public SmtpReply? Reply { get; init; }

    public SmtpFailure ToFailure(bool knownUnsent = true) => new(phase, kind, knownUnsent, Reply, Message);
}
