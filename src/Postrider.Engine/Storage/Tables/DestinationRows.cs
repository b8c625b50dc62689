using System.Data.Common;
using System.Globalization;
using System.Text;
using Dapper;
using Postrider.Batches;

namespace Postrider.Storage.Tables;

/// <summary>Rows of <c>destinations</c>, written many to a statement: one round trip on PostgreSQL, one statement to prepare on
/// SQLite.</summary>
static class DestinationRows
{
    /// <summary>6 parameters each; both engines take more than 30,000.</summary>
    const int PerStatement = 250;

    /// <summary>What a row counts in <c>bytes</c> of its list or batch. octet_length looks at the head of a long text alone, in both
    /// engines.</summary>
    public const string Bytes = """
        octet_length(email) + coalesce(octet_length(address), 0) + coalesce(octet_length(name), 0) + coalesce(octet_length(data), 0)
        """;

    /// <summary>Returns what they count in <c>bytes</c>.</summary>
    /// <param name="address">What makes it unique in its source; null where it may repeat.</param>
    public static long Insert(
        DbConnection connection, long source, IReadOnlyList<StoredDestination> rows, Func<StoredDestination, string?> address)
    {
        for (var start = 0; start < rows.Count; start += PerStatement)
            InsertSome(connection, source, [.. rows.Skip(start).Take(PerStatement)], address);
        return rows.Sum(row => BytesOf(StoredText.Storable(row.Email)) + BytesOf(address(row)) + BytesOf(StoredText.Storable(row.Name))
            + BytesOf(row.Data));
    }

    static long BytesOf(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);

    static void InsertSome(
        DbConnection connection, long source, List<StoredDestination> rows, Func<StoredDestination, string?> address)
    {
        using var command = connection.CreateCommand();
        var sql = new StringBuilder("INSERT INTO destinations (source, n, address, email, name, data) VALUES ");
        Add(command, "s", source);
        for (var i = 0; i < rows.Count; i++)
        {
            var row = rows[i];
            sql.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? "" : ", ")}(@s, @n{i}, @a{i}, @e{i}, @m{i}, @d{i})");
            Add(command, $"n{i}", row.N);
            Add(command, $"a{i}", address(row));
            Add(command, $"e{i}", StoredText.Storable(row.Email));
            Add(command, $"m{i}", StoredText.Storable(row.Name));
            Add(command, $"d{i}", row.Data);
        }
        command.CommandText = sql.ToString();
        command.ExecuteNonQuery();
    }

    static void Add(DbCommand command, string name, object? value)
    {
        var parameter = command.CreateParameter();
        parameter.ParameterName = name;
        parameter.Value = value ?? DBNull.Value;
        if (value is null)
            parameter.DbType = System.Data.DbType.String;
        command.Parameters.Add(parameter);
    }

    /// <summary>What one read brings of data; it ends with the row that reaches it.</summary>
    const int MostBytes = 4 * 1024 * 1024;

    // By the key (source, n).
    /// <summary>As many as the limit says, or fewer with much data; none: there are no more.</summary>
    public static IReadOnlyList<StoredDestination> Read(DbConnection connection, long source, long after, long until, int limit) =>
    [
        .. connection.Query<Row>("""
            SELECT n, email, name, data FROM destinations
            WHERE source = @source AND n > @after AND (gone IS NULL OR gone > @until) AND n <= (
                SELECT max(n) FROM (
                    SELECT n, sum(bytes) OVER (ORDER BY n) - bytes AS ahead FROM (
                        SELECT n, coalesce(octet_length(data), 0) AS bytes FROM destinations
                        WHERE source = @source AND n > @after AND n <= @until AND (gone IS NULL OR gone > @until)
                        ORDER BY n LIMIT @limit) AS page) AS sums
                WHERE ahead < @most)
            ORDER BY n
            """, new { source, after, until, limit, most = MostBytes })
            .Select(row => new StoredDestination(row.N, row.Email, row.Name, row.Data)),
    ];

    /// <summary>At most so many, from the front. Returns how many went.</summary>
    public static int DeleteAll(DbConnection connection, long source, int limit) => connection.Execute("""
        DELETE FROM destinations WHERE source = @source AND n IN (SELECT n FROM destinations WHERE source = @source ORDER BY n LIMIT @limit)
        """, new { source, limit });

    sealed class Row
    {
        public long N { get; init; }
        public string Email { get; init; } = "";
        public string? Name { get; init; }
        public string? Data { get; init; }
    }
}
