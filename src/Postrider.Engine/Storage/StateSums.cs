using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage;

/// <summary>Adds the counters up. What waits for its time is counted in the queue, because nothing is written when the time
/// comes.</summary>
static class StateSums
{
    /// <summary>The number under which all that ever came is counted, beside the numbers of <see cref="RecipientState"/>.</summary>
    public const int Accepted = 100;

    /// <summary>The number under which the bytes of a tenant's stored messages are counted.</summary>
    public const int StoredBytes = 101;

    public static StateCounts Of(DbConnection connection, TenantId tenant, long now)
    {
        var scheduled = connection.ExecuteScalar<long?>(
            "SELECT CAST(sum(recipients) AS bigint) FROM queue WHERE state = 1 AND wait = 1 AND tenant = @tenant AND due > @now",
            new { tenant = tenant.Value, now });
        return Sum(connection, tenant.Value, scheduled ?? 0);
    }

    // Uses lists_bytes and expansions_bytes.
    public static StoredBytes BytesOf(DbConnection connection, TenantId tenant)
    {
        var sums = connection.QuerySingle<(long Contents, long Destinations)>("""
            SELECT CAST(coalesce((SELECT sum(delta) FROM counters WHERE scope = @scope AND state = @state), 0) AS bigint),
                CAST(coalesce((SELECT sum(bytes) FROM lists WHERE tenant = @tenant AND bytes > 0), 0)
                    + coalesce((SELECT sum(bytes) FROM expansions WHERE tenant = @tenant AND bytes > 0), 0) AS bigint)
            """, new { scope = (long)tenant.Value, tenant = tenant.Value, state = StoredBytes });
        return new StoredBytes(sums.Contents, sums.Destinations);
    }

    /// <summary>Counts bytes that came, or with a minus went, beside the writers of mail: a row of its own, that is never in their
    /// way.</summary>
    public static void AddStored(DbConnection connection, int tenant, long bytes) => connection.Execute("""
        INSERT INTO counters (scope, state, hour, node, delta) VALUES (@scope, @state, 0, -1, @bytes)
        ON CONFLICT (scope, state, hour, node) DO UPDATE SET delta = counters.delta + excluded.delta
        """, new { scope = (long)tenant, state = StoredBytes, bytes });

    public static BatchView? OfBatch(DbConnection connection, TenantId tenant, MessageId batch, long now)
    {
        var count = connection.ExecuteScalar<int?>(
            "SELECT count FROM batches WHERE id = @id AND tenant = @tenant", new { id = batch.Value, tenant = tenant.Value });
        if (count is not { } messages)
            return null;
        // Unary plus: by the range of ids, not by the index of all that is scheduled.
        var scheduled = connection.ExecuteScalar<long?>("""
            SELECT CAST(sum(recipients) AS bigint) FROM queue
            WHERE message > @batch AND message <= @last AND +state = 1 AND +wait = 1 AND due > @now
                AND (SELECT m.batch FROM messages m WHERE m.id = queue.message) = @batch
            """, new { batch = batch.Value, last = batch.Plus(messages).Value, now });
        return new BatchView(batch, messages, Sum(connection, batch.Value, scheduled ?? 0));
    }

    static StateCounts Sum(DbConnection connection, long scope, long scheduled)
    {
        var sums = connection.Query<(int State, long Sum)>(
            "SELECT state, CAST(sum(delta) AS bigint) FROM counters WHERE scope = @scope GROUP BY state", new { scope });
        return Counts(sums, scheduled);
    }

    /// <summary>Sums as they were read, under the names of their states.</summary>
    public static StateCounts Counts(IEnumerable<(int State, long Sum)> read, long scheduled)
    {
        var sums = read.GroupBy(s => s.State).ToDictionary(s => s.Key, s => s.Sum(one => one.Sum));
        long Of(RecipientState state) => sums.GetValueOrDefault((int)state);
        return new StateCounts
        {
            Accepted = sums.GetValueOrDefault(Accepted),
            Scheduled = scheduled,
            Queued = Of(RecipientState.Queued) - scheduled,
            Leased = Of(RecipientState.Leased),
            Unknown = Of(RecipientState.Unknown),
            Held = Of(RecipientState.Held),
            Sent = Of(RecipientState.Sent),
            Delivered = Of(RecipientState.Delivered),
            Bounced = Of(RecipientState.Bounced),
            Failed = Of(RecipientState.Failed),
            Expired = Of(RecipientState.Expired),
            Suppressed = Of(RecipientState.Suppressed),
            Cancelled = Of(RecipientState.Cancelled),
        };
    }
}
