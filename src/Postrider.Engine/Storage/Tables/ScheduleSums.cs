using System.Data.Common;
using Dapper;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Storage.Tables;

/// <summary>Adds up what became of the mail of runs.</summary>
static class ScheduleSums
{
    /// <summary>Their events are looked through within the 5 s that a read has.</summary>
    const long MostLookedThrough = 100_000;

    public static MailReport OfMail(DbConnection connection, IReadOnlyList<long> batches)
    {
        var sums = new Dictionary<int, long>();
        var (waiting, recipients) = (0L, 0L);
        List<(long First, long Last)> messages = [];
        foreach (var batch in batches)
        {
            // By the key (scope, state).
            foreach (var (state, sum) in connection.Query<(int, long)>(
                "SELECT state, CAST(sum(delta) AS bigint) FROM counters WHERE scope = @batch GROUP BY state", new { batch }))
                sums[state] = sums.GetValueOrDefault(state) + sum;
            var made = connection.QuerySingleOrDefault<Expansion>(
                "SELECT first, total, taken, open FROM expansions WHERE batch = @batch", new { batch });
            if (made is null)
                continue;
            waiting += made.Open == 0 ? 0 : made.Total - made.Taken;
            recipients += made.Total;
            if (made.First is { } first)
                messages.Add((first, new MessageId(first).Plus(made.Total - 1).Value));
        }
        var counts = StateSums.Counts(sums.Select(s => (s.Key, s.Value)), scheduled: 0);
        return recipients > MostLookedThrough ? new MailReport(waiting, counts, null, null) : new MailReport(
            waiting, counts, Count(connection, messages, MailEventType.Opened), Count(connection, messages, MailEventType.Clicked));
    }

    // Uses events_message. Ids of other nodes lie between those of a batch: what tells them apart is the lowest bits. What machines do
    // is not counted.
    static long Count(DbConnection connection, List<(long First, long Last)> messages, MailEventType type) => messages.Sum(range =>
        connection.Query<(long Message, byte[] Details)>("""
            SELECT message, details FROM events
            WHERE message >= @First AND message <= @Last AND type = @type AND (message - @First) % @stride = 0
            """, new { range.First, range.Last, type = (int)type, stride = MessageId.Stride }, buffered: false)
            .Where(e => EventCodec.Read(e.Details).Feedback is not { IsMachine: true })
            .Select(e => e.Message).Distinct().LongCount());

    sealed class Expansion
    {
        public long? First { get; init; }
        public long Total { get; init; }
        public long Taken { get; init; }
        public int Open { get; init; }
    }
}
