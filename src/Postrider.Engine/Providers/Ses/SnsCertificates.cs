using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Postrider.Providers.Http;

namespace Postrider.Providers.Ses;

/// <summary>Fetches the certificates that SNS signs with, and keeps them: there are a few in the world, and each is used for
/// months.</summary>
/// <remarks>Called with addresses of Amazon's only (<see cref="SnsMessage.IsAmazons"/>).</remarks>
public sealed class SnsCertificates(TimeProvider clock)
{
    /// <summary>More than that is not Amazon's few; the store of them starts afresh.</summary>
    const int MaxKept = 50;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    readonly ConcurrentDictionary<Uri, X509Certificate2> _kept = new();

    /// <summary>Null when it cannot be had now.</summary>
    public async ValueTask<X509Certificate2?> FetchAsync(Uri url, CancellationToken ct)
    {
        if (_kept.TryGetValue(url, out var known))
            return known;
        var answer = await GetAsync(url, ct);
        if (answer.Status != 200 || Read(answer.Body) is not { } certificate)
            return null;
        if (_kept.Count >= MaxKept)
            _kept.Clear();
        return _kept.GetOrAdd(url, certificate);
    }

    /// <summary>Confirms a subscription. Nothing is followed from there. False: it was not taken, or cannot be reached now.</summary>
    /// <exception cref="ArgumentException">An address that is not Amazon's.</exception>
    public async ValueTask<bool> VisitAsync(Uri url, CancellationToken ct)
    {
        if (!SnsMessage.IsAmazons(url.AbsoluteUri, out _))
            throw new ArgumentException("Only addresses of Amazon SNS are visited.", nameof(url));
        return (await GetAsync(url, ct)).Status == 200;
    }

    async ValueTask<VendorAnswer> GetAsync(Uri url, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, ct);
        using var http = new VendorHttp(new Uri(url.GetLeftPart(UriPartial.Authority)), clock);
        return await http.SendAsync(new VendorRequest(HttpMethod.Get, url.PathAndQuery), null, cut.Token);
    }

    static X509Certificate2? Read(ReadOnlyMemory<byte> pem)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(pem.Span);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
