using Dapper;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Sqlite;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What a mail costs: rows written, plans of the statements, and that nothing grows with what is stored.</summary>
public sealed class SqliteHotPathTests : IAsyncDisposable
{
    static readonly QueueKey Key = StoredMails.Key;
    static readonly Incarnation Node = new(0, 1);

    readonly ManualClock _clock = new();
    readonly StoredMails _mails;
    readonly SqliteUnderTest _under;

    public SqliteHotPathTests()
    {
        _mails = new StoredMails(_clock);
        _under = new SqliteUnderTest(_clock);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    // Two events: its attempt, and the list of what was accepted, which is one row a transaction.
    [Fact]
    public async Task A_born_leased_mail_is_four_inserts_an_update_and_a_delete()
    {
        await WatchRowsAsync();
        var message = _mails.Make("a@example.org", Node);
        await _under.Store.AcceptAsync(StoredMails.Accept(message), default);
        await _under.Store.RecordAsync(_mails.Sent(BornLeased.Of(Key, message, message.Content!, [], _clock.GetUtcNow())!));

        Assert.Equal(
            ["DELETE queue", "INSERT events", "INSERT events", "INSERT messages", "INSERT queue", "INSERT recipients", "UPDATE recipients"],
            (await RowsAsync()).Where(r => !IsShared(r)));
    }

    [Fact]
    public async Task A_mail_through_the_queue_costs_one_update_more()
    {
        await WatchRowsAsync();
        await _under.Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        await _under.Store.RecordAsync(_mails.Sent(Assert.Single(await LeaseAsync(1))));

        Assert.Equal(
            ["DELETE queue", "INSERT events", "INSERT events", "INSERT messages", "INSERT queue", "INSERT recipients", "UPDATE queue", "UPDATE recipients"],
            (await RowsAsync()).Where(r => !IsShared(r)));
    }

    [Fact]
    public async Task Counters_search_and_feed_cost_rows_a_transaction_not_a_mail()
    {
        await FillAsync(1, "warm", _clock.GetUtcNow().AddHours(1));
        await WatchRowsAsync();

        // One call is one transaction.
        var messages = Enumerable.Range(0, 500).Select(i => _mails.Make($"r{i}@example.org")).ToList();
        await _under.Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = messages }, default);

        var rows = await RowsAsync();
        Assert.Equal(["UPDATE counters", "UPDATE counters", "UPDATE counters"], rows.Where(IsShared));
        Assert.Single(rows, "INSERT events");
    }

    [Fact]
    public async Task No_statement_of_writer_or_dispatcher_reads_a_whole_table()
    {
        // Once, at the start: what waits to be indexed, and the runs of the index.
        string[] atStart = ["FROM search_runs", "WHERE r.message >= ?1", "tags IS NOT NULL"];
        var statements = _under.Sqlite.Session.Statements.Prepared.Concat(_under.Sqlite.QueueReader.Statements.Prepared)
            .Select(s => s.Sql)
            .Where(sql => !sql.StartsWith("BEGIN", StringComparison.Ordinal) && sql != "COMMIT" && !atStart.Any(sql.Contains))
            .ToList();

        foreach (var sql in statements)
        {
            var plan = await PlanAsync(sql);
            Assert.All(plan, step => Assert.False(step.StartsWith("SCAN ", StringComparison.Ordinal), $"{step}: {sql}"));
        }
        Assert.True(statements.Count > 25);
    }

    [Fact]
    public async Task Times_that_a_wrong_clock_wrote_are_found_by_the_key()
    {
        const string range = "SEARCH queue USING PRIMARY KEY ((message,n)>(?,?)";
        Assert.All(await PlanAsync(QueueTimes.SelectLast), step => Assert.StartsWith(range, step, StringComparison.Ordinal));
        var plan = await PlanAsync(QueueTimes.Update(passing: ""));
        Assert.DoesNotContain(plan, step => step.StartsWith("SCAN ", StringComparison.Ordinal));
        Assert.Contains(plan, step => step.StartsWith(range, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(QueueTable.SelectDue, "SEARCH queue USING INDEX queue_due (route=? AND stream=? AND tenant=? AND gate=? AND due<?)")]
    [InlineData(QueueTable.SelectLeased, "SEARCH queue USING INDEX queue_leased (node=?)")]
    [InlineData(QueueTable.SelectSettled, "SEARCH queue USING INDEX queue_unknown (due<?)")]
    [InlineData(QueueTable.SelectExpired, "SEARCH queue USING INDEX queue_expires (expires<?)")]
    [InlineData(QueueReader.NextGate, "SEARCH queue USING COVERING INDEX queue_due (route=? AND stream=? AND tenant=? AND gate>?)")]
    [InlineData(QueueReader.NextTenant, "SEARCH queue USING COVERING INDEX queue_due (route=? AND stream=? AND tenant>?)")]
    [InlineData(QueueReader.NextStream, "SEARCH queue USING COVERING INDEX queue_due (route=? AND stream>?)")]
    [InlineData(QueueReader.NextRoute, "SEARCH queue USING COVERING INDEX queue_due (route>?)")]
    public async Task Queue_statements_walk_their_partial_index_in_its_order(string sql, string expected) =>
        Assert.Equal([expected], await PlanAsync(sql));

    [Fact]
    public async Task A_search_for_what_failed_walks_its_partial_index()
    {
        var sql = MessageSearch.Select("recipients", "message", "TRUE", MessageSearch.Rare(RecipientState.Failed), ascending: false);
        Assert.Equal(
            ["SEARCH recipients USING COVERING INDEX recipients_ended (state=? AND message>? AND message<?)"], await PlanAsync(sql));
    }

    [Fact]
    public async Task Lease_sweep_and_start_do_not_depend_on_history_or_backlog()
    {
        await FillAsync(50, "sent");
        await FillAsync(10, "waiting", _clock.GetUtcNow().AddHours(1));
        var before = await CostAsync();

        await FillAsync(1500, "sent");
        await FillAsync(1500, "waiting", _clock.GetUtcNow().AddHours(1));
        var after = await CostAsync();

        Assert.Equal(before, after);
    }

    [Fact]
    public async Task Addresses_and_tags_are_found_in_written_runs_in_memory_and_after_a_restart()
    {
        // More than two runs of 8,192 entries, two entries a message.
        for (var batch = 0; batch < 10; batch++)
        {
            await _under.Store.AcceptAsync(new Acceptance
            {
                Tenant = TenantId.First,
                Messages = [.. Enumerable.Range(batch * 1000, 1000)
                    .Select(i => _mails.Make($"r{i}@example.org") with { Tags = [$"t{i % 100}"] })],
            }, default);
        }
        await Eventually.HoldsAsync(async () =>
        {
            await _under.Sqlite.WriteAsync(_ => { }); // a run begins with a commit
            return await _under.Sqlite.ReadAsync(c => c.ExecuteScalar<long>("SELECT count(*) FROM search_runs"), default) >= 2;
        });

        foreach (var restart in (bool[])[false, true])
        {
            if (restart)
                await _under.ReopenAsync();
            foreach (var i in (int[])[0, 4095, 4096, 8191, 8192, 9999])
            {
                var page = await _under.Reader.ListAsync(TenantId.First, new MessageFilter { Address = $"R{i}@example.org" }, default);
                Assert.Equal($"r{i}@example.org", Assert.Single(page.Messages).Recipients[0].Mailbox.Address.ToString());
            }
            Assert.Equal(100, await CountTagAsync("t7"));
        }
        Assert.True(await _under.Sqlite.ReadAsync(c => c.ExecuteScalar<long>("SELECT count(*) FROM search"), default) >= 16_384);
    }

    async Task<int> CountTagAsync(string tag)
    {
        var (found, last) = (0, (MessageId?)null);
        do
        {
            var page = await _under.Reader.ListAsync(TenantId.First, new MessageFilter { Tag = tag, Limit = 30, Before = last }, default);
            Assert.Equal(page.Messages.OrderByDescending(m => m.Id.Value).Select(m => m.Id), page.Messages.Select(m => m.Id));
            found += page.Messages.Count;
            last = page.ContinueBefore;
        }
        while (last is not null);
        return found;
    }

    /// <summary>Steps of SQLite's machine for what runs all the time.</summary>
    async Task<IReadOnlyList<int>> CostAsync()
    {
        foreach (var statement in _under.Sqlite.Session.Statements.Prepared)
            statement.TakeSteps();
        foreach (var statement in _under.Sqlite.QueueReader.Statements.Prepared)
            statement.TakeSteps();
        var now = _clock.GetUtcNow();
        await _under.Store.SweepAsync(Node with { Number = 2 }, now, now, default);
        await _under.Store.SettleAsync(now, 100, default);
        await _under.Store.ExpireAsync(now, 100, default);
        Assert.Empty(await LeaseAsync(100));
        await _under.Store.DueKeysAsync(default);
        return [.. _under.Sqlite.Session.Statements.Prepared.Concat(_under.Sqlite.QueueReader.Statements.Prepared)
            .Select(s => s.TakeSteps())];
    }

    async Task FillAsync(int count, string name, DateTimeOffset? sendAt = null)
    {
        var messages = Enumerable.Range(0, count)
            .Select(i => _mails.Make($"{name}{i}@example.org", sendAt is null ? Node : null) with { SendAt = sendAt }).ToList();
        await _under.Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = messages }, default);
        if (sendAt is null)
            await Task.WhenAll(messages.Select(m =>
                _under.Store.RecordAsync(_mails.Sent(BornLeased.Of(Key, m, m.Content!, [], _clock.GetUtcNow())!))));
    }

    /// <summary>From here on every changed row of every table is noted. Hooks of SQLite do not see tables without rowid; triggers
    /// do.</summary>
    Task WatchRowsAsync() => _under.Sqlite.WriteAsync(c =>
    {
        c.Execute("CREATE TEMP TABLE changed (what TEXT)");
        foreach (var table in c.Query<string>("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            .ToList())
        {
            foreach (var kind in (string[])["INSERT", "UPDATE", "DELETE"])
                c.Execute($"""
                    CREATE TEMP TRIGGER {kind}_{table} AFTER {kind} ON main.{table} BEGIN INSERT INTO changed VALUES ('{kind} {table}'); END
                    """);
        }
    });

    Task<List<string>> RowsAsync() =>
        _under.Sqlite.WriteAsync(c => c.Query<string>("SELECT what FROM temp.changed ORDER BY what").AsList());

    static bool IsShared(string row) =>
        row.EndsWith("counters", StringComparison.Ordinal) || row.EndsWith("progress", StringComparison.Ordinal);

    Task<List<string>> PlanAsync(string sql) => _under.Sqlite.WriteAsync(c =>
    {
        // Unbound parameters are NULL: the plan is the same.
        using var explain = new Statement(c.Handle!, $"EXPLAIN QUERY PLAN {sql}");
        var steps = new List<string>();
        for (explain.With(); explain.Step();)
            steps.Add(explain.Text(3));
        return steps;
    });

    Task<IReadOnlyList<Lease>> LeaseAsync(int permits) =>
        _under.Store.LeaseAsync(Key, permits, Node, _clock.GetUtcNow(), alone: false, default);

}
