using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    static Incarnation Incarnation(int starts) => Node with { Number = Node.Number + starts };

    Task<int> SweepAsync(int starts) => SweepAsync(Incarnation(starts), Now + TimeSpan.FromMinutes(11));

    async Task<int> SweepAsync(Incarnation owner, DateTimeOffset settleAt)
    {
        await _under.JoinAsync(owner);
        return await Store.SweepAsync(owner, Now, settleAt, default);
    }

    [Fact]
    public async Task Leases_of_a_dead_process_are_queued_again_at_once()
    {
        var id = await AcceptAsync("a@example.org");
        var born = Message("b@example.org") with { BornLeasedBy = Node };
        await AcceptAsync(born);
        var waiting = await AcceptAsync(Message("c@example.org") with { SendAt = Now + Day });
        var lost = await LeaseOneAsync();

        Assert.Equal(2, await SweepAsync(1));

        var leases = await LeaseAsync(owner: Incarnation(1));
        Assert.Equal([id, born.Id], leases.Select(l => l.Message.Id));
        Assert.All(leases, l => Assert.Equal((2, 1, true), (l.Envelope.Claim, l.Envelope.Suspect, l.Envelope.History.PossibleDuplicate)));
        Assert.Equal(RecipientState.Scheduled, await StateAsync(waiting));
        var happened = Assert.Single((await ViewAsync(id)).Events);
        Assert.Equal((MailEventType.Swept, true),
            (happened.Type, happened.Remark!.Contains("possible duplicate", StringComparison.Ordinal)));
        Assert.StartsWith("Was under way when its process ended or was given up; whether and where it was sent is not known.",
            happened.Remark, StringComparison.Ordinal);
        Assert.Equal(RecordResult.Fenced, await Store.RecordAsync(Sent(lost)));
    }

    [Fact]
    public async Task What_is_swept_has_its_place_in_the_queue_back()
    {
        var first = await AcceptAsync("a@example.org");
        await LeaseOneAsync();
        var later = await AcceptAsync(Message("b@example.org") with { SendAt = Now + TimeSpan.FromSeconds(5) });
        var swept = Now + TimeSpan.FromMinutes(1);
        await _under.JoinAsync(Incarnation(1));

        Assert.Equal(1, await Store.SweepAsync(Incarnation(1), swept, swept + TimeSpan.FromMinutes(11), default));

        var leases = await Store.LeaseAsync(Main, 100, Incarnation(1), swept, false, default);
        Assert.Equal([first, later], leases.Select(l => l.Message.Id));
    }

    [Fact]
    public async Task A_sweep_leaves_the_own_leases_and_those_of_other_nodes_alone()
    {
        await AcceptAsync("a@example.org");
        await AcceptAsync("b@example.org");
        var own = Assert.Single(await LeaseAsync(1));
        var other = Assert.Single(await LeaseAsync(1, owner: new Incarnation(2, 7)));

        Assert.Equal(0, await SweepAsync(0));

        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(Sent(own)));
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(Sent(other)));
    }

    [Fact]
    public async Task Under_hold_a_lease_past_its_commit_point_is_in_doubt_and_one_before_it_is_known_unsent()
    {
        var doubtful = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var unsent = await AcceptAsync(Message("b@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var leases = await LeaseAsync();
        await Store.CommitPointAsync(leases.Single(l => l.Message.Id == doubtful), "relay", Now, default);

        await SweepAsync(1);

        Assert.Equal("Was under way when its process ended or was given up; whether it was sent is not known.",
            Assert.Single((await ViewAsync(doubtful)).Events).Remark);
        Assert.Equal("Was under way when its process ended or was given up, and had not been sent.",
            Assert.Single((await ViewAsync(unsent)).Events).Remark);
        Assert.Equal(RecipientState.Unknown, await StateAsync(doubtful));
        Assert.Equal(Now + TimeSpan.FromMinutes(11), (await RecipientAsync(doubtful)).NextAttemptAt);
        var again = Assert.Single(await LeaseAsync(owner: Incarnation(1)));
        Assert.Equal((unsent, false), (again.Message.Id, again.Envelope.History.PossibleDuplicate));
    }

    [Fact]
    public async Task After_three_crashes_an_envelope_is_leased_alone_and_after_one_more_held()
    {
        var poison = await AcceptAsync("poison@example.org");
        for (var crash = 1; crash <= 3; crash++)
        {
            Assert.Single(await LeaseAsync(owner: Incarnation(crash - 1)));
            await SweepAsync(crash);
        }
        Assert.Equal(WaitReason.Suspect, (await RecipientAsync(poison)).WaitReason);
        var harmless = await AcceptAsync("harmless@example.org");

        Assert.Equal(harmless, Assert.Single(await LeaseAsync(owner: Incarnation(3))).Message.Id);
        Assert.Equal([new DueKey(Main, Now, Alone: true)], await Store.DueKeysAsync(default));
        var alone = Assert.Single(await LeaseAsync(permits: 10, alone: true, owner: Incarnation(3)));
        Assert.Equal((poison, 3), (alone.Message.Id, alone.Envelope.Suspect));
        await SweepAsync(4);

        Assert.Equal((RecipientState.Held, HeldReason.Poison),
            ((await RecipientAsync(poison)).State, (await RecipientAsync(poison)).HeldReason));
        Assert.Equal(RecipientState.Queued, await StateAsync(harmless));
    }

    [Fact]
    public async Task Suspects_are_leased_one_at_a_time()
    {
        await AcceptAsync("a@example.org");
        await AcceptAsync("b@example.org");
        for (var crash = 1; crash <= 3; crash++)
        {
            await LeaseAsync(owner: Incarnation(crash - 1));
            await SweepAsync(crash);
        }

        Assert.Empty(await LeaseAsync(owner: Incarnation(3)));
        Assert.Single(await LeaseAsync(permits: 10, alone: true, owner: Incarnation(3)));
    }

    [Fact]
    public async Task An_attempt_that_the_process_survives_clears_the_suspicion()
    {
        await AcceptAsync("a@example.org");
        for (var crash = 1; crash <= 3; crash++)
        {
            await LeaseAsync(owner: Incarnation(crash - 1));
            await SweepAsync(crash);
        }
        var alone = Assert.Single(await LeaseAsync(alone: true, owner: Incarnation(3)));
        await Store.RecordAsync(GoesOn(alone, Later(alone, TimeSpan.Zero, 0)));

        Assert.Equal(0, Assert.Single(await LeaseAsync(owner: Incarnation(3))).Envelope.Suspect);
    }

    [Fact]
    public async Task A_cancelled_lease_of_a_dead_process_is_not_sent_again()
    {
        var id = await AcceptAsync("a@example.org");
        await LeaseOneAsync();
        await Store.CancelAsync(Tenant, id, Now, default);

        await SweepAsync(1);

        Assert.Equal(RecipientState.Cancelled, await StateAsync(id));
        Assert.Equal("Cancelled; an earlier attempt may have been accepted.", await WhyCancelledAsync(id));
    }

    async Task<string?> WhyCancelledAsync(MessageId id) =>
        (await ViewAsync(id)).Events.Last(e => e.Type == MailEventType.Cancelled).Remark;

    [Fact]
    public async Task Cancelling_what_may_have_been_accepted_says_so_and_what_was_not_sent_says_nothing()
    {
        var unsent = await AcceptAsync("a@example.org");
        Assert.Equal(1, await Store.CancelAsync(Tenant, unsent, Now, default));
        var deferred = await AcceptAsync("b@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.FromMinutes(5), 0)));
        Assert.Equal(1, await Store.CancelAsync(Tenant, deferred, Now, default));
        var pinned = await AcceptAsync("c@example.org");
        lease = await LeaseOneAsync();
        var repeated = Later(lease, TimeSpan.FromMinutes(5), 0) with { History = new TransportHistory { Last = "relay", PinnedTo = "relay" } };
        await Store.RecordAsync(GoesOn(lease, repeated));
        Assert.Equal(1, await Store.CancelAsync(Tenant, pinned, Now, default));
        var held = await AcceptAsync(Message("d@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));
        _clock.Advance(TimeSpan.FromSeconds(60));
        await Store.SettleAsync(Now, 10, default);
        Assert.Equal(RecipientState.Held, await StateAsync(held));
        Assert.Equal(1, await Store.CancelAsync(Tenant, held, Now, default));

        Assert.Null(await WhyCancelledAsync(unsent));
        Assert.Null(await WhyCancelledAsync(deferred));
        Assert.Equal("Cancelled; an earlier attempt may have been accepted.", await WhyCancelledAsync(pinned));
        Assert.Equal("Cancelled; an earlier attempt may have been accepted.", await WhyCancelledAsync(held));
    }

    [Fact]
    public async Task Cancelling_ends_what_waits_and_lets_what_is_under_way_end_with_its_attempt()
    {
        var id = await AcceptAsync([.. Enumerable.Range(0, 101).Select(i => $"r{i}@example.org")]);
        var underWay = Assert.Single(await LeaseAsync(1));

        Assert.Equal(1, await Store.CancelAsync(Tenant, id, Now, default));

        Assert.Equal(RecipientState.Leased, await StateAsync(id));
        Assert.Equal(RecipientState.Cancelled, await StateAsync(id, 100));
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = underWay,
            Attempt = Attempt([.. underWay.Recipients.Select(r => (r.N, r.N == 0 ? Accepted : Deferred))]),
            Ends = [new(0, RecipientState.Sent, Accepted, "sent")],
            Continues = [Later(underWay, TimeSpan.FromMinutes(10), [.. Enumerable.Range(1, 99)])],
        });
        Assert.Equal(RecipientState.Sent, await StateAsync(id));
        Assert.Equal(RecipientState.Cancelled, await StateAsync(id, 1));
        Assert.Equal(new StateCounts { Accepted = 101, Sent = 1, Cancelled = 100 }, await Reader.CountAsync(Tenant, default));
        Assert.Equal(0, await Store.CancelAsync(Tenant, id, Now, default));
    }

    [Fact]
    public async Task A_cancelled_lease_that_is_released_ends_cancelled()
    {
        var id = await AcceptAsync("a@example.org");
        var lease = await LeaseOneAsync();
        await Store.CancelAsync(Tenant, id, Now, default);

        await Store.ReleaseAsync([lease], Now, WaitReason.Released, default);

        Assert.Equal((RecipientState.Cancelled, 0), ((await RecipientAsync(id)).State, (await RecipientAsync(id)).Tries));
    }

    [Fact]
    public async Task What_is_held_and_what_is_in_doubt_can_be_cancelled()
    {
        var held = await AcceptAsync(
            Message("a@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });
        var doubtful = await AcceptAsync("b@example.org");
        await Store.RecordAsync(Doubtful(await LeaseOneAsync(), TimeSpan.FromSeconds(60)));

        Assert.Equal(1, await Store.CancelAsync(Tenant, held, Now, default));
        Assert.Equal(0, await Store.CancelAsync(Tenant, doubtful, Now, default));

        Assert.Equal(RecipientState.Cancelled, await StateAsync(held));
        _clock.Advance(TimeSpan.FromSeconds(60));
        await Store.SettleAsync(Now, 10, default);
        Assert.Equal(RecipientState.Cancelled, await StateAsync(doubtful));
    }

    [Fact]
    public async Task After_the_clock_was_set_back_only_mail_for_a_time_of_its_own_waits_for_that()
    {
        var deferred = await AcceptAsync("a@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.FromMinutes(5), 0)));
        await AcceptAsync("b@example.org");
        var scheduled = await AcceptAsync(Message("c@example.org") with { SendAt = Now + TimeSpan.FromHours(1) });
        var (past, soon) = (Now - Day, Now - Day + TimeSpan.FromHours(6));

        Assert.Equal(new Hastened(2, null), await Store.HastenAsync(past, soon, null, 100));

        Assert.Equal(soon, (await RecipientAsync(deferred)).NextAttemptAt);
        Assert.Equal(Now + TimeSpan.FromHours(1), (await RecipientAsync(scheduled)).NextAttemptAt);
        Assert.Equal([new DueKey(Main, past, Alone: false)], await Store.DueKeysAsync(default));
        Assert.Equal(new Hastened(0, null), await Store.HastenAsync(past, soon, null, 100));
    }

    [Fact]
    public async Task After_the_clock_was_set_back_the_queue_is_gone_through_in_short_stretches()
    {
        for (var i = 0; i < 5; i++)
            await AcceptAsync($"{i}@example.org", "also@example.org");
        var past = Now - Day;
        var counts = new List<int>();
        EnvelopeId? last = null;
        do
        {
            var done = await Store.HastenAsync(past, past, last, 2);
            counts.Add(done.Count);
            last = done.Next;
        }
        while (last is not null);

        Assert.Equal([2, 2, 1], counts);
        Assert.Equal([new DueKey(Main, past, Alone: false)], await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task A_large_backlog_is_gone_through_in_stretches_of_which_none_takes_long()
    {
        const int count = 20_000, limit = 500;
        foreach (var some in Enumerable.Range(0, count).Chunk(2_000))
            await Store.AcceptAsync(Accept([.. some.Select(i => Message($"r{i}@example.org"))]), default);
        var (past, changed, stretches) = (Now - Day, 0, 0);
        EnvelopeId? last = null;
        do
        {
            var done = await Store.HastenAsync(past, past, last, limit);
            Assert.InRange(done.Count, 0, limit);
            changed += done.Count;
            stretches++;
            last = done.Next;
        }
        while (last is not null);

        Assert.Equal((count, (count / limit) + 1), (changed, stretches));
        Assert.Equal([new DueKey(Main, past, Alone: false)], await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task Dead_letters_are_sent_again_as_the_next_generation()
    {
        var id = await AcceptAsync("sent@example.org", "failed@example.org", "bounced@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Accepted), (1, Rejected), (2, Rejected)),
            Ends =
            [
                new(0, RecipientState.Sent, Accepted, "sent"), new(1, RecipientState.Failed, Rejected, "refused"),
                new(2, RecipientState.Bounced, Rejected, "no such user"),
            ],
            Continues = [],
        });

        Assert.Equal(2, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));

        var again = await LeaseOneAsync();
        Assert.Equal([1, 2], again.Recipients.Select(r => r.N));
        Assert.Equal((1, 2, 0), (again.Message.Generation, again.Envelope.Tries, again.Envelope.Deferrals));
        Assert.Same(TransportHistory.Empty, again.Envelope.History);
        Assert.Equal(MailEventType.SentAgain, (await ViewAsync(id)).Events[^1].Type);
        Assert.Equal(0, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));
        await Store.RecordAsync(Sent(again));
        Assert.Equal(new StateCounts { Accepted = 3, Sent = 3 }, await Reader.CountAsync(Tenant, default));
    }

    [Theory]
    [InlineData(AmbiguityPolicy.Hold, RecipientState.Held)]
    [InlineData(AmbiguityPolicy.Retry, RecipientState.Expired)]
    public async Task What_one_transport_may_have_taken_is_not_simply_expired_under_hold(AmbiguityPolicy policy, RecipientState expected)
    {
        var id = await AcceptAsync(Message("a@example.org") with { OnAmbiguous = policy });
        var lease = await LeaseOneAsync();
        var pinned = Later(lease, TimeSpan.FromHours(23), 0) with { History = TransportHistory.Empty with { Last = "relay", PinnedTo = "relay" } };
        await Store.RecordAsync(GoesOn(lease, pinned));
        _clock.Advance(Day);
        await Store.ExpireAsync(Now, 10, default);
        var recipient = await RecipientAsync(id);
        Assert.Equal((expected, expected == RecipientState.Held ? HeldReason.Ambiguous : HeldReason.None),
            (recipient.State, recipient.HeldReason));
    }

    [Fact]
    public async Task Expired_and_held_mail_can_be_sent_again_and_expires_anew()
    {
        var expired = await AcceptAsync("a@example.org");
        var held = await AcceptAsync(
            Message("b@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });
        _clock.Advance(Day);
        await Store.ExpireAsync(Now, 10, default);

        Assert.Equal(1, await Store.RetryAsync(Tenant, expired, bounced: true, discarded: false, Now, Now + Day, default));
        Assert.Equal(1, await Store.RetryAsync(Tenant, held, bounced: true, discarded: false, Now, Now + Day, default));

        Assert.Equal(2, (await LeaseAsync()).Count);
        Assert.Equal(HeldReason.None, (await RecipientAsync(held)).HeldReason);
    }

    [Fact]
    public async Task A_message_moves_to_another_time_until_it_was_attempted()
    {
        var id = await AcceptAsync(Message("a@example.org") with { SendAt = Now + TimeSpan.FromHours(1) });

        Assert.True(await Store.RescheduleAsync(Tenant, id, Now + TimeSpan.FromHours(2), Now + Day, default));
        var view = await ViewAsync(id);
        Assert.Equal((RecipientState.Scheduled, Now + TimeSpan.FromHours(2)), (view.Recipients[0].State, view.SendAt));
        Assert.Equal(MailEventType.Rescheduled, Assert.Single(view.Events).Type);

        Assert.True(await Store.RescheduleAsync(Tenant, id, Now, Now + Day, default));
        Assert.Equal(RecipientState.Queued, await StateAsync(id));
        var lease = await LeaseOneAsync();
        Assert.False(await Store.RescheduleAsync(Tenant, id, Now + Day, Now + 2 * Day, default));
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.Zero, 0)));
        Assert.False(await Store.RescheduleAsync(Tenant, id, Now + Day, Now + 2 * Day, default));
        Assert.Null(await Store.RescheduleAsync(Tenant, _ids.Next(), Now, Now + Day, default));
    }
}
