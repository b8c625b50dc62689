using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What a mail costs on PostgreSQL: rows written, and the plans of the statements that run all the time.</summary>
public sealed partial class PostgresHotPathTests : IAsyncLifetime
{
    static readonly QueueKey Key = StoredMails.Key;

    readonly ManualClock _clock = new();
    StoredMails _mails = null!;
    PostgresUnderTest _under = null!;

    PostgresStore Store => _under.Postgres;
    Incarnation Own => Store.Member.Incarnation;

    public async ValueTask InitializeAsync()
    {
        _mails = new StoredMails(_clock);
        _under = await PostgresUnderTest.OpenAsync(_clock);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    // Two events: its attempt, and the list of what was accepted, which is one row a transaction.
    [Fact]
    public async Task A_born_leased_mail_is_four_inserts_an_update_and_a_delete()
    {
        await WatchRowsAsync();
        var message = _mails.Make("a@example.org", Own);
        await Store.AcceptAsync(StoredMails.Accept(message), default);
        await Store.RecordAsync(_mails.Sent(BornLeased.Of(Key, message, message.Content!, [], _clock.GetUtcNow())!));

        Assert.Equal(
            ["DELETE queue", "INSERT events", "INSERT events", "INSERT messages", "INSERT queue", "INSERT recipients", "UPDATE recipients"],
            (await RowsAsync()).Where(r => !r.EndsWith("counters", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_mail_through_the_queue_costs_one_update_more()
    {
        await WatchRowsAsync();
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        await Store.RecordAsync(_mails.Sent(Assert.Single(await LeaseAsync())));

        Assert.Equal(
            ["DELETE queue", "INSERT events", "INSERT events", "INSERT messages", "INSERT queue", "INSERT recipients", "UPDATE queue", "UPDATE recipients"],
            (await RowsAsync()).Where(r => !r.EndsWith("counters", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Counters_cost_rows_a_transaction_not_a_mail()
    {
        await FillAsync(1);
        await WatchRowsAsync();
        await FillAsync(500);

        Assert.Equal(
            ["UPDATE counters", "UPDATE counters", "UPDATE counters"], (await RowsAsync()).Where(r => r.EndsWith("counters", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task What_an_outcome_changes_in_a_recipient_touches_no_index()
    {
        await FillAsync(200);
        // As few as the free fifth of one page takes: beyond that it depends on who else is reading whether room is made in time.
        foreach (var lease in (await LeaseAsync()).Take(10))
            await Store.RecordAsync(_mails.Sent(lease));
        // Statistics of a session are sent when it ends.
        await _under.ReopenAsync();

        await Eventually.GetAsync(() => CountAsync("n_tup_upd"), count => count == 10, TimeSpan.FromMinutes(1));
        Assert.Equal(10, await CountAsync("n_tup_hot_upd"));

        Task<long> CountAsync(string counter) => Store.ReadAsync(
            c => c.ExecuteScalar<long>($"SELECT {counter} FROM pg_stat_user_tables WHERE relname = 'recipients'"), default);
    }

    public static TheoryData<string, string, string> Plans => new()
    {
        { QueueRows.SelectDue, "text, int, int, int, bigint, int", "queue_due" },
        { QueueRows.SelectSettled, "bigint, int", "queue_unknown" },
        { QueueRows.SelectExpired, "bigint, int", "queue_expires" },
        { QueueRows.SelectOrphaned, "int", "queue_leased*" },
        { QueueRows.SelectRows, "bigint[], int[]", "queue_pkey" },
        { QueueRows.SelectOfMessages, "bigint[]", "queue_pkey" },
        { QueueRows.DeleteClaims, "bigint[], int[], int[], int[], bigint[]", "queue_pkey recipients_pkey" },
        { QueueColumns.DeleteRows, "bigint[], int[]", "queue_pkey" },
        {
            QueueColumns.UpdateRows,
            "bigint[], int[], smallint[], bigint[], bigint[], smallint[], boolean[], smallint[], int[], int[], bigint[], int[], int[], int[], int[], int[], boolean[], bytea[]",
            "queue_pkey"
        },
        { MessageRows.UpdateRecipients, "bigint[], int[], int[], int[], int[], smallint[], smallint[], bigint[]", "recipients_pkey" },
        { SuppressionRows.SelectHits, "int[], bytea[], bigint", "suppressions_pkey" },
        { SuppressionRows.SelectAny, "int[]", "suppressions_(at|pkey)" },
        { IdempotencyRows.Select, "int[], text[]", "idempotency_pkey" },
        { PostgresSession.Member, "int, bigint", "nodes_pkey" },
        { PostgresMember.Beat, "int, bigint, bigint, int, bigint", "nodes_pkey" },
        { MessageRows.LockHeads, "bigint[]", "messages_pkey" },
        { QueueRows.LockAll, "bigint[]", "queue_pkey" },
        { QueueRows.TakeOfBatch(waitsPaused: false), "bigint, bigint, int, bigint", "queue_pkey messages_pkey" },
        { QueueRows.TakeOfBatch(waitsPaused: true), "bigint, bigint, int, bigint", "queue_pkey messages_pkey" },
        { QueueRows.SelectFirst(behind: false), "int, text", "queue_ordering" },
        { QueueRows.SelectFirst(behind: true), "int, text", "queue_ordering" },
        { FeedbackRows.SelectSeen, "bigint[], bigint[]", "feedback_seen_pkey" },
        { EventRows.SelectAttempts, "bigint[], bigint", "events_20260101_message_idx" },
        { ExpansionRows.AdvanceCursor, "bigint, bigint, bigint, int, int, boolean, bigint, bigint", "expansions_pkey" },
        { ExpansionRows.SelectStopped, "", "expansions_stopped*" },
        { LeaseReader.SelectMessages, "bigint[]", "messages_pkey" },
        { LeaseReader.SelectRecipients, "bigint[]", "recipients_pkey" },
    };

    [Theory]
    [MemberData(nameof(Plans))]
    public async Task Statements_of_the_writers_find_rows_by_an_index(string sql, string types, string indexes)
    {
        await FillAsync(50);
        var plan = await PlanAsync(sql, types);

        PostgresPlanTests.AssertBy(indexes, plan);
        Assert.DoesNotContain("Sort Key: q.due", plan, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Due_keys_are_found_by_one_descent_a_key()
    {
        await FillAsync(2000);
        await Store.WriteAsync(c => c.Execute("ANALYZE queue"));

        var plan = await Store.ReadAsync(c => string.Join(
            '\n', c.Query<string>($"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {LeaseReader.SelectKeys}")), default);

        Assert.DoesNotContain("Seq Scan on queue", plan, StringComparison.Ordinal);
        Assert.All(ActualRows().Matches(plan), m => Assert.True(int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) <= 2, plan));
    }

    [GeneratedRegex(@"actual rows=(\d+)")]
    private static partial Regex ActualRows();

    [Fact]
    public async Task Times_that_a_wrong_clock_wrote_are_found_by_the_key()
    {
        await FillAsync(5000);
        await Store.WriteAsync(c => c.Execute("ANALYZE queue"));

        foreach (var sql in (string[])[QueueTimes.SelectLast, QueueTimes.Update(PostgresStore.PassOver)])
        {
            var ids = await Store.ReadAsync(c => c.Query<long>("SELECT message FROM queue ORDER BY message LIMIT 101").AsList(), default);
            var plan = await Store.WriteAsync(c => string.Join('\n', c.Query<string>($"EXPLAIN {sql}",
                new { now = 0L, latest = 0L, message = ids[0], n = 0, lastMessage = ids[100], lastN = 0, others = 100 })));

            Assert.Matches("(using|Bitmap Index Scan on) queue_pkey", plan);
            Assert.DoesNotContain("Seq Scan", plan, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_address_is_found_however_it_is_written()
    {
        await FillAsync(10);
        var page = await Store.ListAsync(TenantId.First, new MessageFilter { Address = "R7@example.org" }, default);
        Assert.Equal("r7@example.org", Assert.Single(page.Messages).Recipients[0].Mailbox.Address.ToString());
    }

    [Fact]
    public async Task Events_go_to_the_table_of_their_day()
    {
        await FillAsync(3);
        foreach (var lease in await LeaseAsync())
            await Store.RecordAsync(_mails.Sent(lease));

        Assert.Equal("events_20260101", Assert.Single(await Store.ReadAsync(
            c => c.Query<string>("SELECT DISTINCT tableoid::regclass::text FROM events").AsList(), default)));
        Assert.Equal(5, await Store.ReadAsync(c => c.ExecuteScalar<int>(
            "SELECT count(*)::int FROM pg_inherits WHERE inhparent = 'events'::regclass"), default));
    }

    async Task<string> PlanAsync(string sql, string types)
    {
        await using var connection = await Store.OpenWriterAsync();
        var (declared, given) = types.Length == 0 ? ("", "")
            : ($"({types})", $"({string.Join(',', types.Split(", ").Select(Some))})");
        connection.Execute($"PREPARE hot {declared} AS {sql}");
        return string.Join('\n', connection.Query<string>($"EXPLAIN EXECUTE hot {given}"));
    }

    // Not NULL: no partition has it, so none would be in the plan.
    static string Some(string type) => type.EndsWith("[]", StringComparison.Ordinal) ? "'{}'" : type switch
    {
        "text" => "''",
        "boolean" => "false",
        _ => "0",
    };

    Task<int> WatchRowsAsync() => Store.WriteAsync(c =>
    {
        c.Execute("""
            CREATE TABLE changed (what text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO changed VALUES (TG_OP || ' ' || regexp_replace(TG_TABLE_NAME, '_[0-9]+$', '')); RETURN NULL; END $$;
            """);
        var tables = c.Query<string>("""
            SELECT relname FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT IN ('changed', 'nodes')
            """).AsList();
        foreach (var table in tables)
            c.Execute($"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION note()");
        return tables.Count;
    });

    Task<List<string>> RowsAsync() =>
        Store.ReadAsync(c => c.Query<string>("SELECT what FROM changed ORDER BY what COLLATE \"C\"").AsList(), default);

    async Task FillAsync(int count)
    {
        var messages = Enumerable.Range(0, count).Select(i => _mails.Make($"r{i}@example.org")).ToList();
        await Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = messages }, default);
    }

    Task<IReadOnlyList<Lease>> LeaseAsync() => Store.LeaseAsync(Key, 100, Own, _clock.GetUtcNow(), alone: false, default);

}
