using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Events;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// What is reported after an attempt.
public abstract partial class QueueStoreContract
{
    static readonly Reply NoSuchUser = new(550, "5.1.1", "550 5.1.1 no such user");

    int _reports;

    FeedbackReport Report(MessageId? message, FeedbackKind kind, int? n = 0) => new()
    {
        Vendor = "mailgun",
        Transport = "relay",
        Message = message,
        N = n,
        Event = new FeedbackEvent
        {
            Kind = kind,
            Type = kind.ToString(),
            Key = $"event-{++_reports}",
            At = Now,
            Reply = kind == FeedbackKind.BouncedHard ? NoSuchUser : null,
        },
    };

    async Task<FeedbackResult> ApplyAsync(FeedbackReport report) =>
        Assert.Single(await _under.Feedback.ApplyAsync([report], Now, default));

    async Task<MessageId> SentAsync(params string[] to)
    {
        var id = await AcceptAsync(to);
        await Store.RecordAsync(Sent(await LeaseOneAsync()));
        return id;
    }

    [Fact]
    public async Task Delivered_joins_the_timeline_and_moves_state_and_counters()
    {
        var id = await SentAsync("ann@example.org");

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, FeedbackKind.Delivered)));

        var view = await ViewAsync(id);
        Assert.Equal(RecipientState.Delivered, view.Recipients[0].State);
        Assert.Equal([MailEventType.Attempt, MailEventType.Delivered], view.Events.Select(e => e.Type));
        Assert.Equal(("relay", "Delivered"), (view.Events[1].Feedback!.Source, view.Events[1].Feedback!.Type));
        var counts = await Reader.CountAsync(Tenant, default);
        Assert.Equal((0, 1), (counts.Sent, counts.Delivered));
    }

    // Whoever has a transport of his own writes its reports himself.
    [Fact]
    public async Task A_tenants_own_transport_has_no_say_about_the_mail_of_others()
    {
        var id = await SentAsync("ann@example.org");

        var foreign = Report(id, FeedbackKind.BouncedHard) with { Transport = $"{Tenant.Value + 1}/relay" };
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(foreign));
        Assert.Equal(RecipientState.Sent, (await ViewAsync(id)).Recipients[0].State);

        var own = Report(id, FeedbackKind.Delivered) with { Transport = $"{Tenant}/relay" };
        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(own));
        Assert.Equal("relay", (await ViewAsync(id)).Events[^1].Feedback!.Source);
    }

    [Fact]
    public async Task A_bounce_shows_its_reason_suppresses_the_address_and_is_never_undone()
    {
        var id = await SentAsync("gone@example.org");

        await ApplyAsync(Report(id, FeedbackKind.BouncedHard));
        Assert.Equal(FeedbackResult.Noted, await ApplyAsync(Report(id, FeedbackKind.Delivered)));
        Assert.Equal(FeedbackResult.Noted, await ApplyAsync(Report(id, FeedbackKind.Opened)));

        var recipient = await RecipientAsync(id);
        Assert.Equal((RecipientState.Bounced, 550, "5.1.1", "550 5.1.1 no such user"),
            (recipient.State, recipient.StatusCode, recipient.EnhancedCode, recipient.StatusReason));
        Assert.Equal("hard", (await ViewAsync(id)).Events[1].Feedback!.Bounce);
        var again = await Store.AcceptAsync(Accept(Message("gone@example.org")), default);
        Assert.Single(Assert.IsType<AcceptResult.Accepted>(again).Suppressed);
    }

    [Fact]
    public async Task The_same_report_counts_once_also_after_a_restart()
    {
        var id = await SentAsync("ann@example.org");
        var report = Report(id, FeedbackKind.Delivered);

        Assert.Equal([FeedbackResult.Moved, FeedbackResult.Duplicate], await _under.Feedback.ApplyAsync([report, report], Now, default));
        await _under.ReopenAsync();
        Assert.Equal(FeedbackResult.Duplicate, await ApplyAsync(report));

        Assert.Equal(2, (await ViewAsync(id)).Events.Count);
        Assert.Equal(1, (await Reader.CountAsync(Tenant, default)).Delivered);
    }

    [Fact]
    public async Task A_report_finds_its_recipient_by_address_where_the_id_is_the_messages()
    {
        var id = await SentAsync("ann@example.org", "Bob@example.org");
        FeedbackReport To(string? address) => Report(id, FeedbackKind.Delivered, n: null) with
        {
            Event = Report(id, FeedbackKind.Delivered).Event with { Address = address },
        };

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(To("bob@EXAMPLE.org")));
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(To("eve@example.org")));
        // Nobody knows of whom: it is kept with the message and moves nobody.
        Assert.Equal(FeedbackResult.Noted, await ApplyAsync(To(null)));

        Assert.Equal([RecipientState.Sent, RecipientState.Delivered], (await ViewAsync(id)).Recipients.Select(r => r.State));
    }

    [Theory]
    [InlineData(FeedbackKind.Accepted, RecipientState.Sent)]
    [InlineData(FeedbackKind.Delivered, RecipientState.Delivered)]
    [InlineData(FeedbackKind.BouncedSoft, RecipientState.Bounced)]
    [InlineData(FeedbackKind.Rejected, RecipientState.Failed)]
    public async Task What_is_unknown_ends_by_a_report_and_is_not_tried_again(FeedbackKind kind, RecipientState expected)
    {
        var id = await AcceptAsync("ann@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));
        Assert.Equal(RecipientState.Unknown, await StateAsync(id));

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, kind)));

        Assert.Equal(expected, await StateAsync(id));
        _clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(0, await Store.SettleAsync(Now, 100, default));
        Assert.Empty(await LeaseAsync());
        Assert.Equal(0, (await Reader.CountAsync(Tenant, default)).Unknown);
    }

    [Fact]
    public async Task One_of_two_in_doubt_is_resolved_and_the_other_goes_on()
    {
        var id = await AcceptAsync("ann@example.org", "bob@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));

        await ApplyAsync(Report(id, FeedbackKind.Delivered, n: 0));
        _clock.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(1, await Store.SettleAsync(Now, 100, default));

        Assert.Equal(1, Assert.Single((await LeaseOneAsync()).Recipients).N);
    }

    [Fact]
    public async Task Evidence_ends_the_second_try_that_waits_after_settling()
    {
        var id = await AcceptAsync("ann@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));
        _clock.Advance(TimeSpan.FromSeconds(61));
        await Store.SettleAsync(Now, 100, default);
        Assert.Equal(RecipientState.Queued, await StateAsync(id));

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, FeedbackKind.Delivered)));

        Assert.Empty(await LeaseAsync());
        Assert.Equal(RecipientState.Delivered, await StateAsync(id));
    }

    // Nobody recorded where the attempt was made: the process died in it.
    [Fact]
    public async Task Evidence_of_an_attempt_that_a_crash_cut_short_counts()
    {
        var id = await AcceptAsync("ann@example.org");
        await LeaseOneAsync();
        await SweepAsync(Incarnation(1), Now);

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, FeedbackKind.Delivered)));

        Assert.Equal(RecipientState.Delivered, await StateAsync(id));
        Assert.Empty(await LeaseAsync());
    }

    [Fact]
    public async Task What_is_held_in_doubt_ends_by_a_report_and_what_is_held_otherwise_does_not()
    {
        var id = await AcceptAsync(Message("ann@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));
        _clock.Advance(TimeSpan.FromSeconds(61));
        await Store.SettleAsync(Now, 100, default);
        Assert.Equal(RecipientState.Held, await StateAsync(id));
        var kept = await AcceptAsync(Message("bob@example.org") with
        {
            Stopped = [new StoppedRecipient(0, RecipientState.Held, HeldReason.NotAllowed, "not here")],
        });

        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, FeedbackKind.Accepted)));
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(Report(kept, FeedbackKind.Delivered)));

        Assert.Equal((RecipientState.Sent, RecipientState.Held), (await StateAsync(id), await StateAsync(kept)));
        var counts = await Reader.CountAsync(Tenant, default);
        Assert.Equal((1, 1), (counts.Sent, counts.Held));
    }

    [Fact]
    public async Task A_report_that_overtakes_the_attempt_waits_for_it()
    {
        var id = await AcceptAsync("ann@example.org");
        var lease = await LeaseOneAsync();
        var report = Report(id, FeedbackKind.Delivered);

        Assert.Equal(FeedbackResult.Waits, await ApplyAsync(report));
        Assert.Equal(FeedbackResult.Waits, await ApplyAsync(report));
        Assert.Equal(RecipientState.Leased, await StateAsync(id));
        await _under.ReopenAsync();
        await Store.RecordAsync(Doubtful(lease, TimeSpan.FromSeconds(60)));
        _clock.Advance(TimeSpan.FromSeconds(3));
        var waiting = Assert.Single(await _under.Feedback.WaitingAsync(Now, 100, default));
        Assert.Equal(report.Event, waiting.Event);
        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(waiting));

        Assert.Equal(RecipientState.Delivered, await StateAsync(id));
        Assert.Equal([MailEventType.Attempt, MailEventType.Delivered], (await ViewAsync(id)).Events.Select(e => e.Type));
        Assert.Equal(FeedbackResult.Duplicate, await ApplyAsync(waiting));
        Assert.Empty(await _under.Feedback.WaitingAsync(Now + Day, 100, default));
    }

    [Fact]
    public async Task What_is_not_ours_is_kept_apart_and_counted()
    {
        var id = await SentAsync("ann@example.org");

        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(Report(_ids.Next(), FeedbackKind.BouncedHard)));
        Assert.Equal(FeedbackResult.Quarantined,
            await ApplyAsync(Report(id, FeedbackKind.BouncedHard) with { Transport = "another" }));
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(Report(null, FeedbackKind.BouncedHard)));
        var forged = Report(id, FeedbackKind.BouncedHard);
        await _under.Feedback.QuarantineAsync([forged, forged], QuarantineReason.Forged, Now, default);

        Assert.Equal(RecipientState.Sent, await StateAsync(id));
        var page = await _under.Feedback.ListQuarantineAsync(null, 3, default);
        Assert.Equal([QuarantineReason.Forged, QuarantineReason.Unmatched, QuarantineReason.NotTriedThere],
            page.Reports.Select(r => r.Reason));
        Assert.Equal(forged.Event, page.Reports[0].Report.Event);
        Assert.Single((await _under.Feedback.ListQuarantineAsync(page.Next, 3, default)).Reports);
        Assert.Equal((2, 1, 1), (page.Counts[QuarantineReason.Unmatched], page.Counts[QuarantineReason.NotTriedThere],
            page.Counts[QuarantineReason.Forged]));
    }

    [Fact]
    public async Task A_report_that_comes_again_and_again_drives_no_other_out_of_the_quarantine()
    {
        var (first, again, last) = (Report(null, FeedbackKind.Delivered), Report(null, FeedbackKind.Delivered),
            Report(null, FeedbackKind.Delivered));
        await _under.Feedback.QuarantineAsync([first], QuarantineReason.Forged, Now, default);
        await _under.Feedback.QuarantineAsync([.. Enumerable.Repeat(again, 10_001)], QuarantineReason.Forged, Now, default);
        await _under.Feedback.QuarantineAsync([last], QuarantineReason.Forged, Now, default);

        var page = await _under.Feedback.ListQuarantineAsync(null, 10, default);
        Assert.Equal([last.Event.Key, again.Event.Key, first.Event.Key], page.Reports.Select(r => r.Report.Event.Key));
    }

    [Fact]
    public async Task A_message_is_found_by_what_its_provider_calls_it()
    {
        await SentAsync("ann@example.org");
        var id = await SentAsync("bob@example.org");
        Task<MessageId?> FindAsync(
            string transport, string providerId, string address, TimeSpan later = default, TenantId? owner = null) =>
            _under.Feedback.FindAsync(owner, transport, providerId, address, Now + later, default);

        Assert.Equal(id, await FindAsync("relay", "4XyZ", "BOB@example.org"));
        Assert.Null(await FindAsync("relay", "4XyY", "bob@example.org"));
        Assert.Null(await FindAsync("other", "4XyZ", "bob@example.org"));
        Assert.Null(await FindAsync("relay", "4XyZ", "eve@example.org"));
        Assert.Null(await FindAsync("relay", "4XyZ", "bob@example.org", TimeSpan.FromDays(20)));
        Assert.Null(await FindAsync("relay", "4XyZ", "no address"));
        Assert.Equal(id, await FindAsync("relay", "4XyZ", "bob@example.org", owner: TenantId.First));
        Assert.Null(await FindAsync("relay", "4XyZ", "bob@example.org", owner: new TenantId(7)));
    }

    [Theory]
    [InlineData("b-1", "bob@example.org", RecipientState.Sent, RecipientState.Bounced)]
    [InlineData("b-2", "bob@example.org", RecipientState.Bounced, RecipientState.Sent)]
    [InlineData("b-1", "eve@example.org", RecipientState.Bounced, RecipientState.Sent)]
    [InlineData("4XyZ", "eve@example.org", RecipientState.Bounced, RecipientState.Sent)]
    [InlineData("b-1", null, RecipientState.Bounced, RecipientState.Sent)]
    [InlineData(null, "bob@example.org", RecipientState.Bounced, RecipientState.Sent)]
    public async Task A_report_with_our_id_of_one_and_the_providers_of_another_is_of_the_other(
        string? providerId, string? address, RecipientState named, RecipientState other)
    {
        var ann = await SentAsync("ann@example.org");
        var bob = await AcceptAsync("bob@example.org");
        await Store.RecordAsync(Sent(await LeaseOneAsync()) with { Attempt = Attempt((0, Accepted with { ProviderId = "b-1" })) });
        using var metrics = new FeedbackMetrics();
        var receiver = new FeedbackReceiver(_under.Feedback, _clock, metrics, NullLogger<FeedbackReceiver>.Instance);
        var bounce = Report(null, FeedbackKind.BouncedHard).Event with
        {
            CarriedId = new RecipientId(ann, 0).ToString(),
            ProviderId = providerId,
            Address = address,
        };

        await receiver.TakeAsync("mailgun", "relay", [bounce], default);
        await receiver.TakeAsync("mailgun", "relay", [bounce], default);

        Assert.Equal((named, other), (await StateAsync(ann), await StateAsync(bob)));
        Assert.Equal(3, (await ViewAsync(ann)).Events.Count + (await ViewAsync(bob)).Events.Count);
    }

    FeedbackReport Unmatched(bool mayLackId)
    {
        var report = Report(null, FeedbackKind.Delivered, n: null);
        return report with { Event = report.Event with { ProviderId = "later", Address = "ann@example.org", MayLackId = mayLackId } };
    }

    [Fact]
    public async Task What_cannot_be_found_yet_is_looked_for_five_times_in_a_quarter_of_an_hour()
    {
        Assert.Equal(FeedbackResult.Waits, await ApplyAsync(Unmatched(mayLackId: true)));
        var (started, looks) = (Now, new List<double>());
        for (var result = FeedbackResult.Waits; result == FeedbackResult.Waits; _clock.Advance(TimeSpan.FromSeconds(1)))
        {
            if ((await _under.Feedback.WaitingAsync(Now, 100, default)) is not [var waiting])
                continue;
            looks.Add((Now - started).TotalSeconds);
            result = await ApplyAsync(waiting);
        }
        Assert.Equal([2, 10, 50, 250, 900], looks);
        Assert.Equal(1, (await _under.Feedback.ListQuarantineAsync(null, 3, default)).Counts[QuarantineReason.Unmatched]);
        Assert.Empty(await _under.Feedback.WaitingAsync(Now + Day, 100, default));
    }

    // An account that other programs send by reports their mail to us as well.
    [Fact]
    public async Task What_comes_without_our_id_where_it_is_always_returned_waits_for_nothing()
    {
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(Unmatched(mayLackId: false)));
        var others = Unmatched(mayLackId: true);
        Assert.Equal(FeedbackResult.Quarantined, await ApplyAsync(others with { Event = others.Event with { CarriedId = "theirs" } }));

        Assert.Empty(await _under.Feedback.WaitingAsync(Now + Day, 100, default));
        Assert.Equal(2, (await _under.Feedback.ListQuarantineAsync(null, 3, default)).Counts[QuarantineReason.Unmatched]);
    }

    [Fact]
    public async Task What_no_longer_fits_among_those_that_wait_is_in_quarantine_and_counted()
    {
        var oldest = Unmatched(mayLackId: true);
        await ApplyAsync(oldest);
        await ApplyAsync(Unmatched(mayLackId: true));
        // As after two hundred thousand others.
        await _under.ExecuteAsync(
            "UPDATE feedback_waiting SET id = id - 200000 WHERE id = (SELECT min(id) FROM feedback_waiting)");

        Assert.Equal(FeedbackResult.Waits, await ApplyAsync(Unmatched(mayLackId: true)));

        var page = await _under.Feedback.ListQuarantineAsync(null, 3, default);
        var dropped = Assert.Single(page.Reports);
        Assert.Equal((QuarantineReason.Crowded, oldest.Event.Key), (dropped.Reason, dropped.Report.Event.Key));
        Assert.Equal(1, page.Counts[QuarantineReason.Crowded]);
        Assert.Equal(2, (await _under.Feedback.WaitingAsync(Now + Day, 100, default)).Count);
    }

    [Fact]
    public async Task A_message_keeps_a_thousand_opens_and_no_more()
    {
        var id = await SentAsync("ann@example.org");
        for (var i = 0; i < 11; i++)
            await _under.Feedback.ApplyAsync(
                [.. Enumerable.Range(0, 100).Select(_ => Report(id, FeedbackKind.Opened))], Now, default);

        Assert.Equal(1 + 1_000, (await ViewAsync(id)).Events.Count);
        Assert.Equal(FeedbackResult.Moved, await ApplyAsync(Report(id, FeedbackKind.BouncedHard)));
    }

    // Whoever knows a return path may write any number of bounces to it.
    [Fact]
    public async Task A_message_keeps_a_thousand_more_of_what_weighs_and_suppresses_also_beyond()
    {
        var id = await SentAsync("ann@example.org");
        await ApplyAsync(Report(id, FeedbackKind.BouncedSoft));
        for (var i = 0; i < 21; i++)
            await _under.Feedback.ApplyAsync(
                [.. Enumerable.Range(0, 100).Select(n => Report(id, n % 2 == 0 ? FeedbackKind.BouncedSoft : FeedbackKind.Delivered))],
                Now, default);
        Assert.Equal(FeedbackResult.Ignored, await ApplyAsync(Report(id, FeedbackKind.Opened)));
        Assert.Equal(FeedbackResult.Ignored, await ApplyAsync(Report(id, FeedbackKind.Complained)));

        Assert.Equal(1 + 2_000, (await ViewAsync(id)).Events.Count);
        var again = await Store.AcceptAsync(Accept(Message("ann@example.org")), default);
        Assert.Single(Assert.IsType<AcceptResult.Accepted>(again).Suppressed);
    }

    [Fact]
    public async Task A_complaint_suppresses_only_who_is_known_to_have_complained()
    {
        var two = await SentAsync("ann@example.org", "bob@example.org");
        var complaint = Report(two, FeedbackKind.Complained, n: null);
        await ApplyAsync(complaint with { Event = complaint.Event with { Address = "ann@example.org" } });
        await ApplyAsync(Report(two, FeedbackKind.Complained, n: 1));

        var next = await Store.AcceptAsync(Accept(Message("ann@example.org", "bob@example.org")), default);

        Assert.Equal(1, Assert.Single(Assert.IsType<AcceptResult.Accepted>(next).Suppressed).N);
        Assert.Equal([RecipientState.Delivered, RecipientState.Delivered], (await ViewAsync(two)).Recipients.Select(r => r.State));
    }

    // However often and in whatever order: the state is what the table makes of each once, and all is counted once.
    [Fact]
    public async Task Any_mixture_of_reports_ends_as_the_table_says()
    {
        var kinds = Enum.GetValues<FeedbackKind>();
        for (var seed = 1UL; seed <= 30; seed++)
        {
            var dice = new Postrider.Testing.Dice(seed);
            var id = await SentAsync($"r{seed}@example.org");
            var reports = Enumerable.Range(0, 8).Select(_ => Report(id, kinds[dice.Next(kinds.Length)])).ToList();
            var expected = RecipientState.Sent;
            var noted = new HashSet<string>();
            for (var i = 0; i < 20; i++)
            {
                var report = reports[dice.Next(reports.Count)];
                if (dice.Next(15) == 0)
                    await _under.ReopenAsync();
                var result = await ApplyAsync(report);
                var isNew = !noted.Contains(report.Event.Key);
                var next = isNew ? FeedbackPrecedence.Next(expected, false, report.Event.Kind) : null;
                Assert.Equal(!isNew ? FeedbackResult.Duplicate
                    : next is not null ? FeedbackResult.Moved
                    : report.Event.Kind == FeedbackKind.Accepted ? FeedbackResult.Ignored : FeedbackResult.Noted, result);
                if (result != FeedbackResult.Ignored)
                    noted.Add(report.Event.Key);
                expected = next ?? expected;
            }
            var view = await ViewAsync(id);
            Assert.Equal(expected, view.Recipients[0].State);
            Assert.Equal(1 + noted.Count, view.Events.Count);
        }
        var counts = await Reader.CountAsync(Tenant, default);
        Assert.Equal(30, counts.Sent + counts.Delivered + counts.Bounced + counts.Failed);
    }
}
