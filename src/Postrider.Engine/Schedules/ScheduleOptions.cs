using System.ComponentModel.DataAnnotations;

namespace Postrider.Schedules;

/// <summary>How schedules are kept and run. Section <c>Schedules</c>.</summary>
public sealed class ScheduleOptions
{
    /// <summary>Schedules that a node takes in hand at once; it looks again at once when there were so many. Default 100.</summary>
    [Range(1, 10_000)]
    public int BatchPerNode { get; set; } = 100;

    /// <summary>How often a node looks for what is due. Default 1 second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>With <c>missed</c> <c>latest</c>: how late a run may come. Default 24 hours.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "30.00:00:00")]
    public TimeSpan LatestWithin { get; set; } = TimeSpan.FromHours(24);

    /// <summary>With <c>missed</c> <c>latest</c> or <c>skip</c>: what is no later than this is on time, and comes. Default 5
    /// minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:10", "01:00:00")]
    public TimeSpan OnTimeWithin { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>With <c>missed</c> <c>all</c>: most runs that are made up for. Default 100.</summary>
    [Range(1, 10_000)]
    public int MaxCatchUp { get; set; } = 100;

    /// <summary>Most schedules of a tenant that are not archived. Default 10,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxSchedules { get; set; } = 10_000;

    /// <summary>Most times in the list <c>at</c>. Default 1,000.</summary>
    [Range(1, 100_000)]
    public int MaxTimes { get; set; } = 1_000;

    /// <summary>Most recipients that a schedule names itself, as a list or as CSV; more are for a stored list. Default 10,000.</summary>
    [Range(1, 100_000)]
    public int MaxRecipients { get; set; } = 10_000;
}
