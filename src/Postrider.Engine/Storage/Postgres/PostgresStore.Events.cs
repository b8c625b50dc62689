using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Postgres;

// The log of events as it is told to others.
public sealed partial class PostgresStore : IEventFeed
{
    public Task<EventPage> ReadEventsAsync(TenantId tenant, EventCursor after, EventFilter filter, int limit, CancellationToken ct) =>
        ViewAsync(connection => new EventFeedReader(connection, _dialect, tenant, filter, _clock).Read(after, limit), ct);

    public Task<EventCursor> LatestAsync(CancellationToken ct) => ReadAsync(_dialect.LatestEvent, ct);

    public Task AppendAsync(TenantId tenant, MailEventType type, string data, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return _incoming.RunAsync(session =>
        {
            session.EventRows.Append(0, tenant.Value, type, session.Now, Member.Incarnation.Node, [], data);
            return true;
        }, isBulk: true);
    }

    void ITableStore.Tell(DbConnection connection, TenantId tenant, MailEventType type, string data)
    {
        using var details = new FieldWriter();
        EventCodec.Write(details, [], data, attempt: null);
        connection.Execute("""
            INSERT INTO events (id, message, at, tenant, node, type, details) VALUES (@id, 0, @at, @tenant, @node, @type, @details)
            """, new
        {
            id = _eventIds.Next().Value,
            at = _clock.GetUtcNow().Ms,
            tenant = tenant.Value,
            node = Member.Incarnation.Node,
            type = (short)type,
            details = details.Written.ToArray(),
        });
    }
}
