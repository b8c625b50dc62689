using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Postrider.Mail.Smtp;

/// <summary>
/// Takes a fresh connection from the greeting to where mail can be sent: EHLO, TLS as the endpoint demands, EHLO again, AUTH.
/// </summary>
sealed class SmtpHandshake(SmtpChannel channel, SmtpEndpoint endpoint, SmtpTimeouts timeouts)
{
    string? _certificateFault;

    /// <summary>What the server offers in the present TLS state.</summary>
    public SmtpExtensions Extensions { get; private set; } = SmtpExtensions.None;

    public bool IsEncrypted { get; private set; }

    /// <summary>Of the certificate that was shown.</summary>
    public DateTimeOffset? CertificateEnds { get; private set; }

    /// <summary>True when nobody on the way can read or change what we say, as far as certificates can prove it.</summary>
    public bool IsVerified => IsEncrypted && _certificateFault is null;

    public async ValueTask RunAsync(CancellationToken ct)
    {
        if (endpoint.Tls == SmtpTlsMode.Implicit)
            await EncryptAsync(SmtpPhase.Banner);
        await GreetAsync();
        await HelloAsync();
        if (endpoint.Tls is SmtpTlsMode.Auto or SmtpTlsMode.StartTls && await StartTlsAsync())
            await HelloAsync();
        if (endpoint.Credentials is { } credentials)
            await AuthenticateAsync(credentials, ct);
    }

    async ValueTask GreetAsync()
    {
        var banner = await channel.ReadReplyAsync(SmtpPhase.Banner, timeouts.Banner);
        if (banner.Code != 220)
            throw Refused(SmtpPhase.Banner, banner);
        if (channel.HasUnreadBytes)
            throw Failed(SmtpPhase.Banner, SmtpFailureKind.Protocol, "the server went on talking after its greeting");
    }

    async ValueTask HelloAsync()
    {
        var name = endpoint.ClientName ?? OwnAddress();
        var reply = await AskAsync(SmtpPhase.Ehlo, timeouts.Ehlo, $"EHLO {name}\r\n");
        if (reply.IsPositive)
        {
            Extensions = SmtpExtensions.Parse(reply);
            return;
        }
        if (!reply.IsPermanent)
            throw Refused(SmtpPhase.Ehlo, reply);
        // RFC 5321 §3.2: a server that does not know EHLO may still know HELO.
        reply = await AskAsync(SmtpPhase.Ehlo, timeouts.Ehlo, $"HELO {name}\r\n");
        if (!reply.IsPositive)
            throw Refused(SmtpPhase.Ehlo, reply);
        Extensions = SmtpExtensions.None;
    }

    /// <returns>True when the connection is encrypted now, and everything the server said before is void.</returns>
    async ValueTask<bool> StartTlsAsync()
    {
        var required = endpoint.Tls == SmtpTlsMode.StartTls;
        if (!Extensions.StartTls)
        {
            if (!required)
                return false;
            var text = $"{endpoint} does not offer STARTTLS, which is required: wrong port, or somebody on the way strips it";
            throw Failed(SmtpPhase.StartTls, SmtpFailureKind.TlsUnavailable, text);
        }
        var reply = await AskAsync(SmtpPhase.StartTls, timeouts.StartTls, "STARTTLS\r\n");
        if (reply.Code != 220)
        {
            if (required || reply.IsClosing || !(reply.IsTransient || reply.IsPermanent))
                throw Refused(SmtpPhase.StartTls, reply, SmtpFailureKind.TlsUnavailable);
            return false;
        }
        // CVE-2011-0411: bytes behind the 220 were not encrypted, and would be taken for the server's words after the handshake.
        if (channel.HasUnreadBytes)
            throw Failed(SmtpPhase.StartTls, SmtpFailureKind.Protocol,
                "clear text behind the answer to STARTTLS: somebody injects replies");
        await EncryptAsync(SmtpPhase.StartTls);
        return true;
    }

    async ValueTask EncryptAsync(SmtpPhase phase)
    {
        var mustVerify = endpoint.Tls is SmtpTlsMode.StartTls or SmtpTlsMode.Implicit;
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = endpoint.Host,
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            // A revocation server that is down would stop the mail; no MTA checks it.
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            RemoteCertificateValidationCallback = (_, certificate, chain, errors) =>
            {
                _certificateFault = Judge(certificate as X509Certificate2, chain, errors);
                CertificateEnds = (certificate as X509Certificate2)?.NotAfter;
                return _certificateFault is null || !mustVerify;
            },
        };
        try
        {
            await channel.SecureAsync(phase, options, timeouts.StartTls);
        }
        catch (SmtpChannelException fault) when (fault.Kind == SmtpFailureKind.TlsFailed && _certificateFault is not null)
        {
            throw Failed(phase, SmtpFailureKind.TlsFailed, $"the certificate of {endpoint} is not accepted: {_certificateFault}");
        }
        IsEncrypted = true;
    }

    /// <summary>Null when the certificate proves the host; else what is wrong with it.</summary>
    string? Judge(X509Certificate2? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
            return null;
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) || certificate is null)
            return "there is none";
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return $"it is not for {endpoint.Host}";
        if (endpoint.TrustedAuthority is { } authority)
        {
            using var ours = new X509Chain();
            ours.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            ours.ChainPolicy.CustomTrustStore.Add(authority);
            ours.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            if (chain is not null)
                ours.ChainPolicy.ExtraStore.AddRange(chain.ChainElements.Select(e => e.Certificate).ToArray());
            if (ours.Build(certificate))
                return null;
        }
        return chain?.ChainStatus is [var first, ..] ? first.StatusInformation.Trim() : "it is not from an authority we trust";
    }

    async ValueTask AuthenticateAsync(SmtpCredentials credentials, CancellationToken ct)
    {
        if (!IsVerified && !endpoint.AllowPlaintextAuth)
        {
            var reason = IsEncrypted ? $"its certificate is not accepted: {_certificateFault}" : "the connection is not encrypted";
            throw Failed(SmtpPhase.Auth, SmtpFailureKind.AuthUnavailable, $"credentials are not sent to {endpoint}: {reason}");
        }
        await new SmtpAuthentication(channel, timeouts.Auth).RunAsync(credentials, Extensions.AuthMechanisms, ct);
    }

    async ValueTask<SmtpReply> AskAsync(SmtpPhase phase, TimeSpan limit, string command)
    {
        Encoding.ASCII.GetBytes(command, channel.Output);
        await channel.FlushAsync(phase, limit);
        return await channel.ReadReplyAsync(phase, limit);
    }

    /// <summary>RFC 5321 §4.1.3: who has no name says an address.</summary>
    string OwnAddress()
    {
        var address = (channel.Socket.LocalEndPoint as IPEndPoint)?.Address ?? IPAddress.Loopback;
        // Made anew without its scope: "%eth0" means nothing to others.
        return address.AddressFamily == AddressFamily.InterNetworkV6
            ? $"[IPv6:{new IPAddress(address.GetAddressBytes())}]"
            : $"[{address}]";
    }

    static SmtpChannelException Failed(SmtpPhase phase, SmtpFailureKind kind, string text) => new(phase, kind, text);

    static SmtpChannelException Refused(SmtpPhase phase, SmtpReply reply, SmtpFailureKind kind = SmtpFailureKind.Refused)
    {
        if (reply.IsClosing)
            kind = SmtpFailureKind.ServiceClosing;
        else if (!reply.IsTransient && !reply.IsPermanent)
            kind = SmtpFailureKind.Protocol;
        return new SmtpChannelException(phase, kind, reply.ToString()) { Reply = reply };
    }
}
