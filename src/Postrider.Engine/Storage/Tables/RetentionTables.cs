using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Postgres;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Tables;

/// <summary>Deletes what is old, in the store's database. What is looked through is read beside the writer; the writer is given short lists
/// of ids, and tests them again.</summary>
/// <remarks>
/// A cursor runs through messages and batches by id, which is by age, and never comes back. What it passes that is open or too young is
/// noted in <c>retention_waits</c> and looked at again when it may be due. So a look costs what there is to delete, not what is stored.
/// </remarks>
public sealed class RetentionTables(ITableStore store, TimeProvider clock) : IRetentionStore
{
    /// <summary>Of the writer's time, for a piece on SQLite, where everybody waits for it.</summary>
    static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(2);

    const int FirstPiece = 32;
    const int LargestPiece = 500;

    readonly PostgresStore? _postgres = store as PostgresStore;
    readonly int[] _pieces = [.. Enumerable.Repeat(FirstPiece, Enum.GetValues<RetentionKind>().Length + 1)];

    public Task<RetentionTurn?> TakeTurnAsync(DateTimeOffset now, DateTimeOffset until) => store.WriteAsync<RetentionTurn?>(connection =>
        connection.QueryFirstOrDefault<TurnRow>("""
            UPDATE retention SET hand_until = @until, revision = revision + 1
            WHERE hand_until <= @now AND kind = (SELECT kind FROM retention WHERE hand_until <= @now ORDER BY hand_until, kind LIMIT 1)
            RETURNING kind, cursor, revision
            """, new { now = now.Ms, until = until.Ms }) is { } row
            ? new RetentionTurn((RetentionKind)row.Kind, row.Cursor, row.Revision)
            : null, isBulk: true);

    public Task EndTurnAsync(RetentionTurn turn, RetentionPiece done, DateTimeOffset now, DateTimeOffset next) =>
        store.WriteAsync(connection => connection.Execute("""
            UPDATE retention SET cursor = @Cursor, hand_until = @next, removed = removed + @Rows, bytes = bytes + @Bytes,
                last_at = CASE WHEN @Rows > 0 THEN @now ELSE last_at END
            WHERE kind = @kind AND revision = @Revision
            """, new { done.Cursor, next = next.Ms, done.Rows, done.Bytes, now = now.Ms, kind = (int)turn.Kind, turn.Revision }),
            isBulk: true);

    public Task<RetentionPiece> PurgeAsync(RetentionKind kind, long cursor, DateTimeOffset before, CancellationToken ct) => kind switch
    {
        RetentionKind.Bodies or RetentionKind.Messages => MessagesAsync(kind, cursor, before, ct),
        RetentionKind.BatchBodies or RetentionKind.Batches => BatchesAsync(kind, cursor, before, ct),
        RetentionKind.Events => EventsAsync(cursor, before, ct),
        RetentionKind.Audit => OldestAsync(kind, "audit", before),
        RetentionKind.Inbox => OldestAsync(kind, "inbox", before),
        RetentionKind.Quarantine => OldestAsync(kind, "feedback_quarantine", before),
        RetentionKind.RefusedCalls => OldestAsync(kind, "refused_calls", before),
        RetentionKind.Runs => DeleteAsync(kind, (connection, most) => connection.Execute("""
            DELETE FROM schedule_runs WHERE id IN (
                SELECT r.id FROM schedule_runs r WHERE r.id < @cut AND r.ran_at < @before AND r.told <> 0
                    AND r.id < (SELECT max(n.id) FROM schedule_runs n WHERE n.schedule = r.schedule)
                ORDER BY r.id LIMIT @most)
            """, new { cut = CutOf(before), before = before.Ms, most })),
        RetentionKind.Counts => CountsAsync(before, ct),
        RetentionKind.Search => SearchAsync(before, ct),
        RetentionKind.Jobs => DeleteAsync(kind, (connection, most) => connection.Execute("""
            DELETE FROM dead_letter_jobs WHERE id IN (
                SELECT id FROM dead_letter_jobs WHERE state <> 0 AND ended < @before ORDER BY id LIMIT @most)
            """, new { before = before.Ms, most })),
        RetentionKind.Erasures => DeleteAsync(kind, (connection, most) => connection.Execute("""
            DELETE FROM erasures WHERE id IN (SELECT id FROM erasures WHERE state <> 0 AND ended < @before ORDER BY id LIMIT @most)
            """, new { before = before.Ms, most })),
        RetentionKind.Schedules => DeleteAsync(kind, (connection, most) => OldSchedules.Remove(connection, before.Ms, most)),
        RetentionKind.OwnLists => DeleteAsync(
            kind, (connection, most) => OldSchedules.RemoveLists(connection, before.Ms, clock.GetUtcNow().Ms, most)),
        RetentionKind.Suppressions => DeleteAsync(kind, (connection, most) => connection.Execute("""
            DELETE FROM suppressions WHERE (tenant, address_hash, stream) IN
                (SELECT tenant, address_hash, stream FROM suppressions WHERE until <= @before ORDER BY until LIMIT @most)
            """, new { before = before.Ms, most })),
    };

    async Task<RetentionPiece> MessagesAsync(RetentionKind kind, long cursor, DateTimeOffset before, CancellationToken ct)
    {
        var most = _pieces[(int)kind];
        var (found, waited) = await store.ReadAsync(connection =>
        {
            var due = DueWaits(connection, kind, before, most);
            return (due.Count > 0
                ? OldMessages.Look(connection, kind, due)
                : OldMessages.Look(connection, kind, cursor, CutOf(before), most), due);
        }, ct);
        if (found.Count == 0 && waited.Count == 0)
            return new RetentionPiece(cursor, 0, 0, HasMore: false);
        var now = clock.GetUtcNow().Ms;
        var old = found.FindAll(m => m.IsOld(kind, before.Ms));
        var (rows, bytes) = await WriteAsync(kind, connection =>
        {
            var removed = OldMessages.Remove(connection, kind, old, before.Ms);
            var gone = removed.Select(m => m.Id).ToHashSet();
            Forget(connection, kind, waited);
            Wait(connection, kind, [.. found.Where(m => !gone.Contains(m.Id)).Select(m => (m.Id, m.WaitsFrom(now)))]);
            return (removed.Count, removed.Sum(m => m.Bytes));
        });
        return new RetentionPiece(waited.Count > 0 ? cursor : found[^1].Id, rows, bytes, HasMore: true);
    }

    async Task<RetentionPiece> BatchesAsync(RetentionKind kind, long cursor, DateTimeOffset before, CancellationToken ct)
    {
        // One at a time: it may have a million messages to look at.
        var (batch, waited) = await store.ReadAsync(connection =>
        {
            var due = DueWaits(connection, kind, before, 1);
            return (due.Count > 0
                ? OldBatches.Look(connection, kind, due[0] - 1, due[0] + 1)
                : OldBatches.Look(connection, kind, cursor, CutOf(before)), due);
        }, ct);
        if (batch is null && waited.Count == 0)
            return new RetentionPiece(cursor, 0, 0, HasMore: false);
        if (batch is null)
        {
            await store.WriteAsync(connection => Forget(connection, kind, waited), isBulk: true);
            return new RetentionPiece(cursor, 0, 0, HasMore: true);
        }
        var next = waited.Count > 0 ? cursor : batch.Id;
        if (!batch.IsOpen && !batch.IsNeeded)
        {
            var most = _pieces[(int)kind];
            var (done, rows, bytes) = await WriteAsync(kind, connection => OldBatches.Remove(connection, kind, batch, most));
            return new RetentionPiece(done ? next : next == batch.Id ? cursor : next, rows, bytes, HasMore: true);
        }
        await store.WriteAsync(connection =>
        {
            Wait(connection, kind, [(batch.Id, (before + OldBatches.LookAgain).Ms)]);
            return OldBatches.Remind(connection, kind, batch, clock.GetUtcNow().Ms);
        }, isBulk: true);
        return new RetentionPiece(next, 0, 0, HasMore: true);
    }

    /// <summary>The cursor is the instant of the newest event that is gone, noted with the removal: whoever was not told yet of all before
    /// it has missed something.</summary>
    async Task<RetentionPiece> EventsAsync(long cursor, DateTimeOffset before, CancellationToken ct)
    {
        var kind = (int)RetentionKind.Events;
        if (_postgres is not null)
        {
            var days = await _postgres.DropEventsBeforeAsync(before, ct);
            var newest = await store.ReadAsync(connection => connection.ExecuteScalar<long>(
                "SELECT cursor FROM retention WHERE kind = @kind", new { kind }), ct);
            return new RetentionPiece(newest, days, 0, HasMore: false);
        }
        var most = _pieces[kind];
        var gone = await WriteAsync(RetentionKind.Events, connection =>
        {
            // Numbers go on from the newest: it stays, or cursors of the feed would meet theirs again.
            var times = connection.Query<long>("""
                DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT @most) AND at < @before
                    AND id < (SELECT max(id) FROM events)
                RETURNING at
                """, new { before = before.Ms, most }).AsList();
            if (times.Count > 0)
                connection.Execute(
                    "UPDATE retention SET cursor = max(cursor, @newest) WHERE kind = @kind", new { newest = times.Max(), kind });
            return times;
        });
        return new RetentionPiece(Math.Max(cursor, gone.Count == 0 ? 0 : gone.Max()), gone.Count, 0, HasMore: gone.Count == most);
    }

    /// <summary>Of a table whose ids are given in the order of time.</summary>
    Task<RetentionPiece> OldestAsync(RetentionKind kind, string table, DateTimeOffset before) => DeleteAsync(
        kind, (connection, most) => connection.Execute(
            $"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT @most) AND at < @before",
            new { before = before.Ms, most }));

    async Task<RetentionPiece> DeleteAsync(RetentionKind kind, Func<DbConnection, int, int> delete)
    {
        var most = _pieces[(int)kind];
        var rows = await WriteAsync(kind, connection => delete(connection, most));
        return new RetentionPiece(0, rows, 0, HasMore: rows == most);
    }

    /// <summary>A day of one tenant at a time. Nobody adds to hours that are over.</summary>
    async Task<RetentionPiece> CountsAsync(DateTimeOffset before, CancellationToken ct)
    {
        var day = await store.ReadAsync(connection => connection.QueryFirstOrDefault<DayRow>("""
            SELECT scope, hour / 24 AS day FROM counters WHERE scope <= 2147483647 AND hour > 0 AND hour < @first
            GROUP BY scope, hour / 24 HAVING count(*) > count(DISTINCT state) LIMIT 1
            """, new { first = before.Ms / 86_400_000 * 24 }), ct);
        if (day is null)
            return default;
        var rows = await store.WriteAsync(connection =>
        {
            var range = new { day.Scope, first = day.Day * 24, last = day.Day * 24 + 23 };
            var sums = connection.Query<(int State, long Sum)>("""
                SELECT state, CAST(sum(delta) AS bigint) FROM counters WHERE scope = @Scope AND hour BETWEEN @first AND @last GROUP BY state
                """, range).AsList();
            var gone = connection.Execute("DELETE FROM counters WHERE scope = @Scope AND hour BETWEEN @first AND @last", range);
            connection.Execute("INSERT INTO counters (scope, state, hour, node, delta) VALUES (@Scope, @State, @first, 0, @Sum)",
                sums.Select(s => new { day.Scope, s.State, range.first, s.Sum }));
            return gone - sums.Count;
        }, isBulk: true);
        return new RetentionPiece(0, rows, 0, HasMore: true);
    }

    /// <summary>PostgreSQL's entries go with their message.</summary>
    async Task<RetentionPiece> SearchAsync(DateTimeOffset before, CancellationToken ct)
    {
        if (_postgres is not null)
            return default;
        var bucket = await store.ReadAsync(connection => connection.ExecuteScalar<long?>("""
            SELECT bucket FROM search_runs r WHERE high < @cut AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id BETWEEN r.low AND r.high)
            ORDER BY bucket LIMIT 1
            """, new { cut = CutOf(before) }), ct);
        if (bucket is null)
            return default;
        var piece = await DeleteAsync(RetentionKind.Search, (connection, most) =>
        {
            var rows = connection.Execute("""
                DELETE FROM search WHERE bucket = @bucket
                    AND (hash, message) IN (SELECT hash, message FROM search WHERE bucket = @bucket LIMIT @most)
                """, new { bucket, most });
            if (rows < most)
                connection.Execute("DELETE FROM search_runs WHERE bucket = @bucket", new { bucket });
            return rows;
        });
        return piece with { HasMore = true };
    }

    public async Task<RetentionStatus> LookAsync(RetentionKind kind, DateTimeOffset? before, CancellationToken ct)
    {
        var row = await store.ReadAsync(connection => connection.QuerySingle<StatusRow>(
            "SELECT removed, bytes, last_at AS LastAt FROM retention WHERE kind = @kind", new { kind = (int)kind }), ct);
        (long? Rows, long? Bytes) due = before is null ? (0, 0) : (null, null);
        try
        {
            if (before is { } instant && RetentionForecast.Sql(kind, _postgres is not null) is { } sql)
                due = await store.ReadAsync(connection => connection.QuerySingle<(long, long?)>(
                    sql, new { cut = CutOf(instant), before = instant.Ms }), ct) is var (rows, bytes) ? (rows, bytes ?? 0) : due;
        }
        catch (TimeoutException)
        {
            // Too many to be counted.
        }
        return new RetentionStatus(kind, row.Removed, row.Bytes,
            row.LastAt is { } at ? Instant.From(at) : null, due.Rows, due.Bytes);
    }

    /// <summary>A piece, and the size of the next one: on SQLite so that it keeps to the budget.</summary>
    async Task<T> WriteAsync<T>(RetentionKind kind, Func<DbConnection, T> write)
    {
        var took = TimeSpan.Zero;
        var result = await store.WriteAsync(connection =>
        {
            var started = clock.GetTimestamp();
            var done = write(connection);
            took = clock.GetElapsedTime(started);
            return done;
        }, isBulk: true);
        ref var piece = ref _pieces[(int)kind];
        if (_postgres is null && took > Budget)
            piece = Math.Max(1, piece / 2);
        else if (_postgres is not null || took < Budget / 2)
            piece = Math.Min(LargestPiece, piece + piece / 4 + 1);
        return result;
    }

    static long CutOf(DateTimeOffset before) => MessageId.Create(before.Ms, 0, 0).Value;

    // Uses retention_waits_at (kind, at, message).
    static List<long> DueWaits(DbConnection connection, RetentionKind kind, DateTimeOffset before, int most) => connection.Query<long>(
        "SELECT message FROM retention_waits WHERE kind = @kind AND at <= @before ORDER BY at, message LIMIT @most",
        new { kind = (int)kind, before = before.Ms, most }).AsList();

    static int Forget(DbConnection connection, RetentionKind kind, List<long> ids) => ids.Count == 0 ? 0 : connection.Execute(
        $"DELETE FROM retention_waits WHERE kind = @kind AND message IN ({Ids.List(ids)})", new { kind = (int)kind });

    static void Wait(DbConnection connection, RetentionKind kind, IReadOnlyList<(long Id, long At)> waits)
    {
        if (waits.Count > 0)
            connection.Execute($"""
                INSERT INTO retention_waits (kind, message, at)
                VALUES {string.Join(", ", waits.Select(w => string.Create(
                    System.Globalization.CultureInfo.InvariantCulture, $"({(int)kind}, {w.Id}, {w.At})")))}
                ON CONFLICT (kind, message) DO UPDATE SET at = excluded.at
                """);
    }

    sealed class TurnRow
    {
        public int Kind { get; init; }
        public long Cursor { get; init; }
        public long Revision { get; init; }
    }

    sealed class DayRow
    {
        public long Scope { get; init; }
        public long Day { get; init; }
    }

    sealed class StatusRow
    {
        public long Removed { get; init; }
        public long Bytes { get; init; }
        public long? LastAt { get; init; }
    }
}

/// <summary>Numbers of our own in a statement: no text of a caller's gets there.</summary>
static class Ids
{
    public static string List(IEnumerable<long> ids) =>
        string.Join(", ", ids.Select(id => id.ToString(System.Globalization.CultureInfo.InvariantCulture)));
}

/// <summary>How much is due of each kind.</summary>
static class RetentionForecast
{
    const string Ended = """
        m.id < @cut AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.message = m.id)
            AND NOT EXISTS (SELECT 1 FROM recipients r WHERE r.message = m.id AND (r.state IN (1, 4) OR r.updated > @before))
        """;

    /// <summary>Null: it is not counted.</summary>
    public static string? Sql(RetentionKind kind, bool isPostgres) => kind switch
    {
        RetentionKind.Bodies => $"""
            SELECT count(*), CAST(sum(length(m.content)) AS bigint) FROM messages m WHERE length(m.content) > 1 AND {Ended}
                AND NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.message = m.id AND d.state <> 0)
            """,
        RetentionKind.Messages => $"""
            SELECT count(*), CAST(sum(CASE WHEN length(m.content) > 1 THEN length(m.content) END) AS bigint) FROM messages m WHERE {Ended}
            """,
        RetentionKind.Events => isPostgres
            ? "SELECT count(*), CAST(sum(length(details)) AS bigint) FROM events WHERE id < @cut"
            : "SELECT count(*), CAST(sum(length(details)) AS bigint) FROM events WHERE at < @before",
        RetentionKind.Audit => "SELECT count(*), CAST(0 AS bigint) FROM audit WHERE at < @before",
        RetentionKind.RefusedCalls => "SELECT count(*), CAST(0 AS bigint) FROM refused_calls WHERE at < @before",
        RetentionKind.Inbox => "SELECT count(*), CAST(sum(length(mime)) AS bigint) FROM inbox WHERE at < @before",
        RetentionKind.Quarantine => "SELECT count(*), CAST(sum(length(report)) AS bigint) FROM feedback_quarantine WHERE at < @before",
        RetentionKind.Runs => """
            SELECT count(*), CAST(0 AS bigint) FROM schedule_runs r WHERE r.id < @cut AND r.ran_at < @before AND r.told <> 0
                AND r.id < (SELECT max(n.id) FROM schedule_runs n WHERE n.schedule = r.schedule)
            """,
        RetentionKind.Jobs => "SELECT count(*), CAST(0 AS bigint) FROM dead_letter_jobs WHERE state <> 0 AND ended < @before",
        RetentionKind.Erasures => "SELECT count(*), CAST(0 AS bigint) FROM erasures WHERE state <> 0 AND ended < @before",
        RetentionKind.Schedules => $"SELECT count(*), CAST(0 AS bigint) FROM schedules s WHERE {OldSchedules.Are}",
        RetentionKind.OwnLists => $"SELECT count(*), CAST(0 AS bigint) FROM lists l WHERE {OldSchedules.ListsAre}",
        RetentionKind.Suppressions => "SELECT count(*), CAST(0 AS bigint) FROM suppressions WHERE until <= @before",
        RetentionKind.BatchBodies or RetentionKind.Batches or RetentionKind.Counts or RetentionKind.Search => null,
    };
}
