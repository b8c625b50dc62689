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

    public Task<IReadOnlyList<AuditEntry>> ListAsync(TenantId tenant, long? before, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<AuditEntry>>(connection =>
        [
            .. connection.Query<Row>("""
                SELECT id, at, tenant, key, action, target, status, address FROM audit
                WHERE tenant = @tenant AND id < @before ORDER BY id DESC LIMIT @limit
                """, new { tenant = tenant.Value, before = before ?? long.MaxValue, limit }).Select(row => row.ToEntry()),
        ], ct);

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
