namespace Postrider.Storage.Migrations;

/// <summary>When PostgreSQL cleans up after tables whose rows come and go, or are written over again and again. Those of <c>queue</c>,
/// <c>recipients</c> and <c>counters</c> are where these are made.</summary>
static class VacuumSettings
{
    // The server's own share is a fifth of all rows: of ten million that retention keeps, two million dead ones.
    const string ByShare = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000";

    // A few rows that are written many times a second: by number, and without pauses, as each is done in a moment.
    const string ByNumber = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0";

    /// <summary>Whoever reads or writes goes on meanwhile: it waits for a running vacuum only.</summary>
    public const string Postgres = $"""
        ALTER TABLE messages SET ({ByShare});
        ALTER TABLE tagged SET ({ByShare});
        ALTER TABLE ended SET ({ByShare});
        ALTER TABLE idempotency SET ({ByShare});
        ALTER TABLE destinations SET ({ByShare});
        ALTER TABLE expansions SET ({ByShare});
        ALTER TABLE dead_letters SET ({ByShare});
        ALTER TABLE webhook_deliveries SET ({ByShare});
        ALTER TABLE feedback_seen SET ({ByShare});
        ALTER TABLE feedback_waiting SET ({ByShare});
        ALTER TABLE retention_waits SET ({ByShare});
        ALTER TABLE schedules SET ({ByShare});
        ALTER TABLE schedule_runs SET ({ByShare});
        ALTER TABLE inbox SET ({ByShare});
        ALTER TABLE nodes SET ({ByNumber});
        ALTER TABLE changes SET ({ByNumber});
        ALTER TABLE rate_budgets SET ({ByNumber});
        ALTER TABLE transport_states SET ({ByNumber});
        ALTER TABLE quota_use SET ({ByNumber});
        ALTER TABLE webhooks SET ({ByNumber});
        ALTER TABLE dead_letter_jobs SET ({ByNumber});
        ALTER TABLE retention SET ({ByNumber});
        """;
}
