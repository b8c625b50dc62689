using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Rules;

namespace Postrider.Storage.Memory;

/// <summary>What a store holds, in memory: the plainest thing that the rules can run over. Rows are copied in and out, so that a change
/// counts only when it is written.</summary>
/// <remarks>Not sealed: tests add nodes that are members, and who uses it hears of ends.</remarks>
class MemoryTables
{
    readonly SortedDictionary<(long Message, int N), QueueRow> _queue = [];

    // What the engines' indexes are: rows that wait by key and due, rows that wait by their end, rows in doubt by due.
    readonly Dictionary<(string Route, MailStream Stream, int Tenant, Gate Gate), SortedSet<(long Due, long Message, int N)>> _due = [];
    readonly SortedSet<(long Expires, long Message, int N)> _expires = [];
    readonly SortedSet<(long Due, long Message, int N)> _doubtful = [];

    public SortedDictionary<long, MemoryMessage> Messages { get; } = [];
    public IReadOnlyDictionary<(long Message, int N), QueueRow> Queue => _queue;
    public List<MemoryEvent> Events { get; } = [];
    public Dictionary<(long Scope, int State), long> Counters { get; } = [];
    public Dictionary<(int Tenant, Int128 Hash, int Stream), SuppressionHit> Suppressions { get; } = [];
    public Dictionary<(int Tenant, string Key), MemoryKey> Idempotency { get; } = [];
    public HashSet<(long Message, long Key)> Seen { get; } = [];
    public List<MemoryReport> Waiting { get; } = [];
    public HashSet<long> Quarantined { get; } = [];
    public long NextReport { get; set; } = 1;

    /// <summary>Something of a message was written.</summary>
    public virtual void Note(long message) { }

    /// <summary>A recipient ended, or is held.</summary>
    public virtual void Ended(RecipientId recipient, RecipientState state) { }

    /// <summary>Whether a node's leases are to be believed. One process has the tables.</summary>
    public virtual bool IsMember(Incarnation node) => true;

    /// <summary>Whether a lease is nobody's any more.</summary>
    public virtual bool IsOrphan(Incarnation of, Incarnation owner) => of.Node == owner.Node && of.Number != owner.Number;

    /// <summary>Writes a row of the queue, new or not.</summary>
    public void Put(QueueRow row)
    {
        var id = (row.Message, row.N);
        Remove(id);
        _queue.Add(id, Copy(row));
        if (row.State == RecipientState.Queued)
        {
            if (!_due.TryGetValue(KeyOf(row), out var due))
                _due.Add(KeyOf(row), due = []);
            due.Add((row.Due, row.Message, row.N));
            _expires.Add((row.Expires, row.Message, row.N));
        }
        else if (row.State == RecipientState.Unknown)
        {
            _doubtful.Add((row.Due, row.Message, row.N));
        }
    }

    public void Remove((long Message, int N) id)
    {
        Note(id.Message);
        if (!_queue.Remove(id, out var row))
            return;
        if (row.State == RecipientState.Queued)
        {
            _due[KeyOf(row)].Remove((row.Due, row.Message, row.N));
            _expires.Remove((row.Expires, row.Message, row.N));
        }
        else if (row.State == RecipientState.Unknown)
        {
            _doubtful.Remove((row.Due, row.Message, row.N));
        }
    }

    /// <summary>Queued rows of a key, the earliest due first.</summary>
    public IEnumerable<QueueRow> Due(QueueKey key, Gate gate) =>
        _due.TryGetValue((key.Route, key.Stream, key.Tenant.Value, gate), out var due) ? due.Select(At) : [];

    /// <summary>The keys that have queued rows, each with its earliest.</summary>
    public IEnumerable<QueueRow> EarliestDue() => _due.Values.Where(due => due.Count > 0).Select(due => At(due.Min));

    /// <summary>Queued rows, the first to expire first.</summary>
    public IEnumerable<QueueRow> ByExpiry() => _expires.Select(At);

    /// <summary>Rows in doubt, the earliest to be settled first.</summary>
    public IEnumerable<QueueRow> Doubtful() => _doubtful.Select(At);

    QueueRow At((long At, long Message, int N) entry) => _queue[(entry.Message, entry.N)];

    static (string, MailStream, int, Gate) KeyOf(QueueRow row) => (row.Route, row.Stream, row.Tenant, row.Gate);

    public IEnumerable<QueueRow> OfMessage(long message) => Queue.Values.Where(r => r.Message == message);

    public MemoryRecipient Recipient(RecipientId id) => Messages[id.Message.Value].Recipients[id.N];

    public static QueueRow Copy(QueueRow row) => new()
    {
        Message = row.Message,
        N = row.N,
        Tenant = row.Tenant,
        Route = row.Route,
        Stream = row.Stream,
        Gate = row.Gate,
        Due = row.Due,
        Expires = row.Expires,
        State = row.State,
        PastCommitPoint = row.PastCommitPoint,
        Wait = row.Wait,
        Claim = row.Claim,
        Owner = row.Owner,
        Recipients = row.Recipients,
        Tries = row.Tries,
        Deferrals = row.Deferrals,
        Rounds = row.Rounds,
        Suspect = row.Suspect,
        Generation = row.Generation,
        OnAmbiguous = row.OnAmbiguous,
        Cancelled = row.Cancelled,
        OrderingKey = row.OrderingKey,
        History = row.History,
    };
}

/// <summary>A message with its recipients, by number.</summary>
sealed class MemoryMessage(MessageRow row, byte[] content)
{
    public MessageRow Row { get; set; } = row;
    public byte[] Content { get; } = content;
    public SortedDictionary<int, MemoryRecipient> Recipients { get; } = [];
}

/// <summary>A row of recipients. <see cref="RecipientState.Queued"/> stands for every open state.</summary>
sealed class MemoryRecipient(int n, RecipientKind kind, string address)
{
    public int N { get; } = n;
    public RecipientKind Kind { get; } = kind;
    public string Address { get; } = address;
    public string? Name { get; init; }
    public int Envelope { get; set; }
    public RecipientState State { get; set; }
    public HeldReason Held { get; set; }
    public int Tries { get; set; }
    public int Generation { get; set; }
    public long Updated { get; set; }
}

/// <summary>A row of events.</summary>
sealed record MemoryEvent(long Message, MailEventType Type, long At, int? Node, byte[] Details)
{
    EventDetails? _read;

    public EventDetails Read => _read ??= EventCodec.Read(Details);
}

/// <summary>An idempotency key with the answer kept for it.</summary>
sealed record MemoryKey(byte[] RequestHash, byte[] Answer, long KeepUntil);

/// <summary>A report that waits to be looked at again.</summary>
sealed record MemoryReport(long Id, long Key, FeedbackReport Report)
{
    public long RetryAt { get; set; }
    public long Until { get; init; }
}
