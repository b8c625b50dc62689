namespace Postrider.Queue;

/// <summary>Opens and clicks of some mail, by whoever told. What machines did is counted apart. A repetition within 10 seconds is
/// one.</summary>
public sealed record TrackingCounts
{
    public long Opens { get; init; }

    /// <summary>Messages that were opened; of a single message, recipients who opened it.</summary>
    public long UniqueOpens { get; init; }
    public long Clicks { get; init; }

    /// <summary>Messages in which a link was followed; of a single message, recipients who followed one.</summary>
    public long UniqueClicks { get; init; }
    public long MachineOpens { get; init; }
    public long UniqueMachineOpens { get; init; }
    public long MachineClicks { get; init; }
    public long UniqueMachineClicks { get; init; }

    /// <summary>Adds up single ones.</summary>
    /// <typeparam name="T">Of whom it is unique.</typeparam>
    public static TrackingCounts Of<T>(IEnumerable<(T Who, bool IsClick, bool IsMachine)> hits)
    {
        var (all, unique) = (new long[4], new HashSet<T>[4]);
        foreach (var (who, isClick, isMachine) in hits)
        {
            var kind = (isClick ? 1 : 0) + (isMachine ? 2 : 0);
            all[kind]++;
            (unique[kind] ??= []).Add(who);
        }
        long Unique(int kind) => unique[kind]?.Count ?? 0;
        return new TrackingCounts
        {
            Opens = all[0],
            UniqueOpens = Unique(0),
            Clicks = all[1],
            UniqueClicks = Unique(1),
            MachineOpens = all[2],
            UniqueMachineOpens = Unique(2),
            MachineClicks = all[3],
            UniqueMachineClicks = Unique(3),
        };
    }
}
