using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Postrider.Mail.Dkim;

/// <summary>A private key that signs mail: RSA (RFC 6376 §3.3; 8301 §3.2: 1,024 to 4,096 bits, 2,048 advised). May be used by several
/// threads at once.</summary>
/// <remarks>Ed25519 (RFC 8463) would need cryptography of our own: .NET 10 has none, and every receiver must understand RSA.</remarks>
public sealed class DkimKey : IDisposable
{
    /// <summary>What RFC 8301 §3.2 advises.</summary>
    public const int Bits = 2048;

    // An instance of RSA is for one thread at a time; there are never more of them than signers at work at once.
    readonly ConcurrentBag<RSA> _idle = [];
    readonly RSAParameters _parameters;
    volatile bool _disposed;

    DkimKey(RSA rsa)
    {
        _parameters = rsa.ExportParameters(includePrivateParameters: true);
        PublicKey = rsa.ExportSubjectPublicKeyInfo();
        SignatureBytes = (rsa.KeySize + 7) / 8;
        _idle.Add(rsa);
    }

    /// <summary>DER of SubjectPublicKeyInfo: the p= of the key's record (RFC 6376 §3.6.1).</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Length of its signatures.</summary>
    public int SignatureBytes { get; }

    /// <summary>Makes a key: takes some tenths of a second of one processor.</summary>
    /// <returns>The private key in PKCS #8 DER (RFC 5958): a secret.</returns>
    public static byte[] Generate()
    {
        using var rsa = RSA.Create(Bits);
        return rsa.ExportPkcs8PrivateKey();
    }

    /// <param name="pkcs8">DER of PKCS #8, as <see cref="Generate"/> makes it.</param>
    /// <exception cref="CryptographicException">It is no RSA key of 1,024 to 4,096 bits.</exception>
    public static DkimKey Import(ReadOnlySpan<byte> pkcs8)
    {
        var rsa = RSA.Create();
        try
        {
            rsa.ImportPkcs8PrivateKey(pkcs8, out _);
            if (rsa.KeySize is < 1024 or > 4096)
                throw new CryptographicException("A DKIM key has 1,024 to 4,096 bits (RFC 8301 §3.2).");
            return new DkimKey(rsa);
        }
        catch
        {
            rsa.Dispose();
            throw;
        }
    }

    /// <summary>Signs a SHA-256 (RSASSA-PKCS1-v1_5, RFC 8017 §8.2): the same hash gives the same signature.</summary>
    internal void Sign(ReadOnlySpan<byte> hash, Span<byte> signature)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_idle.TryTake(out var rsa))
            rsa = RSA.Create(_parameters);
        rsa.SignHash(hash, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        _idle.Add(rsa);
        if (_disposed)
            DisposeIdle();
    }

    /// <summary>Signatures under way are finished first.</summary>
    public void Dispose()
    {
        _disposed = true;
        DisposeIdle();
    }

    void DisposeIdle()
    {
        while (_idle.TryTake(out var rsa))
            rsa.Dispose();
    }
}
