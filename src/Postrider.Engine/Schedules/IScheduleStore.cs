using Postrider.Batches;
using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Schedules;

/// <summary>Schedules and what became of their times. Every write is one short transaction, on disk when its task completes.</summary>
public interface IScheduleStore
{
    /// <summary>The schedule that is there: this one, or an earlier one of the same key. Null: the tenant has so many that are not
    /// archived.</summary>
    /// <param name="key">Null: there is none.</param>
    Task<AddedSchedule?> AddAsync(Schedule schedule, int limit, ScheduleKey? key);

    /// <summary>The schedule that an earlier call with this key made, or that it came with another request. Null: there is none.</summary>
    Task<AddedSchedule?> FindAsync(TenantId tenant, ScheduleKey key, CancellationToken ct);

    /// <summary>Null: absent, or another tenant's.</summary>
    Task<Schedule?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct);

    /// <summary>Newest first, before an id.</summary>
    /// <param name="state">Null: all.</param>
    Task<IReadOnlyList<Schedule>> ListAsync(TenantId tenant, ScheduleState? state, MessageId? before, int limit, CancellationToken ct);

    /// <summary>Writes it where it is as it was read (<see cref="Schedule.Change"/>). False: somebody wrote it meanwhile, or it is
    /// gone.</summary>
    Task<bool> ReplaceAsync(Schedule schedule);

    /// <summary>Takes in hand active ones that come at or before <paramref name="now"/> and that are in no other node's, the longest due
    /// first. Until <paramref name="until"/> nobody else gets them, unless they are written before.</summary>
    Task<IReadOnlyList<Schedule>> TakeDueAsync(DateTimeOffset now, DateTimeOffset until, int limit, CancellationToken ct);

    /// <summary>Active ones that were reckoned with another edition of the zones.</summary>
    Task<IReadOnlyList<Schedule>> OfOtherEditionAsync(string edition, int limit, CancellationToken ct);

    /// <summary>What became of times, the batch of the one that comes, and when it comes next: all or nothing.</summary>
    Task<StepResult> StepAsync(ScheduleStep step);

    /// <summary>Newest first, before an id.</summary>
    Task<IReadOnlyList<ScheduleRun>> RunsAsync(MessageId schedule, MessageId? before, int limit, CancellationToken ct);

    Task<ScheduleRun?> FindRunAsync(MessageId schedule, MessageId run, CancellationToken ct);

    /// <summary>The run that an earlier call with this key asked for.</summary>
    Task<ScheduleRun?> FindRunAsync(MessageId schedule, string key, CancellationToken ct);

    /// <summary>Whether the newest run's mail is still being sent.</summary>
    Task<bool> IsSendingAsync(MessageId schedule, CancellationToken ct);

    /// <summary>What became of the mail of one run that sent.</summary>
    Task<MailReport> CountAsync(TenantId tenant, MessageId run, CancellationToken ct);

    /// <summary>Its mail is that of the newest runs, at most so many.</summary>
    Task<ScheduleReport> ReportAsync(MessageId schedule, int mostRuns, CancellationToken ct);

    /// <summary>Runs before that instant that were not sent and that nobody was told of.</summary>
    Task<IReadOnlyList<(TenantId Tenant, ScheduleRun Run)>> UntoldAsync(DateTimeOffset before, int limit, CancellationToken ct);

    Task TellAsync(MessageId run);
}

/// <summary>A caller's key of the call that makes a schedule, with the hash of its request; it holds as long as the schedule is
/// kept.</summary>
public sealed record ScheduleKey(string Key, ReadOnlyMemory<byte> RequestHash);

/// <summary>A schedule that was added, or was there.</summary>
/// <param name="IsNew">False: an earlier call with the same key made it.</param>
/// <param name="IsOther">The same key came with another request: nothing was stored.</param>
public readonly record struct AddedSchedule(Schedule Schedule, bool IsNew, bool IsOther);

/// <summary>One change of a schedule by the calendar, or by hand.</summary>
/// <param name="Schedule">As it is to be; <see cref="Schedule.Change"/> as it was read.</param>
/// <param name="Runs">What is written down, each under its time: what is there already stays.</param>
/// <param name="Batch">Of the last of them; null: none of them sends.</param>
public sealed record ScheduleStep(Schedule Schedule, IReadOnlyList<ScheduleRun> Runs, NewLargeBatch? Batch);

/// <summary>What came of a step.</summary>
public enum StepResult : byte
{
    Done,
    /// <summary>Somebody wrote the schedule meanwhile: nothing was written.</summary>
    Stale,
    /// <summary>Done, but the time had its run already: no batch.</summary>
    Repeated,
    /// <summary>Done, but the list is gone: the run failed.</summary>
    NoList,
}

/// <summary>What became of the mail of runs.</summary>
/// <param name="Waiting">Recipients whose messages are not made yet.</param>
/// <param name="Tracking">Null: there are too many to look at.</param>
public sealed record MailReport(long Waiting, StateCounts Counts, TrackingCounts? Tracking);

/// <summary>What became of a schedule's runs.</summary>
/// <param name="Runs">Runs by state; missed ones by how many times they stand for.</param>
/// <param name="Counted">Runs whose mail is counted.</param>
public sealed record ScheduleReport(IReadOnlyDictionary<RunState, long> Runs, long Counted, MailReport Mail);
