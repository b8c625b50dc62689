namespace Postrider.Messages;

/// <summary>Which transports an envelope must not go to: stored with it, short (a handful of names).</summary>
public sealed record TransportHistory
{
    public static readonly TransportHistory Empty = new();

    /// <summary>Refused it or could not carry it: not asked again until an operator sends the message again.</summary>
    public IReadOnlyList<string> RefusedBy { get; init; } = [];

    /// <summary>Failed on it in this round: not asked again before the next round.</summary>
    public IReadOnlyList<string> FailedThisRound { get; init; } = [];

    /// <summary>The only transport that may be asked, because it alone can tell a repetition (vendor idempotency key); null when any
    /// may.</summary>
    public string? PinnedTo { get; init; }

    /// <summary>Where that led then (<see cref="TransportSettings.Place"/>): led elsewhere, it can tell no repetition.</summary>
    public long PinnedPlace { get; init; }

    /// <summary>An earlier attempt may have been accepted and was never resolved: shown as "possible duplicate".</summary>
    public bool PossibleDuplicate { get; init; }

    /// <summary>The transport that a sticky route stays with, and that waits for the outcome while <see cref="RecipientState.Unknown"/>;
    /// null before the first attempt.</summary>
    public string? Last { get; init; }

    /// <summary>Somebody may have taken it already.</summary>
    public bool IsInDoubt => PossibleDuplicate || PinnedTo is not null;

    /// <param name="place">Where the transport leads.</param>
    public bool Excludes(string transport, long place) => Excludes(transport) || (PinnedTo is not null && PinnedPlace != place);

    public bool Excludes(string transport) =>
        PinnedTo is not null ? PinnedTo != transport : RefusedBy.Contains(transport) || FailedThisRound.Contains(transport);
}
