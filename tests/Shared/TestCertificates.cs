using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Postrider.Testing;

/// <summary>An authority of our own and a certificate it gave, made anew for each process.</summary>
public static class TestCertificates
{
    static readonly Lazy<(X509Certificate2 Authority, X509Certificate2 Server)> Made = new(Make);

    public static X509Certificate2 Authority => Made.Value.Authority;

    /// <summary>Valid for <c>localhost</c> and 127.0.0.1, with its private key.</summary>
    public static X509Certificate2 Server => Made.Value.Server;

    static (X509Certificate2, X509Certificate2) Make()
    {
        var from = TimeProvider.System.GetUtcNow().AddDays(-1);
        using var authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var authorityRequest = new CertificateRequest("CN=Test authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authorityRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        var authority = authorityRequest.CreateSelfSigned(from, from.AddDays(30));

        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(authority, from, from.AddDays(29), [1, 2, 3, 4]);
        return (X509CertificateLoader.LoadCertificate(authority.RawData), issued.CopyWithPrivateKey(key));
    }
}
