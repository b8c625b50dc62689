using Microsoft.Data.Sqlite;
using Postrider.Messages;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>An error code of SQLite with its words and the statement that met it.</summary>
sealed class SqliteFault(int code, string text) : Exception($"SQLite error {code}: {text}")
{
    /// <summary>The extended result code.</summary>
    public int Code { get; } = code;

    public static SqliteFault Of(sqlite3 db, int code, string doing) =>
        new(Extended(db, code), $"{raw.sqlite3_errmsg(db).utf8_to_string()} ({doing})");

    static int Extended(sqlite3 db, int code) =>
        raw.sqlite3_extended_errcode(db) is not (raw.SQLITE_OK or raw.SQLITE_ROW or raw.SQLITE_DONE) and var extended ? extended : code;

    /// <summary>Another program, such as a shell or a backup, has held the database for longer than we wait. It passes; null: it is
    /// something else.</summary>
    public static StoreUnavailableException? Locked(Exception error) => CodeOf(error) is raw.SQLITE_BUSY or raw.SQLITE_LOCKED
        ? new StoreUnavailableException(
            "Another program holds the database for longer than 5 s: nothing was stored. Let it end; it goes on then.", error)
        : null;

    static int CodeOf(Exception error) => error switch
    {
        SqliteFault fault => fault.Code & 0xFF,
        SqliteException fault => fault.SqliteErrorCode,
        _ => 0,
    };

    public static FaultKind Judge(Exception error) => error switch
    {
        SqliteFault fault => Judge(fault.Code),
        SqliteException fault => Judge(fault.SqliteExtendedErrorCode),
        _ => FaultKind.Work,
    };

    public static FaultKind Judge(int code) => code switch
    {
        // The -shm file could not grow: that is a full disk, no page was lost.
        raw.SQLITE_IOERR_SHMSIZE => FaultKind.DiskFull,
        _ => (code & 0xFF) switch
        {
            raw.SQLITE_IOERR or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => FaultKind.Storage,
            raw.SQLITE_FULL => FaultKind.DiskFull,
            _ => FaultKind.Work,
        },
    };
}
