using System.Data.Common;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Sqlite;

// The log of events as it is told to others.
public sealed partial class SqliteStore : IEventFeed
{
    public Task<EventPage> ReadEventsAsync(TenantId tenant, EventCursor after, EventFilter filter, int limit, CancellationToken ct) =>
        ReadAsync(connection => new EventFeedReader(connection, _dialect, tenant, filter, _clock).Read(after, limit), ct);

    public Task<EventCursor> LatestAsync(CancellationToken ct) => ReadAsync(_dialect.LatestEvent, ct);

    public Task AppendAsync(TenantId tenant, MailEventType type, string data, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return _writer.RunAsync(
            session => Done(() => session.Events.Append(0, tenant.Value, type, session.Now, null, [], data)), isBulk: true);
    }

    // A write of a room runs on the writer's thread, in the transaction of its session.
    void ITableStore.Tell(DbConnection connection, TenantId tenant, MailEventType type, string data) =>
        _session.Events.Append(0, tenant.Value, type, _session.Now, null, [], data);
}
