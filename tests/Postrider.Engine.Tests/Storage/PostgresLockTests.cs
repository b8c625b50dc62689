using Dapper;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Postgres;
using Postrider.Submission;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

/// <summary>What transactions do to each other that want the same ordering key, the same day of events, or the last free byte.</summary>
public sealed class PostgresLockTests : IAsyncLifetime
{
    const string OrderingKey = "order-7";

    readonly ManualClock _clock = new();
    StoredMails _mails = null!;
    PostgresUnderTest _under = null!;
    MessageId _first;

    PostgresStore Store => _under.Postgres;
    Incarnation Own => Store.Member.Incarnation;
    DateTimeOffset Now => _clock.GetUtcNow();

    public async ValueTask InitializeAsync()
    {
        _mails = new StoredMails(_clock);
        _under = await PostgresUnderTest.OpenAsync(_clock);
    }

    public ValueTask DisposeAsync() => _under.DisposeAsync();

    // Whoever records holds the key first and wants the row then. A sweep that held the row and wanted the key would never end, nor would
    // he.
    [Theory]
    [InlineData("lease")]
    [InlineData("sweep")]
    [InlineData("settle")]
    [InlineData("expire")]
    [InlineData("cancel a batch")]
    public async Task Who_finds_rows_passes_over_those_whose_ordering_key_is_held_and_waits_for_none(string how)
    {
        var first = _mails.Make("a@example.org") with { OrderingKey = OrderingKey };
        _first = first.Id;
        await Store.AcceptAsync(StoredMails.Accept(first), default);
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("b@example.org") with { OrderingKey = OrderingKey }), default);
        if (how == "cancel a batch")
            await Store.WriteAsync(c => c.Execute("UPDATE messages SET batch = @first", new { first = _first.Value }));
        if (how is "sweep" or "settle")
            await LeaseAsync();
        if (how == "sweep")
            await Store.WriteAsync(c => c.Execute("UPDATE nodes SET incarnation = incarnation + 1, alive = false"));
        if (how == "settle")
            await Store.WriteAsync(c => c.Execute("UPDATE queue SET state = 3, due = 0 WHERE state = 2"));

        await using var recording = await Store.OpenWriterAsync();
        await using var transaction = await recording.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await recording.ExecuteAsync($"SELECT pg_advisory_xact_lock(hashtextextended('1 {OrderingKey}', 0))");
        Assert.Equal(0, await TakeAsync(how).WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System));
        await recording.ExecuteAsync("SET LOCAL lock_timeout = '1s'; SELECT 1 FROM queue FOR UPDATE");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(how is "expire" or "cancel a batch" ? 2 : 1, await UntilSomeAsync(how));
    }

    /// <summary>The second of a key moves up only when the first has gone.</summary>
    async Task<int> UntilSomeAsync(string how)
    {
        var taken = 0;
        for (var some = 1; some > 0; taken += some)
            some = await TakeAsync(how);
        return taken;
    }

    async Task<int> TakeAsync(string how) => how switch
    {
        "lease" => await LeaseAsync(),
        "sweep" => await Store.SweepAsync(Own, Now, Now, default),
        "settle" => await Store.SettleAsync(Now, 10, default),
        "cancel a batch" => await CancelBatchAsync(),
        _ => await Store.ExpireAsync(Now.AddDays(2), 10, default),
    };

    /// <summary>Both messages as the only ones of a batch. It is done with only when none was passed over.</summary>
    async Task<int> CancelBatchAsync()
    {
        var turn = await Store.EndQueuedAsync(new LargeBatch
        {
            Id = _first,
            Tenant = TenantId.First,
            State = BatchState.Cancelling,
            IsPaused = false,
            StartAt = Now,
            Source = _first,
            Until = 1 << 20,
            Cursor = 0,
            First = _first,
            Total = 1 << 20,
            Taken = 2,
            Failed = 0,
            Refused = 0,
            Edits = 0,
            Terms = new SharedTerms(MailStream.Bulk, null, TimeSpan.FromDays(1), AmbiguityPolicy.Retry, null, [], []),
        }, Now, 10);
        var waiting = await Store.ReadAsync(c => c.ExecuteScalar<int>("SELECT count(*) FROM queue WHERE NOT cancelled"), default);
        Assert.Equal(waiting > 0, turn.HasMore);
        return turn.Rows;
    }

    async Task<int> LeaseAsync() => (await Store.LeaseAsync(StoredMails.Key, 10, Own, Now, alone: false, default)).Count;

    [Fact]
    public async Task A_full_disk_of_the_server_refuses_mail_stops_leasing_keeps_outcomes_and_passes()
    {
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("b@example.org")), default);
        var lease = (await Store.LeaseAsync(StoredMails.Key, 1, Own, Now, alone: false, default))[0];
        await Store.WriteAsync(c => c.Execute("""
            CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
            CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk();
            CREATE TRIGGER full_disk BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION full_disk();
            """));

        await Assert.ThrowsAsync<StorageLowException>(() => Store.AcceptAsync(StoredMails.Accept(_mails.Make("c@example.org")), default));
        Assert.True(Store.IsLow);
        await Assert.ThrowsAsync<StorageLowException>(() => Store.LeaseAsync(StoredMails.Key, 1, Own, Now, alone: false, default));
        var kept = await Assert.ThrowsAsync<StoreUnavailableException>(() => Store.RecordAsync(_mails.Sent(lease)));
        Assert.False(kept.IsForGood || kept.MayHaveCommitted);

        await Store.WriteAsync(c => c.Execute("DROP TRIGGER full_disk ON messages; DROP TRIGGER full_disk ON events"));
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(_mails.Sent(lease)));
        _clock.Advance(TimeSpan.FromSeconds(6));
        Assert.False(Store.IsLow);
        Assert.Equal(1, await LeaseAsync());
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("d@example.org")), default);
    }

    [Fact]
    public async Task Nodes_that_start_together_make_the_tables_of_the_next_days_once()
    {
        for (var round = 1; round <= 10; round++)
        {
            var start = Now.AddDays(10 * round);
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => EventPartitions.MakeAsync(Store.Tables, start, default))));
            Assert.Equal(4 * (round + 1), Days());
        }
    }

    [Fact]
    public async Task Days_of_events_go_whole_by_one_node_at_a_time_and_nobody_waits_behind_a_long_question()
    {
        await using var other = await _under.OpenStoreAsync("there");
        await Store.AcceptAsync(StoredMails.Accept(_mails.Make("a@example.org")), default);
        await Store.RecordAsync(_mails.Sent((await Store.LeaseAsync(StoredMails.Key, 1, Own, Now, alone: false, default))[0]));
        Assert.Equal(4, Days());

        await using var asking = await Store.OpenReaderAsync(default);
        await using var question = await asking.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await asking.ExecuteAsync("SELECT count(*) FROM events");
        var waiting = Store.DropEventsBeforeAsync(Now.AddDays(2), default);
        // While it waits in vain, again and again, mail goes on.
        for (var i = 0; i < 5; i++)
        {
            await Store.AcceptAsync(StoredMails.Accept(_mails.Make("b@example.org")), default);
            Assert.Equal(1, await LeaseAsync());
        }
        Assert.Equal(0, await waiting);
        await question.RollbackAsync(TestContext.Current.CancellationToken);

        var dropped = await Task.WhenAll(Store.DropEventsBeforeAsync(Now.AddDays(2), default),
            other.DropEventsBeforeAsync(Now.AddDays(2), default));

        Assert.Equal(2, dropped.Sum());
        Assert.Equal(2, Days());
        Assert.Equal(0L, await Store.ReadAsync(c => c.ExecuteScalar<long>("SELECT count(*) FROM events"), default));
    }

    /// <summary>Days that have a table.</summary>
    int Days() => Store.ReadAsync(c => c.ExecuteScalar<int>(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass AND inhrelid <> 'events_other'::regclass"), default).Result;
}
