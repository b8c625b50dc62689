using Postrider.Doctor;
using Postrider.Messages;
using Postrider.Storage;
using Postrider.Storage.Postgres;
using Postrider.Storage.Sqlite;
using Postrider.Tenants;

namespace Postrider.Hosting;

/// <summary>Backups of the installation and their way back, with the settings of its server.</summary>
static class Backups
{
    /// <summary>What holds the master key beside a backup.</summary>
    public const string KeyEnd = ".key";

    /// <summary>For who has PostgreSQL.</summary>
    public const string OfPostgres = "The mail is in PostgreSQL, which makes its own backups: pg_dump --format=custom --file=FILE for one moment, "
        + "or a base backup and the write-ahead log (pg_basebackup, archive_command) to come back to any moment. Keep the master key with it. "
        + "docs/backup.md says how, and what to do after a restore.";

    /// <summary>What ended it, in words and with an exit code.</summary>
    public sealed class Failure(int exitCode, string message) : Exception(message)
    {
        public int ExitCode => exitCode;
    }

    public static bool IsOfPostgres(PostriderOptions options) => PostgresDsn.IsDsn(options.Store);

    /// <summary>A copy of a database that no server has.</summary>
    public static BackupMark CopyStopped(
        PostriderOptions options, string to, Action<int, int> step, CancellationToken ct) => Guarded(() =>
        Restore.Copy(Stores.SqlitePath(options), to, ThisProcess.Version, TimeProvider.System, step, ct));

    /// <summary>Reads a backup whole.</summary>
    public static BackupMark Check(string file) => Guarded(() => Restore.Check(file));

    /// <summary>The master key that opens what is in a backup, as text for a file; null: none of this machine does.</summary>
    public static async Task<string?> KeyTextAsync(PostriderOptions options, string backup, CancellationToken ct)
    {
        if (KeyHere.Find(options) is not { } key || await Restore.JudgeKeyAsync(backup, key, ct) != SecretFact.Fits)
            return null;
        return await KeyHere.ReadTextAsync(options, ct);
    }

    /// <summary>Puts a backup in place, with its key where that lies beside it.</summary>
    public static async Task<RestoreResult> RestoreAsync(
        LoadedConfiguration configuration, string file, bool mayBeSent, bool replaces, CancellationToken ct)
    {
        var options = configuration.Get<PostriderOptions>();
        try
        {
            Restore.Check(file);
            var place = await KeyToPlaceAsync(options, file, replaces, ct);
            var result = await Restore.RunAsync(
                file, Stores.SqlitePath(options), configuration.Get<StorageOptions>(), mayBeSent, replaces, TimeProvider.System, ct);
            if (place is { } key)
            {
                if (File.Exists(key.Path))
                {
                    // Never over another: it may be the only copy of a key that older databases need.
                    result = result with { KeyAside = key.Path + result.AsideEnd };
                    File.Move(key.Path, result.KeyAside);
                }
                OwnerOnly.MakeFolder(Path.GetFullPath(options.Data));
                SecretFiles.Write(key.Path, key.Content);
            }
            return result;
        }
        catch (Exception e) when (ExitCodeOf(e) is { } exitCode)
        {
            throw new Failure(exitCode, e.Message);
        }
    }

    /// <summary>The key that is to be put into the data folder; null: the right one is given already.</summary>
    static async Task<(string Path, byte[] Content)?> KeyToPlaceAsync(
        PostriderOptions options, string file, bool replaces, CancellationToken ct)
    {
        var here = KeyHere.Find(options);
        if (await Restore.JudgeKeyAsync(file, here, ct) is SecretFact.Fits or SecretFact.Unknown)
            return null;
        if (!File.Exists(file + KeyEnd))
            throw new BackupRefusedException((here is null ? "There is no master key here" : "The master key here is another one")
                + $", and no {file}{KeyEnd}: the secrets in the backup could not be read. Give the key that the server had then in "
                + "POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE, or put its file master.key into the data folder.");
        var content = await File.ReadAllBytesAsync(file + KeyEnd, ct);
        var beside = MasterKey.Parse(System.Text.Encoding.ASCII.GetString(content), $"The master key in {file}{KeyEnd}");
        if (await Restore.JudgeKeyAsync(file, beside, ct) != SecretFact.Fits)
            throw new BackupRefusedException($"{file}{KeyEnd} is not the master key of {file}: one of them is of another backup.");
        if (KeyHere.IsGiven(options))
            throw new BackupRefusedException("The master key in POSTRIDER_MASTER_KEY or POSTRIDER_MASTER_KEY_FILE is another one than "
                + $"{file}{KeyEnd}: set it to that, or leave it out.");
        var path = KeyHere.OwnFile(options);
        return !File.Exists(path) || replaces ? (path, content)
            : throw new BackupRefusedException($"{path} is another master key than {file}{KeyEnd}. With --force it is put aside.");
    }

    static T Guarded<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (ExitCodeOf(e) is { } exitCode)
        {
            throw new Failure(exitCode, e.Message);
        }
    }

    static int? ExitCodeOf(Exception e) => e switch
    {
        BackupRefusedException or StoreInUseException => ExitCodes.Refused,
        MasterKeyException => ExitCodes.Configuration,
        StoreUnusableException or StoreUnavailableException or IOException or UnauthorizedAccessException => ExitCodes.Storage,
        _ => null,
    };
}

/// <summary>Backups that the running server makes, one at a time.</summary>
sealed class RunningBackup(IServiceProvider services)
{
    int _running;

    /// <summary>A copy as of this moment or a little later; it is gone when the stream is closed. Else why there is none.</summary>
    public async Task<(Stream? Copy, string? Refusal)> MakeAsync(CancellationToken ct)
    {
        if (services.GetService<SqliteStore>() is not { } store)
            return (null, Backups.OfPostgres);
        if (Interlocked.Exchange(ref _running, 1) == 1)
            return (null, "Another backup is being made. Wait until it is done.");
        try
        {
            var (path, _) = await store.CopyAsync(ThisProcess.Version, ct);
            return (new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16,
                FileOptions.DeleteOnClose | FileOptions.SequentialScan | FileOptions.Asynchronous), null);
        }
        catch (IOException noRoom)
        {
            return (null, $"{noRoom.Message} Free some space.");
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }
}
