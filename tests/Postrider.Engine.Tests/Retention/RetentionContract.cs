using System.Globalization;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Postrider.Suppression;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

public sealed class SqliteRetentionTests() : RetentionContract(StoreEngine.Sqlite);

public sealed class PostgresRetentionTests() : RetentionContract(StoreEngine.Postgres);

/// <summary>What grows old, and what never does, on every store.</summary>
public abstract class RetentionContract(StoreEngine engine) : IAsyncLifetime
{
    static readonly Incarnation Node = new(1, 1000);
    static readonly TimeSpan Day = TimeSpan.FromDays(1);

    static readonly RetentionKind[] NeverCounted =
        [RetentionKind.BatchBodies, RetentionKind.Batches, RetentionKind.Counts, RetentionKind.Search];

    readonly ManualClock _clock = new();
    readonly RetentionOptions _options = new();
    MessageIds _ids = null!;
    IStoreUnderTest _under = null!;

    ITableStore Tables => (ITableStore)_under.Store;
    DateTimeOffset Now => _clock.GetUtcNow();

    public async ValueTask InitializeAsync()
    {
        _ids = new MessageIds(_clock);
        _under = engine == StoreEngine.Sqlite ? new SqliteUnderTest(_clock) : await PostgresUnderTest.OpenAsync(_clock);
        await _under.JoinAsync(Node);
    }

    public async ValueTask DisposeAsync()
    {
        await _under.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    Purger NewPurger() => new(new RetentionTables(Tables, _clock), _options, _clock, NullLogger<Purger>.Instance);

    /// <summary>Until no kind has anything left to do now.</summary>
    async Task PurgeAsync()
    {
        _clock.Advance(_options.LookEvery);
        var purger = NewPurger();
        while (await purger.TakeTurnAsync(default)) { }
    }

    NewMessage Message(string to) => new()
    {
        Id = _ids.Next(),
        Stream = MailStream.Transactional,
        Route = "main",
        Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(to)))],
        Content = new MessageContent
        {
            From = new Mailbox("The Shop", EmailAddress.Parse("shop@example.com")),
            Subject = "Hello",
            Text = "Your parcel is on its way.",
        },
        Tags = ["parcel"],
        ExpiresAt = Now + 4000 * Day,
    };

    async Task<MessageId> AcceptAsync(NewMessage message)
    {
        await _under.Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [message] }, default);
        return message.Id;
    }

    Task<MessageId> AcceptAsync(string to) => AcceptAsync(Message(to));

    async Task EndDueAsync(RecipientState state = RecipientState.Sent)
    {
        var kind = state == RecipientState.Sent ? OutcomeKind.Accepted : OutcomeKind.Rejected;
        var outcome = new Outcome(kind, OutcomeScope.Recipient, new Reply(250, "2.0.0", "OK"));
        foreach (var lease in await _under.Store.LeaseAsync(
            new QueueKey("main", MailStream.Transactional, TenantId.First), 100, Node, Now, alone: false, default))
            await _under.Store.RecordAsync(new AttemptRecord
            {
                Lease = lease,
                Attempt = new Attempt { Transport = "relay", StartedAt = Now, Outcomes = [new(0, outcome)] },
                Ends = [new(0, state, outcome, "ended")],
                Continues = [],
            });
    }

    async Task<bool> HasBodyAsync(MessageId id) => await _under.Reader.GetContentAsync(TenantId.First, id, default) is not null;

    async Task<bool> ExistsAsync(MessageId id) => await _under.Reader.GetAsync(TenantId.First, id, default) is not null;

    Task<long> CountAsync(string from) =>
        Tables.ReadAsync(connection => connection.ExecuteScalar<long>($"SELECT count(*) FROM {from}"), default);

    [Fact]
    public async Task A_body_goes_a_week_after_its_message_has_ended_and_the_message_stays()
    {
        var sent = await AcceptAsync("a@example.org");
        await EndDueAsync();
        _clock.Advance(7 * Day - TimeSpan.FromMinutes(5));
        await PurgeAsync();
        Assert.True(await HasBodyAsync(sent));
        _clock.Advance(TimeSpan.FromMinutes(5));
        await PurgeAsync();
        Assert.False(await HasBodyAsync(sent));
        Assert.Equal("Hello", (await _under.Reader.GetAsync(TenantId.First, sent, default))!.Subject);
        Assert.Equal(default, await _under.Reader.StoredBytesAsync(TenantId.First, default));
    }

    [Fact]
    public async Task What_is_scheduled_held_or_a_dead_letter_keeps_its_body_and_what_is_open_stays_for_years()
    {
        var failed = await AcceptAsync("failed@example.org");
        await EndDueAsync(RecipientState.Failed);
        var scheduled = await AcceptAsync(Message("later@example.org") with { SendAt = Now + 1000 * Day });
        var held = await AcceptAsync(
            Message("held@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });
        _clock.Advance(80 * Day);
        await PurgeAsync();
        Assert.True(await HasBodyAsync(failed));
        _clock.Advance(800 * Day);
        await PurgeAsync();
        Assert.False(await ExistsAsync(failed));
        Assert.True(await HasBodyAsync(scheduled));
        Assert.True(await HasBodyAsync(held));

        // The cursors have long passed it.
        _clock.Advance(120 * Day);
        await EndDueAsync();
        Assert.Equal(RecipientState.Sent, (await _under.Reader.GetAsync(TenantId.First, scheduled, default))!.Recipients[0].State);
        await PurgeAsync();
        Assert.True(await HasBodyAsync(scheduled));
        _clock.Advance(8 * Day);
        await PurgeAsync();
        Assert.False(await HasBodyAsync(scheduled));
        Assert.True(await ExistsAsync(scheduled));
        _clock.Advance(100 * Day);
        await PurgeAsync();
        Assert.False(await ExistsAsync(scheduled));
        Assert.True(await HasBodyAsync(held));
    }

    [Fact]
    public async Task A_letter_that_is_sent_again_while_it_is_looked_at_is_not_deleted()
    {
        var failed = await AcceptAsync("failed@example.org");
        await EndDueAsync(RecipientState.Failed);
        _clock.Advance(100 * Day);
        var tables = new RetentionTables(new Interrupted(Tables, () => _under.Store.RetryAsync(
            TenantId.First, failed, bounced: true, discarded: false, Now, Now + Day, default)), _clock);
        await tables.PurgeAsync(RetentionKind.Messages, 0, Now - 90 * Day, default);
        Assert.True(await HasBodyAsync(failed));
        await EndDueAsync();
        Assert.Equal(RecipientState.Sent, (await _under.Reader.GetAsync(TenantId.First, failed, default))!.Recipients[0].State);
    }

    [Fact]
    public async Task Of_an_old_message_nothing_is_left()
    {
        for (var i = 0; i < 70; i++)
            await AcceptAsync($"r{i}@example.org");
        await EndDueAsync();
        await EndDueAsync(RecipientState.Bounced);
        var last = await AcceptAsync("last@example.org");
        await EndDueAsync();
        _clock.Advance(100 * Day);
        await PurgeAsync();
        Assert.False(await ExistsAsync(last));
        foreach (var table in (string[])["messages", "recipients", "queue", "dead_letters", "feedback_seen", "retention_waits"])
            Assert.Equal((table, 0), (table, await CountAsync(table)));
        if (engine == StoreEngine.Postgres)
            Assert.Equal((0, 0), (await CountAsync("ended"), await CountAsync("tagged")));
        Assert.Equal(default, await _under.Reader.StoredBytesAsync(TenantId.First, default));
        // What is counted since the beginning stays counted.
        Assert.Equal(71, (await _under.Reader.CountAsync(TenantId.First, default)).Sent);
    }

    [Fact]
    public async Task A_batch_keeps_what_its_messages_share_until_the_last_of_them_has_ended_and_then_goes_with_them()
    {
        var batch = _ids.Next();
        var content = Message("x@example.org").Content;
        var messages = Enumerable.Range(0, 3).Select(i => Message($"r{i}@example.org") with
        {
            Id = batch.Plus(i + 1),
            Content = null,
            SendAt = i == 2 ? Now + 30 * Day : null,
        }).ToList();
        await _under.Store.AcceptAsync(new Acceptance
        {
            Tenant = TenantId.First,
            Batch = new NewBatch { Id = batch, Count = 3, Content = content },
            Messages = messages,
        }, default);
        await EndDueAsync();
        _clock.Advance(20 * Day);
        await PurgeAsync();
        Assert.False(await HasBodyAsync(messages[0].Id));
        Assert.True(await HasBodyAsync(messages[2].Id));
        Assert.Equal(1, await CountAsync("batches WHERE length(content) > 1"));
        _clock.Advance(11 * Day);
        await EndDueAsync();
        _clock.Advance(8 * Day);
        await PurgeAsync();
        _clock.Advance(Day);
        await PurgeAsync();
        Assert.Equal((1, 0), (await CountAsync("batches"), await CountAsync("batches WHERE length(content) > 1")));
        _clock.Advance(100 * Day);
        await PurgeAsync();
        _clock.Advance(Day);
        await PurgeAsync();
        Assert.Equal((0, 0, 0), (await CountAsync("batches"), await CountAsync("messages"),
            await CountAsync(string.Create(CultureInfo.InvariantCulture, $"counters WHERE scope = {batch.Value}"))));
    }

    [Fact]
    public async Task Old_events_go_and_the_feed_goes_on_behind_the_newest()
    {
        await AcceptAsync("a@example.org");
        await EndDueAsync();
        var feed = (Events.IEventFeed)_under.Store;
        await _under.SettleAsync();
        var latest = await feed.LatestAsync(default);
        _clock.Advance(100 * Day);
        await PurgeAsync();
        await _under.ReopenAsync();
        Assert.Equal(engine == StoreEngine.Sqlite ? 1 : 0, await CountAsync("events"));
        var id = await AcceptAsync("b@example.org");
        await _under.SettleAsync();
        var page = await ((Events.IEventFeed)_under.Store).ReadEventsAsync(TenantId.First, latest, new Events.EventFilter(), 10, default);
        Assert.Equal(id.ToString(), Assert.Single(page.Events).Data.EmailId);
    }

    [Fact]
    public async Task Audit_inbox_and_quarantine_have_ages_of_their_own()
    {
        var audit = new AuditTable(Tables);
        for (var i = 0; i < 40; i++)
            await audit.AddAsync(new AuditEntry(0, Now, TenantId.First, "k", "POST /keys", "/keys", 201, null));
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO inbox (tenant, message, transport, at, recipients, sender, subject, mime)
            VALUES (1, 1, 'c', @at, 'a@b.c', '', '', @m);
            INSERT INTO feedback_quarantine (key, reason, at, report) VALUES (1, 0, @at, @m)
            """, new { at = Now.ToUnixTimeMilliseconds(), m = new byte[10] }));
        _clock.Advance(364 * Day);
        await audit.AddAsync(new AuditEntry(0, Now, TenantId.First, "k", "POST /keys", "/keys", 201, null));
        await PurgeAsync();
        Assert.Equal((41, 0, 0), (await CountAsync("audit"), await CountAsync("inbox"), await CountAsync("feedback_quarantine")));
        _clock.Advance(Day);
        await PurgeAsync();
        Assert.Equal(1, await CountAsync("audit"));
    }

    [Fact]
    public async Task Zero_keeps_for_ever()
    {
        (_options.Bodies, _options.Messages, _options.Events, _options.Audit) = (default, default, default, default);
        var sent = await AcceptAsync("a@example.org");
        await EndDueAsync();
        _clock.Advance(9_000 * Day);
        await PurgeAsync();
        Assert.True(await HasBodyAsync(sent));
        Assert.NotEqual(0, await CountAsync("events"));
    }

    [Fact]
    public async Task Old_counts_are_added_up_by_day_and_say_the_same()
    {
        for (var hour = 0; hour < 30; hour++)
        {
            await AcceptAsync($"r{hour}@example.org");
            await EndDueAsync();
            _clock.Advance(TimeSpan.FromHours(1));
        }
        var before = await CountAsync("counters WHERE scope = 1 AND hour > 0");
        _clock.Advance(100 * Day);
        await PurgeAsync();
        Assert.True(await CountAsync("counters WHERE scope = 1 AND hour > 0") < before / 8);
        var counts = await _under.Reader.CountAsync(TenantId.First, default);
        Assert.Equal((30, 30), (counts.Accepted, counts.Sent));
    }

    [Fact]
    public async Task Nodes_share_the_kinds_and_who_lost_a_turn_writes_nothing()
    {
        var store = new RetentionTables(Tables, _clock);
        var turns = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => store.TakeTurnAsync(Now, Now + TimeSpan.FromMinutes(2))));
        var taken = turns.OfType<RetentionTurn>().Select(turn => turn.Kind).ToList();
        Assert.Equal(taken.Count, taken.Distinct().Count());
        while (await store.TakeTurnAsync(Now, Now + TimeSpan.FromMinutes(2)) is { } turn)
            taken.Add(turn.Kind);
        Assert.Equal(Enum.GetValues<RetentionKind>().Order(), taken.Order());

        // The node died; another takes the kind, and then the first one comes back.
        var lost = turns.OfType<RetentionTurn>().First();
        _clock.Advance(TimeSpan.FromMinutes(3));
        while (await store.TakeTurnAsync(Now, Now + TimeSpan.FromMinutes(2)) is not null) { }
        await store.EndTurnAsync(lost, new RetentionPiece(77, 5, 0, false), Now, Now);
        Assert.Equal(0, (await store.LookAsync(lost.Kind, null, default)).Removed);
        Assert.Null(await store.TakeTurnAsync(Now, Now));
    }

    [Fact]
    public async Task What_would_go_is_counted_before_it_goes_and_what_went_afterwards()
    {
        for (var i = 0; i < 3; i++)
            await AcceptAsync($"r{i}@example.org");
        await EndDueAsync();
        await AcceptAsync("open@example.org");
        _clock.Advance(8 * Day);
        var store = new RetentionTables(Tables, _clock);
        var due = await store.LookAsync(RetentionKind.Bodies, Now - _options.Bodies, default);
        Assert.Equal((3L, 0L), (due.Due, due.Removed));
        Assert.Null(due.LastAt);
        Assert.True(due.DueBytes > 60);
        await PurgeAsync();
        var done = await store.LookAsync(RetentionKind.Bodies, Now - _options.Bodies, default);
        Assert.Equal((0L, 3L, due.DueBytes), (done.Due, done.Removed, (long?)done.RemovedBytes));
        Assert.NotNull(done.LastAt);
        foreach (var kind in Enum.GetValues<RetentionKind>())
            Assert.Equal(NeverCounted.Contains(kind), (await store.LookAsync(kind, Now, default)).Due is null);
    }

    [Fact]
    public async Task Suppressed_addresses_are_hashed_with_a_key_and_those_from_before_are_hashed_again()
    {
        var plain = new byte[Postrider.Storage.StoredAddress.SuppressionHashBytes];
        Postrider.Storage.StoredAddress.SuppressionHash(TenantId.First, "no@example.org", plain);
        await Tables.WriteAsync(connection => connection.Execute("""
            DELETE FROM installation WHERE name = 'address_key';
            INSERT INTO suppressions (tenant, address_hash, stream, reason, at) VALUES (1, @plain, -1, 'bounced', 0)
            """, new { plain }));
        await _under.ReopenAsync();
        await _under.ReopenAsync();
        Assert.NotEqual(plain, await Tables.ReadAsync(c => c.QuerySingle<byte[]>("SELECT address_hash FROM suppressions"), default));
        var id = await AcceptAsync("No@Example.org");
        Assert.Equal(RecipientState.Suppressed, (await _under.Reader.GetAsync(TenantId.First, id, default))!.Recipients[0].State);
    }

    // One statement for all of them holds SQLite's writer for seconds: then this fails.
    [Fact]
    public async Task Mail_does_not_wait_while_very_many_old_messages_go()
    {
        const int Count = 60_000;
        var oldest = MessageId.Create((Now - 200 * Day).ToUnixTimeMilliseconds(), 0, 0).Value;
        var numbers = engine == StoreEngine.Sqlite
            ? $"WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {Count})"
            : $"WITH s (i) AS (SELECT i::bigint FROM generate_series(1, {Count}) AS i)";
        var (hash, value) = engine == StoreEngine.Sqlite ? ("", "") : (", hash", ", i");
        await Tables.WriteAsync(connection => connection.Execute($"""
            INSERT INTO messages (id, tenant, stream, route, expires, on_ambiguous, sender, subject, content)
            {numbers} SELECT @oldest + i * 1048576, 1, 0, 'main', 0, 0, 'a@example.com', 'S', @body FROM s;
            INSERT INTO recipients (message, n, envelope, kind, address, state, held, tries, generation, updated{hash})
            {numbers} SELECT @oldest + i * 1048576, 0, 0, 0, 'r' || i || '@example.com', 10, 0, 1, 0, 0{value} FROM s;
            """, new { oldest, body = new byte[2_000] }));
        Assert.Equal(Count, await CountAsync("messages"));

        var store = new RetentionTables(Tables, TimeProvider.System);
        var purge = Task.Run(async () =>
        {
            foreach (var kind in (RetentionKind[])[RetentionKind.Bodies, RetentionKind.Messages])
                for (var piece = new RetentionPiece(0, 0, 0, true); piece.HasMore;)
                    piece = await store.PurgeAsync(kind, piece.Cursor, Now - 100 * Day, default);
        });
        var waits = new List<TimeSpan>();
        while (!purge.IsCompleted)
        {
            var started = TimeProvider.System.GetTimestamp();
            await AcceptAsync("now@example.org");
            waits.Add(TimeProvider.System.GetElapsedTime(started));
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
        }
        await purge;
        Assert.Equal(waits.Count, await CountAsync("messages"));
        waits.Sort();
        var (half, slow, worst) = (waits[waits.Count / 2], waits[waits.Count * 99 / 100], waits[^1]);
        TestContext.Current.SendDiagnosticMessage($"{engine}: {waits.Count} accepted, 50 % in {half}, 99 % in {slow}, all in {worst}");
        Assert.True(slow < TimeSpan.FromMilliseconds(500), $"50 % in {half}, 99 % in {slow}, all in {worst}");
    }

    [Fact]
    public async Task Jobs_and_erasures_that_have_ended_and_suppressions_that_are_over_go_and_what_runs_stays()
    {
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO dead_letter_jobs (tenant, action, filter, per_second, created, created_by, state, done, ended, not_before, revision)
            VALUES (1, 0, '{}', 1, @now, 'k', 1, 0, @now, 0, 0), (1, 0, '{}', 1, @now, 'k', 0, 0, NULL, 0, 0);
            INSERT INTO erasures
                (tenant, address, pseudonym, created, created_by, state, messages, other_rows, waiting, ended, not_before, revision)
            VALUES (1, NULL, 'x', @now, 'k', 1, 0, 0, 0, @now, 0, 0), (1, 'a@example.com', 'x', @now, 'k', 0, 0, 0, 0, NULL, 0, 0)
            """, new { now = Now.ToUnixTimeMilliseconds() }));
        await new SuppressionTables(Tables).AddAsync(TenantId.First,
        [
            new("ann@example.org", null, SuppressionCause.Manual, "", null, Now, Now + Day),
            new("bob@example.org", null, SuppressionCause.Manual, "", null, Now, null),
        ]);
        _clock.Advance(1.5 * Day);
        await PurgeAsync();
        Assert.Equal((2, 2, 2), (await CountAsync("dead_letter_jobs"), await CountAsync("erasures"), await CountAsync("suppressions")));
        _clock.Advance(0.5 * Day);
        await PurgeAsync();
        Assert.Equal("bob@example.org", await Tables.ReadAsync(c => c.QuerySingle<string>("SELECT address FROM suppressions"), default));
        _clock.Advance(88 * Day);
        await PurgeAsync();
        Assert.Equal((1, 2), (await CountAsync("dead_letter_jobs"), await CountAsync("erasures")));
        _clock.Advance(275 * Day);
        await PurgeAsync();
        Assert.Equal((1, 1), (await CountAsync("dead_letter_jobs WHERE state = 0"), await CountAsync("erasures WHERE state = 0")));
        Assert.Equal(1, await CountAsync("erasures"));
    }

    [Fact]
    public async Task Recipients_that_no_schedule_sends_to_any_more_go_and_then_the_archived_schedule()
    {
        var lists = new ListTables(Tables);
        var (used, left, archived, named) = (_ids.Next(), _ids.Next(), _ids.Next(), _ids.Next());
        foreach (var (list, name) in ((MessageId, string?)[])[(used, null), (left, null), (archived, null), (named, "news")])
        {
            await lists.AddAsync(list, TenantId.First, name, Now);
            await lists.PutAsync(TenantId.First, list, [new StoredDestination(1, "a@example.org", null, null)], Now);
        }
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO schedules (id, tenant, name, state, revision, change, edition, source, is_list, updated, times, email)
            VALUES (1, 1, 'a', 0, 1, 1, '', @used, 0, @now, '{}', '{}'), (2, 1, 'b', 2, 1, 1, '', @archived, 0, @now, '{}', '{}');
            INSERT INTO schedule_runs (schedule, revision, local, fold, id, tenant, due_at, ran_at, state, told, count)
            VALUES (1, 1, 0, 0, 1, 1, 0, @now, 1, 1, 1), (2, 1, 0, 0, 2, 1, 0, @now, 1, 1, 1)
            """, new { used = used.Value, archived = archived.Value, now = Now.ToUnixTimeMilliseconds() }));
        await PurgeAsync();
        Assert.Equal(4, await CountAsync("lists WHERE removed IS NULL"));

        _clock.Advance(1.5 * Day);
        await PurgeAsync();
        var batches = new BatchTables(Tables);
        while (await batches.TidyAsync(Now, 100)) { }
        Assert.Equal([used.Value, named.Value],
            await Tables.ReadAsync(c => c.Query<long>("SELECT id FROM lists ORDER BY id").AsList(), default));
        Assert.Equal(2, await CountAsync("destinations"));
        Assert.Equal(2, await CountAsync("schedules"));

        _clock.Advance(89 * Day);
        await PurgeAsync();
        Assert.Equal((1, 1), (await CountAsync("schedules"), await CountAsync("schedule_runs")));
        Assert.Equal(2, await CountAsync("lists"));
    }

    /// <summary>Something happens between what is read and what is written.</summary>
    sealed class Interrupted(ITableStore store, Func<Task> between) : ITableStore
    {
        Postrider.Storage.AddressKey ITableStore.AddressKey => store.AddressKey;

        void ITableStore.Tell(
            System.Data.Common.DbConnection connection, TenantId tenant, Postrider.Events.MailEventType type, string data) =>
            store.Tell(connection, tenant, type, data);

        public async Task<T> WriteAsync<T>(Func<System.Data.Common.DbConnection, T> write, bool isBulk = false)
        {
            await between();
            return await store.WriteAsync(write, isBulk);
        }

        public Task<T> ChangeAsync<T>(Postrider.Nodes.Topic topic, Func<System.Data.Common.DbConnection, T> write) =>
            store.ChangeAsync(topic, write);

        public Task<T> ReadAsync<T>(Func<System.Data.Common.DbConnection, T> read, CancellationToken ct) => store.ReadAsync(read, ct);
    }
}
