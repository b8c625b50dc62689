using System.Security.Cryptography;
using Postrider.Mail.Dkim;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Senders;

/// <summary>Makes DKIM keys and opens them: outside of memory a private key is always sealed.</summary>
public sealed class SenderKeys(Sealer sealer, TimeProvider clock, Entropy entropy) : IDisposable
{
    internal const string SealColumn = "dkim_keys.sealed_key";

    // A key takes a tenth of a second of a processor: callers wait in line instead of taking them all.
    readonly SemaphoreSlim _making = new(1, 1);

    /// <summary>Not active yet.</summary>
    public async Task<SenderKey> MakeAsync(TenantId tenant, string domain, string selector, CancellationToken ct)
    {
        await _making.WaitAsync(ct);
        byte[] privateKey;
        try
        {
            privateKey = await Task.Run(DkimKey.Generate, ct);
        }
        finally
        {
            _making.Release();
        }
        using var key = DkimKey.Import(privateKey);
        var made = new SenderKey
        {
            Selector = selector,
            CreatedAt = clock.GetUtcNow(),
            PublicKey = key.PublicKey,
            SealedPrivateKey = sealer.Seal(privateKey, tenant, SealColumn, Id(domain, selector)),
        };
        CryptographicOperations.ZeroMemory(privateKey);
        return made;
    }

    public void Dispose() => _making.Dispose();

    /// <exception cref="MasterKeyException">It was sealed with another key or for another place.</exception>
    public DkimSigner Open(SenderDomain domain, SenderKey key)
    {
        var privateKey = Unseal(domain, key);
        var signer = new DkimSigner(domain.Name, key.Selector, DkimKey.Import(privateKey));
        CryptographicOperations.ZeroMemory(privateKey);
        return signer;
    }

    /// <summary>Finds out at the start, and not at the first mail, that a key cannot be opened.</summary>
    /// <exception cref="MasterKeyException">As <see cref="Open"/>.</exception>
    public void Verify(SenderDomain domain, SenderKey key) => CryptographicOperations.ZeroMemory(Unseal(domain, key));

    byte[] Unseal(SenderDomain domain, SenderKey key) =>
        sealer.TryOpen(key.SealedPrivateKey.Span, domain.Tenant, SealColumn, Id(domain.Name, key.Selector), out var privateKey)
            ? privateKey
            : throw new MasterKeyException(
                $"The DKIM key {key.Selector} of {domain.Name} cannot be opened: it was sealed with another master key, or moved. "
                + "Start with the right master key, or delete its row from the table dkim_keys and make a new one.");

    /// <summary>Random, so that tenants who both write down a domain, and installations, do not meet at one name in its DNS.</summary>
    public string NewSelector()
    {
        Span<byte> bits = stackalloc byte[8];
        entropy.Fill(bits);
        Span<char> letters = stackalloc char[bits.Length];
        for (var i = 0; i < letters.Length; i++)
            letters[i] = "abcdefghijklmnopqrstuvwxyz234567"[bits[i] & 31];
        return $"pr-{letters}";
    }

    internal static string Id(string domain, string selector) => $"{domain}/{selector}";
}
