using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>Dead letters that a running transaction makes, sends again or forgets. Whoever changes one holds its queue row or its
/// message.</summary>
sealed class DeadLetterRows : IDeadLetterTable
{
    readonly SortedDictionary<(long Message, int N), DeadLetterRow> _put = [];
    readonly SortedSet<(long Message, int N)> _hidden = [];
    readonly SortedSet<(long Message, int N)> _removed = [];

    public void Put(DeadLetterRow row) => _put[(row.Message, row.N)] = row;

    public void Hide(long message, int n)
    {
        _put.Remove((message, n));
        _hidden.Add((message, n));
    }

    public void Remove(long message, int n)
    {
        _put.Remove((message, n));
        _removed.Add((message, n));
    }

    public void Write(Trip trip)
    {
        if (_removed.Count > 0)
            trip.Add("DELETE FROM dead_letters d USING unnest($1, $2) AS c (message, n) WHERE d.message = c.message AND d.n = c.n",
                Sql.Longs([.. _removed.Select(id => id.Message)]), Sql.Ints([.. _removed.Select(id => id.N)]));
        if (_hidden.Count > 0)
            trip.Add("""
                UPDATE dead_letters d SET state = 0, redrives = redrives + 1 FROM unnest($1, $2) AS c (message, n)
                WHERE d.message = c.message AND d.n = c.n AND d.state <> 0
                """, Sql.Longs([.. _hidden.Select(id => id.Message)]), Sql.Ints([.. _hidden.Select(id => id.N)]));
        if (_put.Count > 0)
            Insert(trip, [.. _put.Values]);
        Forget();
    }

    public void Forget()
    {
        _put.Clear();
        _hidden.Clear();
        _removed.Clear();
    }

    static void Insert(Trip trip, List<DeadLetterRow> rows) => trip.Add("""
        INSERT INTO dead_letters AS d (tenant, message, n, stream, route, state, reason, code, enhanced, transport, transient, tries,
            redrives, first_at, at, last_attempt)
        SELECT tenant, message, n, stream, route, state, reason, code, enhanced, transport, transient, tries, 0, at, at, last_attempt
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            AS c (tenant, message, n, stream, route, state, reason, code, enhanced, transport, transient, tries, at, last_attempt)
        ON CONFLICT (message, n) DO UPDATE SET state = excluded.state, reason = excluded.reason, code = excluded.code,
            enhanced = excluded.enhanced, transport = coalesce(excluded.transport, d.transport), transient = excluded.transient,
            tries = excluded.tries, at = excluded.at, last_attempt = coalesce(excluded.last_attempt, d.last_attempt)
        """,
        Sql.Ints(rows.ConvertAll(r => r.Tenant)), Sql.Longs(rows.ConvertAll(r => r.Message)), Sql.Ints(rows.ConvertAll(r => r.N)),
        Sql.Shorts(rows.ConvertAll(r => (short)r.Stream)), Sql.Texts(rows.ConvertAll(r => (string?)r.Route)),
        Sql.Shorts(rows.ConvertAll(r => (short)r.State)), Sql.Texts(rows.ConvertAll(r => (string?)r.Reason)),
        Sql.Ints(rows.ConvertAll(r => r.Code)), Sql.Texts(rows.ConvertAll(r => StoredText.Storable(r.Enhanced))),
        Sql.Texts(rows.ConvertAll(r => r.Transport)), Sql.Shorts(rows.ConvertAll(r => (short)(r.IsTransient ? 1 : 0))),
        Sql.Ints(rows.ConvertAll(r => r.Tries)), Sql.Longs(rows.ConvertAll(r => r.At)), Sql.Longs(rows.ConvertAll(r => r.LastAttempt)));
}
