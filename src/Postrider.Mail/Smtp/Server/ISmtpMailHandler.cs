using System.Net;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Smtp.Server;

/// <summary>
/// Decides for one session what the protocol leaves open: who may send, to whom, and what becomes of a message. One call at a time.
/// </summary>
/// <remarks>Replies are the client's: 2xx takes, 4xx puts off, 5xx refuses, 421 ends the session. An exception ends it with
/// 421.</remarks>
public interface ISmtpMailHandler
{
    /// <summary>Judges user and password. 235 is success and 535 counts as a failed guess; the password may hold any text.</summary>
    ValueTask<SmtpReply> AuthenticateAsync(string user, string password, CancellationToken ct);

    /// <summary>Judges the sender. 250 begins the transaction.</summary>
    ValueTask<SmtpReply> MailAsync(SmtpMailFrom mail, CancellationToken ct);

    /// <summary>Judges one recipient of the transaction. Success: 250 or 251.</summary>
    ValueTask<SmtpReply> RecipientAsync(SmtpRecipient recipient, CancellationToken ct);

    /// <summary>Takes a whole message. With 2xx the client forgets it: it must be on disk by then.</summary>
    ValueTask<SmtpReply> ReceiveAsync(SmtpReceivedMail mail, CancellationToken ct);
}

/// <summary>Who is connected.</summary>
/// <param name="Address">IPv4 addresses in their own form, also on sockets of IPv6.</param>
/// <param name="IsLoopback">On this machine.</param>
public sealed record SmtpPeer(IPAddress Address, int Port, bool IsLoopback);

/// <summary>The body a client announces (RFC 6152).</summary>
public enum SmtpBody
{
    /// <summary>Octets up to 127.</summary>
    SevenBit,

    /// <summary>Any octets, in lines.</summary>
    EightBitMime,
}

/// <summary>The command MAIL.</summary>
public sealed record SmtpMailFrom
{
    /// <summary><see langword="null"/> is <c>&lt;&gt;</c>: nobody to report to.</summary>
    public EmailAddress? ReversePath { get; init; }

    /// <summary>SIZE; <see langword="null"/>: not announced. Never more than the server takes.</summary>
    public long? Size { get; init; }

    /// <summary>BODY.</summary>
    public SmtpBody Body { get; init; }

    /// <summary>SMTPUTF8 was announced: addresses and header fields may hold UTF-8.</summary>
    public bool SmtpUtf8 { get; init; }

    /// <summary>RET (RFC 3461 §4.3).</summary>
    public SmtpDsnReturn? Return { get; init; }

    /// <summary>ENVID, decoded (RFC 3461 §4.4).</summary>
    public string? EnvelopeId { get; init; }
}

/// <summary>When a recipient's host should report to the sender (RFC 3461 §4.1).</summary>
[Flags]
public enum SmtpNotify
{
    /// <summary>Nothing was said.</summary>
    Unspecified = 0,

    /// <summary>Never; stands alone.</summary>
    Never = 1,

    /// <summary>When it was delivered.</summary>
    Success = 2,

    /// <summary>When it cannot be delivered.</summary>
    Failure = 4,

    /// <summary>When it takes long.</summary>
    Delay = 8,
}

/// <summary>The command RCPT.</summary>
public sealed record SmtpRecipient
{
    /// <summary>Who shall get it.</summary>
    public required EmailAddress Address { get; init; }

    /// <summary>NOTIFY.</summary>
    public SmtpNotify Notify { get; init; }

    /// <summary>The address of ORCPT, decoded, without its type (RFC 3461 §4.2); <see langword="null"/>: none.</summary>
    public string? OriginalRecipient { get; init; }
}

/// <summary>A message as it came, with its envelope.</summary>
public sealed record SmtpReceivedMail
{
    /// <summary>The sender.</summary>
    public required SmtpMailFrom From { get; init; }

    /// <summary>Those that were accepted, in order; at least one.</summary>
    public required IReadOnlyList<SmtpRecipient> Recipients { get; init; }

    /// <summary>
    /// Without transparency dots. Each CR and LF is part of a CRLF, and there is no NUL; lines may be of any length. The receiver's own
    /// from now on.
    /// </summary>
    public required ReadOnlyMemory<byte> Content { get; init; }
}
