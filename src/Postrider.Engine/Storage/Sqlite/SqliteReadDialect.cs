using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Storage.Sqlite;

/// <summary>What SQLite says differently: lists are expanded into parameters, hashes are looked up in the runs of the index.</summary>
sealed class SqliteReadDialect(SearchIndex index, string nodeName) : ReadDialect
{
    public override string In(string column, string parameter) => $"{column} IN @{parameter}";
    public override string Like => "LIKE";
    public override string EndedTable => "recipients";
    public override long OldestEvent(long message) => 0;
    public override string NodeName(int node) => nodeName;

    public override List<long> FindByHash(DbConnection connection, long hash, long above, long below, bool ascending, int count)
    {
        var (runs, waiting) = index.Look(hash);
        var found = new SortedSet<long>(waiting.Where(id => id > above && id < below));
        // From the near end: once enough are nearer than all that is left, the rest cannot matter.
        foreach (var run in ascending ? runs.OrderBy(r => r.Low) : runs.OrderByDescending(r => r.High))
        {
            if (run.High <= above || run.Low >= below)
                continue;
            if (found.Count >= count
                && (ascending ? run.Low > found.ElementAt(count - 1) : run.High < found.Reverse().ElementAt(count - 1)))
                break;
            found.UnionWith(connection.Query<long>($"""
                SELECT message FROM search WHERE bucket = @bucket AND hash = @hash AND message > @above AND message < @below
                ORDER BY message {(ascending ? "ASC" : "DESC")} LIMIT @count
                """, new { bucket = run.Bucket, hash, above, below, count }));
        }
        return [.. (ascending ? found : found.Reverse()).Take(count)];
    }

    public override FeedRows ReadFeed(DbConnection connection, TenantId tenant, EventCursor after, long? message, int count)
    {
        var (oldest, newest) = connection.QuerySingle<(long?, long?)>("SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events)");
        if (newest is not { } last || last < after.Id)
            return new FeedRows([], after, Looked: 0, HasMore: false);
        var rows = new List<FeedRow>();
        var first = Math.Max(after.Id, oldest!.Value);
        var from = first;
        // Numbers follow each other in the order of commits. There is no index by tenant: windows bound what one read looks at.
        for (var windows = 0; windows < MostWindows && from <= last && rows.Count < count; windows++)
        {
            rows.AddRange(connection.Query<FeedRow>($"""
                SELECT id, message, type, at, node, details FROM events
                WHERE id BETWEEN @from AND @to AND tenant = @tenant {(message is null ? "" : "AND message IN (0, @message)")}
                ORDER BY id LIMIT @count
                """, new { from, to = from + Window - 1, tenant = tenant.Value, message, count = count - rows.Count }));
            from = rows.Count < count ? from + Window : rows[^1].Id + 1;
        }
        return new FeedRows(
            rows, EventCursor.After(0, Math.Min(from - 1, last)), Looked: (int)(Math.Min(from, last + 1) - first), HasMore: from <= last);
    }

    const int Window = 2_000;
    const int MostWindows = 5;

    public override EventCursor LatestEvent(DbConnection connection) =>
        EventCursor.After(0, connection.ExecuteScalar<long?>("SELECT max(id) FROM events") ?? 0);
}
