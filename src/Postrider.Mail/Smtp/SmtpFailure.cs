namespace Postrider.Mail.Smtp;

/// <summary>The steps of a session; each has its own timeout and gives a reply its own meaning.</summary>
public enum SmtpPhase
{
    /// <summary>Name look-up and TCP connect.</summary>
    Connect,

    /// <summary>The greeting, and the handshake before it with implicit TLS.</summary>
    Banner,

    /// <summary>EHLO or HELO, before and after STARTTLS.</summary>
    Ehlo,

    /// <summary>STARTTLS and its handshake.</summary>
    StartTls,

    /// <summary>AUTH.</summary>
    Auth,

    /// <summary>RSET, which clears an earlier transaction before the next.</summary>
    Rset,

    /// <summary>MAIL.</summary>
    Mail,

    /// <summary>RCPT.</summary>
    Rcpt,

    /// <summary>DATA until the 354.</summary>
    Data,

    /// <summary>The content, up to but not including what ends it.</summary>
    Content,

    /// <summary>The final dot or the last chunk, and the reply that takes responsibility.</summary>
    FinalDot,

    /// <summary>QUIT.</summary>
    Quit,
}

/// <summary>Why a session or a transaction could not run to its end.</summary>
public enum SmtpFailureKind
{
    /// <summary>No address, no route, or nobody listens.</summary>
    ConnectFailed,

    /// <summary>The peer closed or reset the connection.</summary>
    ConnectionClosed,

    /// <summary>A phase took longer than its <see cref="SmtpTimeouts"/>.</summary>
    Timeout,

    /// <summary>The caller's token was cancelled.</summary>
    Cancelled,

    /// <summary>The handshake failed or the certificate is not valid for the host.</summary>
    TlsFailed,

    /// <summary>TLS is required but not offered, or refused: our configuration, or somebody strips it.</summary>
    TlsUnavailable,

    /// <summary>The server refused the credentials.</summary>
    AuthRefused,

    /// <summary>No mechanism in common, or the connection is not safe enough for credentials.</summary>
    AuthUnavailable,

    /// <summary>The greeting, EHLO or RSET was answered with 4xx or 5xx.</summary>
    Refused,

    /// <summary>421: the server is closing the connection.</summary>
    ServiceClosing,

    /// <summary>The peer does not speak SMTP, or not in order.</summary>
    Protocol,

    /// <summary>A reply was longer than we listen to.</summary>
    ResponseTooLarge,

    /// <summary>The message is larger than the server's SIZE; nothing was sent.</summary>
    MessageTooLarge,

    /// <summary>An address or header needs SMTPUTF8 and the server has it not; nothing was sent.</summary>
    SmtpUtf8Unavailable,

    /// <summary>The content has octets above 127 and the server does not offer 8BITMIME; nothing was sent.</summary>
    EightBitUnavailable,

    /// <summary>The caller's commit point said no; the connection was dropped before the final dot.</summary>
    CommitRefused,
}

/// <summary>What ended a session or a transaction before its last reply.</summary>
/// <param name="Phase">The step it happened in.</param>
/// <param name="Kind">What happened.</param>
/// <param name="KnownUnsent">
/// False only when the last byte of the content and its end were handed to the socket and the reply that decides was not read:
/// then the server may have taken the message. True: it has not, and sending it elsewhere makes no duplicate.
/// </param>
/// <param name="Reply">The reply that caused it; <see langword="null"/> when there was none.</param>
/// <param name="Text">For people: what happened, and the remedy where there is one.</param>
public sealed record SmtpFailure(SmtpPhase Phase, SmtpFailureKind Kind, bool KnownUnsent, SmtpReply? Reply, string Text);
