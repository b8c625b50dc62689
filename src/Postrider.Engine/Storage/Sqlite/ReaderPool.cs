using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>Query-only connections for cold reads. A read sees one moment, and is cut after 5 s: an old snapshot keeps the log from being
/// reset.</summary>
sealed class ReaderPool(string path, TimeProvider clock) : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Reads at a time; more wait. Each has a thread and a page cache of 2 MB.</summary>
    const int MaxReaders = 4;

    /// <summary>Steps of SQLite's machine between two looks at the clock: well under a millisecond.</summary>
    const int StepsBetweenLooks = 20_000;

    readonly SemaphoreSlim _free = new(MaxReaders);
    readonly ConcurrentBag<Reader> _idle = [];

    /// <summary>Throws <see cref="TimeoutException"/> when it takes too long.</summary>
    public async Task<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken ct)
    {
        await _free.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Read(read), ct);
        }
        finally
        {
            _free.Release();
        }
    }

    T Read<T>(Func<SqliteConnection, T> read)
    {
        var reader = _idle.TryTake(out var idle) ? idle : new Reader(SqliteDatabase.OpenReader(path), clock);
        try
        {
            return reader.Read(read);
        }
        finally
        {
            _idle.Add(reader);
        }
    }

    public void Dispose()
    {
        while (_idle.TryTake(out var reader))
            reader.Dispose();
        _free.Dispose();
    }

    sealed class Reader : IDisposable
    {
        readonly SqliteConnection _connection;
        readonly TimeProvider _clock;
        long _started;

        public Reader(SqliteConnection connection, TimeProvider clock)
        {
            (_connection, _clock) = (connection, clock);
            raw.sqlite3_progress_handler(connection.Handle!, StepsBetweenLooks, _ => _clock.GetElapsedTime(_started) > Limit ? 1 : 0, null);
        }

        public T Read<T>(Func<SqliteConnection, T> read)
        {
            _started = _clock.GetTimestamp();
            // By hand, so that commands need not name the transaction.
            raw.sqlite3_exec(_connection.Handle!, "BEGIN");
            try
            {
                return read(_connection);
            }
            catch (SqliteException e) when (e.SqliteErrorCode == raw.SQLITE_INTERRUPT)
            {
                throw new TimeoutException(
                    $"The search took longer than {Limit.TotalSeconds:0} s and was cut. Narrow it: a shorter time span, or an address.", e);
            }
            finally
            {
                _started = _clock.GetTimestamp();
                raw.sqlite3_exec(_connection.Handle!, "ROLLBACK");
            }
        }

        public void Dispose() => _connection.Dispose();
    }
}
