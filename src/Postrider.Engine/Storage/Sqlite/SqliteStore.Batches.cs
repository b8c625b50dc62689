using Postrider.Batches;
using Postrider.Messages;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

// Large batches, where they meet the queue.
public sealed partial class SqliteStore
{
    public async Task<PieceResult> ExpandAsync(BatchPiece piece)
    {
        Health.ThrowIfFailed();
        if (_disk.IsLow)
            throw new StorageLowException(NearlyFull);
        using var prepared = new PreparedAcceptance(Expanding.Acceptance(piece));
        return await _writer.RunAsync(session =>
        {
            var started = _clock.GetTimestamp();
            return new PieceResult(Expanding.Run(session, piece, prepared), _clock.GetElapsedTime(started));
        }, isBulk: true);
    }

    public Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit) =>
        _writer.RunAsync(session => Expanding.EndQueued(session, batch, now.Ms, limit), isBulk: true);

    public Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit) =>
        _writer.RunAsync(session => Expanding.Wake(session, batch, now.Ms, limit), isBulk: true);
}
