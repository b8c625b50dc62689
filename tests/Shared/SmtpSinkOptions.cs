using System.Security.Cryptography.X509Certificates;

namespace Postrider.Testing;

public enum SmtpSinkTls
{
    None,
    StartTls,
    Implicit,
}

/// <summary>What a <see cref="SmtpSink"/> offers and demands. May be changed for connections to come by starting the sink again.</summary>
public sealed record SmtpSinkOptions
{
    public bool Pipelining { get; init; } = true;
    public bool EightBitMime { get; init; } = true;
    public bool SmtpUtf8 { get; init; } = true;
    public bool Chunking { get; init; }
    public bool Dsn { get; init; } = true;

    /// <summary>Offered as SIZE; 0 offers it without a limit, null not at all.</summary>
    public long? MaxMessageBytes { get; init; } = 50 * 1024 * 1024;

    /// <summary>EHLO is unknown, as on servers of 1990.</summary>
    public bool HeloOnly { get; init; }

    public SmtpSinkTls Tls { get; init; }
    public X509Certificate2 Certificate { get; init; } = TestCertificates.Server;

    /// <summary>When set, MAIL is refused without it. The password is also the OAuth token.</summary>
    public (string User, string Password)? Account { get; init; }

    /// <summary>As in EHLO; offered after TLS only, if there is TLS.</summary>
    public string AuthMechanisms { get; init; } = "PLAIN LOGIN XOAUTH2";

    /// <summary>More get 452 4.5.3.</summary>
    public int MaxRecipients { get; init; } = 1000;

    /// <summary>The next MAIL gets 421 and the connection is closed.</summary>
    public int MaxMessagesPerConnection { get; init; } = int.MaxValue;

    /// <summary>How long <c>slow@</c> waits before the final reply.</summary>
    public TimeSpan Slow { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>
    /// Replaces the reply to a command; null leaves it. Gets the command line without its end, <c>.</c> for the end of content.
    /// </summary>
    public Func<string, string?>? Answer { get; init; }

    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>A message as it came over the wire, dots unstuffed and nothing else changed.</summary>
public sealed record SinkMessage
{
    /// <summary>1 for the first connection that was accepted since the sink was made.</summary>
    public required int Connection { get; init; }

    /// <summary>Without brackets; empty for <c>&lt;&gt;</c>.</summary>
    public required string ReversePath { get; init; }

    /// <summary>What followed the path in MAIL, such as <c>SIZE=12 SMTPUTF8</c>.</summary>
    public required string MailParameters { get; init; }

    /// <summary>Those whose RCPT was accepted.</summary>
    public required IReadOnlyList<string> Recipients { get; init; }
    public required byte[] Content { get; init; }
    public required DateTimeOffset ArrivedAt { get; init; }
    public required bool Encrypted { get; init; }
    public required string? User { get; init; }

    /// <summary>It came by BDAT.</summary>
    public required bool Chunked { get; init; }

    /// <summary>What the client was told; null when it was told nothing.</summary>
    public required string? Reply { get; init; }

    public string Text => System.Text.Encoding.UTF8.GetString(Content);
}
