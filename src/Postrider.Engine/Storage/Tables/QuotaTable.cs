using System.Data.Common;
using Dapper;
using Postrider.Routing;

namespace Postrider.Storage.Tables;

/// <summary>What was taken of quotas, one row for each scope and window.</summary>
public sealed class QuotaTable(ITableStore store) : IQuotaStore
{
    public Task<IReadOnlyList<long>> TakeAsync(IReadOnlyList<QuotaAsk> asks) => store.WriteAsync<IReadOnlyList<long>>(connection =>
    {
        var granted = new long[asks.Count];
        // In one order, so that nodes do not wait for each other in a circle.
        foreach (var (index, ask) in asks.Index().OrderBy(one => Key(one.Item), StringComparer.Ordinal))
            granted[index] = Take(connection, ask);
        return granted;
    });

    // What is read of the row stays so until the commit.
    internal const string LockUsed = """
        INSERT INTO quota_use AS q (scope, start, used) VALUES (@key, @start, 0)
        ON CONFLICT (scope, start) DO UPDATE SET used = q.used RETURNING used
        """;

    internal const string AddUsed = "UPDATE quota_use SET used = used + @part WHERE scope = @key AND start = @start";

    static long Take(DbConnection connection, QuotaAsk ask)
    {
        var row = new { key = Key(ask), start = ask.WindowStart.ToUnixTimeMilliseconds() };
        var used = connection.ExecuteScalar<long>(LockUsed, row);
        var part = ask.Quota.PartOf(used, ask.Count);
        if (part > 0)
            connection.Execute(AddUsed, new { row.key, row.start, part });
        if (used == 0)
            connection.Execute("DELETE FROM quota_use WHERE scope = @key AND start < @start", row);
        return part;
    }

    public Task GiveBackAsync(IReadOnlyList<QuotaAsk> unused) => store.WriteAsync(connection =>
    {
        foreach (var ask in unused.OrderBy(Key, StringComparer.Ordinal))
            connection.Execute("UPDATE quota_use SET used = used - @Count WHERE scope = @key AND start = @start",
                new { ask.Count, key = Key(ask), start = ask.WindowStart.ToUnixTimeMilliseconds() });
        return unused.Count;
    });

    public Task<IReadOnlyList<long>> UsedAsync(IReadOnlyList<QuotaAsk> quotas, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<long>>(connection =>
        [
            .. quotas.Select(ask => connection.ExecuteScalar<long?>("SELECT used FROM quota_use WHERE scope = @key AND start = @start",
                new { key = Key(ask), start = ask.WindowStart.ToUnixTimeMilliseconds() }) ?? 0),
        ], ct);

    static string Key(QuotaAsk ask) => $"{ask.Scope} {ask.Quota.Span}";
}
