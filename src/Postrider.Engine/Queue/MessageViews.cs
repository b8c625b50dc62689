using Postrider.Events;
using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>Cold reads about messages; one SQL for both engines where it can be. Every call is filtered by tenant.</summary>
public interface IMessageReader
{
    /// <summary>Null: absent, or another tenant's (the caller must not be able to tell).</summary>
    Task<MessageView?> GetAsync(TenantId tenant, MessageId id, CancellationToken ct);

    /// <summary>The stored body of a message for showing it; null as above, or when retention has removed it.</summary>
    Task<MessageContent?> GetContentAsync(TenantId tenant, MessageId id, CancellationToken ct);
    Task<MessagePage> ListAsync(TenantId tenant, MessageFilter filter, CancellationToken ct);
    Task<BatchView?> GetBatchAsync(TenantId tenant, MessageId batch, CancellationToken ct);

    /// <summary>Sums of the counters; the open states are gauges, the rest only grow.</summary>
    Task<StateCounts> CountAsync(TenantId tenant, CancellationToken ct);

    /// <summary>About what a tenant's mail takes: what was stored and is not removed yet.</summary>
    Task<StoredBytes> StoredBytesAsync(TenantId tenant, CancellationToken ct);

    /// <summary>Whether the id is stored, asked after a commit whose reply was lost.</summary>
    Task<bool> ExistsAsync(MessageId id, CancellationToken ct);
}

/// <summary>What a tenant has stored, in bytes.</summary>
/// <param name="Contents">Of messages and batches.</param>
/// <param name="Destinations">On lists, and of batches that are not messages yet.</param>
public readonly record struct StoredBytes(long Contents, long Destinations)
{
    public long Total => Contents + Destinations;
}

/// <summary>A message with all its recipients and its timeline.</summary>
public sealed record MessageView
{
    public required MessageId Id { get; init; }
    public required TenantId Tenant { get; init; }
    public MessageId? Batch { get; init; }

    /// <summary>The schedule whose run it is of; null: none.</summary>
    public MessageId? Schedule { get; init; }
    public required MailStream Stream { get; init; }
    public required string Route { get; init; }
    public required Mailbox From { get; init; }
    public required string Subject { get; init; }
    public DateTimeOffset? SendAt { get; init; }
    public required DateTimeOffset ExpiresAt { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
    public IReadOnlyList<string> Tags { get; init; } = [];
    public IReadOnlyList<MetadataEntry> Metadata { get; init; } = [];
    public required IReadOnlyList<RecipientView> Recipients { get; init; }

    /// <summary>Oldest first; <c>accepted</c> is not among them, it is the message itself. Empty in lists.</summary>
    public IReadOnlyList<MailEvent> Events { get; init; } = [];

    public DateTimeOffset CreatedAt => Id.At;
}

/// <summary>A recipient with its state as it is now: the queue row's where it is open.</summary>
public sealed record RecipientView
{
    public required int N { get; init; }
    public required Mailbox Mailbox { get; init; }
    public required RecipientKind Kind { get; init; }
    public required RecipientState State { get; init; }
    public WaitReason WaitReason { get; init; }
    public HeldReason HeldReason { get; init; }

    /// <summary>The last reply's code and words; null before the first attempt.</summary>
    public int? StatusCode { get; init; }
    public string? EnhancedCode { get; init; }
    public string? StatusReason { get; init; }

    /// <summary>The transport of the last attempt; null before the first.</summary>
    public string? Transport { get; init; }
    public string? ProviderId { get; init; }
    public int Tries { get; init; }
    public DateTimeOffset? LastAttemptAt { get; init; }

    /// <summary>Null when it is final or under way.</summary>
    public DateTimeOffset? NextAttemptAt { get; init; }

    /// <summary>The node that attempts it now or did last; null before the first attempt.</summary>
    public string? Worker { get; init; }
    public required DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>What a list is asked for; absent members do not filter. Newest first.</summary>
public sealed record MessageFilter
{
    /// <summary>Any recipient in this state.</summary>
    public RecipientState? State { get; init; }
    public string? Address { get; init; }

    /// <summary>The transport of any recipient's last attempt.</summary>
    public string? Transport { get; init; }
    public string? Tag { get; init; }
    public MessageId? Batch { get; init; }
    public MetadataEntry? Metadata { get; init; }

    /// <summary>Part of the subject, without regard to case; looked for inside the time window only.</summary>
    public string? Subject { get; init; }
    public DateTimeOffset? From { get; init; }
    public DateTimeOffset? Until { get; init; }

    /// <summary>Only messages before (older than) this one: the cursor.</summary>
    public MessageId? Before { get; init; }

    /// <summary>Only messages after (newer than) this one; then the page nearest to it.</summary>
    public MessageId? After { get; init; }

    /// <summary>1 to 100.</summary>
    public int Limit { get; init; } = 20;
}

/// <summary>A part of a list, newest first.</summary>
/// <param name="ContinueBefore">Where the search goes on; null when there is nothing more. May be set with fewer rows than asked when a
/// window was searched without end.</param>
public sealed record MessagePage(IReadOnlyList<MessageView> Messages, MessageId? ContinueBefore);

/// <summary>Messages that were handed over together, as their recipients are now.</summary>
public sealed record BatchView(MessageId Id, int Count, StateCounts Counts)
{
    public DateTimeOffset CreatedAt => Id.At;
}

/// <summary>Recipients by state. <see cref="Accepted"/> counts all that ever came.</summary>
public sealed record StateCounts
{
    public long Accepted { get; init; }

    public long Scheduled { get; init; }
    public long Queued { get; init; }
    public long Leased { get; init; }
    public long Unknown { get; init; }
    public long Held { get; init; }
    public long Sent { get; init; }
    public long Delivered { get; init; }
    public long Bounced { get; init; }
    public long Failed { get; init; }
    public long Expired { get; init; }
    public long Suppressed { get; init; }
    public long Cancelled { get; init; }
}
