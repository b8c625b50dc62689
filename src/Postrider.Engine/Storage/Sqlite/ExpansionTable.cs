using Postrider.Batches;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>The statements on large batches that run in the transactions of the queue.</summary>
sealed class ExpansionTable(Statements statements) : IExpansionTable
{
    static readonly Dictionary<long, BatchStop> None = [];

    readonly Statement _advance = statements.Prepare("""
        UPDATE expansions SET cursor = ?3, taken = taken + ?4, failed = failed + ?5, updated = ?7,
            state = iif(?6 OR taken + ?4 >= total, 2, 1), open = iif(?6 OR taken + ?4 >= total, 0, 1),
            tidy = iif((?6 OR taken + ?4 >= total) AND source = batch, 1, tidy)
        WHERE batch = ?1 AND cursor = ?2 AND state = 1 AND stop = 0 AND edits = ?8
        """);

    readonly Statement _addFault = statements.Prepare(
        "INSERT INTO expansion_faults (batch, n, email, slug, detail) VALUES (?1, ?2, ?3, ?4, ?5)");

    readonly Statement _stopped = statements.Prepare("SELECT batch, stop FROM expansions INDEXED BY expansions_stopped WHERE stop > 0");

    readonly Statement _endCancel = statements.Prepare("""
        UPDATE expansions SET state = 4, open = 0, stop = 0, tidy = source = batch, updated = ?2 WHERE batch = ?1 AND state = 3
        """);

    public bool Advance(BatchPiece piece, long now) => _advance.With()
        .Add(piece.Batch.Id.Value).Add(piece.From).Add(piece.To).Add(piece.Count).Add(piece.Failed).Add(piece.IsLast).Add(now)
        .Add(piece.Batch.Edits)
        .RunCounting() == 1;

    public void AddFault(long batch, DestinationFault fault) => _addFault.With()
        .Add(batch).Add(fault.N).AddText(fault.Email).AddText(fault.Slug).AddText(fault.Detail).Run();

    public IReadOnlyDictionary<long, BatchStop> Stopped()
    {
        _stopped.With();
        if (!_stopped.Step())
            return None;
        var stopped = new Dictionary<long, BatchStop>();
        do
            stopped[_stopped.Long(0)] = (BatchStop)_stopped.Int(1);
        while (_stopped.Step());
        return stopped;
    }

    public void EndCancel(long batch, long now) => _endCancel.With().Add(batch).Add(now).Run();
}
