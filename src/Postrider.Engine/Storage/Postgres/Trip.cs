using Npgsql;
using NpgsqlTypes;

namespace Postrider.Storage.Postgres;

/// <summary>Statements that travel to the server together and are answered together: one round trip, however many they are.</summary>
sealed class Trip
{
    readonly List<NpgsqlBatchCommand> _commands = [];
    readonly List<Action<NpgsqlDataReader>> _rows = [];

    public bool IsEmpty => _commands.Count == 0;

    /// <summary>A statement without rows.</summary>
    public void Add(string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(parameter);
        _commands.Add(command);
    }

    /// <summary>A statement with rows; <paramref name="row"/> is called on each.</summary>
    public void Read(string sql, Action<NpgsqlDataReader> row, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        Add(sql, parameters);
        _rows.Add(row);
    }

    /// <summary>Adds what another one has, which is not used any more.</summary>
    public void Append(Trip other)
    {
        _commands.AddRange(other._commands);
        _rows.AddRange(other._rows);
    }

    public void Run(NpgsqlConnection connection)
    {
        using var batch = new NpgsqlBatch(connection);
        foreach (var command in _commands)
            batch.BatchCommands.Add(command);
        using var reader = batch.ExecuteReader();
        // Statements without rows have no result here.
        foreach (var row in _rows)
        {
            while (reader.Read())
                row(reader);
            reader.NextResult();
        }
        // To the last answer: an error may hide behind the rows.
        while (reader.NextResult()) { }
    }
}

/// <summary>Parameters in PostgreSQL's types.</summary>
static class Sql
{
    public static NpgsqlParameter Long(long value) => new NpgsqlParameter<long> { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Bigint };
    public static NpgsqlParameter Int(int value) => new NpgsqlParameter<int> { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Integer };

    public static NpgsqlParameter Flag(bool value) => new NpgsqlParameter<bool> { TypedValue = value, NpgsqlDbType = NpgsqlDbType.Boolean };

    public static NpgsqlParameter Text(string? value) =>
        new() { Value = (object?)StoredText.Storable(value) ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Text };

    public static NpgsqlParameter Bytes(byte[]? value) =>
        new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Bytea };

    public static NpgsqlParameter Longs(List<long> values) => Array(values, NpgsqlDbType.Bigint);
    public static NpgsqlParameter Longs(List<long?> values) => Array(values, NpgsqlDbType.Bigint);
    public static NpgsqlParameter Ints(List<int> values) => Array(values, NpgsqlDbType.Integer);
    public static NpgsqlParameter Ints(List<int?> values) => Array(values, NpgsqlDbType.Integer);
    public static NpgsqlParameter Shorts(List<short> values) => Array(values, NpgsqlDbType.Smallint);
    public static NpgsqlParameter Flags(List<bool> values) => Array(values, NpgsqlDbType.Boolean);

    /// <summary>Texts that went through <see cref="StoredText.Storable"/>.</summary>
    public static NpgsqlParameter Texts(List<string?> values) => Array(values, NpgsqlDbType.Text);
    public static NpgsqlParameter Blobs(List<byte[]?> values) => Array(values, NpgsqlDbType.Bytea);

    static NpgsqlParameter<List<T>> Array<T>(List<T> values, NpgsqlDbType type) =>
        new() { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | type };
}
