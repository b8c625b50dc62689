using Dapper;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>Management calls in the store's database.</summary>
public sealed class AuditTable(ITableStore store) : IAuditStore
{
    public Task AddAsync(AuditEntry entry) => store.WriteAsync(connection => connection.Execute("""
        INSERT INTO audit (at, tenant, key, action, target, status, address) VALUES (@at, @tenant, @Key, @Action, @target, @Status, @Address)
        """, new
    {
        at = entry.At.ToUnixTimeMilliseconds(),
        tenant = entry.Tenant.Value,
        entry.Key,
        entry.Action,
        target = StoredText.Storable(entry.Target),
        entry.Status,
        entry.Address,
    }));

    public Task<IReadOnlyList<AuditEntry>> ListAsync(
        TenantId tenant, AuditFilter filter, long? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<AuditEntry>>(connection =>
        [
            .. connection.Query<Row>($"""
                SELECT id, at, tenant, key, action, target, status, address FROM audit
                WHERE tenant = @tenant AND id < @before{Where(filter)} ORDER BY id DESC LIMIT @limit
                """, new
            {
                tenant = tenant.Value,
                before = before ?? long.MaxValue,
                limit,
                filter.Key,
                action = filter.Action?.ToLowerInvariant(),
                from = filter.From?.ToUnixTimeMilliseconds(),
                until = filter.Until?.ToUnixTimeMilliseconds(),
            }).Select(row => row.ToEntry()),
        ], ct);

    // Reads a tenant's log from the newest on until there are enough.
    static string Where(AuditFilter filter) => string.Concat(
        filter.Key is null ? "" : " AND key = @Key",
        // replace leaves nothing where the part is in it: no sign in it means anything, as % would to LIKE.
        filter.Action is null ? "" : " AND replace(lower(action), @action, '') <> lower(action)",
        filter.IsDenied ? " AND status >= 400" : "",
        filter.From is null ? "" : " AND at >= @from",
        filter.Until is null ? "" : " AND at < @until");

    sealed class Row
    {
        public long Id { get; init; }
        public long At { get; init; }
        public int Tenant { get; init; }
        public string Key { get; init; } = "";
        public string Action { get; init; } = "";
        public string Target { get; init; } = "";
        public int Status { get; init; }
        public string? Address { get; init; }

        public AuditEntry ToEntry() =>
            new(Id, DateTimeOffset.FromUnixTimeMilliseconds(At), new TenantId(Tenant), Key, Action, Target, Status, Address);
    }
}
