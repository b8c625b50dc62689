using System.Data.Common;
using Dapper;

namespace Postrider.Storage.Postgres;

/// <summary>What PostgreSQL says differently: lists are one parameter, hashes have indexes of their own.</summary>
sealed class PostgresReadDialect(NodeNames names) : ReadDialect
{
    public override string In(string column, string parameter) => $"{column} = ANY(@{parameter})";
    public override string EndedTable => "ended";
    public override long OldestEvent(long message) => EventPartitions.Before(message);
    public override string NodeName(int node) => names.Of(node);

    public override List<long> FindByHash(DbConnection connection, long hash, long above, long below, bool ascending, int count)
    {
        var order = ascending ? "ASC" : "DESC";
        // Each half by its index, in its order; a hash is of an address or of a tag.
        return connection.Query<long>($"""
            SELECT DISTINCT message FROM (
                (SELECT message FROM recipients WHERE hash = @hash AND message > @above AND message < @below
                    ORDER BY message {order} LIMIT @count)
                UNION ALL
                (SELECT message FROM tagged WHERE hash = @hash AND message > @above AND message < @below
                    ORDER BY message {order} LIMIT @count)) AS found
            ORDER BY message {order} LIMIT @count
            """, new { hash, above, below, count }).AsList();
    }
}
