using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage.Postgres;

/// <summary>What PostgreSQL says differently: lists are one parameter, hashes have indexes of their own.</summary>
sealed class PostgresReadDialect(NodeNames names) : ReadDialect
{
    public override string In(string column, string parameter) => $"{column} = ANY(@{parameter})";
    public override string Like => "ILIKE";
    public override string EndedTable => "ended";
    public override long OldestEvent(long message) => EventPartitions.Before(message);
    public override string NodeName(int node) => names.Of(node);

    public override List<long> FindByHash(DbConnection connection, long hash, long above, long below, bool ascending, int count) =>
        connection.Query<long>(SelectByHash(ascending), new { hash, above, below, count }).AsList();

    /// <summary>Each half by its index, in its order; a hash is of an address or of a tag.</summary>
    internal static string SelectByHash(bool ascending)
    {
        var order = ascending ? "ASC" : "DESC";
        return $"""
            SELECT DISTINCT message FROM (
                (SELECT message FROM recipients WHERE hash = @hash AND message > @above AND message < @below
                    ORDER BY message {order} LIMIT @count)
                UNION ALL
                (SELECT message FROM tagged WHERE hash = @hash AND message > @above AND message < @below
                    ORDER BY message {order} LIMIT @count)) AS found
            ORDER BY message {order} LIMIT @count
            """;
    }

    public override EventCursor Place(DbConnection connection, EventCursor told) => MovedEvents.Translate(connection, told);

    public override FeedRows ReadFeed(DbConnection connection, TenantId tenant, EventCursor after, long? message, int count)
    {
        var looked = message is null ? count : MostPassed;
        var rows = connection.Query<FeedRow>(SelectFeed(ofMessage: message is not null), new
        {
            tenant = tenant.Value,
            transaction = after.Transaction,
            row = after.Id,
            oldest = EventPartitions.Before(after.Id),
            message,
            looked,
        }).AsList();
        return new FeedRows([.. rows.Where(row => message is null || row.Message == 0 || row.Message == message)],
            rows is [.., var last] ? EventCursor.After(last.Transaction, last.Id) : after, rows.Count, HasMore: rows.Count == looked);
    }

    const int MostPassed = 2_000;
    const long DayOfMilliseconds = 86_400_000;
    static readonly long IdsAMillisecond = MessageId.Create(1, 0, 0).Value;

    // Whoever numbered a row before us may commit after us. So the order is that of the transactions' numbers, and nothing is told while a
    // transaction with a lower number is still running anywhere in the cluster. Rows of other messages are left out by the reader, not by
    // the condition: however rare the message is, a read looks at so many rows. A place that is more than a day ahead of the server's clock
    // was numbered by a clock that is wrong: behind it rows of any day may come. Uses events_feed.
    internal static string SelectFeed(bool ofMessage) => $"""
        SELECT xid::text::bigint AS Transaction, id, message, type, at, node,
            {(ofMessage ? "CASE WHEN message IN (0, @message) THEN details END AS details" : "details")} FROM events
        WHERE tenant = @tenant AND (xid, id) >= (@transaction::text::xid8, @row) AND xid < pg_snapshot_xmin(pg_current_snapshot())
            AND id >= CASE WHEN @row > ((extract(epoch FROM now()) * 1000)::bigint + {DayOfMilliseconds}) * {IdsAMillisecond}
                THEN 0 ELSE @oldest END
        ORDER BY xid, id LIMIT @looked
        """;

    public override EventCursor LatestEvent(DbConnection connection) => new(
        connection.ExecuteScalar<long>("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"), 0, 0);
}
