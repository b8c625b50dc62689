using System.Net.Security;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Smtp.Server;

/// <summary>What a server takes from a client, and for how long it waits for it.</summary>
public sealed record SmtpServerOptions
{
    /// <summary>The name in the greeting and in the answer to EHLO.</summary>
    public required string HostName { get; init; }

    /// <summary>How TLS is started; <see langword="null"/>: there is none, and STARTTLS is not known.</summary>
    public SslServerAuthenticationOptions? Tls { get; init; }

    /// <summary>
    /// Whether EHLO names STARTTLS to clients on this machine. They need no TLS, and most that see it offered insist on a certificate
    /// that a self-signed one does not satisfy. Who asks for it gets it. Default true.
    /// </summary>
    public bool OfferTlsOnLoopback { get; init; } = true;

    /// <summary>Takes credentials in clear text from other machines. From this machine they always may. Default false.</summary>
    public bool AllowPlaintextAuth { get; init; }

    /// <summary>Which unusual domains are taken.</summary>
    public AddressRules AddressRules { get; init; }

    /// <summary>Largest message in octets, as SIZE counts (RFC 1870 §4). Default 25 MB.</summary>
    public long MaxMessageBytes { get; init; } = 25 * 1024 * 1024;

    /// <summary>Octets that all messages being received may hold in memory together; more are put off with 452. Default 512 MB.</summary>
    public long MaxContentMemoryBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>Recipients of one message; the next one hears 452 4.5.3 and goes into the next transaction. Default 1,000.</summary>
    public int MaxRecipients { get; init; } = 1_000;

    /// <summary>Open connections. Default 10,000.</summary>
    public int MaxConnections { get; init; } = 10_000;

    /// <summary>Open connections of one address; of one /64 with IPv6. Default 5,000.</summary>
    public int MaxConnectionsPerAddress { get; init; } = 5_000;

    /// <summary>Commands that are no SMTP or come out of turn, before the session is ended. Default 20 (Postfix
    /// smtpd_hard_error_limit).</summary>
    public int MaxErrors { get; init; } = 20;

    /// <summary>Commands that bring no message nearer, such as NOOP, RSET, MAIL and an empty BDAT, between two messages. Default 100
    /// (Postfix smtpd_junk_command_limit).</summary>
    public int MaxIdleCommands { get; init; } = 100;

    /// <summary>Failed authentications of one session; the last one ends it. Default 3.</summary>
    public int MaxAuthFailures { get; init; } = 3;

    /// <summary>How long a command may take to arrive, whole. Default 5 min (RFC 5321 §4.5.3.2.7).</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a client may leave our replies unread, and a TLS handshake may take. Default 60 s.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Content must bring <see cref="MinContentBytes"/> in each such span. Default 60 s.</summary>
    public TimeSpan ContentWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Octets of content in each <see cref="ContentWindow"/>. Default 14,400: 240 a second, as Kestrel asks of request
    /// bodies.</summary>
    public int MinContentBytes { get; init; } = 14_400;

    /// <summary>From MAIL to the end of the content. Default 30 min.</summary>
    public TimeSpan TransactionTimeout { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>A session that is older ends before its next transaction. Default 24 h.</summary>
    public TimeSpan SessionTimeout { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a refusal of credentials takes at first; it doubles with each failure from the same address, up to
    /// <see cref="MaxAuthDelay"/>. Default 1 s.</summary>
    public TimeSpan AuthDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait before a refusal of credentials. Default 15 s.</summary>
    public TimeSpan MaxAuthDelay { get; init; } = TimeSpan.FromSeconds(15);
}
