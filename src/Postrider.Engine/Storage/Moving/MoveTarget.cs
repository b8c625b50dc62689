using Npgsql;
using NpgsqlTypes;
using Postrider.Messages;
using Postrider.Storage.Postgres;

namespace Postrider.Storage.Moving;

/// <summary>Which move a target holds, and how far it has come.</summary>
enum MoveState : short
{
    Filling = 1,
    Done = 2,
    TakenBack = 3,
}

/// <summary>How far the copy of one table has come.</summary>
/// <param name="After">The key of the last row; null: none yet.</param>
/// <param name="NewestEvent">The number that the last event got.</param>
sealed record TableProgress(string? After, long Rows, long NewestEvent, bool Done);

/// <summary>The PostgreSQL side of a move: one session, which holds the right to move into it and does all the writing.</summary>
sealed class MoveTarget(PostgresDatabase database, NpgsqlConnection connection) : IAsyncDisposable
{
    const long MoveLock = 0x6D6F_7665;   // "move" as a number
    static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);

    public NpgsqlConnection Connection => connection;

    /// <summary>Takes the lock, waiting a while for the session of a move that was killed to end.</summary>
    public static async Task<MoveTarget> OpenAsync(PostgresDsn dsn, TimeProvider clock, CancellationToken ct)
    {
        var database = new PostgresDatabase(dsn);
        try
        {
            await database.CheckAsync(ct);
            var connection = await database.Tables.OpenConnectionAsync(ct);
            var target = new MoveTarget(database, connection);
            // It copies for as long as it takes.
            target.Run("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0");
            var began = clock.GetTimestamp();
            while (target.Ask<bool>($"SELECT pg_try_advisory_lock({MoveLock})") is not true)
            {
                if (clock.GetElapsedTime(began) > LockPatience)
                    throw new StoreInUseException($"Another postrider move is working on {dsn}. Wait for it, or stop it.");
                await Task.Delay(TimeSpan.FromSeconds(1), clock, ct);
            }
            return target;
        }
        catch (Exception e)
        {
            await database.DisposeAsync();
            if (e is NpgsqlException or TimeoutException or IOException)
                throw new StoreUnavailableException($"{dsn} cannot be opened: {PostgresFault.Words(e)}", e);
            throw;
        }
    }

    public Task MigrateAsync(long now, CancellationToken ct) => database.MigrateAsync(Migrations.PostgresMigrations.All, now, ct);

    public bool Has(string table) => Ask<bool>($"SELECT to_regclass('{table}') IS NOT NULL") is true;

    /// <summary>Null: nothing was ever moved here.</summary>
    public (string Id, string Source, MoveState State)? Move()
    {
        if (!Has("moves"))
            return null;
        using var command = new NpgsqlCommand("SELECT id, source, state FROM moves", connection);
        using var reader = command.ExecuteReader();
        return reader.Read() ? (reader.GetString(0), reader.GetString(1), (MoveState)reader.GetInt16(2)) : null;
    }

    /// <summary>Names of nodes that have not left.</summary>
    public List<string> NodesAlive() => Has("nodes") ? Names("SELECT name FROM nodes WHERE alive") : [];

    /// <summary>A server was started on what was moved.</summary>
    public bool WasUsed() => Ask<bool>("SELECT EXISTS (SELECT FROM nodes WHERE incarnation > 0)") is true;

    /// <summary>Tables with rows of somebody else's.</summary>
    public List<string> Filled() => [.. MovePlan.Tables.Append("nodes").Where(table => Has(table) && Ask<bool>(
        $"SELECT EXISTS (SELECT FROM {table} {(MovePlan.Seeded.Contains(table) ? "WHERE revision <> 1" : "")})"))];

    /// <summary>From here on nothing but this move goes on with it, and no server starts.</summary>
    public void Begin(MoveMark mark, string source, string nodeName, long now)
    {
        using var transaction = connection.BeginTransaction();
        Run($"DELETE FROM {string.Join("; DELETE FROM ", MovePlan.Seeded)}");
        Run("INSERT INTO moves (id, source, state, started) VALUES ($1, $2, $3, $4)",
            Sql.Text(mark.Id), Sql.Text(source), State(MoveState.Filling), Sql.Long(now));
        // The node that did everything so far: timelines go on naming it, and whoever has its name gets its number.
        Run("""
            INSERT INTO nodes (id, incarnation, beat, alive, name, host, address, roles, version, started, last_beat, in_flight)
            VALUES (0, 0, 0, false, $1, $1, '', '', '', $2, $2, 0)
            """, Sql.Text(nodeName), Sql.Long(now));
        transaction.Commit();
    }

    public void Set(MoveState state, long now) =>
        Run("UPDATE moves SET state = $1, ended = $2", State(state), Sql.Long(now));

    public async Task MakeDaysAsync(List<long> days, CancellationToken ct)
    {
        foreach (var day in days.TakeLast(MostDays))
            await EventPartitions.MakeDayAsync(database.Tables, DateTimeOffset.FromUnixTimeMilliseconds(day * 86_400_000), ct);
    }

    /// <summary>What is older lies in one table, and goes row by row.</summary>
    const int MostDays = 400;

    public TableProgress Progress(string table)
    {
        using var command = new NpgsqlCommand("SELECT after, rows, newest_event, done FROM move_progress WHERE name = $1", connection);
        command.Parameters.Add(Sql.Text(table));
        using var reader = command.ExecuteReader();
        return reader.Read()
            ? new TableProgress(reader.TextOrNull(0), reader.GetInt64(1), reader.GetInt64(2), reader.GetBoolean(3))
            : new TableProgress(null, 0, 0, false);
    }

    /// <summary>Rows, what follows from them, and how far they go: all of it or nothing.</summary>
    public void Write(MovedTable table, List<object?[]> rows, DerivedRows derived, List<EventRun> runs, TableProgress progress)
    {
        using var transaction = connection.BeginTransaction();
        Copy(table.Name, table.ColumnList, [.. table.Columns.Select(c => c.Type)], rows);
        Copy("ended", "state, message, n", [NpgsqlDbType.Smallint, NpgsqlDbType.Bigint, NpgsqlDbType.Integer], derived.Ended);
        Copy("tagged", "hash, message", [NpgsqlDbType.Bigint, NpgsqlDbType.Bigint], derived.Tagged);
        Copy("moved_events", "first_old, last_old, first, last", [.. Enumerable.Repeat(NpgsqlDbType.Bigint, 4)],
            runs.ConvertAll(r => new object?[] { r.FirstOld, r.LastOld, r.First, r.Last }));
        Run("""
            INSERT INTO move_progress (name, after, rows, newest_event, done) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO UPDATE SET after = excluded.after, rows = excluded.rows, newest_event = excluded.newest_event,
                done = excluded.done
            """, Sql.Text(table.Name), Sql.Text(progress.After), Sql.Long(progress.Rows), Sql.Long(progress.NewestEvent),
            Sql.Flag(progress.Done));
        transaction.Commit();
    }

    void Copy(string table, string columns, NpgsqlDbType[] types, List<object?[]> rows)
    {
        if (rows.Count == 0)
            return;
        using var import = connection.BeginBinaryImport($"COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)");
        foreach (var row in rows)
        {
            import.StartRow();
            for (var i = 0; i < types.Length; i++)
                Write(import, row[i], types[i]);
        }
        import.Complete();
    }

    static void Write(NpgsqlBinaryImporter import, object? value, NpgsqlDbType type)
    {
        switch (value)
        {
            case null:
                import.WriteNull();
                break;
            case long number when type == NpgsqlDbType.Bigint:
                import.Write(number, type);
                break;
            case long number when type == NpgsqlDbType.Integer:
                import.Write(checked((int)number), type);
                break;
            case long number when type == NpgsqlDbType.Smallint:
                import.Write(checked((short)number), type);
                break;
            case long number when type == NpgsqlDbType.Boolean:
                import.Write(number != 0, type);
                break;
            case long number when type == NpgsqlDbType.Xid8:
                import.Write((ulong)number, type);
                break;
            case string text when type == NpgsqlDbType.Text:
                import.Write(text, type);
                break;
            case byte[] bytes when type == NpgsqlDbType.Bytea:
                import.Write(bytes, type);
                break;
            default:
                throw new InvalidDataException($"A {value.GetType().Name} cannot go into a column of type {type}.");
        }
    }

    /// <summary>Numbers that the target gives out go on behind those that were given.</summary>
    public void ContinueNumbers(Dictionary<string, long> sequences)
    {
        foreach (var table in Names(
            "SELECT table_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'"))
        {
            var newest = Math.Max(Ask<long>($"SELECT coalesce(max(id), 0) FROM {table}"), sequences.GetValueOrDefault(table));
            if (newest > 0)
                Run($"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {newest})");
        }
    }

    public void Analyze() => Run("ANALYZE");

    /// <summary>Adds up what a table has.</summary>
    public RowSum Sum(string table, IReadOnlyList<MovedColumn> columns, Action<long> seen, CancellationToken ct)
    {
        var sum = new RowSum();
        var list = string.Join(", ", columns.Select(c => c.Type switch
        {
            NpgsqlDbType.Boolean or NpgsqlDbType.Smallint or NpgsqlDbType.Integer => $"{c.Name}::int::bigint",
            NpgsqlDbType.Xid8 => $"{c.Name}::text::bigint",
            _ => c.Name,
        }));
        using var export = connection.BeginBinaryExport($"COPY (SELECT {list} FROM {table}) TO STDOUT (FORMAT BINARY)");
        var row = new object?[columns.Count];
        while (export.StartRow() >= 0)
        {
            for (var i = 0; i < row.Length; i++)
                row[i] = Read(export, columns[i].Type);
            sum.Add(row);
            if (sum.Rows % 1000 == 0)
            {
                ct.ThrowIfCancellationRequested();
                seen(sum.Rows);
            }
        }
        return sum;
    }

    static object? Read(NpgsqlBinaryExporter export, NpgsqlDbType type)
    {
        if (export.IsNull)
        {
            export.Skip();
            return null;
        }
        return type switch
        {
            NpgsqlDbType.Text => export.Read<string>(type),
            NpgsqlDbType.Bytea => export.Read<byte[]>(type),
            _ => export.Read<long>(NpgsqlDbType.Bigint),
        };
    }

    static NpgsqlParameter<short> State(MoveState state) =>
        new NpgsqlParameter<short> { TypedValue = (short)state, NpgsqlDbType = NpgsqlDbType.Smallint };

    T Ask<T>(string sql)
    {
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return (T)command.ExecuteScalar()!;
    }

    List<string> Names(string sql)
    {
        using var command = new NpgsqlCommand(sql, connection);
        using var reader = command.ExecuteReader();
        var names = new List<string>();
        while (reader.Read())
            names.Add(reader.GetString(0));
        return names;
    }

    void Run(string sql, params NpgsqlParameter[] parameters)
    {
        using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        command.Parameters.AddRange(parameters);
        command.ExecuteNonQuery();
    }

    public async ValueTask DisposeAsync()
    {
        await connection.DisposeAsync();
        await database.DisposeAsync();
    }
}
