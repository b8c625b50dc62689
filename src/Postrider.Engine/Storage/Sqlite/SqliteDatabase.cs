using Microsoft.Data.Sqlite;
using Postrider.Storage.Migrations;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>Opens connections to one database file: settings made, read back, and refused when they are not as set.</summary>
static class SqliteDatabase
{
    public const int BusyTimeoutMs = 5000;

    /// <summary>A 2 KB body fills a page of 4 KB alone; 8 KB pages take a tenth off the writer's time.</summary>
    const int PageSize = 8192;

    /// <summary>Negative: KB. Larger gained nothing.</summary>
    const int WriterCacheKb = 16 * 1024;

    static SqliteDatabase() => Batteries_V2.Init();

    /// <summary>The connection that writes. The page size holds for databases that are made by it.</summary>
    public static SqliteConnection OpenWriter(string path)
    {
        var connection = Open(path, SqliteOpenMode.ReadWriteCreate);
        try
        {
            Execute(connection.Handle!, $"PRAGMA page_size = {PageSize}");
            Set(connection, "journal_mode", "wal");
            Set(connection, "synchronous", TestSwitches.Synchronous);
            Set(connection, "foreign_keys", "1");
            Set(connection, "wal_autocheckpoint", "0");
            Set(connection, "busy_timeout", BusyTimeoutMs.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Set(connection, "cache_size", $"-{WriterCacheKb}");
            // Or a sort could meet a full or missing temporary folder.
            Set(connection, "temp_store", "2");
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A connection to a database that nobody else has, with SQLite's own settings.</summary>
    public static SqliteConnection OpenPlain(string path) => Open(path, SqliteOpenMode.ReadWrite);

    /// <summary>A connection that cannot write.</summary>
    public static SqliteConnection OpenReader(string path)
    {
        var connection = Open(path, SqliteOpenMode.ReadWrite);
        Set(connection, "busy_timeout", BusyTimeoutMs.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Set(connection, "wal_autocheckpoint", "0");
        Set(connection, "query_only", "1");
        return connection;
    }

    /// <summary>A connection to a database that no process has open, which changes no file: what a log holds is read and left
    /// there.</summary>
    public static SqliteConnection OpenLooking(string path)
    {
        // Without a log nothing is beside the file, and nothing is to be made there.
        var connection = File.Exists(path + "-wal") ? Open(path, SqliteOpenMode.ReadOnly)
            : Open(new Uri(path).AbsoluteUri + "?immutable=1", SqliteOpenMode.ReadOnly);
        raw.sqlite3_db_config(connection.Handle!, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);
        return connection;
    }

    /// <summary>Throws when pages contradict each other. Reads the whole file.</summary>
    public static void QuickCheck(SqliteConnection connection)
    {
        if (Damage(connection) is { } damage)
            throw new StoreUnusableException(
                $"The database {connection.DataSource} is damaged ({damage}). Restore it from a backup, "
                + "or save what can be read with: sqlite3 DATABASE .recover");
    }

    /// <summary>How pages contradict each other; null: they do not. Reads the whole file.</summary>
    public static string? Damage(SqliteConnection connection)
    {
        using var check = new Statement(connection.Handle!, "PRAGMA quick_check(1)");
        check.With();
        return !check.Step() ? "quick_check says nothing" : check.Text(0) is not "ok" and var fault
            ? fault : null;
    }

    /// <summary>Empties the write-ahead log into the database. A process that dies again and again before its first checkpoint would else
    /// leave a longer log each time. Only while this is the one connection.</summary>
    public static void CarryOverLog(SqliteConnection connection)
    {
        var code = raw.sqlite3_wal_checkpoint_v2(connection.Handle!, "main", raw.SQLITE_CHECKPOINT_TRUNCATE, out _, out _);
        if (code != raw.SQLITE_OK)
            throw SqliteFault.Of(connection.Handle!, code, "checkpoint");
    }

    /// <summary>Brings the schema to the newest version, each step in a transaction of its own.</summary>
    public static void Migrate(SqliteConnection connection, IReadOnlyList<Migration> migrations, long now)
    {
        var db = connection.Handle!;
        Execute(db, """
            CREATE TABLE IF NOT EXISTS schema_version (
                version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT
            """);
        using var newest = new Statement(db, "SELECT max(version) FROM schema_version");
        var current = newest.With().Scalar() ?? 0;
        if (current > migrations.Count)
            throw new StoreUnusableException(
                $"The database {connection.DataSource} has schema version {current}, made by a newer Postrider; "
                + $"this one knows up to {migrations.Count}. Use the newer program, or restore the backup from before the upgrade.");
        using var note = new Statement(db, "INSERT INTO schema_version (version, name, applied_at) VALUES (?1, ?2, ?3)");
        foreach (var migration in migrations)
        {
            if (migration.Version <= current)
                continue;
            Execute(db, "BEGIN IMMEDIATE");
            Execute(db, migration.Sql);
            note.With().Add(migration.Version).AddText(migration.Name).Add(now).Run();
            Execute(db, "COMMIT");
        }
    }

    static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ToString());
        connection.Open();
        raw.sqlite3_extended_result_codes(connection.Handle!, 1);
        return connection;
    }

    /// <summary>What a connection runs with.</summary>
    public static string Setting(SqliteConnection connection, string pragma)
    {
        using var read = new Statement(connection.Handle!, $"PRAGMA {pragma}");
        read.With();
        return read.Step() ? read.Text(0) : "nothing";
    }

    static void Execute(sqlite3 db, string sql)
    {
        var code = raw.sqlite3_exec(db, sql);
        if (code != raw.SQLITE_OK)
            throw SqliteFault.Of(db, code, sql);
    }

    public static void Set(SqliteConnection connection, string pragma, string value)
    {
        Execute(connection.Handle!, $"PRAGMA {pragma} = {value}");
        var set = Setting(connection, pragma);
        if (set != value)
            throw new StoreUnusableException($"SQLite does not take the setting {pragma}={value}; it says {set}. "
                + (pragma == "journal_mode"
                    ? "The file system must support shared memory maps: use a local disk, not a network share."
                    : "Use the bundled SQLite."));
    }
}
