using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Postrider.Messages;

namespace Postrider.Hosting;

/// <summary>The certificate cannot be used; the message says what to do.</summary>
sealed class CertificateException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The certificate of our https addresses and of SMTP: the configured one, or a self-signed one that is made in the data folder
/// on first use.</summary>
static class ServerCertificate
{
    const string FileName = "self-signed.pfx";

    // Apple's clients refuse server certificates that are valid for longer than 825 days (support.apple.com/103769).
    static readonly TimeSpan Validity = TimeSpan.FromDays(800);
    static readonly TimeSpan RenewBefore = TimeSpan.FromDays(30);

    /// <exception cref="CertificateException">Unreadable, without its key, expired, or its key is open to others.</exception>
    public static X509Certificate2 Load(PostriderOptions options, TimeProvider clock)
    {
        if (string.IsNullOrEmpty(options.Certificate))
            return SelfSigned(options.Data, clock);
        var certificate = Read(options.Certificate, options.CertificateKey, options.CertificatePassword);
        if (!certificate.HasPrivateKey)
            throw new CertificateException(
                $"{options.Certificate} has no private key: name the key's PEM file in POSTRIDER_CERTIFICATE_KEY.");
        if (certificate.NotAfter < clock.GetUtcNow())
            throw new CertificateException($"{options.Certificate} has expired on {certificate.NotAfter:yyyy-MM-dd}: renew it.");
        return certificate;
    }

    /// <summary>Why the configured certificate cannot be used; null: it can, or there is none.</summary>
    public static string? FaultOf(PostriderOptions options, TimeProvider clock)
    {
        if (string.IsNullOrEmpty(options.Certificate))
            return null;
        try
        {
            Load(options, clock).Dispose();
            return null;
        }
        catch (CertificateException fault)
        {
            return fault.Message;
        }
    }

    /// <summary>When the configured certificate ends; null: there is none, or it cannot be used.</summary>
    public static DateTimeOffset? EndOf(PostriderOptions options)
    {
        if (string.IsNullOrEmpty(options.Certificate) || FaultOf(options, TimeProvider.System) is not null)
            return null;
        using var certificate = Load(options, TimeProvider.System);
        return certificate.NotAfter;
    }

    static X509Certificate2 Read(string path, string? keyPath, string? password)
    {
        var secretPath = keyPath ?? path;
        try
        {
            if (SecretFiles.IsReadableByOthers(secretPath))
                throw new CertificateException($"{secretPath} holds a private key and others may read it: chmod 600 {secretPath}");
            if (X509Certificate2.GetCertContentType(path) is X509ContentType.Pfx)
                return X509CertificateLoader.LoadPkcs12FromFile(path, password);
            using var pem = password is null
                ? X509Certificate2.CreateFromPemFile(path, secretPath)
                : X509Certificate2.CreateFromEncryptedPemFile(path, password, secretPath);
            // A key that came from PEM is ephemeral, which Windows' TLS refuses; through PFX it is not.
            return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pfx), null);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new CertificateException($"The certificate in {path} cannot be read: {e.Message}", e);
        }
    }

    static X509Certificate2 SelfSigned(string dataFolder, TimeProvider clock)
    {
        var path = Path.Combine(dataFolder, FileName);
        if (File.Exists(path))
        {
            var kept = Read(path, null, null);
            if (kept.NotAfter - RenewBefore > clock.GetUtcNow())
                return kept;
            kept.Dispose();
        }
        using var made = Make(clock.GetUtcNow());
        OwnerOnly.MakeFolder(dataFolder);
        SecretFiles.Write(path, made.Export(X509ContentType.Pfx));
        return Read(path, null, null);
    }

    static X509Certificate2 Make(DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Postrider on {Dns.GetHostName()}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        if (!string.Equals(Dns.GetHostName(), "localhost", StringComparison.OrdinalIgnoreCase))
            names.AddDnsName(Dns.GetHostName());
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1", "serverAuth")], critical: false));
        return request.CreateSelfSigned(now.AddDays(-1), now + Validity);
    }
}
