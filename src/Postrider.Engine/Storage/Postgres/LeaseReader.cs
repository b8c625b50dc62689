using Npgsql;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Postgres;

/// <summary>Reads the messages of leased rows, and which keys have work, on connections of the readers: the writer does not wait for
/// content.</summary>
sealed class LeaseReader(NpgsqlDataSource source)
{
    // A batch's content is decoded once for its thousands of messages; a few batches are under way at a time.
    const int MaxCachedBatches = 16;

    public const string SelectMessages = "SELECT id, batch, content FROM messages WHERE id = ANY($1)";
    public const string SelectRecipients = """
        SELECT message, n, envelope, kind, address, name, state FROM recipients WHERE message = ANY($1) ORDER BY message, n
        """;

    // A loose scan of queue_due, one descent a key.
    public const string SelectKeys = """
        WITH RECURSIVE k AS (
            (SELECT route, stream, tenant, gate, due FROM queue WHERE state = 1 ORDER BY route, stream, tenant, gate, due LIMIT 1)
            UNION ALL
            SELECT n.* FROM k CROSS JOIN LATERAL (
                SELECT q.route, q.stream, q.tenant, q.gate, q.due FROM queue q
                WHERE q.state = 1 AND (q.route, q.stream, q.tenant, q.gate) > (k.route, k.stream, k.tenant, k.gate)
                ORDER BY q.route, q.stream, q.tenant, q.gate, q.due LIMIT 1) AS n)
        SELECT route, stream, tenant, gate, due FROM k
        """;

    readonly Lock _lock = new();
    readonly Dictionary<long, MessageContent> _batches = [];   // guarded by _lock

    /// <summary>What cannot be read is named and left out: it must not keep the rest.</summary>
    public (List<Lease> Leases, List<Unreadable> Unreadable) Load(IReadOnlyList<Taken> taken)
    {
        var ids = taken.Select(t => t.Row.Message).Distinct().ToList();
        var messages = new Dictionary<long, (long? Batch, byte[]? Content)>();
        var recipients = ids.ToDictionary(id => id, _ => new List<LeasedRecipient>());
        using var connection = source.OpenConnection();
        var trip = new Trip();
        trip.Read(SelectMessages, row => messages[row.GetInt64(0)] = (row.LongOrNull(1), row.BytesOrNull(2)), Sql.Longs(ids));
        trip.Read(SelectRecipients, row => recipients[row.GetInt64(0)].Add(new LeasedRecipient(row.GetInt32(1), row.GetInt32(2),
            (RecipientKind)row.GetInt16(3), row.GetString(4), row.TextOrNull(5), (RecipientState)row.GetInt16(6))), Sql.Longs(ids));
        trip.Run(connection);
        var leases = new List<Lease>(taken.Count);
        var unreadable = new List<Unreadable>();
        foreach (var one in taken)
        {
            var message = one.Row.Message;
            try
            {
                if (!messages.TryGetValue(message, out var found))
                    throw new InvalidDataException(
                        $"Message {new MessageId(message)} has a queue row and no message row: the database is damaged.");
                leases.Add(one.ToLease(found.Batch, ContentOf(connection, message, found.Batch, found.Content), recipients[message]));
            }
            catch (InvalidDataException e)
            {
                unreadable.Add(new Unreadable(one.Row, e.Message));
            }
        }
        return (leases, unreadable);
    }

    MessageContent ContentOf(NpgsqlConnection connection, long message, long? batch, byte[]? own)
    {
        if (own is not null && !ContentCodec.IsData(own))
            return ContentCodec.Read(own);
        if (batch is not { } id)
            throw new InvalidDataException($"Message {new MessageId(message)} has a queue row and no content: the database is damaged.");
        lock (_lock)
        {
            if (_batches.TryGetValue(id, out var cached))
                return ContentCodec.OfBatch(cached, own);
        }
        using var command = new NpgsqlCommand("SELECT content FROM batches WHERE id = $1", connection) { Parameters = { Sql.Long(id) } };
        var content = command.ExecuteScalar() is byte[] stored
            ? ContentCodec.Read(stored)
            : throw new InvalidDataException($"Batch {new MessageId(id)} has no content: the database is damaged.");
        lock (_lock)
        {
            if (_batches.Count == MaxCachedBatches)
                _batches.Clear();
            return ContentCodec.OfBatch(_batches[id] = content, own);
        }
    }

    public IReadOnlyList<DueKey> DueKeys()
    {
        var keys = new List<DueKey>();
        using var connection = source.OpenConnection();
        var trip = new Trip();
        trip.Read(SelectKeys, row =>
        {
            var gate = (Gate)row.GetInt16(3);
            if (gate != Gate.Ordering)
                keys.Add(new DueKey(new QueueKey(row.GetString(0), (MailStream)row.GetInt16(1), new TenantId(row.GetInt32(2))),
                    Instant.From(row.GetInt64(4)), gate == Gate.Alone));
        });
        trip.Run(connection);
        return keys;
    }
}
