using System.Data.Common;
using System.Text;
using Dapper;
using Npgsql;
using Postrider.Messages;

namespace Postrider.Storage.Tables;

/// <summary>A table outside messages in which an address may be written.</summary>
/// <param name="Keys">The columns of its primary key.</param>
/// <param name="Texts">Where the address may be.</param>
/// <param name="Blobs">Among them those that are bytes.</param>
/// <param name="OfTenant">Whose rows.</param>
/// <param name="Deletes">The row goes; else the address is replaced.</param>
/// <param name="IsForInstallation">Nobody knows which tenant a row is of.</param>
sealed record ErasedPlace(
    string Table, string[] Keys, string[] Texts, string[] Blobs, string OfTenant, bool Deletes = false, bool IsForInstallation = false)
{
    /// <summary>Of what merely contains the address, as a longer one does, no more are looked through.</summary>
    const int MostFound = 10_000;

    public static readonly IReadOnlyList<ErasedPlace> All =
    [
        new("destinations", ["source", "n"], ["email"], [], """
            source IN (SELECT id FROM lists WHERE tenant = @tenant UNION ALL SELECT source FROM expansions WHERE tenant = @tenant
                UNION ALL SELECT batch FROM expansions WHERE tenant = @tenant UNION ALL SELECT source FROM schedules WHERE tenant = @tenant)
            """, Deletes: true),
        new("expansion_faults", ["batch", "n"], ["email", "detail"], [],
            "batch IN (SELECT batch FROM expansions WHERE tenant = @tenant)"),
        new("webhook_deliveries", ["tenant", "webhook", "event"], ["payload", "attempts"], ["payload"], "tenant = @tenant"),
        new("inbox", ["id"], ["recipients", "mime"], ["mime"], "tenant = @tenant", Deletes: true),
        new("audit", ["id"], ["target"], [], "tenant = @tenant"),
        new("idempotency", ["tenant", "key"], ["answer"], ["answer"], "tenant = @tenant"),
        new("feedback_quarantine", ["id"], ["report"], ["report"], "@tenant = @tenant", Deletes: true, IsForInstallation: true),
    ];

    string Key => string.Join(" AND ", Keys.Select(key => $"{key} = @{key}"));

    /// <summary>The keys of some rows that have the address.</summary>
    public List<Dictionary<string, object>> Find(DbConnection connection, ErasedAddress text, TenantId tenant)
    {
        var isPostgres = connection is NpgsqlConnection;
        var values = new DynamicParameters(new { tenant = tenant.Value, most = MostFound });
        var tests = new List<string>();
        for (var i = 0; i < text.Spellings.Count; i++)
        {
            values.Add($"spelling{i}", text.Spellings[i]);
            foreach (var column in Texts)
                tests.Add(isPostgres
                    ? $"position(@spelling{i} IN lower({(Blobs.Contains(column) ? $"encode({column}, 'escape')" : column)})) > 0"
                    : $"instr(lower(CAST({column} AS TEXT)), @spelling{i}) > 0");
        }
        var rows = connection.Query($"""
            SELECT {string.Join(", ", Keys)} FROM {Table} WHERE {OfTenant} AND ({string.Join(" OR ", tests)}) LIMIT @most
            """, values);
        return [.. rows.Select(row => new Dictionary<string, object>((IDictionary<string, object>)row))];
    }

    /// <summary>Returns how many of them there were still.</summary>
    public int Erase(DbConnection connection, ErasedAddress text, List<Dictionary<string, object>> keys) =>
        keys.Sum(key => Deletes ? Delete(connection, text, key) : Replace(connection, text, key));

    int Delete(DbConnection connection, ErasedAddress text, Dictionary<string, object> key)
    {
        if (Read(connection, key) is not { } row || !Texts.Any(column => text.IsIn(TextOf(row[column]))))
            return 0;
        if (Table == "destinations")
            // What a list counts is what is on it; what is gone is counted apart until it is cleared away.
            connection.Execute("""
                UPDATE lists SET count = count - (SELECT count(*) FROM destinations WHERE source = @source AND n = @n AND gone IS NULL),
                    gone = gone - (SELECT count(*) FROM destinations WHERE source = @source AND n = @n AND gone IS NOT NULL)
                WHERE id = @source AND removed IS NULL
                """, new DynamicParameters(key));
        return connection.Execute($"DELETE FROM {Table} WHERE {Key}", new DynamicParameters(key));
    }

    int Replace(DbConnection connection, ErasedAddress text, Dictionary<string, object> key)
    {
        // Read here, as somebody may have added to it meanwhile.
        if (Read(connection, key) is not { } row || !Texts.Any(column => text.IsIn(TextOf(row[column]))))
            return 0;
        var values = new DynamicParameters(key);
        foreach (var column in Texts)
            values.Add($"new_{column}", row[column] is byte[] bytes ? text.Replace(bytes) : text.Replace((string?)row[column]));
        return connection.Execute(
            $"UPDATE {Table} SET {string.Join(", ", Texts.Select(column => $"{column} = @new_{column}"))} WHERE {Key}", values);
    }

    IDictionary<string, object?>? Read(DbConnection connection, Dictionary<string, object> key) => connection.QueryFirstOrDefault($"""
        SELECT {string.Join(", ", Texts)} FROM {Table} WHERE {Key} {(connection is NpgsqlConnection ? "FOR UPDATE" : "")}
        """, new DynamicParameters(key)) as IDictionary<string, object?>;

    static string? TextOf(object? value) => value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : (string?)value;
}
