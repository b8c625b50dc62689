using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Encrypts secrets for the database (AES-256-GCM), bound to the tenant, column and row they belong to: moved elsewhere, they do
/// not open.</summary>
/// <remarks>Layout: version 1 (1 byte), id of the master key (4), nonce (12), tag (16), cipher text. Nonces are random: one key is good for
/// 2^32 secrets (NIST SP 800-38D §8.3).</remarks>
public sealed class Sealer(MasterKey master, Entropy entropy)
{
    const byte Version = 1;
    const int KeyIdAt = 1;
    const int NonceAt = 5;
    const int NonceBytes = 12;
    const int TagAt = NonceAt + NonceBytes;
    const int TagBytes = 16;
    const int TextAt = TagAt + TagBytes;

    readonly byte[] _key = master.Derive("postrider/seal/1");

    /// <param name="column">Table and column, such as <c>api_keys.secret</c>.</param>
    /// <param name="id">Of the row.</param>
    public byte[] Seal(ReadOnlySpan<byte> secret, TenantId tenant, string column, string id)
    {
        var result = new byte[TextAt + secret.Length];
        result[0] = Version;
        BinaryPrimitives.WriteUInt32BigEndian(result.AsSpan(KeyIdAt), master.Id);
        var nonce = result.AsSpan(NonceAt, NonceBytes);
        entropy.Fill(nonce);
        using var cipher = new AesGcm(_key, TagBytes);
        cipher.Encrypt(nonce, secret, result.AsSpan(TextAt), result.AsSpan(TagAt, TagBytes), Place(tenant, column, id));
        return result;
    }

    /// <summary>False when it was sealed with another key, for another place, or was changed since.</summary>
    public bool TryOpen(ReadOnlySpan<byte> sealedSecret, TenantId tenant, string column, string id, [NotNullWhen(true)] out byte[]? secret)
    {
        secret = null;
        if (sealedSecret.Length < TextAt || sealedSecret[0] != Version
            || BinaryPrimitives.ReadUInt32BigEndian(sealedSecret[KeyIdAt..]) != master.Id)
            return false;
        var text = new byte[sealedSecret.Length - TextAt];
        using var cipher = new AesGcm(_key, TagBytes);
        try
        {
            cipher.Decrypt(sealedSecret.Slice(NonceAt, NonceBytes), sealedSecret[TextAt..], sealedSecret.Slice(TagAt, TagBytes), text,
                Place(tenant, column, id));
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
        secret = text;
        return true;
    }

    /// <summary>Every part with its length, so that no two places have the same bytes.</summary>
    static byte[] Place(TenantId tenant, string column, string id)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(tenant.Value);
        writer.Write(column);
        writer.Write(id);
        writer.Flush();
        return bytes.ToArray();
    }
}
