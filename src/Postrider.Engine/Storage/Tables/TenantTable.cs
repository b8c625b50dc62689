using System.Data.Common;
using System.Text.Json;
using Dapper;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Storage.Tables;

/// <summary>Tenants in the store's database.</summary>
/// <remarks>Each change first counts up the one row of tenant_changes, which other writers then wait for: so revisions are committed in
/// their order, and a reader that saw one has seen all before it.</remarks>
public sealed class TenantTable(ITableStore store) : ITenantStore
{
    const string Columns = "id, name, created, archived, settings, revision";

    public Task<IReadOnlyList<Tenant>> ChangedSinceAsync(long revision, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<Tenant>>(connection =>
        [
            .. connection.Query<Row>($"SELECT {Columns} FROM tenants WHERE revision > @revision ORDER BY revision", new { revision })
                .Select(row => row.ToTenant()),
        ], ct);

    public Task<Tenant?> AddAsync(string name, TenantSettings settings, DateTimeOffset at, CancellationToken ct) =>
        store.WriteAsync(connection => connection.QuerySingleOrDefault<Row>($"""
            INSERT INTO tenants ({Columns})
            SELECT max(id) + 1, @name, @at, NULL, @settings, @revision FROM tenants
            WHERE NOT EXISTS (SELECT 1 FROM tenants WHERE name = @name) HAVING count(*) > 0 RETURNING {Columns}
            """, new { name, at = at.ToUnixTimeMilliseconds(), settings = Text(settings), revision = NextRevision(connection) })?.ToTenant());

    public Task<TenantWrite> ReplaceAsync(Tenant tenant, CancellationToken ct) => store.WriteAsync(connection =>
    {
        var next = NextRevision(connection);
        var taken = connection.ExecuteScalar<long>(
            "SELECT count(*) FROM tenants WHERE name = @Name AND id <> @id", new { tenant.Name, id = tenant.Id.Value }) > 0;
        if (taken)
            return new TenantWrite(null, NameIsTaken: true);
        var row = connection.QuerySingleOrDefault<Row>($"""
            UPDATE tenants SET name = @Name, archived = @archived, settings = @settings, revision = @next
            WHERE id = @id AND revision = @Revision RETURNING {Columns}
            """, new
        {
            id = tenant.Id.Value,
            tenant.Name,
            archived = tenant.ArchivedAt?.ToUnixTimeMilliseconds(),
            settings = Text(tenant.Settings),
            next,
            tenant.Revision,
        });
        return new TenantWrite(row?.ToTenant(), NameIsTaken: false);
    });

    static long NextRevision(DbConnection connection) =>
        connection.ExecuteScalar<long>("UPDATE tenant_changes SET revision = revision + 1 RETURNING revision");

    static string Text(TenantSettings settings) => JsonSerializer.Serialize(settings, TenantSettingsJson.Default.TenantSettings);

    /// <summary>A row; instants in Unix milliseconds.</summary>
    sealed class Row
    {
        public int Id { get; init; }
        public string Name { get; init; } = "";
        public long Created { get; init; }
        public long? Archived { get; init; }
        public string Settings { get; init; } = "";
        public long Revision { get; init; }

        public Tenant ToTenant() => new()
        {
            Id = new TenantId(Id),
            Name = Name,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            ArchivedAt = Archived is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null,
            Settings = JsonSerializer.Deserialize(Settings, TenantSettingsJson.Default.TenantSettings)!,
            Revision = Revision,
        };
    }
}
