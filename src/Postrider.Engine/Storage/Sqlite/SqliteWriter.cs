using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Postrider.Messages;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>The only connection that writes and the only one that checkpoints, on a thread of its own.</summary>
/// <remarks>SQLite 3.50.4 can damage a database when one connection resets the write-ahead log while another one writes or checkpoints;
/// with one of each there is no such moment.</remarks>
sealed partial class SqliteWriter : GroupCommit<SessionWork<WriteSession>>, IDisposable
{
    /// <summary>Pages of 8 KB in the log before they are carried over: 32 MB is the knee; more saves 4 % and stalls for 40 ms.</summary>
    const int CheckpointAtPages = 4000;

    /// <summary>When readers have kept the log from being reset for so long, the writer waits for a gap between them.</summary>
    const int InsistAtPages = 4 * CheckpointAtPages;
    const int InsistForMs = 100;

    readonly WriteSession _session;
    readonly StoreHealth _health;
    readonly DiskSpace _disk;
    readonly ILogger _log;
    readonly Thread _thread;
    int _checkpointAt = CheckpointAtPages;   // loop only: pages written since the last complete checkpoint

    public SqliteWriter(
        WriteSession session, TimeProvider clock, StoreHealth health, DiskSpace disk, ILogger log, StoreMetrics? metrics = null)
        : base(clock, health, metrics)
    {
        (_session, _health, _disk, _log) = (session, health, disk, log);
        PagesWritten(reset: true);
        _thread = new Thread(Run) { IsBackground = true, Name = "SQLite writer" };
        _thread.Start();
    }

    /// <param name="name">The store's call that it is of.</param>
    public Task<T> RunAsync<T>(Func<WriteSession, T> work, bool isBulk = false, [CallerMemberName] string name = "")
    {
        var pending = new SessionWork<WriteSession, T>(work, isBulk) { Call = name };
        Enqueue(pending);
        return pending.Done;
    }

    protected override void Begin() => _session.Begin();
    protected override void Execute(SessionWork<WriteSession> work) => work.Execute(_session);

    protected override void Commit()
    {
        Executed();
        _session.Commit();
        if (_session.Search.AfterCommit())
            ThreadPool.UnsafeQueueUserWorkItem(static writer => _ = writer.FlushSearchAsync(), this, preferLocal: false);
    }

    protected override void Rollback() => _session.Rollback();
    protected override void MakeRoom() => _disk.Release();

    protected override void BetweenBatches()
    {
        var pages = PagesWritten(reset: false);
        if (pages < _checkpointAt)
            return;
        if (pages >= InsistAtPages)
            Insist();
        else
            Checkpoint(raw.SQLITE_CHECKPOINT_PASSIVE);
    }

    protected override FaultKind Judge(Exception error) => SqliteFault.Judge(error);

    protected override Exception Translate(Exception error) => Judge(error) == FaultKind.DiskFull
        ? new StoreUnavailableException("The disk is full: nothing was stored. Free some space; it goes on when there is enough.", error)
        : SqliteFault.Locked(error) ?? error;

    /// <summary>Waits for the work that is queued, then closes; the log is carried over and removed unless the storage has
    /// failed.</summary>
    public void Dispose()
    {
        Stop();
        _thread.Join();
        // A failed fsync is never repeated: leave the log to the next start.
        if (_health.Fault is not null)
            raw.sqlite3_db_config(_session.Database, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _);
        _session.Dispose();
    }

    async Task FlushSearchAsync()
    {
        var search = _session.Search;
        try
        {
            search.SortForFlush();
            for (int? next = 0; next is { } start;)
                next = await RunAsync(_ => search.WritePiece(start), isBulk: true);
            search.FlushEnded(written: true);
        }
        catch (Exception e)
        {
            LogFlushFailed(_log, e.Message);
            search.FlushEnded(written: false);
        }
    }

    int PagesWritten(bool reset)
    {
        raw.sqlite3_db_status(_session.Database, raw.SQLITE_DBSTATUS_CACHE_WRITE, out var pages, out _, reset ? 1 : 0);
        return pages;
    }

    void Insist()
    {
        raw.sqlite3_busy_timeout(_session.Database, InsistForMs);
        try
        {
            Checkpoint(raw.SQLITE_CHECKPOINT_RESTART);
        }
        finally
        {
            raw.sqlite3_busy_timeout(_session.Database, SqliteDatabase.BusyTimeoutMs);
        }
    }

    void Checkpoint(int mode)
    {
        var code = raw.sqlite3_wal_checkpoint_v2(_session.Database, "main", mode, out var inLog, out var carried);
        if (code is not (raw.SQLITE_OK or raw.SQLITE_BUSY))
            throw SqliteFault.Of(_session.Database, code, "checkpoint");
        if (code == raw.SQLITE_OK && carried >= inLog)
        {
            PagesWritten(reset: true);
            _checkpointAt = CheckpointAtPages;
        }
        else
        {
            // A reader holds an old snapshot; it is cut after 5 s. Not again before a quarter of the way.
            _checkpointAt = PagesWritten(reset: false) + CheckpointAtPages / 4;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A run of the search index could not be written and is tried again later: {Reason}")]
    static partial void LogFlushFailed(ILogger log, string reason);
}
