using Npgsql;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>The queue rows of a running transaction: every one that was found is held until it ends.</summary>
sealed class QueueRows(PostgresSession session) : IQueueTable
{
    enum Change : byte { Insert, Update, Delete }

    // With the head of the message, which the counters need anyway.
    const string Select = $"""
        SELECT q.message, q.n, q.tenant, q.route, q.stream, q.gate, q.due, q.expires, q.state, q.phase, q.wait, q.claim, q.node,
            q.incarnation, q.recipients, q.tries, q.deferrals, q.rounds, q.suspect, q.generation, q.on_ambiguous, q.cancelled,
            q.ordering_key, q.history, {MessageRows.HeadColumns}
        FROM queue q JOIN messages m ON m.id = q.message
        """;

    const int HeadAt = 24;

    // The waiting ones of a key are in the order of queue_due. SKIP LOCKED: nodes pass each other instead of waiting.
    public const string SelectDue = $"""
        {Select} WHERE q.state = 1 AND q.route = $1 AND q.stream = $2 AND q.tenant = $3 AND q.gate = $4 AND q.due <= $5
            AND {PostgresSession.HoldsKey}
        ORDER BY q.route, q.stream, q.tenant, q.gate, q.due, q.message, q.n LIMIT $6 FOR UPDATE OF q SKIP LOCKED
        """;

    // By queue_leased: as many rows as are under way. Who is a member decides alone: a node whose number is another's by now, and that has
    // not heard of it, must not take the other's leases for its own of before. Keys of rows that are nobody's to sweep are not touched,
    // whichever condition the planner looks at first.
    public const string SelectOrphaned = $"""
        {Select} WHERE q.state = 2
            AND NOT EXISTS (SELECT 1 FROM nodes o WHERE o.id = q.node AND o.incarnation = q.incarnation AND o.alive)
            AND CASE WHEN q.ordering_key IS NULL THEN true
                WHEN NOT EXISTS (SELECT 1 FROM nodes o WHERE o.id = q.node AND o.incarnation = q.incarnation AND o.alive)
                THEN {PostgresSession.HoldsKey} ELSE false END
        LIMIT $1 FOR UPDATE OF q SKIP LOCKED
        """;
    const string SelectMembers = "SELECT id, incarnation FROM nodes WHERE alive";

    public const string SelectSettled = $"""
        {Select} WHERE q.state = 3 AND q.due <= $1 AND {PostgresSession.HoldsKey} ORDER BY q.due LIMIT $2 FOR UPDATE OF q SKIP LOCKED
        """;
    public const string SelectExpired = $"""
        {Select} WHERE q.state = 1 AND q.expires <= $1 AND {PostgresSession.HoldsKey}
        ORDER BY q.expires LIMIT $2 FOR UPDATE OF q SKIP LOCKED
        """;

    // Ids of others may lie between those of a batch.
    const string SelectOfBatch = $"""
        {Select} WHERE q.message BETWEEN $1 AND $2 AND NOT q.cancelled
            AND EXISTS (SELECT 1 FROM messages b WHERE b.id = q.message AND b.batch = $4)
        """;
    const string InOrder = "ORDER BY q.message, q.n LIMIT $3 FOR UPDATE OF q SKIP LOCKED";

    static string SelectOf(bool waitsPaused) =>
        waitsPaused ? $"{SelectOfBatch} AND q.state + 0 = 1 AND q.wait + 0 = {(int)WaitReason.Paused}" : SelectOfBatch;

    public static string TakeOfBatch(bool waitsPaused) => $"{SelectOf(waitsPaused)} AND {PostgresSession.HoldsKey} {InOrder}";

    /// <summary>By queue_ordering.</summary>
    public static string SelectFirst(bool behind) => $"""
        SELECT message, n, state, suspect FROM queue
        WHERE tenant = $1 AND ordering_key = $2 AND ordering_key IS NOT NULL AND gate {(behind ? "=" : "<")} 2
        ORDER BY tenant, ordering_key, message, n LIMIT 1 FOR UPDATE
        """;

    public const string SelectOfMessages = $"{Select} WHERE q.message = ANY($1) ORDER BY q.message, q.n FOR UPDATE OF q";
    public const string SelectRows = $"""
        {Select} JOIN unnest($1, $2) AS c (message, n) ON q.message = c.message AND q.n = c.n
        ORDER BY q.message, q.n FOR UPDATE OF q
        """;

    // Where several of the statements below lock rows, they would do so in several orders: this one comes before them.
    public const string LockAll = "SELECT 1 FROM queue q WHERE q.message = ANY($1) ORDER BY q.message, q.n FOR UPDATE";

    // The fence: a lease that was lost deletes nothing. The recipients of what is deleted come with it. state + 0: by the key, not by the
    // index of all that this node has leased.
    public const string DeleteClaims = """
        WITH gone AS (
            DELETE FROM queue q USING unnest($1, $2, $3, $4, $5) AS c (message, n, claim, node, incarnation)
            WHERE q.message = c.message AND q.n = c.n AND q.state + 0 = 2 AND q.claim = c.claim AND q.node = c.node
                AND q.incarnation = c.incarnation
            RETURNING q.message, q.n, q.claim)
        SELECT g.message, g.n, g.claim, r.message, r.n, r.envelope, r.address, r.state, r.tries, r.generation, r.held, r.updated
        FROM gone g JOIN recipients r ON r.message = g.message ORDER BY r.message, r.n
        """;

    /// <summary>Rows one sweep takes; the next one goes on.</summary>
    public const int SweepLimit = 500;

    readonly Dictionary<(long Message, int N), QueueRow> _rows = [];
    readonly HashSet<long> _complete = [];   // messages all of whose rows are in _rows
    readonly Dictionary<(long Message, int N), (Change Kind, QueueRow Row)> _writes = [];
    readonly Dictionary<DueRequest, List<QueueRow>> _due = [];
    readonly HashSet<(long Message, int N, int Claim)> _deleted = [];
    readonly Dictionary<(long Message, int N), Gate> _gates = [];

    public void Prefetch(Trip trip, Needs needs)
    {
        if ((needs.Messages.Count > 0 ? 1 : 0) + (needs.Rows.Count > 0 ? 1 : 0) + (needs.Claims.Count > 0 ? 1 : 0) > 1)
            trip.Read(LockAll, _ => { }, Sql.Longs([.. needs.Messages.Concat(needs.Rows.Select(r => r.Message.Value))
                .Concat(needs.Claims.Select(l => l.Envelope.Id.Message.Value)).Distinct()]));
        if (needs.Messages.Count > 0)
            trip.Read(SelectOfMessages, row => See(row), Sql.Longs([.. needs.Messages]));
        _complete.UnionWith(needs.Messages);
        var rows = needs.Rows.Where(r => !needs.Messages.Contains(r.Message.Value)).ToList();
        if (rows.Count > 0)
            trip.Read(SelectRows, row => See(row), Sql.Longs(rows.ConvertAll(r => r.Message.Value)), Sql.Ints(rows.ConvertAll(r => r.N)));
        PrefetchClaims(trip, needs);
        foreach (var request in needs.Due.DistinctBy(r => (r.Key, r.Gate)))
            AskDue(trip, request);
        // Only now: who holds the queue rows is alone with the recipients.
        session.MessageRows.Prefetch(trip, needs.Messages);
        session.MessageRows.Prefetch(trip, [.. rows.Select(r => r.Message.Value).Distinct()]);
    }

    void PrefetchClaims(Trip trip, Needs needs)
    {
        var claims = needs.Claims
            .Where(l => !needs.Messages.Contains(l.Envelope.Id.Message.Value) && !needs.Rows.Contains(l.Envelope.Id))
            .OrderBy(l => l.Envelope.Id.Message.Value).ThenBy(l => l.Envelope.Id.N).ToList();
        if (claims.Count == 0)
            return;
        trip.Read(DeleteClaims, row =>
        {
            _deleted.Add((row.GetInt64(0), row.GetInt32(1), row.GetInt32(2)));
            session.MessageRows.SeeRecipient(row, 3);
        }, Sql.Longs(claims.ConvertAll(l => l.Envelope.Id.Message.Value)), Sql.Ints(claims.ConvertAll(l => l.Envelope.Id.N)),
            Sql.Ints(claims.ConvertAll(l => l.Envelope.Claim)), Sql.Ints(claims.ConvertAll(l => l.Owner.Node)),
            Sql.Longs(claims.ConvertAll(l => l.Owner.Number)));
    }

    void AskDue(Trip trip, DueRequest request)
    {
        var found = _due[request] = [];
        var key = request.Key;
        trip.Read(SelectDue, row => found.Add(See(row)), Sql.Text(key.Route), Sql.Int((int)key.Stream), Sql.Int(key.Tenant.Value),
            Sql.Int((int)request.Gate), Sql.Long(request.Now), Sql.Int(request.Limit));
    }

    /// <summary>Takes a row that was found. One that is known stays as it is here: it is held, so nobody else changed it.</summary>
    QueueRow See(NpgsqlDataReader row)
    {
        session.MessageRows.See(row, HeadAt);
        var key = (row.GetInt64(0), row.GetInt32(1));
        if (_rows.TryGetValue(key, out var known))
            return known;
        return _rows[key] = new QueueRow
        {
            Message = key.Item1,
            N = key.Item2,
            Tenant = row.GetInt32(2),
            Route = row.GetString(3),
            Stream = (MailStream)row.GetInt16(4),
            Gate = (Gate)row.GetInt16(5),
            Due = row.GetInt64(6),
            Expires = row.GetInt64(7),
            State = (RecipientState)row.GetInt16(8),
            PastCommitPoint = row.GetBoolean(9),
            Wait = (WaitReason)row.GetInt16(10),
            Claim = row.GetInt32(11),
            Owner = row.IsDBNull(12) ? null : new Incarnation(row.GetInt32(12), row.GetInt64(13)),
            Recipients = row.GetInt32(14),
            Tries = row.GetInt32(15),
            Deferrals = row.GetInt32(16),
            Rounds = row.GetInt32(17),
            Suspect = row.GetInt32(18),
            Generation = row.GetInt32(19),
            OnAmbiguous = (AmbiguityPolicy)row.GetInt16(20),
            Cancelled = row.GetBoolean(21),
            OrderingKey = row.TextOrNull(22),
            History = row.BytesOrNull(23),
        };
    }

    public QueueRow? Find(EnvelopeId id)
    {
        var key = (id.Message.Value, id.N);
        if (_rows.TryGetValue(key, out var known))
            return known;
        if (_complete.Contains(id.Message.Value) || _writes.ContainsKey(key))
            return null;
        session.Ask(SelectRows, row => See(row), Sql.Longs([id.Message.Value]), Sql.Ints([id.N]));
        return _rows.GetValueOrDefault(key);
    }

    public List<QueueRow> OfMessage(long message)
    {
        if (_complete.Add(message))
            session.Ask(SelectOfMessages, row => See(row), Sql.Longs([message]));
        return [.. _rows.Values.Where(r => r.Message == message).OrderBy(r => r.N)];
    }

    public List<QueueRow> Due(QueueKey key, Gate gate, long now, int limit)
    {
        var request = new DueRequest(key, gate, now, limit);
        if (!_due.Remove(request, out var found))
        {
            var trip = new Trip();
            AskDue(trip, request);
            session.Ask(trip);
            _due.Remove(request, out found);
        }
        // Rows of an earlier answer may have been leased meanwhile, by us.
        found!.RemoveAll(r => r.State != RecipientState.Queued || !_rows.ContainsKey((r.Message, r.N)));
        if (session.SuppressionRows.AnyFor(key.Tenant.Value))
            session.SuppressionRows.AskFor(found);
        return found;
    }

    public List<QueueRow> Orphaned(Incarnation owner)
    {
        var orphaned = Take(SelectOrphaned, Sql.Int(SweepLimit));
        if (orphaned.Count == 0)
            return orphaned;
        // That statement saw the nodes as they were when it began, and rows as they are: one that was swept in between, and leased anew by
        // a node that joined in between, is none. Held now, they are looked at by the nodes of now.
        var members = new HashSet<Incarnation>();
        session.Ask(SelectMembers, row => members.Add(new Incarnation(row.GetInt32(0), row.GetInt64(1))));
        orphaned.RemoveAll(row => row.Owner is { } of && members.Contains(of));
        return orphaned;
    }

    public List<QueueRow> Settled(long now, int limit) => Take(SelectSettled, Sql.Long(now), Sql.Int(limit));
    public List<QueueRow> Expired(long now, int limit) => Take(SelectExpired, Sql.Long(now), Sql.Int(limit));

    public (List<QueueRow> Rows, bool HasMore) OfBatch(long batch, long first, long last, bool waitsPaused, int limit)
    {
        var rows = Take(TakeOfBatch(waitsPaused), Sql.Long(first), Sql.Long(last), Sql.Int(limit), Sql.Long(batch));
        if (rows.Count == limit)
            return (rows, true);
        // Those here are not written yet, so they are found again; one more was passed over.
        var left = 0;
        session.Ask($"SELECT 1 FROM ({SelectOf(waitsPaused)} LIMIT $3) q", _ => left++, Sql.Long(first), Sql.Long(last), Sql.Int(rows.Count + 1),
            Sql.Long(batch));
        return (rows, left > rows.Count);
    }

    /// <summary>Rows that are going to be ended or rewritten, with their recipients.</summary>
    List<QueueRow> Take(string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var found = new List<QueueRow>();
        session.Ask(sql, row => found.Add(See(row)), parameters);
        session.AskRecipients(found.Select(r => r.Message));
        return found;
    }

    public void Insert(QueueRow row)
    {
        var key = (row.Message, row.N);
        if (_writes.ContainsKey(key))
            session.Write();
        _rows[key] = row;
        _writes[key] = (Change.Insert, row);
    }

    public void Update(QueueRow row)
    {
        var key = (row.Message, row.N);
        _rows[key] = row;
        _writes[key] = (_writes.TryGetValue(key, out var earlier) && earlier.Kind == Change.Insert ? Change.Insert : Change.Update, row);
    }

    public void Delete(QueueRow row)
    {
        var key = (row.Message, row.N);
        _rows.Remove(key);
        if (_writes.TryGetValue(key, out var earlier) && earlier.Kind == Change.Insert)
            _writes.Remove(key);
        else
            _writes[key] = (Change.Delete, row);
    }

    public void Lease(QueueRow row, Incarnation owner)
    {
        (row.State, row.PastCommitPoint, row.Wait, row.Owner) = (RecipientState.Leased, false, WaitReason.None, owner);
        row.Claim++;
        row.Tries++;
        Update(row);
        session.Astray.Took(row);
    }

    public bool DeleteClaimed(Lease lease)
    {
        var id = lease.Envelope.Id;
        if (_deleted.Remove((id.Message.Value, id.N, lease.Envelope.Claim)))
            return true;
        if (Find(id) is not { } row || !row.IsHeldBy(Claimed.Of(lease)))
            return false;
        Delete(row);
        return true;
    }

    public bool PassCommitPoint(Lease lease, byte[]? history, long now)
    {
        if (Find(lease.Envelope.Id) is not { PastCommitPoint: false, Cancelled: false } row || !row.IsHeldBy(Claimed.Of(lease))
            || row.Expires <= now)
            return false;
        (row.PastCommitPoint, row.History) = (true, history);
        Update(row);
        return true;
    }

    public OrderedRow? FirstOrdered(int tenant, string orderingKey, bool behind)
    {
        OrderedRow? first = null;
        session.Lock(tenant, orderingKey);
        session.Ask(SelectFirst(behind),
            row => first = new OrderedRow(row.GetInt64(0), row.GetInt32(1), (RecipientState)row.GetInt16(2), row.GetInt32(3)),
            Sql.Int(tenant), Sql.Text(orderingKey));
        return first;
    }

    public void SetGate(OrderedRow row, Gate gate)
    {
        var key = (row.Message, row.N);
        if (_rows.TryGetValue(key, out var known))
        {
            known.Gate = gate;
            Update(known);
        }
        else
        {
            _gates[key] = gate;
        }
    }

    public void Write(Trip trip)
    {
        var changes = _writes.OrderBy(w => w.Key).Select(w => w.Value).ToLookup(w => w.Kind, w => w.Row);
        QueueColumns.Delete(trip, [.. changes[Change.Delete]]);
        QueueColumns.Update(trip, [.. changes[Change.Update]]);
        QueueColumns.Insert(trip, [.. changes[Change.Insert]]);
        _writes.Clear();
        foreach (var ((message, n), gate) in _gates)
            trip.Add("UPDATE queue SET gate = $3 WHERE message = $1 AND n = $2", Sql.Long(message), Sql.Int(n), Sql.Int((int)gate));
        _gates.Clear();
    }

    public void Forget()
    {
        _rows.Clear();
        _complete.Clear();
        _writes.Clear();
        _due.Clear();
        _deleted.Clear();
        _gates.Clear();
    }
}
