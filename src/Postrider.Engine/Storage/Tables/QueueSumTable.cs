using System.Data.Common;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>Counts the queue, the dead letters and the suppressions, and how far behind others are.</summary>
public sealed class QueueSumTable(ITableStore store) : IQueueSums
{
    public async Task<QueueSums> ReadAsync(DateTimeOffset now, CancellationToken ct)
    {
        var runners = await store.ReadAsync(connection => Runners(connection, now), ct);
        return await store.ReadAsync(connection => Queue(connection, now, runners), ct);
    }

    static QueueSums Queue(DbConnection connection, DateTimeOffset now, RunnerSums runners)
    {
        // One pass over the queue, which is as long as what waits. What waits for its own time has a state of its own only here.
        var depths = connection.Query<(int Stream, int State, long Recipients, long? Oldest)>("""
            SELECT stream, CASE WHEN state = 1 AND wait = 1 AND due > @now THEN 0 ELSE state END AS shown,
                CAST(sum(recipients) AS bigint), min(CASE WHEN state = 1 AND due <= @now THEN due END)
            FROM queue GROUP BY 1, 2
            """, new { now = now.ToUnixTimeMilliseconds() });
        // Uses dead_letters_tenant.
        var letters = connection.Query<(int State, long Count)>("SELECT state, count(*) FROM dead_letters WHERE state <> 0 GROUP BY state");
        return new QueueSums(
            [
                .. depths.Select(row =>
                    new QueueDepth((MailStream)row.Stream, (RecipientState)row.State, row.Recipients, At(row.Oldest))),
            ],
            letters.ToDictionary(row => (RecipientState)row.State, row => row.Count),
            connection.ExecuteScalar<long>("SELECT count(*) FROM suppressions"), runners);
    }

    // Uses schedules_due: all that are active; expansions_open; webhook_deliveries_due: all that are not made.
    static RunnerSums Runners(DbConnection connection, DateTimeOffset now)
    {
        var at = new { now = now.ToUnixTimeMilliseconds() };
        var expanding = connection.QuerySingle<(long Batches, long Left)>("""
            SELECT count(*), CAST(coalesce(sum(total - taken), 0) AS bigint) FROM expansions
            WHERE open = 1 AND start_at <= @now AND state = 1 AND stop = 0
            """, at);
        var deliveries = connection.QuerySingle<(long Count, long? Oldest, long? Due)>("""
            SELECT count(*), min(d.created), min(CASE WHEN d.due <= @now THEN d.due END)
            FROM webhook_deliveries d JOIN webhooks w ON w.tenant = d.tenant AND w.id = d.webhook WHERE d.state = 0 AND w.enabled = 1
            """, at);
        return new RunnerSums
        {
            ScheduleDueAt = At(connection.ExecuteScalar<long?>("""
                SELECT min(next_at) FROM schedules
                WHERE due IS NOT NULL AND next_at <= @now AND tenant NOT IN (SELECT id FROM tenants WHERE archived IS NOT NULL)
                """, at)),
            Expanding = expanding.Batches,
            DestinationsLeft = expanding.Left,
            Deliveries = deliveries.Count,
            OldestDeliveryAt = At(deliveries.Oldest),
            DeliveryDueAt = At(deliveries.Due),
            RetentionDueAt = At(connection.ExecuteScalar<long?>(
                "SELECT min(hand_until) FROM retention WHERE hand_until > 0 AND hand_until <= @now", at)),
        };
    }

    static DateTimeOffset? At(long? milliseconds) => milliseconds is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
}
