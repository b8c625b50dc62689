namespace Postrider.Storage.Migrations;

/// <summary>The tables of transports and routes that are not in the configuration.</summary>
static class RoutingSchema
{
    // tenant 0: the installation's. place: when it was led where it leads. dsn: sealed. terms: JSON.
    public const string Sqlite = """
        CREATE TABLE transports (
            tenant INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, revision INTEGER NOT NULL, place INTEGER NOT NULL,
            dsn BLOB NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID, STRICT;
        CREATE TABLE routes (
            tenant INTEGER NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL,
            terms TEXT NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID, STRICT;
        """;

    public const string Postgres = """
        CREATE TABLE transports (
            tenant integer NOT NULL, name text COLLATE "C" NOT NULL, created bigint NOT NULL, revision bigint NOT NULL, place bigint NOT NULL,
            dsn bytea NOT NULL, PRIMARY KEY (tenant, name));
        CREATE TABLE routes (
            tenant integer NOT NULL, name text COLLATE "C" NOT NULL, created bigint NOT NULL, revision bigint NOT NULL,
            position integer NOT NULL, terms text NOT NULL, PRIMARY KEY (tenant, name));
        """;
}
