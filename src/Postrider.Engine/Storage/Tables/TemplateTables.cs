using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Postrider.Messages;
using Postrider.Templates;

namespace Postrider.Storage.Tables;

/// <summary>Templates and their versions in the store's database.</summary>
public sealed class TemplateTables(ITableStore store) : ITemplateStore
{
    const string Select = """
        SELECT t.number, t.id, t.name, t.newest, t.created, t.archived, v.version, v.created AS VersionCreated, v.content
        FROM templates t JOIN template_versions v ON v.tenant = t.tenant AND v.number = t.number
        """;

    public Task<StoredTemplate?> AddAsync(TenantId tenant, string id, string name, TemplateContent content, DateTimeOffset at) =>
        store.WriteAsync(connection =>
        {
            var row = new { tenant = tenant.Value, id, name, at = at.ToUnixTimeMilliseconds() };
            var number = connection.ExecuteScalar<int?>("""
                INSERT INTO templates (tenant, number, id, name, newest, created, archived)
                SELECT @tenant, coalesce(max(number), 0) + 1, @id, @name, 1, @at, NULL FROM templates WHERE tenant = @tenant
                ON CONFLICT DO NOTHING RETURNING number
                """, row);
            if (number is not { } own)
                return null;
            InsertVersion(connection, tenant, own, 1, content, at);
            return Find(connection, tenant, own, null);
        });

    public Task<StoredTemplate?> AddVersionAsync(TenantId tenant, int number, TemplateContent content, DateTimeOffset at) =>
        store.WriteAsync(connection =>
        {
            var newest = connection.ExecuteScalar<int?>("""
                UPDATE templates SET newest = newest + 1 WHERE tenant = @tenant AND number = @number AND archived IS NULL RETURNING newest
                """, new { tenant = tenant.Value, number });
            if (newest is not { } version)
                return null;
            InsertVersion(connection, tenant, number, version, content, at);
            return Find(connection, tenant, number, null);
        });

    public Task<StoredTemplate?> FindAsync(TenantId tenant, string key, int? version, CancellationToken ct) => store.ReadAsync(connection =>
    {
        var isNumber = int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out var given);
        var number = isNumber ? given : connection.ExecuteScalar<int?>(
            "SELECT number FROM templates WHERE tenant = @tenant AND (id = @key OR (name = @key AND archived IS NULL))",
            new { tenant = tenant.Value, key });
        return number is { } found ? Find(connection, tenant, found, version) : null;
    }, ct);

    public Task<IReadOnlyList<StoredTemplate>> ListAsync(TenantId tenant, int after, int limit, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<StoredTemplate>>(connection =>
        [
            .. connection.Query<Row>(
                $"{Select} AND v.version = t.newest WHERE t.tenant = @tenant AND t.number > @after ORDER BY t.number LIMIT @limit",
                new { tenant = tenant.Value, after, limit }).Select(row => row.ToTemplate()),
        ], ct);

    public Task<bool> ArchiveAsync(TenantId tenant, int number, DateTimeOffset at) => store.WriteAsync(connection => connection.Execute(
        "UPDATE templates SET archived = @at WHERE tenant = @tenant AND number = @number AND archived IS NULL",
        new { tenant = tenant.Value, number, at = at.ToUnixTimeMilliseconds() }) > 0);

    static void InsertVersion(
        DbConnection connection, TenantId tenant, int number, int version, TemplateContent content, DateTimeOffset at) =>
        connection.Execute("""
            INSERT INTO template_versions (tenant, number, version, created, content) VALUES (@tenant, @number, @version, @at, @content)
            """, new
        {
            tenant = tenant.Value,
            number,
            version,
            at = at.ToUnixTimeMilliseconds(),
            content = JsonSerializer.Serialize(content, TemplateContentJson.Default.TemplateContent),
        });

    static StoredTemplate? Find(DbConnection connection, TenantId tenant, int number, int? version) =>
        connection.QuerySingleOrDefault<Row>(
            $"{Select} AND v.version = coalesce(@version, t.newest) WHERE t.tenant = @tenant AND t.number = @number",
            new { tenant = tenant.Value, number, version })?.ToTemplate();

    sealed class Row
    {
        public int Number { get; init; }
        public string Id { get; init; } = "";
        public string Name { get; init; } = "";
        public int Newest { get; init; }
        public long Created { get; init; }
        public long? Archived { get; init; }
        public int Version { get; init; }
        public long VersionCreated { get; init; }
        public string Content { get; init; } = "";

        public StoredTemplate ToTemplate() => new()
        {
            Id = Id,
            Number = Number,
            Name = Name,
            NewestVersion = Newest,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            ArchivedAt = Archived is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null,
            Version = new TemplateVersion(Version, DateTimeOffset.FromUnixTimeMilliseconds(VersionCreated),
                JsonSerializer.Deserialize(Content, TemplateContentJson.Default.TemplateContent)!),
        };
    }
}

/// <summary>What a version says as text; what is absent is left out.</summary>
[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TemplateContent))]
sealed partial class TemplateContentJson : JsonSerializerContext;
