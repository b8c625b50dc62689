using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Batches;

/// <summary>Large batches and what they wait for. Every call is one short transaction, on disk when its task completes.</summary>
public interface IBatchStore
{
    /// <summary>The batch that is there: this one, or an earlier one of the same key. Null: its list is not the tenant's.</summary>
    Task<AddedBatch?> AddAsync(NewLargeBatch batch);

    /// <summary>Adds destinations to a batch that is being filled. Returns how far the call is then: not as far as the part went, or
    /// further, where another call with its key was faster, and then nothing was added. Null: there is no batch of this tenant, or it
    /// is not filled any more.</summary>
    Task<AppendedPart?> AppendAsync(TenantId tenant, MessageId batch, BatchPart part, DateTimeOffset at);

    /// <summary>Opens and clicks of a batch, large or small; null: it has too many messages to look at.</summary>
    Task<TrackingCounts?> TrackingAsync(MessageId batch, CancellationToken ct);

    /// <summary>How far a part with this key has come; default where it is not known.</summary>
    Task<AppendedPart> FindPartAsync(MessageId batch, string key, CancellationToken ct);

    /// <summary>Begins to send what was filled. False: it is not being filled.</summary>
    Task<bool> StartAsync(TenantId tenant, MessageId batch, DateTimeOffset at);

    /// <summary>Null: absent, or another tenant's.</summary>
    Task<LargeBatch?> FindAsync(TenantId tenant, MessageId batch, CancellationToken ct);

    /// <summary>All batches of a tenant, small ones too, newest first, before an id.</summary>
    Task<IReadOnlyList<BatchSummary>> ListAsync(TenantId tenant, MessageId? before, int limit, CancellationToken ct);

    /// <summary>Stops or goes on. Works on every batch, small ones too. False: there is no such batch of this tenant.</summary>
    Task<bool> PauseAsync(TenantId tenant, MessageId batch, bool paused, DateTimeOffset at);

    /// <summary>Pauses a batch of which no messages can be made, with the reason among its errors as number 0.</summary>
    Task BreakAsync(MessageId batch, string why, DateTimeOffset at);

    /// <summary>From now on nothing more becomes a message, and nothing leaves. False: there is no such large batch, or it is done
    /// with.</summary>
    Task<bool> CancelAsync(TenantId tenant, MessageId batch, DateTimeOffset at);

    /// <summary>Recipients of its messages that ended as cancelled.</summary>
    Task<int> CountCancelledAsync(MessageId batch, CancellationToken ct);

    /// <summary>Batches with something to do now, each tenant's first before anybody's second, and those that waited longest first. Those
    /// of archived tenants wait.</summary>
    Task<IReadOnlyList<LargeBatch>> WithWorkAsync(DateTimeOffset now, int skip, int limit, CancellationToken ct);

    Task<MessageContent?> ContentAsync(MessageId batch, CancellationToken ct);

    /// <summary>The next destinations behind a number, of those that belong to the batch; fewer than the limit where their data is long,
    /// none
    /// at the end.</summary>
    Task<IReadOnlyList<StoredDestination>> ReadAsync(LargeBatch batch, long after, int limit, CancellationToken ct);

    /// <summary>Fixes the id of the first message. False: somebody did already.</summary>
    Task<bool> OpenAsync(MessageId batch, MessageId first);

    /// <summary>Rows of the queue that are due now and can be leased, counted no further than the limit.</summary>
    Task<int> CountDueAsync(Queue.QueueKey key, DateTimeOffset now, int limit, CancellationToken ct);

    /// <summary>Removes destinations that are not needed any more, at most so many. True: there may be more.</summary>
    Task<bool> TidyAsync(DateTimeOffset now, int limit);

    /// <summary>By number, behind one.</summary>
    Task<IReadOnlyList<DestinationFault>> FaultsAsync(MessageId batch, long after, int limit, CancellationToken ct);
}

/// <summary>What happens to a batch together with its mail, in the transactions of the queue.</summary>
public interface IBatchExpansion
{
    /// <summary>Messages, recipients, queue rows, faults and the cursor: all or nothing.</summary>
    Task<PieceResult> ExpandAsync(BatchPiece piece);

    /// <summary>Ends queued recipients of a cancelled batch; those under way end with their attempt. Without more the batch is done
    /// with.</summary>
    Task<BatchTurn> EndQueuedAsync(LargeBatch batch, DateTimeOffset now, int limit);

    /// <summary>Makes due what waited because of a pause.</summary>
    Task<BatchTurn> WakeAsync(LargeBatch batch, DateTimeOffset now, int limit);
}

/// <summary>What one transaction did to the mail of a batch.</summary>
/// <param name="Rows">How many it looked at, at most the limit.</param>
/// <param name="HasMore">Rows are left: beyond the limit, or in others' hands at this moment.</param>
public readonly record struct BatchTurn(int Rows, bool HasMore);

/// <summary>A batch among others.</summary>
/// <param name="Large">Null for one that was small when it came.</param>
public sealed record BatchSummary(MessageId Id, int Count, string From, string Subject, LargeBatch? Large);

/// <summary>A batch that was added, or was there.</summary>
/// <param name="IsNew">False: an earlier call with the same key made it.</param>
/// <param name="IsOther">The same key came with another request: nothing was stored.</param>
public readonly record struct AddedBatch(LargeBatch Batch, bool IsNew, bool IsOther);

/// <summary>Destinations that come in one transaction.</summary>
public sealed record BatchPart
{
    /// <summary>Of the call that they are part of, so that it can be repeated after it broke; null: it cannot.</summary>
    public string? Key { get; init; }

    /// <summary>Numbered by their lines within the call, from 1; stored behind what the batch has.</summary>
    public required IReadOnlyList<StoredDestination> Destinations { get; init; }

    /// <summary>Numbered likewise.</summary>
    public IReadOnlyList<DestinationFault> Faults { get; init; } = [];

    /// <summary>Lines of the call that were dealt with before this part, and after it.</summary>
    public required long LinesBefore { get; init; }
    public required long Lines { get; init; }

    /// <summary>Of all lines up to <see cref="Lines"/>. Null: what comes under the key is known to be the same every time.</summary>
    public UInt128? Fingerprint { get; init; }

    /// <summary>There are no lines behind it: the call has come to its end.</summary>
    public bool IsLast { get; init; }
}

/// <summary>How far a call that adds destinations has come, in lines.</summary>
public readonly record struct AppendedPart(long Lines, int Accepted, int Refused)
{
    /// <summary>Of these lines; null: not known.</summary>
    public UInt128? Fingerprint { get; init; }

    /// <summary>Destinations of the batch when the call had come to its end; null: it has not.</summary>
    public int? Total { get; init; }

    public bool IsComplete => Total is not null;
}
