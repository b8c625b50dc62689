using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.DeadLetters;

/// <summary>A recipient that failed, expired or is held, and waits for somebody to send it again or to let it be.</summary>
public sealed record DeadLetter
{
    public required RecipientId Id { get; init; }
    public required string Address { get; init; }
    public required string From { get; init; }
    public required string Subject { get; init; }
    public required MailStream Stream { get; init; }
    public required string Route { get; init; }
    public required RecipientState State { get; init; }

    /// <summary>For failed letters how the last attempt went, for expired ones what they waited for, for held ones why: a word of
    /// few.</summary>
    public required string Reason { get; init; }
    public required int? Code { get; init; }
    public required string? EnhancedCode { get; init; }

    /// <summary>Where it was tried last; null before the first attempt.</summary>
    public required string? Transport { get; init; }

    /// <summary>What went wrong may be over by now: what a policy sends again.</summary>
    public required bool IsTransient { get; init; }
    public required int Tries { get; init; }

    /// <summary>How often it was sent again.</summary>
    public required int Redrives { get; init; }
    public required DateTimeOffset FirstAt { get; init; }
    public required DateTimeOffset At { get; init; }
    public required DateTimeOffset? LastAttemptAt { get; init; }
}

/// <summary>Letters that died of the same at the same transport.</summary>
public sealed record DeadLetterGroup(
    RecipientState State, string Reason, int? Code, string? EnhancedCode, string? Transport, bool IsTransient, long Count,
    DateTimeOffset FirstAt, DateTimeOffset LastAt, DateTimeOffset? LastAttemptAt);

/// <summary>Which letters; absent members do not filter. Stored as JSON with a job.</summary>
public sealed record DeadLetterFilter
{
    public RecipientState? State { get; init; }
    public string? Reason { get; init; }
    public string? Transport { get; init; }
    public bool? Transient { get; init; }

    /// <summary>On the list since this instant or later, as it was last put there.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>On the list since before this instant.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>First put on the list at this instant or later.</summary>
    public DateTimeOffset? FirstFrom { get; init; }

    /// <summary>Exactly these; null: not by id.</summary>
    public IReadOnlyList<string>? Ids { get; init; }
}

/// <summary>A letter to work on, with what its message waits under.</summary>
public readonly record struct DeadLetterPlace(RecipientId Id, QueueKey Key);

/// <summary>What a job has to do now.</summary>
/// <param name="LookedAt">Where it goes on; null: from the beginning, by what is left.</param>
/// <param name="HasMore">There may be more behind it.</param>
public sealed record RedrivePiece(IReadOnlyList<DeadLetterPlace> Places, RecipientId? LookedAt, bool HasMore);

/// <summary>Reads the list of dead letters. Every call is bound to a tenant.</summary>
public interface IDeadLetterStore
{
    /// <summary>Newest message first; only those before <paramref name="before"/>.</summary>
    Task<IReadOnlyList<DeadLetter>> ListAsync(
        TenantId tenant, DeadLetterFilter filter, RecipientId? before, int limit, CancellationToken ct);

    /// <summary>The largest first, at most <see cref="MostGroups"/>.</summary>
    Task<IReadOnlyList<DeadLetterGroup>> GroupsAsync(TenantId tenant, DeadLetterFilter filter, CancellationToken ct);

    /// <summary>The next of those that a job has to do with, at most a second's. Few or none do not mean that it is done: it looks at so
    /// much of the list at a time.</summary>
    Task<RedrivePiece> NextAsync(RedriveJob job, CancellationToken ct);
    Task<RedriveJob> AddJobAsync(RedriveJob job);

    /// <summary>A job of the tenant's policy, unless one is running or no letter fits. False: not added.</summary>
    Task<bool> AddPolicyJobAsync(RedriveJob job, CancellationToken ct);

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<RedriveJob>> ListJobsAsync(TenantId tenant, long? before, int limit, CancellationToken ct);
    Task<RedriveJob?> FindJobAsync(TenantId tenant, long id, CancellationToken ct);

    /// <summary>False: absent, another tenant's, or ended already.</summary>
    Task<bool> CancelJobAsync(TenantId tenant, long id, DateTimeOffset at);

    /// <summary>Takes a running job that no node works on until <paramref name="until"/>; null: there is none.</summary>
    Task<RedriveJob?> TakeJobAsync(DateTimeOffset now, DateTimeOffset until);

    /// <summary>Notes what was done and up to where. <paramref name="next"/>: when any node may go on; null: it is done.</summary>
    Task EndTurnAsync(RedriveJob job, long done, RecipientId? lookedAt, DateTimeOffset now, DateTimeOffset? next);

    const int MostGroups = 1_000;
}

/// <summary>Moves dead letters, each message in a transaction of its own.</summary>
public interface IDeadLetterCommands
{
    /// <summary>Sends these recipients again as far as they are dead letters: same ids, next generation. How many; null where the message
    /// is not the tenant's.</summary>
    Task<int?> RedriveAsync(
        TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now, DateTimeOffset expiresAt);

    /// <summary>Takes letters that are on the list off it for good: what is held is cancelled, what failed or expired stays so.</summary>
    Task<int?> DiscardAsync(TenantId tenant, MessageId message, IReadOnlyList<int> recipients, string? remark, DateTimeOffset now);
}
