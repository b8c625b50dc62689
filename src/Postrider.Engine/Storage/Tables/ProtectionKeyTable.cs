using Dapper;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>The dashboard's own keys in the store's database.</summary>
public sealed class ProtectionKeyTable(ITableStore store) : IProtectionKeyStore
{
    public Task<IReadOnlyList<ProtectionKey>> ListAsync() => store.ReadAsync<IReadOnlyList<ProtectionKey>>(connection =>
        [
            .. connection.Query<(string Id, byte[] Sealed)>("SELECT id, sealed FROM protection_keys ORDER BY created, id")
                .Select(row => new ProtectionKey(row.Id, row.Sealed)),
        ], CancellationToken.None);

    public Task AddAsync(ProtectionKey key, DateTimeOffset at) => store.WriteAsync(connection => connection.Execute(
        "INSERT INTO protection_keys (id, created, sealed) VALUES (@Id, @at, @sealedKey) ON CONFLICT (id) DO NOTHING",
        new { key.Id, sealedKey = key.Sealed.ToArray(), at = at.ToUnixTimeMilliseconds() }));
}
