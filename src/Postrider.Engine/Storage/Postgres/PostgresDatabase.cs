using Npgsql;
using Postrider.Storage.Migrations;

namespace Postrider.Storage.Postgres;

/// <summary>Connections to one PostgreSQL database: their settings, and the checks of what no setting of ours can mend.</summary>
sealed class PostgresDatabase : IAsyncDisposable
{
    const int OldestVersion = 150000;

    /// <summary>Every node asks for it before it changes the schema: "postrider" as a number.</summary>
    const long MigrationLock = 0x706F_7374_7269_6465;

    /// <summary>Connections that are held for good: two writers, one that listens.</summary>
    const int Held = 3;

    // A process that freezes must not hold rows; and what hangs is better an error than a standstill.
    static readonly string Common = $"-c idle_in_transaction_session_timeout={ServerSettings.IdleMilliseconds} -c lock_timeout=5s "
        + "-c default_transaction_isolation=read\\ committed -c jit=off -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "
        + "-c tcp_keepalives_count=3";

    // Statements of the writers find single rows: whatever the statistics say of tables that fill and empty by the minute, an index is
    // right.
    static readonly string Writing = $"{Common} -c statement_timeout=30s -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off "
        + "-c plan_cache_mode=force_generic_plan";

    readonly PostgresDsn _dsn;

    public PostgresDatabase(PostgresDsn dsn)
    {
        _dsn = dsn;
        var tables = Math.Max(2, (dsn.Connections - Held) / 4);
        var readers = dsn.Connections - Held - tables;
        ReadersAtOnce = Math.Max(1, readers / 2);
        Writers = Source(Writing, Held + 1);
        Tables = Source($"{Common} -c statement_timeout=30s", tables);
        Readers = Source($"{Common} -c statement_timeout=5s -c default_transaction_read_only=on", readers, keepsNothing: true);
    }

    /// <summary>People's reads at a time; the other half of the readers is the dispatcher's.</summary>
    public int ReadersAtOnce { get; }

    /// <summary>For the connections that are held.</summary>
    public NpgsqlDataSource Writers { get; }

    /// <summary>For what other rooms keep in tables of their own.</summary>
    public NpgsqlDataSource Tables { get; }

    /// <summary>For what people ask; cut after 5 s.</summary>
    public NpgsqlDataSource Readers { get; }

    /// <param name="keepsNothing">Nobody leaves anything in a session: it need not be reset, by seven statements, each time.</param>
    NpgsqlDataSource Source(string options, int most, bool keepsNothing = false)
    {
        var settings = new NpgsqlConnectionStringBuilder
        {
            Host = _dsn.Hosts,
            Username = _dsn.User,
            Password = _dsn.Password,
            Database = _dsn.Database,
            SearchPath = _dsn.Schema,
            SslMode = _dsn.SslMode,
            RootCertificate = _dsn.RootCertificate,
            ApplicationName = "postrider",
            Options = options,
            MaxPoolSize = most,
            Timeout = 10,
            // The server's own limit comes first.
            CommandTimeout = 40,
            CancellationTimeout = 2000,
            TcpKeepAlive = true,
            KeepAlive = 10,
            MaxAutoPrepare = 100,
            AutoPrepareMinUsages = 2,
            IncludeErrorDetail = false,
            NoResetOnClose = keepsNothing,
        };
        var builder = new NpgsqlDataSourceBuilder(settings.ToString());
        return _dsn.Hosts.Contains(',', StringComparison.Ordinal)
            ? builder.BuildMultiHost().WithTargetSession(TargetSessionAttributes.Primary)
            : builder.Build();
    }

    /// <summary>Refuses a server that would lose what it acknowledged, or that is too old.</summary>
    /// <exception cref="StoreUnusableException">With all faults and what to do.</exception>
    public async Task CheckAsync(CancellationToken ct)
    {
        var faults = await FaultsAsync(ct);
        if (faults.Count > 0)
            throw new StoreUnusableException(
                $"The PostgreSQL server of {_dsn} cannot keep mail safe: {string.Join(" ", faults)}");
    }

    /// <summary>What of the server's settings is unsafe, each with what to do.</summary>
    public async Task<IReadOnlyList<string>> FaultsAsync(CancellationToken ct)
    {
        var settings = new Dictionary<string, string>();
        await using (var command = Writers.CreateCommand(
            $"SELECT name, setting FROM pg_settings WHERE name IN ('{string.Join("','", ServerSettings.Names)}')"))
        await using (var reader = await command.ExecuteReaderAsync(ct))
        {
            while (await reader.ReadAsync(ct))
                settings[reader.GetString(0)] = reader.GetString(1);
        }
        return ServerSettings.Faults(settings, OldestVersion, _dsn.IsRelaxed);
    }

    /// <summary>Brings the schema to the newest version, each step in a transaction of its own. Nodes that start together wait for each
    /// other. Returns how many steps were done.</summary>
    /// <exception cref="StoreUnusableException">Made by a program two or more releases of the schema ahead.</exception>
    public async Task<int> MigrateAsync(IReadOnlyList<Migration> migrations, long now, CancellationToken ct)
    {
        await using var connection = await Tables.OpenConnectionAsync(ct);
        // An index on a large table takes its time.
        await RunAsync(connection, "SET statement_timeout = 0; SET lock_timeout = 0", ct);
        if (_dsn.Schema is { } schema)
            await RunAsync(connection, $"CREATE SCHEMA IF NOT EXISTS {schema}", ct);
        await RunAsync(connection, $"SELECT pg_advisory_lock({MigrationLock})", ct);
        try
        {
            await RunAsync(connection, """
                CREATE TABLE IF NOT EXISTS schema_version (version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)
                """, ct);
            return await StepAsync(connection, migrations, now, ct);
        }
        finally
        {
            await RunAsync(connection, $"SELECT pg_advisory_unlock({MigrationLock})", CancellationToken.None);
            await RunAsync(connection, "RESET statement_timeout; RESET lock_timeout", CancellationToken.None);
        }
    }

    static async Task<int> StepAsync(NpgsqlConnection connection, IReadOnlyList<Migration> migrations, long now, CancellationToken ct)
    {
        await using var newest = new NpgsqlCommand("SELECT coalesce(max(version), 0) FROM schema_version", connection);
        var current = (int)(await newest.ExecuteScalarAsync(ct))!;
        // Steps only add, so this program can work beside the next one while nodes are replaced; further ahead nobody has looked.
        if (current > migrations.Count + MostAhead)
            throw new StoreUnusableException($"The database has schema version {current}, made by a newer Postrider; "
                + $"this one knows up to {migrations.Count}. Use the newer program, or restore the backup from before the upgrade.");
        var steps = migrations.Where(m => m.Version > current).ToList();
        foreach (var migration in steps)
        {
            await using var transaction = await connection.BeginTransactionAsync(ct);
            await RunAsync(connection, migration.Sql, ct);
            await using var note = new NpgsqlCommand(
                "INSERT INTO schema_version (version, name, applied_at) VALUES ($1, $2, $3)", connection);
            note.Parameters.AddRange((NpgsqlParameter[])[Sql.Int(migration.Version), Sql.Text(migration.Name), Sql.Long(now)]);
            await note.ExecuteNonQueryAsync(ct);
            await transaction.CommitAsync(ct);
        }
        return steps.Count;
    }

    /// <summary>Steps that one release may bring: a program works with a schema of the next one.</summary>
    public const int MostAhead = 3;

    static async Task RunAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async ValueTask DisposeAsync()
    {
        await Writers.DisposeAsync();
        await Tables.DisposeAsync();
        await Readers.DisposeAsync();
    }
}
