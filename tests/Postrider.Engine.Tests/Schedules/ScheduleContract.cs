using Dapper;
using Postrider.Engine.Tests.Batches;
using Postrider.Engine.Tests.Storage;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Postrider.Schedules;
using Postrider.Storage.Postgres;
using Postrider.Submission;
using Postrider.Testing;
using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Schedules;

public sealed class SqliteScheduleTests() : ScheduleContract(StoreEngine.Sqlite);

public sealed class PostgresScheduleTests() : ScheduleContract(StoreEngine.Postgres)
{
    [Fact]
    public async Task Nodes_pass_each_other_instead_of_waiting()
    {
        var (first, second) = (await House.AddAsync(ScheduleHouse.Daily), await House.AddAsync(ScheduleHouse.Daily));
        House.Clock.Advance(TimeSpan.FromHours(9));
        await using var other = await ((PostgresStore)House.Batches.Tables).OpenWriterAsync();
        await other.ExecuteAsync("BEGIN; SELECT 1 FROM schedules WHERE id = @id FOR UPDATE", new { id = first.Id.Value });

        var taken = await House.Store.TakeDueAsync(House.Now, House.Now + ScheduleRunner.InHand, 10, default);

        Assert.Equal(second.Id, Assert.Single(taken).Id);
    }
}

/// <summary>What schedules do, on every store. The clock stands at the beginning of 2026, a Thursday, until a test moves it.</summary>
public abstract partial class ScheduleContract(StoreEngine engine) : IAsyncLifetime
{
    static readonly TenantId Other = new(2);

    ScheduleHouse _house = null!;

    private protected ScheduleHouse House => _house;

    public async ValueTask InitializeAsync() => _house = await ScheduleHouse.OpenAsync(engine);

    public async ValueTask DisposeAsync()
    {
        await _house.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public async Task What_is_kept_outlives_a_restart()
    {
        var request = ScheduleHouse.Daily with
        {
            Name = "näme",
            Cron = null,
            At = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2030-01-01T09:00"],
            TimeZone = "W. Europe Standard Time",
            StartsAt = "2026-02-01T00:00:00+01:00",
            EndsAt = "2031-01-01T00:00:00Z",
            Missed = "all",
            Overlap = "skip",
            Email = """{"text":"ü"}""",
        };
        var schedule = await _house.AddAsync(request);
        Assert.Equal([new WallClock(new DateTime(2026, 10, 25, 2, 30, 0), 0), new WallClock(new DateTime(2026, 10, 25, 2, 30, 0), 1),
            new WallClock(new DateTime(2030, 1, 1, 9, 0, 0), 0)], schedule.Times.At);
        await _house.Batches.ReopenAsync();
        var kept = await _house.FindAsync(schedule.Id);
        Assert.Equal(schedule.Times.At, kept.Times.At);
        Assert.Equal(schedule with { Times = kept.Times }, kept);
        Assert.Equal(("Europe/Berlin", MissedPolicy.All, OverlapPolicy.Skip), (kept.Times.TimeZone, kept.Times.Missed, kept.Times.Overlap));
        Assert.Equal(new DateTimeOffset(2026, 10, 25, 0, 30, 0, TimeSpan.Zero), kept.Next!.Value.At);
    }

    /// <summary>What a row has that an older program writes: all but what came later.</summary>
    const string FirstColumns = """
        tenant, name, state, revision, change, due, next_at, next_local, next_fold, last_local, last_fold, retry_at, edition, source, is_list,
            updated, key, request_hash, times, email
        """;

    [Fact]
    public async Task What_an_older_program_wrote_is_sent_as_it_was_meant()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        await _house.Batches.Tables.WriteAsync(connection => connection.Execute($"""
            INSERT INTO schedules (id, {FirstColumns}) SELECT id + @stride, {FirstColumns} FROM schedules WHERE id = @id;
            DELETE FROM schedules WHERE id = @id
            """, new { stride = MessageId.Stride, id = schedule.Id.Value }));
        var old = await _house.FindAsync(schedule.Id.Plus(1));
        Assert.Equal(schedule.Email, old.Email);
        Assert.Equal(1, old.Email.Format);
        await _house.RunAtAsync(schedule.Next!.Value.At);
        Assert.Equal(RunState.Enqueued, Assert.Single(await _house.RunsAsync(old.Id)).State);
    }

    // While nodes are replaced one by one, the old ones see what the new ones write.
    [Fact]
    public async Task What_a_newer_program_wrote_waits_for_one_that_can_read_it()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        Task FormatAsync(int format) => _house.Batches.Tables.WriteAsync(
            connection => connection.Execute("UPDATE schedules SET email_format = @format", new { format }));
        await FormatAsync(ScheduledMail.Newest + 1);
        var mails = _house.Mails;
        _house.Clock.Advance(schedule.Next!.Value.At - _house.Now);
        await _house.NewRunner().TickAsync(default);
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        Assert.Equal(_house.Now.AddSeconds(30), (await _house.FindAsync(schedule.Id)).RetryAt);
        Assert.Equal("schedule-newer", (await _house.Book.RunAsync(TenantId.First, schedule.Id, null, default)).Problem?.Slug);
        Assert.Equal(mails, _house.Mails);

        await FormatAsync(ScheduledMail.Newest);
        await _house.RunAtAsync(_house.Now.AddMinutes(1));
        var run = Assert.Single(await _house.RunsAsync(schedule.Id));
        Assert.Equal((RunState.Enqueued, schedule.Next.Value.At), (run.State, run.DueAt));
    }

    [Fact]
    public async Task At_its_time_each_recipient_gets_a_message_and_it_moves_on()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        await _house.RunAtAsync(_house.Now.AddHours(8).AddMinutes(59));
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        await _house.RunAtAsync(_house.Now.AddMinutes(1));
        var run = Assert.Single(await _house.RunsAsync(schedule.Id));
        Assert.Equal((RunState.Enqueued, _house.Now, 0), (run.State, run.DueAt, run.Time.Fold));
        await BatchHouse.RunAsync(_house.Batches.NewExpander());
        Assert.Equal(["ann@example.com", "bob@example.com"], (await _house.Batches.AddressesAsync(run.Id)).Order());
        Assert.Equal(_house.Now.AddDays(1), (await _house.FindAsync(schedule.Id)).Next!.Value.At);
        await _house.RunAtAsync(_house.Now.AddDays(1));
        Assert.Equal(2, (await _house.RunsAsync(schedule.Id)).Count);
    }

    [Fact]
    public async Task Once_means_once_and_then_it_archives_itself_and_stays_readable()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Cron = null, At = ["2031-06-01T09:00"] });
        await _house.RunAtAsync(new DateTimeOffset(2031, 6, 1, 9, 0, 0, TimeSpan.Zero));
        await _house.RunAtAsync(_house.Now.AddDays(1));
        var run = Assert.Single(await _house.RunsAsync(schedule.Id));
        Assert.Equal(RunState.Enqueued, run.State);
        var kept = await _house.FindAsync(schedule.Id);
        Assert.Equal((ScheduleState.Archived, null), (kept.State, kept.Next));
        Assert.Equal("schedule-archived", ScheduleProblemSlug(await _house.Book.ResumeAsync(TenantId.First, schedule.Id, default)));
    }

    [Fact]
    public async Task The_report_counts_what_became_of_the_mail_of_all_runs()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        MessageId? other = null;
        for (var day = 1; day <= 2; day++)
        {
            await _house.RunAtAsync(new DateTimeOffset(2026, 1, day, 9, 0, 0, TimeSpan.Zero));
            await BatchHouse.RunAsync(_house.Batches.NewExpander());
            var run = (await _house.RunsAsync(schedule.Id))[^1];
            var mails = await _house.Batches.MessagesAsync(run.Id);
            MessageId To(string name) => mails.Single(m => m.Recipients[0].Mailbox.Address.ToString() == $"{name}@example.com").Id;
            var (ann, bob) = (To("ann"), To("bob"));
            await SendAsync();
            // Ann opens it twice and follows two links; a machine opens both mails. Bob's bounces on the second day.
            await HitAsync((ann, HitKind.Open, "", null), (ann, HitKind.Click, "https://example.com/1", null),
                (ann, HitKind.Click, "https://example.com/2", null), (ann, HitKind.Open, "", "privacy-proxy"),
                (bob, HitKind.Open, "", "privacy-proxy"));
            _house.Clock.Advance(TimeSpan.FromMinutes(1));
            await HitAsync((ann, HitKind.Open, "", null), (ann, HitKind.Open, "", "scanner"));
            if (day == 2)
                await BounceAsync(bob);
            other = run.Id;
        }

        var report = await _house.Store.ReportAsync(schedule.Id, 1_000, default);

        Assert.Equal((2, 2), (report.Runs[RunState.Enqueued], report.Counted));
        Assert.Equal((1, 2, 1), (report.Mail.Counts.Sent, report.Mail.Counts.Delivered, report.Mail.Counts.Bounced));
        Assert.Equal(new TrackingCounts
        {
            Opens = 4,
            UniqueOpens = 2,
            Clicks = 4,
            UniqueClicks = 2,
            MachineOpens = 6,
            UniqueMachineOpens = 4,
        }, report.Mail.Tracking);
        var last = await _house.Store.ReportAsync(schedule.Id, 1, default);
        Assert.Equal((1, 2L, 1L), (last.Counted, last.Mail.Tracking!.Opens, last.Mail.Tracking.UniqueOpens));
        Assert.Equal(last.Mail.Tracking, await _house.Batches.Batches.TrackingAsync(other!.Value, default));
        Assert.Equal(last.Mail.Tracking, (await _house.Store.CountAsync(TenantId.First, other.Value, default)).Tracking);
    }

    async Task SendAsync()
    {
        foreach (var lease in await _house.Batches.LeaseAsync(100))
            await _house.Batches.Store.RecordAsync(new AttemptRecord
            {
                Lease = lease,
                Attempt = new Attempt
                {
                    Transport = "a",
                    StartedAt = _house.Now,
                    Duration = TimeSpan.FromMilliseconds(5),
                    Outcomes = [new RecipientOutcome(0, Taken)],
                },
                Ends = [new RecipientEnd(0, RecipientState.Sent, Taken, "sent")],
                Continues = [],
            });
    }

    static Outcome Taken => new(OutcomeKind.Accepted, OutcomeScope.Recipient, new Reply(250, "2.0.0", "OK", "DATA"));

    async Task HitAsync(params (MessageId Message, HitKind Kind, string Target, string? WhyMachine)[] hits)
    {
        // Who they are decides who is one: each in a book of its own.
        foreach (var (message, kind, target, why) in hits)
        {
            var book = new HitBook(new TrackingOptions(), _house.Clock);
            book.Add(new Hit(new TrackingToken(kind, TenantId.First, message, 0, target), _house.Now, why, "Firefox", null));
            await _house.Batches.Feedback.ApplyAsync(book.Take(1), _house.Now, default);
            _house.Clock.Advance(TimeSpan.FromSeconds(15));
        }
    }

    async Task BounceAsync(MessageId message) => await _house.Batches.Feedback.ApplyAsync(
        [
            new FeedbackReport
            {
                Vendor = "mailgun",
                Transport = "a",
                Message = message,
                N = 0,
                Event = new FeedbackEvent
                {
                    Kind = FeedbackKind.BouncedHard,
                    Type = "bounced",
                    Key = "bounce",
                    At = _house.Now,
                    Reply = new Reply(550, "5.1.1", "No such user", "RCPT"),
                },
            },
        ], _house.Now, default);

    // However long: what is late by then is run or missed as the schedule wants it.
    [Theory]
    [InlineData(1, RunState.Enqueued)]
    [InlineData(100, RunState.Missed)]
    public async Task What_is_due_while_its_tenant_is_archived_waits_until_it_goes_on(int hours, RunState then)
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Cron = null, At = ["2026-01-02T09:00"] });
        _house.IsStopped = true;
        await _house.RunAtAsync(new DateTimeOffset(2026, 1, 2, 9, 0, 0, TimeSpan.Zero));
        await _house.RunAtAsync(_house.Now.AddHours(hours));
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        var waits = await _house.FindAsync(schedule.Id);
        Assert.Equal((ScheduleState.Active, schedule.Next), (waits.State, waits.Next));

        _house.IsStopped = false;
        await _house.RunAtAsync(_house.Now.AddMinutes(1));

        Assert.Equal(then, Assert.Single(await _house.RunsAsync(schedule.Id)).State);
        Assert.Equal(ScheduleState.Archived, (await _house.FindAsync(schedule.Id)).State);
    }

    [Fact]
    public async Task A_step_that_another_node_was_faster_with_writes_nothing()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        var stale = schedule with { Name = "stale" };
        Assert.True(await _house.Store.ReplaceAsync(schedule with { Name = "first" }));
        Assert.False(await _house.Store.ReplaceAsync(stale));
        var batch = (await _house.Batches.DraftAsync()) with { List = schedule.Recipients.Source };
        var run = RunOf(schedule, batch.Id);
        Assert.Equal(StepResult.Stale, await _house.Store.StepAsync(new ScheduleStep(stale, [run], batch)));
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        Assert.Null(await _house.Batches.Batches.FindAsync(TenantId.First, batch.Id, default));
        Assert.Equal("first", (await _house.FindAsync(schedule.Id)).Name);
    }

    [Fact]
    public async Task What_a_node_has_in_hand_no_other_gets_until_it_is_written_or_the_time_is_up()
    {
        for (var i = 0; i < 5; i++)
            await _house.AddAsync(ScheduleHouse.Daily);
        _house.Clock.Advance(TimeSpan.FromHours(9));
        var until = _house.Now + ScheduleRunner.InHand;
        async Task<IReadOnlyList<Schedule>> TakeAsync(int limit) => await _house.Store.TakeDueAsync(_house.Now, until, limit, default);

        var (first, second) = (await TakeAsync(3), await TakeAsync(3));
        Assert.Equal((3, 2), (first.Count, second.Count));
        Assert.Equal(5, first.Concat(second).Select(s => s.Id).Distinct().Count());
        Assert.Empty(await TakeAsync(3));

        Assert.True(await _house.Store.ReplaceAsync(first[0]));
        Assert.Equal(first[0].Id, Assert.Single(await TakeAsync(3)).Id);
        _house.Clock.Advance(ScheduleRunner.InHand);
        Assert.Equal(5, (await TakeAsync(9)).Count);
    }

    [Fact]
    public async Task A_node_takes_no_more_at_once_than_it_is_told()
    {
        _house.Options.BatchPerNode = 3;
        var schedules = new List<Schedule>();
        for (var i = 0; i < 7; i++)
            schedules.Add(await _house.AddAsync(ScheduleHouse.Daily));
        _house.Clock.Advance(TimeSpan.FromHours(9));
        var runner = _house.NewRunner();

        var hasMore = new List<bool>();
        for (var look = 0; look < 3; look++)
            hasMore.Add(await runner.TickAsync(default));
        Assert.Equal([true, true, false], hasMore);

        foreach (var schedule in schedules)
            Assert.Single(await _house.RunsAsync(schedule.Id));
    }

    [Fact]
    public async Task What_a_node_that_stops_did_not_run_is_others_at_once()
    {
        for (var i = 0; i < 20; i++)
            await _house.AddAsync(ScheduleHouse.Daily);
        _house.Clock.Advance(TimeSpan.FromHours(9));
        using var stopping = new CancellationTokenSource();
        _house.BeforeMail = stopping.Cancel;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _house.NewRunner().TickAsync(stopping.Token));

        Assert.True(await _house.IsAnyDueAsync());
    }

    [Fact]
    public async Task Two_nodes_do_each_its_own_of_what_is_due()
    {
        var schedules = new List<MessageId>();
        for (var i = 0; i < 200; i++)
            schedules.Add((await _house.AddAsync(ScheduleHouse.Daily)).Id);
        _house.Clock.Advance(TimeSpan.FromHours(9));
        var checkedOnly = _house.Mails;
        var nodes = (ScheduleRunner[])[_house.NewRunner(), _house.NewRunner()];

        await Task.WhenAll(nodes.Select(async node =>
        {
            while (await node.TickAsync(default))
                ;
        }));

        Assert.Equal(200, _house.Mails - checkedOnly);
        foreach (var schedule in schedules)
            Assert.Single(await _house.RunsAsync(schedule));
    }

    [Fact]
    public async Task A_time_has_one_run_whoever_writes_it()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        for (var i = 0; i < 2; i++)
        {
            var now = await _house.FindAsync(schedule.Id);
            var batch = (await _house.Batches.DraftAsync()) with { List = schedule.Recipients.Source };
            var result = await _house.Store.StepAsync(new ScheduleStep(now, [RunOf(schedule, batch.Id)], batch));
            Assert.Equal(i == 0 ? StepResult.Done : StepResult.Repeated, result);
            Assert.Equal(i == 0, await _house.Batches.Batches.FindAsync(TenantId.First, batch.Id, default) is not null);
        }
        Assert.Single(await _house.RunsAsync(schedule.Id));
    }

    [Fact]
    public async Task What_was_missed_is_written_down_and_told()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Cron = "0 * * * *" });
        await _house.RunAtAsync(_house.Now.AddHours(5).AddMinutes(1));
        var runs = await _house.RunsAsync(schedule.Id);
        Assert.Equal([(RunState.Missed, 4, 1), (RunState.Enqueued, 1, 5)], runs.Select(r => (r.State, r.Count, r.Time.Local.Hour)));
        // The feed keeps back what is newer than a transaction that is still open anywhere on the server.
        var told = Assert.Single(await Eventually.GetAsync(
            async () => (await _house.Feed.ReadEventsAsync(TenantId.First, default, EventFilter.All, 10, default)).Events
                .Where(e => e.Type == "schedule.missed").ToList(),
            events => events.Count > 0));
        Assert.Equal((schedule.Id.ToString(), 4), (told.Data.Other!["schedule_id"].GetString(), told.Data.Other["count"].GetInt32()));
    }

    [Fact]
    public async Task What_a_node_that_died_did_not_tell_is_told_by_another_after_a_minute()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        _house.Clock.Advance(TimeSpan.FromHours(9));
        await _house.Book.PauseAsync(TenantId.First, schedule.Id, default);
        var teller = new ScheduleTeller(_house.Store, _house.Feed, _house.Clock);
        async Task<int> ToldAsync() =>
            (await _house.Feed.ReadEventsAsync(TenantId.First, default, EventFilter.All, 10, default)).Events.Count;
        await teller.TellAsync(default);
        Assert.Equal(0, await ToldAsync());
        _house.Clock.Advance(TimeSpan.FromMinutes(1));
        await teller.TellAsync(default);
        await Eventually.HoldsAsync(async () => await ToldAsync() == 1);
        await teller.TellAsync(default);
        Assert.Equal(1, await ToldAsync());
    }

    [Fact]
    public async Task A_bug_in_one_schedule_stops_no_other()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        _house.IsBroken = true;
        await _house.RunAtAsync(_house.Now.AddHours(9));
        _house.IsBroken = false;
        Assert.Empty(await _house.RunsAsync(schedule.Id));
        await _house.RunAtAsync(_house.Now.AddMinutes(10));
        Assert.Equal(RunState.Enqueued, Assert.Single(await _house.RunsAsync(schedule.Id)).State);
    }

    [Fact]
    public async Task With_all_every_time_is_made_up_for_in_order()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Cron = "0 * * * *", Missed = "all" });
        var start = _house.Now;
        await _house.RunAtAsync(start.AddHours(30));
        Assert.Equal(Enumerable.Range(1, 30).Select(hour => (RunState.Enqueued, start.AddHours(hour))),
            (await _house.RunsAsync(schedule.Id)).Select(r => (r.State, r.DueAt)));
    }

    [Fact]
    public async Task With_skip_a_run_waits_for_the_one_before()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Overlap = "skip" });
        await _house.RunAtAsync(_house.Now.AddHours(9));
        await _house.RunAtAsync(_house.Now.AddDays(1));
        await BatchHouse.RunAsync(_house.Batches.NewExpander());
        await _house.RunAtAsync(_house.Now.AddDays(1));
        var first = (await _house.RunsAsync(schedule.Id))[0].Id;
        foreach (var message in await _house.Batches.MessagesAsync(first))
            await _house.Batches.Store.CancelAsync(TenantId.First, message.Id, _house.Now, default);
        await _house.RunAtAsync(_house.Now.AddDays(1));
        Assert.Equal([RunState.Enqueued, RunState.Skipped, RunState.Skipped, RunState.Enqueued],
            (await _house.RunsAsync(schedule.Id)).Select(r => r.State));
    }

    [Fact]
    public async Task Mail_that_cannot_be_made_is_a_failed_run_and_a_server_that_cannot_make_it_now_waits()
    {
        var schedule = await _house.AddAsync(ScheduleHouse.Daily);
        _house.Refusal = Faults.One("/template", "no-such-template", "There is no template 'x'.");
        await _house.RunAtAsync(_house.Now.AddHours(9));
        _house.Refusal = SubmissionProblems.NoTransport("default");
        await _house.RunAtAsync(_house.Now.AddDays(1));
        var failed = Assert.Single(await _house.RunsAsync(schedule.Id));
        Assert.Equal((RunState.Failed, "There is no template 'x'."), (failed.State, failed.Reason));
        _house.Refusal = null;
        await _house.RunAtAsync(_house.Now.AddMinutes(2));
        Assert.Equal([RunState.Failed, RunState.Enqueued], (await _house.RunsAsync(schedule.Id)).Select(r => r.State));
    }

    [Fact]
    public async Task A_run_without_its_list_fails_and_says_so()
    {
        var list = _house.Batches.Ids.Next();
        await _house.Batches.Lists.AddAsync(list, TenantId.First, "readers", _house.Now);
        var schedule = await _house.AddAsync(ScheduleHouse.Daily with { Recipients = null, List = list });
        await _house.Batches.Lists.DeleteAsync(TenantId.First, list, _house.Now);
        await _house.RunAtAsync(_house.Now.AddHours(9));
        var run = Assert.Single(await _house.RunsAsync(schedule.Id));
        Assert.Equal((RunState.Failed, "its list is gone"), (run.State, run.Reason));
        Assert.Equal(_house.Now.AddDays(1), (await _house.FindAsync(schedule.Id)).Next!.Value.At);
    }

    ScheduleRun RunOf(Schedule schedule, MessageId id) => new()
    {
        Id = id,
        Schedule = schedule.Id,
        Revision = schedule.Revision,
        Time = schedule.Next!.Value.Wall,
        DueAt = schedule.Next.Value.At,
        RanAt = _house.Now,
        State = RunState.Enqueued,
    };
}
