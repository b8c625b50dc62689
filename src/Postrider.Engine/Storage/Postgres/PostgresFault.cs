using System.Net.Sockets;
using Npgsql;
using Postrider.Messages;

namespace Postrider.Storage.Postgres;

/// <summary>What an error of PostgreSQL means, and what to tell who waits.</summary>
static class PostgresFault
{
    public const string DiskFullState = "53100";

    /// <summary>A server that comes back is no fault for good: nothing here ends the process.</summary>
    public static FaultKind Judge(Exception error) => error switch
    {
        PostgresException fault => Judge(fault.SqlState),
        NpgsqlException or IOException or SocketException or TimeoutException => FaultKind.Away,
        _ => FaultKind.Work,
    };

    /// <summary>Over by itself: the server is away, or was busy with the same rows. Who must go on tries again.</summary>
    public static bool IsPassing(Exception error) => Judge(error) == FaultKind.Away || IsCollision(error);

    static FaultKind Judge(string state) => state switch
    {
        DiskFullState => FaultKind.DiskFull,
        // Read-only: the primary has become a standby. Time-outs of a frozen process, and of a server that is too busy.
        PostgresErrorCodes.ReadOnlySqlTransaction or "25P03" or "25P04" or PostgresErrorCodes.QueryCanceled => FaultKind.Away,
        // 08 connection, 53 out of connections or memory, 57 shutting down or starting, 58 input and output, XX damage.
        _ => state[..2] switch
        {
            "08" or "53" or "57" or "58" or "XX" => FaultKind.Away,
            _ => FaultKind.Work,
        },
    };

    /// <summary>Worth trying again on another day's order of transactions: a deadlock, a lock that did not come free.</summary>
    static bool IsCollision(Exception error) => error is PostgresException
    {
        SqlState: PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.LockNotAvailable,
    };

    /// <param name="commitIsOut">The commit was sent and not answered.</param>
    public static Exception Translate(Exception error, bool commitIsOut) => Judge(error) switch
    {
        FaultKind.DiskFull => new StoreUnavailableException(
            "The disk of the database server is full: nothing was stored. Free some space; it goes on when there is enough.", error),
        FaultKind.Away => new StoreUnavailableException(
            $"The database is away: {Words(error)}", error, commitIsOut && MayHaveCommitted(error)),
        FaultKind.Work or FaultKind.Storage => IsCollision(error)
            ? new StoreUnavailableException("The database is busy with the same rows: nothing was stored.", error)
            : error,
    };

    // An error of a statement comes before the commit is looked at; a server that is being stopped may have committed on its way.
    static bool MayHaveCommitted(Exception error) =>
        error is not PostgresException fault || fault.SqlState.StartsWith("57P", StringComparison.Ordinal);

    /// <summary>Plain words and the remedy, where there is one.</summary>
    public static string Words(Exception error) => error switch
    {
        PostgresException { SqlState: PostgresErrorCodes.TooManyConnections } =>
            "the server has no connection free. Raise max_connections there, or lower connections= in POSTRIDER_STORE.",
        PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } =>
            "the server is read-only, a standby. Name all hosts in POSTRIDER_STORE: the primary among them is found.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or "28000" } fault =>
            $"{fault.MessageText}. Check user and password.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } fault => $"{fault.MessageText}. Make it with: createdb NAME",
        PostgresException fault => $"{fault.MessageText} ({fault.SqlState})",
        _ => error.InnerException is { } inner
            ? $"{error.Message} ({(inner is PostgresException fault ? fault.MessageText : inner.Message)})" : error.Message,
    };
}
