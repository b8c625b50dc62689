using Dapper;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Storage.Rules;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>API keys in the store's database. How one key is looked up is each engine's own: every call waits for it.</summary>
public abstract class KeyTable(ITableStore store) : IKeyStore
{
    internal const string CanaryName = "master_key_canary";
    private protected const string Columns = "id, tenant, name, kind, scopes, created, expires, revoked, used";
    private protected const string SelectKey = $"SELECT {Columns}, secret_hash AS SecretHash, sealed_secret AS SealedSecret FROM api_keys";

    public abstract Task<StoredKey?> FindAsync(string id, CancellationToken ct);

    public Task<IReadOnlyList<ApiKey>> ListAsync(TenantId tenant, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<ApiKey>>(connection =>
        {
            var rows = connection.Query<KeyRow>($"SELECT {Columns} FROM api_keys WHERE tenant = @tenant ORDER BY created DESC, id DESC",
                new { tenant = tenant.Value });
            return [.. rows.Select(row => row.ToKey())];
        }, ct);

    public Task<bool> AddAsync(StoredKey key, CancellationToken ct) => store.WriteAsync(connection => connection.Execute($"""
        INSERT INTO api_keys ({Columns}, secret_hash, sealed_secret)
        VALUES (@Id, @tenant, @Name, @kind, @scopes, @created, @expires, @revoked, @used, @hash, @sealedSecret) ON CONFLICT (id) DO NOTHING
        """, new
    {
        key.Key.Id,
        tenant = key.Key.Tenant.Value,
        key.Key.Name,
        kind = (int)key.Key.Kind,
        scopes = (int)key.Key.Scopes,
        created = key.Key.CreatedAt.Ms,
        expires = key.Key.ExpiresAt?.Ms,
        revoked = key.Key.RevokedAt?.Ms,
        used = key.Key.LastUsedAt?.Ms,
        hash = key.SecretHash.ToArray(),
        sealedSecret = key.SealedSecret.ToArray(),
    }) == 1);

    public Task<bool> ReplaceHashAsync(string id, ReadOnlyMemory<byte> secretHash, CancellationToken ct) =>
        store.ChangeAsync(Topic.Keys, connection =>
        connection.Execute("UPDATE api_keys SET secret_hash = @hash WHERE id = @id", new { id, hash = secretHash.ToArray() }) == 1);

    public Task<bool> RevokeAsync(TenantId tenant, string id, DateTimeOffset at, CancellationToken ct) =>
        store.ChangeAsync(Topic.Keys, connection => connection.Execute(
            "UPDATE api_keys SET revoked = coalesce(revoked, @at) WHERE id = @id AND tenant = @tenant",
                new { id, tenant = tenant.Value, at = at.Ms }) == 1);

    public Task RecordUsesAsync(IReadOnlyList<KeyUse> uses, CancellationToken ct) => store.WriteAsync(connection =>
    {
        foreach (var use in uses)
            connection.Execute("UPDATE api_keys SET used = @at WHERE id = @Id AND coalesce(used, 0) < @at", new { use.Id, at = use.At.Ms });
        return uses.Count;
    });

    public Task<bool> AnyAsync(CancellationToken ct) =>
        store.ReadAsync(connection => connection.ExecuteScalar<long>("SELECT EXISTS (SELECT 1 FROM api_keys)") == 1, ct);

    public async Task<ReadOnlyMemory<byte>> GetOrAddCanaryAsync(ReadOnlyMemory<byte> canary, CancellationToken ct) =>
        await new InstallationTable(store).GetOrAddAsync(CanaryName, canary.ToArray());

    /// <summary>A row; instants in Unix milliseconds.</summary>
    private protected sealed class KeyRow
    {
        public string Id { get; init; } = "";
        public int Tenant { get; init; }
        public string Name { get; init; } = "";
        public int Kind { get; init; }
        public int Scopes { get; init; }
        public long Created { get; init; }
        public long? Expires { get; init; }
        public long? Revoked { get; init; }
        public long? Used { get; init; }
        public byte[] SecretHash { get; init; } = [];
        public byte[] SealedSecret { get; init; } = [];

        public ApiKey ToKey() => new()
        {
            Id = Id,
            Tenant = new TenantId(Tenant),
            Name = Name,
            Kind = (KeyKind)Kind,
            Scopes = (Scopes)Scopes,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            ExpiresAt = At(Expires),
            RevokedAt = At(Revoked),
            LastUsedAt = At(Used),
        };

        static DateTimeOffset? At(long? milliseconds) => milliseconds is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;
    }
}
