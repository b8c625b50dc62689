using Postrider.Feedback;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>The statements on what was reported: which reports came before, which wait, which are not believed.</summary>
sealed class FeedbackTables : IFeedbackTables
{
    readonly Statement _see;
    readonly Statement _seen;
    readonly Statement _hasSeen;
    readonly Statement _wait;
    readonly Statement _isWaiting;
    readonly Statement _waitOn;
    readonly Statement _endWait;
    readonly Statement _dropWaiting;
    readonly Statement _quarantine;
    readonly Statement _dropQuarantined;

    // Writer only; numbers of rolled back rows are not used again.
    long _nextWaiting;
    long _nextQuarantined;

    public FeedbackTables(Statements statements)
    {
        _seen = statements.Prepare("SELECT 1 FROM feedback_seen WHERE message = ?1 AND key = ?2");
        _see = statements.Prepare("INSERT OR IGNORE INTO feedback_seen (message, key) VALUES (?1, ?2)");
        _hasSeen = statements.Prepare("SELECT 1 FROM feedback_seen WHERE message = ?1 LIMIT 1 OFFSET ?2");
        _wait = statements.Prepare("""
            INSERT INTO feedback_waiting (id, key, retry_at, until, report) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING
            """);
        _isWaiting = statements.Prepare("SELECT until FROM feedback_waiting WHERE id = ?1");
        _waitOn = statements.Prepare("UPDATE feedback_waiting SET retry_at = ?2 WHERE id = ?1");
        _endWait = statements.Prepare("DELETE FROM feedback_waiting WHERE id = ?1");
        _dropWaiting = statements.Prepare("DELETE FROM feedback_waiting WHERE id <= ?1 RETURNING report");
        _quarantine = statements.Prepare("""
            INSERT INTO feedback_quarantine (id, key, reason, at, report) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (key) DO NOTHING
            """);
        _dropQuarantined = statements.Prepare("DELETE FROM feedback_quarantine WHERE id <= ?1");
        _nextWaiting = (statements.Prepare("SELECT max(id) FROM feedback_waiting").With().Scalar() ?? 0) + 1;
        _nextQuarantined = (statements.Prepare("SELECT max(id) FROM feedback_quarantine").With().Scalar() ?? 0) + 1;
    }

    public bool IsSeen(long message, long key) => _seen.With().Add(message).Add(key).Scalar() is not null;

    public void See(long message, long key) => _see.With().Add(message).Add(key).Run();

    public bool HasSeen(long message, int count) => _hasSeen.With().Add(message).Add(count - 1).Scalar() is not null;

    public IReadOnlyList<FeedbackReport> Wait(FeedbackReport report, long key, long retryAt, long until)
    {
        using var fields = new FieldWriter();
        ReportCodec.Write(fields, report);
        // A repetition must not use up a number: what is dropped is told by the numbers.
        if (_wait.With().Add(_nextWaiting).Add(key).Add(retryAt).Add(until).AddBlob(fields.Written).RunCounting() == 0)
            return [];
        var dropped = new List<FeedbackReport>();
        _dropWaiting.With().Add(_nextWaiting++ - IFeedbackTables.MaxWaiting);
        while (_dropWaiting.Step())
            dropped.Add(ReportCodec.Read(_dropWaiting.Bytes(0).ToArray(), null));
        return dropped;
    }

    public long? WaitsUntil(long id) => _isWaiting.With().Add(id).Scalar();

    public void WaitOn(long id, long retryAt) => _waitOn.With().Add(id).Add(retryAt).Run();

    public void EndWait(long id) => _endWait.With().Add(id).Run();

    public bool Quarantine(FeedbackReport report, QuarantineReason reason, long key, long now)
    {
        using var fields = new FieldWriter();
        ReportCodec.Write(fields, report);
        // As above.
        if (_quarantine.With().Add(_nextQuarantined).Add(key).Add((long)reason).Add(now).AddBlob(fields.Written).RunCounting() == 0)
            return false;
        _dropQuarantined.With().Add(_nextQuarantined++ - IFeedbackTables.MaxQuarantined).Run();
        return true;
    }
}
