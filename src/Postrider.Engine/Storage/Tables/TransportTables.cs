using System.Data.Common;
using System.Text.Json;
using Dapper;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Transports;

namespace Postrider.Storage.Tables;

/// <summary>Transports and routes in the store's database. The installation's are those of tenant 0.</summary>
public sealed class TransportTables(ITableStore store) : ITransportStore
{
    public Task<StoredRouting> LoadAsync(CancellationToken ct) => store.ReadAsync(connection => new StoredRouting(
        [
            .. connection.Query<Row>("SELECT tenant, name, created, revision, place, dsn FROM transports ORDER BY tenant, created, name")
                .Select(row => new StoredTransport(row.Owner, row.Name, row.Dsn, row.Revision, row.CreatedAt, row.Place)),
        ],
        [
            .. connection.Query<Row>("SELECT tenant, name, created, revision, terms FROM routes ORDER BY tenant, position, name")
                .Select(row => new StoredRoute(row.Owner, row.Name,
                    JsonSerializer.Deserialize(row.Terms, RouteTermsJson.Default.RouteTerms)!, row.Revision, row.CreatedAt)),
        ]), ct);

    public Task<bool> AddAsync(StoredTransport transport, int most) => ChangeAsync(connection => connection.Execute("""
        INSERT INTO transports (tenant, name, created, revision, place, dsn) SELECT @tenant, @Name, @created, 0, @Place, @dsn
        WHERE (SELECT count(*) FROM transports WHERE tenant = @tenant) < @most ON CONFLICT (tenant, name) DO NOTHING
        """, new
    {
        tenant = Number(transport.Owner),
        transport.Name,
        created = transport.CreatedAt.ToUnixTimeMilliseconds(),
        transport.Place,
        dsn = transport.Sealed.ToArray(),
        most,
    }));

    public Task<bool> ReplaceAsync(StoredTransport transport) => ChangeAsync(connection => connection.Execute("""
        UPDATE transports SET dsn = @dsn, place = @Place, revision = revision + 1
        WHERE tenant = @tenant AND name = @Name AND revision = @Revision
        """, new
    {
        tenant = Number(transport.Owner),
        transport.Name,
        transport.Revision,
        transport.Place,
        dsn = transport.Sealed.ToArray(),
    }));

    public Task<bool> RemoveTransportAsync(TenantId? owner, string name) => ChangeAsync(connection => connection.Execute(
        "DELETE FROM transports WHERE tenant = @tenant AND name = @name", new { tenant = Number(owner), name }));

    public Task<bool> AddAsync(StoredRoute route, int most) => ChangeAsync(connection => connection.Execute("""
        INSERT INTO routes (tenant, name, created, revision, position, terms) SELECT @tenant, @Name, @created, 0, @position, @terms
        WHERE (SELECT count(*) FROM routes WHERE tenant = @tenant) < @most ON CONFLICT (tenant, name) DO NOTHING
        """, new
    {
        tenant = Number(route.Owner),
        route.Name,
        created = route.CreatedAt.ToUnixTimeMilliseconds(),
        position = route.Terms.Position,
        terms = Text(route.Terms),
        most,
    }));

    public Task<bool> ReplaceAsync(StoredRoute route) => ChangeAsync(connection => connection.Execute("""
        UPDATE routes SET terms = @terms, position = @position, revision = revision + 1
        WHERE tenant = @tenant AND name = @Name AND revision = @Revision
        """, new
    {
        tenant = Number(route.Owner),
        route.Name,
        route.Revision,
        position = route.Terms.Position,
        terms = Text(route.Terms),
    }));

    public Task<bool> RemoveRouteAsync(TenantId? owner, string name) => ChangeAsync(connection => connection.Execute(
        "DELETE FROM routes WHERE tenant = @tenant AND name = @name", new { tenant = Number(owner), name }));

    // Uses queue_due (route, stream, tenant) WHERE state = 1.
    public Task<int> CountWaitingAsync(TenantId? tenant, string route, int limit, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<int>($"""
            SELECT count(*) FROM (SELECT 1 FROM queue
                WHERE state = 1 AND route = @route {(tenant is null ? "" : "AND tenant = @tenant")} LIMIT @limit) AS waiting
            """, new { tenant = Number(tenant), route, limit }), ct);

    async Task<bool> ChangeAsync(Func<DbConnection, int> write) => await store.ChangeAsync(Topic.Routes, write) > 0;

    static int Number(TenantId? owner) => owner?.Value ?? 0;

    static string Text(RouteTerms terms) => JsonSerializer.Serialize(terms, RouteTermsJson.Default.RouteTerms);

    sealed class Row
    {
        public int Tenant { get; init; }
        public string Name { get; init; } = "";
        public long Created { get; init; }
        public long Revision { get; init; }
        public long Place { get; init; }
        public byte[] Dsn { get; init; } = [];
        public string Terms { get; init; } = "{}";

        public TenantId? Owner => Tenant == 0 ? null : new TenantId(Tenant);
        public DateTimeOffset CreatedAt => DateTimeOffset.FromUnixTimeMilliseconds(Created);
    }
}
