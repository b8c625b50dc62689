using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>Everything that one call hands over: committed in one transaction or not at all.</summary>
public sealed record Acceptance
{
    public required TenantId Tenant { get; init; }

    /// <summary>At least one. Their ids are made before the commit, so that a lost commit reply can be looked up.</summary>
    public required IReadOnlyList<NewMessage> Messages { get; init; }

    /// <summary>Set when the messages belong together; its content is used by every message that has none of its own.</summary>
    public NewBatch? Batch { get; init; }

    /// <summary>Null when the caller gave none.</summary>
    public IdempotencyClaim? Idempotency { get; init; }

    /// <summary>Bulk work is bounded per transaction; a call with any transactional message goes first.</summary>
    public MailStream Urgency => Messages[0].Stream;
}

/// <summary>A message as it enters the store.</summary>
public sealed record NewMessage
{
    public required MessageId Id { get; init; }
    public required MailStream Stream { get; init; }
    public required string Route { get; init; }

    /// <summary>To, Cc, Bcc in this order, numbered from 0.</summary>
    public required IReadOnlyList<MessageRecipient> Recipients { get; init; }

    /// <summary>Null: the batch's.</summary>
    public MessageContent? Content { get; init; }

    /// <summary>What the batch's content is filled in with (<see cref="MessageContent.Merge"/>), and the subject that comes of it; null
    /// where that is no template.</summary>
    public ReadOnlyMemory<byte>? MergeData { get; init; }
    public string? MergedSubject { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Null: now.</summary>
    public DateTimeOffset? SendAt { get; init; }
    public AmbiguityPolicy OnAmbiguous { get; init; }
    public string? OrderingKey { get; init; }
    public IReadOnlyList<string> Tags { get; init; } = [];
    public IReadOnlyList<MetadataEntry> Metadata { get; init; } = [];

    /// <summary>Recipients that end or wait at once, with the state they are stored in (suppressed; held because staging does not allow
    /// them).</summary>
    public IReadOnlyList<StoppedRecipient> Stopped { get; init; } = [];

    /// <summary>Most recipients of one envelope; under <see cref="AmbiguityPolicy.Hold"/> each travels alone, so that one's doubt is not
    /// another's.</summary>
    public static int MostTogether(AmbiguityPolicy policy) => policy switch
    {
        AmbiguityPolicy.Retry => 100,
        AmbiguityPolicy.Hold => 1,
    };

    /// <summary>Whether all that is to be attempted travels together: only then can it be born leased.</summary>
    public bool IsOneEnvelope => Recipients.Count - Stopped.Count is > 0 and var open && open <= MostTogether(OnAmbiguous);

    /// <summary>Born leased: the hand-over has a permit, so the queue row is inserted as leased by this node and no lease statement is
    /// needed.
    /// Only where <see cref="IsOneEnvelope"/>. The other conditions are the hand-over's.</summary>
    public Incarnation? BornLeasedBy { get; init; }
}

/// <summary>A recipient that is not attempted, from the start.</summary>
public sealed record StoppedRecipient(int N, RecipientState State, HeldReason Held, string Reason);

/// <summary>Messages handed over together.</summary>
public sealed record NewBatch
{
    /// <summary>Messages made of it have the ids <see cref="MessageId.Plus"/> 1, 2, …</summary>
    public required MessageId Id { get; init; }
    public required int Count { get; init; }

    /// <summary>Stored once for all; null when each message has its own.</summary>
    public MessageContent? Content { get; init; }

    /// <summary>It is in the store with its content: only its messages come.</summary>
    public bool IsStored { get; init; }
}

/// <summary>A caller's key, unique per tenant, bound to the SHA-256 of the canonical request; kept with the answer it got.</summary>
/// <param name="Answer">What a repetition is answered with, byte for byte, when no recipient turns out to be suppressed.</param>
public sealed record IdempotencyClaim(string Key, ReadOnlyMemory<byte> RequestHash, ReadOnlyMemory<byte> Answer, DateTimeOffset KeepUntil)
{
    /// <summary>Makes the answer to keep instead of <see cref="Answer"/> where recipients were found on the suppression list, because the
    /// answer names states.
    /// Called inside the transaction with at least one recipient, in ascending order. Null: <see cref="Answer"/> is kept anyway.</summary>
    public Func<IReadOnlyList<RecipientId>, ReadOnlyMemory<byte>>? AnswerWithSuppressed { get; init; }
}

/// <summary>What became of an <see cref="Acceptance"/>; returned only after the commit is on disk.</summary>
public abstract record AcceptResult
{
    AcceptResult() { }

    public sealed record Accepted : AcceptResult
    {
        public static readonly Accepted Instance = new();

        /// <summary>Recipients that the transaction found on the suppression list and stored as suppressed, ascending; nearly always none.
        /// A born-leased message with no other recipient has no queue row.</summary>
        public IReadOnlyList<RecipientId> Suppressed { get; init; } = [];
    }

    /// <summary>The same key and request was accepted before: nothing was stored now.</summary>
    public sealed record Replayed(ReadOnlyMemory<byte> Answer) : AcceptResult;

    /// <summary>The same key came with another request: nothing was stored.</summary>
    public sealed record Mismatch : AcceptResult
    {
        public static readonly Mismatch Instance = new();
    }
}
