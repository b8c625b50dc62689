using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Senders;

namespace Postrider.Storage.Tables;

/// <summary>Sender domains and their keys in the store's database.</summary>
public sealed class SenderTables(ITableStore store) : ISenderStore
{
    const string DomainColumns = "tenant, name, subdomains, created, verified, checks, revision";
    const string KeyColumns = "tenant, domain, selector, created, active, public_key AS PublicKey, sealed_key AS SealedKey";

    public Task<IReadOnlyList<StoredSenderDomain>> LoadAsync(CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<StoredSenderDomain>>(Load, ct);

    static StoredSenderDomain[] Load(DbConnection connection)
    {
        var keys = connection.Query<KeyRow>($"SELECT {KeyColumns} FROM dkim_keys ORDER BY tenant, domain, created, selector")
            .ToLookup(key => (key.Tenant, key.Domain));
        return
        [
            .. connection.Query<DomainRow>($"SELECT {DomainColumns} FROM sender_domains")
                .Select(row => row.ToDomain(keys[(row.Tenant, row.Name)])),
        ];
    }

    public Task<StoredSenderDomain?> FindAsync(TenantId tenant, string name, CancellationToken ct) => store.ReadAsync(connection =>
    {
        var place = new { tenant = tenant.Value, name };
        var row = connection.QuerySingleOrDefault<DomainRow>(
            $"SELECT {DomainColumns} FROM sender_domains WHERE (tenant, name) = (@tenant, @name)", place);
        return row?.ToDomain(connection.Query<KeyRow>(
            $"SELECT {KeyColumns} FROM dkim_keys WHERE (tenant, domain) = (@tenant, @name) ORDER BY created, selector", place));
    }, ct);

    public Task<bool> AddAsync(SenderDomain domain, CancellationToken ct) => store.ChangeAsync(Topic.SenderDomains, connection =>
    {
        var added = connection.Execute($"""
            INSERT INTO sender_domains ({DomainColumns})
            VALUES (@Tenant, @Name, @Subdomains, @Created, @Verified, @Checks, 0) ON CONFLICT (tenant, name) DO NOTHING
            """, DomainRow.Of(domain)) > 0;
        if (added)
            InsertKeys(connection, domain);
        return added;
    });

    public Task<bool> ReplaceAsync(StoredSenderDomain domain, CancellationToken ct) => store.ChangeAsync(Topic.SenderDomains, connection =>
    {
        var row = DomainRow.Of(domain.Domain);
        row.Revision = domain.Revision;
        // Tenants that verify one name at the same moment do so one after the other, and the second finds the first.
        if (domain.Domain.VerifiedAt is not null)
            connection.Execute("UPDATE tenant_changes SET revision = revision");
        var replaced = connection.Execute($"""
            UPDATE sender_domains SET subdomains = @Subdomains, verified = @Verified, checks = @Checks, revision = revision + 1
            WHERE (tenant, name) = (@Tenant, @Name) AND revision = @Revision AND created = @Created {(domain.Domain.VerifiedAt is null ? ""
                : "AND NOT EXISTS (SELECT 1 FROM sender_domains o WHERE o.name = @Name AND o.tenant <> @Tenant AND o.verified IS NOT NULL)")}
            """, row) > 0;
        if (replaced)
        {
            connection.Execute("DELETE FROM dkim_keys WHERE (tenant, domain) = (@Tenant, @Name)", row);
            InsertKeys(connection, domain.Domain);
        }
        return replaced;
    });

    public Task<bool> RemoveAsync(TenantId tenant, string name, CancellationToken ct) =>
        store.ChangeAsync(Topic.SenderDomains, connection =>
    {
        var place = new { tenant = tenant.Value, name };
        connection.Execute("DELETE FROM dkim_keys WHERE (tenant, domain) = (@tenant, @name)", place);
        return connection.Execute("DELETE FROM sender_domains WHERE (tenant, name) = (@tenant, @name)", place) > 0;
    });

    static void InsertKeys(DbConnection connection, SenderDomain domain)
    {
        foreach (var key in domain.Keys)
        {
            connection.Execute("""
                INSERT INTO dkim_keys (tenant, domain, selector, created, active, public_key, sealed_key)
                VALUES (@tenant, @domain, @Selector, @created, @active, @publicKey, @sealedKey)
                """, new
            {
                tenant = domain.Tenant.Value,
                domain = domain.Name,
                key.Selector,
                created = key.CreatedAt.ToUnixTimeMilliseconds(),
                active = key.ActiveAt?.ToUnixTimeMilliseconds(),
                publicKey = key.PublicKey.ToArray(),
                sealedKey = key.SealedPrivateKey.ToArray(),
            });
        }
    }

    static DateTimeOffset? At(long? milliseconds) => milliseconds is { } ms ? DateTimeOffset.FromUnixTimeMilliseconds(ms) : null;

    sealed class DomainRow
    {
        public int Tenant { get; init; }
        public string Name { get; init; } = "";
        public int Subdomains { get; init; }
        public long Created { get; init; }
        public long? Verified { get; init; }
        public string? Checks { get; init; }
        public long Revision { get; set; }

        public static DomainRow Of(SenderDomain domain) => new()
        {
            Tenant = domain.Tenant.Value,
            Name = domain.Name,
            Subdomains = domain.Subdomains ? 1 : 0,
            Created = domain.CreatedAt.ToUnixTimeMilliseconds(),
            Verified = domain.VerifiedAt?.ToUnixTimeMilliseconds(),
            Checks = domain.Checks is { } checks ? JsonSerializer.Serialize(checks, DomainChecksJson.Default.DomainChecks) : null,
        };

        public StoredSenderDomain ToDomain(IEnumerable<KeyRow> keys) => new(new SenderDomain
        {
            Tenant = new TenantId(Tenant),
            Name = Name,
            Subdomains = Subdomains != 0,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            VerifiedAt = At(Verified),
            Checks = Checks is null ? null : JsonSerializer.Deserialize(Checks, DomainChecksJson.Default.DomainChecks),
            Keys = [.. keys.Select(key => key.ToKey())],
        }, Revision);
    }

    sealed class KeyRow
    {
        public int Tenant { get; init; }
        public string Domain { get; init; } = "";
        public string Selector { get; init; } = "";
        public long Created { get; init; }
        public long? Active { get; init; }
        public byte[] PublicKey { get; init; } = [];
        public byte[] SealedKey { get; init; } = [];

        public SenderKey ToKey() => new()
        {
            Selector = Selector,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            ActiveAt = At(Active),
            PublicKey = PublicKey,
            SealedPrivateKey = SealedKey,
        };
    }
}

/// <summary>The last looks at the DNS as text; enums by name.</summary>
[JsonSourceGenerationOptions(UseStringEnumConverter = true)]
[JsonSerializable(typeof(DomainChecks))]
sealed partial class DomainChecksJson : JsonSerializerContext;
