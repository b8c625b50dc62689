using Dapper;
using Postrider.Storage.Postgres;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>The plans of what nodes and people ask beside mail, as the planner makes them of tables with many rows.</summary>
/// <remarks>Those of the writers are in <see cref="PostgresHotPathTests"/>.</remarks>
public sealed class PostgresPlanTests : IAsyncLifetime
{
    // As many rows as show whether they are looked at one by one.
    const string Rows = """
        INSERT INTO nodes SELECT g, 1, 0, true, 'worker-' || g, 'host-' || g || '.example.com', 'http://host-' || g || '.example.com:8025',
            'worker,scheduler', '1.0.0', 0, 0, 0 FROM generate_series(2, 255) g;
        INSERT INTO tenants SELECT g, 'tenant-' || g, 0, NULL, '{"version":1}', g FROM generate_series(2, 3000) g;
        INSERT INTO rate_budgets SELECT 'k' || g, g FROM generate_series(1, 2000) g;
        INSERT INTO quota_use SELECT 'k' || g, 0, g FROM generate_series(1, 5000) g;
        INSERT INTO schedules (id, tenant, name, state, revision, change, due, edition, source, is_list, updated, times, email)
            SELECT g, 1, '', 1, 1, 1, g, '', 1, 0, 0, '', repeat('x', 500) FROM generate_series(1, 20000) g;
        INSERT INTO expansions (batch, tenant, state, open, stop, tidy, start_at, source, until, cursor, next, total, taken, failed, refused,
            updated) SELECT g, 1, 2, (g % 500 = 0)::int, 0, 0, g, g, 1, 1, 1, 1, 1, 0, 0, 0 FROM generate_series(1, 20000) g;
        INSERT INTO webhook_deliveries SELECT 1, 'w' || g % 4, g, 't', g, (g % 10 <> 0)::int, g, 0, 0, '', '[]'
            FROM generate_series(1, 20000) g;
        INSERT INTO dead_letter_jobs (tenant, action, filter, per_second, created, created_by, state, done, not_before, revision)
            SELECT 1, 1, '{}', 0, 0, '', (g % 100 <> 0)::int, 0, g, 0 FROM generate_series(1, 5000) g;
        INSERT INTO tagged SELECT g, g FROM generate_series(1, 5000) g;
        INSERT INTO recipients SELECT g, g, 0, 0, 0, 0, 0, 0, 1, 0, '', '' FROM generate_series(1, 5000) g;
        INSERT INTO events (id, message, at, xid, tenant, type, details)
            SELECT (SELECT max(id) FROM events) + g, g, 0, (1000 + g / 10)::text::xid8, g % 4, 1, '' FROM generate_series(1, 20000) g;
        ANALYZE;
        """;

    PostgresUnderTest _under = null!;

    PostgresStore Store => _under.Postgres;

    public async ValueTask InitializeAsync()
    {
        var clock = new ManualClock();
        _under = await PostgresUnderTest.OpenAsync(clock);
        await Store.AcceptAsync(StoredMails.Accept(new StoredMails(clock).Make("a@example.org")), default);
        await _under.ExecuteAsync(Rows);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    /// <summary>Statements, and the indexes that each needs.</summary>
    public static TheoryData<string, string> OfTables => new()
    {
        { ScheduleTables.Take(ScheduleTables.PassOver), "schedules_due schedules_pkey" },
        { BatchTables.SelectWithWork, "expansions_open tenants_pkey" },
        { WebhookTables.SelectDue, "webhook_deliveries_due" },
        { WebhookTables.Claim, "webhook_deliveries_pkey" },
        { DeadLetterTables.TakeJob, "dead_letter_jobs_running dead_letter_jobs_pkey" },
        { QuotaTable.AddUsed, "quota_use_pkey" },
        { PostgresReadDialect.SelectByHash(ascending: true), "recipients_hash tagged_pkey" },
        { PostgresReadDialect.SelectByHash(ascending: false), "recipients_hash tagged_pkey" },
        { PostgresReadDialect.SelectFeed(ofMessage: false), "events_20260101_tenant_xid_id_idx" },
        { PostgresReadDialect.SelectFeed(ofMessage: true), "events_20260101_tenant_xid_id_idx" },
    };

    [Theory]
    [MemberData(nameof(OfTables))]
    public async Task What_is_asked_beside_mail_finds_rows_by_an_index(string sql, string indexes)
    {
        var parameters = new DynamicParameters(new { now = 10_000L, until = 20_000L, limit = 10, count = 10, looked = 10, tenant = 1 });
        parameters.AddDynamicParams(new { skip = 0 });
        parameters.AddDynamicParams(new { id = "w1", Event = "55", Claim = 0, part = 1L, key = "k55", start = 0L });
        parameters.AddDynamicParams(new { hash = 55L, above = 1L, below = 4000L });
        parameters.AddDynamicParams(new { transaction = 1000L, row = 1L, oldest = 1L, message = 55L });
        var plan = await Store.WriteAsync(c => string.Join('\n', c.Query<string>($"EXPLAIN {sql}", parameters)));

        AssertBy(indexes, plan);
        // A page of the feed is read in its order.
        if (indexes.Contains("xid", StringComparison.Ordinal))
            Assert.DoesNotContain("Sort  (", plan, StringComparison.Ordinal);
    }

    /// <summary>Those with numbered parameters: planned for any values, as those that run often are.</summary>
    public static TheoryData<string, string, string> Numbered => new()
    {
        { PostgresLimits.TakeSql, "text[], bigint[], bigint[], bigint[], bigint[], bigint", "rate_budgets_pkey" },
        { Membership.DeclareDead, "int, bigint, bigint", "nodes_pkey" },
    };

    [Theory]
    [MemberData(nameof(Numbered))]
    public async Task What_nodes_share_is_found_by_its_key(string sql, string types, string indexes)
    {
        var plan = await Store.WriteAsync(c =>
        {
            c.Execute($"SET LOCAL plan_cache_mode = force_generic_plan; PREPARE shared ({types}) AS {sql}");
            var lines = c.Query<string>(
                $"EXPLAIN EXECUTE shared ({string.Join(',', Enumerable.Repeat("NULL", types.Split(',').Length))})").ToList();
            c.Execute("DEALLOCATE shared");
            return string.Join('\n', lines);
        });

        AssertBy(indexes, plan);
    }

    [Fact]
    public async Task A_quota_is_locked_by_its_key()
    {
        var plan = await Store.WriteAsync(c => string.Join('\n', c.Query<string>(
            $"EXPLAIN {QuotaTable.LockUsed}", new { key = "k55", start = 0L })));

        Assert.Contains("Conflict Arbiter Indexes: quota_use_pkey", plan, StringComparison.Ordinal);
    }

    /// <param name="indexes">With spaces between; a star behind one says that all of it is read.</param>
    internal static void AssertBy(string indexes, string plan)
    {
        Assert.All(indexes.Split(' '), index => Assert.Matches(
            $"(using|Bitmap Index Scan on) {index.TrimEnd('*')}\\b{(index.EndsWith('*') ? "" : @"[^\n]*\n\s+Index Cond: ")}", plan));
        // Tables of days without events are read whole.
        Assert.DoesNotMatch("Seq Scan on (?!events_(2026010[2-9]|other))", plan);
    }

    // Without them a table is vacuumed when a fifth of it is dead.
    [Fact]
    public async Task Tables_whose_rows_come_and_go_have_vacuum_settings_of_their_own()
    {
        var settings = await Store.ReadAsync(c => c.Query<(string Name, string Options)>("""
            SELECT relname, array_to_string(reloptions, ' ') FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reloptions IS NOT NULL
            """).ToDictionary(row => row.Name, row => row.Options), default);

        Assert.All((string[])["queue", "counters", "rate_budgets", "quota_use", "nodes", "transport_states", "changes", "webhooks"],
            table => Assert.Matches("autovacuum_vacuum_scale_factor=0( |$)", settings.GetValueOrDefault(table, "")));
        Assert.All((string[])
            [
                "recipients", "messages", "ended", "tagged", "idempotency", "destinations", "expansions", "dead_letters",
                "webhook_deliveries", "feedback_seen", "schedules", "schedule_runs", "retention_waits", "inbox",
            ],
            table => Assert.Contains("autovacuum_vacuum_scale_factor=0.02", settings.GetValueOrDefault(table, ""), StringComparison.Ordinal));
    }
}
