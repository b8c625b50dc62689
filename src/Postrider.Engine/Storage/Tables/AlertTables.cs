using System.Data.Common;
using Dapper;
using Postrider.Alerts;

namespace Postrider.Storage.Tables;

/// <summary>Alerts in the store's database.</summary>
public sealed class AlertTables(ITableStore store) : IAlertStore
{
    const string Columns = "kind, subject, state, words, first_seen AS FirstSeen, last_seen AS LastSeen, raised, resolved, tell";

    static readonly TimeSpan KeepResolved = TimeSpan.FromDays(7);

    public Task<IReadOnlyList<Alert>> ListAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<Alert>>(connection =>
        [.. connection.Query<Row>($"SELECT {Columns} FROM alerts ORDER BY kind, subject").Select(row => row.ToAlert())], ct);

    public Task<bool> TakeTurnAsync(DateTimeOffset now, TimeSpan every) => store.WriteAsync(connection => connection.Execute(
        "UPDATE alert_marks SET at = @now WHERE name = 'turn' AND transport = '' AND (at <= @before OR at > @now)",
        new { now = Ms(now), before = Ms(now - every) }) == 1);

    // Rows in one order, so that nodes do not wait for each other in a circle.
    public Task ReportAsync(IReadOnlyList<Finding> findings, DateTimeOffset now, TimeSpan raiseAfter, TimeSpan resolveAfter) =>
        store.WriteAsync(connection =>
        {
            var times = new { now = Ms(now), seen = Ms(now - raiseAfter), gone = Ms(now - resolveAfter), old = Ms(now - KeepResolved) };
            const string Raise = "UPDATE alerts SET state = 1, raised = @now, resolved = NULL, tell = 1, tell_after = @now";
            foreach (var finding in findings.OrderBy(one => one.Kind).ThenBy(one => one.Subject, StringComparer.Ordinal))
            {
                connection.Execute("""
                    INSERT INTO alerts AS a (kind, subject, state, words, first_seen, last_seen, tell, tell_after)
                    VALUES (@kind, @Subject, 0, @words, @now, @now, 0, 0)
                    ON CONFLICT (kind, subject) DO UPDATE SET words = excluded.words, last_seen = excluded.last_seen,
                        first_seen = CASE WHEN a.state = 2 OR (a.state = 0 AND a.last_seen < @gone)
                            THEN excluded.first_seen ELSE a.first_seen END,
                        state = CASE WHEN a.state = 2 THEN 0 ELSE a.state END
                    """, new
                {
                    kind = (int)finding.Kind,
                    finding.Subject,
                    words = StoredText.Storable(finding.Words),
                    times.now,
                    times.gone,
                });
                if (finding.IsUrgent)
                    connection.Execute($"{Raise} WHERE state = 0 AND kind = @kind AND subject = @Subject",
                        new { times.now, kind = (int)finding.Kind, finding.Subject });
            }
            connection.Execute($"{Raise} WHERE state = 0 AND last_seen = @now AND first_seen <= @seen", times);
            connection.Execute(
                "UPDATE alerts SET state = 2, resolved = @now, tell = 2, tell_after = @now WHERE state = 1 AND last_seen < @gone", times);
            return connection.Execute(
                "DELETE FROM alerts WHERE (state = 0 AND last_seen < @gone) OR (state = 2 AND tell = 0 AND resolved < @old)", times);
        });

    public async Task<IReadOnlyList<Alert>> LeaseToldAsync(DateTimeOffset now, DateTimeOffset until)
    {
        var due = await store.ReadAsync(connection => connection.Query<Row>(
            $"SELECT {Columns} FROM alerts WHERE tell <> 0 AND tell_after <= @now ORDER BY kind, subject", new { now = Ms(now) }).ToList(),
            CancellationToken.None);
        return due.Count == 0 ? [] : await store.WriteAsync<IReadOnlyList<Alert>>(connection =>
            [.. due.Where(row => IsOurs(connection, row, now, until)).Select(row => row.ToAlert())]);
    }

    /// <summary>Whether it still is to be told and no other node tells it.</summary>
    static bool IsOurs(DbConnection connection, Row row, DateTimeOffset now, DateTimeOffset until) => connection.Execute(
        "UPDATE alerts SET tell_after = @until WHERE kind = @Kind AND subject = @Subject AND tell = @Tell AND tell_after <= @now",
        new { row.Kind, row.Subject, row.Tell, now = Ms(now), until = Ms(until) }) == 1;

    public Task ToldAsync(Alert alert) => store.WriteAsync(connection => connection.Execute(
        "UPDATE alerts SET tell = 0 WHERE kind = @kind AND subject = @Subject AND tell = @state",
        new { kind = (int)alert.Kind, alert.Subject, state = (int)alert.State }));

    public Task NoteAsync(IReadOnlyList<TransportNews> news, DateTimeOffset now) => store.WriteAsync(connection =>
    {
        foreach (var one in news.OrderBy(one => one.Transport, StringComparer.Ordinal))
        {
            Note(connection, "delivered", one, one.Delivered, now);
            Note(connection, "heard", one, one.Heard, now);
        }
        return news.Count;
    });

    // Nothing is counted of a transport that never reported: many do not.
    static void Note(DbConnection connection, string name, TransportNews news, bool isHeard, DateTimeOffset now) => connection.Execute(
        isHeard
            ? """
              INSERT INTO alert_marks (name, transport, at, sent) VALUES (@name, @Transport, @now, 0)
              ON CONFLICT (name, transport) DO UPDATE SET at = excluded.at, sent = 0
              """
            : "UPDATE alert_marks SET sent = sent + @Sent WHERE name = @name AND transport = @Transport",
        new { name, news.Transport, news.Sent, now = Ms(now) });

    public Task<IReadOnlyList<Silence>> SilencesAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<Silence>>(connection =>
    [
        .. connection.Query<(string Name, string Transport, long At, long Sent)>(
            "SELECT name, transport, at, sent FROM alert_marks WHERE name <> 'turn' ORDER BY name, transport")
            .Select(row => new Silence(
                row.Transport, row.Name == "delivered", DateTimeOffset.FromUnixTimeMilliseconds(row.At), row.Sent)),
    ], ct);

    // Uses dead_letters_at.
    public Task<long> CountDeadLettersAsync(DateTimeOffset since, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<long>(
            "SELECT count(*) FROM dead_letters WHERE state <> 0 AND at >= @since", new { since = Ms(since) }), ct);

    static long Ms(DateTimeOffset at) => at.ToUnixTimeMilliseconds();

    sealed class Row
    {
        public int Kind { get; init; }
        public string Subject { get; init; } = "";
        public int State { get; init; }
        public string Words { get; init; } = "";
        public long FirstSeen { get; init; }
        public long LastSeen { get; init; }
        public long? Raised { get; init; }
        public long? Resolved { get; init; }
        public int Tell { get; init; }

        public Alert ToAlert() => new()
        {
            Kind = (AlertKind)Kind,
            Subject = Subject,
            State = (AlertState)State,
            Words = Words,
            FirstSeenAt = At(FirstSeen),
            LastSeenAt = At(LastSeen),
            RaisedAt = Raised is { } raised ? At(raised) : null,
            ResolvedAt = State == (int)AlertState.Resolved && Resolved is { } resolved ? At(resolved) : null,
            IsToTell = Tell != 0,
        };

        static DateTimeOffset At(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);
    }
}
