using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage;
using Postrider.Storage.Rules;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>What a store holds, in memory: the plainest thing that the rules can run over. Rows are copied in and out, so that a change
/// counts only when it is written.</summary>
sealed class ModelTables
{
    public SortedDictionary<long, ModelMessage> Messages { get; } = [];
    public SortedDictionary<(long Message, int N), QueueRow> Queue { get; } = [];
    public List<ModelEvent> Events { get; } = [];
    public Dictionary<(long Scope, int State), long> Counters { get; } = [];
    public HashSet<(int Tenant, Int128 Hash, int Stream)> Suppressions { get; } = [];
    public Dictionary<(int Tenant, string Key), ModelKey> Idempotency { get; } = [];
    public SortedDictionary<int, ModelMember> Members { get; } = [];

    /// <summary>By several nodes, which must be members; else by one process at a time, which needs not.</summary>
    public required bool IsShared { get; init; }

    public HashSet<(long Message, long Key)> Seen { get; } = [];
    public List<ModelReport> Waiting { get; } = [];
    public HashSet<long> Quarantined { get; } = [];
    public long NextReport { get; set; } = 1;

    /// <summary>Messages that something of was written since the set was emptied.</summary>
    public HashSet<long> Changed { get; } = [];

    public IEnumerable<QueueRow> OfMessage(long message) => Queue.Values.Where(r => r.Message == message);

    public ModelRecipient Recipient(RecipientId id) => Messages[id.Message.Value].Recipients[id.N];

    public bool IsMember(Incarnation node) =>
        Members.TryGetValue(node.Node, out var member) && member.Alive && member.Incarnation == node.Number;

    public long Count(int tenant, RecipientState state) => Counters.GetValueOrDefault((tenant, (int)state));

    /// <summary>A message in a few words, for people who read a history.</summary>
    public string Describe(long id)
    {
        var recipients = Messages[id].Recipients.Values.Select(r => $"{r.N}:{r.State}{(r.Generation > 0 ? $" again {r.Generation}" : "")}");
        var rows = OfMessage(id).Select(r => $"[{r.N} {r.State} {r.Gate} claim {r.Claim} of {r.Owner?.Node}.{r.Owner?.Number} x{r.Recipients}"
            + $"{(r.Cancelled ? " cancelled" : "")}{(r.PastCommitPoint ? " past commit point" : "")} suspect {r.Suspect}]");
        return $"{new MessageId(id).ToString()[..18]} {string.Join(' ', recipients)} {string.Join(' ', rows)};";
    }

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
sealed class ModelMessage(MessageRow row, byte[] content)
{
    public MessageRow Row { get; set; } = row;
    public byte[] Content { get; } = content;
    public SortedDictionary<int, ModelRecipient> Recipients { get; } = [];
}

/// <summary>A row of recipients. <see cref="RecipientState.Queued"/> stands for every open state.</summary>
sealed class ModelRecipient(int n, RecipientKind kind, string address)
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
sealed record ModelEvent(long Message, MailEventType Type, long At, int? Node, byte[] Details)
{
    EventDetails? _read;

    public EventDetails Read => _read ??= EventCodec.Read(Details);
}

/// <summary>An idempotency key with the answer kept for it.</summary>
sealed record ModelKey(byte[] RequestHash, byte[] Answer, long KeepUntil);

/// <summary>A node as the others see it.</summary>
sealed record ModelMember(long Incarnation, long Beat, bool Alive);

/// <summary>A report that waits to be looked at again.</summary>
sealed record ModelReport(long Id, long Key, FeedbackReport Report)
{
    public long RetryAt { get; set; }
    public long Until { get; init; }
}
