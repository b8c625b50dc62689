using Postrider.Batches;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

// Large batches, where they meet the queue.
public sealed partial class PostgresStore
{
    public async Task<PieceResult> ExpandAsync(BatchPiece piece)
    {
        var acceptance = Expanding.Acceptance(piece);
        using var prepared = new PreparedAcceptance(acceptance);
        var hashes = SuppressionHashes(prepared);
        var done = await _incoming.RunAsync(session => Expanding.Run(session, piece, prepared), needs =>
        {
            needs.Pieces.Add(piece);
            Need(needs, prepared, hashes);
        }, isBulk: true, Math.Max(1, hashes.Count));
        if (done)
            Signals.Add(KeysOf(acceptance, _clock.GetUtcNow()));
        return new PieceResult(done, TimeSpan.Zero);
    }

    public Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit) =>
        _outgoing.RunAsync(session => Expanding.EndQueued(session, batch, now.Ms, limit), isBulk: true, size: limit);

    public Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit) =>
        _outgoing.RunAsync(session => Expanding.Wake(session, batch, now.Ms, limit), isBulk: true, size: limit);
}
