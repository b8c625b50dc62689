using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>Counts the queue, the dead letters and the suppressions.</summary>
public sealed class QueueSumTable(ITableStore store) : IQueueSums
{
    public Task<QueueSums> ReadAsync(DateTimeOffset now, CancellationToken ct) => store.ReadAsync(connection =>
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
                .. depths.Select(row => new QueueDepth((MailStream)row.Stream, (RecipientState)row.State, row.Recipients,
                    row.Oldest is { } due ? DateTimeOffset.FromUnixTimeMilliseconds(due) : null)),
            ],
            letters.ToDictionary(row => (RecipientState)row.State, row => row.Count),
            connection.ExecuteScalar<long>("SELECT count(*) FROM suppressions"));
    }, ct);
}
