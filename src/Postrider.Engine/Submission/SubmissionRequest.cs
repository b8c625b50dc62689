using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>A message as an entrance read it, before any check: every entrance (HTTP, SMTP, vendor dialects, schedules, command line) makes the same.</summary>
/// <remarks>Absent and null are the same. The submitter checks it and names faults by JSON pointers built from these member names (<c>/to/0</c>).</remarks>
public sealed record SubmissionRequest
{
    public AddressText? From { get; init; }
    public IReadOnlyList<AddressText> To { get; init; } = [];
    public IReadOnlyList<AddressText> Cc { get; init; } = [];
    public IReadOnlyList<AddressText> Bcc { get; init; } = [];
    public IReadOnlyList<AddressText> ReplyTo { get; init; } = [];
    public string? Subject { get; init; }
    public string? Text { get; init; }
    public string? Html { get; init; }

    /// <summary>In the order given; names may repeat.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
    public IReadOnlyList<AttachmentText> Attachments { get; init; } = [];
    public IReadOnlyList<string> Tags { get; init; } = [];
    public IReadOnlyList<MetadataEntry> Metadata { get; init; } = [];

    /// <summary>RFC 3339 with a zone, or null for now.</summary>
    public string? SendAt { get; init; }

    /// <summary>How long from <see cref="SendAt"/> (or now) it may wait; as seconds, or text such as <c>24h</c>. Null: the default, 24 h.</summary>
    public string? ExpiresIn { get; init; }

    /// <summary><c>transactional</c> or <c>bulk</c>; null: transactional for single messages, bulk for batches by destination.</summary>
    public string? Stream { get; init; }
    public string? Route { get; init; }

    /// <summary><c>retry</c> or <c>hold</c>; null: the default of the installation.</summary>
    public string? OnAmbiguous { get; init; }
    public string? OrderingKey { get; init; }
}

/// <summary>An address as written: <c>Name &lt;a@b&gt;</c> in one text, or address and name apart.</summary>
/// <param name="Text">The whole of it when <paramref name="IsAddressOnly"/> is false; else the bare address.</param>
public readonly record struct AddressText(string Text, string? Name = null, bool IsAddressOnly = false);

/// <summary>An attachment as written.</summary>
/// <param name="Content">Base64 (RFC 4648 §4; white space is ignored), or null when the entrance has the bytes.</param>
/// <param name="Bytes">The bytes when the entrance has them.</param>
public sealed record AttachmentText(string? FileName, string? ContentType, string? Content, string? ContentId, ReadOnlyMemory<byte>? Bytes = null)
{
    /// <summary>An URL to fetch from; refused unless that is switched on (<c>url-not-allowed</c>).</summary>
    public string? Url { get; init; }

    /// <summary><c>attachment</c> or <c>inline</c>; null: inline when it has a content id.</summary>
    public string? Disposition { get; init; }
}

/// <summary>One destination of a batch: gets a message of its own.</summary>
public sealed record Destination(AddressText Address, JsonElement? Data = null);

/// <summary>Who hands over, and under which key of theirs.</summary>
/// <param name="IdempotencyKey">1 to 255 printable characters, or null.</param>
/// <param name="RequestHash">SHA-256 of the canonical request; empty when there is no key.</param>
public sealed record SubmissionContext(TenantId Tenant, string? IdempotencyKey, ReadOnlyMemory<byte> RequestHash)
{
    /// <summary>Writes the answer that is kept with the key and given to repetitions, byte for byte: the entrance decides its shape.
    /// Needed with a key, not called without. May run on the store's writer: no waiting in it, no locks.</summary>
    public Func<SubmissionReceipt, ReadOnlyMemory<byte>>? Answer { get; init; }
}

/// <summary>One element of a call with many messages: a request, or the fault that the entrance already found in it. Exactly one is set.</summary>
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
public sealed record SubmissionReceipt(MessageId? Batch, IReadOnlyList<SubmissionItem> Items);

/// <summary>One message of a call: <see cref="Message"/> or <see cref="Problem"/> is set, never both.</summary>
public sealed record SubmissionItem(AcceptedMessage? Message, Problem? Problem);

/// <summary>An accepted message, as the caller is told of it.</summary>
public sealed record AcceptedMessage(MessageId Id, IReadOnlyList<AcceptedRecipient> Recipients);

/// <param name="State">Scheduled, queued, suppressed or held.</param>
public readonly record struct AcceptedRecipient(MessageRecipient Recipient, RecipientState State);
