using System.Data.Common;
using System.Text;
using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Feedback;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Retention;
using Postrider.Storage;
using Postrider.Storage.Tables;
using Postrider.Suppression;
using Postrider.Templates;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

public sealed class SqliteErasureTests() : ErasureContract(StoreEngine.Sqlite);

public sealed class PostgresErasureTests() : ErasureContract(StoreEngine.Postgres);

/// <summary>A person is forgotten everywhere, on every store, and nobody else is.</summary>
public abstract partial class ErasureContract(StoreEngine engine) : IAsyncLifetime
{
    const string Ann = "Ann.Smith@Example.org";
    const string Normal = "ann.smith@example.org";
    const string Bob = "bob@example.org";

    static readonly Incarnation Node = new(1, 1000);
    static readonly TenantId Other = new(2);

    readonly ManualClock _clock = new();
    MessageIds _ids = null!;
    IStoreUnderTest _under = null!;

    ITableStore Tables => (ITableStore)_under.Store;
    DateTimeOffset Now => _clock.GetUtcNow();
    ErasureTables Erasures => new(Tables);

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

    async Task<MessageId> AcceptAsync(TenantId tenant, params string[] to)
    {
        var message = new NewMessage
        {
            Id = _ids.Next(),
            Stream = MailStream.Transactional,
            Route = "main",
            Recipients = [.. to.Select((address, n) => new MessageRecipient(n, RecipientKind.To,
                new Mailbox(address == Ann ? "Ann Q. Smith" : null, EmailAddress.Parse(address))))],
            Content = new MessageContent
            {
                From = new Mailbox("The Shop", EmailAddress.Parse("shop@example.com")),
                Subject = $"For {to[0]}",
                Text = $"Dear {to[0]}",
            },
            Metadata = [new MetadataEntry("user", to[0])],
            ExpiresAt = Now + TimeSpan.FromDays(3),
        };
        await _under.Store.AcceptAsync(new Acceptance { Tenant = tenant, Messages = [message] }, default);
        return message.Id;
    }

    async Task EndDueAsync(TenantId tenant, RecipientState state = RecipientState.Sent)
    {
        foreach (var lease in await _under.Store.LeaseAsync(
            new QueueKey("main", MailStream.Transactional, tenant), 100, Node, Now, alone: false, default))
        {
            var outcome = new Outcome(state == RecipientState.Sent ? OutcomeKind.Accepted : OutcomeKind.Rejected,
                OutcomeScope.Recipient, new Reply(250, "2.1.5", $"<{lease.Recipients[0].Mailbox.Address}> OK", "RCPT"));
            await _under.Store.RecordAsync(new AttemptRecord
            {
                Lease = lease,
                Attempt = new Attempt
                {
                    Transport = "relay",
                    StartedAt = Now,
                    Outcomes = [.. lease.Recipients.Select(r => new RecipientOutcome(r.N, outcome))],
                },
                Ends = [.. lease.Recipients.Select(r => new RecipientEnd(r.N, state, outcome, $"said of {r.Mailbox.Address}"))],
                Continues = [],
            });
        }
    }

    /// <summary>Works off what can be done now.</summary>
    async Task<Erasure> EraseAsync(Erasure? erasure = null)
    {
        erasure ??= (await Erasures.AddAsync(TenantId.First, Normal, "key", Now))!;
        using var eraser = new Eraser(Erasures, _under.Reader, _under.Store, _clock, NullLogger<Eraser>.Instance);
        while (await eraser.TakeTurnAsync(default)) { }
        return (await Erasures.FindAsync(TenantId.First, erasure.Id, default))!;
    }

    async Task<MessageView> ViewAsync(MessageId id, TenantId? tenant = null) =>
        (await _under.Reader.GetAsync(tenant ?? TenantId.First, id, default))!;

    [Fact]
    public async Task Nothing_in_the_database_has_the_address_or_the_name_and_the_address_stays_suppressed()
    {
        var alone = await AcceptAsync(TenantId.First, Ann);
        await AcceptAsync(TenantId.First, Bob, Ann);
        await EndDueAsync(TenantId.First);
        await AcceptAsync(TenantId.First, Ann);
        await EndDueAsync(TenantId.First, RecipientState.Failed);
        var others = await WriteAboutAnnAsync();
        var queued = await AcceptAsync(TenantId.First, Ann);
        await new SuppressionTables(Tables).AddAsync(TenantId.First,
            [new SuppressedAddress(Ann, null, SuppressionCause.Bounced, $"550 <{Ann}> unknown", alone, Now, null)]);
        var list = _ids.Next();
        var lists = new ListTables(Tables);
        await lists.AddAsync(list, TenantId.First, "all", Now);
        await lists.PutAsync(TenantId.First, list, [new(1, Ann, "Ann Q. Smith", """{"a":1}"""), new(2, Bob, null, null)], Now);
        await Tables.WriteAsync(connection => connection.Execute($$"""
            INSERT INTO webhook_deliveries (tenant, webhook, event, type, created, state, due, tries, claim, payload, attempts)
            VALUES (1, 'w', 'e', 'email.sent', 0, 1, 0, 1, 0, @payload, '[{"answer":"no {{Ann}}"}]');
            INSERT INTO audit (at, tenant, key, action, target, status) VALUES (0, 1, 'k', 'DELETE /suppressions', '/suppressions/{{Ann}}', 200);
            INSERT INTO idempotency (tenant, key, request_hash, answer, keep_until) VALUES (1, 'once', @payload, @payload, 99999999999999);
            INSERT INTO inbox (tenant, message, transport, at, recipients, sender, subject, mime)
            VALUES (1, 7, 'capture', 0, '{{Ann}}', '', '', @payload);
            INSERT INTO feedback_quarantine (key, reason, at, report) VALUES (1, 0, 0, @payload)
            """, new { payload = Encoding.UTF8.GetBytes($$"""{"to":["{{Ann}}"]}""") }));
        await Tables.WriteAsync(connection => connection.Execute("UPDATE idempotency SET request_hash = @none", new { none = new byte[32] }));


        var done = await EraseAsync();
        Assert.Equal((ErasureState.Done, 4, 0, null), (done.State, done.Messages, done.Waiting, done.Address));
        Assert.True(done.Rows >= 15, $"{done.Rows} rows");
        Assert.Equal(RecipientState.Cancelled, (await ViewAsync(queued)).Recipients[0].State);
        var view = await ViewAsync(alone);
        Assert.Equal((done.Pseudonym, "", RecipientState.Sent),
            (view.Recipients[0].Mailbox.Address.ToString(), view.Subject, view.Recipients[0].State));
        Assert.Contains(done.Pseudonym, view.Recipients[0].StatusReason);
        Assert.Equal(1, (await lists.FindAsync(TenantId.First, list, default))!.Count);
        Assert.Empty(await FindAllAsync("ann.smith", "q. smith"));
        var about = await ViewAsync(others);
        Assert.Equal([$"for {done.Pseudonym}"], about.Tags);
        Assert.Equal(
            ($"Of {done.Pseudonym}", "plan", done.Pseudonym), (about.Subject, about.Metadata[0].Value, about.Metadata[1].Value));
        Assert.Equal(RecipientState.Suppressed, (await ViewAsync(await AcceptAsync(TenantId.First, Normal))).Recipients[0].State);
    }

    /// <summary>What a tenant may have written about Ann in things that are not hers. Returns a message to Bob.</summary>
    async Task<MessageId> WriteAboutAnnAsync()
    {
        var to = new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(Bob)));
        var mail = new NewMessage
        {
            Id = _ids.Next(),
            Stream = MailStream.Transactional,
            Route = "main",
            Recipients = [to],
            Content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("shop@example.com")), Subject = $"Of {Ann}" },
            Tags = [$"for {Ann}"],
            Metadata = [new MetadataEntry("plan", "plan"), new MetadataEntry("customer", Ann)],
            OrderingKey = Ann,
            ExpiresAt = Now + TimeSpan.FromDays(3),
        };
        // The body of mail to others is theirs: it is gone here, as retention has it.
        await _under.Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [mail] }, default);
        await EndDueAsync(TenantId.First);
        await Tables.WriteAsync(connection => connection.Execute(
            "UPDATE messages SET content = @gone WHERE id = @id", new { gone = ContentCodec.Gone, id = mail.Id.Value }));
        var (list, batch) = (_ids.Next(), _ids.Next());
        await new ListTables(Tables).AddAsync(list, TenantId.First, $"copy for {Ann}", Now);
        Assert.NotNull(await new TemplateTables(Tables).AddAsync(TenantId.First, "d-1", "hello", new TemplateContent
        {
            Subject = "Hello",
            Text = $"Ask {Ann}",
            TestData = $$"""{"to":"{{Ann.Replace("@", "\\u0040", StringComparison.Ordinal)}}"}""",
        }, Now));
        using var report = new FieldWriter();
        ReportCodec.Write(report, Report(Ann, mail.Id));
        await Tables.WriteAsync(connection => connection.Execute($$"""
            INSERT INTO schedules (id, tenant, name, state, revision, change, edition, source, is_list, updated, key, times, email)
            VALUES (@list, 1, 'for {{Ann}}', 0, 1, 7, '2026a', @list, 0, 0, 'once/{{Ann}}', '{}', '{"to":"Ann <{{Ann}}>","text":"for {{Ann}}"}');
            INSERT INTO schedule_runs (schedule, revision, local, fold, id, tenant, due_at, ran_at, state, told, count, reason)
            VALUES (@list, 1, 0, 0, @list, 1, 0, 0, 3, 1, 1, 'no such template: {{Ann}}');
            INSERT INTO batches (id, tenant, count, sender, subject, content) VALUES (@batch, 1, 0, '', 'News for {{Ann}}', @gone);
            INSERT INTO expansions (batch, tenant, state, open, stop, tidy, start_at, source, until, cursor, next, first, total, taken,
                failed, refused, updated, terms, key)
            VALUES (@batch, 1, 2, 0, 0, 0, 0, @batch, 0, 0, 1, NULL, 0, 0, 0, 0, 0, '{"Tags":["{{Ann}}"]}', 'batch/{{Ann}}');
            INSERT INTO feedback_waiting (key, retry_at, until, report) VALUES (1, 0, 0, @report)
            """, new { list = list.Value, batch = batch.Value, gone = ContentCodec.Gone, report = report.Written.ToArray() }));
        return mail.Id;
    }

    static FeedbackReport Report(string address, MessageId? message) => new()
    {
        Vendor = "ses",
        Transport = null,
        Message = message,
        Event = new FeedbackEvent
        {
            Kind = FeedbackKind.BouncedHard,
            Type = "Bounce",
            Key = "k",
            At = default,
            Address = address,
            Reply = new Reply(550, null, $"<{address}> unknown"),
        },
    };

    // The writer of a schedule writes all of it: it must not write back what was erased meanwhile.
    [Fact]
    public async Task Who_has_read_a_schedule_before_finds_it_changed()
    {
        await WriteAboutAnnAsync();
        var schedules = new ScheduleTables(Tables);
        await Tables.WriteAsync(connection => connection.Execute(
            """UPDATE schedules SET times = '{"TimeZone":"UTC"}', next_at = 0, next_local = 0, next_fold = 0, due = 0"""));
        var read = Assert.Single(await schedules.ListAsync(TenantId.First, null, null, 10, default));
        await EraseAsync();
        Assert.False(await schedules.ReplaceAsync(read));
        var now = Assert.Single(await schedules.ListAsync(TenantId.First, null, null, 10, default));
        Assert.DoesNotContain(Normal, now.Email.Json, StringComparison.OrdinalIgnoreCase);
        Assert.True(await schedules.ReplaceAsync(now));
    }

    // The length of a text stands before it among the bytes: 57 is a digit.
    [Theory]
    [InlineData("feedback_waiting")]
    [InlineData("feedback_quarantine")]
    public async Task A_report_goes_however_long_the_address_is_and_only_the_tenants(string table)
    {
        var address = $"{new string('a', 45)}@example.org";
        var theirs = await AcceptAsync(Other, Bob);
        var rest = table == "feedback_waiting" ? ("retry_at, until", "0, 0") : ("reason, at", "0, 0");
        foreach (var (key, message, of) in ((int, MessageId?, string)[])[(1, null, address), (2, theirs, address), (3, null, $"b{address}")])
        {
            using var report = new FieldWriter();
            var told = Report(of, message);
            ReportCodec.Write(report, told with { Event = told.Event with { Reply = null } });
            await Tables.WriteAsync(connection => connection.Execute(
                $"INSERT INTO {table} (key, {rest.Item1}, report) VALUES (@key, {rest.Item2}, @report)",
                new { key, report = report.Written.ToArray() }));
        }
        async Task<IEnumerable<long>> LeftAsync() => await Tables.ReadAsync(
            connection => connection.Query<long>($"SELECT key FROM {table} ORDER BY key").AsList(), default);

        await EraseAsync(await Erasures.AddAsync(TenantId.First, address, "key", Now));
        Assert.Equal([2L, 3L], await LeftAsync());
        var order = (await Erasures.AddAsync(Other, address, "key", Now))!;
        for (ErasureCursor? at = ErasureCursor.Start; at is { } from;)
            at = (await Erasures.EraseRestAsync(order, from, default)).Next;
        Assert.Equal([3L], await LeftAsync());
    }

    // Mail behind it waits under the key until it has ended.
    [Fact]
    public async Task An_ordering_key_stays_while_its_mail_is_open()
    {
        var message = new NewMessage
        {
            Id = _ids.Next(),
            Stream = MailStream.Transactional,
            Route = "main",
            Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(Bob)))],
            Content = new MessageContent { From = new Mailbox(null, EmailAddress.Parse("shop@example.com")), Subject = "S" },
            Tags = [Ann],
            OrderingKey = Ann,
            ExpiresAt = Now + TimeSpan.FromDays(3),
        };
        await _under.Store.AcceptAsync(new Acceptance { Tenant = TenantId.First, Messages = [message] }, default);
        async Task<string?> KeyAsync() => await Tables.ReadAsync(connection => connection.ExecuteScalar<string?>(
            "SELECT ordering_key FROM messages WHERE id = @id", new { id = message.Id.Value }), default);
        var first = await EraseAsync();
        Assert.Equal(Ann, await KeyAsync());
        Assert.Equal([first.Pseudonym], (await ViewAsync(message.Id)).Tags);
        await EndDueAsync(TenantId.First);
        Assert.Equal((await EraseAsync()).Pseudonym, await KeyAsync());
    }

    /// <summary>Columns of text or bytes that no order changes: the end of what each stands for is there, or why it holds no recipient's
    /// address.</summary>
    static readonly (string Column, string Why)[] NotChanged =
    [
        ("messages.route", Words), ("messages.content", "goes with the message's body; of mail by and to others it stays"),
        ("batches.content", "goes with who sent it; of others' mail it is everybody's"), ("queue.route", Words), ("queue.ordering_key", "until the mail has ended"),
        ("queue.history", "until the mail has ended"), ("events.details", "by message"), ("recipients.address", "by message"),
        ("recipients.name", "by message"), ("idempotency.key", "goes after a day"), ("idempotency.request_hash", Hash),
        ("suppressions.address", "at the end"), ("suppressions.address_hash", "keyed"), ("suppressions.reason", "at the end"),
        ("progress.name", Words), ("installation.name", Words), ("installation.value", Words), ("changes.topic", Words),
        ("api_keys.id", Own), ("api_keys.name", Own), ("api_keys.secret_hash", Own), ("api_keys.sealed_secret", Own),
        ("inbox.transport", Words),
        ("pauses.route", Words), ("pauses.reason", Own), ("sender_domains.name", Own), ("sender_domains.checks", Own),
        ("dkim_keys.domain", Own), ("dkim_keys.selector", Own), ("dkim_keys.public_key", Own), ("dkim_keys.sealed_key", Own),
        ("templates.id", Words), ("templates.name", Own), ("tenants.name", Own), ("tenants.settings", Own),
        ("expansions.request_hash", Hash), ("expansion_parts.key", "goes with the batch"), ("expansion_parts.fingerprint", Hash),
        ("expansion_faults.slug", Words),
        ("destinations.address", "goes with the row of its e-mail"), ("schedule_runs.key", "goes with the run"),
        ("schedules.edition", Words), ("schedules.request_hash", Hash),
        ("schedules.times", Words), ("dead_letters.route", Words), ("dead_letters.reason", Words), ("dead_letters.enhanced", Words),
        ("dead_letters.transport", Words), ("dead_letter_jobs.created_by", Own), ("audit.key", Own), ("audit.action", Words),
        ("audit.address", Own), ("webhooks.id", Words), ("webhooks.url", Own), ("webhooks.description", Own), ("webhooks.events", Words),
        ("webhooks.disabled_reason", Words), ("webhooks.place", Words), ("webhooks.secret", Own), ("webhooks.previous_secret", Own),
        ("webhooks.headers", Own), ("webhook_deliveries.webhook", Words), ("webhook_deliveries.event", Words),
        ("webhook_deliveries.type", Words), ("refused_calls.key", Own), ("refused_calls.call", Words), ("refused_calls.problem", Words),
        ("erasures.address", "goes when it is done"), ("erasures.pseudonym", Words),
        ("erasures.created_by", Own), ("erasures.cursor", Words),
    ];

    const string Own = "of who works with it, not of a recipient";
    const string Words = "a word of Postrider's, or a name in its settings";
    const string Hash = "a hash of a whole request";

    /// <summary>Tables of those who work with it, of settings, and of what nodes tell each other.</summary>
    static readonly string[] OtherTables =
    [
        "users", "sessions", "protection_keys", "transports", "routes", "drills", "quota_use", "schema_version", "nodes", "rate_budgets",
        "alerts", "alert_marks", "flow", "transport_states", "transport_reports", "refused_senders", "moves", "move_progress",
        "moved_events",
    ];

    // Whoever adds a column that may hold an address finds out here.
    [Fact]
    public async Task Every_column_of_text_or_bytes_is_looked_through_or_has_a_reason_not_to_be()
    {
        var columns = await Tables.ReadAsync(connection => connection.Query<string>(engine == StoreEngine.Sqlite
            ? """
                SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c
                WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.type IN ('TEXT', 'BLOB')
                """
            : """
                SELECT t.relname || '.' || c.attname FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid
                WHERE t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND t.relkind IN ('r', 'p')
                    AND NOT t.relispartition AND c.attnum > 0 AND NOT c.attisdropped AND c.atttypid::regtype::text IN ('text', 'bytea', 'jsonb')
                """).AsList(), default);
        var looked = ErasedPlace.All.SelectMany(place => place.Texts.Select(text => $"{place.Table}.{text}"))
            .Concat(NotChanged.Select(one => one.Column)).ToHashSet();
        List<string> forgotten =
            [.. columns.Where(column => !looked.Contains(column) && !OtherTables.Contains(column[..column.IndexOf('.')]))];
        Assert.Empty(forgotten);
        Assert.True(columns.Count > 80);
        Assert.Empty(ErasedPlace.All.SelectMany(place => place.Texts.Select(text => $"{place.Table}.{text}")).Except(columns));
    }

    [Fact]
    public async Task Mail_that_goes_to_others_too_is_waited_for_and_keeps_their_addresses()
    {
        var both = await AcceptAsync(TenantId.First, Bob, Ann);
        var order = await EraseAsync();
        Assert.Equal((ErasureState.Running, 1), (order.State, order.Waiting));
        Assert.Equal(Normal, order.Address);
        await EndDueAsync(TenantId.First);
        _clock.Advance(TimeSpan.FromMinutes(2));
        var done = await EraseAsync(order);
        Assert.Equal((ErasureState.Done, 1, 0), (done.State, done.Messages, done.Waiting));
        var view = await ViewAsync(both);
        Assert.Equal([Bob, done.Pseudonym], view.Recipients.Select(r => r.Mailbox.Address.ToString()));
        Assert.Equal($"For {Bob}", view.Subject);
        Assert.Null(await _under.Reader.GetContentAsync(TenantId.First, both, default));
    }

    [Fact]
    public async Task Another_tenant_keeps_what_it_has_of_the_same_person()
    {
        var theirs = await AcceptAsync(Other, Ann);
        await EndDueAsync(Other);
        var erasure = await EraseAsync();
        Assert.Equal((ErasureState.Done, 0), (erasure.State, erasure.Messages));
        Assert.Equal(Ann, (await ViewAsync(theirs, Other)).Recipients[0].Mailbox.Address.ToString(), ignoreCase: true);
        Assert.NotNull(await _under.Reader.GetContentAsync(Other, theirs, default));
        Assert.Null(await Erasures.FindAsync(Other, erasure.Id, default));
        Assert.Empty(await Erasures.ListAsync(Other, null, 10, default));
    }

    [Fact]
    public async Task Addresses_are_found_in_whatever_spelling_and_in_the_data_of_others()
    {
        const string joerg = "jörg+x@xn--bcher-kva.example";
        var list = _ids.Next();
        var lists = new ListTables(Tables);
        await lists.AddAsync(list, TenantId.First, "all", Now);
        await lists.PutAsync(TenantId.First, list,
        [
            new(1, Bob, "JÖRG+X@BÜCHER.example sent me", """{"from":"J\u00D6rg\u002Bx\u0040B\u00fccher.example","n":1}"""),
            new(2, "jörg+x@bücher.example", null, null),
        ], Now);
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO webhook_deliveries (tenant, webhook, event, type, created, state, due, tries, claim, payload, attempts)
            VALUES (1, 'w', 'e', 'email.sent', 0, 1, 0, 1, 0, @payload, '[]');
            INSERT INTO audit (at, tenant, key, action, target, status) VALUES (0, 1, 'k', 'DELETE', @target, 200)
            """, new
        {
            payload = Encoding.UTF8.GetBytes("""{"to":["JÖRG+x@BÜCHER.example"]}"""),
            target = "/suppressions/j%C3%B6rg%2Bx%40b%C3%BCcher.example",
        }));

        var done = await EraseAsync(await Erasures.AddAsync(TenantId.First, joerg, "key", Now));

        Assert.Equal((ErasureState.Done, 4), (done.State, done.Rows));
        var left = Assert.Single((await lists.ReadAsync(TenantId.First, list, 0, 10, default))!);
        Assert.Equal((Bob, $"{done.Pseudonym} sent me", $$"""{"from":"{{done.Pseudonym}}","n":1}"""), (left.Email, left.Name, left.Data));
        await Tables.ReadAsync(connection =>
        {
            Assert.Equal($"/suppressions/{done.Pseudonym}", connection.ExecuteScalar<string>("SELECT target FROM audit"));
            Assert.Contains(done.Pseudonym,
                Encoding.UTF8.GetString(connection.ExecuteScalar<byte[]>("SELECT payload FROM webhook_deliveries")!));
            return 0;
        }, default);
    }

    [Fact]
    public async Task Tables_are_looked_through_some_rows_at_a_time_and_only_the_tenants()
    {
        foreach (var tenant in (TenantId[])[TenantId.First, Other])
        {
            var lists = new ListTables(Tables);
            var list = _ids.Next();
            await lists.AddAsync(list, tenant, "all", Now);
            await lists.PutAsync(tenant, list,
                [.. Enumerable.Range(1, 450).Select(i => new StoredDestination(i, $"r{i}@example.com", $"friend of {Ann}", null))], Now);
        }
        var order = (await Erasures.AddAsync(TenantId.First, Normal, "key", Now))!;
        var (pieces, rows) = (0, 0L);
        for (ErasureCursor? at = ErasureCursor.Start; at is { } from; pieces++)
        {
            var piece = await Erasures.EraseRestAsync(order, from, default);
            Assert.InRange(piece.Rows, 0, 200);
            Assert.NotEqual(from, piece.Next);
            (at, rows) = (piece.Next, rows + piece.Rows);
        }
        Assert.Equal(450, rows);
        Assert.InRange(pieces, ErasedPlace.All.Count, ErasedPlace.All.Count + 10);
        Assert.Equal(450, await Tables.ReadAsync(
            connection => connection.ExecuteScalar<int>("SELECT count(*) FROM destinations WHERE name LIKE '%Ann%'"), default));
    }

    [Fact]
    public async Task An_order_that_runs_is_not_given_twice_and_there_are_not_too_many()
    {
        var first = (await Erasures.AddAsync(TenantId.First, Normal, "key", Now))!;
        Assert.Equal(first.Id, (await Erasures.AddAsync(TenantId.First, Normal, "other key", Now))!.Id);
        Assert.NotEqual(first.Id, (await Erasures.AddAsync(Other, Normal, "key", Now))!.Id);
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO erasures
                (tenant, address, pseudonym, created, created_by, state, messages, other_rows, waiting, not_before, revision)
            WITH RECURSIVE seq(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM seq WHERE i < 1000)
            SELECT 1, 'p' || i || '@example.com', 'x', 0, 'key', 0, 0, 0, 0, 0, 0 FROM seq
            """));
        Assert.Null(await Erasures.AddAsync(TenantId.First, Bob, "key", Now));
        Assert.Equal(first.Id, (await Erasures.AddAsync(TenantId.First, Normal, "key", Now))!.Id);
        Assert.NotNull(await Erasures.AddAsync(Other, Bob, "key", Now));
        await Tables.WriteAsync(connection => connection.Execute("DELETE FROM erasures WHERE created_by = 'key' AND id <> @Id", first));
        await EraseAsync(first);
        Assert.NotEqual(first.Id, (await Erasures.AddAsync(TenantId.First, Normal, "key", Now))!.Id);
    }

    /// <summary>Where the database has one of these texts, in whatever case: in the file after VACUUM, or in any column of any
    /// table.</summary>
    async Task<List<string>> FindAllAsync(params string[] texts)
    {
        if (engine == StoreEngine.Postgres)
            return await Tables.ReadAsync(connection => InTables(connection, texts), default);
        var path = ((SqliteUnderTest)_under).Path;
        await ((SqliteUnderTest)_under).Sqlite.DisposeAsync();
        using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
            connection.Execute("VACUUM");
        var file = Encoding.Latin1.GetString(await File.ReadAllBytesAsync(path)).ToLowerInvariant();
        await _under.ReopenAsync();
        Assert.Contains(Bob, file); // it is looked at in the right way
        return [.. texts.Where(text => file.Contains(text, StringComparison.Ordinal))];
    }

    static List<string> InTables(DbConnection connection, string[] texts)
    {
        var found = new List<string>();
        foreach (var table in connection.Query<string>("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").AsList())
            foreach (var row in connection.Query<string>($"SELECT lower(t::text) FROM {table} t").AsList())
                foreach (var text in texts)
                    if (row.Contains(text, StringComparison.Ordinal)
                        || row.Contains(Convert.ToHexStringLower(Encoding.UTF8.GetBytes(text)), StringComparison.Ordinal)
                        || row.Contains(Convert.ToHexStringLower(Encoding.UTF8.GetBytes("Ann.Smith")), StringComparison.Ordinal))
                        found.Add($"{table}: {row}");
        return found;
    }
}
