using System.Text;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Batches;

/// <summary>How far a large batch has come. Stored by number.</summary>
public enum BatchState : byte
{
    /// <summary>Destinations still come; nothing is sent before it is started.</summary>
    Filling = 0,
    /// <summary>Started: its destinations become messages, in their order.</summary>
    Expanding = 1,
    /// <summary>Every destination has become a message, or has failed with a reason.</summary>
    Expanded = 2,
    /// <summary>Cancelled; what of it is queued is being ended.</summary>
    Cancelling = 3,
    /// <summary>Nothing more becomes of it.</summary>
    Cancelled = 4,
}

/// <summary>A large batch as it begins: its content stored once, its destinations its own or those of a list.</summary>
/// <param name="At">When it was accepted.</param>
public sealed record NewLargeBatch(MessageId Id, TenantId Tenant, SharedSubmission Shared, DateTimeOffset At)
{
    /// <summary>The list whose recipients, as they are now, are the destinations: such a batch is started at once. Null: they
    /// follow.</summary>
    public MessageId? List { get; init; }

    /// <summary>The caller's idempotency key with the hash of its request; null without one.</summary>
    public (string Key, ReadOnlyMemory<byte> RequestHash)? Key { get; init; }
}

/// <summary>A large batch as it is stored.</summary>
public sealed record LargeBatch
{
    public required MessageId Id { get; init; }
    public required TenantId Tenant { get; init; }
    public required BatchState State { get; init; }
    public required bool IsPaused { get; init; }

    /// <summary>Nothing of it becomes a message before.</summary>
    public required DateTimeOffset StartAt { get; init; }

    /// <summary>Whose destinations it reads: its own id, or a list's.</summary>
    public required MessageId Source { get; init; }

    /// <summary>Number of the last destination that belongs to it; what comes to its source later does not.</summary>
    public required long Until { get; init; }

    /// <summary>Number of the last destination that was dealt with; 0 before the first.</summary>
    public required long Cursor { get; init; }

    /// <summary>Id of the message of its first destination; the others follow it in a row, a failed one leaves a gap. Null before it has
    /// begun.</summary>
    public required MessageId? First { get; init; }

    /// <summary>Destinations in all; grows while it is filled.</summary>
    public required int Total { get; init; }

    /// <summary>Destinations dealt with.</summary>
    public required int Taken { get; init; }

    /// <summary>Of <see cref="Taken"/>, those of which no message could be made.</summary>
    public required int Failed { get; init; }

    /// <summary>Lines that were no destinations; not in <see cref="Total"/>.</summary>
    public required int Refused { get; init; }

    /// <summary>How often destinations were changed since it began: what was read before such a change makes no message.</summary>
    public required long Edits { get; init; }
    public required SharedTerms Terms { get; init; }

    public bool IsFinal => State is BatchState.Expanded or BatchState.Cancelled;
}

/// <summary>One destination, compact: what its message has of its own.</summary>
/// <param name="N">Its number in its source, ascending, with gaps.</param>
/// <param name="Data">A JSON object of at most <see cref="Destination.MaxDataBytes"/>, or null.</param>
public sealed record StoredDestination(long N, string Email, string? Name, string? Data)
{
    /// <summary>About what it takes on the way, in bytes.</summary>
    public int Bytes => Email.Length + (Name?.Length ?? 0) + (Data is null ? 0 : Encoding.UTF8.GetByteCount(Data));
}

/// <summary>A destination of which no message was made.</summary>
/// <param name="N">Its number; of a body that was read by lines, its line.</param>
public sealed record DestinationFault(long N, string? Email, string Slug, string Detail);

/// <summary>A piece of a batch that becomes messages in one transaction with the cursor: whatever dies, each destination becomes a message
/// once.</summary>
public sealed record BatchPiece
{
    public required LargeBatch Batch { get; init; }

    /// <summary>Where the cursor must stand, and where it goes.</summary>
    public required long From { get; init; }
    public required long To { get; init; }

    /// <summary>Destinations dealt with: those that became messages, and those that did not.</summary>
    public required int Count { get; init; }

    /// <summary>Of <see cref="Count"/>, those of which no message was made.</summary>
    public int Failed => Count - Messages.Count;
    public required IReadOnlyList<NewMessage> Messages { get; init; }
    public required IReadOnlyList<DestinationFault> Faults { get; init; }

    /// <summary>There is none behind them.</summary>
    public required bool IsLast { get; init; }
}

/// <summary>What came of a piece.</summary>
/// <param name="Done">False: the batch was paused, cancelled or edited, or another node was faster; nothing was written.</param>
/// <param name="WriterTime">What it took of the only writer's time; zero where there are several.</param>
public readonly record struct PieceResult(bool Done, TimeSpan WriterTime);
