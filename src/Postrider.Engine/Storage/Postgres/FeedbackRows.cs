using Postrider.Feedback;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>What a running transaction finds and writes about reports.</summary>
sealed class FeedbackRows(PostgresSession session) : IFeedbackTables
{
    public const string SelectSeen = """
        SELECT s.message, s.key FROM unnest($1, $2) AS c (message, key) JOIN feedback_seen s ON s.message = c.message AND s.key = c.key
        """;

    readonly HashSet<(long Message, long Key)> _asked = [];
    readonly HashSet<(long Message, long Key)> _seen = [];

    public void Prefetch(Trip trip, Needs needs) => Prefetch(trip, [.. needs.Reports]);

    void Prefetch(Trip trip, List<(long Message, long Key)> reports)
    {
        var unknown = reports.FindAll(r => _asked.Add(r));
        if (unknown.Count > 0)
            trip.Read(SelectSeen, row => _seen.Add((row.GetInt64(0), row.GetInt64(1))),
                Sql.Longs(unknown.ConvertAll(r => r.Message)), Sql.Longs(unknown.ConvertAll(r => r.Key)));
    }

    public bool IsSeen(long message, long key)
    {
        if (!_asked.Contains((message, key)))
        {
            var trip = new Trip();
            Prefetch(trip, [(message, key)]);
            session.Ask(trip);
        }
        return _seen.Contains((message, key));
    }

    public void See(long message, long key)
    {
        if (_seen.Add((message, key)))
            session.Later("INSERT INTO feedback_seen (message, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                Sql.Long(message), Sql.Long(key));
    }

    public bool HasSeen(long message, int count)
    {
        var has = false;
        session.Ask("SELECT 1 FROM feedback_seen WHERE message = $1 LIMIT 1 OFFSET $2", _ => has = true,
            Sql.Long(message), Sql.Int(count - 1));
        return has;
    }

    // A repetition must not use up a number: what is dropped is told by the numbers.
    public IReadOnlyList<FeedbackReport> Wait(FeedbackReport report, long key, long retryAt, long until)
    {
        var dropped = new List<FeedbackReport>();
        session.Ask("""
            WITH put AS (
                INSERT INTO feedback_waiting (key, retry_at, until, report) SELECT $1, $2, $3, $4
                WHERE NOT EXISTS (SELECT 1 FROM feedback_waiting WHERE key = $1) ON CONFLICT (key) DO NOTHING RETURNING id)
            DELETE FROM feedback_waiting WHERE id <= (SELECT id FROM put) - $5 RETURNING report
            """, row => dropped.Add(ReportCodec.Read(row.GetFieldValue<byte[]>(0), null)),
            Sql.Long(key), Sql.Long(retryAt), Sql.Long(until), Sql.Bytes(Stored(report)), Sql.Int(IFeedbackTables.MaxWaiting));
        return dropped;
    }

    // FOR UPDATE: every node looks at what waits; one of them decides.
    public long? WaitsUntil(long id)
    {
        long? until = null;
        session.Ask("SELECT until FROM feedback_waiting WHERE id = $1 FOR UPDATE", row => until = row.GetInt64(0), Sql.Long(id));
        return until;
    }

    public void WaitOn(long id, long retryAt) =>
        session.Later("UPDATE feedback_waiting SET retry_at = $2 WHERE id = $1", Sql.Long(id), Sql.Long(retryAt));

    public void EndWait(long id) => session.Later("DELETE FROM feedback_waiting WHERE id = $1", Sql.Long(id));

    // As above.
    public bool Quarantine(FeedbackReport report, QuarantineReason reason, long key, long now)
    {
        var isNew = false;
        session.Ask("""
            WITH put AS (
                INSERT INTO feedback_quarantine (key, reason, at, report) SELECT $1, $2, $3, $4
                WHERE NOT EXISTS (SELECT 1 FROM feedback_quarantine WHERE key = $1) ON CONFLICT (key) DO NOTHING RETURNING id),
                gone AS (DELETE FROM feedback_quarantine WHERE id <= (SELECT id FROM put) - $5)
            SELECT id FROM put
            """, _ => isNew = true, Sql.Long(key), Sql.Int((int)reason), Sql.Long(now), Sql.Bytes(Stored(report)),
            Sql.Int(IFeedbackTables.MaxQuarantined));
        return isNew;
    }

    static byte[] Stored(FeedbackReport report)
    {
        using var fields = new FieldWriter();
        ReportCodec.Write(fields, report);
        return fields.Written.ToArray();
    }

    public void Forget()
    {
        _asked.Clear();
        _seen.Clear();
    }
}
