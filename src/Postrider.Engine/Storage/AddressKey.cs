using System.Data.Common;
using System.Security.Cryptography;
using Dapper;

namespace Postrider.Storage;

/// <summary>The installation's secret for addresses that are kept as hashes: without it nobody can try addresses against a list of
/// them.</summary>
/// <remarks>Random, made when a database is first opened with it, and kept there: it must outlive any change of the master key, or
/// suppressed addresses would be mailed again.</remarks>
sealed class AddressKey
{
    const string Name = "address_key";
    const int Bytes = 32;

    readonly byte[] _key;

    AddressKey(byte[] key) => _key = key;

    /// <summary>Reads the key, or makes it; then what was hashed without one is hashed again. In a transaction of the caller's.</summary>
    public static AddressKey Load(DbConnection connection)
    {
        var made = new byte[Bytes];
        Entropy.System.Fill(made);
        var isNew = connection.Execute(
            "INSERT INTO installation (name, value) VALUES (@Name, @made) ON CONFLICT (name) DO NOTHING", new { Name, made }) > 0;
        var key = new AddressKey(connection.QuerySingle<byte[]>("SELECT value FROM installation WHERE name = @Name", new { Name }));
        if (isNew)
            key.Rehash(connection);
        return key;
    }

    /// <summary>Makes of a hash of an address, which anybody can compute, the one that is stored (HMAC-SHA-256, 128 bits).</summary>
    public void Apply(Span<byte> hash)
    {
        Span<byte> keyed = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(_key, hash, keyed);
        keyed[..hash.Length].CopyTo(hash);
    }

    public byte[] Of(ReadOnlySpan<byte> hash)
    {
        var keyed = hash.ToArray();
        Apply(keyed);
        return keyed;
    }

    void Rehash(DbConnection connection)
    {
        foreach (var hash in connection.Query<byte[]>("SELECT DISTINCT address_hash FROM suppressions").AsList())
            connection.Execute("UPDATE suppressions SET address_hash = @keyed WHERE address_hash = @hash", new { hash, keyed = Of(hash) });
    }
}
