using Dapper;
using Microsoft.Data.Sqlite;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

// What was reported to us.
public sealed partial class SqliteStore : IFeedbackStore
{
    public Task<IReadOnlyList<FeedbackResult>> ApplyAsync(
        IReadOnlyList<FeedbackReport> reports, DateTimeOffset now, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return _writer.RunAsync<IReadOnlyList<FeedbackResult>>(
            session => [.. reports.Select(report => Reporting.Apply(session, report, now.Ms))], isBulk: true);
    }

    public Task QuarantineAsync(
        IReadOnlyList<FeedbackReport> reports, QuarantineReason reason, DateTimeOffset now, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        return _writer.RunAsync(session => Done(() =>
        {
            foreach (var report in reports)
                Reporting.Quarantine(session, report, reason, Reporting.KeyOf(report), now.Ms);
        }), isBulk: true);
    }

    public Task<MessageId?> FindAsync(string transport, string providerId, string address, DateTimeOffset at, CancellationToken ct) =>
        ReadAsync(connection => new ProviderIdSearch(connection, _dialect).Find(transport, providerId, address, at), ct);

    public Task<IReadOnlyList<FeedbackReport>> WaitingAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        ReadAsync<IReadOnlyList<FeedbackReport>>(connection => [.. connection.Query<(long Id, byte[] Report)>(
            "SELECT id, report FROM feedback_waiting WHERE retry_at <= @now ORDER BY retry_at LIMIT @limit", new { now = now.Ms, limit })
            .Select(row => ReportCodec.Read(row.Report, row.Id))], ct);

    public Task<QuarantinePage> ListQuarantineAsync(long? before, int limit, CancellationToken ct) =>
        ReadAsync(connection => Quarantined(connection, before ?? long.MaxValue, limit), ct);

    public Task<IReadOnlyList<DoubtfulEnvelope>> DoubtfulAsync(DateTimeOffset dueBefore, int limit, CancellationToken ct) =>
        ReadAsync<IReadOnlyList<DoubtfulEnvelope>>(connection => [.. Doubtful(connection, dueBefore.Ms, limit)], ct);

    // Uses queue_unknown (due) WHERE state = 3.
    static IEnumerable<DoubtfulEnvelope> Doubtful(SqliteConnection connection, long dueBefore, int limit)
    {
        var rows = connection.Query<(long Message, int N, int Stream, long Due, byte[]? History)>("""
            SELECT message, n, stream, due, history FROM queue WHERE state = 3 AND due < @dueBefore ORDER BY due LIMIT @limit
            """, new { dueBefore, limit });
        foreach (var (message, n, stream, due, history) in rows)
        {
            var recipients = connection.Query<int>(
                "SELECT n FROM recipients WHERE message = @message AND envelope = @n AND state = 1 ORDER BY n", new { message, n })
                .AsList();
            if (recipients.Count > 0 && HistoryCodec.Decode(history).Last is { } last)
                yield return new DoubtfulEnvelope(
                    last, new DoubtfulMessage(new MessageId(message), (MailStream)stream, recipients), Instant.From(due));
        }
    }

    static QuarantinePage Quarantined(SqliteConnection connection, long before, int limit)
    {
        var rows = connection.Query<(long Id, int Reason, long At, byte[] Report)>("""
            SELECT id, reason, at, report FROM feedback_quarantine WHERE id < @before ORDER BY id DESC LIMIT @limit
            """, new { before, limit = limit + 1 }).AsList();
        var counts = connection.Query<(int State, long Sum)>(
            "SELECT state, sum(delta) FROM counters WHERE scope = @scope GROUP BY state", new { scope = Reporting.QuarantineScope })
            .Where(c => c.State >= Reporting.FirstQuarantineState)
            .ToDictionary(c => (QuarantineReason)(c.State - Reporting.FirstQuarantineState), c => c.Sum);
        return new QuarantinePage(
            [.. rows.Take(limit).Select(r =>
                new QuarantinedReport(r.Id, (QuarantineReason)r.Reason, Instant.From(r.At), ReportCodec.Read(r.Report, null)))],
            rows.Count > limit ? rows[limit - 1].Id : null, counts);
    }
}
