using System.Data.Common;
using Dapper;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Tables;

/// <summary>Stored lists of recipients in the store's database.</summary>
/// <remarks>Every change takes a number of the list, and what goes keeps the number from which on it is gone: so a batch that began at a
/// number sees the list as it was then. Rows that are gone are deleted when no batch reads the list.</remarks>
public sealed class ListTables(ITableStore store) : IListStore
{
    const string Select = "SELECT id, tenant, name, count, updated, next FROM lists";

    public Task<bool> AddAsync(MessageId id, TenantId tenant, string? name, DateTimeOffset at) => store.WriteAsync(connection =>
        connection.Execute("""
            INSERT INTO lists (id, tenant, name, next, count, gone, updated)
            VALUES (@id, @tenant, @name, 1, 0, 0, @at) ON CONFLICT DO NOTHING
            """, new { id = id.Value, tenant = tenant.Value, name = StoredText.Storable(name), at = at.Ms }) == 1);

    public Task<RecipientList?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>($"{Select} WHERE id = @id AND tenant = @tenant AND removed IS NULL",
            new { id = id.Value, tenant = tenant.Value })?.ToList(), ct);

    public Task<IReadOnlyList<RecipientList>> ListAsync(TenantId tenant, MessageId? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<RecipientList>>(connection =>
        [
            .. connection.Query<Row>($"""
                {Select} WHERE tenant = @tenant AND name IS NOT NULL AND removed IS NULL AND id < @before ORDER BY id DESC LIMIT @limit
                """, new { tenant = tenant.Value, before = before?.Value ?? long.MaxValue, limit }).Select(row => row.ToList()),
        ], ct);

    public Task<bool?> RenameAsync(TenantId tenant, MessageId id, string name, DateTimeOffset at) => store.WriteAsync<bool?>(connection =>
    {
        if (Locked(connection, tenant, id) is null)
            return null;
        return connection.Execute("""
            UPDATE lists SET name = @name, updated = @at WHERE id = @id AND NOT EXISTS
                (SELECT 1 FROM lists o WHERE o.tenant = @tenant AND o.name = @name AND o.removed IS NULL AND o.id <> @id)
            """, new { id = id.Value, tenant = tenant.Value, name = StoredText.Storable(name), at = at.Ms }) == 1;
    });

    public Task<int?> PutAsync(TenantId tenant, MessageId list, IReadOnlyList<StoredDestination> recipients, DateTimeOffset at) =>
        store.WriteAsync<int?>(connection =>
            Locked(connection, tenant, list) is { } found ? Put(connection, found, recipients, at.Ms) : null, isBulk: true);

    static int Put(DbConnection connection, Row list, IReadOnlyList<StoredDestination> recipients, long now)
    {
        // The last of those with one address counts.
        var rows = recipients.GroupBy(r => KeyOf(r.Email)).Select((group, i) => group.Last() with { N = list.Next + i }).ToList();
        var replaced = 0;
        foreach (var row in rows)
            replaced += connection.Execute(
                "UPDATE destinations SET gone = @next WHERE source = @Id AND address = @address AND address IS NOT NULL AND gone IS NULL",
                new { next = list.Next, list.Id, address = KeyOf(row.Email) });
        var bytes = DestinationRows.Insert(connection, list.Id, rows, row => KeyOf(row.Email));
        Change(connection, list, rows.Count, rows.Count - replaced, replaced, now, bytes);
        return rows.Count - replaced;
    }

    public Task<bool?> RemoveAsync(TenantId tenant, MessageId list, string email, DateTimeOffset at) =>
        store.WriteAsync(connection => Remove(connection, tenant, list, email, at));

    static bool? Remove(DbConnection connection, TenantId tenant, MessageId list, string email, DateTimeOffset at)
    {
        if (Locked(connection, tenant, list) is not { } found)
            return null;
        var gone = connection.Execute(
            "UPDATE destinations SET gone = @Next WHERE source = @Id AND address = @address AND address IS NOT NULL AND gone IS NULL",
            new { found.Next, found.Id, address = KeyOf(email) });
        Change(connection, found, 1, -gone, gone, at.Ms);
        return gone > 0;
    }

    public Task<long?> RemoveBetweenAsync(TenantId tenant, MessageId list, long after, long before, int limit, DateTimeOffset at) =>
        store.WriteAsync<long?>(connection =>
        {
            if (Locked(connection, tenant, list) is not { } found)
                return null;
            // By the key, from where the last call ended: what is gone already is passed once.
            var last = connection.ExecuteScalar<long?>("""
                SELECT max(n) FROM (
                    SELECT n FROM destinations WHERE source = @Id AND n > @after AND n < @before ORDER BY n LIMIT @limit) AS some
                """, new { found.Id, after, before, limit });
            if (last is null)
                return null;
            var gone = connection.Execute(
                "UPDATE destinations SET gone = @Next WHERE source = @Id AND n > @after AND n <= @last AND gone IS NULL",
                new { found.Next, found.Id, after, last });
            Change(connection, found, 1, -gone, gone, at.Ms);
            return last;
        }, isBulk: true);

    public Task<long?> NextAsync(TenantId tenant, MessageId list, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<long?>("SELECT next FROM lists WHERE id = @id AND tenant = @tenant AND removed IS NULL",
            new { id = list.Value, tenant = tenant.Value }), ct);

    public Task<IReadOnlyList<StoredDestination>?> ReadAsync(
        TenantId tenant, MessageId list, long after, int limit, CancellationToken ct) =>
        store.ReadAsync(connection => connection.ExecuteScalar<long?>(
                "SELECT next FROM lists WHERE id = @id AND tenant = @tenant AND removed IS NULL",
                new { id = list.Value, tenant = tenant.Value }) is { } next
            ? DestinationRows.Read(connection, list.Value, after, next, limit) : null, ct);

    public Task<bool> DeleteAsync(TenantId tenant, MessageId list, DateTimeOffset at) => store.WriteAsync(connection =>
        connection.Execute("""
            UPDATE lists SET removed = next, gone = gone + count + 1, count = 0, updated = @at
            WHERE id = @id AND tenant = @tenant AND removed IS NULL
            """, new { id = list.Value, tenant = tenant.Value, at = at.Ms }) == 1);

    /// <summary>The list, which nobody else changes until the transaction ends; null: absent, or another tenant's.</summary>
    internal static Row? Locked(DbConnection connection, TenantId tenant, MessageId list) => connection.QuerySingleOrDefault<Row>("""
        UPDATE lists SET updated = updated WHERE id = @id AND tenant = @tenant AND removed IS NULL
        RETURNING id, tenant, name, count, updated, next
        """, new { id = list.Value, tenant = tenant.Value });

    /// <summary>Deletes what is gone, or all of a list that was removed, unless a batch reads it. Returns how many rows.</summary>
    internal static int Purge(DbConnection connection, long list, int limit)
    {
        // Held first, as by a batch that begins: whoever was looked for earlier may have begun since.
        var held = connection.Query<long?>("UPDATE lists SET updated = updated WHERE id = @list RETURNING removed", new { list }).AsList();
        if (held.Count == 0 || connection.ExecuteScalar<long?>(
            "SELECT 1 FROM expansions WHERE open = 1 AND source = @list LIMIT 1", new { list }) is not null)
            return 0;
        var removed = held[0] is not null;
        var bytes = connection.Query<long>($"""
            DELETE FROM destinations WHERE source = @list AND n IN
                (SELECT n FROM destinations WHERE source = @list {(removed ? "" : "AND gone IS NOT NULL")} ORDER BY n LIMIT @limit)
            RETURNING CAST({DestinationRows.Bytes} AS bigint)
            """, new { list, limit }).AsList();
        if (bytes.Count < limit && removed)
            connection.Execute("DELETE FROM lists WHERE id = @list", new { list });
        else
            connection.Execute("""
                UPDATE lists SET gone = CASE WHEN @rows < @limit THEN 0 ELSE gone END,
                    bytes = CASE WHEN bytes > @sum THEN bytes - @sum ELSE 0 END
                WHERE id = @list
                """, new { list, rows = bytes.Count, limit, sum = bytes.Sum() });
        return bytes.Count;
    }

    static void Change(DbConnection connection, Row list, int numbers, int count, int gone, long now, long bytes = 0) =>
        connection.Execute("""
            UPDATE lists SET next = next + @numbers, count = count + @count, gone = gone + @gone, bytes = bytes + @bytes, updated = @now
            WHERE id = @Id
            """, new { list.Id, numbers, count, gone, bytes, now });

    /// <summary>In which two spellings of one mailbox meet.</summary>
    static string? KeyOf(string email) => StoredAddress.TryParse(email, out var address) ? StoredAddress.Normal(address) : email;

    internal sealed class Row
    {
        public long Id { get; init; }
        public int Tenant { get; init; }
        public string? Name { get; init; }
        public int Count { get; init; }
        public long Updated { get; init; }
        public long Next { get; init; }

        public RecipientList ToList() =>
            new(new MessageId(Id), new TenantId(Tenant), Name, Count, Instant.From(Updated));
    }
}
