using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Postrider.Mail.Smtp;
using Postrider.Messages;

namespace Postrider.Providers.Smtp;

/// <summary>Makes transports from <c>smtp://user:password@host:port?tls=starttls</c>.</summary>
/// <remarks>
/// Options: <c>tls=auto|none|starttls|implicit</c> (auto: implicit on port 465, else STARTTLS when offered) ·
/// <c>auth=plain|login|xoauth2</c>, with
/// <c>,insecure</c> credentials go also without TLS or to a certificate that does not verify; to loopback they always do · <c>helo=</c> the
/// name
/// for EHLO · <c>ca=</c> a PEM file with one more authority to trust · <c>messages=100</c> on one connection · <c>dkim=on|off</c>: off
/// where the server signs itself, or rewrites what we would sign · <c>return_path=ours|sender</c>: sender where the server takes no other
/// MAIL FROM.
/// </remarks>
/// <param name="signers">Null: nothing is signed.</param>
/// <param name="paths">Null: reports of failure go to the sender.</param>
public sealed class SmtpProviderFactory(TimeProvider clock, SignerLookup? signers = null, ReturnPaths? paths = null) : IProviderFactory
{
    public string Scheme => "smtp";

    public IReadOnlyCollection<string> OptionNames { get; } = ["tls", "auth", "helo", "ca", "messages", "dkim", "return_path"];

    public IReadOnlyList<string> Check(TransportSettings settings)
    {
        var faults = new List<string>();
        Read(settings, faults, out _);
        return faults;
    }

    public IProvider Create(TransportSettings settings)
    {
        var faults = new List<string>();
        var endpoint = Read(settings, faults, out var options);
        if (faults.Count > 0)
            throw new ArgumentException($"{settings.Name}: {string.Join("; ", faults)}", nameof(settings));
        var pool = new SmtpPool(endpoint!, options, SmtpTimeouts.Default, clock);
        return new SmtpProvider(
            pool, settings.Options.GetValueOrDefault("dkim") == "off" ? null : signers,
            settings.Options.GetValueOrDefault("return_path") == "sender" ? null : paths);
    }

    static SmtpEndpoint? Read(TransportSettings settings, List<string> faults, out SmtpPoolOptions options)
    {
        // The lane's concurrency bounds how many attempts run, and with them the connections.
        options = new SmtpPoolOptions { MaxConnections = int.MaxValue };
        if (settings.Options.TryGetValue("messages", out var messages))
        {
            if (int.TryParse(messages, NumberStyles.None, CultureInfo.InvariantCulture, out var most) && most >= 1)
                options = options with { MaxMessagesPerConnection = most };
            else
                faults.Add("option 'messages' is a number from 1");
        }
        if (settings.Options.TryGetValue("dkim", out var dkim) && dkim is not ("on" or "off"))
            faults.Add("option 'dkim' is on or off");
        if (settings.Options.TryGetValue("return_path", out var path) && path is not ("ours" or "sender"))
            faults.Add("option 'return_path' is ours (at POSTRIDER_BOUNCE_DOMAIN, where that is set) or sender");
        var tls = Tls(settings, faults);
        var credentials = Credentials(settings, faults, out var insecure);
        var helo = Helo(settings, faults);
        var authority = Authority(settings, faults);
        if (Uri.CheckHostName(settings.Host) is UriHostNameType.Unknown or UriHostNameType.Basic)
            faults.Add("the host is missing or no name or address: smtp://user:password@HOST:587");
        if (faults.Count > 0)
            return null;
        return new SmtpEndpoint(settings.Host, settings.Port ?? DefaultPort(tls, credentials))
        {
            Tls = tls,
            Credentials = credentials,
            AllowPlaintextAuth = insecure || IsLoopback(settings.Host),
            ClientName = helo,
            MayConnect = settings.IsConfined ? NetworkAddresses.IsGlobal : null,
            TrustedAuthority = authority,
        };
    }

    /// <summary>RFC 8314 §7.3: 465 is implicit TLS; RFC 6409 §3.1: 587 is where accounts hand mail in.</summary>
    static int DefaultPort(SmtpTlsMode tls, SmtpCredentials? credentials)
        => tls == SmtpTlsMode.Implicit ? 465 : credentials is not null ? 587 : 25;

    static SmtpTlsMode Tls(TransportSettings settings, List<string> faults)
    {
        switch (settings.Options.GetValueOrDefault("tls", "auto"))
        {
            case "auto":
                return settings.Port == 465 ? SmtpTlsMode.Implicit : SmtpTlsMode.Auto;
            case "none":
                return SmtpTlsMode.None;
            case "starttls":
                return SmtpTlsMode.StartTls;
            case "implicit":
                return SmtpTlsMode.Implicit;
            default:
                faults.Add("option 'tls' is auto, none, starttls or implicit");
                return SmtpTlsMode.Auto;
        }
    }

    static SmtpCredentials? Credentials(TransportSettings settings, List<string> faults, out bool insecure)
    {
        insecure = false;
        SmtpAuthMechanism? mechanism = null;
        foreach (var word in settings.Options.GetValueOrDefault("auth", "").Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            switch (word)
            {
                case "insecure":
                    insecure = true;
                    break;
                case "plain":
                    mechanism = SmtpAuthMechanism.Plain;
                    break;
                case "login":
                    mechanism = SmtpAuthMechanism.Login;
                    break;
                case "xoauth2":
                    mechanism = SmtpAuthMechanism.XOAuth2;
                    break;
                default:
                    faults.Add("option 'auth' is plain, login or xoauth2, with ',insecure' where credentials may go without verified TLS");
                    break;
            }
        }
        if (settings.User is null && settings.Options.ContainsKey("auth"))
            faults.Add("option 'auth' needs a user: smtp://USER:PASSWORD@host");
        if (settings.User is not null && settings.Password is null)
            faults.Add("there is a user but no password: smtp://user:PASSWORD@host");
        return settings is { User: { } user, Password: { } password }
            ? SmtpCredentials.WithPassword(user, password) with { Mechanism = mechanism }
            : null;
    }

    static string? Helo(TransportSettings settings, List<string> faults)
    {
        if (!settings.Options.TryGetValue("helo", out var helo))
            return null;
        if (SmtpEndpoint.IsClientName(helo))
            return helo;
        faults.Add("option 'helo' is a host name or an address in brackets");
        return null;
    }

    static X509Certificate2? Authority(TransportSettings settings, List<string> faults)
    {
        if (!settings.Options.TryGetValue("ca", out var path))
            return null;
        try
        {
            return X509CertificateLoader.LoadCertificateFromFile(path);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or CryptographicException)
        {
            faults.Add($"option 'ca' is a file with a certificate; {path} cannot be read as one: {fault.Message}");
            return null;
        }
    }

    static bool IsLoopback(string host)
        => host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
