using Postrider.Mail.Addresses;

namespace Postrider.Mail.Smtp;

/// <summary>How much of the message a delivery report should return (RFC 3461 §4.3).</summary>
public enum SmtpDsnReturn
{
    /// <summary>Its headers.</summary>
    Headers,

    /// <summary>All of it.</summary>
    Full,
}

/// <summary>Who sends and who receives, as SMTP is told, whatever the message's headers say.</summary>
public sealed record SmtpEnvelope
{
    /// <param name="reversePath">Where reports go; <see langword="null"/> is <c>&lt;&gt;</c>, to which nobody answers.</param>
    /// <param name="recipients">At least one. Results come in this order.</param>
    public SmtpEnvelope(EmailAddress? reversePath, IReadOnlyList<EmailAddress> recipients)
    {
        ArgumentOutOfRangeException.ThrowIfZero(recipients.Count, nameof(recipients));
        ReversePath = reversePath;
        Recipients = recipients;
    }

    /// <summary>Where reports go; <see langword="null"/> is <c>&lt;&gt;</c>.</summary>
    public EmailAddress? ReversePath { get; }

    /// <summary>One or more, in the order of the results.</summary>
    public IReadOnlyList<EmailAddress> Recipients { get; }

    /// <summary>The content's headers hold raw UTF-8. Addresses that need SMTPUTF8 need not be announced here.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>
    /// Comes back in delivery reports as Original-Envelope-Id, at most 100 characters as sent (RFC 3461 §4.4); <see langword="null"/>:
    /// none.
    /// </summary>
    public string? EnvelopeId { get; init; }

    /// <summary>What a delivery report returns of the message; <see langword="null"/> leaves it to the server.</summary>
    public SmtpDsnReturn? Return { get; init; }

    /// <summary>
    /// Asked once, just before the last byte of the content leaves; <see langword="false"/> drops the connection, and nothing was sent. Must
    /// not wait. <see langword="null"/>: there is nothing to ask. With a commit point that one is asked instead.
    /// </summary>
    public Func<bool>? MaySend { get; init; }

    /// <summary>
    /// Called whenever a piece of a content that goes in several has been handed over; must not wait. <see langword="null"/>: nobody
    /// listens.
    /// </summary>
    public Action? Moved { get; init; }

    /// <summary>True when only a server with SMTPUTF8 can take it; there is no other spelling (RFC 6531 §3.2).</summary>
    internal bool NeedsSmtpUtf8 => SmtpUtf8 || ReversePath is { NeedsSmtpUtf8: true } || AnyRecipientNeedsSmtpUtf8();

    bool AnyRecipientNeedsSmtpUtf8()
    {
        for (var i = 0; i < Recipients.Count; i++)
        {
            if (Recipients[i].NeedsSmtpUtf8)
                return true;
        }
        return false;
    }
}
