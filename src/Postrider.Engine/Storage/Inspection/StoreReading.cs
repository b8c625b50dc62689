using System.Data.Common;
using System.Globalization;
using System.Text;
using Dapper;
using Postrider.Doctor;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Inspection;

/// <summary>What a database says of itself and of the mail in it, asked in SQL that both engines speak.</summary>
static class StoreReading
{
    /// <summary>The name of the row in <c>installation</c> that says when the last backup was made, in Unix milliseconds.</summary>
    public const string BackedUp = "backed_up";

    /// <summary>Of the newest rows of the log, so that the look costs the same however long the log is.</summary>
    const int RowsOfLog = 4_000;

    static readonly TimeSpan EndsSoon = TimeSpan.FromDays(14);
    static readonly TimeSpan UsedOfLate = TimeSpan.FromDays(30);

    /// <summary>Adds to <paramref name="known"/> what the tables say.</summary>
    public static async Task<StoreFact> AddAsync(ITableStore tables, StoreFact known, DateTimeOffset now, CancellationToken ct)
    {
        var pauses = await new PauseTable(tables).LoadAsync(ct);
        return await tables.ReadAsync(connection => Read(connection, known, pauses, now), ct);
    }

    /// <summary>The version of the schema; null: there is none.</summary>
    public static int? Schema(DbConnection connection) => connection.ExecuteScalar<int?>("SELECT max(version) FROM schema_version");

    static StoreFact Read(DbConnection connection, StoreFact known, IReadOnlyList<Pause> pauses, DateTimeOffset now)
    {
        var (taken, heard) = OfLog(connection);
        var at = new { now = now.ToUnixTimeMilliseconds(), soon = Ms(now + EndsSoon), used = Ms(now - UsedOfLate) };
        return known with
        {
            UsableKeys = connection.ExecuteScalar<long>("SELECT count(*) FROM api_keys") == 0 ? null : connection.ExecuteScalar<int>(
                "SELECT count(*) FROM api_keys WHERE revoked IS NULL AND (expires IS NULL OR expires > @now)", at),
            EndingKeys =
            [
                .. connection.Query<(string Name, long Ends)>("""
                    SELECT name, expires FROM api_keys WHERE revoked IS NULL AND expires > @now AND expires < @soon AND used > @used
                    ORDER BY expires LIMIT 20
                    """, at).Select(key => (key.Name, At(key.Ends))),
            ],
            NewestMessage = connection.ExecuteScalar<long?>("SELECT max(id) FROM messages") is { } newest ? new MessageId(newest).At : null,
            MadeAt = connection.ExecuteScalar<long?>("SELECT min(applied_at) FROM schema_version") is { } made ? At(made) : null,
            BackedUpAt = connection.QuerySingleOrDefault<byte[]>(
                "SELECT value FROM installation WHERE name = @BackedUp", new { BackedUp }) is { } written
                    && long.TryParse(Encoding.ASCII.GetString(written), CultureInfo.InvariantCulture, out var ms) ? At(ms) : null,
            OldestDue = OldestDue(connection, pauses, at.now),
            Pauses = [.. pauses.Select(Words)],
            Taken = taken,
            Heard = heard,
        };
    }

    // One pass over the queue, which is as long as what waits.
    static DateTimeOffset? OldestDue(DbConnection connection, IReadOnlyList<Pause> pauses, long now)
    {
        var due = connection.Query<(int Tenant, string Route, int Stream, long Due)>(
            "SELECT tenant, route, stream, min(due) FROM queue WHERE state = 1 AND gate = 0 AND due <= @now GROUP BY 1, 2, 3", new { now })
            .Where(row => !pauses.Any(pause => pause.Scope.Covers(new TenantId(row.Tenant), (MailStream)row.Stream, row.Route)))
            .Select(row => row.Due).DefaultIfEmpty(long.MaxValue).Min();
        return due == long.MaxValue ? null : At(due);
    }

    static string Words(Pause pause)
    {
        var parts = new[]
        {
            pause.Scope.Stream is { } stream ? $"the stream {stream.ToString().ToLowerInvariant()}" : "all mail",
            pause.Scope.Route is { } route ? $"of the route {route}" : null,
            pause.Scope.Tenant is { } tenant ? $"of the tenant {tenant}" : null,
            $"since {pause.Since.UtcDateTime.ToString("u", CultureInfo.InvariantCulture)}",
            pause.Reason is { } reason ? $"({reason})" : null,
        };
        return string.Join(' ', parts.OfType<string>());
    }

    /// <summary>Recipients that each transport took, and transports that were heard of, in the newest rows.</summary>
    static (Dictionary<string, long> Taken, HashSet<string> Heard) OfLog(DbConnection connection)
    {
        var taken = new Dictionary<string, long>();
        var heard = new HashSet<string>();
        var rows = connection.Query<byte[]>($"""
            SELECT details FROM (SELECT type, message, details FROM events ORDER BY id DESC LIMIT {RowsOfLog}) AS newest
            WHERE message <> 0 AND (type = {(int)MailEventType.Attempt} OR type >= {(int)MailEventType.Delivered})
            """);
        foreach (var row in rows)
        {
            var details = EventCodec.Read(row);
            if (details.Feedback is { } feedback)
                heard.Add(feedback.Source);
            if (details.Attempt is { } attempt)
                taken[attempt.Transport] = taken.GetValueOrDefault(attempt.Transport)
                    + attempt.Outcomes.Count(outcome => outcome.Outcome.Kind == OutcomeKind.Accepted);
        }
        return (taken, heard);
    }

    static long Ms(DateTimeOffset at) => at.ToUnixTimeMilliseconds();
    static DateTimeOffset At(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);
}
