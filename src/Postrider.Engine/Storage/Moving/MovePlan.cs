using Microsoft.Data.Sqlite;
using Npgsql;
using NpgsqlTypes;

namespace Postrider.Storage.Moving;

/// <summary>A column as the target has it.</summary>
readonly record struct MovedColumn(string Name, NpgsqlDbType Type);

/// <summary>A table that goes from one engine to the other.</summary>
/// <param name="Key">Its rows are read in the order of these; never empty.</param>
sealed record MovedTable(string Name, IReadOnlyList<MovedColumn> Columns, IReadOnlyList<string> Key)
{
    public string ColumnList => string.Join(", ", Columns.Select(c => c.Name));
}

/// <summary>What is moved, and what is not and why. Tables are named, so that a new one has to be thought of; their columns are read from
/// both schemas and must agree.</summary>
static class MovePlan
{
    public static readonly IReadOnlyList<string> Tables =
    [
        "installation", "tenants", "tenant_changes", "api_keys", "sender_domains", "dkim_keys", "templates", "template_versions",
        "suppressions", "pauses", "transport_states", "quota_use", "transports", "routes", "webhooks", "lists", "batches", "expansions", "expansion_parts",
        "expansion_faults", "destinations", "schedules", "schedule_runs", "messages", "recipients", "queue", "events", "counters", "idempotency",
        "dead_letters", "dead_letter_jobs", "audit", "inbox", "feedback_seen", "feedback_waiting", "feedback_quarantine",
        "webhook_deliveries", "erasures", "users", "sessions", "protection_keys",
    ];

    /// <summary>Left behind: the index of addresses and tags, which the target has as columns and rows of its own, drills,
    /// alerts, the log of refused calls, sizes of the database, what went out in the last hours, and how far retention had come. It looks
    /// from the beginning again, as events have other numbers.</summary>
    public static readonly IReadOnlyList<string> OnlySource =
    [
        "schema_version", "search", "search_runs", "progress", "retention", "retention_waits", "drills", "alerts", "alert_marks",
        "refused_calls", "store_sizes", "flow",
    ];

    /// <summary>Made from rows that are moved, beside them.</summary>
    public static readonly IReadOnlyList<string> Derived = ["ended", "tagged", "moved_events"];

    /// <summary>What nodes of the target tell each other, and the books of the move.</summary>
    public static readonly IReadOnlyList<string> OnlyTarget =
    [
        "schema_version", "nodes", "changes", "rate_budgets", "refused_senders", "moves", "move_progress", "retention",
        "retention_waits", "transport_reports", "drills", "alerts", "alert_marks", "refused_calls", "store_sizes", "flow",
    ];

    /// <summary>Columns of the target that the source has not.</summary>
    public static readonly IReadOnlyList<(string Table, string Column)> Added = [("recipients", "hash"), ("events", "xid")];

    /// <summary>Rows that every new database has.</summary>
    public static readonly IReadOnlyList<string> Seeded = ["tenants", "tenant_changes"];

    public static IReadOnlyList<MovedTable> Read(SqliteConnection source, NpgsqlConnection target)
    {
        var there = Columns(target);
        return [.. Tables.Select(name => Read(source, name, there.GetValueOrDefault(name) ?? []))];
    }

    static MovedTable Read(SqliteConnection source, string name, List<MovedColumn> target)
    {
        using var command = source.CreateCommand();
        command.CommandText = "SELECT name, pk FROM pragma_table_info($name)";
        command.Parameters.AddWithValue("$name", name);
        var here = new List<(string Name, int Place)>();
        using (var reader = command.ExecuteReader())
        {
            while (reader.Read())
                here.Add((reader.GetString(0), reader.GetInt32(1)));
        }
        var expected = here.Select(c => c.Name).Concat(Added.Where(a => a.Table == name).Select(a => a.Column));
        var differing = expected.Except(target.Select(c => c.Name)).Concat(target.Select(c => c.Name).Except(expected)).ToList();
        if (here.Count == 0 || differing.Count > 0)
            throw new StoreUnusableException($"The table {name} is not the same on both sides ({string.Join(", ", differing)}): "
                + "one of the databases was made by another version of Postrider. Use the program that made the newer one.");
        var key = here.Where(c => c.Place > 0).OrderBy(c => c.Place).Select(c => c.Name).ToList();
        return new MovedTable(name, target, key.Count > 0 ? key : [.. here.Select(c => c.Name)]);
    }

    static Dictionary<string, List<MovedColumn>> Columns(NpgsqlConnection target)
    {
        using var command = new NpgsqlCommand("""
            SELECT table_name::text, column_name::text, udt_name::text FROM information_schema.columns
            WHERE table_schema = current_schema() ORDER BY table_name, column_name
            """, target);
        using var reader = command.ExecuteReader();
        var columns = new List<(string Table, MovedColumn Column)>();
        while (reader.Read())
            columns.Add((reader.GetString(0), new MovedColumn(reader.GetString(1), TypeOf(reader.GetString(2)))));
        return columns.GroupBy(c => c.Table).ToDictionary(t => t.Key, t => t.Select(c => c.Column).ToList());
    }

    static NpgsqlDbType TypeOf(string name) => name switch
    {
        "int2" => NpgsqlDbType.Smallint,
        "int4" => NpgsqlDbType.Integer,
        "int8" => NpgsqlDbType.Bigint,
        "bool" => NpgsqlDbType.Boolean,
        "text" => NpgsqlDbType.Text,
        "bytea" => NpgsqlDbType.Bytea,
        "xid8" => NpgsqlDbType.Xid8,
        _ => NpgsqlDbType.Unknown,
    };
}
