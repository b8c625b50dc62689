using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>The statements on <c>queue</c>, the only arbiter of who may attempt what.</summary>
sealed class QueueTable(Statements statements) : IQueueTable
{
    readonly Statement _insert = statements.Prepare($"""
        INSERT INTO queue ({QueueRow.Columns})
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)
        """);

    readonly Statement _find = statements.Prepare($"SELECT {QueueRow.Columns} FROM queue WHERE message = ?1 AND n = ?2");

    readonly Statement _ofMessage = statements.Prepare($"SELECT {QueueRow.Columns} FROM queue WHERE message = ?1 ORDER BY n");

    readonly Statement _update = statements.Prepare("""
        UPDATE queue SET gate = ?3, due = ?4, expires = ?5, state = ?6, phase = ?7, wait = ?8, claim = ?9, node = ?10, incarnation = ?11,
            recipients = ?12, tries = ?13, deferrals = ?14, rounds = ?15, suspect = ?16, cancelled = ?17, history = ?18
        WHERE message = ?1 AND n = ?2
        """);

    readonly Statement _delete = statements.Prepare("DELETE FROM queue WHERE message = ?1 AND n = ?2");

    // The fence: a lease that was lost deletes nothing.
    readonly Statement _deleteClaimed = statements.Prepare("""
        DELETE FROM queue WHERE message = ?1 AND n = ?2 AND state = 2 AND claim = ?3 AND node = ?4 AND incarnation = ?5
        """);

    public const string SelectDue = $"""
        SELECT {QueueRow.Columns} FROM queue INDEXED BY queue_due
        WHERE state = 1 AND route = ?1 AND stream = ?2 AND tenant = ?3 AND gate = ?4 AND due <= ?5 ORDER BY due, message, n LIMIT ?6
        """;

    readonly Statement _due = statements.Prepare(SelectDue);

    readonly Statement _lease = statements.Prepare("""
        UPDATE queue SET state = 2, phase = 0, wait = 0, claim = claim + 1, tries = tries + 1, node = ?3, incarnation = ?4
        WHERE message = ?1 AND n = ?2
        """);

    public const string SelectLeased =
        $"SELECT {QueueRow.Columns} FROM queue INDEXED BY queue_leased WHERE state = 2 AND node = ?1 AND incarnation <> ?2";
    public const string SelectSettled =
        $"SELECT {QueueRow.Columns} FROM queue INDEXED BY queue_unknown WHERE state = 3 AND due <= ?1 ORDER BY due LIMIT ?2";
    public const string SelectExpired =
        $"SELECT {QueueRow.Columns} FROM queue INDEXED BY queue_expires WHERE state = 1 AND expires <= ?1 ORDER BY expires LIMIT ?2";

    // Ids of others may lie between those of a batch.
    public const string SelectOfBatch = $"""
        SELECT {QueueRow.Columns} FROM queue
        WHERE message BETWEEN ?1 AND ?2 AND EXISTS (SELECT 1 FROM messages m WHERE m.id = message AND m.batch = ?4)
        """;

    readonly Statement _ofBatch = statements.Prepare($"{SelectOfBatch} AND cancelled = 0 ORDER BY message, n LIMIT ?3");
    readonly Statement _pausedOfBatch =
        statements.Prepare($"{SelectOfBatch} AND +state = 1 AND +wait = {(int)WaitReason.Paused} ORDER BY message, n LIMIT ?3");
    readonly Statement _leased = statements.Prepare(SelectLeased);
    readonly Statement _settled = statements.Prepare(SelectSettled);
    readonly Statement _expired = statements.Prepare(SelectExpired);

    readonly Statement _commitPoint = statements.Prepare("""
        UPDATE queue SET phase = 1, history = ?7
        WHERE message = ?1 AND n = ?2 AND state = 2 AND phase = 0 AND claim = ?3 AND node = ?4 AND incarnation = ?5 AND cancelled = 0
            AND expires > ?6
        """);

    public const string SelectOrdered = """
        SELECT message, n, state, suspect FROM queue INDEXED BY queue_ordering
        WHERE tenant = ?1 AND ordering_key = ?2 AND ordering_key IS NOT NULL AND {0} ORDER BY message, n LIMIT 1
        """;

    readonly Statement _firstBehind = statements.Prepare(SelectOrdered.Replace("{0}", "gate = 2", StringComparison.Ordinal));
    readonly Statement _inFront = statements.Prepare(SelectOrdered.Replace("{0}", "gate < 2", StringComparison.Ordinal));
    readonly Statement _setGate = statements.Prepare("UPDATE queue SET gate = ?3 WHERE message = ?1 AND n = ?2");

    public void Insert(QueueRow row) => _insert.With()
        .Add(row.Message).Add(row.N).Add(row.Tenant).AddText(row.Route).Add((long)row.Stream).Add((long)row.Gate).Add(row.Due)
        .Add(row.Expires).Add((long)row.State).Add(row.PastCommitPoint).Add((long)row.Wait).Add(row.Claim)
        .Add(row.Owner?.Node).Add(row.Owner?.Number).Add(row.Recipients).Add(row.Tries).Add(row.Deferrals).Add(row.Rounds)
        .Add(row.Suspect).Add(row.Generation)
        .Add((long)row.OnAmbiguous).Add(row.Cancelled).AddText(row.OrderingKey).AddBlob(row.History).Run();

    public void Update(QueueRow row) => _update.With()
        .Add(row.Message).Add(row.N).Add((long)row.Gate).Add(row.Due).Add(row.Expires).Add((long)row.State).Add(row.PastCommitPoint)
        .Add((long)row.Wait).Add(row.Claim).Add(row.Owner?.Node).Add(row.Owner?.Number).Add(row.Recipients).Add(row.Tries)
        .Add(row.Deferrals).Add(row.Rounds).Add(row.Suspect).Add(row.Cancelled).AddBlob(row.History).Run();

    public QueueRow? Find(EnvelopeId id)
    {
        _find.With().Add(id.Message.Value).Add(id.N);
        if (!_find.Step())
            return null;
        var row = Read(_find);
        _find.Reset();
        return row;
    }

    public List<QueueRow> OfMessage(long message) => ReadAll(_ofMessage.With().Add(message));

    public List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit) => ReadAll(_due.With()
        .AddText(key.Route).Add((long)key.Stream).Add(key.Tenant.Value).Add((long)gate).Add(now).Add(limit));

    /// <summary>Leases of other incarnations of the same node.</summary>
    public List<QueueRow> Orphaned(Incarnation owner) => ReadAll(_leased.With().Add(owner.Node).Add(owner.Number));

    public List<QueueRow> Settled(long now, int limit) => ReadAll(_settled.With().Add(now).Add(limit));
    public List<QueueRow> Expired(long now, int limit) => ReadAll(_expired.With().Add(now).Add(limit));

    public (List<QueueRow> Rows, bool HasMore) OfBatch(long batch, long first, long last, bool waitsPaused, int limit)
    {
        var rows = ReadAll((waitsPaused ? _pausedOfBatch : _ofBatch).With().Add(first).Add(last).Add(limit).Add(batch));
        return (rows, rows.Count == limit);
    }

    /// <summary>Takes the row for <paramref name="owner"/>, in the database and in the object.</summary>
    public void Lease(QueueRow row, Incarnation owner)
    {
        _lease.With().Add(row.Message).Add(row.N).Add(owner.Node).Add(owner.Number).Run();
        (row.State, row.PastCommitPoint, row.Wait, row.Owner) = (RecipientState.Leased, false, WaitReason.None, owner);
        row.Claim++;
        row.Tries++;
    }

    /// <summary>False: the lease was lost, nothing was deleted.</summary>
    public bool DeleteClaimed(Lease lease) => _deleteClaimed.With()
        .Add(lease.Envelope.Id.Message.Value).Add(lease.Envelope.Id.N).Add(lease.Envelope.Claim).Add(lease.Owner.Node)
        .Add(lease.Owner.Number).RunCounting() == 1;

    public bool PassCommitPoint(Lease lease, byte[]? history, long now) => _commitPoint.With()
        .Add(lease.Envelope.Id.Message.Value).Add(lease.Envelope.Id.N).Add(lease.Envelope.Claim).Add(lease.Owner.Node)
        .Add(lease.Owner.Number).Add(now).AddBlob(history).RunCounting() == 1;

    public void Delete(QueueRow row) => _delete.With().Add(row.Message).Add(row.N).Run();

    public OrderedRow? FirstOrdered(int tenant, string orderingKey, bool behind)
    {
        var statement = (behind ? _firstBehind : _inFront).With().Add(tenant).AddText(orderingKey);
        if (!statement.Step())
            return null;
        var row = new OrderedRow(statement.Long(0), statement.Int(1), (RecipientState)statement.Int(2), statement.Int(3));
        statement.Reset();
        return row;
    }

    public void SetGate(OrderedRow row, Gate gate) => _setGate.With().Add(row.Message).Add(row.N).Add((long)gate).Run();

    static QueueRow Read(Statement row) => new()
    {
        Message = row.Long(0),
        N = row.Int(1),
        Tenant = row.Int(2),
        Route = row.Text(3),
        Stream = (MailStream)row.Int(4),
        Gate = (Gate)row.Int(5),
        Due = row.Long(6),
        Expires = row.Long(7),
        State = (RecipientState)row.Int(8),
        PastCommitPoint = row.Bool(9),
        Wait = (WaitReason)row.Int(10),
        Claim = row.Int(11),
        Owner = row.IsNull(12) ? null : new Incarnation(row.Int(12), row.Long(13)),
        Recipients = row.Int(14),
        Tries = row.Int(15),
        Deferrals = row.Int(16),
        Rounds = row.Int(17),
        Suspect = row.Int(18),
        Generation = row.Int(19),
        OnAmbiguous = (AmbiguityPolicy)row.Int(20),
        Cancelled = row.Bool(21),
        OrderingKey = row.TextOrNull(22),
        History = row.BlobOrNull(23),
    };

    static List<QueueRow> ReadAll(Statement statement)
    {
        var rows = new List<QueueRow>();
        while (statement.Step())
            rows.Add(Read(statement));
        return rows;
    }
}
