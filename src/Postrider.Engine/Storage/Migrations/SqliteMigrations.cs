namespace Postrider.Storage.Migrations;

/// <summary>The steps of the SQLite schema.</summary>
static class SqliteMigrations
{
    public static readonly IReadOnlyList<Migration> All =
    [
        new(1, "messages, recipients, queue, events, counters, search, suppressions", FirstSchema),
        new(2, "API keys, proof of the master key", Keys),
        new(3, "inbox, pauses", InboxAndPauses),
        new(4, "feedback", Feedback),
        new(5, "sender domains, DKIM keys", Senders),
        new(6, "templates", Templates),
        new(7, "tenants", Tenants),
        new(8, "large batches, lists of recipients", Batches),
        new(9, "schedules", Schedules),
        new(10, "dead letters, audit", DeadLetterSchema.Sqlite),
        new(11, "webhooks", Webhooks),
        new(12, "quotas", LimitTables.SqliteQuotas),
        new(13, "suppressions with address, cause and end", Suppressions),
        new(14, "retention", RetentionSchema.Sqlite),
        new(15, "erasures", ErasureSchema.Sqlite),
        new(16, "transports, routes", RoutingSchema.Sqlite),
        new(17, "how far erasures have come", ErasureSchema.Cursor),
        new(18, "retention of jobs, erasures, schedules and what they leave, suppressions", RetentionSchema.More),
        new(19, "users, sessions, keys of the dashboard", UserSchema.Sqlite),
        new(20, "drills", DrillSchema.Sqlite),
        new(21, "form of schedules' mail, bytes of destinations", ScheduleForm + DestinationBytes.Sqlite),
        new(22, "alerts", AlertSchema.Sqlite),
        new(23, "calls that were refused", RefusedCallSchema.Sqlite),
        new(24, "sizes of the database", StoreSizeSchema.Sqlite),
        new(25, "what goes out by the minute", FlowSchema.Sqlite),
        new(26, "contents and edits of large batches", BatchCounts.Sqlite),
        new(27, "idempotency keys of runs asked for by hand", RunKeys),
        new(28, "indexes of transient dead letters and of failed deliveries", DeadLetterSchema.Rare),
        new(29, "what calls that fill batches brought", BatchCounts.Parts),
        new(30, "places of jobs on dead letters", DeadLetterSchema.SqlitePlaces),
        new(31, "paused transports", LimitTables.SqliteStates),
        new(32, "mail of a person's own that erasures wait for", ErasureSchema.Passed),
        new(33, "what webhooks missed", MissedEvents),
    ];

    // Instants are Unix milliseconds, ids are 63-bit time-ordered integers: rows arrive at the right edge of every table and index.
    // The hot tables have no REFERENCES: the look-up of each parent costs 3–5 µs a mail and one writer inserts them all; the contract tests
    // look for orphans.
    const string FirstSchema = """
        -- content comes last: what is read without it does not touch its overflow pages. sender, subject and content are NULL when they
        -- are the batch's.
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, stream INTEGER NOT NULL, batch INTEGER, route TEXT NOT NULL,
            send_at INTEGER, expires INTEGER NOT NULL, on_ambiguous INTEGER NOT NULL, ordering_key TEXT,
            sender TEXT, subject TEXT, tags TEXT, metadata TEXT, content BLOB) STRICT;

        CREATE TABLE batches (
            id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, count INTEGER NOT NULL, sender TEXT, subject TEXT, content BLOB) STRICT;

        -- state 1 is "open": what exactly it is doing is in the queue row that envelope names.
        CREATE TABLE recipients (
            message INTEGER NOT NULL, n INTEGER NOT NULL, envelope INTEGER NOT NULL, kind INTEGER NOT NULL, address TEXT NOT NULL,
            name TEXT, state INTEGER NOT NULL, held INTEGER NOT NULL, tries INTEGER NOT NULL, generation INTEGER NOT NULL,
            updated INTEGER NOT NULL,
            PRIMARY KEY (message, n)) WITHOUT ROWID, STRICT;
        -- Held and everything that ended otherwise than sent: rare, and what people look for.
        CREATE INDEX recipients_ended ON recipients (state, message) WHERE state IN (4, 12, 13, 14, 15, 16);

        -- One row per envelope that still has work. state: 1 queued, 2 leased, 3 unknown. phase: 1 past the commit point.
        -- gate: 0 open, 1 leased alone only (three crashes), 2 behind an earlier one of its ordering key.
        CREATE TABLE queue (
            message INTEGER NOT NULL, n INTEGER NOT NULL, tenant INTEGER NOT NULL, route TEXT NOT NULL, stream INTEGER NOT NULL,
            gate INTEGER NOT NULL, due INTEGER NOT NULL, expires INTEGER NOT NULL, state INTEGER NOT NULL, phase INTEGER NOT NULL,
            wait INTEGER NOT NULL, claim INTEGER NOT NULL, node INTEGER, incarnation INTEGER, recipients INTEGER NOT NULL,
            tries INTEGER NOT NULL, deferrals INTEGER NOT NULL, rounds INTEGER NOT NULL, suspect INTEGER NOT NULL,
            generation INTEGER NOT NULL, on_ambiguous INTEGER NOT NULL, cancelled INTEGER NOT NULL, ordering_key TEXT, history BLOB,
            PRIMARY KEY (message, n)) WITHOUT ROWID, STRICT;
        CREATE INDEX queue_due ON queue (route, stream, tenant, gate, due) WHERE state = 1;
        CREATE INDEX queue_expires ON queue (expires) WHERE state = 1;
        CREATE INDEX queue_leased ON queue (node, incarnation) WHERE state = 2;
        CREATE INDEX queue_unknown ON queue (due) WHERE state = 3;
        CREATE INDEX queue_scheduled ON queue (tenant, due, recipients) WHERE state = 1 AND wait = 1;
        CREATE INDEX queue_ordering ON queue (tenant, ordering_key, gate) WHERE ordering_key IS NOT NULL;

        -- id: the order of commits. "accepted" is not here, it is the message row.
        CREATE TABLE events (
            id INTEGER PRIMARY KEY, message INTEGER NOT NULL, tenant INTEGER NOT NULL, type INTEGER NOT NULL, at INTEGER NOT NULL,
            node INTEGER, details BLOB NOT NULL) STRICT;
        CREATE INDEX events_message ON events (message);

        CREATE TABLE idempotency (
            tenant INTEGER NOT NULL, key TEXT NOT NULL, request_hash BLOB NOT NULL, answer BLOB NOT NULL, keep_until INTEGER NOT NULL,
            PRIMARY KEY (tenant, key)) WITHOUT ROWID, STRICT;
        CREATE INDEX idempotency_keep_until ON idempotency (keep_until);

        -- scope: a tenant's number or a batch's id (ids are above 2^40, tenants below 2^31). hour: since 1970; 0 for the open states,
        -- whose sum may fall.
        CREATE TABLE counters (
            scope INTEGER NOT NULL, state INTEGER NOT NULL, hour INTEGER NOT NULL, node INTEGER NOT NULL, delta INTEGER NOT NULL,
            PRIMARY KEY (scope, state, hour, node)) WITHOUT ROWID, STRICT;

        -- Hashes of addresses and tags, written in sorted runs so that no insert hits a random page. low, high: the message ids in a run.
        CREATE TABLE search_runs (bucket INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL) STRICT;
        CREATE TABLE search (
            bucket INTEGER NOT NULL, hash INTEGER NOT NULL, message INTEGER NOT NULL,
            PRIMARY KEY (bucket, hash, message)) WITHOUT ROWID, STRICT;

        -- stream: -1 for all streams.
        CREATE TABLE suppressions (
            tenant INTEGER NOT NULL, address_hash BLOB NOT NULL, stream INTEGER NOT NULL, reason TEXT NOT NULL, message INTEGER,
            at INTEGER NOT NULL, PRIMARY KEY (tenant, address_hash, stream)) WITHOUT ROWID, STRICT;

        -- How far background work has come, by name.
        CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;
        """;

    // secret_hash is empty for kind 1 (SigV4), sealed_secret for kind 0 (bearer). id: what is no secret in a key.
    const string Keys = """
        CREATE TABLE api_keys (
            id TEXT PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL, scopes INTEGER NOT NULL,
            created INTEGER NOT NULL, expires INTEGER, revoked INTEGER, used INTEGER,
            secret_hash BLOB NOT NULL, sealed_secret BLOB NOT NULL) WITHOUT ROWID, STRICT;
        CREATE INDEX api_keys_tenant ON api_keys (tenant, created);

        -- Facts about the installation, by name.
        CREATE TABLE installation (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
        """;

    // AUTOINCREMENT: a number is never given again, though the newest may have been cleared away. recipients: one address a line.
    // pauses: tenant 0, stream -1 and the empty route mean all.
    const string InboxAndPauses = """
        CREATE TABLE inbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL, message INTEGER NOT NULL, transport TEXT NOT NULL,
            at INTEGER NOT NULL,
            reverse_path TEXT, recipients TEXT NOT NULL, sender TEXT NOT NULL, subject TEXT NOT NULL, mime BLOB NOT NULL) STRICT;
        CREATE INDEX inbox_tenant ON inbox (tenant, id);
        CREATE INDEX inbox_message ON inbox (message, id);

        CREATE TABLE pauses (
            tenant INTEGER NOT NULL, stream INTEGER NOT NULL, route TEXT NOT NULL, since INTEGER NOT NULL, reason TEXT,
            PRIMARY KEY (tenant, stream, route)) WITHOUT ROWID, STRICT;
        """;

    // feedback_seen: 63 bits of a hash of the reporter's own id of the event; rows of recent messages, at the right edge.
    // feedback_waiting: what came before its attempt had ended, or before the message could be found. Both others are bounded by their ids:
    // what is too far behind the newest goes.
    const string Feedback = """
        CREATE TABLE feedback_seen (
            message INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (message, key)) WITHOUT ROWID, STRICT;

        CREATE TABLE feedback_waiting (
            id INTEGER PRIMARY KEY, key INTEGER NOT NULL, retry_at INTEGER NOT NULL, until INTEGER NOT NULL,
            report BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX feedback_waiting_key ON feedback_waiting (key);
        CREATE INDEX feedback_waiting_retry ON feedback_waiting (retry_at);

        CREATE TABLE feedback_quarantine (
            id INTEGER PRIMARY KEY, key INTEGER NOT NULL, reason INTEGER NOT NULL, at INTEGER NOT NULL, report BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX feedback_quarantine_key ON feedback_quarantine (key);
        """;

    // checks: what the DNS said when last asked, as JSON. revision: +1 at each change, tested by it. sealed_key: under the master key.
    const string Senders = """
        CREATE TABLE sender_domains (
            tenant INTEGER NOT NULL, name TEXT NOT NULL, subdomains INTEGER NOT NULL, created INTEGER NOT NULL, verified INTEGER,
            checks TEXT, revision INTEGER NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID, STRICT;

        CREATE TABLE dkim_keys (
            tenant INTEGER NOT NULL, domain TEXT NOT NULL, selector TEXT NOT NULL, created INTEGER NOT NULL, active INTEGER,
            public_key BLOB NOT NULL, sealed_key BLOB NOT NULL, PRIMARY KEY (tenant, domain, selector)) WITHOUT ROWID, STRICT;
        """;

    // number: counts a tenant's templates. newest: the highest version. content: JSON. Versions never change.
    const string Templates = """
        CREATE TABLE templates (
            tenant INTEGER NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, newest INTEGER NOT NULL,
            created INTEGER NOT NULL, archived INTEGER, PRIMARY KEY (tenant, number)) WITHOUT ROWID, STRICT;
        CREATE UNIQUE INDEX templates_id ON templates (tenant, id);
        CREATE UNIQUE INDEX templates_name ON templates (tenant, name) WHERE archived IS NULL;

        CREATE TABLE template_versions (
            tenant INTEGER NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL, content TEXT NOT NULL,
            PRIMARY KEY (tenant, number, version)) STRICT;
        """;

    // settings: JSON. revision: the number of the change that wrote the row, from the one row of tenant_changes.
    const string Tenants = """
        CREATE TABLE tenants (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, archived INTEGER, settings TEXT NOT NULL,
            revision INTEGER NOT NULL) STRICT;
        CREATE UNIQUE INDEX tenants_name ON tenants (name);
        CREATE UNIQUE INDEX tenants_revision ON tenants (revision);
        CREATE TABLE tenant_changes (revision INTEGER NOT NULL) STRICT;
        INSERT INTO tenant_changes VALUES (1);
        INSERT INTO tenants VALUES (1, 'first', unixepoch() * 1000, NULL, '{"version":1}', 1);
        """;

    // expansions: a batch whose destinations become messages piece by piece; also a small one that was paused (terms is NULL). open: 1
    // until it is expanded or cancelled. stop: 1 paused, 2 being cancelled. tidy: 1 while it has destinations that nobody needs. source:
    // whose destinations, its own or a list's; until: those numbered beyond came later. cursor: the last one dealt with; next: the next
    // number.
    // first: the id of the first message, the others follow.
    // destinations: gone is the number from which on it does not belong to its list; address is NULL where it may repeat.
    const string Batches = """
        CREATE TABLE expansions (
            batch INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, state INTEGER NOT NULL, open INTEGER NOT NULL, stop INTEGER NOT NULL,
            tidy INTEGER NOT NULL, start_at INTEGER NOT NULL, source INTEGER NOT NULL, until INTEGER NOT NULL, cursor INTEGER NOT NULL,
            next INTEGER NOT NULL, first INTEGER, total INTEGER NOT NULL, taken INTEGER NOT NULL, failed INTEGER NOT NULL,
            refused INTEGER NOT NULL, updated INTEGER NOT NULL, terms TEXT, key TEXT, request_hash BLOB) STRICT;
        CREATE INDEX expansions_open ON expansions (start_at) WHERE open = 1;
        CREATE INDEX expansions_source ON expansions (source) WHERE open = 1;
        CREATE INDEX expansions_stopped ON expansions (stop, batch) WHERE stop > 0;
        CREATE INDEX expansions_tidy ON expansions (batch) WHERE tidy = 1;
        CREATE UNIQUE INDEX expansions_key ON expansions (tenant, key) WHERE key IS NOT NULL;

        CREATE TABLE expansion_parts (
            batch INTEGER NOT NULL, key TEXT NOT NULL, lines INTEGER NOT NULL, accepted INTEGER NOT NULL, refused INTEGER NOT NULL,
            PRIMARY KEY (batch, key)) WITHOUT ROWID, STRICT;

        CREATE TABLE expansion_faults (
            batch INTEGER NOT NULL, n INTEGER NOT NULL, email TEXT, slug TEXT NOT NULL, detail TEXT NOT NULL,
            PRIMARY KEY (batch, n)) WITHOUT ROWID, STRICT;

        CREATE TABLE destinations (
            source INTEGER NOT NULL, n INTEGER NOT NULL, gone INTEGER, address TEXT, email TEXT NOT NULL, name TEXT, data TEXT,
            PRIMARY KEY (source, n)) WITHOUT ROWID, STRICT;
        CREATE UNIQUE INDEX destinations_address ON destinations (source, address) WHERE address IS NOT NULL AND gone IS NULL;
        CREATE INDEX destinations_gone ON destinations (source, n) WHERE gone IS NOT NULL;

        CREATE TABLE lists (
            id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT, next INTEGER NOT NULL, count INTEGER NOT NULL,
            gone INTEGER NOT NULL, updated INTEGER NOT NULL, removed INTEGER) STRICT;
        CREATE UNIQUE INDEX lists_name ON lists (tenant, name) WHERE name IS NOT NULL AND removed IS NULL;
        CREATE INDEX lists_gone ON lists (id) WHERE gone > 0;
        CREATE INDEX batches_tenant ON batches (tenant, id);
        """;

    // due: when it is to be looked at, NULL unless it is active. next_local, last_local, local: what the clock of its zone shows, as if it
    // were UTC's, with 1 as the fold for the second time that it shows it, 2 for a run by hand. change: +1 at each write. source: the list.
    // A run's key is what its time is known by, so that no time has two. told: 0 until an event says that nothing was sent.
    const string Schedules = """
        CREATE TABLE schedules (
            id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, state INTEGER NOT NULL, revision INTEGER NOT NULL,
            change INTEGER NOT NULL, due INTEGER, next_at INTEGER, next_local INTEGER, next_fold INTEGER, last_local INTEGER,
            last_fold INTEGER, retry_at INTEGER, edition TEXT NOT NULL, source INTEGER NOT NULL, is_list INTEGER NOT NULL,
            updated INTEGER NOT NULL, key TEXT, request_hash BLOB, times TEXT NOT NULL, email TEXT NOT NULL) STRICT;
        CREATE UNIQUE INDEX schedules_key ON schedules (tenant, key) WHERE key IS NOT NULL;
        CREATE INDEX schedules_due ON schedules (due) WHERE due IS NOT NULL;
        CREATE INDEX schedules_tenant ON schedules (tenant, id);

        CREATE TABLE schedule_runs (
            schedule INTEGER NOT NULL, revision INTEGER NOT NULL, local INTEGER NOT NULL, fold INTEGER NOT NULL, id INTEGER NOT NULL,
            tenant INTEGER NOT NULL, due_at INTEGER NOT NULL, ran_at INTEGER NOT NULL, state INTEGER NOT NULL, told INTEGER NOT NULL,
            count INTEGER NOT NULL, reason TEXT, PRIMARY KEY (schedule, revision, local, fold)) WITHOUT ROWID, STRICT;
        CREATE UNIQUE INDEX schedule_runs_id ON schedule_runs (id);
        CREATE INDEX schedule_runs_newest ON schedule_runs (schedule, id, state);
        CREATE INDEX schedule_runs_untold ON schedule_runs (id) WHERE told = 0;
        """;

    // key: the caller's, of the call that asked for the run.
    const string RunKeys = """
        ALTER TABLE schedule_runs ADD COLUMN key TEXT;
        CREATE UNIQUE INDEX schedule_runs_key ON schedule_runs (schedule, key) WHERE key IS NOT NULL;
        """;

    // email_format: what email is written in.
    const string ScheduleForm = "ALTER TABLE schedules ADD COLUMN email_format INTEGER NOT NULL DEFAULT 1;";

    // place: up to where the log was looked at. state: 0 waits, 1 delivered, 2 failed. attempts: JSON. claim: +1 at each lease.
    const string Webhooks = """
        CREATE TABLE webhooks (
            tenant INTEGER NOT NULL, id TEXT NOT NULL, url TEXT NOT NULL, description TEXT NOT NULL, events TEXT NOT NULL,
            enabled INTEGER NOT NULL, created INTEGER NOT NULL, disabled INTEGER, disabled_reason TEXT, failing_since INTEGER,
            place TEXT NOT NULL, revision INTEGER NOT NULL, secret BLOB NOT NULL, previous_secret BLOB, previous_until INTEGER,
            headers BLOB, PRIMARY KEY (tenant, id)) WITHOUT ROWID, STRICT;

        CREATE TABLE webhook_deliveries (
            tenant INTEGER NOT NULL, webhook TEXT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL, created INTEGER NOT NULL,
            state INTEGER NOT NULL, due INTEGER NOT NULL, tries INTEGER NOT NULL, claim INTEGER NOT NULL, payload BLOB NOT NULL,
            attempts TEXT NOT NULL, PRIMARY KEY (tenant, webhook, event)) STRICT;
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant, webhook, due) WHERE state = 0;
        CREATE INDEX webhook_deliveries_created ON webhook_deliveries (tenant, webhook, created, event);
        CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created) WHERE state <> 0;
        """;

    // read_at: when all before it had been looked at. missed_from, missed_until: events of that time were forgotten before their turn came.
    const string MissedEvents = """
        ALTER TABLE webhooks ADD COLUMN read_at INTEGER;
        ALTER TABLE webhooks ADD COLUMN missed_from INTEGER;
        ALTER TABLE webhooks ADD COLUMN missed_until INTEGER;
        """;

    // address: NULL where it was erased, or was never stored. until: NULL for good.
    const string Suppressions = """
        ALTER TABLE suppressions ADD COLUMN cause INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE suppressions ADD COLUMN until INTEGER;
        ALTER TABLE suppressions ADD COLUMN address TEXT;
        UPDATE suppressions SET cause = 1 WHERE reason = 'complained';
        CREATE INDEX suppressions_at ON suppressions (tenant, at, address_hash, stream);
        CREATE INDEX suppressions_until ON suppressions (until) WHERE until IS NOT NULL;
        """;
}
