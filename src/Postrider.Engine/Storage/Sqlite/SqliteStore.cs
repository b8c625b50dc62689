using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging;
using Postrider.Batches;
using Postrider.DeadLetters;
using Postrider.Messages;
using Postrider.Nodes;
using Postrider.Queue;
using Postrider.Storage.Migrations;
using Postrider.Storage.Moving;
using Postrider.Storage.Rules;
using Postrider.Storage.Tables;

namespace Postrider.Storage.Sqlite;

/// <summary>The store in one SQLite file, for one process.</summary>
/// <remarks>
/// Everything that is written goes through one writer with group commit (<see cref="WriteAsync"/> for other rooms' tables); everything that
/// is
/// read for people goes through query-only connections (<see cref="ReadAsync"/>). Other rooms add partial files beside this one.
/// </remarks>
public sealed partial class SqliteStore : IQueueStore, IMessageReader, ITableStore, IBatchExpansion, IDeadLetterCommands, IAsyncDisposable
{
    const string NearlyFull = "The disk is nearly full: no mail is accepted or sent until there is room (Storage:MinFreeBytes).";

    readonly DatabaseLock _lock;
    readonly SqliteWriter _writer;
    readonly WriteSession _session;   // writer thread only, and tests
    readonly QueueReader _queueReader;
    readonly ReaderPool _readers;
    readonly DiskSpace _disk;
    readonly StoreMetrics _metrics = new();
    readonly TimeProvider _clock;
    readonly SqliteReadDialect _dialect;
    int _disposed;
    readonly string _path;

    SqliteStore(DatabaseLock databaseLock, SqliteConnection connection, string path, StorageOptions options, TimeProvider clock,
        ILogger log, Func<long>? freeBytes)
    {
        (_lock, _clock, _path) = (databaseLock, clock, path);
        _disk = new DiskSpace(path, options, clock, log, freeBytes);
        Notices = new Notices(read: null, clock, log);
        AddressKey = LoadAddressKey(connection);
        _session = new WriteSession(connection, clock, AddressKey);
        _dialect = new SqliteReadDialect(_session.Search, options.NodeName);
        _queueReader = new QueueReader(SqliteDatabase.OpenReader(path));
        NewestAtStart = _queueReader.Newest() is { } newest ? new MessageId(newest) : null;
        _readers = new ReaderPool(path, clock);
        _writer = new SqliteWriter(_session, clock, Health, _disk, log, _metrics);
    }

    /// <summary>Tells rooms of this process what was changed.</summary>
    public Notices Notices { get; }

    /// <summary>The latch that closes at the first storage error: the host watches it and stops with an exit code other than 0.</summary>
    public StoreHealth Health { get; } = new();

    /// <summary>So little of the disk is free that nothing is accepted or leased; outcomes are recorded still.</summary>
    public bool IsLow => _disk.IsLow;

    /// <summary>The highest id that was given out before this start; null for an empty database. New ids continue after it: the clock may
    /// have been set back.</summary>
    public MessageId? NewestAtStart { get; }

    /// <summary>Opens the database, making it and bringing its schema up to date where needed. After an unclean end all pages are checked
    /// first.</summary>
    /// <exception cref="StoreInUseException">Another process has it open: exit code 2.</exception>
    /// <exception cref="StoreUnusableException">Damaged, incomplete, or made by a newer version.</exception>
    public static SqliteStore Open(string path, StorageOptions options, TimeProvider clock, ILogger<SqliteStore> log) =>
        Open(path, options, clock, log, freeBytes: null);

    /// <param name="moves">It is opened to be moved, which may have begun or be done.</param>
    /// <param name="restores">It is a copy that is being made fit for use.</param>
    internal static SqliteStore Open(string path, StorageOptions options, TimeProvider clock, ILogger<SqliteStore> log,
        Func<long>? freeBytes, bool moves = false, bool restores = false)
    {
        path = Path.GetFullPath(path);
        OwnerOnly.MakeFolder(Path.GetDirectoryName(path)!);
        var databaseLock = DatabaseLock.Take(path);
        SqliteConnection? connection = null;
        try
        {
            databaseLock.RefuseWhatIsMissing(path);
            // SQLite would make it readable by all; its log takes the rights of the database. Closed again before SQLite opens it:
            // closing a file gives up all its POSIX locks, whoever of the process took them.
            new FileStream(path, OwnerOnly.Open(FileMode.OpenOrCreate, FileAccess.Write)).Dispose();
            if (databaseLock.EndedUncleanly && !TestSwitches.SyncsRarely)
                WriteAheadLog.RefuseDamaged(path);
            connection = SqliteDatabase.OpenWriter(path);
            if (databaseLock.EndedUncleanly)
            {
                LogCheck(log, path);
                SqliteDatabase.QuickCheck(connection);
                SqliteDatabase.CarryOverLog(connection);
            }
            SqliteDatabase.Migrate(connection, SqliteMigrations.All, clock.GetUtcNow().Ms);
            if (!moves && MoveMark.Read(connection) is { } mark)
            {
                databaseLock.MarkClosed();   // its log was carried over above, and goes with the connection
                throw new StoreUnusableException(mark.Refusal(path));
            }
            if (!restores && BackupMark.Read(connection) is { } copy)
            {
                databaseLock.MarkClosed();
                throw new StoreUnusableException($"{path} is a backup of {copy.Moment}: mail in it may have been sent since. "
                    + "Move it elsewhere, and put it in place with: postrider restore FILE");
            }
            databaseLock.MarkInUse();
            return new SqliteStore(databaseLock, connection, path, options, clock, log, freeBytes);
        }
        catch (Exception e)
        {
            connection?.Dispose();
            databaseLock.Dispose();
            if (e is SqliteFault or SqliteException or InvalidDataException)
                throw new StoreUnusableException(
                    $"The database {path} cannot be opened: {e.Message}. If it is damaged, restore it from a backup.", e);
            throw;
        }
    }

    public async Task<AcceptResult> AcceptAsync(Acceptance acceptance, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        Health.ThrowIfFailed();
        if (_disk.IsLow)
            throw new StorageLowException(NearlyFull);
        using var prepared = new PreparedAcceptance(acceptance);
        try
        {
            // Asked again where it is written: what waited while the disk filled up must not take the room that outcomes need.
            var result = await _writer.RunAsync(
                session => _disk.IsLow ? null : Accepting.Run(session, prepared), acceptance.Urgency == MailStream.Bulk);
            return result ?? throw new StorageLowException(NearlyFull);
        }
        catch (StoreUnavailableException full) when (full.InnerException is { } error && SqliteFault.Judge(error) == FaultKind.DiskFull)
        {
            throw new StorageLowException(full.Message);
        }
    }

    public async Task<IReadOnlyList<Lease>> LeaseAsync(
        QueueKey key, int permits, Incarnation owner, DateTimeOffset now, bool alone, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        Health.ThrowIfFailed();
        if (permits <= 0 || _disk.IsLow)
            return [];
        List<Taken> taken;
        bool hasMore;
        do
        {
            (taken, hasMore) = await _writer.RunAsync(
                session => Leasing.Take(session, key, permits, owner, now.Ms, alone), key.Stream == MailStream.Bulk);
        }
        while (taken.Count == 0 && hasMore);
        if (taken.Count == 0)
            return [];
        try
        {
            // Not in the pool item that completes waiters: they would wait for it.
            var (leases, unreadable) = await Task.Run(() => Watched(() => _queueReader.Load(taken)), CancellationToken.None);
            if (unreadable.Count > 0)
                await _writer.RunAsync(session => Done(() => unreadable.ForEach(row => Leasing.Hold(session, row, now.Ms))));
            return leases;
        }
        catch when (Health.Fault is null)
        {
            // Leased for nobody, they would wait for the next start.
            await _writer.RunAsync(session =>
                Done(() => Leasing.Release(session, taken.ConvertAll(t => Claimed.Of(t.Row)), now.AddMinutes(1).Ms, WaitReason.Released)));
            throw;
        }
    }

    public Task ReleaseAsync(IReadOnlyList<Lease> leases, DateTimeOffset dueAt, WaitReason reason, CancellationToken ct) =>
        _writer.RunAsync(session => Done(() => Leasing.Release(session, [.. leases.Select(Claimed.Of)], dueAt.Ms, reason)));

    public Task<bool> CommitPointAsync(Lease lease, string transport, DateTimeOffset now, CancellationToken ct) =>
        TestSwitches.PassesEveryCommitPoint ? Task.FromResult(true) : _writer.RunAsync(
            session => Leasing.PassCommitPoint(session, lease, transport, now.Ms), lease.Envelope.Key.Stream == MailStream.Bulk);

    public async Task<RecordResult> RecordAsync(AttemptRecord record)
    {
        using var prepared = PreparedRecord.Of(record);
        return await _writer.RunAsync(session => Recording.Run(session, prepared), record.Lease.Envelope.Key.Stream == MailStream.Bulk);
    }

    public Task<int> SweepAsync(Incarnation owner, DateTimeOffset now, DateTimeOffset settleAt, CancellationToken ct) =>
        _writer.RunAsync(session => Sweeping.Sweep(session, owner, now.Ms, settleAt.Ms));

    public Task<int> SettleAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _writer.RunAsync(session => Sweeping.Settle(session, now.Ms, limit), isBulk: true);

    public Task<int> ExpireAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _writer.RunAsync(session => Sweeping.Expire(session, now.Ms, limit), isBulk: true);

    public Task<Hastened> HastenAsync(DateTimeOffset now, DateTimeOffset latest, EnvelopeId? after, int limit) =>
        WriteAsync(connection => QueueTimes.Hasten(connection, now.Ms, latest.Ms, after, limit, passing: ""), isBulk: true);

    public Task<int> PurgeIdempotencyAsync(DateTimeOffset now, int limit, CancellationToken ct) =>
        _writer.RunAsync(session => session.Idempotency.Purge(now.Ms, limit), isBulk: true);

    public Task<IReadOnlyList<DueKey>> DueKeysAsync(CancellationToken ct)
    {
        Health.ThrowIfFailed();
        return Task.Run(() => Watched(_queueReader.DueKeys), ct);
    }

    public Task<int?> CancelAsync(TenantId tenant, MessageId message, DateTimeOffset now, CancellationToken ct) =>
        _writer.RunAsync(session => Commanding.Cancel(session, tenant.Value, message.Value, now.Ms));

    public Task<int?> RetryAsync(
        TenantId tenant, MessageId message, bool bounced, bool discarded, DateTimeOffset now, DateTimeOffset expiresAt,
        CancellationToken ct) =>
        _writer.RunAsync(session => Commanding.Retry(session, tenant.Value, message.Value, bounced, discarded, now.Ms, expiresAt.Ms));

    public Task<int?> RedriveAsync(
        TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now, DateTimeOffset expiresAt) =>
        _writer.RunAsync(
            session => Commanding.Redrive(session, tenant.Value, message.Value, recipients, remark, now.Ms, expiresAt.Ms), isBulk: true);

    public Task<int?> DiscardAsync(
        TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now) =>
        _writer.RunAsync(
            session => Commanding.Discard(session, tenant.Value, message.Value, recipients, remark, now.Ms), isBulk: true);

    public Task<bool?> RescheduleAsync(
        TenantId tenant, MessageId message, DateTimeOffset sendAt, DateTimeOffset expiresAt, CancellationToken ct) =>
        _writer.RunAsync(session => Commanding.Reschedule(session, tenant.Value, message.Value, sendAt.Ms, expiresAt.Ms));

    /// <summary>A durable write of another room: runs on the writer's connection, inside its transaction, together with what else waits. On
    /// disk when the task completes.</summary>
    /// <remarks>Keep it short (a few rows): the mail waits meanwhile. It may run twice when the first transaction is rolled back, so it
    /// must not change anything but the database.</remarks>
    internal Task<T> WriteAsync<T>(Func<SqliteConnection, T> write, bool isBulk = false) =>
        _writer.RunAsync(session =>
        {
            var result = write(session.Connection);
            session.Suppressions.LookAgain();
            return result;
        }, isBulk);

    internal Task WriteAsync(Action<SqliteConnection> write) => WriteAsync(connection => Done(() => write(connection)));

    /// <summary>A read for people: on a query-only connection, on the thread pool, of one moment, cut after 5 s with
    /// <see cref="TimeoutException"/>.</summary>
    internal Task<T> ReadAsync<T>(Func<SqliteConnection, T> read, CancellationToken ct)
    {
        Health.ThrowIfFailed();
        return _readers.ReadAsync(connection => Watched(() => read(connection)), ct);
    }

    Task<T> ITableStore.WriteAsync<T>(Func<DbConnection, T> write, bool isBulk) => WriteAsync(write, isBulk);

    public async Task<T> ChangeAsync<T>(Topic topic, Func<DbConnection, T> write)
    {
        var result = await WriteAsync(write);
        Notices.Tell(topic);
        return result;
    }

    Task<T> ITableStore.ReadAsync<T>(Func<DbConnection, T> read, CancellationToken ct) => ReadAsync(read, ct);

    internal AddressKey AddressKey { get; }
    AddressKey ITableStore.AddressKey => AddressKey;

    static AddressKey LoadAddressKey(SqliteConnection connection)
    {
        using var transaction = connection.BeginTransaction();
        var key = AddressKey.Load(connection);
        transaction.Commit();
        return key;
    }

    /// <summary>For tests that look at statements and plans.</summary>
    internal WriteSession Session => _session;
    internal QueueReader QueueReader => _queueReader;

    /// <summary>Where it is, and what of the writer's settings endangers what was acknowledged.</summary>
    internal async Task<(string Path, IReadOnlyList<string> Unsafe)> DescribeAsync()
    {
        var (journal, synchronous) = await WriteAsync(connection =>
            (SqliteDatabase.Setting(connection, "journal_mode"), SqliteDatabase.Setting(connection, "synchronous")));
        List<string> faults = [];
        if (journal != "wal")
            faults.Add($"journal_mode is {journal}, not wal: readers stop the mail.");
        if (synchronous is "0" or "1")
            faults.Add($"synchronous is {synchronous}: mail that was accepted is lost at a power cut.");
        return (_path, faults);
    }

    /// <summary>A query-only connection for a room whose reads must not wait behind people's searches; the caller disposes it before the
    /// store.</summary>
    internal SqliteConnection OpenReader() => SqliteDatabase.OpenReader(_path);

    /// <summary>Finishes what waits, carries the log over and gives the lock up.</summary>
    public async ValueTask DisposeAsync()
    {
        // Registered under each of its interfaces, it is disposed once for each.
        if (Interlocked.Exchange(ref _disposed, 1) == 1)
            return;
        await Task.Run(() =>
        {
            _queueReader.Dispose();
            _readers.Dispose();
            _writer.Dispose();
        });
        if (Health.Fault is null)
            _lock.MarkClosed();
        _lock.Dispose();
        Notices.Dispose();
        _metrics.Dispose();
        Health.Dispose();
    }

    /// <summary>A page that cannot be read is as bad as one that cannot be written.</summary>
    T Watched<T>(Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (SqliteFault.Judge(e) == FaultKind.Storage)
        {
            Health.Fail(e);
            throw StoreHealth.Unavailable(e, mayHaveCommitted: false);
        }
        catch (Exception e) when (SqliteFault.Locked(e) is { } locked)
        {
            throw locked;
        }
    }

    static bool Done(Action action)
    {
        action();
        return true;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The database {Path} was not closed in order; all its pages are checked.")]
    static partial void LogCheck(ILogger log, string path);
}
