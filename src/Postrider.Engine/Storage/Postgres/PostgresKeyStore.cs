using Dapper;
using Npgsql;
using Postrider.Storage.Tables;
using Postrider.Tenants;

namespace Postrider.Storage.Postgres;

/// <summary>Looks a key up at once, not behind people's reads.</summary>
public sealed class PostgresKeyStore(PostgresStore store) : KeyTable(store)
{
    public override async Task<StoredKey?> FindAsync(string id, CancellationToken ct)
    {
        try
        {
            await using var connection = await store.OpenReaderAsync(ct);
            var row = await connection.QuerySingleOrDefaultAsync<KeyRow>(
                new CommandDefinition($"{SelectKey} WHERE id = @id", new { id = StoredText.Storable(id) }, cancellationToken: ct));
            return row is null ? null : new StoredKey(row.ToKey(), row.SecretHash, row.SealedSecret);
        }
        catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
        {
            throw PostgresFault.Translate(e, commitIsOut: false);
        }
    }
}
