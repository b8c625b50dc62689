using System.Data.Common;
using Dapper;
using Npgsql;
using Postrider.Messages;
using Postrider.Retention;

namespace Postrider.Storage.Tables;

/// <summary>A message as retention looks at it. Instants are Unix milliseconds.</summary>
sealed class OldMessage
{
    public long Id { get; init; }
    public int Tenant { get; init; }
    public string? Tags { get; init; }
    public long Bytes { get; init; }

    /// <summary>When something happened last to one of its recipients.</summary>
    public long Updated { get; init; }

    /// <summary>When an envelope of it is due last; null when none is in the queue.</summary>
    public long? Due { get; init; }

    /// <summary>Recipients that are queued or held.</summary>
    public long Open { get; init; }

    /// <summary>Recipients on the list of dead letters.</summary>
    public long Letters { get; init; }

    bool IsOpen => Due is not null || Open > 0;

    public bool IsOld(RetentionKind kind, long before) =>
        !IsOpen && Updated <= before && (kind == RetentionKind.Messages || Letters == 0);

    /// <summary>From when on its age is counted, as far as is known now.</summary>
    public long WaitsFrom(long now) => IsOpen || Letters > 0 ? Math.Max(now, Due ?? 0) : Updated;
}

/// <summary>Empties and deletes messages that have ended.</summary>
static class OldMessages
{
    const string Columns = """
        SELECT m.id, m.tenant, m.tags, CAST(CASE WHEN length(m.content) > 1 THEN length(m.content) ELSE 0 END AS bigint) AS Bytes,
            coalesce((SELECT max(r.updated) FROM recipients r WHERE r.message = m.id), 0) AS Updated,
            (SELECT max(q.due) FROM queue q WHERE q.message = m.id) AS Due,
            (SELECT count(*) FROM recipients r WHERE r.message = m.id AND r.state IN (1, 4)) AS Open,
            (SELECT count(*) FROM dead_letters d WHERE d.message = m.id AND d.state <> 0) AS Letters
        FROM messages m
        """;

    public static List<OldMessage> Look(DbConnection connection, RetentionKind kind, List<long> ids) =>
        connection.Query<OldMessage>($"{Columns} WHERE m.id IN ({Ids.List(ids)}){WithBody(kind)} ORDER BY m.id").AsList();

    public static List<OldMessage> Look(DbConnection connection, RetentionKind kind, long after, long until, int most) =>
        connection.Query<OldMessage>($"{Columns} WHERE m.id > @after AND m.id < @until{WithBody(kind)} ORDER BY m.id LIMIT @most",
            new { after, until, most }).AsList();

    /// <summary>A message without content of its own has its batch's, until it is noted that it needs none.</summary>
    static string WithBody(RetentionKind kind) =>
        kind == RetentionKind.Bodies ? " AND (m.content IS NULL OR length(m.content) > 1)" : "";

    /// <summary>Returns those that were old still.</summary>
    public static List<OldMessage> Remove(DbConnection connection, RetentionKind kind, List<OldMessage> old, long before)
    {
        var free = Free(connection, kind, old, before);
        if (free.Count == 0)
            return free;
        var ids = Ids.List(free.Select(m => m.Id));
        if (kind == RetentionKind.Bodies)
            connection.Execute($"UPDATE messages SET content = @gone WHERE id IN ({ids})", new { gone = ContentCodec.Gone });
        else
            Delete(connection, free, ids);
        Uncount(connection, free.Select(m => (m.Tenant, m.Bytes)));
        return free;
    }

    /// <summary>Locked where others could reopen them, and looked at again.</summary>
    static List<OldMessage> Free(DbConnection connection, RetentionKind kind, List<OldMessage> old, long before)
    {
        if (old.Count == 0)
            return [];
        var all = Ids.List(old.Select(m => m.Id));
        var held = connection is NpgsqlConnection
            ? connection.Query<long>($"SELECT id FROM messages WHERE id IN ({all}) ORDER BY id FOR UPDATE SKIP LOCKED").ToHashSet()
            : null;
        var busy = connection.Query<long>($"""
            SELECT message FROM queue WHERE message IN ({all})
            UNION SELECT message FROM recipients WHERE message IN ({all}) AND (state IN (1, 4) OR updated > @before)
            {(kind == RetentionKind.Bodies ? $"UNION SELECT message FROM dead_letters WHERE message IN ({all}) AND state <> 0" : "")}
            """, new { before }).ToHashSet();
        return old.FindAll(m => held?.Contains(m.Id) != false && !busy.Contains(m.Id));
    }

    static void Delete(DbConnection connection, List<OldMessage> free, string ids)
    {
        connection.Execute($"DELETE FROM recipients WHERE message IN ({ids})");
        connection.Execute($"DELETE FROM dead_letters WHERE message IN ({ids})");
        connection.Execute($"DELETE FROM feedback_seen WHERE message IN ({ids})");
        connection.Execute($"DELETE FROM retention_waits WHERE kind IN (1, 2) AND message IN ({ids})");
        if (connection is NpgsqlConnection)
        {
            connection.Execute($"DELETE FROM ended WHERE state IN (4, 12, 13, 14, 15, 16) AND message IN ({ids})");
            var tagged = free.SelectMany(m => LabelText.ReadTags(m.Tags)
                .Select(tag => (Hash: StoredAddress.SearchHash(new TenantId(m.Tenant), tag), m.Id))).ToList();
            if (tagged.Count > 0)
            {
                var rows = string.Join(", ", tagged.Select(t => $"({Ids.List([t.Hash, t.Id])})"));
                connection.Execute($"DELETE FROM tagged WHERE (hash, message) IN (VALUES {rows})");
            }
        }
        connection.Execute($"DELETE FROM messages WHERE id IN ({ids})");
    }

    /// <summary>Takes bytes off what tenants are counted to store.</summary>
    public static void Uncount(DbConnection connection, IEnumerable<(int Tenant, long Bytes)> gone)
    {
        foreach (var tenant in gone.GroupBy(m => m.Tenant).OrderBy(g => g.Key))
            if (tenant.Sum(m => m.Bytes) is > 0 and var bytes)
                StateSums.AddStored(connection, tenant.Key, -bytes);
    }
}

/// <summary>A batch as retention looks at it.</summary>
sealed class OldBatch
{
    public long Id { get; init; }
    public int Tenant { get; init; }
    public long Count { get; init; }
    public long Bytes { get; init; }
    public long? First { get; init; }
    public long? Total { get; init; }
    public long Open { get; init; }
    public bool IsOpen => Open > 0;

    /// <summary>The ids that its messages have, both ends included.</summary>
    public long Low => First ?? Id + 1;
    public long High => First is { } first ? new MessageId(first).Plus(Total ?? 0).Value : new MessageId(Id).Plus(Count).Value;

    /// <summary>A message of it is there, or for its content: one that is not emptied.</summary>
    public bool IsNeeded { get; set; }
}

/// <summary>Empties and deletes batches of which no message is left.</summary>
static class OldBatches
{
    /// <summary>How soon a batch that was needed is looked at again.</summary>
    public static readonly TimeSpan LookAgain = TimeSpan.FromHours(1);

    const int MostReminded = 1000;

    public static OldBatch? Look(DbConnection connection, RetentionKind kind, long after, long until)
    {
        var batch = connection.QueryFirstOrDefault<OldBatch>($"""
            SELECT b.id, b.tenant, b.count, e.first, e.total,
                CAST(CASE WHEN length(b.content) > 1 THEN length(b.content) ELSE 0 END AS bigint) AS Bytes,
                CAST(coalesce(e.open, 0) AS bigint) AS Open
            FROM batches b LEFT JOIN expansions e ON e.batch = b.id
            WHERE b.id > @after AND b.id < @until{(kind == RetentionKind.BatchBodies ? " AND length(b.content) > 1" : "")}
            ORDER BY b.id LIMIT 1
            """, new { after, until });
        if (batch is not null)
            batch.IsNeeded = connection.ExecuteScalar<long?>($"""
                SELECT 1 FROM messages m WHERE m.id BETWEEN @Low AND @High AND m.batch = @Id
                {(kind == RetentionKind.BatchBodies ? "AND (m.content IS NULL OR length(m.content) > 1)" : "")} LIMIT 1
                """, batch) is not null;
        return batch;
    }

    /// <summary>Returns whether all of it is done. Nobody adds messages to a batch that is not open and has none.</summary>
    public static (bool Done, long Rows, long Bytes) Remove(DbConnection connection, RetentionKind kind, OldBatch batch, int most)
    {
        if (kind == RetentionKind.BatchBodies)
            connection.Execute("UPDATE batches SET content = @gone WHERE id = @Id", new { gone = ContentCodec.Gone, batch.Id });
        else
        {
            foreach (var (table, column) in ((string, string)[])[("expansion_faults", "batch"), ("destinations", "source")])
                if (connection.Execute($"""
                    DELETE FROM {table} WHERE {column} = @Id AND n IN (SELECT n FROM {table} WHERE {column} = @Id ORDER BY n LIMIT @most)
                    """, new { batch.Id, most }) is var rows && rows == most)
                    return (false, rows, 0);
            connection.Execute("DELETE FROM expansion_parts WHERE batch = @Id", batch);
            connection.Execute("DELETE FROM expansions WHERE batch = @Id", batch);
            connection.Execute("DELETE FROM counters WHERE scope = @Id", batch);
            connection.Execute("DELETE FROM batches WHERE id = @Id", batch);
        }
        connection.Execute("DELETE FROM retention_waits WHERE message = @Id AND kind IN (6, @kind)", new { batch.Id, kind = (int)kind });
        OldMessages.Uncount(connection, [(batch.Tenant, batch.Bytes)]);
        return (true, 1, batch.Bytes);
    }

    /// <summary>Messages of a batch that was held up may have come behind the cursor of messages: they are noted.</summary>
    public static int Remind(DbConnection connection, RetentionKind kind, OldBatch batch, long now)
    {
        var of = kind == RetentionKind.BatchBodies ? RetentionKind.Bodies : RetentionKind.Messages;
        return batch.First is null ? 0 : connection.Execute($"""
            INSERT INTO retention_waits (kind, message, at)
            SELECT CAST(@of AS {(connection is NpgsqlConnection ? "smallint" : "integer")}), m.id, @now FROM messages m
            WHERE m.id BETWEEN @Low AND @High AND m.batch = @Id AND m.id <= (SELECT cursor FROM retention WHERE kind = @of)
                {(of == RetentionKind.Bodies ? "AND (m.content IS NULL OR length(m.content) > 1)" : "")}
                AND NOT EXISTS (SELECT 1 FROM retention_waits w WHERE w.kind = @of AND w.message = m.id)
            ORDER BY m.id LIMIT {MostReminded}
            ON CONFLICT (kind, message) DO NOTHING
            """, new { of = (int)of, batch.Low, batch.High, batch.Id, now });
    }
}
