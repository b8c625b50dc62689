using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>Counts what waits of a tenant's mail.</summary>
public sealed class QueueGroupTable(ITableStore store) : IQueueGroups
{
    // One pass over the queue, which is as long as what waits. What waits for its own time has a state of its own only here; of what is
    // under way the reason and the time are over.
    const string Groups = """
        SELECT stream AS Stream, route AS Route, CASE WHEN state = 1 AND wait = 1 AND due > @now THEN 0 ELSE state END AS State,
            CASE WHEN state = 2 THEN 0 ELSE wait END AS Wait, CASE WHEN due <= @now THEN 1 ELSE 0 END AS Due,
            CAST(sum(recipients) AS bigint) AS Recipients, min(due) AS FirstDue
        FROM queue WHERE tenant = @tenant GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2, 3, 4, 5
        """;

    public Task<IReadOnlyList<QueueGroup>> ReadAsync(TenantId tenant, DateTimeOffset now, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<QueueGroup>>(connection =>
        [
            .. connection.Query<Row>(Groups, new { tenant = tenant.Value, now = now.ToUnixTimeMilliseconds() })
                .Select(row => row.ToGroup()),
        ], ct);

    sealed class Row
    {
        public int Stream { get; init; }
        public string Route { get; init; } = "";
        public int State { get; init; }
        public int Wait { get; init; }
        public int Due { get; init; }
        public long Recipients { get; init; }
        public long FirstDue { get; init; }

        public QueueGroup ToGroup() => new((MailStream)Stream, Route, (RecipientState)State, (WaitReason)Wait, Due == 1, Recipients,
            DateTimeOffset.FromUnixTimeMilliseconds(FirstDue));
    }
}
