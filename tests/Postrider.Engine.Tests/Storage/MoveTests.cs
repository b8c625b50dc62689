using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Moving;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The move from SQLite to PostgreSQL: what goes, what is refused, and what is noticed.</summary>
public sealed class MoveTests : IAsyncLifetime
{
    static readonly Incarnation Node = new(0, 77);

    readonly ManualClock _clock = new();
    readonly MasterKey _key = MasterKey.Parse(Convert.ToBase64String(new byte[32]), "the test");
    readonly StoredMails _mails;
    readonly SqliteUnderTest _from;
    readonly string _database = PostgresCluster.Shared.Create();

    public MoveTests()
    {
        _mails = new StoredMails(_clock);
        _from = new SqliteUnderTest(_clock);
    }

    PostgresDsn To => PostgresDsn.TryParse(PostgresCluster.Shared.Dsn(_database), out _)!;

    MoveRequest Request => new(_from.Path, To, _key, _from.Options, TimeSpan.FromMinutes(1));

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _from.DisposeAsync();
        PostgresCluster.Shared.Drop(_database);
    }

    Mover Mover(Action<MoveStep>? step = null) =>
        new(Request, _clock, Entropy.System, NullLogger<SqliteStore>.Instance, step ?? (_ => { }));

    [Fact]
    public async Task Every_table_of_both_schemas_is_moved_or_has_a_reason_not_to_be()
    {
        var here = await _from.Sqlite.ReadAsync(
            c => c.Query<string>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").AsList(), default);
        await PostgresStore.MigrateAsync(To, _clock, default);
        await using var connection = Connect();
        var there = (await connection.QueryAsync<string>("""
            SELECT relname::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
            """)).AsList();

        Assert.Equal(MovePlan.Tables.Concat(MovePlan.OnlySource).Order(), here.Order());
        Assert.Equal(MovePlan.Tables.Concat(MovePlan.Derived).Concat(MovePlan.OnlyTarget).Order(), there.Order());
        await _from.Sqlite.ReadAsync(c => MovePlan.Read(c, connection), default);
    }

    // Rows of every table and kind of column; then, table by table, one row that was changed behind the move's back.
    [Fact]
    public async Task Every_column_arrives_and_a_row_that_was_changed_is_noticed_in_every_table()
    {
        await PostgresStore.MigrateAsync(To, _clock, default);
        await using var target = await MoveTarget.OpenAsync(To, _clock, default);
        target.Begin(new MoveMark("id", "there", Done: false, 1), "here", "here", 1);
        await _from.Sqlite.WriteAsync(Fill);
        using var reader = _from.Sqlite.OpenReader();
        var (rows, tables) = (new MoveSource(reader), MovePlan.Read(reader, target.Connection));
        new MoveCopy(rows, target, tables, _ => { }).Run(default);

        var counts = new MoveCheck(rows, target, tables, _ => { }).Run(default).ToDictionary();
        Assert.All(MovePlan.Tables, table => Assert.True(counts[table] >= 3, table));
        Assert.Equal((1L, 3L), (counts["ended"], counts["tagged"]));

        var changeable = tables.Select(t => (t.Name, t.Columns.First(c => c.Type is NpgsqlTypes.NpgsqlDbType.Text
            or NpgsqlTypes.NpgsqlDbType.Bigint or NpgsqlTypes.NpgsqlDbType.Integer).Name));
        foreach (var (table, column) in changeable.Append(("ended", "message")).Append(("tagged", "hash")))
        {
            await using var transaction = await target.Connection.BeginTransactionAsync();
            var type = await target.Connection.ExecuteScalarAsync<string>($"SELECT pg_typeof({column})::text FROM {table} LIMIT 1");
            await target.Connection.ExecuteAsync(type == "text"
                ? $"UPDATE {table} SET {column} = {column} || '.' WHERE {column} = (SELECT max({column}) FROM {table})"
                : $"UPDATE {table} SET {column} = {column} + 1 WHERE {column} = (SELECT max({column}) FROM {table})");
            var noticed = Assert.Throws<MoveRefusedException>(() => new MoveCheck(rows, target, tables, _ => { }).Run(default));
            Assert.Contains($"{table} has", noticed.Message, StringComparison.Ordinal);
            await transaction.RollbackAsync();
        }
        await using (var transaction = await target.Connection.BeginTransactionAsync())
        {
            await target.Connection.ExecuteAsync("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)");
            var noticed = Assert.Throws<MoveRefusedException>(() => new MoveCheck(rows, target, tables, _ => { }).Run(default));
            Assert.Contains("audit has 2 rows of 3", noticed.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Three rows in each table: numbers, texts with letters beyond ASCII and a NUL, bytes, NULL where it may be.</summary>
    static void Fill(SqliteConnection connection)
    {
        foreach (var table in MovePlan.Tables)
        {
            connection.Execute($"DELETE FROM {table}");
            var columns = connection.Query<(string Name, string Type, long Required, long Key)>(
                $"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{table}')").AsList();
            for (var row = 1; row <= 3; row++)
            {
                var values = columns.Select(c => Value(table, c.Name, c.Type, c.Required + c.Key > 0, row));
                connection.Execute($"INSERT INTO {table} VALUES ({string.Join(", ", values)})");
            }
        }
    }

    static string Value(string table, string column, string type, bool isRequired, int row) => (table, column, type) switch
    {
        ("recipients", "address", _) => $"'ann{row}@example.org'",
        ("recipients", "state", _) => row == 3 ? "13" : "1",
        ("messages", "tags", _) => $"'[\"tag{row}\",\"tag{row}\"]'",
        ("events", "at", _) => $"{row * 86_400_000L}",
        (_, _, "TEXT") when isRequired || row == 1 => $"'Grüße ' || char(0) || '{row}'",
        (_, _, "BLOB") when isRequired || row == 1 => $"x'00ff0{row}'",
        (_, _, "INTEGER") when isRequired || row == 1 => $"{(column is "phase" or "cancelled" or "paused" ? row % 2 : row)}",
        _ => "NULL",
    };

    [Fact]
    public async Task Mail_that_was_under_way_waits_on_the_other_side_and_what_was_sent_stays_sent()
    {
        await AcceptAsync("sent@example.org");
        await _from.Sqlite.RecordAsync(_mails.Sent(await LeaseAsync()));
        var cut = await AcceptAsync("cut@example.org");
        await LeaseAsync();
        var waits = await AcceptAsync("waits@example.org");
        await CloseAsync();

        var result = await Mover().RunAsync(default);
        Assert.Equal((1, false), (result.Swept, result.WasDone));
        Assert.Equal(3, result.Rows.Single(r => r.Table == "messages").Rows);

        await using var store = await PostgresUnderTest.OpenStoreAsync(To, _clock);
        var leases = await store.LeaseAsync(StoredMails.Key, 10, store.Member.Incarnation, _clock.GetUtcNow(), alone: false, default);
        Assert.Equal([cut, waits], leases.Select(l => l.Envelope.Id.Message).OrderBy(id => id.Value));
        Assert.True((await store.ReadAsync(c => c.ExecuteScalar<long>("SELECT max(id) FROM messages"), default)) < store.Ids.Next().Value);
    }

    [Fact]
    public async Task A_move_that_ends_anywhere_goes_on_where_it_stopped()
    {
        for (var i = 0; i < 40; i++)
            await AcceptAsync($"r{i}@example.org");
        await CloseAsync();
        var (steps, stops) = (0, 0);
        while (true)
        {
            try
            {
                var left = 3 + stops;   // further each time
                await Mover(_ => Assert.True(left-- > 0, "stop")).RunAsync(default);
                break;
            }
            catch (Xunit.Sdk.TrueException)
            {
                stops++;
                var refused = await Assert.ThrowsAsync<StoreUnusableException>(
                    () => PostgresUnderTest.OpenStoreAsync(To, _clock));
                Assert.Contains("same postrider move", refused.Message, StringComparison.Ordinal);
                Assert.Contains("is being moved", Assert.Throws<StoreUnusableException>(_from.Open).Message, StringComparison.Ordinal);
            }
            Assert.True(++steps < 200);
        }
        Assert.InRange(stops, 10, 200);
        Assert.Contains("was moved to", Assert.Throws<StoreUnusableException>(_from.Open).Message, StringComparison.Ordinal);
        await using var store = await PostgresUnderTest.OpenStoreAsync(To, _clock);
        Assert.Equal(40, (await store.LeaseAsync(
            StoredMails.Key, 100, store.Member.Incarnation, _clock.GetUtcNow(), alone: false, default)).Count);
        await store.DisposeAsync();
        Assert.True((await Mover().RunAsync(default)).WasDone);
    }

    [Fact]
    public async Task What_changed_in_the_target_meanwhile_keeps_both_sides_shut()
    {
        await AcceptAsync("a@example.org");
        await CloseAsync();
        var refused = await Assert.ThrowsAsync<MoveRefusedException>(() => Mover(step =>
        {
            if (step is { Work: "verify", Table: "installation" })
                Execute("UPDATE recipients SET tries = 9");
        }).RunAsync(default));

        Assert.Contains("recipients has rows that differ", refused.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<StoreUnusableException>(() => PostgresUnderTest.OpenStoreAsync(To, _clock));
        Assert.Throws<StoreUnusableException>(_from.Open);
        await UndoAsync(to: null);
        await using var again = _from.Open();
        Assert.Single(await again.LeaseAsync(StoredMails.Key, 10, Node, _clock.GetUtcNow(), alone: false, default));
    }

    [Fact]
    public async Task It_is_refused_while_the_source_is_in_use()
    {
        await Assert.ThrowsAsync<StoreInUseException>(() => Mover().RunAsync(default));
        await Assert.ThrowsAsync<StoreInUseException>(() => Mover().TryAsync(default));
    }

    [Fact]
    public async Task It_is_refused_into_a_database_that_somebody_used()
    {
        await CloseAsync();
        await using (var store = await PostgresUnderTest.OpenStoreAsync(To, _clock))
        {
            var alive = await Assert.ThrowsAsync<MoveRefusedException>(() => Mover().RunAsync(default));
            Assert.Contains("Servers are working on the target (here)", alive.Message, StringComparison.Ordinal);
        }
        var used = await Assert.ThrowsAsync<MoveRefusedException>(() => Mover().RunAsync(default));
        Assert.Contains("is not empty", used.Message, StringComparison.Ordinal);
        await using var source = _from.Open();   // nothing was noted
    }

    [Fact]
    public async Task It_is_refused_into_a_database_that_holds_another_move()
    {
        await CloseAsync();
        await Mover().RunAsync(default);
        var other = new SqliteUnderTest(_clock);
        await other.Sqlite.DisposeAsync();
        var refused = await Assert.ThrowsAsync<MoveRefusedException>(() => new Mover(
            Request with { Path = other.Path }, _clock, Entropy.System, NullLogger<SqliteStore>.Instance, _ => { }).RunAsync(default));
        Assert.Contains($"holds a move of {_from.Path}", refused.Message, StringComparison.Ordinal);
        other.Folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_dry_run_counts_and_changes_nothing()
    {
        await AcceptAsync("a@example.org");
        await CloseAsync();
        var result = await Mover().TryAsync(default);
        Assert.Equal(1, result.Rows.Single(r => r.Table == "messages").Rows);
        await using (_from.Open())
        await using (await PostgresUnderTest.OpenStoreAsync(To, _clock))
        {
        }
    }

    [Fact]
    public async Task A_move_is_taken_back_only_while_no_server_was_started_there()
    {
        await CloseAsync();
        await Mover().RunAsync(default);
        await Assert.ThrowsAsync<MoveRefusedException>(() => UndoAsync(to: null));
        await UndoAsync(To);
        await using (_from.Open())
        {
        }
        var back = await Assert.ThrowsAsync<StoreUnusableException>(() => PostgresUnderTest.OpenStoreAsync(To, _clock));
        Assert.Contains("was taken back", back.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_move_is_not_taken_back_once_a_server_was_started_there()
    {
        await CloseAsync();
        await Mover().RunAsync(default);
        await using (await PostgresUnderTest.OpenStoreAsync(To, _clock))
        {
        }
        var refused = await Assert.ThrowsAsync<MoveRefusedException>(() => UndoAsync(To));
        Assert.Contains("cannot be taken back", refused.Message, StringComparison.Ordinal);
        Assert.Throws<StoreUnusableException>(_from.Open);
    }

    [Fact]
    public async Task Another_master_key_is_refused()
    {
        using (var keys = new SqliteKeyStore(_from.Sqlite))
            await MasterKey.Parse(Convert.ToBase64String([.. Enumerable.Repeat((byte)7, 32)]), "another")
                .VerifyAsync(keys, Entropy.System, default);
        await CloseAsync();
        await Assert.ThrowsAsync<MasterKeyException>(() => Mover().RunAsync(default));
        await using var source = _from.Open();   // nothing was noted
    }

    // A caller read up to somewhere before the move: it goes on from there after it, exactly.
    [Fact]
    public async Task Places_in_the_feed_from_before_go_on_where_they_were()
    {
        for (var i = 0; i < 30; i++)
        {
            await AcceptAsync($"r{i}@example.org");
            if (i % 3 == 0)
                await _from.Sqlite.RecordAsync(_mails.Sent(await LeaseAsync()));
        }
        // A gap, as retention and erasure leave them.
        await _from.Sqlite.WriteAsync(c => c.Execute("DELETE FROM events WHERE id IN (7, 8, 20)"));
        var places = new List<EventCursor> { EventCursor.Start };
        var all = new List<(string, string?)>();
        while (await _from.Sqlite.ReadEventsAsync(TenantId.First, places[^1], new EventFilter(), 1, default) is { Events: [var one] } page)
        {
            all.Add((one.Type, one.Data.EmailId));
            places.Add(page.Next);
        }
        var end = await _from.Sqlite.LatestAsync(default);
        await CloseAsync();
        await Mover().RunAsync(default);

        await using var store = await PostgresUnderTest.OpenStoreAsync(To, _clock);
        Assert.True(all.Count >= 27);
        foreach (var (read, place) in places.Index())
        {
            var rest = await store.ReadEventsAsync(TenantId.First, place, new EventFilter(), 500, default);
            Assert.Equal(all.Skip(read), rest.Events.Select(e => (e.Type, e.Data.EmailId)));
        }
        Assert.Empty((await store.ReadEventsAsync(TenantId.First, end, new EventFilter(), 500, default)).Events);
    }

    [Fact]
    public void Events_keep_their_order_and_are_not_before_their_message_whatever_the_clock_did()
    {
        (long Old, long At, long Message)[] events =
            [(1, 5_000, 0), (2, 4_000, 0), (3, 90_000_000, 0), (4, 6_000, MessageId.Create(95_000_000, 0, 0).Value), (9, 96_000_000, 0)];
        var numbers = new EventNumbers(0);
        var ids = events.Select(e => numbers.Next(e.Old, e.At, e.Message)).ToList();

        Assert.Equal(ids.Order(), ids);
        Assert.Equal(ids.Distinct(), ids);
        Assert.All(events.Zip(ids), e => Assert.True(e.Second >= e.First.Message));
        Assert.Equal([(1, 4), (9, 9)], numbers.Runs.Select(r => (r.FirstOld, r.LastOld)));
        var goesOn = new EventNumbers(ids[2]);   // broken off after the third
        Assert.Equal(ids[3..], events[3..].Select(e => goesOn.Next(e.Old, e.At, e.Message)));
    }

    async Task<MessageId> AcceptAsync(string to)
    {
        var message = _mails.Make(to);
        await _from.Sqlite.AcceptAsync(StoredMails.Accept(message), default);
        return message.Id;
    }

    async Task<Lease> LeaseAsync() =>
        Assert.Single(await _from.Sqlite.LeaseAsync(StoredMails.Key, 1, Node, _clock.GetUtcNow(), alone: false, default));

    /// <summary>As a server that ends in order.</summary>
    async Task CloseAsync() => await _from.Sqlite.DisposeAsync();

    Task UndoAsync(PostgresDsn? to) => Postrider.Storage.Moving.Mover.UndoAsync(
        _from.Path, to, _from.Options, _clock, NullLogger<SqliteStore>.Instance, default);

    NpgsqlConnection Connect()
    {
        var connection = new NpgsqlConnection(
            PostgresCluster.Shared.ConnectionString.Replace("Database=postgres", $"Database={_database}", StringComparison.Ordinal));
        connection.Open();
        return connection;
    }

    void Execute(string sql)
    {
        using var connection = Connect();
        connection.Execute(sql);
    }
}
