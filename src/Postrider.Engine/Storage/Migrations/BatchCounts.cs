namespace Postrider.Storage.Migrations;

/// <summary>What contents of large batches take, how often somebody reached into one that becomes mail, and what its lines were.</summary>
static class BatchCounts
{
    // edits: raised when destinations are changed or taken away, so that what was read of them before makes no message.
    public const string Sqlite = $"""
        ALTER TABLE expansions ADD COLUMN edits INTEGER NOT NULL DEFAULT 0;
        {Fill}
        """;

    public const string Postgres = $"""
        ALTER TABLE expansions ADD COLUMN edits bigint NOT NULL DEFAULT 0;
        {Fill}
        """;

    // fingerprint: of all lines so far, in hexadecimal; NULL where it is not known. total: destinations of the batch when the call had
    // come to its end; NULL: it has not.
    public const string Parts = """
        ALTER TABLE expansion_parts ADD COLUMN fingerprint TEXT;
        ALTER TABLE expansion_parts ADD COLUMN total INTEGER;
        """;

    // Small batches, which have no terms, were counted when they came.
    internal const string Fill = """
        INSERT INTO counters (scope, state, hour, node, delta)
        SELECT b.tenant, 101, 0, -1, sum(octet_length(b.content)) FROM batches b JOIN expansions e ON e.batch = b.id
        WHERE e.terms IS NOT NULL AND octet_length(b.content) > 1 GROUP BY b.tenant
        ON CONFLICT (scope, state, hour, node) DO UPDATE SET delta = counters.delta + excluded.delta;
        """;
}
