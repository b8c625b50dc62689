using Dapper;
using Postrider.Doctor;
using Postrider.Queue;
using Postrider.Storage.Migrations;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Storage.Tables;
using Postrider.Tenants;

namespace Postrider.Storage.Inspection;

/// <summary>A database that was opened to be looked at, by a server or while none runs.</summary>
/// <param name="Fact">What it says; with a fault there are no tables.</param>
/// <param name="Tables">Null: it cannot be used, or there is none yet.</param>
/// <param name="IsInUse">Another process has it, so it was not opened.</param>
/// <param name="Clock">What the database's own clock is ahead of ours; null: it has none.</param>
public sealed record InspectedStore(StoreFact Fact, ITableStore? Tables, bool IsInUse = false, TimeSpan? Clock = null);

/// <summary>Looks at databases without changing anything: no schema is brought up to date, no log is carried over.</summary>
public static class StoreInspection
{
    /// <summary>A SQLite file while no server has it.</summary>
    /// <remarks>The lock is held meanwhile. Closing must not carry the log over: the next start would miss it.</remarks>
    public static async Task<InspectedStore> OpenSqliteAsync(string path, DateTimeOffset now, CancellationToken ct)
    {
        path = Path.GetFullPath(path);
        var fact = NewSqlite(path);
        if (!File.Exists(path) && !File.Exists(path + ".lock"))
            return new InspectedStore(fact, null);
        try
        {
            using var held = DatabaseLock.Take(path);
            held.RefuseWhatIsMissing(path);
            if (held.EndedUncleanly)
                WriteAheadLog.RefuseDamaged(path);
            await using (var connection = SqliteDatabase.OpenLooking(path))
            {
                if (StoreReading.Schema(connection) is not { } schema)
                    return new InspectedStore(fact, null);
                fact = fact with { Schema = schema, Damage = SqliteDatabase.Damage(connection) };
                if (Moving.MoveMark.Read(connection) is { } mark)
                    return new InspectedStore(fact with { Fault = mark.Refusal(path) }, null);
            }
            // Pages may be anything, and tables may be others.
            if (fact.Damage is not null || fact.Schema != fact.KnownSchema)
                return new InspectedStore(fact, null);
            var tables = new ReadingTables(_ => ValueTask.FromResult<System.Data.Common.DbConnection>(SqliteDatabase.OpenLooking(path)));
            return new InspectedStore(await StoreReading.AddAsync(tables, fact, now, ct), tables);
        }
        catch (StoreInUseException)
        {
            return new InspectedStore(fact, null, IsInUse: true);
        }
        catch (Exception e) when (e is StoreUnusableException or SqliteFault or Microsoft.Data.Sqlite.SqliteException or IOException
            or UnauthorizedAccessException or InvalidDataException)
        {
            return new InspectedStore(fact with { Fault = e.Message }, null);
        }
    }

    /// <summary>The file that this process has open.</summary>
    public static async Task<InspectedStore> OfRunningAsync(SqliteStore store, DateTimeOffset now, CancellationToken ct)
    {
        var (path, settings) = await store.DescribeAsync();
        var fact = NewSqlite(path) with { UnsafeSettings = settings };
        fact = fact with { Schema = await store.ReadAsync(StoreReading.Schema, ct) };
        try
        {
            fact = fact with { Damage = await store.ReadAsync(SqliteDatabase.Damage, ct) };
        }
        catch (TimeoutException)
        {
            // Too large to be read beside the mail; postrider backup checks every copy that it makes.
        }
        return new InspectedStore(await StoreReading.AddAsync(store, fact, now, ct), store);
    }

    /// <summary>A PostgreSQL database, whoever else has it.</summary>
    /// <param name="tables">Of the store that this process has open; null: it is looked at over connections of our own, which are gone
    /// when <paramref name="use"/> has ended.</param>
    public static async Task<T> OfPostgresAsync<T>(
        PostgresDsn dsn, ITableStore? tables, TimeProvider clock, Func<InspectedStore, Task<T>> use, CancellationToken ct)
    {
        var fact = new StoreFact
        {
            Name = dsn.ToString(),
            KnownSchema = PostgresMigrations.All.Count,
            SchemaMayBeAhead = PostgresDatabase.MostAhead,
            NodeConnections = dsn.Connections,
        };
        await using var database = new PostgresDatabase(dsn);
        InspectedStore inspected;
        try
        {
            inspected = await LookAsync(database, fact, tables ?? new ReadingTables(
                async cancel => await database.Readers.OpenConnectionAsync(cancel)), clock, ct);
        }
        catch (Exception e) when (e is Npgsql.NpgsqlException or TimeoutException)
        {
            inspected = new InspectedStore(fact with { Fault = $"{e.Message}. Look at host, user and password of POSTRIDER_STORE." }, null);
        }
        return await use(inspected);
    }

    static async Task<InspectedStore> LookAsync(
        PostgresDatabase database, StoreFact fact, ITableStore tables, TimeProvider clock, CancellationToken ct)
    {
        fact = fact with { UnsafeSettings = await database.FaultsAsync(ct) };
        await using var connection = await database.Readers.OpenConnectionAsync(ct);
        var before = clock.GetUtcNow();
        var theirs = await connection.ExecuteScalarAsync<DateTime>("SELECT clock_timestamp() AT TIME ZONE 'UTC'");
        var ours = before + (clock.GetUtcNow() - before) / 2;
        fact = fact with
        {
            MaxConnections = await connection.ExecuteScalarAsync<int>("""
                SELECT current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer
                """),
        };
        var clockAhead = new DateTimeOffset(DateTime.SpecifyKind(theirs, DateTimeKind.Utc)) - ours;
        if (await connection.ExecuteScalarAsync<string?>("SELECT to_regclass('schema_version')::text") is null)
            return new InspectedStore(fact, null, Clock: clockAhead);
        fact = fact with { Schema = StoreReading.Schema(connection) };
        return fact.Schema < fact.KnownSchema
            ? new InspectedStore(fact, null, Clock: clockAhead)
            : new InspectedStore(await StoreReading.AddAsync(tables, fact, clock.GetUtcNow(), ct), tables, Clock: clockAhead);
    }

    /// <summary>Whether a master key is the one that sealed what is in the database.</summary>
    /// <param name="key">Null: there is none beside the database.</param>
    public static async Task<SecretFact> JudgeKeyAsync(ITableStore tables, MasterKey? key, CancellationToken ct)
    {
        var facts = await tables.ReadAsync(connection => connection.Query<(string Name, byte[] Value)>(
            "SELECT name, value FROM installation WHERE name IN (@CanaryName, @MasterKeyName)", new { KeyTable.CanaryName, MasterKeyName })
            .ToDictionary(fact => fact.Name, fact => fact.Value), ct);
        if (key is null && facts.ContainsKey(MasterKeyName))
            return SecretFact.InDatabase;
        if (!facts.TryGetValue(KeyTable.CanaryName, out var canary))
            return SecretFact.Unknown;
        return key is null ? SecretFact.Missing
            : MasterKey.OpensCanary(new Sealer(key, Entropy.System), canary) ? SecretFact.Fits : SecretFact.Wrong;
    }

    /// <summary>The row of a PostgreSQL database that holds the master key where nobody gave one.</summary>
    public const string MasterKeyName = "master_key";

    /// <summary>The nodes of a PostgreSQL database that beat a moment ago, by their own clocks.</summary>
    public static async Task<IReadOnlyList<NodeView>> LivingNodesAsync(ITableStore tables, DateTimeOffset now, CancellationToken ct) =>
    [
        .. (await tables.ReadAsync(connection => NodeQueries.List(connection, now), ct))
            .Where(node => node.Alive && (now - node.LastBeatAt).Duration() < BeatsWithin),
    ];

    static readonly TimeSpan BeatsWithin = TimeSpan.FromMinutes(1);

    static StoreFact NewSqlite(string path) =>
        new() { Name = path, KnownSchema = SqliteMigrations.All.Count, IsBackedUpByUs = true };
}
