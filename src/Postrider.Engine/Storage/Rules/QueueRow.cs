using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Storage.Rules;

/// <summary>Who may lease a queued row.</summary>
enum Gate : byte
{
    Open = 0,
    /// <summary>The process died three times while it was leased: leased only alone.</summary>
    Alone = 1,
    /// <summary>An earlier one with the same ordering key has not ended.</summary>
    Ordering = 2,
}

/// <summary>A row of <c>queue</c>. Instants are Unix milliseconds.</summary>
sealed class QueueRow
{
    /// <summary>Crashes after which a row is leased alone.</summary>
    public const int SuspectLimit = 3;

    /// <summary>The columns in the order in which this class reads and writes them.</summary>
    public const string Columns = """
        message, n, tenant, route, stream, gate, due, expires, state, phase, wait, claim, node, incarnation, recipients,
        tries, deferrals, rounds, suspect, generation, on_ambiguous, cancelled, ordering_key, history
        """;

    public long Message { get; init; }
    public int N { get; init; }
    public int Tenant { get; init; }
    public required string Route { get; init; }
    public MailStream Stream { get; init; }
    public Gate Gate { get; set; }
    public long Due { get; set; }
    public long Expires { get; set; }

    /// <summary>Queued, leased or unknown.</summary>
    public RecipientState State { get; set; }

    /// <summary>Under <see cref="AmbiguityPolicy.Hold"/>: the last byte may have left.</summary>
    public bool PastCommitPoint { get; set; }
    public WaitReason Wait { get; set; }
    public int Claim { get; set; }

    /// <summary>The owner of the lease; null when it is not leased.</summary>
    public Incarnation? Owner { get; set; }

    /// <summary>How many open recipients travel in it.</summary>
    public int Recipients { get; set; }
    public int Tries { get; set; }
    public int Deferrals { get; set; }
    public int Rounds { get; set; }
    public int Suspect { get; set; }
    public int Generation { get; init; }
    public AmbiguityPolicy OnAmbiguous { get; init; }
    public bool Cancelled { get; set; }
    public string? OrderingKey { get; init; }

    /// <summary>As <see cref="HistoryCodec"/> wrote it; null when empty.</summary>
    public byte[]? History { get; set; }

    public bool IsHeldBy(Claimed lease) => State == RecipientState.Leased && Claim == lease.Claim && Owner == lease.Owner;

    public QueuedEnvelope ToEnvelope() => new()
    {
        Id = new EnvelopeId(new MessageId(Message), N),
        Key = new QueueKey(Route, Stream, new TenantId(Tenant)),
        DueAt = Instant.From(Due),
        ExpiresAt = Instant.From(Expires),
        RecipientCount = Recipients,
        Claim = Claim,
        Tries = Tries,
        Deferrals = Deferrals,
        Rounds = Rounds,
        Suspect = Suspect,
        OnAmbiguous = OnAmbiguous,
        OrderingKey = OrderingKey,
        History = HistoryCodec.Decode(History),
        Cancelled = Cancelled,
    };
}

/// <summary>Instants as rows hold them: Unix milliseconds, what is finer is cut.</summary>
static class Instant
{
    public static DateTimeOffset From(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);

    extension(DateTimeOffset instant)
    {
        public long Ms => instant.ToUnixTimeMilliseconds();
    }
}
