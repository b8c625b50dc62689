using System.Globalization;
using System.Text.Json.Nodes;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>Tells, by events, of times at which nothing was sent. Who writes such a run tells of it; what is untold after a minute, because
/// its node died or has no scheduler, is told by any.</summary>
public sealed class ScheduleTeller(IScheduleStore store, IEventFeed feed, TimeProvider clock)
{
    const int AtOnce = 100;
    static readonly TimeSpan Others = TimeSpan.FromMinutes(1);

    /// <summary>What nobody told in time.</summary>
    public async Task TellAsync(CancellationToken ct)
    {
        foreach (var (tenant, run) in await store.UntoldAsync(clock.GetUtcNow() - Others, AtOnce, ct))
            await TellAsync(tenant, run, ct);
    }

    public async Task TellAsync(TenantId tenant, ScheduleRun run, CancellationToken ct)
    {
        MailEventType? kind = run.State switch
        {
            RunState.Missed => MailEventType.ScheduleMissed,
            RunState.Skipped => MailEventType.ScheduleSkipped,
            RunState.Failed => MailEventType.ScheduleFailed,
            RunState.Enqueued => null,
        };
        if (kind is { } type)
        {
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
