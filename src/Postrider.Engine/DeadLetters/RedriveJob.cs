using System.Text.Json.Serialization;
using Postrider.Messages;

namespace Postrider.DeadLetters;

/// <summary>What a job does with letters. The numbers are stored.</summary>
public enum RedriveAction : byte { Redrive = 0, Discard = 1 }

/// <summary>Where a job is. The numbers are stored.</summary>
public enum RedriveState : byte { Running = 0, Done = 1, Cancelled = 2 }

/// <summary>An order to send letters again, or to discard them, worked off a second's worth at a time by whichever node comes
/// first.</summary>
/// <remarks>It goes through the list once, from a place that is kept: what does not fit the filter is not looked at again. A letter that
/// was sent again is not on the list any more, and one that comes back is newer than the job.</remarks>
public sealed record RedriveJob
{
    /// <summary>By a policy of the tenant's, not by a key.</summary>
    public const string Policy = "policy";

    public long Id { get; init; }
    public required TenantId Tenant { get; init; }
    public required RedriveAction Action { get; init; }
    public required DeadLetterFilter Filter { get; init; }

    /// <summary>Letters in a second, all nodes together.</summary>
    public required int PerSecond { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The id of the key that ordered it, or <see cref="Policy"/>.</summary>
    public required string CreatedBy { get; init; }
    public RedriveState State { get; init; }

    /// <summary>Up to where the list was looked through; null: not yet.</summary>
    public RecipientId? LookedAt { get; init; }

    /// <summary>Letters sent again or discarded so far.</summary>
    public long Done { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Which turn it is: whoever has an older one may not write.</summary>
    public long Revision { get; init; }

    /// <summary>What it works on: what died after it was ordered is not meant.</summary>
    public DeadLetterFilter Scope => Filter with
    {
        Until = Filter.Until is { } until && until < CreatedAt ? until : CreatedAt.AddMilliseconds(1),
    };
}

/// <summary>A filter as it is stored.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(DeadLetterFilter))]
public sealed partial class DeadLetterJson : JsonSerializerContext;
