using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Storage;

/// <summary>Watches the free space of the database's disk, and keeps a file in reserve for the moment when there is none.</summary>
sealed partial class DiskSpace
{
    /// <summary>A look costs a system call of about 2 µs: four a second see a disk fill up in time, 256 MB are a quarter of a second at 1
    /// GB/s.</summary>
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    readonly string _folder;
    readonly string _ballastPath;
    readonly StorageOptions _options;
    readonly TimeProvider _clock;
    readonly Func<long> _freeBytes;
    readonly ILogger _log;
    readonly Lock _lock = new();
    long _lookedAt;      // timestamp
    volatile bool _low;
    bool _hasBallast;    // guarded by _lock
    bool _blind;         // guarded by _lock: the disk could not be asked; said once
    bool _released;      // guarded by _lock: what the ballast gave back is for outcomes until there is room for it again

    /// <param name="freeBytes">Free space in bytes; null: asked of the disk.</param>
    public DiskSpace(string databasePath, StorageOptions options, TimeProvider clock, ILogger log, Func<long>? freeBytes = null)
    {
        _folder = Path.GetDirectoryName(Path.GetFullPath(databasePath))!;
        _ballastPath = databasePath + ".ballast";
        _options = options;
        _clock = clock;
        _log = log;
        _freeBytes = freeBytes ?? (() => new DriveInfo(_folder).AvailableFreeSpace);
        _hasBallast = File.Exists(_ballastPath);
        Look();
    }

    /// <summary>Whether less is free than must be. At most a quarter of a second old.</summary>
    public bool IsLow
    {
        get
        {
            if (_clock.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= LookEvery)
                Look();
            return _low;
        }
    }

    /// <summary>The disk is full: gives up the ballast and refuses mail until there is room again.</summary>
    public void Release()
    {
        lock (_lock)
        {
            Tell_NeedsLock(low: true, free: 0);
            Volatile.Write(ref _lookedAt, _clock.GetTimestamp());
            if (!_hasBallast)
                return;
            try
            {
                File.Delete(_ballastPath);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Called by the writer, which must go on; the next full disk tries again.
                LogBallastKept(_log, _ballastPath, e.Message);
                return;
            }
            _hasBallast = false;
            _released = true;
            LogBallastReleased(_log, _options.BallastBytes >> 20);
        }
    }

    void Look()
    {
        // One look is enough; the others go on with the last answer.
        if (!_lock.TryEnter())
            return;
        try
        {
            var free = _freeBytes();
            _blind = false;
            var hasRoomForBallast = free >= _options.EffectiveMinFreeBytes + _options.BallastBytes;
            Tell_NeedsLock(low: free < _options.EffectiveMinFreeBytes || (_released && !hasRoomForBallast), free);
            if (!_hasBallast && _options.BallastBytes > 0 && hasRoomForBallast)
                MakeBallast_NeedsLock();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Whoever asks goes on with the last answer; a disk that is gone fails the write itself.
            if (!_blind)
                LogBlind(_log, _folder, e.Message);
            _blind = true;
        }
        finally
        {
            Volatile.Write(ref _lookedAt, _clock.GetTimestamp());
            _lock.Exit();
        }
    }

    // Said once each way: whoever is woken by "nothing is delivered" finds the reason in the log.
    void Tell_NeedsLock(bool low, long free)
    {
        if (low != _low)
        {
            if (low)
                LogLow(_log, _folder, free >> 20, _options.EffectiveMinFreeBytes >> 20);
            else
                LogEnough(_log, _folder, free >> 20);
        }
        _low = low;
    }

    void MakeBallast_NeedsLock()
    {
        _released = false;
        try
        {
            // Preallocation takes real blocks (posix_fallocate), so that deleting it gives them back.
            var opening = OwnerOnly.Open(FileMode.Create, FileAccess.Write);
            opening.PreallocationSize = _options.BallastBytes;
            using var file = new FileStream(_ballastPath, opening);
            file.SetLength(_options.BallastBytes);
            _hasBallast = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNoBallast(_log, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The disk is full. {Megabytes} MB of reserve were freed for outcomes; no mail is accepted or sent until there is room.")]
    static partial void LogBallastReleased(ILogger log, long megabytes);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "The disk of {Folder} has {Free} MB free, less than {Needed} MB: no mail is accepted or sent until there is more.")]
    static partial void LogLow(ILogger log, string folder, long free, long needed);

    [LoggerMessage(Level = LogLevel.Information, Message = "The disk of {Folder} has {Free} MB free: mail is accepted and sent again.")]
    static partial void LogEnough(ILogger log, string folder, long free);

    [LoggerMessage(Level = LogLevel.Error, Message = "The disk is full, and the reserve {File} could not be freed: {Reason}")]
    static partial void LogBallastKept(ILogger log, string file, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The free space of {Folder} could not be read: {Reason}")]
    static partial void LogBlind(ILogger log, string folder, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reserve file could not be made: {Reason}")]
    static partial void LogNoBallast(ILogger log, string reason);
}
