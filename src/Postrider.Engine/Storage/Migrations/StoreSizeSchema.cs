namespace Postrider.Storage.Migrations;

/// <summary>The table of the database's own sizes.</summary>
static class StoreSizeSchema
{
    // bytes in use at an instant; an hour apart.
    public const string Sqlite = "CREATE TABLE store_sizes (at INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;";

    public const string Postgres = "CREATE TABLE store_sizes (at bigint PRIMARY KEY, bytes bigint NOT NULL);";
}
