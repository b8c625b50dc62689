namespace Postrider.Storage.Migrations;

/// <summary>What stored destinations take, by list and by batch.</summary>
static class DestinationBytes
{
    // bytes: of the rows of destinations that are of this source, gone ones too.
    public const string Sqlite = $"""
        ALTER TABLE lists ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE expansions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
        {Fill}
        {Indexes}
        """;

    public const string Postgres = $"""
        ALTER TABLE lists ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
        ALTER TABLE expansions ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
        {Fill}
        {Indexes}
        """;

    internal const string Fill = """
        UPDATE lists SET bytes = coalesce((SELECT CAST(sum(octet_length(email) + coalesce(octet_length(address), 0)
            + coalesce(octet_length(name), 0) + coalesce(octet_length(data), 0)) AS bigint) FROM destinations WHERE source = lists.id), 0);
        UPDATE expansions SET bytes = coalesce((SELECT CAST(sum(octet_length(email) + coalesce(octet_length(address), 0)
            + coalesce(octet_length(name), 0) + coalesce(octet_length(data), 0)) AS bigint) FROM destinations
            WHERE source = expansions.batch), 0) WHERE open = 1 OR tidy = 1;
        """;

    const string Indexes = """
        CREATE INDEX lists_bytes ON lists (tenant) WHERE bytes > 0;
        CREATE INDEX expansions_bytes ON expansions (tenant) WHERE bytes > 0;
        """;
}
