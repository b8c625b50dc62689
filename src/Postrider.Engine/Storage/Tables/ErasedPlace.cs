using System.Data.Common;
using System.Text;
using System.Text.Json;
using Dapper;
using Npgsql;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Retention;

namespace Postrider.Storage.Tables;

/// <summary>What came of rows.</summary>
/// <param name="Rows">That were changed or deleted.</param>
/// <param name="Messages">That the person sent, and that lost their body.</param>
/// <param name="Open">That the person sent, and that have not ended.</param>
readonly record struct ErasedRows(long Rows, long Messages, long Open)
{
    public static ErasedRows operator +(ErasedRows one, ErasedRows other) =>
        new(one.Rows + other.Rows, one.Messages + other.Messages, one.Open + other.Open);
}

/// <summary>A table outside messages in which an address may be written.</summary>
/// <param name="Keys">The columns that tell its rows apart within the tenant, in the order of the primary key.</param>
/// <param name="Texts">Where the address may be.</param>
/// <remarks>Rows are read in the order of their keys, some at a time, and looked into here: neither engine finds an address whose letters
/// JSON has written as numbers, or that is not ASCII and among bytes.</remarks>
sealed record ErasedPlace(string Table, string[] Keys, string[] Texts)
{
    /// <summary>Rows of one read: what they hold is in memory together.</summary>
    const int Page = 200;

    /// <summary>Sources of others that one read passes over.</summary>
    const int MostPassed = 100;

    public static readonly IReadOnlyList<ErasedPlace> All =
    [
        new("destinations", ["source", "n"], ["email", "name", "data"])
        {
            Owner = "email",
            IsOfTenant = """
                EXISTS (SELECT 1 FROM lists WHERE id = @source AND tenant = @tenant)
                OR EXISTS (SELECT 1 FROM batches WHERE id = @source AND tenant = @tenant)
                """,
        },
        new("expansion_faults", ["batch", "n"], ["email", "detail"])
        {
            IsOfTenant = "EXISTS (SELECT 1 FROM batches WHERE id = @source AND tenant = @tenant)",
        },
        new("webhook_deliveries", ["webhook", "event"], ["payload", "attempts"]),
        new("inbox", ["id"], ["recipients", "reverse_path", "sender", "subject", "mime"]) { Deletes = true, AtOnce = 2 },
        new("audit", ["id"], ["target"]),
        new("idempotency", ["key"], ["answer"]),
        new("dead_letter_jobs", ["id"], ["filter"]),
        new("feedback_quarantine", ["id"], ["report"]) { Deletes = true, HoldsReports = true, AtOnce = 20 },
        // Orders that run know their place by its number: what is new comes last.
        new("feedback_waiting", ["id"], ["report"]) { Deletes = true, HoldsReports = true, AtOnce = 20 },
        new(Messages, ["id"], [Sender, "subject", "tags", "metadata", OrderingKey]) { IsScanned = true, AtOnce = 1_000 },
        new(Batches, ["id"], [Sender, "subject"]) { AtOnce = 20 },
        new("expansions", ["batch"], ["terms", "key"]) { IsScanned = true },
        new("lists", ["id"], ["name"]) { IsScanned = true, AtOnce = 1_000 },
        new("schedules", ["id"], ["name", "email", "key"]) { Raises = "change" },
        new("schedule_runs", ["id"], ["reason"]) { IsScanned = true, AtOnce = 1_000 },
        new("template_versions", ["number", "version"], ["content"]) { AtOnce = 20 },
        new("refused_calls", ["id"], ["target", "detail", "faults"]),
    ];

    const string Messages = "messages";
    const string Batches = "batches";
    const string Sender = "sender";
    const string HasContent = "CASE WHEN length(content) > 1 THEN 1 ELSE 0 END AS whole";

    /// <summary>Of contents that one read looks into for who sent them; it ends with the row that reaches it.</summary>
    const long MostContentBytes = 16_000_000;
    const string OrderingKey = "ordering_key";

    /// <summary>Where the rows are known by a source, the first of the keys: whether <c>@source</c> is the tenant's. Null: the rows have a
    /// column <c>tenant</c>.</summary>
    public string? IsOfTenant { get; init; }

    /// <summary>The column whose address the row is about: with it the row goes. Null: there is none.</summary>
    public string? Owner { get; init; }

    /// <summary>The row goes wherever the address is in it; else the address is replaced.</summary>
    public bool Deletes { get; init; }

    /// <summary>What providers told: of the tenant whose mail or transport it is about, and of the first where nobody knows.</summary>
    public bool HoldsReports { get; init; }

    /// <summary>No index begins with the tenant: the rows of all are passed, and those of others left alone.</summary>
    public bool IsScanned { get; init; }

    /// <summary>A number that tells writers who have read the row that it was changed; null: there is none.</summary>
    public string? Raises { get; init; }
    public int AtOnce { get; init; } = Page;

    bool HasSender => Table is Messages or Batches;

    /// <summary>Where the address alone is replaced: who sent a mail goes with its body.</summary>
    IEnumerable<string> Replaced => HasSender ? Texts.Where(column => column != Sender) : Texts;

    string Key => string.Join(" AND ", Keys.Select(key => $"{key} = @{key}")) + (HasTenant ? " AND tenant = @tenant" : "");
    bool HasTenant => IsOfTenant is null && !HoldsReports;

    /// <summary>Some rows behind a place, and where to go on; null: there are none behind it.</summary>
    /// <param name="Found">The keys of those that have the address.</param>
    public sealed record Look(List<Dictionary<string, object>> Found, string? Next);

    /// <param name="after">Empty: from the beginning.</param>
    public Look Find(DbConnection connection, ErasedAddress text, TenantId tenant, string after)
    {
        var place = Read(after);
        if (IsOfTenant is not null && !TryFindSource(connection, tenant, ref place))
            return new Look([], place is null ? null : Write(place));
        var values = new DynamicParameters(new { tenant = tenant.Value, most = AtOnce });
        for (var i = 0; i < place?.Length; i++)
            values.Add($"k{i}", place[i]);
        var conditions = new List<string>();
        if (HasTenant && !IsScanned)
            conditions.Add("tenant = @tenant");
        if (IsOfTenant is not null)
            conditions.Add($"{Keys[0]} = @k0 AND {Keys[1]} > @k1");
        else if (place is not null)
            conditions.Add($"({string.Join(", ", Keys)}) > ({string.Join(", ", Keys.Select((_, i) => $"@k{i}"))})");
        var rows = connection.Query($"""
            SELECT {string.Join(", ", Keys.Concat(Texts).Concat(IsScanned ? ["tenant"] : []).Concat(HasSender ? [HasContent] : []))}
            FROM {Table}
            {(conditions.Count == 0 ? "" : "WHERE " + string.Join(" AND ", conditions))} ORDER BY {string.Join(", ", Keys)} LIMIT @most
            """, values).Cast<IDictionary<string, object?>>().ToList();
        var found = new List<Dictionary<string, object>>();
        var read = 0L;
        foreach (var row in rows)
        {
            if (IsScanned && Convert.ToInt64(row["tenant"], null) != tenant.Value)
                continue;
            if ((Has(row, Texts, text) || IsSent(connection, row, text, ref read)) && (!HoldsReports || IsAbout(connection, row, tenant)))
                found.Add(KeyOf(row, tenant));
            if (read >= MostContentBytes)
                return new Look(found, Write([.. Keys.Select(key => row[key]!)]));
        }
        if (rows.Count == AtOnce)
            return new Look(found, Write([.. Keys.Select(key => rows[^1][key]!)]));
        return new Look(found, IsOfTenant is null ? null : Write([Convert.ToInt64(place![0], null) + 1, -1L]));
    }

    bool Has(IDictionary<string, object?> row, IEnumerable<string> columns, ErasedAddress text) =>
        columns.Any(column =>
            HoldsReports && row[column] is byte[] report ? TextsOf(report).Any(text.IsIn) : text.IsIn(TextOf(row[column])));

    bool IsSent(DbConnection connection, IDictionary<string, object?> row, ErasedAddress text, ref long read)
    {
        if (!HasSender || Convert.ToInt64(row["whole"], null) == 0)
            return false;
        var isSent = ErasedSender.IsOf(connection, Table, Convert.ToInt64(row["id"], null), (string?)row[Sender], text, out var bytes);
        read += bytes;
        return isSent;
    }

    /// <summary>One by one: what stands beside them among the bytes is no part of them.</summary>
    static IEnumerable<string?> TextsOf(byte[] stored) => Report(stored) is not { Event: var e } ? [Encoding.UTF8.GetString(stored)]
        : [e.Address, e.Type, e.Key, e.CarriedId, e.ProviderId, e.Suppressed, e.Url, e.Reply?.Text];

    static bool IsAbout(DbConnection connection, IDictionary<string, object?> row, TenantId tenant)
    {
        var report = Report((byte[])row["report"]!);
        var of = report?.Owner?.Value ?? (report?.Message is not { } message ? null
            : connection.ExecuteScalar<int?>("SELECT tenant FROM messages WHERE id = @id", new { id = message.Value }));
        return (of ?? TenantId.First.Value) == tenant.Value;
    }

    /// <summary>Null: a newer program wrote it.</summary>
    static FeedbackReport? Report(byte[] stored)
    {
        try
        {
            return ReportCodec.Read(stored, null);
        }
        catch (InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>The next source of the tenant's, from its beginning if it is another one. False: there is none, or (with a place) more have
    /// to be passed.</summary>
    bool TryFindSource(DbConnection connection, TenantId tenant, ref object[]? place)
    {
        var from = place is [long source, ..] ? source : long.MinValue;
        for (var passed = 0; passed < MostPassed; passed++)
        {
            var first = $"SELECT min({Keys[0]}) FROM {Table} WHERE {Keys[0]} >= @from";
            if (connection.ExecuteScalar<long?>(first, new { from }) is not { } next)
            {
                place = null;
                return false;
            }
            if (connection.ExecuteScalar<long?>($"SELECT 1 WHERE {IsOfTenant}", new { source = next, tenant = tenant.Value }) is not null)
            {
                place = place is [long same, _] && same == next ? place : [next, -1L];
                return true;
            }
            from = next + 1;
        }
        place = [from, -1L];
        return false;
    }

    Dictionary<string, object> KeyOf(IDictionary<string, object?> row, TenantId tenant)
    {
        var key = Keys.ToDictionary(column => column, column => row[column]!);
        if (HasTenant)
            key["tenant"] = tenant.Value;
        return key;
    }

    /// <summary>Returns how many of them there were still.</summary>
    public ErasedRows Erase(DbConnection connection, ErasedAddress text, List<Dictionary<string, object>> keys)
    {
        var done = new ErasedRows();
        foreach (var key in keys)
        {
            done += HasSender ? Empty(connection, text, key) : default;
            done += new ErasedRows(EraseTexts(connection, text, key), 0, 0);
        }
        return done;
    }

    /// <summary>What the person sent loses its body and who sent it, when it has ended.</summary>
    ErasedRows Empty(DbConnection connection, ErasedAddress text, Dictionary<string, object> key)
    {
        var (id, tenant) = (Convert.ToInt64(key["id"], null), new TenantId((int)key["tenant"]));
        var sender = connection.ExecuteScalar<string?>($"SELECT {Sender} FROM {Table} WHERE {Key}", new DynamicParameters(key));
        if (!ErasedSender.IsOf(connection, Table, id, sender, text, out _))
            return default;
        var hasEnded = Table == Batches ? ErasedSender.EmptyBatch(connection, tenant, id, sender, text)
            : new MessageErasing(connection, text, tenant).Run(id, isSender: true) == ErasedMessage.Erased;
        if (!hasEnded)
            return new ErasedRows(0, 0, 1);
        return new ErasedRows(Table == Batches ? 1 : 0, Table == Batches ? 0 : 1, 0);
    }

    int EraseTexts(DbConnection connection, ErasedAddress text, Dictionary<string, object> key)
    {
        // In the order of all who change a list: the list, then who is on it.
        if (Table == "destinations")
            connection.Execute("UPDATE lists SET updated = updated WHERE id = @source", new { source = key["source"] });
        // Read here, as somebody may have added to it meanwhile.
        var row = connection.QueryFirstOrDefault($"""
            SELECT {string.Join(", ", Texts)} FROM {Table} WHERE {Key} {(connection is NpgsqlConnection ? "FOR UPDATE" : "")}
            """, new DynamicParameters(key)) as IDictionary<string, object?>;
        if (row is null || !Has(row, Replaced, text))
            return 0;
        var bytes = BytesOf(connection, key);
        var rows = Deletes || (Owner is { } owner && TextOf(row[owner]) is { } of && text.Is(of))
            ? Delete(connection, key) : Replace(connection, text, key, row);
        Count(connection, key, BytesOf(connection, key) - bytes);
        if (Table == "destinations")
            // Who makes messages of them may have read them before.
            connection.Execute("UPDATE expansions SET edits = edits + 1 WHERE source = @source AND open = 1", new { source = key["source"] });
        return rows;
    }

    int Delete(DbConnection connection, Dictionary<string, object> key)
    {
        if (Table == "destinations")
            // What a list counts is what is on it; what is gone is counted apart until it is cleared away.
            connection.Execute("""
                UPDATE lists SET count = count - (SELECT count(*) FROM destinations WHERE source = @source AND n = @n AND gone IS NULL),
                    gone = gone - (SELECT count(*) FROM destinations WHERE source = @source AND n = @n AND gone IS NOT NULL)
                WHERE id = @source AND removed IS NULL
                """, new DynamicParameters(key));
        return connection.Execute($"DELETE FROM {Table} WHERE {Key}", new DynamicParameters(key));
    }

    /// <summary>What the row counts in <c>bytes</c> of its list or batch; 0: it is gone, or of another table.</summary>
    long BytesOf(DbConnection connection, Dictionary<string, object> key) => Table != "destinations" ? 0
        : connection.ExecuteScalar<long?>($"SELECT {DestinationRows.Bytes} FROM destinations WHERE {Key}", new DynamicParameters(key)) ?? 0;

    static void Count(DbConnection connection, Dictionary<string, object> key, long bytes)
    {
        foreach (var (table, id) in bytes == 0 ? [] : ((string, string)[])[("lists", "id"), ("expansions", "batch")])
            connection.Execute($"UPDATE {table} SET bytes = bytes + @bytes WHERE {id} = @source", new { bytes, source = key["source"] });
    }

    int Replace(DbConnection connection, ErasedAddress text, Dictionary<string, object> key, IDictionary<string, object?> row)
    {
        var values = new DynamicParameters(key);
        foreach (var column in Replaced)
            values.Add($"new_{column}", row[column] is byte[] bytes ? text.Replace(bytes) : text.Replace((string?)row[column]));
        if (Table == Messages)
        {
            Untag(connection, text, key, LabelText.ReadTags((string?)row["tags"]));
            // While it is open the queue has its key too, and those behind it wait under that.
            if (connection.ExecuteScalar<long?>("SELECT 1 FROM queue WHERE message = @id LIMIT 1", new DynamicParameters(key)) is not null)
                values.Add($"new_{OrderingKey}", row[OrderingKey]);
        }
        var set = Replaced.Select(column => $"{column} = @new_{column}").Concat(Raises is { } number ? [$"{number} = {number} + 1"] : []);
        return connection.Execute($"UPDATE {Table} SET {string.Join(", ", set)} WHERE {Key}", values);
    }

    /// <summary>Under a tag that holds the address the message is not found any more: the hash of a tag needs no key.</summary>
    static void Untag(DbConnection connection, ErasedAddress text, Dictionary<string, object> key, IReadOnlyList<string> tags)
    {
        foreach (var tag in tags.Where(text.IsIn))
            connection.Execute(connection is NpgsqlConnection
                ? "DELETE FROM tagged WHERE hash = @hash AND message = @id"
                : "DELETE FROM search WHERE hash = @hash AND message = @id AND bucket IN (SELECT bucket FROM search_runs)",
                new { hash = StoredAddress.SearchHash(new TenantId((int)key["tenant"]), tag), id = key["id"] });
    }

    static string? TextOf(object? value) => value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : (string?)value;

    /// <summary>Keys as a list in JSON.</summary>
    static string Write(object[] key)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes))
        {
            writer.WriteStartArray();
            foreach (var value in key)
                if (value is string text)
                    writer.WriteStringValue(text);
                else
                    writer.WriteNumberValue(Convert.ToInt64(value, null));
            writer.WriteEndArray();
        }
        return Encoding.UTF8.GetString(bytes.ToArray());
    }

    static object[]? Read(string place) => place.Length == 0 ? null :
    [
        .. JsonElement.Parse(place).EnumerateArray()
            .Select(value => value.ValueKind == JsonValueKind.String ? value.GetString()! : (object)value.GetInt64()),
    ];
}
