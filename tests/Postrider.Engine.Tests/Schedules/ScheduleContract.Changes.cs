using Postrider.Engine.Tests.Batches;
using Postrider.Messages;
using Postrider.Schedules;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

/// <content>What people do with schedules: edit, pause, run by hand, list, add.</content>
public abstract partial class ScheduleContract
{
    [Fact]
    public async Task An_edit_fires_nothing_of_the_past_again()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        await _house.RunAtAsync(_house.Now.AddHours(9));
        // The clock of the node that edits is behind that of the node that ran it.
        _house.Clock.WallOffset = TimeSpan.FromMinutes(-2);
        var edited = await _house.Book.EditAsync(TenantId.First, schedule.Id, new ScheduleRequest { Cron = "*/30 9 * * *" }, default);
        Assert.Equal(2, edited.Schedule!.Revision);
        Assert.Equal(new TimeSpan(9, 30, 0), edited.Schedule.Next!.Value.Local.TimeOfDay);
        _house.Clock.WallOffset = TimeSpan.Zero;
        await _house.RunAtAsync(_house.Now.AddMinutes(40));
        Assert.Equal([9 * 60, 9 * 60 + 30], (await _house.RunsAsync(schedule.Id)).Select(r => (int)r.Time.Local.TimeOfDay.TotalMinutes));
    }

    [Fact]
    public async Task A_time_that_an_edit_or_a_pause_takes_away_is_not_lost_in_silence()
    {
        var edited = await _house.AddAsync(ScheduleHouse.Daily);
        var paused = await _house.AddAsync(ScheduleHouse.Daily);
        var renamed = await _house.AddAsync(ScheduleHouse.Daily);
        _house.Clock.Advance(TimeSpan.FromHours(9));
        await _house.Book.EditAsync(TenantId.First, edited.Id, new ScheduleRequest { Cron = "0 10 * * *" }, default);
        await _house.Book.PauseAsync(TenantId.First, paused.Id, default);
        await _house.Book.EditAsync(TenantId.First, renamed.Id, new ScheduleRequest { Name = "other", Email = "{}" }, default);
        await _house.RunAtAsync(_house.Now.AddMinutes(1));
        Assert.Equal(RunState.Missed, Assert.Single(await _house.RunsAsync(edited.Id)).State);
        Assert.Equal(RunState.Missed, Assert.Single(await _house.RunsAsync(paused.Id)).State);
        Assert.Equal(RunState.Enqueued, Assert.Single(await _house.RunsAsync(renamed.Id)).State);
    }

    [Fact]
    public async Task Paused_nothing_comes_and_resumed_it_goes_on_from_then()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        await _house.Book.PauseAsync(TenantId.First, schedule.Id, default);
        await _house.RunAtAsync(_house.Now.AddDays(3));
        var resumed = await _house.Book.ResumeAsync(TenantId.First, schedule.Id, default);
        Assert.Equal(_house.Now.AddHours(9), resumed.Schedule!.Next!.Value.At);
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        await _house.RunAtAsync(_house.Now.AddHours(9));
        Assert.Single(await _house.RunsAsync(schedule.Id));
    }

    [Fact]
    public async Task A_run_by_hand_changes_nothing_of_the_calendar()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        _house.Clock.Advance(TimeSpan.FromHours(8));
        var (run, problem, _) = await _house.Book.RunAsync(TenantId.First, schedule.Id, null, default);
        Assert.Null(problem);
        Assert.True(run!.IsByHand);
        await BatchHouse.RunAsync(_house.Batches.NewExpander());
        Assert.Equal(2, (await _house.Store.CountAsync(TenantId.First, run.Id, default)).Counts.Queued);
        await _house.RunAtAsync(_house.Now.AddHours(1));
        Assert.Equal([true, false], (await _house.RunsAsync(schedule.Id)).Select(r => r.IsByHand));
        var report = await _house.Store.ReportAsync(schedule.Id, 1_000, default);
        Assert.Equal((2, 2, 2, 0),
            (report.Runs[RunState.Enqueued], report.Mail.Waiting, report.Mail.Counts.Queued, report.Mail.Tracking!.UniqueOpens));
    }

    // The answer to the first call may be lost; the caller asks again.
    [Fact]
    public async Task The_same_key_asks_for_the_same_run_by_hand_and_another_for_another()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(n =>
            _house.Book.RunAsync(TenantId.First, schedule.Id, "first", default)));
        var first = Assert.Single(runs.Select(r => r.Run?.Id).Distinct());
        Assert.NotNull(first);
        Assert.Single(runs, r => !r.IsReplayed);
        _house.Clock.Advance(TimeSpan.FromMinutes(1));
        var other = await _house.Book.RunAsync(TenantId.First, schedule.Id, "second", default);
        Assert.NotEqual(first, other.Run!.Id);
        Assert.False(other.IsReplayed);
        Assert.Equal(2, (await _house.RunsAsync(schedule.Id)).Count);

        await _house.Book.ArchiveAsync(TenantId.First, schedule.Id, default);
        Assert.Equal(first, (await _house.Book.RunAsync(TenantId.First, schedule.Id, "first", default)).Run?.Id);
        Assert.Equal("schedule-archived", (await _house.Book.RunAsync(TenantId.First, schedule.Id, "third", default)).Problem?.Slug);
        Assert.Equal(404, (await _house.Book.RunAsync(Other, schedule.Id, "first", default)).Problem?.Status);
    }

    [Fact]
    public async Task A_run_by_hand_that_was_refused_leaves_its_key_free()
    {
        var list = _house.Batches.Ids.Next();
        await _house.Batches.Lists.AddAsync(list, TenantId.First, "gone", _house.Now);
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Recipients = null, List = list });
        await _house.Batches.Lists.DeleteAsync(TenantId.First, list, _house.Now);
        Assert.Equal(422, (await _house.Book.RunAsync(TenantId.First, schedule.Id, "k", default)).Problem?.Status);
        var edit = new ScheduleRequest { Recipients = ScheduleHouse.Daily.Recipients };
        Assert.Null((await _house.Book.EditAsync(TenantId.First, schedule.Id, edit, default)).Problem);
        _house.Clock.Advance(TimeSpan.FromSeconds(1));
        var run = await _house.Book.RunAsync(TenantId.First, schedule.Id, "k", default);
        Assert.Equal((RunState.Enqueued, false), (run.Run!.State, run.IsReplayed));
    }

    // By the same clock as its runs: a node that is ahead must not pass over what is to come.
    [Fact]
    public async Task Changes_go_by_the_database_clock()
    {
        _house.Clock.Advance(TimeSpan.FromHours(9.1));
        _house.Ahead = TimeSpan.FromMinutes(-10);
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        Assert.Equal(9, schedule.Next!.Value.At.Hour);
        Assert.Equal(schedule.Next.Value.At.Date, _house.Now.Date);
    }

    [Fact]
    public async Task What_was_reckoned_with_other_zones_is_reckoned_again()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { TimeZone = "Europe/Berlin" });
        var next = schedule.Next!.Value;
        await _house.Store.ReplaceAsync(schedule with { Next = next with { At = next.At.AddHours(1) }, Edition = "1999a" });
        Assert.Equal(1, await _house.NewRunner().ReckonAsync(default));
        Assert.Equal(0, await _house.NewRunner().ReckonAsync(default));
        Assert.Equal(next, (await _house.FindAsync(schedule.Id)).Next);
    }

    [Fact]
    public async Task Another_tenants_schedules_are_not_there()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        Assert.Null(await _house.Store.FindAsync(Other, schedule.Id, default));
        Assert.Empty(await _house.Store.ListAsync(Other, null, null, 10, default));
        Assert.False(await _house.Store.ReplaceAsync(schedule with { Tenant = Other }));
        Assert.Equal(404, (await _house.Book.PauseAsync(Other, schedule.Id, default)).Problem?.Status);
        Assert.Equal(404, (await _house.Book.RunAsync(Other, schedule.Id, null, default)).Problem?.Status);
        Assert.Equal(404, (await _house.Book.ArchiveAsync(Other, schedule.Id, default))?.Status);
    }

    [Fact]
    public async Task They_are_listed_newest_first_page_by_page()
    {
        var ids = new List<MessageId>();
        for (var i = 0; i < 5; i++)
            ids.Add((await _house.AddAsync(ScheduleHouse.Daily)).Id);
        await _house.Book.ArchiveAsync(TenantId.First, ids[1], default);
        ids.Reverse();
        Assert.Equal(ids[..2], (await _house.Store.ListAsync(TenantId.First, null, null, 2, default)).Select(s => s.Id));
        Assert.Equal(ids[2..], (await _house.Store.ListAsync(TenantId.First, null, ids[1], 10, default)).Select(s => s.Id));
        Assert.Equal([ids[3]], (await _house.Store.ListAsync(TenantId.First, ScheduleState.Archived, null, 10, default)).Select(s => s.Id));
    }

    [Fact]
    public async Task A_tenant_has_so_many_and_no_more()
    {
        _house.Options.MaxSchedules = 1;
        var first = await _house.AddAsync(ScheduleHouse.Daily);
        Assert.Equal("too-many-schedules", ScheduleProblemSlug(await _house.Book.AddAsync(TenantId.First, ScheduleHouse.Daily, null, default)));
        await _house.Book.ArchiveAsync(TenantId.First, first.Id, default);
        await _house.AddAsync(ScheduleHouse.Daily);
    }

    [Fact]
    public async Task The_same_key_makes_one_schedule()
    {
        Task<ScheduleResult> AddAsync(TenantId tenant, byte hash) =>
            _house.Book.AddAsync(tenant, ScheduleHouse.Daily, new ScheduleKey("k", new byte[] { hash }), default);
        var first = (await AddAsync(TenantId.First, 1)).Schedule!;
        await _house.Book.ArchiveAsync(TenantId.First, first.Id, default);
        // Also when what it asks for would be refused by now.
        _house.Options.MaxSchedules = 0;
        var again = await AddAsync(TenantId.First, 1);
        Assert.Equal((first.Id, true), (again.Schedule!.Id, again.IsReplayed));
        _house.Options.MaxSchedules = 10;
        Assert.Equal("idempotency-mismatch", ScheduleProblemSlug(await AddAsync(TenantId.First, 2)));
        Assert.NotEqual(first.Id, (await AddAsync(Other, 1)).Schedule!.Id);
        Assert.Single(await _house.Store.ListAsync(TenantId.First, null, null, 10, default));
    }

    static string? ScheduleProblemSlug(ScheduleResult result) => result.Problem?.Slug;
}
