using System.Globalization;
using Npgsql;
using Postrider.Messages;
using Postrider.Retention;

namespace Postrider.Storage.Postgres;

/// <summary>The days of the event log: one table each, made ahead, so that a day goes by dropping a table.</summary>
static class EventPartitions
{
    const int DaysAhead = 3;
    const string DayFormat = "yyyyMMdd";

    /// <summary>Held by the one node that drops: "events" as a number.</summary>
    const long DropLock = 0x6576_656E_7473;

    const int DropPatience = 200;   // milliseconds
    const int DropAttempts = 10;

    static readonly TimeSpan ClocksDiffer = TimeSpan.FromDays(1);

    /// <summary>The id before which no event of a message is, nor of any later one.</summary>
    public static long Before(long message) =>
        Math.Max(0, message - (MessageId.Create((long)ClocksDiffer.TotalMilliseconds, 0, 0).Value));

    /// <summary>Makes the tables of today and the next days. Where events of a day lie in the table for all others already (clocks were far
    /// apart), they stay there with the rest of that day.</summary>
    public static async Task MakeAsync(NpgsqlDataSource source, DateTimeOffset now, CancellationToken ct)
    {
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        for (var day = today; day <= today.AddDays(DaysAhead); day = day.AddDays(1))
            await MakeDayAsync(source, day, ct);
    }

    /// <param name="day">Its beginning, UTC.</param>
    public static async Task MakeDayAsync(NpgsqlDataSource source, DateTimeOffset day, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        var name = $"events_{day.ToString(DayFormat, CultureInfo.InvariantCulture)}";
        await using var exists = new NpgsqlCommand("SELECT to_regclass($1) IS NOT NULL", connection);
        exists.Parameters.Add(Sql.Text(name));
        if (await exists.ExecuteScalarAsync(ct) is false)
            await MakeAsync(connection, name, day, ct);
    }

    static async Task MakeAsync(NpgsqlConnection connection, string name, DateTimeOffset day, CancellationToken ct)
    {
        var (low, high) = (IdOf(day), IdOf(day.AddDays(1)));
        // Made apart and attached: the log is not locked meanwhile.
        await using var make = new NpgsqlCommand($"""
            CREATE TABLE {name} (LIKE events INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING STORAGE);
            ALTER TABLE events ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})
            """, connection);
        try
        {
            await make.ExecuteNonQueryAsync(ct);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateObject
            or PostgresErrorCodes.UniqueViolation
            or PostgresErrorCodes.CheckViolation or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.LockNotAvailable)
        {
            // Another node was first; or the day has begun in the table for all others; or somebody reads for long, and it is done later.
        }
    }

    /// <summary>Forgets the events of all days before one, whole days only. Dropping a table needs the log for itself for a moment: it is
    /// asked for briefly and again, so that nobody waits behind a question that waits. One node at a time; the others return at
    /// once.</summary>
    /// <returns>How many days went; fewer than there are where others did not let go of the log. The next call goes on.</returns>
    public static async Task<int> DropBeforeAsync(NpgsqlDataSource source, DateTimeOffset day, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        if (await ScalarAsync(connection, $"SELECT pg_try_advisory_lock({DropLock})", ct) is not true)
            return 0;
        try
        {
            var dropped = 0;
            foreach (var name in await DaysBeforeAsync(connection, day, ct))
            {
                if (await TryDropAsync(connection, name, ct))
                    dropped++;
            }
            // What lies in the table for all others is old where clocks were far apart: little, if anything.
            while (await DeleteSomeAsync(connection, IdOf(day), ct))
                ;
            return dropped;
        }
        finally
        {
            await ScalarAsync(connection, $"SELECT pg_advisory_unlock({DropLock})", CancellationToken.None);
        }
    }

    /// <summary>Oldest first.</summary>
    static async Task<List<string>> DaysBeforeAsync(NpgsqlConnection connection, DateTimeOffset day, CancellationToken ct)
    {
        await using var select = new NpgsqlCommand(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events'::regclass ORDER BY 1",
            connection);
        var names = new List<string>();
        await using var reader = await select.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var name = reader.GetString(0);
            if (DateTime.TryParseExact(name.AsSpan(name.LastIndexOf('_') + 1), DayFormat, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var of) && of < day.UtcDateTime.Date)
                names.Add(name);
        }
        return names;
    }

    static async Task<bool> TryDropAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        for (var attempt = 0; attempt < DropAttempts; attempt++)
        {
            try
            {
                await using var transaction = await connection.BeginTransactionAsync(ct);
                await ScalarAsync(connection, $"SET LOCAL lock_timeout = '{DropPatience}ms'", ct);
                await ScalarAsync(connection, $"""
                    UPDATE retention SET cursor = greatest(cursor,
                        coalesce((SELECT max(id) FROM {name}) / {MessageId.Create(1, 0, 0).Value}, 0))
                    WHERE kind = {(int)RetentionKind.Events}
                    """, ct);
                await ScalarAsync(connection, $"DROP TABLE IF EXISTS {name}", ct);
                await transaction.CommitAsync(ct);
                return true;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
            {
                await ScalarAsync(connection, "SELECT pg_sleep(0.2)", ct);
            }
        }
        return false;
    }

    static async Task<bool> DeleteSomeAsync(NpgsqlConnection connection, long before, CancellationToken ct)
    {
        await using var delete = new NpgsqlCommand(
            "DELETE FROM events_other WHERE id IN (SELECT id FROM events_other WHERE id < $1 ORDER BY id LIMIT 1000)", connection);
        delete.Parameters.Add(Sql.Long(before));
        return await delete.ExecuteNonQueryAsync(ct) > 0;
    }

    static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(ct);
    }

    static long IdOf(DateTimeOffset day) => MessageId.Create(day.ToUnixTimeMilliseconds(), 0, 0).Value;
}
