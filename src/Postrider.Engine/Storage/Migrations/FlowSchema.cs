namespace Postrider.Storage.Migrations;

/// <summary>What goes out, by the minute.</summary>
static class FlowSchema
{
    // minute: since 1970. kind: FlowCount.
    public const string Sqlite = """
        CREATE TABLE flow (
            tenant INTEGER NOT NULL, minute INTEGER NOT NULL, transport TEXT NOT NULL, kind INTEGER NOT NULL, count INTEGER NOT NULL,
            PRIMARY KEY (tenant, minute, transport, kind)) WITHOUT ROWID, STRICT;
        CREATE INDEX flow_minute ON flow (minute);
        """;

    public const string Postgres = """
        CREATE TABLE flow (
            tenant integer NOT NULL, minute bigint NOT NULL, transport text COLLATE "C" NOT NULL, kind integer NOT NULL,
            count bigint NOT NULL, PRIMARY KEY (tenant, minute, transport, kind))
            WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
        CREATE INDEX flow_minute ON flow (minute);
        """;
}
