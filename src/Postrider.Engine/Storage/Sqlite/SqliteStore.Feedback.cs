using Dapper;
using Microsoft.Data.Sqlite;
using Postrider.Feedback;
using Postrider.Messages;
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
