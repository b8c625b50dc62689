using System.Globalization;
using Npgsql;
using Postrider.Messages;

namespace Postrider.Storage.Postgres;

/// <summary>The days of the event log: one table each, made ahead, so that a day goes by dropping a table.</summary>
static class EventPartitions
{
    const int DaysAhead = 3;

    static readonly TimeSpan ClocksDiffer = TimeSpan.FromDays(1);

    /// <summary>The id before which no event of a message is, nor of any later one.</summary>
    public static long Before(long message) =>
        Math.Max(0, message - (MessageId.Create((long)ClocksDiffer.TotalMilliseconds, 0, 0).Value));

    /// <summary>Makes the tables of today and the next days. Where events of a day lie in the table for all others already (clocks were far
    /// apart), they stay there with the rest of that day.</summary>
    public static async Task MakeAsync(NpgsqlDataSource source, DateTimeOffset now, CancellationToken ct)
    {
        var today = new DateTimeOffset(now.UtcDateTime.Date, TimeSpan.Zero);
        await using var connection = await source.OpenConnectionAsync(ct);
        for (var day = today; day <= today.AddDays(DaysAhead); day = day.AddDays(1))
        {
            var name = $"events_{day.ToString("yyyyMMdd", CultureInfo.InvariantCulture)}";
            await using var exists = new NpgsqlCommand("SELECT to_regclass($1) IS NOT NULL", connection);
            exists.Parameters.Add(Sql.Text(name));
            if (await exists.ExecuteScalarAsync(ct) is false)
                await MakeAsync(connection, name, day, ct);
        }
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
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.UniqueViolation
            or PostgresErrorCodes.CheckViolation or PostgresErrorCodes.DeadlockDetected)
        {
            // Another node was first; or the day has begun in the table for all others.
        }
    }

    static long IdOf(DateTimeOffset day) => MessageId.Create(day.ToUnixTimeMilliseconds(), 0, 0).Value;
}
