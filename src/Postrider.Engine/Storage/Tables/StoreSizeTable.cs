using System.Data.Common;
using Dapper;
using Postrider.Retention;

namespace Postrider.Storage.Tables;

/// <summary>The sizes of the database, in the database.</summary>
/// <param name="isSqlite">Its file lies on a disk of this machine.</param>
public sealed class StoreSizeTable(ITableStore store, bool isSqlite) : IStoreSizes
{
    static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <summary>A week shows what weekdays do.</summary>
    static readonly TimeSpan Kept = TimeSpan.FromDays(8);

    public bool IsOnThisDisk => isSqlite;

    public async Task NoteAsync(DateTimeOffset now)
    {
        var (last, bytes) = await store.ReadAsync(connection =>
        {
            var noted = connection.ExecuteScalar<long?>("SELECT max(at) FROM store_sizes");
            // On PostgreSQL it asks for the size of every file: not oftener than it is noted.
            return (noted, IsYoung(noted, now) ? 0 : SizeOf(connection));
        }, CancellationToken.None);
        if (IsYoung(last, now))
            return;
        // Of several nodes that come at once, one notes it.
        await store.WriteAsync(connection => connection.Execute("""
            INSERT INTO store_sizes (at, bytes) SELECT @at, @bytes WHERE NOT EXISTS (SELECT 1 FROM store_sizes WHERE at > @before AND at <= @at)
                ON CONFLICT (at) DO NOTHING
            """, new { at = now.ToUnixTimeMilliseconds(), bytes, before = (now - Every).ToUnixTimeMilliseconds() })
            + connection.Execute("DELETE FROM store_sizes WHERE at < @old OR at > @at",
                new { old = (now - Kept).ToUnixTimeMilliseconds(), at = now.ToUnixTimeMilliseconds() }), isBulk: true);
    }

    public Task<long> SizeAsync(CancellationToken ct) => store.ReadAsync(SizeOf, ct);

    public Task<IReadOnlyList<StoreSize>> ListAsync(CancellationToken ct) => store.ReadAsync<IReadOnlyList<StoreSize>>(connection =>
    [
        .. connection.Query<(long At, long Bytes)>("SELECT at, bytes FROM store_sizes ORDER BY at")
            .Select(row => new StoreSize(DateTimeOffset.FromUnixTimeMilliseconds(row.At), row.Bytes)),
    ], ct);

    public Task<long> ReusableBytesAsync(CancellationToken ct) => IsOnThisDisk
        ? store.ReadAsync(connection => connection.ExecuteScalar<long>(
            "SELECT f.freelist_count * s.page_size FROM pragma_freelist_count f, pragma_page_size s"), ct)
        : Task.FromResult(0L);

    // What is noted for later was noted before the clock was set back.
    static bool IsYoung(long? noted, DateTimeOffset now) => noted is { } at
        && DateTimeOffset.FromUnixTimeMilliseconds(at) is var then && then > now - Every && then <= now;

    long SizeOf(DbConnection connection) => connection.ExecuteScalar<long>(IsOnThisDisk
        ? """
          SELECT (p.page_count - f.freelist_count) * s.page_size
          FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s
          """
        : "SELECT pg_database_size(current_database())");
}
