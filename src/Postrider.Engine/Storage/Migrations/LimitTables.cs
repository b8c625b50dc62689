namespace Postrider.Storage.Migrations;

/// <summary>What nodes share of the limits of transports. A row that is written many times a second has room beside it for
/// its next versions.</summary>
static class LimitTables
{
    // arrival: microseconds of the server's clock at which the next recipient may go (GCRA), all nodes together.
    public const string Rates = """
        CREATE TABLE rate_budgets (key text COLLATE "C" PRIMARY KEY, arrival bigint NOT NULL) WITH (fillfactor = 20);
        """;

    // version: +1 with each change. position: of the circuit, 0 closed, 1 open, 2 half-open, probed by one start of one node. until,
    // probe_until, not_before: microseconds of the server's clock.
    public const string Circuits = """
        CREATE TABLE transport_states (
            name text COLLATE "C" PRIMARY KEY, version bigint NOT NULL DEFAULT 1, position smallint NOT NULL DEFAULT 0,
            until bigint NOT NULL DEFAULT 0, openings integer NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '', prober integer,
            prober_incarnation bigint, probe_until bigint NOT NULL DEFAULT 0, not_before bigint NOT NULL DEFAULT 0,
            paused boolean NOT NULL DEFAULT false) WITH (fillfactor = 50);

        CREATE TABLE refused_senders (
            name text COLLATE "C" NOT NULL, domain text COLLATE "C" NOT NULL, until bigint NOT NULL, PRIMARY KEY (name, domain));
        """;

    // body: JSON. at: Unix milliseconds of the node's clock.
    public const string Reports = """
        CREATE TABLE transport_reports (
            node integer NOT NULL REFERENCES nodes (id) ON DELETE CASCADE, transport text COLLATE "C" NOT NULL, incarnation bigint NOT NULL,
            at bigint NOT NULL, body text NOT NULL, PRIMARY KEY (node, transport))
            WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
        """;

    // start: of the day or month, Unix milliseconds. used: recipients that nodes took, whether or not they have used them yet.
    public const string Quotas = """
        CREATE TABLE quota_use (
            scope text COLLATE "C" NOT NULL, start bigint NOT NULL, used bigint NOT NULL, PRIMARY KEY (scope, start)) WITH (fillfactor = 50);
        """;

    // The same columns, so that a move takes the rows along; one process needs what is paused alone.
    public const string SqliteStates = """
        CREATE TABLE transport_states (
            name TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 1, position INTEGER NOT NULL DEFAULT 0,
            until INTEGER NOT NULL DEFAULT 0, openings INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '', prober INTEGER,
            prober_incarnation INTEGER, probe_until INTEGER NOT NULL DEFAULT 0, not_before INTEGER NOT NULL DEFAULT 0,
            paused INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID, STRICT;
        """;

    public const string SqliteQuotas = """
        CREATE TABLE quota_use (
            scope TEXT NOT NULL, start INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY (scope, start)) WITHOUT ROWID, STRICT;
        """;
}
