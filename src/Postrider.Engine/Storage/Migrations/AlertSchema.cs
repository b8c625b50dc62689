namespace Postrider.Storage.Migrations;

/// <summary>The tables of alerts.</summary>
static class AlertSchema
{
    // state: 0 pending, 1 raised, 2 resolved. tell: the state that is still to be told; 0: nothing. tell_after: nobody else tells before.
    // alert_marks: 'heard' and 'delivered', when a transport last reported and how many recipients it took since; 'turn', when what all
    // nodes share was last looked at.
    public const string Sqlite = """
        CREATE TABLE alerts (
            kind INTEGER NOT NULL, subject TEXT NOT NULL, state INTEGER NOT NULL, words TEXT NOT NULL, first_seen INTEGER NOT NULL,
            last_seen INTEGER NOT NULL, raised INTEGER, resolved INTEGER, tell INTEGER NOT NULL, tell_after INTEGER NOT NULL,
            PRIMARY KEY (kind, subject)) WITHOUT ROWID, STRICT;
        CREATE TABLE alert_marks (
            name TEXT NOT NULL, transport TEXT NOT NULL, at INTEGER NOT NULL, sent INTEGER NOT NULL,
            PRIMARY KEY (name, transport)) WITHOUT ROWID, STRICT;
        INSERT INTO alert_marks VALUES ('turn', '', 0, 0);
        """;

    public const string Postgres = """
        CREATE TABLE alerts (
            kind integer NOT NULL, subject text COLLATE "C" NOT NULL, state integer NOT NULL, words text NOT NULL, first_seen bigint NOT NULL,
            last_seen bigint NOT NULL, raised bigint, resolved bigint, tell integer NOT NULL, tell_after bigint NOT NULL,
            PRIMARY KEY (kind, subject));
        CREATE TABLE alert_marks (
            name text COLLATE "C" NOT NULL, transport text COLLATE "C" NOT NULL, at bigint NOT NULL, sent bigint NOT NULL,
            PRIMARY KEY (name, transport));
        INSERT INTO alert_marks VALUES ('turn', '', 0, 0);
        """;
}
