using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

// What people ask about messages.
public sealed partial class SqliteStore
{
    public Task<MessageView?> GetAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ReadAsync(connection => MessageQueries.Get(connection, _dialect, tenant, id.Value, Now), ct);

    public Task<MessageContent?> GetContentAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ReadAsync(connection => MessageQueries.GetContent(connection, tenant, id.Value), ct);

    public Task<bool> ExistsAsync(MessageId id, CancellationToken ct) =>
        ReadAsync(connection => MessageQueries.Exists(connection, id.Value), ct);

    public Task<StateCounts> CountAsync(TenantId tenant, CancellationToken ct) =>
        ReadAsync(connection => StateSums.Of(connection, tenant, Now), ct);

    public Task<StoredBytes> StoredBytesAsync(TenantId tenant, CancellationToken ct) =>
        ReadAsync(connection => StateSums.BytesOf(connection, tenant), ct);

    public Task<BatchView?> GetBatchAsync(TenantId tenant, MessageId batch, CancellationToken ct) =>
        ReadAsync(connection => StateSums.OfBatch(connection, tenant, batch, Now), ct);

    long Now => _clock.GetUtcNow().Ms;

    public Task<MessagePage> ListAsync(TenantId tenant, MessageFilter filter, CancellationToken ct) =>
        ReadAsync(connection => new MessageSearch(connection, tenant, filter, _dialect, _clock).Run(), ct);
}
