using System.Buffers;
using System.Text;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>A prepared statement, used again and again by one thread: <see cref="With"/> starts it, <c>Add</c> binds the parameters in
/// order.</summary>
/// <remarks>Against <c>SqliteCommand</c> it saves 13–25 µs an accepted mail: no boxing, no strings, no garbage.</remarks>
sealed class Statement : IDisposable
{
    readonly sqlite3 _db;
    readonly sqlite3_stmt _statement;
    readonly string _sql;
    int _next;   // parameter to bind next, from 1

    public Statement(sqlite3 db, string sql)
    {
        (_db, _sql) = (db, sql);
        var code = raw.sqlite3_prepare_v3(db, sql, raw.SQLITE_PREPARE_PERSISTENT, out _statement);
        if (code != raw.SQLITE_OK)
            throw SqliteFault.Of(db, code, sql);
    }

    public string Sql => _sql;

    /// <summary>Starts anew, whatever became of the last use.</summary>
    public Statement With()
    {
        raw.sqlite3_reset(_statement);
        _next = 1;
        return this;
    }

    public Statement Add(long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, _next++, value));
        return this;
    }

    public Statement Add(long? value) => value is { } number ? Add(number) : AddNull();
    public Statement Add(bool value) => Add(value ? 1L : 0L);

    public Statement AddNull()
    {
        Check(raw.sqlite3_bind_null(_statement, _next++));
        return this;
    }

    public Statement AddText(ReadOnlySpan<byte> utf8)
    {
        Check(raw.sqlite3_bind_text(_statement, _next++, utf8));
        return this;
    }

    public Statement AddText(string? text)
    {
        if (text is null)
            return AddNull();
        var size = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (size <= 256)
        {
            Span<byte> small = stackalloc byte[size];
            return AddText(small[..Encoding.UTF8.GetBytes(text, small)]);
        }
        var large = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            return AddText(large.AsSpan(0, Encoding.UTF8.GetBytes(text, large)));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(large);
        }
    }

    public Statement AddBlob(ReadOnlySpan<byte> bytes)
    {
        Check(raw.sqlite3_bind_blob(_statement, _next++, bytes));
        return this;
    }

    public Statement AddBlob(byte[]? bytes) => bytes is null ? AddNull() : AddBlob(bytes.AsSpan());

    /// <summary>True: there is a row to read. False: it has ended, and is reset.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(_statement);
        if (code == raw.SQLITE_ROW)
            return true;
        if (code == raw.SQLITE_DONE)
        {
            raw.sqlite3_reset(_statement);
            return false;
        }
        var fault = SqliteFault.Of(_db, code, _sql);
        raw.sqlite3_reset(_statement);
        throw fault;
    }

    /// <summary>Runs to its end.</summary>
    public void Run()
    {
        while (Step()) { }
    }

    /// <summary>Runs to its end and tells how many rows it inserted, updated or deleted.</summary>
    public int RunCounting()
    {
        Run();
        return raw.sqlite3_changes(_db);
    }

    /// <summary>The first column of the first row; null when there is no row or it is NULL.</summary>
    public long? Scalar()
    {
        if (!Step())
            return null;
        long? value = IsNull(0) ? null : Long(0);
        Reset();
        return value;
    }

    public void Reset() => raw.sqlite3_reset(_statement);

    /// <summary>One of SQLite's five.</summary>
    public int TypeOf(int column) => raw.sqlite3_column_type(_statement, column);

    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;
    public long Long(int column) => raw.sqlite3_column_int64(_statement, column);
    public long? LongOrNull(int column) => IsNull(column) ? null : Long(column);
    public int Int(int column) => raw.sqlite3_column_int(_statement, column);
    public bool Bool(int column) => Int(column) != 0;

    /// <summary>UTF-8 of a text or bytes of a blob; valid until the next step.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => raw.sqlite3_column_blob(_statement, column);
    public byte[]? BlobOrNull(int column) => IsNull(column) ? null : Bytes(column).ToArray();
    public string Text(int column) => Encoding.UTF8.GetString(Bytes(column));
    public string? TextOrNull(int column) => IsNull(column) ? null : Text(column);

    /// <summary>Steps of SQLite's machine since this was last asked: what a statement costs, whatever the hour.</summary>
    public int TakeSteps() => raw.sqlite3_stmt_status(_statement, raw.SQLITE_STMTSTATUS_VM_STEP, 1);

    public void Dispose() => _statement.Dispose();

    void Check(int code)
    {
        if (code != raw.SQLITE_OK)
            throw SqliteFault.Of(_db, code, _sql);
    }
}

/// <summary>Prepares the statements of one connection and disposes them with it.</summary>
sealed class Statements(sqlite3 db) : IDisposable
{
    readonly List<Statement> _prepared = [];

    public Statement Prepare(string sql)
    {
        var statement = new Statement(db, sql);
        _prepared.Add(statement);
        return statement;
    }

    /// <summary>All that were prepared, for tests of their plans.</summary>
    public IReadOnlyList<Statement> Prepared => _prepared;

    /// <summary>Ends what an exception left in the middle of its rows.</summary>
    public void ResetAll()
    {
        foreach (var statement in _prepared)
            statement.Reset();
    }

    public void Dispose()
    {
        foreach (var statement in _prepared)
            statement.Dispose();
        _prepared.Clear();
    }
}
