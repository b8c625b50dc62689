using System.Data.Common;
using Dapper;
using Npgsql;
using Postrider.Events;

namespace Postrider.Storage.Postgres;

/// <summary>What is left of a move from SQLite: whether it was finished, and places in the log that callers hold from before it.</summary>
static class MovedEvents
{
    /// <summary>SQLite numbers events from 1; numbers here begin with the time.</summary>
    const long LeastNumber = 1L << 40;

    sealed record Run(long FirstOld, long LastOld, long First, long Last);

    /// <summary>Refuses a database that is not yet whole, or is no longer the one that counts.</summary>
    public static async Task RefuseHalfMovedAsync(NpgsqlDataSource source, PostgresDsn dsn, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        var move = await connection.QuerySingleOrDefaultAsync<(string Source, short State)?>(
            new CommandDefinition("SELECT source, state FROM moves WHERE state <> 2", cancellationToken: ct));
        if (move is { } unfinished)
            throw new StoreUnusableException(unfinished.State == 3
                ? $"The move of {unfinished.Source} to {dsn} was taken back: mail is sent from there. Use an empty database, or drop this one."
                : $"{dsn} is being filled with {unfinished.Source}. Finish with the same postrider move, which goes on where it stopped.");
    }

    /// <summary>A place that SQLite gave out, as it is here; others as they are. Never behind it: rather something is told again.</summary>
    public static EventCursor Translate(DbConnection connection, EventCursor after)
    {
        if (after is not { Transaction: 0, Id: > 0 and < LeastNumber })
            return after;
        // The run with the event, or the first one behind it.
        var run = connection.QueryFirstOrDefault<Run>("""
            SELECT first_old AS FirstOld, last_old AS LastOld, first, last FROM moved_events WHERE last_old >= @id ORDER BY last_old LIMIT 1
            """, new { id = after.Id });
        if (run is null)
            return connection.ExecuteScalar<long?>("SELECT max(last) FROM moved_events") is { } last
                ? EventCursor.After(0, last)
                : after;
        if (after.Id < run.FirstOld)
            return new EventCursor(0, run.First, 0);
        // From its end: what was forgotten since was the oldest.
        var id = connection.ExecuteScalar<long?>("""
            SELECT id FROM events WHERE id BETWEEN @first AND @last ORDER BY id DESC OFFSET @back LIMIT 1
            """, new { first = run.First, last = run.Last, back = run.LastOld - after.Id });
        return id is { } found ? new EventCursor(0, found, after.Part) : new EventCursor(0, run.First, 0);
    }
}
