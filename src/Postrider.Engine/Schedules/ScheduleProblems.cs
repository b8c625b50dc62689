using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>The refusals about schedules that are not about one field.</summary>
static class ScheduleProblems
{
    public static Problem Absent { get; } = new("not-found", 404, "Not found", "There is no such schedule.");

    public static Problem ChangedMeanwhile { get; } = new("changed-meanwhile", 409, "Changed meanwhile",
        "The schedule was changed at the same time. Look at it, and try again.");

    public static Problem Archived { get; } = new("schedule-archived", 409, "Schedule is archived",
        "The schedule has ended and does not come again. Make a new one: POST /schedules.");

    /// <summary>Another node, or a later program, can read it.</summary>
    public static Problem Newer { get; } = new("schedule-newer", 503, "Schedule was made by a newer Postrider",
        "A newer Postrider has written the schedule's mail, in a form that this one does not know. Nothing was sent; update this node.");

    public static Problem TooMany(int limit) => new("too-many-schedules", 422, "Too many schedules",
        $"The tenant has {limit:N0} schedules that are not archived. Archive some (DELETE /schedules/{{id}}), or raise Schedules:MaxSchedules.");
}
