using System.Globalization;
using System.Text.Json;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Api;

/// <summary>Schedules and their runs as the API shows them.</summary>
sealed class SchedulePages(IScheduleStore store, IListStore lists)
{
    const int MostRecipients = 100;
    const int NextRuns = 10;

    public async Task<ScheduleAnswer> WholeAsync(Schedule schedule, CancellationToken ct)
    {
        var source = schedule.Recipients.Source;
        var list = await lists.FindAsync(schedule.Tenant, source, ct);
        var own = schedule.Recipients.IsList || list is not { Count: <= MostRecipients } ? null
            : await lists.ReadAsync(schedule.Tenant, source, 0, MostRecipients, ct);
        return Make(schedule, NextRuns) with
        {
            Email = JsonElement.Parse(schedule.Email.Json),
            RecipientCount = list?.Count ?? 0,
            Recipients = own is null ? null : [.. own.Select(Recipient)],
        };
    }

    static ScheduleRecipientAnswer Recipient(StoredDestination one) =>
        new(one.Email, one.Name, one.Data is { } data ? JsonElement.Parse(data) : null);

    public static ScheduleAnswer Short(Schedule schedule) => Make(schedule, 1);

    static ScheduleAnswer Make(Schedule schedule, int next)
    {
        var zone = TimeZoneRules.Find(schedule.Times.TimeZone);
        return new ScheduleAnswer
        {
            Id = schedule.Id.ToString(),
            Name = schedule.Name,
            State = schedule.State,
            Cron = schedule.Times.Cron,
            At = schedule.Times.Cron is null ? [.. schedule.Times.At.Select(time => Text(time, zone))] : null,
            TimeZone = schedule.Times.TimeZone,
            StartsAt = schedule.Times.StartsAt,
            EndsAt = schedule.Times.EndsAt,
            Missed = schedule.Times.MissedWord,
            Overlap = schedule.Times.OverlapWord,
            List = schedule.Recipients.IsList ? schedule.Recipients.Source.ToString() : null,
            Revision = schedule.Revision,
            NextRuns = Times(zone is null ? [] : ScheduleBook.NextOf(schedule, next), zone).Data,
            CreatedAt = schedule.CreatedAt,
            UpdatedAt = schedule.UpdatedAt,
        };
    }

    public async Task<ScheduleRunAnswer> RunAsync(TenantId tenant, ScheduleRun run, CancellationToken ct) =>
        Run(run, run.State == RunState.Enqueued ? Counts(await store.CountAsync(tenant, run.Id, ct)) : null);

    public static ScheduleRunAnswer Run(ScheduleRun run, ScheduleCountsAnswer? counts) => new()
    {
        Id = run.Id.ToString(),
        ScheduleId = run.Schedule.ToString(),
        State = run.State,
        Reason = run.Reason,
        ScheduledFor = Local(run.Time.Local),
        DueAt = run.DueAt,
        RanAt = run.RanAt,
        ByHand = run.IsByHand,
        Count = run.Count,
        Revision = run.Revision,
        BatchId = run.State == RunState.Enqueued ? run.Id.ToString() : null,
        Counts = counts,
    };

    public static ScheduleReportAnswer Report(Schedule schedule, ScheduleReport report)
    {
        long Of(RunState state) => report.Runs.GetValueOrDefault(state);
        return new ScheduleReportAnswer(schedule.Id.ToString(),
            new ScheduleRunCountsAnswer(Of(RunState.Enqueued), Of(RunState.Skipped), Of(RunState.Missed), Of(RunState.Failed)),
            report.Counted, Counts(report.Mail));
    }

    public static OccurrenceListAnswer Times(IReadOnlyList<Occurrence> times, TimeZoneRules? zone) =>
        new([.. times.Select(time => new OccurrenceAnswer(time.At, WithOffset(time.At, zone), Local(time.Local)))]);

    static ScheduleCountsAnswer Counts(MailReport mail)
    {
        var c = mail.Counts;
        return new ScheduleCountsAnswer(
            mail.Waiting, c.Queued, c.Leased, c.Unknown, c.Held, c.Sent, c.Delivered, c.Bounced, c.Failed, c.Expired, c.Suppressed,
            c.Cancelled, mail.Tracking?.UniqueOpens, mail.Tracking?.UniqueClicks, EmailShapes.Tracking(mail.Tracking));
    }

    static string Text(WallClock time, TimeZoneRules? zone) =>
        time.Fold == 1 && zone is not null ? WithOffset(ScheduleCalendar.OccurrenceAt(zone, time).At, zone) : Local(time.Local);

    static string WithOffset(DateTimeOffset at, TimeZoneRules? zone) =>
        at.ToOffset(zone?.OffsetAt(at) ?? TimeSpan.Zero).ToString("yyyy-MM-dd'T'HH:mm:sszzz", CultureInfo.InvariantCulture);

    static string Local(DateTime local) => local.ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture);
}
