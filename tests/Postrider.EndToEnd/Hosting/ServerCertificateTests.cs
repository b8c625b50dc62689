using System.Runtime.Versioning;
using System.Security.Cryptography.X509Certificates;
using Postrider.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>The certificate of https addresses.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ServerCertificateTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("postrider-").FullName;
    readonly ManualClock _clock = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void It_is_made_on_first_use_for_its_owner_only_and_kept()
    {
        using var first = Load();
        using var second = Load();
        Assert.Equal(first.Thumbprint, second.Thumbprint);
        Assert.True(first.HasPrivateKey);
        Assert.True(first.MatchesHostname("localhost"));
        Assert.True(first.MatchesHostname("127.0.0.1"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Directory.GetFiles(_folder).Single()));
    }

    [Fact]
    public void It_is_made_anew_a_month_before_it_expires()
    {
        using var first = Load();
        _clock.Advance(TimeSpan.FromDays(760));
        using var kept = Load();
        _clock.Advance(TimeSpan.FromDays(20));
        using var renewed = Load();
        Assert.Equal(first.Thumbprint, kept.Thumbprint);
        Assert.NotEqual(first.Thumbprint, renewed.Thumbprint);
    }

    [Fact]
    public void A_configured_PEM_is_used_and_its_key_must_be_the_owners_alone()
    {
        using var made = Load();
        var (pem, key) = (Path.Combine(_folder, "c.pem"), Path.Combine(_folder, "k.pem"));
        File.WriteAllText(pem, made.ExportCertificatePem());
        File.WriteAllText(key, made.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(key, UnixFileMode.UserRead);
        var options = new PostriderOptions { Certificate = pem, CertificateKey = key };
        using var loaded = ServerCertificate.Load(options, _clock);
        Assert.Equal(made.Thumbprint, loaded.Thumbprint);

        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("chmod 600", Assert.Throws<CertificateException>(() => ServerCertificate.Load(options, _clock)).Message);
    }

    [Fact]
    public void One_that_is_no_certificate_or_has_expired_is_refused_by_name()
    {
        var path = Path.Combine(_folder, "broken.pem");
        File.WriteAllText(path, "nothing");
        Assert.Contains(path,
            Assert.Throws<CertificateException>(() => ServerCertificate.Load(new PostriderOptions { Certificate = path }, _clock)).Message);

        Load().Dispose();
        var expired = Path.Combine(_folder, "self-signed.pfx");
        _clock.Advance(TimeSpan.FromDays(900));
        Assert.Contains("has expired",
            Assert.Throws<CertificateException>(() =>
            ServerCertificate.Load(new PostriderOptions { Certificate = expired }, _clock)).Message);
    }

    X509Certificate2 Load() => ServerCertificate.Load(new PostriderOptions { Data = _folder }, _clock);
}
