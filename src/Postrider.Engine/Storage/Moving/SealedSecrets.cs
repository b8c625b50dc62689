using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Transports;
using Postrider.Webhooks;

namespace Postrider.Storage.Moving;

/// <summary>Tries every secret that is sealed under the master key.</summary>
static class SealedSecrets
{
    sealed class Secret
    {
        public int Tenant { get; init; }
        public string Id { get; init; } = "";
        public byte[] Value { get; init; } = [];
    }

    static readonly (string Column, string Sql)[] Places =
    [
        (ApiKeys.SealColumn, "SELECT tenant, id, sealed_secret AS Value FROM api_keys WHERE kind = 1"),
        (SenderKeys.SealColumn, "SELECT tenant, domain || '/' || selector AS Id, sealed_key AS Value FROM dkim_keys"),
        (WebhookBook.SecretColumn, "SELECT tenant, id, secret AS Value FROM webhooks"),
        (TransportBook.Column, """
            SELECT tenant, CASE WHEN tenant = 0 THEN name ELSE CAST(tenant AS text) || '/' || name END AS Id, dsn AS Value FROM transports
            """),
        (WebhookBook.HeadersColumn, "SELECT tenant, id, headers AS Value FROM webhooks WHERE headers IS NOT NULL"),
    ];

    /// <summary>How many there are.</summary>
    /// <exception cref="MasterKeyException">One does not open.</exception>
    public static int Open(DbConnection connection, MasterKey key, Entropy entropy, string where)
    {
        var sealer = new Sealer(key, entropy);
        var canary = connection.QuerySingleOrDefault<byte[]>(
            "SELECT value FROM installation WHERE name = @name", new { name = KeyTable.CanaryName });
        if (canary is not null && !MasterKey.OpensCanary(sealer, canary))
            throw new MasterKeyException($"The master key is not the one that {where} was sealed with. Give the right one in "
                + "POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE, or the folder with its master.key in --data.");
        var count = 0;
        foreach (var (column, sql) in Places)
        {
            foreach (var secret in connection.Query<Secret>(sql))
            {
                if (!sealer.TryOpen(secret.Value, new TenantId(secret.Tenant), column, secret.Id, out _))
                    throw new MasterKeyException($"The secret {column} of {secret.Id} in {where} does not open with the master key.");
                count++;
            }
        }
        return count;
    }
}
