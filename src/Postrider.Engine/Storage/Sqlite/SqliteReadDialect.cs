using System.Data.Common;
using Dapper;

namespace Postrider.Storage.Sqlite;

/// <summary>What SQLite says differently: lists are expanded into parameters, hashes are looked up in the runs of the index.</summary>
sealed class SqliteReadDialect(SearchIndex index, string nodeName) : ReadDialect
{
    public override string In(string column, string parameter) => $"{column} IN @{parameter}";
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
}
