using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Who hands over, and under which key of theirs.</summary>
/// <param name="IdempotencyKey">1 to 255 printable characters, or null.</param>
/// <param name="RequestHash">SHA-256 of the canonical request; empty when there is no key.</param>
public sealed record SubmissionContext(TenantId Tenant, string? IdempotencyKey, ReadOnlyMemory<byte> RequestHash)
{
    /// <summary>Writes the answer that is kept with the key and given to repetitions, byte for byte: the entrance decides its shape.
    /// Needed with a key, not called without. May run on the store's writer: no waiting in it, no locks.</summary>
    public Func<SubmissionReceipt, ReadOnlyMemory<byte>>? Answer { get; init; }

    /// <summary>The entrance turns new mail away by itself when the server stops; what it still brings was begun before, and is
    /// taken.</summary>
    public bool IsInHand { get; init; }

    public const int MaxKeyLength = 255;

    /// <summary>Printable ASCII as in HTTP headers; some clients put spaces into it.</summary>
    public static bool IsKey(string key) => key.Length is > 0 and <= MaxKeyLength && !key.AsSpan().ContainsAnyExceptInRange(' ', '~');
}

/// <summary>One element of a call with many messages: a request, or the fault that the entrance already found in it.
/// Exactly one is set.</summary>
public readonly record struct SubmissionEntry
{
    public SubmissionEntry(SubmissionRequest request) => Request = request;
    public SubmissionEntry(Problem problem) => Problem = problem;

    public SubmissionRequest? Request { get; }
    public Problem? Problem { get; }
}

/// <summary>What the caller hears.</summary>
public abstract record SubmissionResult
{
    SubmissionResult() { }

    /// <summary>On disk.</summary>
    public sealed record Accepted(SubmissionReceipt Receipt) : SubmissionResult;

    /// <summary>The same key and request were accepted before; this is the answer it got then, byte for byte.</summary>
    public sealed record Replayed(ReadOnlyMemory<byte> Answer) : SubmissionResult;

    /// <summary>Nothing was stored.</summary>
    public sealed record Refused(Problem Problem) : SubmissionResult;
}

/// <summary>What was accepted.</summary>
/// <param name="Batch">Null for a single message.</param>
/// <param name="Items">For each message asked for, in order: the message, or why it was refused.</param>
public sealed record SubmissionReceipt(MessageId? Batch, IReadOnlyList<SubmissionItem> Items)
{
    /// <summary>Messages asked for; of a large batch they are not listed.</summary>
    public int Count { get; init; } = Items.Count;
}

/// <summary>One message of a call: <see cref="Message"/> or <see cref="Problem"/> is set, never both.</summary>
public sealed record SubmissionItem(AcceptedMessage? Message, Problem? Problem);

/// <summary>An accepted message, as the caller is told of it.</summary>
public sealed record AcceptedMessage(MessageId Id, IReadOnlyList<AcceptedRecipient> Recipients);

/// <param name="State">Scheduled, queued, suppressed or held.</param>
public readonly record struct AcceptedRecipient(MessageRecipient Recipient, RecipientState State);
