using Dapper;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>Servers that go and come back, and nodes that meet on one database.</summary>
public sealed class PostgresFaultTests : IAsyncLifetime
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

    [Fact]
    public async Task Connections_that_were_cut_while_idle_are_made_anew_unnoticed()
    {
        await AcceptAsync("a@example.org");
        _under.CutConnections();

        await AcceptAsync("b@example.org");
        Assert.Equal(2, (await LeaseAsync()).Count);
    }

    [Fact]
    public async Task A_server_that_became_a_standby_takes_nothing_and_a_primary_again_does()
    {
        await AcceptAsync("a@example.org");
        _under.Administer("ALTER DATABASE {0} SET default_transaction_read_only = on");
        _under.CutConnections();

        var away = await Assert.ThrowsAsync<StoreUnavailableException>(() => AcceptAsync("b@example.org"));
        Assert.False(away.MayHaveCommitted || away.IsForGood);
        Assert.Contains("standby", away.Message, StringComparison.Ordinal);

        _under.Administer("ALTER DATABASE {0} RESET default_transaction_read_only");
        _under.CutConnections();
        await AcceptAsync("c@example.org");
        Assert.Equal(2, (await LeaseAsync()).Count);
    }

    [Fact]
    public async Task A_connection_that_is_lost_in_the_commit_may_have_committed()
    {
        await Store.WriteAsync(c => c.Execute("""
            CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
            """));
        var message = _mails.Make("a@example.org");

        var lost = await Assert.ThrowsAsync<StoreUnavailableException>(() => Store.AcceptAsync(StoredMails.Accept(message), default));

        Assert.True(lost.MayHaveCommitted);
        Assert.False(await Store.ExistsAsync(message.Id, default));
        await Store.WriteAsync(c => c.Execute("DROP TRIGGER cut ON messages"));
        await AcceptAsync("b@example.org");
    }

    /// <summary>A server that waits for a standby has committed, and says so to nobody when the connection is cut.</summary>
    [Fact]
    public async Task Leases_whose_commit_was_not_answered_are_given_back()
    {
        var cluster = new PostgresCluster(durable: true);
        var dsn = PostgresDsn.TryParse(cluster.Dsn(cluster.Create()), out _)!;
        await using var store = await PostgresUnderTest.OpenStoreAsync(dsn, _clock);
        await store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        Configure("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
        await Eventually.HoldsAsync(() => cluster.Ask("SELECT count(*) FROM pg_settings WHERE setting = 'nobody'") == 1);
        var leasing = LeaseAsync(store, 1);
        await _under.UntilAsync(() => Task.FromResult(leasing.IsCompleted || cluster.Ask("""
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'
            """) > 0));
        var lost = await Assert.ThrowsAsync<StoreUnavailableException>(() => leasing);
        Assert.True(lost.MayHaveCommitted);
        Configure("ALTER SYSTEM RESET synchronous_standby_names");

        await store.SweepAsync(store.Member.Incarnation, _clock.GetUtcNow(), _clock.GetUtcNow(), default);

        var lease = Assert.Single(await LeaseAsync(store, 1));
        Assert.Equal((2, 1), (lease.Envelope.Claim, lease.Envelope.Tries));
        await store.SweepAsync(store.Member.Incarnation, _clock.GetUtcNow(), _clock.GetUtcNow(), default);
        Assert.Equal(RecordResult.Applied, await store.RecordAsync(_mails.Sent(lease)));
        cluster.Crash();

        void Configure(string sql)
        {
            cluster.Execute(sql);
            cluster.Execute("SELECT pg_reload_conf()");
        }
    }

    [Fact]
    public async Task A_lease_after_one_that_was_lost_before_its_commit_is_not_given_back()
    {
        await AcceptAsync("a@example.org");
        await Store.WriteAsync(c => c.Execute("""
            CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
            CREATE CONSTRAINT TRIGGER cut AFTER UPDATE ON queue DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION cut();
            """));
        Assert.True((await Assert.ThrowsAsync<StoreUnavailableException>(() => LeaseAsync())).MayHaveCommitted);
        await Store.WriteAsync(c => c.Execute("DROP TRIGGER cut ON queue"));

        var lease = Assert.Single(await LeaseAsync());
        await LeaseAsync();
        await Store.SweepAsync(Own, _clock.GetUtcNow(), _clock.GetUtcNow(), default);

        Assert.Equal(1, lease.Envelope.Claim);
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(_mails.Sent(lease)));
    }

    [Fact]
    public async Task A_crash_of_the_server_is_waited_out_and_loses_nothing()
    {
        var cluster = new PostgresCluster(durable: true);
        var dsn = PostgresDsn.TryParse(cluster.Dsn(cluster.Create()), out _)!;
        await using var store = await PostgresUnderTest.OpenStoreAsync(dsn, _clock);
        var message = _mails.Make("a@example.org");
        await store.AcceptAsync(StoredMails.Accept(message), default);
        var lease = Assert.Single(await LeaseAsync(store, 1));
        cluster.Crash();

        var away = await Assert.ThrowsAsync<StoreUnavailableException>(
            () => store.AcceptAsync(StoredMails.Accept(_mails.Make("b@example.org")), default));
        Assert.False(away.MayHaveCommitted || away.IsForGood);
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.GetAsync(TenantId.First, message.Id, default));
        await Assert.ThrowsAsync<StoreUnavailableException>(() => store.RecordAsync(_mails.Sent(lease)));

        cluster.Start();
        Assert.Equal(RecordResult.Applied, await store.RecordAsync(_mails.Sent(lease)));
        Assert.Equal(RecipientState.Sent, (await store.GetAsync(TenantId.First, message.Id, default))!.Recipients[0].State);
        cluster.Crash();
    }

    [Fact]
    public async Task A_server_that_cannot_be_reached_is_named_without_its_password()
    {
        var dsn = PostgresDsn.TryParse("postgres://postgres:geheim@127.0.0.1:1/nothing", out _)!;

        var away = await Assert.ThrowsAsync<StoreUnavailableException>(() => PostgresUnderTest.OpenStoreAsync(dsn, _clock));

        Assert.Contains("127.0.0.1:1", away.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("geheim", away.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nodes_lease_different_rows_and_one_idempotency_key_makes_one_message()
    {
        await using var other = await _under.OpenStoreAsync("there");
        Assert.NotEqual(Own.Node, other.Member.Incarnation.Node);
        var racers = Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? Store : other, WithKey($"key {i / 10}", $"answer {i}"))).ToList();

        var results = await Task.WhenAll(racers.Select(r => Task.Run(() => r.Item1.AcceptAsync(r.Item2, default))));

        Assert.Equal(4, results.Count(r => r is AcceptResult.Accepted));
        Assert.Equal(36, results.Count(r => r is AcceptResult.Replayed));
        await Task.WhenAll(Enumerable.Range(0, 60).Select(i => AcceptAsync($"r{i}@example.org")));
        var leases = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(() =>
            LeaseAsync(i % 2 == 0 ? Store : other, 4))));
        var more = await LeaseAsync();
        var all = leases.SelectMany(l => l).Concat(more).ToList();
        Assert.Equal(64, all.Count);
        Assert.Equal(64, all.Select(l => l.Envelope.Id).Distinct().Count());
    }

    // Once for each time that the work is done: with what waited beside it, and alone.
    [Fact]
    public async Task A_key_that_others_put_at_the_same_moment_again_and_again_is_no_fault()
    {
        await Store.WriteAsync(c => c.Execute("""
            CREATE SEQUENCE tries;
            CREATE FUNCTION rival() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF nextval('tries') <= 2 THEN
                    RAISE unique_violation USING MESSAGE = 'another was first', CONSTRAINT = 'idempotency_pkey';
                END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER rival BEFORE INSERT ON idempotency FOR EACH ROW EXECUTE FUNCTION rival();
            """));

        Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(WithKey("key", "answer"), default));
        Assert.IsType<AcceptResult.Replayed>(await Store.AcceptAsync(WithKey("key", "answer"), default));
    }

    [Fact]
    public async Task A_node_that_was_declared_dead_takes_nothing_and_changes_nothing_and_another_has_its_mail()
    {
        await using var other = await _under.OpenStoreAsync("there");
        var held = await AcceptAsync("a@example.org");
        var late = Assert.Single(await LeaseAsync());
        await Store.WriteAsync(c => c.Execute(Membership.DeclareDead.Replace("$1", "@Node", StringComparison.Ordinal)
            .Replace("$2", "@Number", StringComparison.Ordinal).Replace("$3", "0", StringComparison.Ordinal), new { Own.Node, Own.Number }));

        Assert.Equal(1, await other.SweepAsync(other.Member.Incarnation, _clock.GetUtcNow(), _clock.GetUtcNow(), default));

        await AcceptAsync("b@example.org");
        Assert.Empty(await LeaseAsync());
        await Assert.ThrowsAsync<StoreUnavailableException>(() =>
            Store.AcceptAsync(StoredMails.Accept(_mails.Make("c@example.org") with { BornLeasedBy = Own }), default));
        var leases = await LeaseAsync(other, 10);
        Assert.Equal(2, leases.Count);
        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(_mails.Sent(late)));
        Assert.False(await Store.CommitPointAsync(late, "relay", _clock.GetUtcNow(), default));
        Assert.Equal(RecipientState.Leased, (await Store.GetAsync(TenantId.First, held, default))!.Recipients[0].State);
    }

    [Fact]
    public async Task A_node_that_starts_again_has_its_number_and_a_new_incarnation()
    {
        var before = Own;
        await AcceptAsync("a@example.org");
        await LeaseAsync();
        await _under.ReopenAsync();

        Assert.Equal((before.Node, before.Number + 1), (Own.Node, Own.Number));
        Assert.Equal(1, await Store.SweepAsync(Own, _clock.GetUtcNow(), _clock.GetUtcNow(), default));
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task Work_that_one_node_takes_in_is_heard_of_by_the_others()
    {
        await using var other = await _under.OpenStoreAsync("there");
        using var stop = new CancellationTokenSource();
        var heard = new TaskCompletionSource<QueueKey>(TaskCreationOptions.RunContinuationsAsynchronously);
        var listening = other.Signals.ListenAsync(key => heard.TrySetResult(key), stop.Token);
        await _under.UntilAsync(async () =>
        {
            await AcceptAsync("a@example.org");
            return heard.Task.IsCompleted;
        });

        Assert.Equal(Key, await heard.Task);
        await stop.CancelAsync();
        await listening;
    }

    [Fact]
    public async Task Nodes_that_start_together_make_the_schema_once()
    {
        var dsn = PostgresDsn.TryParse(PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create()), out _)!;

        var steps = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => PostgresStore.MigrateAsync(dsn, _clock, default)));

        Assert.Equal(3, steps.Count(s => s == 0));
        Assert.Equal(1, steps.Count(s => s > 0));
    }

    [Fact]
    public async Task Text_that_PostgreSQL_cannot_hold_is_stored_as_near_as_it_can()
    {
        var message = _mails.Make("a@example.org") with
        {
            OrderingKey = "k\0\uD800",
            Content = _mails.Make("a@example.org").Content! with { Subject = "half \uD83D" },
        };
        await Store.AcceptAsync(StoredMails.Accept(message), default);

        Assert.Equal("half \uFFFD", (await Store.GetAsync(TenantId.First, message.Id, default))!.Subject);
        var lease = Assert.Single(await LeaseAsync());
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(_mails.Sent(lease)));
    }

    async Task<MessageId> AcceptAsync(string to)
    {
        var message = _mails.Make(to);
        Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(StoredMails.Accept(message), default));
        return message.Id;
    }

    Task<IReadOnlyList<Lease>> LeaseAsync() => LeaseAsync(Store, 100);

    Task<IReadOnlyList<Lease>> LeaseAsync(PostgresStore store, int permits) =>
        store.LeaseAsync(Key, permits, store.Member.Incarnation, _clock.GetUtcNow(), alone: false, default);

    Acceptance WithKey(string key, string answer) => StoredMails.Accept(_mails.Make("a@example.org")) with
    {
        Idempotency = new IdempotencyClaim(key, new byte[32], System.Text.Encoding.UTF8.GetBytes(answer), _clock.GetUtcNow().AddDays(1)),
    };

}
