using Microsoft.Data.Sqlite;
using Postrider.Storage.Rules;
using SQLitePCL;

namespace Postrider.Storage.Sqlite;

/// <summary>The writer's connection with its prepared statements: what a piece of work may use while its transaction runs. Writer thread
/// only.</summary>
sealed class WriteSession : IWriteSession, IDisposable
{
    readonly TimeProvider _clock;
    readonly Statement _begin;
    readonly Statement _commit;
    readonly CounterTable _counters;

    public WriteSession(SqliteConnection connection, TimeProvider clock, AddressKey key)
    {
        _clock = clock;
        Connection = connection;
        Database = connection.Handle!;
        Statements = new Statements(Database);
        _begin = Statements.Prepare("BEGIN IMMEDIATE");
        _commit = Statements.Prepare("COMMIT");
        Messages = new MessageTables(Statements);
        Queue = new QueueTable(Statements);
        Events = new EventTable(Statements);
        _counters = new CounterTable(Statements);
        Suppressions = new SuppressionTable(Statements, clock, key);
        Idempotency = new IdempotencyTable(Statements);
        Search = new SearchIndex(Statements);
        Feedback = new FeedbackTables(Statements);
        Expansions = new ExpansionTable(Statements);
        DeadLetters = new DeadLetterTable(Statements);
    }

    /// <summary>For cold writes: the same connection, inside the same transaction.</summary>
    public SqliteConnection Connection { get; }
    public sqlite3 Database { get; }
    public Statements Statements { get; }
    public MessageTables Messages { get; }
    public QueueTable Queue { get; }
    public EventTable Events { get; }
    public CounterDeltas Counters { get; } = new();
    public AcceptedMessages Accepted { get; } = new();
    public SuppressionTable Suppressions { get; }
    public IdempotencyTable Idempotency { get; }
    public SearchIndex Search { get; }
    public FeedbackTables Feedback { get; }
    public ExpansionTable Expansions { get; }
    public DeadLetterTable DeadLetters { get; }

    public long Now => _clock.GetUtcNow().Ms;

    IMessageTables IWriteSession.Messages => Messages;
    IQueueTable IWriteSession.Queue => Queue;
    IEventTable IWriteSession.Events => Events;
    ISuppressionTable IWriteSession.Suppressions => Suppressions;
    IIdempotencyTable IWriteSession.Idempotency => Idempotency;
    ISearchEntries IWriteSession.Search => Search;
    IFeedbackTables IWriteSession.Feedback => Feedback;
    IExpansionTable IWriteSession.Expansions => Expansions;
    IDeadLetterTable IWriteSession.DeadLetters => DeadLetters;

    public void Begin() => _begin.With().Run();

    public void Commit()
    {
        Accepted.Write(Events, Now);
        _counters.Write(Counters, Now, node: 0);
        Search.BeforeCommit();
        _commit.With().Run();
    }

    public void Rollback()
    {
        Statements.ResetAll();
        Counters.Forget();
        Accepted.Forget();
        Search.AfterRollback();
        // After some errors SQLite has rolled back already.
        if (raw.sqlite3_get_autocommit(Database) == 0 && raw.sqlite3_exec(Database, "ROLLBACK") is not raw.SQLITE_OK and var code)
            throw SqliteFault.Of(Database, code, "ROLLBACK");
    }

    public void Dispose()
    {
        Statements.Dispose();
        Connection.Dispose();
    }
}
