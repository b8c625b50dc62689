using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Postrider.Mail.Smtp;

/// <summary>How a connection is protected.</summary>
public enum SmtpTlsMode
{
    /// <summary>STARTTLS when offered, without proof of who answers. Protects against listeners, not against impostors.</summary>
    Auto,

    /// <summary>Clear text, also when STARTTLS is offered.</summary>
    None,

    /// <summary>STARTTLS is required and the certificate must be valid for the host.</summary>
    StartTls,

    /// <summary>TLS from the first byte (RFC 8314, port 465), and the certificate must be valid for the host.</summary>
    Implicit,
}

/// <summary>Ways to prove who we are.</summary>
public enum SmtpAuthMechanism
{
    /// <summary>User and password in one step (RFC 4616).</summary>
    Plain,

    /// <summary>User and password in two steps; what old servers of Microsoft offer. No RFC.</summary>
    Login,

    /// <summary>User and OAuth token (Google and Microsoft).</summary>
    XOAuth2,
}

/// <summary>The account at a server.</summary>
public sealed record SmtpCredentials
{
    SmtpCredentials(string user) => User = user;

    /// <summary>The account's name.</summary>
    public string User { get; }

    /// <summary>The secret; <see langword="null"/> with OAuth.</summary>
    public string? Password { get; private init; }

    /// <summary>Gives a valid access token each time a connection is opened; <see langword="null"/> with a password.</summary>
    public Func<CancellationToken, ValueTask<string>>? AccessToken { get; private init; }

    /// <summary>The only mechanism to use; <see langword="null"/>: PLAIN before LOGIN, as offered.</summary>
    public SmtpAuthMechanism? Mechanism { get; init; }

    /// <summary>An account with a password.</summary>
    public static SmtpCredentials WithPassword(string user, string password) => new(user) { Password = password };

    /// <summary>An account with OAuth tokens, for XOAUTH2.</summary>
    public static SmtpCredentials WithAccessToken(string user, Func<CancellationToken, ValueTask<string>> accessToken)
        => new(user) { AccessToken = accessToken, Mechanism = SmtpAuthMechanism.XOAuth2 };

    /// <summary>Names the account, never the secret.</summary>
    public override string ToString() => $"SmtpCredentials {{ User = {User} }}";
}

/// <summary>A server to hand mail to, and on which terms.</summary>
public sealed record SmtpEndpoint
{
    /// <summary>
    /// An endpoint at <paramref name="host"/>, a name or an address without brackets, and <paramref name="port"/>, 1 to 65535.
    /// </summary>
    public SmtpEndpoint(string host, int port)
    {
        ArgumentException.ThrowIfNullOrEmpty(host);
        if (Uri.CheckHostName(host) is UriHostNameType.Unknown or UriHostNameType.Basic)
            throw new ArgumentException($"Not a host name or address: {host}", nameof(host));
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        Host = host;
        Port = port;
    }

    /// <summary>Looked up at every connect, sent as SNI, and the name the certificate must be valid for.</summary>
    public string Host { get; }

    /// <summary>25 for relays, 587 for submission, 465 for implicit TLS.</summary>
    public int Port { get; }

    /// <summary>How the connection is protected. Default <see cref="SmtpTlsMode.Auto"/>.</summary>
    public SmtpTlsMode Tls { get; init; }

    /// <summary>Asked for every address of the host: one that it refuses, and nothing is connected to. Null: all may be.</summary>
    public Func<IPAddress, bool>? MayConnect { get; init; }

    /// <summary>The account to use; <see langword="null"/>: none is needed.</summary>
    public SmtpCredentials? Credentials { get; init; }

    /// <summary>
    /// Lets credentials go over a connection without TLS, or over TLS whose certificate did not verify.
    /// Default false; right for loopback and for a trusted wire only.
    /// </summary>
    public bool AllowPlaintextAuth { get; init; }

    /// <summary>
    /// What EHLO says: a name that resolves to us. <see langword="null"/>: our own address of the connection, as <c>[192.0.2.1]</c>.
    /// </summary>
    public string? ClientName
    {
        get;
        init => field = value is null || IsClientName(value)
            ? value
            : throw new ArgumentException($"Not a host name or an address in brackets: {value}", nameof(ClientName));
    }

    /// <summary>One more authority to trust beside the system's, such as a private one; <see langword="null"/>: none.</summary>
    public X509Certificate2? TrustedAuthority { get; init; }

    /// <summary>Host and port as people write them.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";

    /// <summary>Whether <see cref="ClientName"/> would take it.</summary>
    public static bool IsClientName(string name)
        => name.Length is > 0 and <= 255 && (name is ['[', _, .., ']']
            ? name.All(IsLiteralCharacter)
            : name.All(char.IsAscii) && Uri.CheckHostName(name) == UriHostNameType.Dns);

    static bool IsLiteralCharacter(char c) => char.IsAsciiHexDigit(c) || c is '[' or ']' or ':' or '.' or 'I' or 'P' or 'v' or '-';
}
