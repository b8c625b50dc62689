using Microsoft.Extensions.Logging.Abstractions;
using Postrider.DeadLetters;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

// That the list says what the recipients' states say is tested after every test of the contract: see StoreOrphans.
public abstract partial class QueueStoreContract
{
    DeadLetterTables Letters => new((ITableStore)_under.Store);
    IDeadLetterCommands Commands => (IDeadLetterCommands)_under.Store;

    static Outcome Unreachable =>
        new(OutcomeKind.Unreachable, OutcomeScope.Transport, new Reply(0, null, "connection refused", "connect"));

    Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, RecipientId? before = null, int limit = 100) =>
        Letters.ListAsync(Tenant, filter ?? new DeadLetterFilter(), before, limit, default);

    /// <summary>Mails with one recipient each that all fail with an outcome.</summary>
    async Task<IReadOnlyList<MessageId>> FailAsync(int count, Outcome outcome)
    {
        var ids = new List<MessageId>();
        for (var i = 0; i < count; i++)
            ids.Add(await AcceptAsync($"r{i}@example.org"));
        await FailDueAsync(outcome);
        return ids;
    }

    async Task<int> FailDueAsync(Outcome outcome)
    {
        var leases = await LeaseAsync(1_000);
        await Task.WhenAll(leases.Select(lease => Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, outcome)),
            Ends = [new(0, RecipientState.Failed, outcome, "given up")],
            Continues = [],
        })));
        return leases.Count;
    }

    [Fact]
    public async Task A_dead_letter_says_what_it_died_of_and_where()
    {
        var failed = (await FailAsync(1, Rejected))[0];
        var held = await AcceptAsync(
            Message("held@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });
        var expired = await AcceptAsync("late@example.org");
        var lease = await LeaseOneAsync();
        var last = Later(lease, TimeSpan.FromHours(48), 0) with { History = TransportHistory.Empty with { Last = "relay" } };
        await Store.RecordAsync(GoesOn(lease, last));
        var attempted = Now;
        _clock.Advance(Day);
        await Store.ExpireAsync(Now, 10, default);

        var letters = await ListAsync();
        Assert.Equal([expired, held, failed], letters.Select(l => l.Id.Message));
        Assert.Equal((RecipientState.Expired, "deferred", "relay", true, (DateTimeOffset?)attempted, Now),
            (letters[0].State, letters[0].Reason, letters[0].Transport, letters[0].IsTransient, letters[0].LastAttemptAt, letters[0].At));
        Assert.Equal((RecipientState.Held, "not_allowed", null, false, null, 0),
            (letters[1].State, letters[1].Reason, letters[1].Transport, letters[1].IsTransient, letters[1].LastAttemptAt,
                letters[1].Tries));
        Assert.Equal((RecipientState.Failed, "rejected", 550, "5.1.1", "relay", false, 1),
            (letters[2].State, letters[2].Reason, letters[2].Code, letters[2].EnhancedCode, letters[2].Transport, letters[2].IsTransient,
                letters[2].Tries));
        Assert.Equal(("r0@example.org", "Hello", "shop@example.com"),
            (letters[2].Address, letters[2].Subject, letters[2].From.Split('<', '>')[1]));
    }

    // Under retry, too: who may have it already is not sent another by a policy, only by a person.
    [Fact]
    public async Task What_expires_in_doubt_is_ambiguous_and_not_transient()
    {
        await AcceptAsync("late@example.org");
        var lease = await LeaseOneAsync();
        var doubt = TransportHistory.Empty with { Last = "relay", PossibleDuplicate = true };
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.FromHours(48), 0) with { History = doubt }));
        _clock.Advance(Day);
        await Store.ExpireAsync(Now, 10, default);
        var letter = Assert.Single(await ListAsync());
        Assert.Equal((RecipientState.Expired, "ambiguous", "relay", false), (letter.State, letter.Reason, letter.Transport, letter.IsTransient));
        Assert.Empty(await ListAsync(new DeadLetterFilter { Transient = true }));
    }

    [Fact]
    public async Task Letters_are_grouped_by_what_they_died_of_and_filtered_and_paged()
    {
        await FailAsync(3, Unreachable);
        await FailAsync(2, Rejected);
        var groups = await Letters.GroupsAsync(Tenant, new DeadLetterFilter(), default);
        Assert.Equal([("unreachable", 3L, "relay"), ("rejected", 2L, "relay")], groups.Select(g => (g.Reason, g.Count, g.Transport)));
        Assert.All(groups, group => Assert.Equal(Now, group.LastAttemptAt));
        Assert.Equal(3, (await ListAsync(new DeadLetterFilter { Transient = true })).Count);
        var narrow = new DeadLetterFilter { Reason = "rejected", State = RecipientState.Failed, Transport = "relay" };
        Assert.Equal(2, (await ListAsync(narrow)).Count);
        Assert.Empty(await ListAsync(new DeadLetterFilter { State = RecipientState.Held }));
        Assert.Empty(await ListAsync(new DeadLetterFilter { Reason = "' OR 1=1 --" }));
        Assert.Empty(await ListAsync(new DeadLetterFilter { Ids = ["nonsense') OR (1=1"] }));
        var first = await ListAsync(limit: 2);
        var rest = await ListAsync(before: first[^1].Id);
        Assert.Equal((await ListAsync()).Select(l => l.Id), first.Concat(rest).Select(l => l.Id));
        Assert.Equal([rest[0].Id], (await ListAsync(new DeadLetterFilter { Ids = [rest[0].Id.ToString()] })).Select(l => l.Id));
    }

    [Fact]
    public async Task A_letter_that_is_sent_again_leaves_the_list_and_comes_back_with_its_past()
    {
        var id = (await FailAsync(1, Unreachable))[0];
        var died = Now;
        _clock.Advance(TimeSpan.FromMinutes(5));
        Assert.Equal(1, await Commands.RedriveAsync(Tenant, id, [0], "by hand", Now, Now + Day));
        Assert.Empty(await ListAsync());
        Assert.Equal(0, await Commands.RedriveAsync(Tenant, id, [0], null, Now, Now + Day));
        Assert.Equal("by hand", (await ViewAsync(id)).Events[^1].Remark);
        _clock.Advance(TimeSpan.FromMinutes(5));
        await FailDueAsync(Rejected);
        var letter = Assert.Single(await ListAsync());
        Assert.Equal((1, died, Now, "rejected", 2), (letter.Redrives, letter.FirstAt, letter.At, letter.Reason, letter.Tries));
        Assert.Equal(1, await Commands.RedriveAsync(Tenant, id, [0], null, Now, Now + Day));
        await Store.RecordAsync(Sent(await LeaseOneAsync()));
        Assert.Empty(await ListAsync());
        Assert.Empty(await Letters.GroupsAsync(Tenant, new DeadLetterFilter(), default));
    }

    [Fact]
    public async Task Only_the_recipients_named_are_sent_again_and_bounced_ones_never()
    {
        var id = await AcceptAsync("failed@example.org", "bounced@example.org", "other@example.org");
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = await LeaseOneAsync(),
            Attempt = Attempt((0, Unreachable), (1, Rejected), (2, Unreachable)),
            Ends =
            [
                new(0, RecipientState.Failed, Unreachable, "x"), new(1, RecipientState.Bounced, Rejected, "x"),
                new(2, RecipientState.Failed, Unreachable, "x"),
            ],
            Continues = [],
        });
        Assert.Equal(1, await Commands.RedriveAsync(Tenant, id, [0, 1], null, Now, Now + Day));
        Assert.Equal([0], (await LeaseOneAsync()).Recipients.Select(r => r.N));
        Assert.Equal([2], (await ListAsync()).Select(l => l.Id.N));
    }

    [Fact]
    public async Task A_letter_that_is_discarded_leaves_the_list_with_an_event_and_what_was_held_is_cancelled()
    {
        var failed = (await FailAsync(1, Rejected))[0];
        var held = await AcceptAsync(
            Message("held@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });
        foreach (var id in (MessageId[])[failed, held])
        {
            Assert.Equal(1, await Commands.DiscardAsync(Tenant, id, [0], "not wanted", Now));
            var last = (await ViewAsync(id)).Events[^1];
            Assert.Equal((MailEventType.Discarded, "not wanted"), (last.Type, last.Remark));
        }
        Assert.Empty(await ListAsync());
        Assert.Equal((RecipientState.Failed, RecipientState.Cancelled), (await StateAsync(failed), await StateAsync(held)));
        var counts = await Reader.CountAsync(Tenant, default);
        Assert.Equal((0, 1, 1), (counts.Held, counts.Failed, counts.Cancelled));
    }

    [Fact]
    public async Task Another_tenants_letters_are_not_there()
    {
        var id = (await FailAsync(1, Unreachable))[0];
        Assert.Empty(await Letters.ListAsync(OtherTenant, new DeadLetterFilter(), null, 10, default));
        Assert.Empty(await Letters.GroupsAsync(OtherTenant, new DeadLetterFilter(), default));
        var others = Job(new DeadLetterFilter { Ids = [$"{id}-0"] }) with { Tenant = OtherTenant };
        Assert.Empty((await Letters.NextAsync(others, default)).Places);
        Assert.Null(await Commands.RedriveAsync(OtherTenant, id, [0], null, Now, Now + Day));
        Assert.Null(await Commands.DiscardAsync(OtherTenant, id, [0], null, Now));
        var job = await Letters.AddJobAsync(Job(new DeadLetterFilter()));
        Assert.Null(await Letters.FindJobAsync(OtherTenant, job.Id, default));
        Assert.False(await Letters.CancelJobAsync(OtherTenant, job.Id, Now));
        Assert.Empty(await Letters.ListJobsAsync(OtherTenant, null, 10, default));
        Assert.Single(await ListAsync());
    }

    // A turn takes a second's letters; the process ends in between, and another one goes on.
    [Fact]
    public async Task A_job_spreads_its_letters_over_time_and_outlives_a_restart()
    {
        await FailAsync(25, Unreachable);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var job = await Letters.AddJobAsync(Job(new DeadLetterFilter { Reason = "unreachable" }) with { PerSecond = 10 });
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.True(await Redriver().TakeTurnAsync(default));
        Assert.False(await Redriver().TakeTurnAsync(default)); // its next turn is in a second
        Assert.Equal(10, await FailDueAsync(Unreachable));     // what dies again is not meant any more
        await _under.ReopenAsync();
        await _under.JoinAsync(Node);
        foreach (var expected in (int[])[10, 5])
        {
            _clock.Advance(TimeSpan.FromSeconds(1));
            Assert.True(await Redriver().TakeTurnAsync(default));
            Assert.Equal(expected, await FailDueAsync(Unreachable));
        }
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.False(await Redriver().TakeTurnAsync(default));
        var done = (await Letters.FindJobAsync(Tenant, job.Id, default))!;
        Assert.Equal((RedriveState.Done, 25L), (done.State, done.Done));
        Assert.Equal(25, (await ListAsync()).Count(l => l.Redrives == 1));
    }

    // Several nodes look at the same moment: one has the turn.
    [Fact]
    public async Task A_turn_is_in_one_hand()
    {
        await FailAsync(40, Unreachable);
        await Letters.AddJobAsync(Job(new DeadLetterFilter()) with { PerSecond = 10 });
        for (var second = 1; second <= 4; second++)
        {
            var turns = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => Redriver().TakeTurnAsync(default))));
            Assert.Single(turns, taken => taken);
            Assert.Equal(10, (await LeaseAsync(1_000)).Count);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }
        Assert.Empty(await ListAsync());
    }

    [Fact]
    public async Task A_job_whose_node_died_is_taken_up_after_a_while_and_a_cancelled_one_is_not()
    {
        await FailAsync(3, Unreachable);
        var job = await Letters.AddJobAsync(Job(new DeadLetterFilter()));
        Assert.NotNull(await Letters.TakeJobAsync(Now, Now + TimeSpan.FromSeconds(30))); // and nothing more is heard
        _clock.Advance(TimeSpan.FromSeconds(29));
        Assert.False(await Redriver().TakeTurnAsync(default));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.True(await Letters.CancelJobAsync(Tenant, job.Id, Now));
        Assert.False(await Letters.CancelJobAsync(Tenant, job.Id, Now));
        Assert.False(await Redriver().TakeTurnAsync(default));
        Assert.Equal(3, (await ListAsync()).Count);
        await Letters.AddJobAsync(Job(new DeadLetterFilter()));
        Assert.True(await Redriver().TakeTurnAsync(default));
        Assert.Empty(await ListAsync());
    }

    // Every 15 minutes, up to an hour after they first died; what is not transient waits for somebody.
    [Fact]
    public async Task A_policy_sends_transient_letters_again_until_their_time_is_up()
    {
        await FailAsync(1, Rejected);
        await FailAsync(2, Unreachable);
        var redriver = Redriver(new RedrivePolicy(Tenant, TimeSpan.FromMinutes(15), TimeSpan.FromHours(1)));
        var sent = 0;
        for (var minute = 1; minute <= 180; minute++)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            await redriver.LookAtPoliciesAsync(default);
            while (await redriver.TakeTurnAsync(default)) { }
            sent += await FailDueAsync(Unreachable);
        }
        Assert.InRange(sent, 6, 8); // three or four rounds of two
        var letters = await ListAsync();
        Assert.Equal([0, sent / 2, sent / 2], letters.Select(l => l.Redrives).Order());
        Assert.All(await Letters.ListJobsAsync(Tenant, null, 100, default), job => Assert.Equal(RedriveState.Done, job.State));
    }

    // Each turn is cut long before the list's end: whoever takes the next one goes on from there.
    [Fact]
    public async Task A_job_for_few_letters_among_many_moves_on_with_each_turn_and_ends()
    {
        await FailAsync(45, Rejected);
        await FailAsync(3, Unreachable);
        await FailAsync(30, Rejected);
        await FailAsync(1, Unreachable);
        _clock.Advance(TimeSpan.FromSeconds(1));
        var job = await Letters.AddJobAsync(Job(new DeadLetterFilter { Reason = "unreachable" }));
        RecipientId? before = null;
        var turns = 0;
        while ((await Letters.FindJobAsync(Tenant, job.Id, default))!.State == RedriveState.Running)
        {
            Assert.InRange(++turns, 1, 10);
            // A node of its own each time, which reads one letter at once.
            using var redriver = new Redriver(
                new DeadLetterTables((ITableStore)Store, lookAtOnce: 1), Commands, new NoHandOver(), () => [], Day, _clock,
                NullLogger<Redriver>.Instance);
            Assert.True(await redriver.TakeTurnAsync(default));
            var now = (await Letters.FindJobAsync(Tenant, job.Id, default))!;
            Assert.True(now.State == RedriveState.Done || now.LookedAt != before, "it looks at the same letters again");
            before = now.LookedAt;
        }
        Assert.InRange(turns, 4, 6);
        Assert.Equal(4, (await Letters.FindJobAsync(Tenant, job.Id, default))!.Done);
        Assert.Equal(4, await FailDueAsync(Unreachable));
    }

    [Fact]
    public async Task What_was_discarded_is_sent_again_only_by_who_asks_for_just_that()
    {
        var id = (await FailAsync(1, Unreachable))[0];
        Assert.Equal(1, await Commands.DiscardAsync(Tenant, id, [0], null, Now));
        Assert.Equal(0, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));
        Assert.Equal(RecipientState.Failed, await StateAsync(id));

        Assert.Equal(1, await Store.RetryAsync(Tenant, id, bounced: true, discarded: true, Now, Now + Day, default));
        Assert.Equal(1, await FailDueAsync(Unreachable));
        Assert.Single(await ListAsync()); // it died anew, and nobody has discarded that
        Assert.Equal(1, await Store.RetryAsync(Tenant, id, bounced: true, discarded: false, Now, Now + Day, default));
    }

    RedriveJob Job(DeadLetterFilter filter) => new()
    {
        Tenant = Tenant,
        Action = RedriveAction.Redrive,
        Filter = filter,
        PerSecond = 100,
        CreatedAt = Now,
        CreatedBy = "key",
    };

    Redriver Redriver(params RedrivePolicy[] policies) => new(
        Letters, Commands, new NoHandOver(), () => policies, Day, _clock, NullLogger<Redriver>.Instance);
}
