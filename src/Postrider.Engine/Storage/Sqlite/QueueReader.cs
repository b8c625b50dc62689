using Microsoft.Data.Sqlite;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Sqlite;

/// <summary>Reads the messages of leased rows, and which keys have work, on a connection of its own: 8 µs a mail that the writer does not spend.</summary>
sealed class QueueReader : IDisposable
{
    // A batch's content is decoded once for its thousands of messages; a few batches are under way at a time.
    const int MaxCachedBatches = 16;

    public const string NextKey = """
        SELECT route, stream, tenant, gate, due FROM queue INDEXED BY queue_due
        WHERE state = 1 AND (route, stream, tenant, gate) > (?1, ?2, ?3, ?4) ORDER BY route, stream, tenant, gate, due LIMIT 1
        """;

    readonly Lock _lock = new();

    // Guarded by _lock.
    readonly SqliteConnection _connection;
    readonly Statements _statements;
    readonly Statement _message;
    readonly Statement _batch;
    readonly Statement _recipients;
    readonly Statement _nextKey;
    readonly Dictionary<long, MessageContent> _batches = [];

    public QueueReader(SqliteConnection connection)
    {
        _connection = connection;
        _statements = new Statements(connection.Handle!);
        _message = _statements.Prepare("SELECT batch, content FROM messages WHERE id = ?1");
        _batch = _statements.Prepare("SELECT content FROM batches WHERE id = ?1");
        _recipients = _statements.Prepare("SELECT n, envelope, kind, address, name, state FROM recipients WHERE message = ?1 ORDER BY n");
        _nextKey = _statements.Prepare(NextKey);
    }

    public IReadOnlyList<Lease> Load(IReadOnlyList<Taken> taken)
    {
        lock (_lock)
        {
            var leases = new Lease[taken.Count];
            for (var i = 0; i < leases.Length; i++)
                leases[i] = Load_NeedsLock(taken[i]);
            return leases;
        }
    }

    public IReadOnlyList<DueKey> DueKeys()
    {
        lock (_lock)
        {
            var keys = new List<DueKey>();
            var (route, stream, tenant, gate) = ("", -1L, 0L, 0L);
            while (_nextKey.With().AddText(route).Add(stream).Add(tenant).Add(gate).Step())
            {
                (route, stream, tenant, gate) = (_nextKey.Text(0), _nextKey.Long(1), _nextKey.Long(2), _nextKey.Long(3));
                if (gate != (long)Gate.Ordering)
                    keys.Add(new DueKey(new QueueKey(route, (MailStream)stream, new TenantId((int)tenant)), Instant.From(_nextKey.Long(4)), gate == (long)Gate.Alone));
            }
            return keys;
        }
    }

    Lease Load_NeedsLock(Taken taken)
    {
        var row = taken.Row;
        var (batch, content) = Content_NeedsLock(row.Message);
        var all = new List<MessageRecipient>(row.Recipients);
        var open = new List<MessageRecipient>(row.Recipients);
        _recipients.With().Add(row.Message);
        while (_recipients.Step())
        {
            var recipient = new MessageRecipient(_recipients.Int(0), (RecipientKind)_recipients.Int(2),
                new Mailbox(_recipients.TextOrNull(4), StoredAddress.Parse(_recipients.Text(3))));
            all.Add(recipient);
            if (_recipients.Int(1) == row.N && _recipients.Int(5) == (int)RecipientState.Queued)
                open.Add(recipient);
        }
        return new Lease
        {
            Envelope = row.ToEnvelope(),
            Owner = row.Owner!.Value,
            Message = BornLeased.Message(new MessageId(row.Message), batch is { } id ? new MessageId(id) : null, content, all, row.Generation),
            Recipients = open,
            Suppressed = taken.Suppressed,
        };
    }

    (long? Batch, MessageContent Content) Content_NeedsLock(long message)
    {
        _message.With().Add(message);
        if (!_message.Step())
            throw new InvalidDataException($"Message {new MessageId(message)} has a queue row and no message row: the database is damaged.");
        var batch = _message.LongOrNull(0);
        var own = _message.BlobOrNull(1);
        _message.Reset();
        if (own is not null)
            return (batch, ContentCodec.Read(own));
        if (batch is not { } id)
            throw new InvalidDataException($"Message {new MessageId(message)} has a queue row and no content: the database is damaged.");
        if (_batches.TryGetValue(id, out var cached))
            return (batch, cached);
        _batch.With().Add(id);
        var stored = _batch.Step() ? _batch.BlobOrNull(0) : null;
        _batch.Reset();
        if (_batches.Count == MaxCachedBatches)
            _batches.Clear();
        return (batch, _batches[id] = ContentCodec.Read(stored ?? throw new InvalidDataException($"Batch {new MessageId(id)} has no content: the database is damaged.")));
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _statements.Dispose();
            _connection.Dispose();
        }
    }
}
