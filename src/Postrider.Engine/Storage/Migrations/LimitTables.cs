namespace Postrider.Storage.Migrations;

/// <summary>What nodes on PostgreSQL share of the limits of transports. A row that is written many times a second has room beside it for
/// its next versions.</summary>
static class LimitTables
{
    // arrival: microseconds of the server's clock at which the next recipient may go (GCRA), all nodes together.
    public const string Rates = """
        CREATE TABLE rate_budgets (key text COLLATE "C" PRIMARY KEY, arrival bigint NOT NULL) WITH (fillfactor = 20);
        """;
}
