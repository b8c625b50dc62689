using Npgsql;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>One transaction after another on the writer's connection: rows that were found stay in memory, rows that changed are collected
/// and travel with the next question, or with the commit. Writer thread only.</summary>
/// <remarks>
/// Locks are taken in one order, so that transactions of other writers and nodes wait for each other in a row: ordering keys, messages,
/// queue rows by message and number. Rows that are found by their state (due, orphaned, settled, expired) are taken only where neither they
/// nor their ordering key must be waited for. Whoever holds a queue row alone may change the recipients in its envelope; whoever adds rows
/// or reopens recipients holds the message.
/// </remarks>
sealed class PostgresSession : IWriteSession
{
    readonly TimeProvider _clock;
    readonly Func<int> _writer;
    readonly HashSet<Incarnation> _members = [];
    NpgsqlConnection? _connection;
    Trip _next = new();
    bool _begun;

    /// <param name="eventIds">Of the node, shared by its writers.</param>
    /// <param name="writer">A number that no other writer of the cluster has.</param>
    public PostgresSession(TimeProvider clock, MessageIds eventIds, Func<int> writer, AddressKey key)
    {
        (_clock, _writer) = (clock, writer);
        MessageRows = new MessageRows(this);
        QueueRows = new QueueRows(this);
        EventRows = new EventRows(this, eventIds);
        SuppressionRows = new SuppressionRows(this, key);
        IdempotencyRows = new IdempotencyRows(this);
        FeedbackRows = new FeedbackRows(this);
        ExpansionRows = new ExpansionRows(this);
        Tags = new TagRows();
        DeadLetters = new DeadLetterRows();
    }

    public long Now => _clock.GetUtcNow().Ms;
    public MessageRows MessageRows { get; }
    public QueueRows QueueRows { get; }
    public EventRows EventRows { get; }
    public SuppressionRows SuppressionRows { get; }
    public IdempotencyRows IdempotencyRows { get; }
    public FeedbackRows FeedbackRows { get; }
    public ExpansionRows ExpansionRows { get; }
    public TagRows Tags { get; }
    public DeadLetterRows DeadLetters { get; }
    public CounterDeltas Counters { get; } = new();
    public AcceptedMessages Accepted { get; } = new();
    public AstrayLeases Astray { get; } = new();

    IMessageTables IWriteSession.Messages => MessageRows;
    IQueueTable IWriteSession.Queue => QueueRows;
    IEventTable IWriteSession.Events => EventRows;
    ISuppressionTable IWriteSession.Suppressions => SuppressionRows;
    IIdempotencyTable IWriteSession.Idempotency => IdempotencyRows;
    ISearchEntries IWriteSession.Search => Tags;
    IFeedbackTables IWriteSession.Feedback => FeedbackRows;
    IExpansionTable IWriteSession.Expansions => ExpansionRows;
    IDeadLetterTable IWriteSession.DeadLetters => DeadLetters;

    /// <summary>The commit left, and no answer has come: who was told of an error does not know.</summary>
    public bool CommitIsOut { get; private set; }

    /// <summary>Before it is asked what a transaction needs.</summary>
    public void Prepare()
    {
        Astray.Begin(isLastInDoubt: CommitIsOut);
        CommitIsOut = false;
        Forget();
    }

    /// <summary>Begins a transaction on an open connection and finds what is needed.</summary>
    public void Begin(NpgsqlConnection connection, Needs needs)
    {
        _connection = connection;
        if (needs.Strangers.Count > 0)
            Ask("SELECT tenant, ordering_key FROM messages WHERE id = ANY($1) AND ordering_key IS NOT NULL",
                row => needs.Ordering(row.GetInt32(0), row.GetString(1)), Sql.Longs([.. needs.Strangers]));
        foreach (var (tenant, key) in needs.OrderingKeys.OrderBy(k => k.Tenant).ThenBy(k => k.Key, StringComparer.Ordinal))
            Lock(tenant, key);
        foreach (var owner in needs.Owners)
            _next.Read(Member, _ => _members.Add(owner), Sql.Int(owner.Node), Sql.Long(owner.Number));
        ExpansionRows.Prefetch(_next, needs);
        IdempotencyRows.Prefetch(_next, needs);
        SuppressionRows.Prefetch(_next, needs);
        MessageRows.Lock(_next, needs.Messages);
        QueueRows.Prefetch(_next, needs);
        FeedbackRows.Prefetch(_next, needs);
        EventRows.Prefetch(_next, needs);
        if (!_next.IsEmpty)
            Send();
    }

    // FOR SHARE: who declares this node dead waits for us, or we see that it did.
    public const string Member = "SELECT 1 FROM nodes WHERE id = $1 AND incarnation = $2 AND alive FOR SHARE";

    /// <summary>Whether a node is a member for as long as this transaction runs. Asked in <see cref="Needs.Owners"/>.</summary>
    public bool IsMember(Incarnation owner) => _members.Contains(owner);

    /// <summary>A question beside those of <see cref="Begin"/>. What was written before is seen by it.</summary>
    public void Ask(string sql, Action<NpgsqlDataReader> row, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        Write();
        _next.Read(sql, row, parameters);
        Send();
    }

    public void Ask(Trip questions)
    {
        Write();
        _next.Append(questions);
        Send();
    }

    /// <summary>Finds the recipients of several messages at once, whose queue rows are held.</summary>
    public void AskRecipients(IEnumerable<long> messages)
    {
        var unknown = messages.Where(m => !MessageRows.Knows(m)).Distinct().ToList();
        if (unknown.Count == 0)
            return;
        var trip = new Trip();
        MessageRows.Prefetch(trip, unknown);
        Ask(trip);
    }

    /// <summary>Adds a statement without rows to what is sent next, on rows that nothing collected here is about.</summary>
    public void Later(string sql, params ReadOnlySpan<NpgsqlParameter> parameters) => _next.Add(sql, parameters);

    /// <summary>Holds an ordering key until the transaction ends.</summary>
    public void Lock(int tenant, string orderingKey) =>
        _next.Read("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", _ => { }, Sql.Text($"{tenant} {orderingKey}"));

    /// <summary>For rows that are found, not named: true where they have no ordering key, or theirs could be held without waiting. Whoever
    /// holds a row with a key thus holds the key, and nobody waits for a key with a row in his hands.</summary>
    public const string HoldsKey = """
        CASE WHEN q.ordering_key IS NULL THEN true
            ELSE pg_try_advisory_xact_lock(hashtextextended(q.tenant || ' ' || q.ordering_key, 0)) END
        """;

    /// <summary>Writes what was collected, and commits.</summary>
    public void Commit()
    {
        Accepted.Write(EventRows, Now);
        Write();
        WriteCounters();
        if (!_begun && _next.IsEmpty)
            return;
        _next.Add("COMMIT");
        CommitIsOut = true;
        Send();
        CommitIsOut = false;
        Astray.Committed();
        Forget();
    }

    /// <summary>Forgets what was found and collected.</summary>
    public void Forget()
    {
        _begun = false;
        _next = new Trip();
        _members.Clear();
        Counters.Forget();
        Accepted.Forget();
        MessageRows.Forget();
        QueueRows.Forget();
        EventRows.Forget();
        SuppressionRows.Forget();
        IdempotencyRows.Forget();
        FeedbackRows.Forget();
        ExpansionRows.Forget();
        Tags.Forget();
        DeadLetters.Forget();
    }

    /// <summary>Adds what was collected to what is sent next.</summary>
    public void Write()
    {
        MessageRows.Write(_next);
        QueueRows.Write(_next);
        Tags.Write(_next);
        DeadLetters.Write(_next);
        EventRows.Write(_next);
        SuppressionRows.Write(_next);
        IdempotencyRows.Write(_next);
        ExpansionRows.Write(_next);
    }

    void Send()
    {
        var trip = _next;
        _next = new Trip();
        if (!_begun)
        {
            var first = new Trip();
            first.Add("BEGIN");
            first.Append(trip);
            trip = first;
            _begun = true;
        }
        trip.Run(_connection!);
    }

    void WriteCounters()
    {
        var rows = Counters.Take(Now);
        if (rows.Count == 0)
            return;
        _next.Add("""
            INSERT INTO counters (scope, state, hour, node, delta)
            SELECT scope, state, hour, $5, delta FROM unnest($1, $2, $3, $4) AS c (scope, state, hour, delta)
            ON CONFLICT (scope, state, hour, node) DO UPDATE SET delta = counters.delta + excluded.delta
            """, Sql.Longs(rows.ConvertAll(r => r.Scope)), Sql.Ints(rows.ConvertAll(r => r.State)), Sql.Longs(rows.ConvertAll(r => r.Hour)),
            Sql.Longs(rows.ConvertAll(r => r.Delta)), Sql.Int(_writer()));
    }
}
