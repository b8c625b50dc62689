using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Events;

namespace Postrider.Schedules;

/// <summary>Tells, by events, of times at which nothing was sent. What a node was telling when it died is told again by another.</summary>
public sealed class ScheduleTeller(IScheduleStore store, IEventFeed feed)
{
    const int AtOnce = 100;

    public async Task TellAsync(CancellationToken ct)
    {
        var untold = await store.UntoldAsync(AtOnce, ct);
        foreach (var (tenant, run) in untold)
        {
            var type = run.State switch
            {
                RunState.Missed => MailEventType.ScheduleMissed,
                RunState.Skipped => MailEventType.ScheduleSkipped,
                RunState.Failed or RunState.Enqueued => MailEventType.ScheduleFailed,
            };
            var data = new JsonObject
            {
                ["schedule_id"] = run.Schedule.ToString(),
                ["run_id"] = run.Id.ToString(),
                ["scheduled_for"] = run.Time.Local.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture),
                ["due_at"] = run.DueAt.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
                ["count"] = run.Count,
                ["reason"] = run.Reason,
            };
            await feed.AppendAsync(tenant, type, data.ToJsonString(), ct);
            await store.TellAsync(run.Id);
        }
    }
}
