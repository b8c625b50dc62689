using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Schedules;

/// <summary>A schedule, or why not; exactly one is set.</summary>
public readonly record struct ScheduleResult
{
    public ScheduleResult(Schedule schedule) => Schedule = schedule;
    public ScheduleResult(Problem problem) => Problem = problem;

    public Schedule? Schedule { get; }
    public Problem? Problem { get; }

    /// <summary>An earlier call with the same key made it.</summary>
    public bool IsReplayed { get; init; }
}

/// <summary>A run by hand, or why not; exactly one is set.</summary>
/// <param name="IsReplayed">An earlier call with the same key made it.</param>
public readonly record struct RunResult(ScheduleRun? Run, Problem? Problem, bool IsReplayed);

/// <summary>What people do with schedules: make, change, pause, run, put away. The runner does the rest.</summary>
public sealed class ScheduleBook(
    IScheduleStore store, IListStore lists, Submitter submitter, MailMaker mail, MessageIds ids, ScheduleClock wall, TimeProvider clock,
    ScheduleOptions options)
{
    /// <summary>Times that a change is made anew because the schedule was changed at the same time.</summary>
    const int MaxTries = 5;

    /// <summary>What one short transaction writes.</summary>
    const int RecipientsAtOnce = 250;

    /// <param name="key">The same key and request again: the schedule that it made.</param>
    public async Task<ScheduleResult> AddAsync(TenantId tenant, ScheduleRequest request, ScheduleKey? key, CancellationToken ct)
    {
        if (key is not null && await store.FindAsync(tenant, key, ct) is { } there)
            return Repeated(there);
        var (faults, now) = (new Faults(), await wall(ct));
        var name = ScheduleCheck.Name(request.Name, faults);
        var times = ScheduleCheck.Times(request, null, now, options, faults);
        if (request.Email is null)
            faults.Add("/email", "invalid-field", "Say what is to be sent: email takes what POST /emails takes, without the recipients.");
        if (request.Recipients is null && request.List is null)
            faults.Add("/recipients", "no-recipients",
                "Say whom to send to: recipients, a list of addresses, or list, the id of a stored one.");
        var own = Destinations(request.Recipients, faults);
        await CheckListAsync(tenant, request.List, faults, ct);
        if (faults.Any)
            return new ScheduleResult(faults.ToProblem());
        if (await RefuseAsync(tenant, request.Email!) is { } refusal)
            return new ScheduleResult(refusal);
        if (await RefuseAsync(tenant, own) is { } full)
            return new ScheduleResult(full);
        var schedule = new Schedule
        {
            Id = ids.Next(),
            Tenant = tenant,
            Name = name!,
            State = ScheduleState.Active,
            Revision = 1,
            Change = 1,
            Times = times!,
            Email = ScheduledMail.Of(request.Email!),
            Recipients = await KeepAsync(tenant, own, request.List),
            Next = times!.ToCalendar().After(now),
            Edition = TimeZoneRules.Edition,
            CreatedAt = now,
            UpdatedAt = now,
        };
        var added = await store.AddAsync(schedule, options.MaxSchedules, key);
        if (added is { IsNew: true })
            return new ScheduleResult(schedule);
        await ForgetAsync(schedule);
        return added is { } earlier ? Repeated(earlier) : new ScheduleResult(ScheduleProblems.TooMany(options.MaxSchedules));
    }

    static ScheduleResult Repeated(AddedSchedule earlier) => earlier.IsOther
        ? new ScheduleResult(SubmissionProblems.IdempotencyMismatch) : new ScheduleResult(earlier.Schedule) { IsReplayed = true };

    /// <summary>Changes what is given. What comes next comes as before unless the times are changed; a time that is past does not come
    /// again.</summary>
    public async Task<ScheduleResult> EditAsync(TenantId tenant, MessageId id, ScheduleRequest request, CancellationToken ct)
    {
        var faults = new Faults();
        if (request.Name is not null)
            ScheduleCheck.Name(request.Name, faults);
        var own = Destinations(request.Recipients, faults);
        await CheckListAsync(tenant, request.List, faults, ct);
        if (faults.Any)
            return new ScheduleResult(faults.ToProblem());
        if (request.Email is { } email && await RefuseAsync(tenant, email) is { } refusal)
            return new ScheduleResult(refusal);
        if (await RefuseAsync(tenant, own) is { } full)
            return new ScheduleResult(full);
        ScheduleRecipients? recipients = null;
        return await ChangeAsync(tenant, id, async (schedule, now) =>
        {
            var wrong = new Faults();
            var times = request.SaysWhen || request.Missed is not null || request.Overlap is not null
                ? ScheduleCheck.Times(request, schedule.Times, now, options, wrong) : schedule.Times;
            if (times is null)
                return (null, wrong.ToProblem());
            if (own is not null || request.List is not null)
                recipients ??= await KeepAsync(tenant, own, request.List);
            var changed = schedule with
            {
                Name = request.Name ?? schedule.Name,
                Times = times,
                Email = request.Email is { } json ? ScheduledMail.Of(json) : schedule.Email,
                Recipients = recipients ?? schedule.Recipients,
                Revision = request with { Name = null } == new ScheduleRequest() ? schedule.Revision : schedule.Revision + 1,
            };
            return (request.SaysWhen
                ? Moved(schedule, changed, now, "the schedule was changed before it could come") : new ScheduleStep(changed, [], null), null);
        }, ct);
    }

    /// <summary>A list for recipients of a schedule's own, empty, which no schedule has yet.</summary>
    public async Task<MessageId> NewRecipientsAsync(TenantId tenant)
    {
        var id = ids.Next();
        await lists.AddAsync(id, tenant, null, clock.GetUtcNow());
        return id;
    }

    /// <summary>From now on it sends to those.</summary>
    public Task<ScheduleResult> TakeRecipientsAsync(TenantId tenant, MessageId id, MessageId own, CancellationToken ct) =>
        ChangeAsync(tenant, id, (schedule, _) => Task.FromResult<(ScheduleStep?, Problem?)>((new ScheduleStep(schedule with
        {
            Recipients = new ScheduleRecipients(own, IsList: false),
            Revision = schedule.Revision + 1,
        }, [], null), null)), ct);

    public Task<ScheduleResult> PauseAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ChangeAsync(tenant, id, (schedule, now) => Task.FromResult<(ScheduleStep?, Problem?)>((Pause(schedule, now), null)), ct);

    ScheduleStep Pause(Schedule schedule, DateTimeOffset now)
    {
        var paused = schedule with { State = ScheduleState.Paused };
        return schedule is { State: ScheduleState.Active, Next: { } next } && next.At <= now
            ? new ScheduleStep(paused, [Missed(schedule, next, now, "the schedule was paused before it could come")], null)
            : new ScheduleStep(paused, [], null);
    }

    /// <summary>What would have come meanwhile does not come.</summary>
    public Task<ScheduleResult> ResumeAsync(TenantId tenant, MessageId id, CancellationToken ct) =>
        ChangeAsync(tenant, id, (schedule, now) => Task.FromResult<(ScheduleStep?, Problem?)>((Resume(schedule, now), null)), ct);

    static ScheduleStep Resume(Schedule schedule, DateTimeOffset now)
    {
        if (schedule.State == ScheduleState.Active)
            return new ScheduleStep(schedule, [], null);
        var next = NextAfter(schedule, schedule.Times, now);
        var state = next is null ? ScheduleState.Archived : ScheduleState.Active;
        return new ScheduleStep(schedule with { Next = next, State = state, RetryAt = null }, [], null);
    }

    /// <summary>It never comes again; what it sent goes on, and it stays readable. Null: done, now or before.</summary>
    public async Task<Problem?> ArchiveAsync(TenantId tenant, MessageId id, CancellationToken ct)
    {
        var result = await ChangeAsync(tenant, id, (schedule, _) => Task.FromResult<(ScheduleStep?, Problem?)>(
            (new ScheduleStep(schedule with { State = ScheduleState.Archived, Next = null }, [], null), null)), ct);
        return result.Problem == ScheduleProblems.Archived ? null : result.Problem;
    }

    /// <summary>Sends once now, whatever the calendar says.</summary>
    /// <param name="key">Of a call that came before: the run that it made, whatever became of the schedule since.</param>
    public async Task<RunResult> RunAsync(TenantId tenant, MessageId id, string? key, CancellationToken ct)
    {
        ScheduleRun? run = null;
        var result = await ChangeAsync(tenant, id, async (schedule, now) =>
        {
            if (key is not null && await store.FindRunAsync(id, key, ct) is not null)
                return (null, null);
            if (schedule.Email.IsNewer)
                return (null, ScheduleProblems.Newer);
            var (shared, problem) = await mail(tenant, schedule.Email.Json);
            if (shared is null)
                return (null, problem);
            var zone = TimeZoneRules.Find(schedule.Times.TimeZone) ?? TimeZoneRules.Utc;
            run = Run(schedule, new Occurrence(zone.LocalAt(now), ScheduleRun.ByHand, now), now) with { Key = key };
            return (new ScheduleStep(schedule, [run], ScheduleRunner.Batch(schedule, run, shared)), null);
        }, ct);
        if (result is { Problem: null, IsReplayed: false })
            return new RunResult(run, null, IsReplayed: false);
        var earlier = key is null || result.Problem == ScheduleProblems.Absent ? null : await store.FindRunAsync(id, key, ct);
        return earlier is null ? new RunResult(null, result.Problem, IsReplayed: false) : new RunResult(earlier, null, IsReplayed: true);
    }

    public Task<Schedule?> FindAsync(TenantId tenant, MessageId id, CancellationToken ct) => store.FindAsync(tenant, id, ct);

    /// <summary>When a schedule that need not exist would come.</summary>
    public async Task<(IReadOnlyList<Occurrence>? Times, Problem? Problem)> PreviewAsync(
        ScheduleRequest request, int count, CancellationToken ct)
    {
        var (faults, now) = (new Faults(), await wall(ct));
        return ScheduleCheck.Times(request, null, now, options, faults) is { } times
            ? ([.. times.ToCalendar().AllAfter(now).Take(count)], null) : (null, faults.ToProblem());
    }

    /// <summary>When a schedule comes next; nothing while it is paused or archived.</summary>
    public static IReadOnlyList<Occurrence> NextOf(Schedule schedule, int count) =>
        schedule is { State: ScheduleState.Active, Next: { } next }
            ? [next, .. schedule.Times.ToCalendar().AllAfter(next.At).Take(count - 1)] : [];

    /// <param name="change">Neither a step nor a problem: an earlier call did it.</param>
    async Task<ScheduleResult> ChangeAsync(TenantId tenant, MessageId id,
        Func<Schedule, DateTimeOffset, Task<(ScheduleStep? Step, Problem? Problem)>> change, CancellationToken ct)
    {
        for (var tries = 0; tries < MaxTries; tries++)
        {
            if (await store.FindAsync(tenant, id, ct) is not { } schedule)
                return new ScheduleResult(ScheduleProblems.Absent);
            if (schedule.State == ScheduleState.Archived)
                return new ScheduleResult(ScheduleProblems.Archived);
            var now = await wall(ct);
            var (step, problem) = await change(schedule, now);
            if (step is null)
                return problem is null ? new ScheduleResult(schedule) { IsReplayed = true } : new ScheduleResult(problem);
            step = step with { Schedule = step.Schedule with { UpdatedAt = now } };
            switch (await store.StepAsync(step))
            {
                case StepResult.Stale: continue;
                case StepResult.Repeated when step.Batch is not null: continue;   // two by hand in one millisecond, or of one key
                case StepResult.NoList: return new ScheduleResult(NoList());
                case StepResult.Done or StepResult.Repeated:
                    return new ScheduleResult(step.Schedule with { Change = step.Schedule.Change + 1 });
            }
        }
        return new ScheduleResult(ScheduleProblems.ChangedMeanwhile);
    }

    /// <summary>With other times; what was due already and did not come is written down as missed.</summary>
    ScheduleStep Moved(Schedule before, Schedule changed, DateTimeOffset now, string reason)
    {
        var next = NextAfter(before, changed.Times, now);
        var moved = changed with { Next = next, Edition = TimeZoneRules.Edition, RetryAt = null };
        return before is { State: ScheduleState.Active, Next: { } due } && due.At <= now
            ? new ScheduleStep(moved, [Missed(before, due, now, reason)], null) : new ScheduleStep(moved, [], null);
    }

    static Occurrence? NextAfter(Schedule schedule, ScheduleTimes times, DateTimeOffset now)
    {
        // The clock of another node may have been ahead of ours.
        if (schedule.Last is { } last && TimeZoneRules.Find(schedule.Times.TimeZone) is { } zone
            && ScheduleCalendar.OccurrenceAt(zone, last).At is var at && at > now)
            now = at;
        return times.ToCalendar().After(now);
    }

    ScheduleRun Missed(Schedule schedule, Occurrence time, DateTimeOffset now, string reason) =>
        Run(schedule, time, now) with { State = RunState.Missed, Reason = reason };

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

    /// <summary>Null: the mail can be made.</summary>
    async Task<Problem?> RefuseAsync(TenantId tenant, string email)
    {
        var (_, problem) = await mail(tenant, email);
        if (problem is null)
            return null;
        return problem with
        {
            Errors = problem.Errors.Count == 0
                ? [new ProblemError("/email", problem.Slug, problem.Detail)]
                : [.. problem.Errors.Select(error => error with { Pointer = $"/email{error.Pointer}" })],
        };
    }

    ValueTask<Problem?> RefuseAsync(TenantId tenant, List<StoredDestination>? own) =>
        own is null ? default : submitter.RefuseDestinationsAsync(tenant, own.Sum(static one => (long)one.Bytes));

    List<StoredDestination>? Destinations(IReadOnlyList<Destination>? given, Faults faults)
    {
        if (given is null)
            return null;
        if (given.Count == 0)
            faults.Add("/recipients", "no-recipients", "Name at least one recipient.");
        if (given.Count > options.MaxRecipients)
            faults.Add("/recipients", "too-many-recipients",
                $"A schedule names at most {options.MaxRecipients:N0} recipients itself. Make a list of them (POST /lists), and give its id as "
                + "list.");
        var found = new List<StoredDestination>(given.Count);
        foreach (var (index, one) in given.Take(options.MaxRecipients).Index())
        {
            if (submitter.ReadDestination(one.Address, "", out var problem) is { } mailbox)
                found.Add(new StoredDestination(index + 1, mailbox.Address.ToString(), mailbox.Name, one.Data?.GetRawText()));
            else
                faults.AddAll($"/recipients/{index}", problem!);
        }
        return found;
    }

    async Task CheckListAsync(TenantId tenant, MessageId? list, Faults faults, CancellationToken ct)
    {
        if (list is { } id && await lists.FindAsync(tenant, id, ct) is null)
            faults.Add("/list", "invalid-field", "There is no such list. GET /lists shows those that there are.");
    }

    /// <summary>A schedule's own recipients are a list without a name.</summary>
    async Task<ScheduleRecipients> KeepAsync(TenantId tenant, List<StoredDestination>? own, MessageId? list)
    {
        if (own is null)
            return new ScheduleRecipients(list!.Value, IsList: true);
        var id = await NewRecipientsAsync(tenant);
        foreach (var some in own.Chunk(RecipientsAtOnce))
            await lists.PutAsync(tenant, id, some, clock.GetUtcNow());
        return new ScheduleRecipients(id, IsList: false);
    }

    async Task ForgetAsync(Schedule schedule)
    {
        if (!schedule.Recipients.IsList)
            await lists.DeleteAsync(schedule.Tenant, schedule.Recipients.Source, clock.GetUtcNow());
    }

    static Problem NoList() => Faults.One("/list", "invalid-field", "The schedule's list is gone. Give it another: PATCH /schedules/{id}.");
}
