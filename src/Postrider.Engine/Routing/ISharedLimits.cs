namespace Postrider.Routing;

/// <summary>Limits and circuits that all nodes share, on the clock of what they share. Not there where there is one node.</summary>
public interface ISharedLimits
{
    /// <summary>One answer for each ask, in their order.</summary>
    Task<IReadOnlyList<RateGrant>> TakeAsync(IReadOnlyList<RateAsk> asks, CancellationToken ct);

    /// <summary>What was granted and not used: the next to ask may have it.</summary>
    Task GiveBackAsync(IReadOnlyList<RateAsk> unused, CancellationToken ct);

    /// <summary>How every transport stands that anything was told of.</summary>
    Task<IReadOnlyList<SharedState>> LoadAsync(CancellationToken ct);

    /// <summary>All nodes know within a second. False: another node was faster, and nothing changed.</summary>
    Task<bool> TellAsync(SharedChange change);
}

/// <summary>How a transport stands for all nodes. Spans are from the moment it was read.</summary>
public sealed record SharedState
{
    public required string Name { get; init; }

    /// <summary>Raised by each change.</summary>
    public required long Version { get; init; }
    public required CircuitPosition Circuit { get; init; }

    /// <summary>What is left of the break; negative: over.</summary>
    public required TimeSpan OpenFor { get; init; }
    public required int Openings { get; init; }
    public required string Reason { get; init; }

    /// <summary>Half-open, and the one probe is this node's.</summary>
    public required bool IsProbedHere { get; init; }

    /// <summary>The provider asked us to wait for so long; negative: it did not, or that is over.</summary>
    public required TimeSpan NotBefore { get; init; }
    public required bool IsPaused { get; init; }

    /// <summary>Sender domains that the provider refuses, and for how long they are not tried again.</summary>
    public required IReadOnlyDictionary<string, TimeSpan> RefusedDomains { get; init; }
}

/// <summary>What a node tells the others of a transport.</summary>
public enum SharedChangeKind : byte
{
    /// <summary>Its circuit opened, closed before or half-open by this node's probe.</summary>
    Open,
    /// <summary>Its circuit closed by this node's probe.</summary>
    Close,
    /// <summary>An operator says that it works again.</summary>
    Reset,
    /// <summary>The break is over and this node would make the one probe.</summary>
    TakeProbe,
    /// <summary>The probe is still under way.</summary>
    KeepProbe,
    /// <summary>The probe ended without a result, or there was no work for it.</summary>
    ReturnProbe,
    /// <summary>The provider asked us to wait.</summary>
    Throttle,
    Pause,
    Resume,
    /// <summary>The provider refuses a sender domain.</summary>
    RefuseDomain,
}

/// <summary>One change of a transport.</summary>
/// <param name="Span">Of the break, of the wait, or for which a sender domain is refused.</param>
/// <param name="Text">The reason, or the sender domain.</param>
public readonly record struct SharedChange(
    string Transport, SharedChangeKind Kind, TimeSpan Span = default, int Openings = 0, string Text = "");
