using Postrider.Messages;
using Postrider.Providers.Simulated;

namespace Postrider.Simulation;

/// <summary>What a scenario came to. Times are milliseconds since its start.</summary>
public sealed record SimulationResult
{
    public required int Mails { get; init; }
    public required int Delivered { get; init; }

    /// <summary>Ended otherwise than delivered or expired: bounced, failed, or held for a person.</summary>
    public required int Failed { get; init; }
    public required int Expired { get; init; }
    public required IReadOnlyDictionary<RecipientState, int> Ends { get; init; }

    /// <summary>Calls of providers.</summary>
    public required long Tries { get; init; }

    /// <summary>Mails of which two attempts or more were accepted, or may have been: whatever became of them in the end.</summary>
    public required int PossibleDuplicates { get; init; }

    /// <summary>From accepted to taken by a provider, of what was delivered; ascending.</summary>
    public required IReadOnlyList<long> Delays { get; init; }

    /// <summary>In their order.</summary>
    public required IReadOnlyList<Delivery> Deliveries { get; init; }

    /// <summary>In the order of their configuration.</summary>
    public required IReadOnlyList<VendorResult> Vendors { get; init; }
    public required IReadOnlyList<CircuitEvent> Circuit { get; init; }

    /// <summary>That were planned, whether or not any mail met them.</summary>
    public required IReadOnlyList<VendorOutage> Outages { get; init; }

    /// <summary>It was interrupted: of the rest of the mails nothing is known.</summary>
    public bool IsPartial => Delivered + Failed + Expired < Mails;

    /// <summary>Whenever it changed.</summary>
    public required IReadOnlyList<QueuePoint> Depth { get; init; }
    public required TimeSpan Took { get; init; }
    public required ulong Seed { get; init; }

    /// <summary>The delay that so many of a hundred did not exceed (nearest rank); null: nothing was delivered.</summary>
    public long? Percentile(int percent) =>
        Delays.Count == 0 ? null : Delays[Math.Max(0, (int)Math.Ceiling(Delays.Count * percent / 100.0) - 1)];

    /// <summary>The largest depth in each of so many equal parts of the time, for drawing.</summary>
    public IReadOnlyList<QueuePoint> DepthIn(int parts)
    {
        var width = Math.Max(1, (long)Math.Ceiling(Took.TotalMilliseconds / parts));
        var drawn = new QueuePoint[parts];
        for (var (part, next, depth) = (0, 0, 0); part < parts; part++)
        {
            var most = depth;
            for (; next < Depth.Count && (Depth[next].At < (part + 1) * width || part == parts - 1); next++)
                most = Math.Max(most, depth = Depth[next].Open);
            drawn[part] = new QueuePoint(part * width, most);
        }
        return drawn;
    }
}

/// <summary>What one provider had of it.</summary>
/// <param name="Share">Of all that was delivered; 0 to 1.</param>
/// <param name="Outcomes">Recipients by what their tries came to.</param>
public sealed record VendorResult(
    string Name, long Tries, int Delivered, double Share, IReadOnlyDictionary<OutcomeKind, long> Outcomes)
{
    public long Failures => Outcomes.Where(o => o.Key != OutcomeKind.Accepted).Sum(o => o.Value);
}

/// <summary>A vendor that cannot be reached for a time.</summary>
public readonly record struct VendorOutage(string Vendor, Outage Outage);

/// <summary>A circuit that moved, or a transport that stalled.</summary>
/// <param name="State"><c>open</c>, <c>half_open</c>, <c>closed</c>, <c>stalled</c> or <c>recovered</c>.</param>
public sealed record CircuitEvent(long At, string Vendor, string State, string Reason);

/// <summary>A mail that a provider took.</summary>
public readonly record struct Delivery(long At, string Vendor);

/// <summary>How many mails had not ended.</summary>
public readonly record struct QueuePoint(long At, int Open);

/// <summary>How far a simulation is.</summary>
/// <param name="Time">Of the simulation.</param>
/// <param name="Otherwise">Ended without being delivered.</param>
/// <param name="DeliveredBy">By transport; who has delivered nothing is not there.</param>
public sealed record SimulationProgress(
    TimeSpan Time, int Mails, int Delivered, int Otherwise, int Open, int Attempts, IReadOnlyDictionary<string, int> DeliveredBy)
{
    public int Ended => Delivered + Otherwise;
}
