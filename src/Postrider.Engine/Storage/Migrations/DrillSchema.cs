namespace Postrider.Storage.Migrations;

/// <summary>The table of transports that are broken on purpose.</summary>
static class DrillSchema
{
    public const string Sqlite = """
        CREATE TABLE drills (
            transport TEXT PRIMARY KEY, fail REAL NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID, STRICT;
        """;

    public const string Postgres = """
        CREATE TABLE drills (
            transport text COLLATE "C" PRIMARY KEY, fail double precision NOT NULL, since bigint NOT NULL, until bigint NOT NULL);
        """;
}
