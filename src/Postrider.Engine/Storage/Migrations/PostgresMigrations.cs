namespace Postrider.Storage.Migrations;

/// <summary>The steps of the PostgreSQL schema.</summary>
/// <remarks>A released program and the next one run side by side while nodes are replaced one by one. So a step only adds: a table, an
/// index, a column that may be NULL or has a default. What nothing uses any more is dropped by a release later.</remarks>
static class PostgresMigrations
{
    public static readonly IReadOnlyList<Migration> All =
    [
        new(1, "nodes, messages, recipients, queue, events, counters, search, suppressions", FirstSchema),
        new(2, "API keys, proof of the master key, inbox, pauses, sender domains, DKIM keys", Rooms),
        new(3, "feedback", Feedback),
        new(4, "templates", Templates),
        new(5, "tenants", Tenants),
        new(6, "changes that nodes tell each other", Changes),
        new(7, "events in the order of commits", FeedOfEvents),
        new(8, "large batches, lists of recipients", Batches),
        new(9, "rates that nodes share", LimitTables.Rates),
        new(10, "schedules", Schedules),
        new(11, "circuits that nodes share", LimitTables.Circuits),
        new(12, "dead letters, audit", DeadLetterSchema.Postgres),
        new(13, "webhooks", Webhooks),
        new(14, "quotas", LimitTables.Quotas),
        new(15, "suppressions with address, cause and end", Suppressions),
        new(16, "retention", RetentionSchema.Postgres),
        new(17, "books of a move from SQLite", MoveTables.Postgres),
        new(18, "erasures", ErasureSchema.Postgres),
        new(19, "transports, routes", RoutingSchema.Postgres),
        new(20, "how far erasures have come", ErasureSchema.Cursor),
        new(21, "retention of jobs, erasures, schedules and what they leave, suppressions", RetentionSchema.More),
        new(22, "users, sessions, keys of the dashboard", UserSchema.Postgres),
        new(23, "drills", DrillSchema.Postgres),
        new(24, "settings of the vacuum", VacuumSettings.Postgres),
        new(25, "how transports are doing on each node", LimitTables.Reports),
        new(26, "form of schedules' mail, bytes of destinations", ScheduleForm + DestinationBytes.Postgres),
        new(27, "alerts", AlertSchema.Postgres),
        new(28, "calls that were refused", RefusedCallSchema.Postgres),
        new(29, "sizes of the database", StoreSizeSchema.Postgres),
        new(30, "what goes out by the minute", FlowSchema.Postgres),
        new(31, "nodes that drain", Draining),
        new(32, "contents and edits of large batches", BatchCounts.Postgres),
        new(33, "idempotency keys of runs asked for by hand", RunKeys),
        new(34, "indexes of transient dead letters and of failed deliveries", DeadLetterSchema.Rare),
        new(35, "what calls that fill batches brought", BatchCounts.Parts),
        new(36, "places of jobs on dead letters", DeadLetterSchema.PostgresPlaces),
        new(37, "mail of a person's own that erasures wait for", ErasureSchema.Passed),
        new(38, "what webhooks missed", MissedEvents),
    ];

    // Since when, Unix milliseconds of the node's clock; 0: it does not.
    const string Draining = "ALTER TABLE nodes ADD COLUMN draining bigint NOT NULL DEFAULT 0";

    // The same tables as in SQLite, with the same meaning; what differs says why. Instants are Unix milliseconds, ids are 63-bit
    // time-ordered integers: rows arrive at the right edge of nearly every index. No REFERENCES on the hot tables, as there. Keys of text
    // compare by bytes: an index outlives an update of the system's collations.
    const string FirstSchema = """
        -- incarnation: raised at each start and whenever the node is declared dead: a lease of another one is nobody's.
        -- started, last_beat: the node's own clock, for people.
        CREATE TABLE nodes (
            id integer PRIMARY KEY CHECK (id BETWEEN 0 AND 255), incarnation bigint NOT NULL, beat bigint NOT NULL, alive boolean NOT NULL,
            name text NOT NULL, host text NOT NULL, address text NOT NULL, roles text NOT NULL, version text NOT NULL,
            started bigint NOT NULL, last_beat bigint NOT NULL, in_flight integer NOT NULL) WITH (fillfactor = 50);

        CREATE TABLE messages (
            id bigint PRIMARY KEY, batch bigint, send_at bigint, expires bigint NOT NULL, tenant integer NOT NULL,
            stream smallint NOT NULL, on_ambiguous smallint NOT NULL, route text NOT NULL, ordering_key text,
            sender text, subject text, tags text, metadata text, content bytea);

        CREATE TABLE batches (
            id bigint PRIMARY KEY, tenant integer NOT NULL, count integer NOT NULL, sender text, subject text, content bytea);

        -- lz4 takes 7 µs a mail less than the default; a server that was built without it keeps the default.
        DO $$ BEGIN
            ALTER TABLE messages ALTER content SET COMPRESSION lz4;
            ALTER TABLE batches ALTER content SET COMPRESSION lz4;
        EXCEPTION WHEN feature_not_supported THEN NULL; END $$;

        -- hash: where the address is found. No index has a column that an outcome changes, and pages keep room: its update then touches no
        -- index at all.
        CREATE TABLE recipients (
            message bigint NOT NULL, hash bigint NOT NULL, updated bigint NOT NULL, n integer NOT NULL, envelope integer NOT NULL,
            tries integer NOT NULL, generation integer NOT NULL, kind smallint NOT NULL, state smallint NOT NULL, held smallint NOT NULL,
            address text NOT NULL, name text,
            PRIMARY KEY (message, n)) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
        CREATE INDEX recipients_hash ON recipients (hash, message);

        -- Recipients that are held, or ended otherwise than sent: rare, and what people look for.
        CREATE TABLE ended (
            state smallint NOT NULL, message bigint NOT NULL, n integer NOT NULL, PRIMARY KEY (state, message, n));

        CREATE TABLE tagged (hash bigint NOT NULL, message bigint NOT NULL, PRIMARY KEY (hash, message));

        -- One row per envelope that still has work: small, and all of it changes all the time. So it is vacuumed by number of dead rows,
        -- not by share, and without pauses.
        CREATE TABLE queue (
            message bigint NOT NULL, due bigint NOT NULL, expires bigint NOT NULL, incarnation bigint, n integer NOT NULL,
            tenant integer NOT NULL, node integer, claim integer NOT NULL, recipients integer NOT NULL, tries integer NOT NULL,
            deferrals integer NOT NULL, rounds integer NOT NULL, suspect integer NOT NULL, generation integer NOT NULL,
            stream smallint NOT NULL, gate smallint NOT NULL, state smallint NOT NULL, wait smallint NOT NULL,
            on_ambiguous smallint NOT NULL, phase boolean NOT NULL, cancelled boolean NOT NULL, route text COLLATE "C" NOT NULL,
            ordering_key text COLLATE "C", history bytea,
            PRIMARY KEY (message, n)) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
                autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000,
                autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
        CREATE INDEX queue_due ON queue (route, stream, tenant, gate, due, message, n) WHERE state = 1;
        CREATE INDEX queue_expires ON queue (expires) WHERE state = 1;
        CREATE INDEX queue_leased ON queue (node, incarnation) WHERE state = 2;
        CREATE INDEX queue_unknown ON queue (due) WHERE state = 3;
        CREATE INDEX queue_scheduled ON queue (tenant, due) INCLUDE (recipients) WHERE state = 1 AND wait = 1;
        CREATE INDEX queue_ordering ON queue (tenant, ordering_key, message, n) WHERE ordering_key IS NOT NULL;

        -- id: time-ordered like a message's (Unix milliseconds in the upper 43 bits), so that a day is a range of ids and a message's events
        -- are not looked for before it. xid: which transactions a reader of the log may have missed.
        CREATE TABLE events (
            id bigint NOT NULL, message bigint NOT NULL, at bigint NOT NULL, xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            tenant integer NOT NULL, node integer, type smallint NOT NULL, details bytea NOT NULL, PRIMARY KEY (id))
            PARTITION BY RANGE (id);
        CREATE INDEX events_message ON events (message);
        CREATE TABLE events_other PARTITION OF events DEFAULT;

        CREATE TABLE idempotency (
            tenant integer NOT NULL, key text COLLATE "C" NOT NULL, request_hash bytea NOT NULL, answer bytea NOT NULL,
            keep_until bigint NOT NULL, PRIMARY KEY (tenant, key));
        CREATE INDEX idempotency_keep_until ON idempotency (keep_until);

        -- node: the number of a writer, not of a node: two of them never wait for each other's row.
        CREATE TABLE counters (
            scope bigint NOT NULL, hour bigint NOT NULL, delta bigint NOT NULL, state integer NOT NULL, node integer NOT NULL,
            PRIMARY KEY (scope, state, hour, node)) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0,
                autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

        CREATE TABLE suppressions (
            tenant integer NOT NULL, address_hash bytea NOT NULL, stream smallint NOT NULL, reason text NOT NULL, message bigint,
            at bigint NOT NULL, PRIMARY KEY (tenant, address_hash, stream));
        """;

    const string Rooms = """
        CREATE TABLE api_keys (
            id text COLLATE "C" PRIMARY KEY, tenant integer NOT NULL, name text NOT NULL, kind integer NOT NULL, scopes integer NOT NULL,
            created bigint NOT NULL, expires bigint, revoked bigint, used bigint, secret_hash bytea NOT NULL, sealed_secret bytea NOT NULL);
        CREATE INDEX api_keys_tenant ON api_keys (tenant, created);

        CREATE TABLE installation (name text COLLATE "C" PRIMARY KEY, value bytea NOT NULL);

        CREATE TABLE inbox (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, tenant integer NOT NULL, message bigint NOT NULL, transport text NOT NULL,
            at bigint NOT NULL, reverse_path text, recipients text NOT NULL, sender text NOT NULL, subject text NOT NULL, mime bytea NOT NULL);
        CREATE INDEX inbox_tenant ON inbox (tenant, id);
        CREATE INDEX inbox_message ON inbox (message, id);

        CREATE TABLE pauses (
            tenant integer NOT NULL, stream integer NOT NULL, route text COLLATE "C" NOT NULL, since bigint NOT NULL, reason text,
            PRIMARY KEY (tenant, stream, route));

        CREATE TABLE sender_domains (
            tenant integer NOT NULL, name text COLLATE "C" NOT NULL, subdomains integer NOT NULL, created bigint NOT NULL,
            verified bigint, checks text, revision bigint NOT NULL, PRIMARY KEY (tenant, name));

        CREATE TABLE dkim_keys (
            tenant integer NOT NULL, domain text COLLATE "C" NOT NULL, selector text COLLATE "C" NOT NULL, created bigint NOT NULL,
            active bigint, public_key bytea NOT NULL, sealed_key bytea NOT NULL, PRIMARY KEY (tenant, domain, selector));
        """;

    const string Feedback = """
        CREATE TABLE feedback_seen (message bigint NOT NULL, key bigint NOT NULL, PRIMARY KEY (message, key));

        CREATE TABLE feedback_waiting (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, key bigint NOT NULL UNIQUE, retry_at bigint NOT NULL,
            until bigint NOT NULL, report bytea NOT NULL);
        CREATE INDEX feedback_waiting_retry ON feedback_waiting (retry_at);

        CREATE TABLE feedback_quarantine (
            id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, key bigint NOT NULL UNIQUE, reason integer NOT NULL, at bigint NOT NULL,
            report bytea NOT NULL);
        """;

    const string Webhooks = """
        CREATE TABLE webhooks (
            tenant integer NOT NULL, id text COLLATE "C" NOT NULL, url text NOT NULL, description text NOT NULL, events text NOT NULL,
            enabled integer NOT NULL, created bigint NOT NULL, disabled bigint, disabled_reason text, failing_since bigint,
            place text NOT NULL, revision bigint NOT NULL, secret bytea NOT NULL, previous_secret bytea, previous_until bigint,
            headers bytea, PRIMARY KEY (tenant, id));

        CREATE TABLE webhook_deliveries (
            tenant integer NOT NULL, webhook text COLLATE "C" NOT NULL, event text COLLATE "C" NOT NULL, type text NOT NULL,
            created bigint NOT NULL, state integer NOT NULL, due bigint NOT NULL, tries integer NOT NULL, claim integer NOT NULL,
            payload bytea NOT NULL, attempts text NOT NULL, PRIMARY KEY (tenant, webhook, event));
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (tenant, webhook, due) WHERE state = 0;
        CREATE INDEX webhook_deliveries_created ON webhook_deliveries (tenant, webhook, created, event);
        CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (created) WHERE state <> 0;
        """;

    // A feed reads by the number of the transaction, because ids are given out before the commit.
    const string FeedOfEvents = "CREATE INDEX events_feed ON events (tenant, xid, id)";

    const string Templates = """
        CREATE TABLE templates (
            tenant integer NOT NULL, number integer NOT NULL, id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL,
            newest integer NOT NULL, created bigint NOT NULL, archived bigint, PRIMARY KEY (tenant, number));
        CREATE UNIQUE INDEX templates_id ON templates (tenant, id);
        CREATE UNIQUE INDEX templates_name ON templates (tenant, name) WHERE archived IS NULL;

        CREATE TABLE template_versions (
            tenant integer NOT NULL, number integer NOT NULL, version integer NOT NULL, created bigint NOT NULL, content text NOT NULL,
            PRIMARY KEY (tenant, number, version));
        """;

    const string Tenants = """
        CREATE TABLE tenants (
            id integer PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE, created bigint NOT NULL, archived bigint, settings text NOT NULL,
            revision bigint NOT NULL UNIQUE);
        CREATE TABLE tenant_changes (revision bigint NOT NULL);
        INSERT INTO tenant_changes VALUES (1);
        INSERT INTO tenants VALUES (1, 'first', (extract(epoch FROM now()) * 1000)::bigint, NULL, '{"version":1}', 1);
        """;

    // topic: what nodes keep in memory. version: +1 in the transaction of each change.
    const string Changes = """
        CREATE TABLE changes (topic text COLLATE "C" PRIMARY KEY, version bigint NOT NULL) WITH (fillfactor = 50);
        """;

    // A cursor moves all the time: room on the page, and no index on what it changes until the end.
    const string Batches = """
        CREATE TABLE expansions (
            batch bigint PRIMARY KEY, tenant integer NOT NULL, state smallint NOT NULL, open smallint NOT NULL, stop smallint NOT NULL,
            tidy smallint NOT NULL, start_at bigint NOT NULL, source bigint NOT NULL, until bigint NOT NULL, cursor bigint NOT NULL,
            next bigint NOT NULL, first bigint, total integer NOT NULL, taken integer NOT NULL, failed integer NOT NULL,
            refused integer NOT NULL, updated bigint NOT NULL, terms text, key text COLLATE "C", request_hash bytea)
            WITH (fillfactor = 50);
        CREATE INDEX expansions_open ON expansions (start_at) WHERE open = 1;
        CREATE INDEX expansions_source ON expansions (source) WHERE open = 1;
        CREATE INDEX expansions_stopped ON expansions (stop, batch) WHERE stop > 0;
        CREATE INDEX expansions_tidy ON expansions (batch) WHERE tidy = 1;
        CREATE UNIQUE INDEX expansions_key ON expansions (tenant, key) WHERE key IS NOT NULL;

        CREATE TABLE expansion_parts (
            batch bigint NOT NULL, key text COLLATE "C" NOT NULL, lines bigint NOT NULL, accepted integer NOT NULL,
            refused integer NOT NULL, PRIMARY KEY (batch, key));

        CREATE TABLE expansion_faults (
            batch bigint NOT NULL, n bigint NOT NULL, email text, slug text NOT NULL, detail text NOT NULL, PRIMARY KEY (batch, n));

        CREATE TABLE destinations (
            source bigint NOT NULL, n bigint NOT NULL, gone bigint, address text COLLATE "C", email text NOT NULL, name text, data text,
            PRIMARY KEY (source, n));
        CREATE UNIQUE INDEX destinations_address ON destinations (source, address) WHERE address IS NOT NULL AND gone IS NULL;
        CREATE INDEX destinations_gone ON destinations (source, n) WHERE gone IS NOT NULL;

        CREATE TABLE lists (
            id bigint PRIMARY KEY, tenant integer NOT NULL, name text COLLATE "C", next bigint NOT NULL, count integer NOT NULL,
            gone integer NOT NULL, updated bigint NOT NULL, removed bigint);
        CREATE UNIQUE INDEX lists_name ON lists (tenant, name) WHERE name IS NOT NULL AND removed IS NULL;
        CREATE INDEX lists_gone ON lists (id) WHERE gone > 0;
        CREATE INDEX batches_tenant ON batches (tenant, id);
        """;

    const string Schedules = """
        CREATE TABLE schedules (
            id bigint PRIMARY KEY, tenant integer NOT NULL, name text NOT NULL, state smallint NOT NULL, revision integer NOT NULL,
            change bigint NOT NULL, due bigint, next_at bigint, next_local bigint, next_fold smallint, last_local bigint, last_fold smallint,
            retry_at bigint, edition text NOT NULL, source bigint NOT NULL, is_list smallint NOT NULL, updated bigint NOT NULL,
            key text COLLATE "C", request_hash bytea, times text NOT NULL, email text NOT NULL);
        CREATE UNIQUE INDEX schedules_key ON schedules (tenant, key) WHERE key IS NOT NULL;
        CREATE INDEX schedules_due ON schedules (due) WHERE due IS NOT NULL;
        CREATE INDEX schedules_tenant ON schedules (tenant, id);

        CREATE TABLE schedule_runs (
            schedule bigint NOT NULL, local bigint NOT NULL, id bigint NOT NULL, due_at bigint NOT NULL, ran_at bigint NOT NULL,
            revision integer NOT NULL, tenant integer NOT NULL, count integer NOT NULL, fold smallint NOT NULL, state smallint NOT NULL,
            told smallint NOT NULL, reason text, PRIMARY KEY (schedule, revision, local, fold));
        CREATE UNIQUE INDEX schedule_runs_id ON schedule_runs (id);
        CREATE INDEX schedule_runs_newest ON schedule_runs (schedule, id, state);
        CREATE INDEX schedule_runs_untold ON schedule_runs (id) WHERE told = 0;
        """;

    // key: the caller's, of the call that asked for the run.
    const string RunKeys = """
        ALTER TABLE schedule_runs ADD COLUMN key text COLLATE "C";
        CREATE UNIQUE INDEX schedule_runs_key ON schedule_runs (schedule, key) WHERE key IS NOT NULL;
        """;

    // email_format: what email is written in.
    const string ScheduleForm = "ALTER TABLE schedules ADD COLUMN email_format smallint NOT NULL DEFAULT 1;";

    // read_at: when all before it had been looked at. missed_from, missed_until: events of that time were forgotten before their turn came.
    const string MissedEvents = """
        ALTER TABLE webhooks ADD COLUMN read_at bigint;
        ALTER TABLE webhooks ADD COLUMN missed_from bigint;
        ALTER TABLE webhooks ADD COLUMN missed_until bigint;
        """;

    // address: NULL where it was erased, or was never stored. until: NULL for good.
    const string Suppressions = """
        ALTER TABLE suppressions ADD COLUMN cause smallint NOT NULL DEFAULT 0;
        ALTER TABLE suppressions ADD COLUMN until bigint;
        ALTER TABLE suppressions ADD COLUMN address text;
        UPDATE suppressions SET cause = 1 WHERE reason = 'complained';
        CREATE INDEX suppressions_at ON suppressions (tenant, at, address_hash, stream);
        CREATE INDEX suppressions_until ON suppressions (until) WHERE until IS NOT NULL;
        """;
}
