using System.Data.Common;
using Dapper;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Storage.Rules;

namespace Postrider.Storage;

/// <summary>Reads what was reported and waits, or is not believed, in SQL that both engines speak.</summary>
static class FeedbackQueries
{
    public static IReadOnlyList<FeedbackReport> Waiting(DbConnection connection, DateTimeOffset now, int limit) =>
    [
        .. connection.Query<(long Id, byte[] Report)>(
            "SELECT id, report FROM feedback_waiting WHERE retry_at <= @now ORDER BY retry_at LIMIT @limit", new { now = now.Ms, limit })
            .Select(row => ReportCodec.Read(row.Report, row.Id)),
    ];

    // Uses queue_unknown (due) WHERE state = 3.
    public static IReadOnlyList<DoubtfulEnvelope> Doubtful(DbConnection connection, long dueBefore, int limit)
    {
        var doubtful = new List<DoubtfulEnvelope>();
        var rows = connection.Query<(long Message, int N, int Tenant, int Stream, long Due, byte[]? History)>("""
            SELECT message, n, tenant, stream, due, history FROM queue WHERE state = 3 AND due < @dueBefore ORDER BY due LIMIT @limit
            """, new { dueBefore, limit }).AsList();
        foreach (var (message, n, tenant, stream, due, history) in rows)
        {
            var recipients = connection.Query<int>(
                "SELECT n FROM recipients WHERE message = @message AND envelope = @n AND state = 1 ORDER BY n", new { message, n })
                .AsList();
            if (recipients.Count > 0 && HistoryCodec.TryDecode(history)?.Last is { } last)
                doubtful.Add(new DoubtfulEnvelope(
                    new TenantId(tenant), last,
                    new DoubtfulMessage(new MessageId(message), (MailStream)stream, recipients), Instant.From(due)));
        }
        return doubtful;
    }

    public static QuarantinePage Quarantined(DbConnection connection, long before, int limit)
    {
        var rows = connection.Query<(long Id, int Reason, long At, byte[] Report)>("""
            SELECT id, reason, at, report FROM feedback_quarantine WHERE id < @before ORDER BY id DESC LIMIT @limit
            """, new { before, limit = limit + 1 }).AsList();
        var counts = connection.Query<(int State, long Sum)>(
            "SELECT state, CAST(sum(delta) AS bigint) FROM counters WHERE scope = @scope GROUP BY state",
            new { scope = Reporting.QuarantineScope })
            .Where(c => c.State >= Reporting.FirstQuarantineState)
            .ToDictionary(c => (QuarantineReason)(c.State - Reporting.FirstQuarantineState), c => c.Sum);
        return new QuarantinePage(
            [.. rows.Take(limit).Select(r =>
                new QuarantinedReport(r.Id, (QuarantineReason)r.Reason, Instant.From(r.At), ReportCodec.Read(r.Report, null)))],
            rows.Count > limit ? rows[limit - 1].Id : null, counts);
    }
}
