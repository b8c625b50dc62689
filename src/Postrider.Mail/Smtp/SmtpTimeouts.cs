using System.Runtime.CompilerServices;

namespace Postrider.Mail.Smtp;

/// <summary>
/// How long each phase of a session may take before the connection is given up. A phase is timed as a whole:
/// a reply that drips in byte by byte gets no more time than one that does not come.
/// </summary>
/// <remarks>RFC 5321 §4.5.3.2 names minimums. The wait after the final dot must not be shortened: giving up early makes
/// duplicates.</remarks>
public sealed record SmtpTimeouts
{
    /// <summary>The RFC's minimums where it has them, Postfix's where it has none.</summary>
    public static SmtpTimeouts Default { get; } = new();

    /// <summary>Name look-up and TCP connect, all addresses together. Default 30 s (Postfix smtp_connect_timeout).</summary>
    public TimeSpan Connect { get; init => field = Checked(value); } = TimeSpan.FromSeconds(30);

    /// <summary>From connected to the 220, including an implicit TLS handshake. Default 5 min (RFC 5321 §4.5.3.2.1).</summary>
    public TimeSpan Banner { get; init => field = Checked(value); } = TimeSpan.FromMinutes(5);

    /// <summary>EHLO or HELO. Default 5 min (Postfix smtp_helo_timeout).</summary>
    public TimeSpan Ehlo { get; init => field = Checked(value); } = TimeSpan.FromMinutes(5);

    /// <summary>The STARTTLS command, and again the handshake. Default 60 s (kumomta starttls_timeout is 5 s, Postfix 300 s).</summary>
    public TimeSpan StartTls { get; init => field = Checked(value); } = TimeSpan.FromSeconds(60);

    /// <summary>Each step of AUTH. Default 60 s (kumomta auth_timeout).</summary>
    public TimeSpan Auth { get; init => field = Checked(value); } = TimeSpan.FromSeconds(60);

    /// <summary>MAIL. Default 5 min (RFC 5321 §4.5.3.2.2).</summary>
    public TimeSpan Mail { get; init => field = Checked(value); } = TimeSpan.FromMinutes(5);

    /// <summary>Each RCPT. Default 5 min (RFC 5321 §4.5.3.2.3).</summary>
    public TimeSpan Rcpt { get; init => field = Checked(value); } = TimeSpan.FromMinutes(5);

    /// <summary>DATA until its 354. Default 2 min (RFC 5321 §4.5.3.2.4).</summary>
    public TimeSpan Data { get; init => field = Checked(value); } = TimeSpan.FromMinutes(2);

    /// <summary>Each block of content handed to the socket. Default 3 min (RFC 5321 §4.5.3.2.5).</summary>
    public TimeSpan DataBlock { get; init => field = Checked(value); } = TimeSpan.FromMinutes(3);

    /// <summary>From the final dot to its reply. Default 10 min (RFC 5321 §4.5.3.2.6, Postfix smtp_data_done_timeout).</summary>
    public TimeSpan FinalDot { get; init => field = Checked(value); } = TimeSpan.FromMinutes(10);

    /// <summary>RSET and NOOP. Default 20 s (Postfix smtp_rset_timeout).</summary>
    public TimeSpan Rset { get; init => field = Checked(value); } = TimeSpan.FromSeconds(20);

    /// <summary>QUIT until the 221, whose loss means nothing. Default 5 s: nothing waits for it but a socket.</summary>
    public TimeSpan Quit { get; init => field = Checked(value); } = TimeSpan.FromSeconds(5);

    static TimeSpan Checked(TimeSpan value, [CallerMemberName] string phase = "")
        => value > TimeSpan.Zero && value <= TimeSpan.FromHours(1)
            ? value
            : throw new ArgumentOutOfRangeException(phase, value, $"An SMTP timeout is more than zero and at most one hour: {phase}.");
}
