using Microsoft.Data.Sqlite;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Sqlite;

/// <summary>Reads the messages of leased rows, and which keys have work, on a connection of its own: 8 µs a mail that the writer does not
/// spend.</summary>
sealed class QueueReader : IDisposable
{
    // A batch's content is decoded once for its thousands of messages; a few batches are under way at a time.
    const int MaxCachedBatches = 16;

    // A loose scan of queue_due, one seek a key. One comparison of rows, (route, stream, tenant, gate) > (…), would look the same
    // and walk all that is queued: SQLite seeks to the first equal row and tests each from there.
    const string Next = "SELECT route, stream, tenant, gate, due FROM queue INDEXED BY queue_due WHERE state = 1 AND ";
    const string First = " ORDER BY route, stream, tenant, gate, due LIMIT 1";
    public const string NextGate = $"{Next} route = ?1 AND stream = ?2 AND tenant = ?3 AND gate > ?4 {First}";
    public const string NextTenant = $"{Next} route = ?1 AND stream = ?2 AND tenant > ?3 {First}";
    public const string NextStream = $"{Next} route = ?1 AND stream > ?2 {First}";
    public const string NextRoute = $"{Next} route > ?1 {First}";

    readonly Lock _lock = new();

    // Guarded by _lock.
    readonly SqliteConnection _connection;
    readonly Statements _statements;
    readonly Statement _message;
    readonly Statement _batch;
    readonly Statement _recipients;
    readonly Statement[] _nextKey;   // the nearest key first
    readonly Dictionary<long, MessageContent> _batches = [];

    public QueueReader(SqliteConnection connection)
    {
        _connection = connection;
        _statements = new Statements(connection.Handle!);
        _message = _statements.Prepare("SELECT batch, content FROM messages WHERE id = ?1");
        _batch = _statements.Prepare("SELECT content FROM batches WHERE id = ?1");
        _recipients = _statements.Prepare("SELECT n, envelope, kind, address, name, state FROM recipients WHERE message = ?1 ORDER BY n");
        _nextKey = [.. ((string[])[NextGate, NextTenant, NextStream, NextRoute]).Select(_statements.Prepare)];
    }

    /// <summary>For tests of plans.</summary>
    public Statements Statements => _statements;

    /// <summary>What cannot be read is named and left out: it must not keep the rest.</summary>
    public (List<Lease> Leases, List<Unreadable> Unreadable) Load(IReadOnlyList<Taken> taken)
    {
        lock (_lock)
        {
            try
            {
                var leases = new List<Lease>(taken.Count);
                var unreadable = new List<Unreadable>();
                foreach (var one in taken)
                    try
                    {
                        leases.Add(Load_NeedsLock(one));
                    }
                    catch (InvalidDataException e)
                    {
                        unreadable.Add(new Unreadable(one.Row, e.Message));
                    }
                return (leases, unreadable);
            }
            finally
            {
                // A statement left in the middle of its rows holds an old snapshot, and the log with it.
                _statements.ResetAll();
            }
        }
    }

    /// <summary>The highest id of a message, or set aside for one by its batch.</summary>
    public long? Newest()
    {
        lock (_lock)
        {
            var message = _statements.Prepare("SELECT max(id) FROM messages").With().Scalar();
            var expanded = _statements.Prepare($"SELECT max(first + total * {MessageId.Stride}) FROM expansions").With().Scalar() ?? 0;
            message = message is null && expanded == 0 ? null : Math.Max(message ?? 0, expanded);
            var batch = _statements.Prepare("SELECT id, count FROM batches WHERE id = (SELECT max(id) FROM batches)").With();
            if (!batch.Step())
                return message;
            var last = new MessageId(batch.Long(0)).Plus(batch.Int(1)).Value;
            batch.Reset();
            return Math.Max(message ?? 0, last);
        }
    }

    public IReadOnlyList<DueKey> DueKeys()
    {
        lock (_lock)
        {
            var keys = new List<DueKey>();
            var (route, stream, tenant, gate) = ("", 0L, 0L, 0L);
            while (NextKey_NeedsLock(route, stream, tenant, gate) is { } found)
            {
                (route, stream, tenant, gate) = (found.Text(0), found.Long(1), found.Long(2), found.Long(3));
                if (gate != (long)Gate.Ordering)
                    keys.Add(new DueKey(new QueueKey(route, (MailStream)stream, new TenantId((int)tenant)), Instant.From(found.Long(4)),
                        gate == (long)Gate.Alone));
                found.Reset();
            }
            return keys;
        }
    }

    /// <summary>The first key behind the given one, stepped to; null after the last. No route has an empty name.</summary>
    Statement? NextKey_NeedsLock(string route, long stream, long tenant, long gate)
    {
        ReadOnlySpan<long> numbers = [stream, tenant, gate];
        for (var level = route.Length == 0 ? _nextKey.Length - 1 : 0; level < _nextKey.Length; level++)
        {
            var next = _nextKey[level].With().AddText(route);
            foreach (var number in numbers[..(_nextKey.Length - 1 - level)])
                next.Add(number);
            if (next.Step())
                return next;
        }
        return null;
    }

    Lease Load_NeedsLock(Taken taken)
    {
        var row = taken.Row;
        var (batch, content) = Content_NeedsLock(row.Message);
        var recipients = new List<LeasedRecipient>(row.Recipients);
        _recipients.With().Add(row.Message);
        while (_recipients.Step())
            recipients.Add(new LeasedRecipient(_recipients.Int(0), _recipients.Int(1), (RecipientKind)_recipients.Int(2),
                _recipients.Text(3), _recipients.TextOrNull(4), (RecipientState)_recipients.Int(5)));
        return taken.ToLease(batch, content, recipients);
    }

    (long? Batch, MessageContent Content) Content_NeedsLock(long message)
    {
        _message.With().Add(message);
        if (!_message.Step())
            throw new InvalidDataException(
                $"Message {new MessageId(message)} has a queue row and no message row: the database is damaged.");
        var batch = _message.LongOrNull(0);
        var own = _message.BlobOrNull(1);
        _message.Reset();
        if (own is not null && !ContentCodec.IsData(own))
            return (batch, ContentCodec.Read(own));
        if (batch is not { } id)
            throw new InvalidDataException($"Message {new MessageId(message)} has a queue row and no content: the database is damaged.");
        if (_batches.TryGetValue(id, out var cached))
            return (batch, ContentCodec.OfBatch(cached, own));
        _batch.With().Add(id);
        var stored = _batch.Step() ? _batch.BlobOrNull(0) : null;
        _batch.Reset();
        if (_batches.Count == MaxCachedBatches)
            _batches.Clear();
        if (stored is null)
            throw new InvalidDataException($"Batch {new MessageId(id)} has no content: the database is damaged.");
        return (batch, ContentCodec.OfBatch(_batches[id] = ContentCodec.Read(stored), own));
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
