using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Doctor;
using Postrider.Messages;
using Postrider.Storage.Inspection;
using Postrider.Storage.Migrations;
using Postrider.Storage.Rules;
using Postrider.Tenants;

namespace Postrider.Storage.Sqlite;

/// <summary>A backup cannot be made or restored; the message says what to do. Nothing was changed.</summary>
public sealed class BackupRefusedException(string message) : Exception(message);

/// <summary>What was restored.</summary>
/// <param name="Aside">Where the database is now that was there before; null: there was none.</param>
/// <param name="AsideEnd">Of the names of all that this restore puts aside.</param>
/// <param name="KeyAside">Where the master key is now that was there before; null: it stays, or there was none.</param>
public sealed record RestoreResult(BackupMark Mark, RestoredMail Mail, string? Aside, string AsideEnd, string? KeyAside = null);

/// <summary>Backups of a SQLite database while no server has it, and their way back.</summary>
public static class Restore
{
    static readonly string[] Parts = ["", "-wal", "-shm", "-journal"];

    /// <summary>Copies a database that no server has. Not a byte of it changes but the note that there is a copy.</summary>
    /// <exception cref="StoreInUseException">A server has it.</exception>
    /// <exception cref="StoreUnusableException">It is damaged or lacks a part.</exception>
    public static BackupMark Copy(string path, string to, string version, TimeProvider clock, Action<int, int> step, CancellationToken ct)
    {
        path = Path.GetFullPath(path);
        if (!File.Exists(path))
            throw new BackupRefusedException($"There is no database {path}: name the data folder with --data, or the database with --store.");
        using var held = DatabaseLock.Take(path);
        held.RefuseWhatIsMissing(path);
        if (held.EndedUncleanly)
            WriteAheadLog.RefuseDamaged(path);
        var mark = new BackupMark(clock.GetUtcNow().Ms, version);
        using (var from = SqliteDatabase.OpenLooking(path))
            DatabaseCopy.Run(from, to, mark, step, ct);
        if (!File.Exists(path + "-wal"))
            using (var note = SqliteDatabase.OpenPlain(path))
                mark.WriteDone(note);
        return mark;
    }

    /// <summary>Reads a copy whole and says when it was made.</summary>
    /// <exception cref="BackupRefusedException">It is no whole copy of ours.</exception>
    public static BackupMark Check(string file)
    {
        try
        {
            using var connection = SqliteDatabase.OpenLooking(Path.GetFullPath(file));
            SqliteDatabase.QuickCheck(connection);
            if (StoreReading.Schema(connection) is { } schema && schema > SqliteMigrations.All.Count)
                throw new BackupRefusedException($"{file} has schema version {schema}, made by a newer Postrider; this one knows up to "
                    + $"{SqliteMigrations.All.Count}. Restore it with the newer program.");
            return BackupMark.Read(connection) ?? throw new BackupRefusedException(
                $"{file} was not made by postrider backup: a file that was copied lacks what was in its write-ahead log. To go on with a database "
                + "that was stopped in order, put it in its place yourself.");
        }
        catch (Exception e) when (e is SqliteException or SqliteFault or StoreUnusableException)
        {
            throw new BackupRefusedException($"{file} is no whole backup: {e.Message}");
        }
    }

    /// <summary>Whether a master key opens a copy's secrets.</summary>
    public static Task<SecretFact> JudgeKeyAsync(string file, MasterKey? key, CancellationToken ct)
    {
        var tables = new ReadingTables(_ => ValueTask.FromResult<DbConnection>(SqliteDatabase.OpenLooking(Path.GetFullPath(file))));
        return StoreInspection.JudgeKeyAsync(tables, key, ct);
    }

    /// <summary>Puts a copy in the place of a database.</summary>
    /// <param name="mayBeSent">False: no server ran since the copy was made.</param>
    /// <param name="replaces">What is there is put aside; else it is a refusal.</param>
    /// <exception cref="StoreInUseException">A server has it.</exception>
    public static async Task<RestoreResult> RunAsync(
        string file, string path, StorageOptions storage, bool mayBeSent, bool replaces, TimeProvider clock, CancellationToken ct)
    {
        path = Path.GetFullPath(path);
        var mark = Check(file);
        OwnerOnly.MakeFolder(Path.GetDirectoryName(path)!);
        using var held = DatabaseLock.Take(path);
        if (!replaces && Parts.FirstOrDefault(part => File.Exists(path + part)) is { } there)
            throw new BackupRefusedException((there == "" ? $"There is a database {path} already."
                : $"Of a database {path} there is {path}{there} still, which holds mail that was accepted.")
                + " With --force it is put aside, beside its old place.");
        // Beside it until it is ready: what was there stays whole if this breaks off.
        var beside = path + ".restoring";
        foreach (var old in Directory.GetFiles(Path.GetDirectoryName(path)!, Path.GetFileName(beside) + "*"))
            File.Delete(old);
        await using (var from = File.OpenRead(file))
        await using (var to = new FileStream(beside, OwnerOnly.Open(FileMode.CreateNew, FileAccess.Write)))
        {
            await from.CopyToAsync(to, ct);
            to.Flush(flushToDisk: true);
        }
        var mail = await SettleAsync(beside, storage, mark, mayBeSent, clock);
        var end = clock.GetUtcNow().UtcDateTime.ToString("'.before-'yyyyMMdd'T'HHmmssfff'Z'", CultureInfo.InvariantCulture);
        var aside = PutAside(path, path + end);
        File.Move(beside, path);
        File.Delete(beside + ".lock");
        File.Delete(beside + ".ballast");
        held.MarkClosed();
        return new RestoreResult(mark, mail, aside, end);
    }

    static async Task<RestoredMail> SettleAsync(string beside, StorageOptions storage, BackupMark mark, bool mayBeSent, TimeProvider clock)
    {
        await using var store = SqliteStore.Open(beside, storage, clock, NullLogger<SqliteStore>.Instance, freeBytes: null, restores: true);
        return await store.SettleRestoredAsync(mark, mayBeSent);
    }

    /// <summary>Moves each part that is there, alone or not: SQLite would replay an old log into what is restored.</summary>
    /// <returns>Where the first of them is now; null: there was none.</returns>
    static string? PutAside(string path, string aside)
    {
        var there = Parts.Where(part => File.Exists(path + part)).ToList();
        if (there.Count == 0)
            return null;
        foreach (var part in there)
            File.Move(path + part, aside + part);
        return aside + there[0];
    }
}
