using Postrider.Messages;

namespace Postrider.Queue;

/// <summary>What goes out, minute by minute and of all nodes together, for the last hours only: for people who look, never for
/// decisions.</summary>
public interface IFlowStore
{
    /// <summary>Adds to what is there.</summary>
    Task AddAsync(IReadOnlyList<FlowCount> counts);

    /// <summary>Forgets the minutes before.</summary>
    Task ForgetAsync(DateTimeOffset before);

    /// <summary>A tenant's minutes from one on; those in which nothing happened are absent.</summary>
    Task<IReadOnlyList<FlowCount>> ReadAsync(TenantId tenant, DateTimeOffset from, CancellationToken ct);

    /// <summary>How many recipients of a tenant came, and ended, in each hour from one on. Hours of long ago are added up to days, at their
    /// first hour. Negative where more left a state than entered it.</summary>
    Task<IReadOnlyList<HourCount>> ReadHoursAsync(TenantId tenant, DateTimeOffset from, CancellationToken ct);

    /// <summary>What of a tenant could go now, by stream.</summary>
    /// <param name="routes">Whose mail is looked at.</param>
    Task<IReadOnlyList<DueDepth>> ReadDueAsync(
        TenantId tenant, IReadOnlyCollection<string> routes, DateTimeOffset now, CancellationToken ct);
}

/// <summary>So many in one minute.</summary>
/// <param name="Minute">Since 1970.</param>
/// <param name="Kind">Of outcomes their number (<see cref="OutcomeKind"/>), counted in recipients; from <see cref="FirstDelay"/> on, the
/// bucket of <see cref="FlowDelays"/> into which recipients fell.</param>
public readonly record struct FlowCount(TenantId Tenant, long Minute, string Transport, int Kind, long Count)
{
    public const int FirstDelay = 16;

    public DateTimeOffset At => DateTimeOffset.FromUnixTimeSeconds(Minute * 60);
    public OutcomeKind? Outcome => Kind < FirstDelay ? (OutcomeKind)Kind : null;
    public int? Delay => Kind >= FirstDelay ? Kind - FirstDelay : null;

    public static long MinuteOf(DateTimeOffset at) => at.ToUnixTimeSeconds() / 60;
}

/// <param name="State">Null: all that were accepted.</param>
public readonly record struct HourCount(DateTimeOffset Hour, RecipientState? State, long Count);

/// <param name="Recipients">Up to <see cref="Most"/>: beyond it nobody counts.</param>
/// <param name="OldestDueAt">Null: nothing is due.</param>
public readonly record struct DueDepth(MailStream Stream, long Recipients, DateTimeOffset? OldestDueAt)
{
    public const int Most = 10_000;
}

/// <summary>The buckets of how long mail takes from its acceptance until a provider has it.</summary>
public static class FlowDelays
{
    /// <summary>Upper bounds in milliseconds; the last bucket has none.</summary>
    static readonly long[] Bounds =
        [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000, 86_400_000];

    public static int BucketOf(TimeSpan delay)
    {
        var ms = delay.TotalMilliseconds;
        var bucket = 0;
        while (bucket < Bounds.Length && ms > Bounds[bucket])
            bucket++;
        return bucket;
    }

    /// <summary>The delay that so many percent did not exceed, estimated within its bucket; null: there was none. What fell into the last
    /// bucket took at least a day.</summary>
    /// <param name="counts">By bucket.</param>
    public static TimeSpan? Percentile(IReadOnlyDictionary<int, long> counts, double percent)
    {
        var wanted = counts.Values.Sum() * percent / 100;
        if (wanted <= 0)
            return null;
        var below = 0L;
        for (var bucket = 0; bucket < Bounds.Length; bucket++)
        {
            var here = counts.GetValueOrDefault(bucket);
            if (here > 0 && below + here >= wanted)
            {
                var lower = bucket == 0 ? 0 : Bounds[bucket - 1];
                return TimeSpan.FromMilliseconds(lower + (Bounds[bucket] - lower) * (wanted - below) / here);
            }
            below += here;
        }
        return TimeSpan.FromMilliseconds(Bounds[^1]);
    }
}
