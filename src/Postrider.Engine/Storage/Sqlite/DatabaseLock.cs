using System.Text;
using Postrider.Messages;

namespace Postrider.Storage.Sqlite;

/// <summary>
/// The right to use a database, held for life: a file beside it that is locked, and that says whether the last user ended in order.
/// A process that was stopped (SIGSTOP) still holds it, so whoever gets it knows that the last one is gone.
/// </summary>
sealed class DatabaseLock : IDisposable
{
    const string InUse = "in use";
    const string Closed = "closed";

    readonly FileStream _file;

    DatabaseLock(FileStream file, string lastWords)
    {
        _file = file;
        WasUsed = lastWords.Length > 0;
        EndedUncleanly = lastWords == InUse;
    }

    /// <summary>A database was here before.</summary>
    public bool WasUsed { get; }

    /// <summary>The last process did not close it: it was killed, lost its power, or stopped on a storage error.</summary>
    public bool EndedUncleanly { get; }

    /// <summary>Throws <see cref="StoreInUseException"/> at once when another process holds it.</summary>
    public static DatabaseLock Take(string databasePath)
    {
        var path = databasePath + ".lock";
        FileStream file;
        try
        {
            // FileShare.None is flock(LOCK_EX | LOCK_NB) on Unix: gone with the process, whatever ends it.
            file = new FileStream(path, OwnerOnly.Open(FileMode.OpenOrCreate, FileAccess.ReadWrite));
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException))
        {
            throw new StoreInUseException($"The database {databasePath} is in use by another process (lock file {path}). "
                + "Stop the other process, or give this one a database of its own (POSTRIDER_STORE).", e);
        }
        Span<byte> words = stackalloc byte[16];
        return new DatabaseLock(file, Encoding.ASCII.GetString(words[..file.ReadAtLeast(words, words.Length, throwOnEndOfStream: false)]));
    }

    /// <summary>Refuses a database that has lost a part since: it would come up empty or older, in silence.</summary>
    public void RefuseWhatIsMissing(string databasePath)
    {
        if (!WasUsed)
            return;
        if (!File.Exists(databasePath) || new FileInfo(databasePath).Length == 0)
            throw new StoreUnusableException(
                $"The database {databasePath} is gone or empty, but was used before. Restore it from a backup; "
                + $"to begin with an empty one, delete {databasePath}.lock as well.");
        if (EndedUncleanly && !File.Exists(databasePath + "-wal"))
            throw new StoreUnusableException(
                $"The database {databasePath} was not closed and its write-ahead log {databasePath}-wal is gone: "
                + "mail that was accepted is missing. Restore both from a backup; "
                + $"to go on with what is left, delete {databasePath}.lock.");
    }

    /// <summary>From here on an end without <see cref="MarkClosed"/> is an unclean one. Called when database and log exist.</summary>
    public void MarkInUse() => Write(InUse);

    public void MarkClosed() => Write(Closed);

    void Write(string words)
    {
        _file.SetLength(0);
        _file.Position = 0;
        _file.Write(Encoding.ASCII.GetBytes(words));
        _file.Flush(flushToDisk: true);
    }

    public void Dispose() => _file.Dispose();
}
