namespace Postrider.Routing;

/// <summary>Limits that all nodes share, on the clock of what they share. Not there where there is one node.</summary>
public interface ISharedLimits
{
    /// <summary>One answer for each ask, in their order.</summary>
    Task<IReadOnlyList<RateGrant>> TakeAsync(IReadOnlyList<RateAsk> asks, CancellationToken ct);

    /// <summary>What was granted and not used: the next to ask may have it.</summary>
    Task GiveBackAsync(IReadOnlyList<RateAsk> unused, CancellationToken ct);
}
