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

    public Task<MessageId?> FindAsync(
        TenantId? owner, string transport, string providerId, string address, DateTimeOffset at, CancellationToken ct) =>
        ReadAsync(connection => new ProviderIdSearch(connection, _dialect).Find(owner, transport, providerId, address, at), ct);

    public Task<IReadOnlyList<FeedbackReport>> WaitingAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        ReadAsync(connection => FeedbackQueries.Waiting(connection, now, limit), ct);

    public Task<QuarantinePage> ListQuarantineAsync(long? before, int limit, CancellationToken ct) =>
        ReadAsync(connection => FeedbackQueries.Quarantined(connection, before ?? long.MaxValue, limit), ct);

    public Task<IReadOnlyList<DoubtfulEnvelope>> DoubtfulAsync(DateTimeOffset dueBefore, int limit, CancellationToken ct) =>
        ReadAsync(connection => FeedbackQueries.Doubtful(connection, dueBefore.Ms, limit), ct);
}
