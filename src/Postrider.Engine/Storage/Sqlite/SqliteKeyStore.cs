using Dapper;
using Microsoft.Data.Sqlite;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>API keys in the SQLite file. A key is looked up on a connection of its own: every call waits for it, so it must not wait behind
/// a search.</summary>
public sealed class SqliteKeyStore : IKeyStore, IDisposable
{
    const string CanaryName = "master_key_canary";
    const string Columns = "id, tenant, name, kind, scopes, created, expires, revoked, used";

    readonly SqliteStore _store;
    readonly Lock _lock = new();

    // Guarded by _lock.
    readonly SqliteConnection _connection;
    readonly Statement _find;

    /// <param name="store">Outlives this.</param>
    public SqliteKeyStore(SqliteStore store)
    {
        _store = store;
        _connection = store.OpenReader();
        _find = new Statement(_connection.Handle!, $"SELECT {Columns}, secret_hash, sealed_secret FROM api_keys WHERE id = ?1");
    }

    /// <summary>Some 10 µs: done on the caller's thread.</summary>
    public Task<StoredKey?> FindAsync(string id, CancellationToken ct)
    {
        _store.Health.ThrowIfFailed();
        lock (_lock)
        {
            try
            {
                return Task.FromResult(Find_NeedsLock(id));
            }
            catch (SqliteFault fault)
            {
                throw StoreHealth.Unavailable(fault, mayHaveCommitted: false);
            }
        }
    }

    public Task<IReadOnlyList<ApiKey>> ListAsync(TenantId tenant, CancellationToken ct) =>
        _store.ReadAsync<IReadOnlyList<ApiKey>>(connection =>
        {
            var rows = connection.Query<KeyRow>($"SELECT {Columns} FROM api_keys WHERE tenant = @tenant ORDER BY created DESC, id DESC",
                new { tenant = tenant.Value });
            return [.. rows.Select(row => row.ToKey())];
        }, ct);

    public Task<bool> AddAsync(StoredKey key, CancellationToken ct) => _store.WriteAsync(connection => connection.Execute($"""
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

    public Task<bool> ReplaceHashAsync(string id, ReadOnlyMemory<byte> secretHash, CancellationToken ct) => _store.WriteAsync(connection =>
        connection.Execute("UPDATE api_keys SET secret_hash = @hash WHERE id = @id", new { id, hash = secretHash.ToArray() }) == 1);

    public Task<bool> RevokeAsync(TenantId tenant, string id, DateTimeOffset at, CancellationToken ct) => _store.WriteAsync(connection =>
        connection.Execute(
            "UPDATE api_keys SET revoked = coalesce(revoked, @at) WHERE id = @id AND tenant = @tenant",
                new { id, tenant = tenant.Value, at = at.Ms }) == 1);

    public Task RecordUsesAsync(IReadOnlyList<KeyUse> uses, CancellationToken ct) => _store.WriteAsync(connection =>
    {
        foreach (var use in uses)
            connection.Execute("UPDATE api_keys SET used = @at WHERE id = @Id AND coalesce(used, 0) < @at", new { use.Id, at = use.At.Ms });
    });

    public Task<bool> AnyAsync(CancellationToken ct) =>
        _store.ReadAsync(connection => connection.ExecuteScalar<long>("SELECT EXISTS (SELECT 1 FROM api_keys)") == 1, ct);

    public Task<ReadOnlyMemory<byte>> GetOrAddCanaryAsync(ReadOnlyMemory<byte> canary, CancellationToken ct) =>
        _store.WriteAsync(connection =>
        {
            connection.Execute("INSERT INTO installation (name, value) VALUES (@name, @value) ON CONFLICT (name) DO NOTHING",
                new { name = CanaryName, value = canary.ToArray() });
            return (ReadOnlyMemory<byte>)connection.QuerySingle<byte[]>("SELECT value FROM installation WHERE name = @name",
                new { name = CanaryName });
        });

    public void Dispose()
    {
        lock (_lock)
        {
            _find.Dispose();
            _connection.Dispose();
        }
    }

    StoredKey? Find_NeedsLock(string id)
    {
        if (!_find.With().AddText(id).Step())
            return null;
        var row = new KeyRow(
            _find.Text(0), _find.Long(1), _find.Text(2), _find.Long(3), _find.Long(4),
            _find.Long(5), _find.LongOrNull(6), _find.LongOrNull(7), _find.LongOrNull(8));
        var key = new StoredKey(row.ToKey(), _find.Bytes(9).ToArray(), _find.Bytes(10).ToArray());
        _find.Reset();
        return key;
    }

    /// <summary>A row in SQLite's types: instants in Unix milliseconds.</summary>
    sealed record KeyRow(string Id, long Tenant, string Name, long Kind, long Scopes, long Created, long? Expires, long? Revoked,
        long? Used)
    {
        public ApiKey ToKey() => new()
        {
            Id = Id,
            Tenant = new TenantId((int)Tenant),
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
