using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Postrider.Storage.Postgres;

/// <summary>A piece of work for a writer, and what it will ask for.</summary>
/// <param name="need">Called before the transaction; may be called again.</param>
/// <param name="size">About how many rows it writes.</param>
sealed class PostgresWork<T>(Action<Needs> need, Func<PostgresSession, T> work, bool isBulk, int size)
    : SessionWork<PostgresSession, T>(work, isBulk), INeedingWork
{
    public int Size => size;
    public void Need(Needs needs) => need(needs);
}

interface INeedingWork
{
    int Size { get; }
    void Need(Needs needs);
}

/// <summary>One connection that writes, on a thread of its own: a transaction for all that waits, in two round trips as a rule, one to find
/// and lock, one to write and commit.</summary>
/// <remarks>A server that is away is no end: the batch fails, or is repeated once on a new connection where the old one was found dead
/// before anything was committed.</remarks>
sealed partial class PostgresWriter : GroupCommit<SessionWork<PostgresSession>>, IDisposable
{
    /// <summary>Bulk rows in one transaction: some 20 ms of the server's time, and what transactional mail waits at most.</summary>
    const int MostBulk = 1000;

    readonly NpgsqlDataSource _source;
    readonly PostgresSession _session;
    readonly Action _full;
    readonly ILogger _log;
    readonly Thread _thread;
    readonly List<SessionWork<PostgresSession>> _works = [];   // loop only, as all that follows
    NpgsqlConnection? _connection;
    bool _isAway;
    int _size;

    /// <param name="full">Called when the server's disk is full.</param>
    public PostgresWriter(
        NpgsqlDataSource source, PostgresSession session, string name, TimeProvider clock, StoreHealth health, Action full, ILogger log,
        StoreMetrics? metrics = null)
        : base(clock, health, metrics)
    {
        (_source, _session, _full, _log) = (source, session, full, log);
        _thread = new Thread(Run) { IsBackground = true, Name = $"PostgreSQL {name}" };
        _thread.Start();
    }

    /// <param name="need">Null: nothing that is worth a common question.</param>
    /// <param name="name">The store's call that it is of.</param>
    public Task<T> RunAsync<T>(Func<PostgresSession, T> work, Action<Needs>? need = null, bool isBulk = false, int size = 1,
        [CallerMemberName] string name = "")
    {
        var pending = new PostgresWork<T>(need ?? (_ => { }), work, isBulk, size) { Call = name };
        Enqueue(pending);
        return pending.Done;
    }

    protected override void Begin() => Clear();

    protected override void Execute(SessionWork<PostgresSession> work)
    {
        _works.Add(work);
        _size += ((INeedingWork)work).Size;
    }

    protected override bool HasEnoughBulk(long started) => _size >= MostBulk;

    protected override void Commit()
    {
        var wasOpen = _connection is not null;
        try
        {
            RunAll();
        }
        catch (Exception e) when (wasOpen && Judge(e) == FaultKind.Away && !_session.CommitIsOut)
        {
            // The server was restarted, or something between dropped a connection that stood idle.
            Close();
            RunAll();
        }
        Clear();
        if (_isAway)
            LogBack(_log);
        _isAway = false;
    }

    void RunAll()
    {
        _session.Prepare();
        _connection ??= _source.OpenConnection();
        var needs = new Needs();
        foreach (var work in _works)
            ((INeedingWork)work).Need(needs);
        _session.Begin(_connection, needs);
        foreach (var work in _works)
            work.Execute(_session);
        Executed();
        _session.Commit();
    }

    protected override void Rollback()
    {
        Clear();
        _session.Forget();
        try
        {
            if (_connection is null)
                return;
            using var rollback = new NpgsqlCommand("ROLLBACK", _connection);
            rollback.ExecuteNonQuery();
        }
        catch (Exception)
        {
            // Whatever became of it, a new connection begins anew.
            Close();
        }
    }

    protected override void BetweenBatches() { }
    protected override FaultKind Judge(Exception error) => PostgresFault.Judge(error);
    protected override void MakeRoom() { }

    protected override Exception Translate(Exception error)
    {
        if (Judge(error) == FaultKind.DiskFull)
            _full();
        if (Judge(error) == FaultKind.Away && !_isAway)
        {
            _isAway = true;
            LogAway(_log, PostgresFault.Words(error));
        }
        return PostgresFault.Translate(error, _session.CommitIsOut);
    }

    void Clear()
    {
        _works.Clear();
        _size = 0;
    }

    void Close()
    {
        try
        {
            _connection?.Dispose();
        }
        catch (Exception e) when (e is NpgsqlException or IOException or InvalidOperationException)
        {
            // It was dead already.
        }
        _connection = null;
    }

    /// <summary>Waits for the work that is queued, then closes.</summary>
    public void Dispose()
    {
        Stop();
        _thread.Join();
        Close();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database is away: {Reason}")]
    static partial void LogAway(ILogger log, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The database is back")]
    static partial void LogBack(ILogger log);
}
