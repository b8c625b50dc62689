namespace Postrider.Storage.Migrations;

/// <summary>The books of a move from SQLite.</summary>
static class MoveTables
{
    // moves: at most one. state: 1 being filled, 2 whole, 3 taken back. after: the key of the last row that was copied, as JSON.
    // moved_events: which numbers events had on SQLite, in runs without gaps.
    public const string Postgres = """
        CREATE TABLE moves (
            id text COLLATE "C" PRIMARY KEY, source text NOT NULL, state smallint NOT NULL, started bigint NOT NULL, ended bigint);

        CREATE TABLE move_progress (
            name text COLLATE "C" PRIMARY KEY, after text, rows bigint NOT NULL, newest_event bigint NOT NULL, done boolean NOT NULL);

        CREATE TABLE moved_events (
            last_old bigint PRIMARY KEY, first_old bigint NOT NULL, first bigint NOT NULL, last bigint NOT NULL);
        """;
}
