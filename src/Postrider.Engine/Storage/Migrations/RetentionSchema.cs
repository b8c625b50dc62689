namespace Postrider.Storage.Migrations;

/// <summary>How far retention has come.</summary>
static class RetentionSchema
{
    // cursor: how far the kind was looked through. hand_until: until then a node has it in hand. revision: +1 at each turn.
    // retention_waits: messages behind the cursor that were too young or open; at: since when they may count as ended.
    public const string Sqlite = """
        CREATE TABLE retention (
            kind INTEGER PRIMARY KEY, cursor INTEGER NOT NULL, hand_until INTEGER NOT NULL, revision INTEGER NOT NULL,
            removed INTEGER NOT NULL, bytes INTEGER NOT NULL, last_at INTEGER) STRICT;
        INSERT INTO retention VALUES
            (1, 0, 0, 0, 0, 0, NULL), (2, 0, 0, 0, 0, 0, NULL), (3, 0, 0, 0, 0, 0, NULL), (4, 0, 0, 0, 0, 0, NULL),
            (5, 0, 0, 0, 0, 0, NULL), (6, 0, 0, 0, 0, 0, NULL), (7, 0, 0, 0, 0, 0, NULL), (8, 0, 0, 0, 0, 0, NULL), (9, 0, 0, 0, 0, 0, NULL),
            (10, 0, 0, 0, 0, 0, NULL), (11, 0, 0, 0, 0, 0, NULL);
        CREATE TABLE retention_waits (
            kind INTEGER NOT NULL, message INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (kind, message)) WITHOUT ROWID, STRICT;
        CREATE INDEX retention_waits_at ON retention_waits (kind, at, message);
        """;

    public const string Postgres = """
        CREATE TABLE retention (
            kind smallint PRIMARY KEY, cursor bigint NOT NULL, hand_until bigint NOT NULL, revision bigint NOT NULL,
            removed bigint NOT NULL, bytes bigint NOT NULL, last_at bigint) WITH (fillfactor = 50);
        INSERT INTO retention SELECT kind, 0, 0, 0, 0, 0, NULL FROM generate_series(1, 11) AS kind;
        CREATE TABLE retention_waits (
            kind smallint NOT NULL, message bigint NOT NULL, at bigint NOT NULL, PRIMARY KEY (kind, message));
        CREATE INDEX retention_waits_at ON retention_waits (kind, at, message);
        """;
}
