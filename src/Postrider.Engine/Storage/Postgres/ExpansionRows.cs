using Postrider.Batches;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>What a running transaction does to large batches.</summary>
sealed class ExpansionRows(PostgresSession session) : IExpansionTable
{
    public const string AdvanceCursor = """
        UPDATE expansions SET cursor = $3, taken = taken + $4, failed = failed + $5, updated = $7,
            state = CASE WHEN $6 OR taken + $4 >= total THEN 2 ELSE 1 END,
            open = CASE WHEN $6 OR taken + $4 >= total THEN 0 ELSE 1 END,
            tidy = CASE WHEN ($6 OR taken + $4 >= total) AND source = batch THEN 1 ELSE tidy END
        WHERE batch = $1 AND cursor = $2 AND state = 1 AND stop = 0 AND edits = $8 RETURNING 1
        """;

    public const string SelectStopped = "SELECT batch, stop FROM expansions WHERE stop > 0";

    readonly Dictionary<long, BatchStop> _stopped = [];
    readonly HashSet<BatchPiece> _advanced = new(ReferenceEqualityComparer.Instance);
    readonly List<(long Batch, DestinationFault Fault)> _faults = [];

    /// <summary>Cursors are moved with the first question: who comes second waits here, and finds them elsewhere.</summary>
    public void Prefetch(Trip trip, Needs needs)
    {
        foreach (var piece in needs.Pieces.OrderBy(p => p.Batch.Id.Value))
            trip.Read(AdvanceCursor, _ => _advanced.Add(piece), Sql.Long(piece.Batch.Id.Value), Sql.Long(piece.From), Sql.Long(piece.To),
                Sql.Int(piece.Count), Sql.Int(piece.Failed), Sql.Flag(piece.IsLast), Sql.Long(session.Now),
                Sql.Long(piece.Batch.Edits));
        if (needs.Due.Count > 0)
            trip.Read(SelectStopped, row => _stopped[row.GetInt64(0)] = (BatchStop)row.GetInt16(1));
    }

    public bool Advance(BatchPiece piece, long now) => _advanced.Contains(piece);
    public void AddFault(long batch, DestinationFault fault) => _faults.Add((batch, fault));
    public IReadOnlyDictionary<long, BatchStop> Stopped() => _stopped;

    public void EndCancel(long batch, long now) => session.Later("""
        UPDATE expansions SET state = 4, open = 0, stop = 0, tidy = CASE WHEN source = batch THEN 1 ELSE 0 END, updated = $2
        WHERE batch = $1 AND state = 3
        """, Sql.Long(batch), Sql.Long(now));

    public void Write(Trip trip)
    {
        if (_faults.Count == 0)
            return;
        trip.Add("INSERT INTO expansion_faults (batch, n, email, slug, detail) SELECT * FROM unnest($1, $2, $3, $4, $5)",
            Sql.Longs(_faults.ConvertAll(f => f.Batch)), Sql.Longs(_faults.ConvertAll(f => f.Fault.N)),
            Sql.Texts(_faults.ConvertAll(f => StoredText.Storable(f.Fault.Email))),
            Sql.Texts(_faults.ConvertAll(f => (string?)f.Fault.Slug)),
            Sql.Texts(_faults.ConvertAll(f => StoredText.Storable(f.Fault.Detail))));
        _faults.Clear();
    }

    public void Forget()
    {
        _stopped.Clear();
        _advanced.Clear();
        _faults.Clear();
    }
}
