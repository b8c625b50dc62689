using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using Postrider.Messages;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>Copies a database as it is at one moment, while it is written to.</summary>
/// <remarks>The source's connection holds a read transaction from before the first page to after the last, so that every page is of that
/// moment whatever is committed meanwhile; without it SQLite would begin again after each commit. The writer goes on; its log grows until
/// the copy is done.</remarks>
static class DatabaseCopy
{
    /// <summary>2 MB of pages of 8 KB between two looks at whether somebody still wants it.</summary>
    const int PagesAtOnce = 256;

    /// <summary>Reads it back whole when it is done.</summary>
    /// <param name="to">Made anew, for the owner only; deleted where it is not finished.</param>
    /// <param name="step">Pages done and of how many.</param>
    public static void Run(SqliteConnection from, string to, BackupMark mark, Action<int, int> step, CancellationToken ct)
    {
        File.Delete(to);
        try
        {
            new FileStream(to, OwnerOnly.Open(FileMode.CreateNew, FileAccess.Write)).Dispose();
            using var copy = SqliteDatabase.OpenPlain(to);
            CopyPages(from, copy, step, ct);
            // One file and nothing beside it; what is written from here on is the copy's own.
            SqliteDatabase.Set(copy, "journal_mode", "delete");
            mark.Write(copy);
            SqliteDatabase.QuickCheck(copy);
        }
        catch
        {
            File.Delete(to);
            throw;
        }
    }

    static void CopyPages(SqliteConnection from, SqliteConnection to, Action<int, int> step, CancellationToken ct)
    {
        raw.sqlite3_exec(from.Handle!, "BEGIN");
        try
        {
            SqliteDatabase.Setting(from, "schema_version");   // reads: from here on it stands still
            using var backup = raw.sqlite3_backup_init(to.Handle!, "main", from.Handle!, "main");
            int code;
            do
            {
                ct.ThrowIfCancellationRequested();
                code = raw.sqlite3_backup_step(backup, PagesAtOnce);
                var pages = raw.sqlite3_backup_pagecount(backup);
                step(pages - raw.sqlite3_backup_remaining(backup), pages);
            }
            while (code == raw.SQLITE_OK);
            if (code != raw.SQLITE_DONE)
                throw SqliteFault.Of(to.Handle!, code, "backup");
        }
        finally
        {
            raw.sqlite3_exec(from.Handle!, "ROLLBACK");
        }
    }
}

/// <summary>What a copy says of itself. While it is there, no server starts on it: it must be restored first, or mail that was sent since
/// would be sent again without a word.</summary>
/// <param name="At">Unix milliseconds: nothing that was acknowledged before is missing.</param>
/// <param name="Version">Of the program that made it.</param>
public sealed record BackupMark(long At, string Version)
{
    /// <summary>Of the row in <c>installation</c>.</summary>
    const string Name = "backup";

    /// <summary>Null: it is no copy, or was restored.</summary>
    internal static BackupMark? Read(SqliteConnection connection)
    {
        using var select = new Statement(connection.Handle!, $"SELECT value FROM installation WHERE name = '{Name}'");
        return select.With().Step() ? JsonSerializer.Deserialize<BackupMark>(select.Bytes(0)) : null;
    }

    internal void Write(SqliteConnection connection)
    {
        using var put = new Statement(connection.Handle!, $"""
            INSERT INTO installation (name, value) VALUES ('{Name}', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """);
        put.With().AddBlob(JsonSerializer.SerializeToUtf8Bytes(this)).Run();
    }

    internal static void Remove(SqliteConnection connection)
    {
        using var delete = new Statement(connection.Handle!, $"DELETE FROM installation WHERE name = '{Name}'");
        delete.With().Run();
    }

    /// <summary>Notes in the source that there is a copy; the doctor asks for it.</summary>
    internal void WriteDone(SqliteConnection source)
    {
        using var put = new Statement(source.Handle!, $"""
            INSERT INTO installation (name, value) VALUES ('{Inspection.StoreReading.BackedUp}', ?1)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """);
        put.With().AddBlob(Encoding.ASCII.GetBytes(At.ToString(CultureInfo.InvariantCulture))).Run();
    }

    /// <summary>In words, UTC.</summary>
    public string Moment => DateTimeOffset.FromUnixTimeMilliseconds(At).UtcDateTime.ToString("u", CultureInfo.InvariantCulture);
}
