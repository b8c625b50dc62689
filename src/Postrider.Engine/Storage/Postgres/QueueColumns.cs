using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>Writes queue rows many at a time: an array for each column, a statement for each kind of change.</summary>
static class QueueColumns
{
    public const string DeleteRows = """
        DELETE FROM queue q USING unnest($1, $2) AS c (message, n) WHERE q.message = c.message AND q.n = c.n
        """;

    public const string UpdateRows = """
        UPDATE queue q SET gate = c.gate, due = c.due, expires = c.expires, state = c.state, phase = c.phase, wait = c.wait,
            claim = c.claim, node = c.node, incarnation = c.incarnation, recipients = c.recipients, tries = c.tries,
            deferrals = c.deferrals, rounds = c.rounds, suspect = c.suspect, cancelled = c.cancelled, history = c.history
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) AS c (message, n, gate, due,
            expires, state, phase, wait, claim, node, incarnation, recipients, tries, deferrals, rounds, suspect, cancelled, history)
        WHERE q.message = c.message AND q.n = c.n
        """;

    public const string InsertRows = """
        INSERT INTO queue (message, n, gate, due, expires, state, phase, wait, claim, node, incarnation, recipients, tries, deferrals,
            rounds, suspect, cancelled, history, tenant, route, stream, generation, on_ambiguous, ordering_key)
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)
        """;

    public static void Delete(Trip trip, List<QueueRow> rows)
    {
        if (rows.Count > 0)
            trip.Add(DeleteRows, Sql.Longs(rows.ConvertAll(r => r.Message)), Sql.Ints(rows.ConvertAll(r => r.N)));
    }

    public static void Update(Trip trip, List<QueueRow> rows)
    {
        if (rows.Count > 0)
            trip.Add(UpdateRows, [.. Changing(rows)]);
    }

    public static void Insert(Trip trip, List<QueueRow> rows)
    {
        if (rows.Count > 0)
            trip.Add(InsertRows, [.. Changing(rows), .. Lasting(rows)]);
    }

    static IEnumerable<Npgsql.NpgsqlParameter> Changing(List<QueueRow> rows) =>
    [
        Sql.Longs(rows.ConvertAll(r => r.Message)), Sql.Ints(rows.ConvertAll(r => r.N)), Sql.Shorts(rows.ConvertAll(r => (short)r.Gate)),
        Sql.Longs(rows.ConvertAll(r => r.Due)), Sql.Longs(rows.ConvertAll(r => r.Expires)),
        Sql.Shorts(rows.ConvertAll(r => (short)r.State)), Sql.Flags(rows.ConvertAll(r => r.PastCommitPoint)),
        Sql.Shorts(rows.ConvertAll(r => (short)r.Wait)), Sql.Ints(rows.ConvertAll(r => r.Claim)),
        Sql.Ints(rows.ConvertAll(r => r.Owner?.Node)), Sql.Longs(rows.ConvertAll(r => r.Owner?.Number)),
        Sql.Ints(rows.ConvertAll(r => r.Recipients)), Sql.Ints(rows.ConvertAll(r => r.Tries)),
        Sql.Ints(rows.ConvertAll(r => r.Deferrals)), Sql.Ints(rows.ConvertAll(r => r.Rounds)), Sql.Ints(rows.ConvertAll(r => r.Suspect)),
        Sql.Flags(rows.ConvertAll(r => r.Cancelled)), Sql.Blobs(rows.ConvertAll(r => r.History)),
    ];

    static IEnumerable<Npgsql.NpgsqlParameter> Lasting(List<QueueRow> rows) =>
    [
        Sql.Ints(rows.ConvertAll(r => r.Tenant)), Sql.Texts(rows.ConvertAll(r => StoredText.Storable(r.Route))),
        Sql.Shorts(rows.ConvertAll(r => (short)r.Stream)), Sql.Ints(rows.ConvertAll(r => r.Generation)),
        Sql.Shorts(rows.ConvertAll(r => (short)r.OnAmbiguous)), Sql.Texts(rows.ConvertAll(r => StoredText.Storable(r.OrderingKey))),
    ];
}
