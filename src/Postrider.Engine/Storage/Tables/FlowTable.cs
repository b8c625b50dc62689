using Dapper;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Tables;

/// <summary>What goes out by the minute, and what the counters know by the hour.</summary>
public sealed class FlowTable(ITableStore store) : IFlowStore
{
    // In one order, so that nodes do not wait for each other in a circle.
    public Task AddAsync(IReadOnlyList<FlowCount> counts) => store.WriteAsync(connection => connection.Execute("""
        INSERT INTO flow (tenant, minute, transport, kind, count) VALUES (@Tenant, @Minute, @Transport, @Kind, @Count)
        ON CONFLICT (tenant, minute, transport, kind) DO UPDATE SET count = flow.count + excluded.count
        """,
        counts.OrderBy(c => c.Tenant.Value).ThenBy(c => c.Minute).ThenBy(c => c.Transport, StringComparer.Ordinal).ThenBy(c => c.Kind)
            .Select(c => new { Tenant = c.Tenant.Value, c.Minute, c.Transport, c.Kind, c.Count })), isBulk: true);

    // Uses flow_minute.
    public Task ForgetAsync(DateTimeOffset before) => store.WriteAsync(connection => connection.Execute(
        "DELETE FROM flow WHERE minute < @before", new { before = FlowCount.MinuteOf(before) }), isBulk: true);

    public Task<IReadOnlyList<FlowCount>> ReadAsync(TenantId tenant, DateTimeOffset from, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<FlowCount>>(connection =>
        [
            .. connection.Query<(long Minute, string Transport, int Kind, long Count)>(
                "SELECT minute, transport, kind, count FROM flow WHERE tenant = @tenant AND minute >= @from",
                new { tenant = tenant.Value, from = FlowCount.MinuteOf(from) })
                .Select(row => new FlowCount(tenant, row.Minute, row.Transport, row.Kind, row.Count)),
        ], ct);

    public Task<IReadOnlyList<HourCount>> ReadHoursAsync(TenantId tenant, DateTimeOffset from, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<HourCount>>(connection =>
        [
            // Uses the key of counters: a range for each state.
            .. connection.Query<(long Hour, int State, long Sum)>($"""
                SELECT hour, state, CAST(sum(delta) AS bigint) FROM counters
                WHERE scope = @tenant AND state IN (10, 11, 12, 13, 14, 15, 16, {StateSums.Accepted}) AND hour >= @from GROUP BY hour, state
                """, new { tenant = (long)tenant.Value, from = from.ToUnixTimeSeconds() / 3_600 })
                .Select(row => new HourCount(DateTimeOffset.FromUnixTimeSeconds(row.Hour * 3_600),
                    row.State == StateSums.Accepted ? null : (RecipientState)row.State, row.Sum)),
        ], ct);

    public Task<IReadOnlyList<DueDepth>> ReadDueAsync(
        TenantId tenant, IReadOnlyCollection<string> routes, DateTimeOffset now, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<DueDepth>>(connection =>
        {
            var due = new List<DueDepth>();
            foreach (var stream in Enum.GetValues<MailStream>())
            {
                var (recipients, oldest) = (0L, (long?)null);
                foreach (var route in routes)
                {
                    // Uses queue_due: from the oldest on.
                    var (sum, first) = connection.QuerySingle<(long?, long?)>($"""
                        SELECT CAST(sum(recipients) AS bigint), min(due) FROM (
                            SELECT recipients, due FROM queue WHERE route = @route AND stream = @stream AND tenant = @tenant AND gate = 0
                                AND state = 1 AND due <= @now ORDER BY due LIMIT {DueDepth.Most}) AS waiting
                        """, new { route, stream = (int)stream, tenant = tenant.Value, now = now.ToUnixTimeMilliseconds() });
                    recipients += sum ?? 0;
                    oldest = first < oldest || oldest is null ? first : oldest;
                }
                due.Add(new DueDepth(stream, Math.Min(recipients, DueDepth.Most),
                    oldest is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null));
            }
            return due;
        }, ct);
}
