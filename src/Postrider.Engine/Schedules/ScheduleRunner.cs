using Microsoft.Extensions.Logging;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Schedules;

/// <summary>Makes of a schedule's mail what all recipients of a run share; exactly one of the two is null.</summary>
/// <param name="json">In <see cref="ScheduledMail.Newest"/>, or older.</param>
public delegate Task<(SharedSubmission? Shared, Problem? Problem)> MailMaker(TenantId tenant, string json);

/// <summary>Runs what is due. Any number of nodes do so at once: each takes some in hand that no other has. A step is written where the
/// schedule stands as it was taken, or not at all, and a time has one run whoever writes it.</summary>
public sealed partial class ScheduleRunner(
    IScheduleStore store, MailMaker mail, ScheduleTime time, MessageIds ids, ScheduleOptions options, ILogger<ScheduleRunner> logger)
{
    /// <summary>What is said of a run whose list is gone.</summary>
    public const string NoList = "its list is gone";

    static readonly TimeSpan AfterFault = TimeSpan.FromMinutes(10);

    /// <summary>Steps under way: their transactions are committed together.</summary>
    const int AtOnce = 8;

    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(30);

    /// <summary>What a node took in hand and did not run, because it died or is too slow, is anybody's after this.</summary>
    internal static readonly TimeSpan InHand = TimeSpan.FromSeconds(30);

    /// <summary>So long after a stopped tenant goes on its schedules do so at the latest.</summary>
    static readonly TimeSpan AfterStop = TimeSpan.FromMinutes(1);

    bool _doubtful;   // the loop's

    /// <summary>Null: nobody is told of what was not sent.</summary>
    public ScheduleTeller? Teller { get; init; }

    /// <summary>Tenants that are archived: what is due of theirs waits, and is late when they go on.</summary>
    public Func<TenantId, bool> IsStopped { get; init; } = _ => false;

    /// <summary>One look. True: there is more to do now.</summary>
    public async Task<bool> TickAsync(CancellationToken ct)
    {
        var read = await time.ReadAsync(ct);
        if (_doubtful != read is null)
            LogClock((_doubtful = read is null) ? "jumped: schedules wait until it is steady" : "is steady again: schedules go on");
        if (read is not { } now)
            return false;
        var taken = await store.TakeDueAsync(now, now + InHand, options.BatchPerNode, ct);
        var some = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = ct };
        try
        {
            await Parallel.ForEachAsync(taken, some, async (schedule, stopping) => await GuardedAsync(schedule, now, stopping));
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // Others may have at once what was not run; what was is not as it was taken any more.
            foreach (var schedule in taken)
                await store.ReplaceAsync(schedule);
            throw;
        }
        return taken.Count == options.BatchPerNode;
    }

    /// <summary>Reckons again, with the zones of this machine, when schedules come that were reckoned with others. Returns how
    /// many.</summary>
    public async Task<int> ReckonAsync(CancellationToken ct)
    {
        var others = await store.OfOtherEditionAsync(TimeZoneRules.Edition, options.BatchPerNode, ct);
        foreach (var schedule in others)
        {
            var zone = TimeZoneRules.Find(schedule.Times.TimeZone);
            var next = zone is null || schedule.Next is not { } old ? schedule.Next : ScheduleCalendar.OccurrenceAt(zone, old.Wall);
            await store.ReplaceAsync(schedule with { Next = next, Edition = TimeZoneRules.Edition });
        }
        return others.Count;
    }

    /// <summary>A fault of ours with one schedule must not stop those of all others.</summary>
    async Task GuardedAsync(Schedule schedule, DateTimeOffset now, CancellationToken ct)
    {
        try
        {
            await RunAsync(schedule, now, ct);
        }
        catch (Exception fault) when (
            fault is not (OperationCanceledException or StoreUnavailableException or StorageLowException or TimeoutException))
        {
            LogFault(schedule.Id, fault);
            await store.ReplaceAsync(schedule with { RetryAt = now + AfterFault });
        }
    }

    async Task RunAsync(Schedule schedule, DateTimeOffset now, CancellationToken ct)
    {
        if (IsStopped(schedule.Tenant))
        {
            await store.ReplaceAsync(schedule with { RetryAt = now + AfterStop });
            return;
        }
        if (Read(schedule) is not { } calendar)
        {
            await store.ReplaceAsync(schedule with { RetryAt = now + RetryAfter });
            return;
        }
        var next = ScheduleCalendar.OccurrenceAt(calendar.Zone, schedule.Next!.Value.Wall);
        if (SchedulePlan.Of(calendar, next, schedule.Times.Missed, now, options) is not { } plan)
        {
            await store.ReplaceAsync(schedule with { Next = next, Edition = TimeZoneRules.Edition });
            return;
        }
        var (runs, batch, postponed) = await MakeAsync(schedule, plan, now, ct);
        if (postponed is { } wait)
        {
            await store.ReplaceAsync(schedule with { RetryAt = now + wait });
            return;
        }
        var result = await store.StepAsync(new ScheduleStep(schedule with
        {
            Next = plan.Next,
            Last = plan.Run?.Wall ?? new WallClock(calendar.Zone.LocalAt(now), 0),
            State = plan.Next is null ? ScheduleState.Archived : schedule.State,
            Edition = TimeZoneRules.Edition,
            RetryAt = null,
            UpdatedAt = now,
        }, runs, batch));
        Log(schedule, runs, result);
        if (result == StepResult.NoList)
            runs[^1] = runs[^1] with { State = RunState.Failed, Reason = NoList };
        foreach (var run in result == StepResult.Stale || Teller is null ? [] : runs)
            await Teller!.TellAsync(schedule.Tenant, run, ct);
    }

    /// <summary>What a plan comes to. Not null at the end: it cannot be done now, and is tried again after that.</summary>
    async Task<(List<ScheduleRun> Runs, NewLargeBatch? Batch, TimeSpan? Postponed)> MakeAsync(
        Schedule schedule, SchedulePlan plan, DateTimeOffset now, CancellationToken ct)
    {
        var runs = new List<ScheduleRun>(2);
        if (plan.Missed is { } missed)
            runs.Add(Run(schedule, missed.First, now) with { State = RunState.Missed, Count = missed.Count, Reason = "nobody was there in time" });
        if (plan.Run is not { } due)
            return (runs, null, null);
        if (schedule.Times.Overlap == OverlapPolicy.Skip && await store.IsSendingAsync(schedule.Id, ct))
        {
            runs.Add(Run(schedule, due, now) with { State = RunState.Skipped, Reason = "the run before is still being sent" });
            return (runs, null, null);
        }
        var (shared, problem) = schedule.Email.IsNewer
            ? (null, ScheduleProblems.Newer) : await mail(schedule.Tenant, schedule.Email.Json);
        if (problem is { Status: >= 500 or 429 })
        {
            LogPostponed(schedule.Id, problem.Detail);
            return (runs, null, problem.RetryAfter ?? RetryAfter);
        }
        runs.Add(Run(schedule, due, now) with
        {
            State = shared is null ? RunState.Failed : RunState.Enqueued,
            Reason = problem?.Detail,
        });
        return (runs, shared is null ? null : Batch(schedule, runs[^1], shared), null);
    }

    internal static NewLargeBatch Batch(Schedule schedule, ScheduleRun run, SharedSubmission shared) =>
        // By this node's clock, as batches are looked for: the database's may be ahead of it.
        new(run.Id, schedule.Tenant, shared with { SendAt = null }, run.Id.At) { List = schedule.Recipients.Source };

    ScheduleRun Run(Schedule schedule, Occurrence time, DateTimeOffset now) => new()
    {
        Id = ids.Next(),
        Schedule = schedule.Id,
        Revision = schedule.Revision,
        Time = time.Wall,
        DueAt = time.At,
        RanAt = now,
        State = RunState.Enqueued,
    };

    /// <summary>Null: this machine cannot read it.</summary>
    ScheduleCalendar? Read(Schedule schedule)
    {
        try
        {
            return schedule.Times.ToCalendar();
        }
        catch (InvalidOperationException fault)
        {
            LogPostponed(schedule.Id, fault.Message);
            return null;
        }
    }

    void Log(Schedule schedule, List<ScheduleRun> runs, StepResult result)
    {
        if (result == StepResult.NoList)
            LogRun(schedule.Id, "failed", NoList);
        if (result != StepResult.Stale)
            foreach (var run in runs.Where(run => run.State != RunState.Enqueued))
                LogRun(schedule.Id, run.State == RunState.Missed ? $"missed {run.Count} times" : run.State == RunState.Skipped ? "skipped" : "failed",
                    run.Reason ?? "");
    }

    [LoggerMessage(LogLevel.Warning, "The database's clock {State}")]
    partial void LogClock(string state);

    [LoggerMessage(LogLevel.Error, "Schedule {Id} could not be run, which is a fault of Postrider's: it is tried again in 10 minutes")]
    partial void LogFault(MessageId id, Exception fault);

    [LoggerMessage(LogLevel.Warning, "Schedule {Id} waits: {Reason}")]
    partial void LogPostponed(MessageId id, string reason);

    [LoggerMessage(LogLevel.Warning, "Schedule {Id} {What}: {Reason}")]
    partial void LogRun(MessageId id, string what, string reason);
}
