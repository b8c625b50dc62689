using Microsoft.Data.Sqlite;
using Postrider.Storage.Tables;
using Postrider.Tenants;

namespace Postrider.Storage.Sqlite;

/// <summary>Looks a key up on a connection of its own: every call waits for it, so it must not wait behind
/// a search.</summary>
public sealed class SqliteKeyStore : KeyTable, IDisposable
{
    readonly SqliteStore _store;
    readonly Lock _lock = new();

    // Guarded by _lock.
    readonly SqliteConnection _connection;
    readonly Statement _find;

    /// <param name="store">Outlives this.</param>
    public SqliteKeyStore(SqliteStore store) : base(store)
    {
        _store = store;
        _connection = store.OpenReader();
        _find = new Statement(_connection.Handle!, $"{SelectKey} WHERE id = ?1");
    }

    /// <summary>Some 10 µs: done on the caller's thread.</summary>
    public override Task<StoredKey?> FindAsync(string id, CancellationToken ct)
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
        var row = new KeyRow
        {
            Id = _find.Text(0),
            Tenant = _find.Int(1),
            Name = _find.Text(2),
            Kind = _find.Int(3),
            Scopes = _find.Int(4),
            Created = _find.Long(5),
            Expires = _find.LongOrNull(6),
            Revoked = _find.LongOrNull(7),
            Used = _find.LongOrNull(8),
        };
        var key = new StoredKey(row.ToKey(), _find.Bytes(9).ToArray(), _find.Bytes(10).ToArray());
        _find.Reset();
        return key;
    }
}
