using System.Data.Common;
using Dapper;
using Postrider.Schedules;

namespace Postrider.Storage.Tables;

/// <summary>Adds up what became of the mail of runs.</summary>
static class ScheduleSums
{
    public static MailReport OfMail(DbConnection connection, IReadOnlyList<long> batches)
    {
        var sums = new Dictionary<int, long>();
        var waiting = 0L;
        List<TrackingSums.Range> messages = [];
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
            if (made.First is { } first)
                messages.Add(new TrackingSums.Range(first, made.Total));
        }
        var counts = StateSums.Counts(sums.Select(s => (s.Key, s.Value)), scheduled: 0);
        return new MailReport(waiting, counts, TrackingSums.Of(connection, messages));
    }

    sealed class Expansion
    {
        public long? First { get; init; }
        public long Total { get; init; }
        public long Taken { get; init; }
        public int Open { get; init; }
    }
}
