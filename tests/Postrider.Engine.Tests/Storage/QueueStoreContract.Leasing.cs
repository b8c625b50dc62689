using System.Text;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task A_lease_carries_all_that_the_attempt_needs()
    {
        var message = Message("ann@example.org") with { ExpiresAt = Now + Day };
        await AcceptAsync(message);

        var lease = await LeaseOneAsync();

        Assert.Equal(new EnvelopeId(message.Id, 0), lease.Envelope.Id);
        Assert.Equal(Main, lease.Envelope.Key);
        Assert.Equal((1, 1), (lease.Envelope.Claim, lease.Envelope.Tries));
        Assert.Equal(message.ExpiresAt, lease.Envelope.ExpiresAt);
        Assert.Equal(Node, lease.Owner);
        Assert.Equivalent(message.Content, lease.Message.Content, strict: true);
        Assert.Equal(message.Recipients, lease.Recipients);
        Assert.True(lease.Message.ApproximateBytes > 1000);
    }

    [Fact]
    public async Task An_envelope_is_leased_once()
    {
        for (var i = 0; i < 50; i++)
            await AcceptAsync($"r{i}@example.org");

        var leases = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => LeaseAsync(permits: 5))));

        Assert.Equal(50, leases.SelectMany(l => l).Select(l => l.Envelope.Id).Distinct().Count());
        Assert.Equal(50, leases.Sum(l => l.Count));
    }

    [Fact]
    public async Task No_more_is_leased_than_there_are_permits_and_the_oldest_due_first()
    {
        var late = await AcceptAsync(Message("late@example.org") with { SendAt = Now + TimeSpan.FromSeconds(2) });
        var early = await AcceptAsync(Message("early@example.org") with { SendAt = Now + TimeSpan.FromSeconds(1) });
        var now = await AcceptAsync("now@example.org");
        _clock.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal([now, early], (await LeaseAsync(permits: 2)).Select(l => l.Message.Id));
        Assert.Equal([late], (await LeaseAsync(permits: 2)).Select(l => l.Message.Id));
        Assert.Empty(await LeaseAsync(permits: 0));
    }

    [Fact]
    public async Task Keys_do_not_see_each_others_work()
    {
        await Store.AcceptAsync(Accept(Message("a@example.org") with { Route = "other" }), default);
        await Store.AcceptAsync(Accept(Message("b@example.org") with { Stream = MailStream.Bulk }), default);
        await Store.AcceptAsync(Accept(Message("c@example.org")) with { Tenant = OtherTenant }, default);

        Assert.Empty(await LeaseAsync());
        Assert.Single(await LeaseAsync(key: Main with { Route = "other" }));
        Assert.Single(await LeaseAsync(key: Main with { Stream = MailStream.Bulk }));
        Assert.Single(await LeaseAsync(key: Main with { Tenant = OtherTenant }));
    }

    [Fact]
    public async Task Due_keys_are_named_with_their_earliest_time()
    {
        await AcceptAsync(Message("a@example.org") with { SendAt = Now + TimeSpan.FromMinutes(9) });
        await AcceptAsync(Message("b@example.org") with { SendAt = Now + TimeSpan.FromMinutes(3) });
        await Store.AcceptAsync(Accept(Message("c@example.org") with { Route = "another" }), default);
        await Store.AcceptAsync(Accept(Message("d@example.org") with { Stream = MailStream.Bulk }) with { Tenant = OtherTenant }, default);

        var keys = await Store.DueKeysAsync(default);

        Assert.Equal(
            [
                new DueKey(Main with { Route = "another" }, Now),
                new DueKey(Main, Now + TimeSpan.FromMinutes(3)),
                new DueKey(new QueueKey("main", MailStream.Bulk, OtherTenant), Now),
            ],
            keys);
    }

    [Fact]
    public async Task Mail_for_later_is_scheduled_until_its_time_comes()
    {
        var id = await AcceptAsync(Message("a@example.org") with { SendAt = Now + TimeSpan.FromMinutes(1) });

        Assert.Empty(await LeaseAsync());
        Assert.Equal(RecipientState.Scheduled, await StateAsync(id));
        Assert.Equal(Now + TimeSpan.FromMinutes(1), (await RecipientAsync(id)).NextAttemptAt);
        _clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(RecipientState.Queued, await StateAsync(id));
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task A_time_in_the_past_is_now()
    {
        var id = await AcceptAsync(Message("a@example.org") with { SendAt = Now - Day });

        Assert.Equal(RecipientState.Queued, await StateAsync(id));
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task What_is_overdue_is_ended_instead_of_leased()
    {
        var id = await AcceptAsync(Message("a@example.org") with { ExpiresAt = Now + TimeSpan.FromMinutes(1) });
        _clock.Advance(TimeSpan.FromMinutes(1));

        Assert.Empty(await LeaseAsync());
        Assert.Equal(RecipientState.Expired, await StateAsync(id));
        Assert.Equal(MailEventType.Expired, Assert.Single((await ViewAsync(id)).Events).Type);
    }

    [Fact]
    public async Task Overdue_rows_do_not_hide_due_ones()
    {
        for (var i = 0; i < 30; i++)
            await AcceptAsync(Message($"r{i}@example.org") with { ExpiresAt = Now + TimeSpan.FromMinutes(1) });
        _clock.Advance(TimeSpan.FromMinutes(1));
        var good = await AcceptAsync("good@example.org");

        Assert.Equal(good, Assert.Single(await LeaseAsync(permits: 1)).Message.Id);
    }

    [Fact]
    public async Task A_released_lease_is_leased_again_with_its_try_refunded()
    {
        var id = await AcceptAsync("a@example.org");
        var lease = await LeaseOneAsync();

        await Store.ReleaseAsync([lease], Now + TimeSpan.FromSeconds(30), WaitReason.TransportThrottled, default);

        var view = await RecipientAsync(id);
        Assert.Equal((RecipientState.Queued, WaitReason.TransportThrottled, 0), (view.State, view.WaitReason, view.Tries));
        Assert.Equal(Now + TimeSpan.FromSeconds(30), view.NextAttemptAt);
        Assert.Empty(await LeaseAsync());
        _clock.Advance(TimeSpan.FromSeconds(30));
        var again = await LeaseOneAsync();
        Assert.Equal((2, 1), (again.Envelope.Claim, again.Envelope.Tries));
    }

    [Fact]
    public async Task A_lease_that_is_no_longer_held_cannot_be_released()
    {
        await AcceptAsync("a@example.org");
        var first = await LeaseOneAsync();
        await Store.ReleaseAsync([first], Now, WaitReason.Released, default);
        await LeaseOneAsync();

        await Store.ReleaseAsync([first], Now, WaitReason.Released, default);

        Assert.Empty(await LeaseAsync());
    }

    [Fact]
    public async Task Envelopes_that_were_suppressed_while_they_waited_are_ended_and_partly_suppressed_ones_say_so()
    {
        var partly = await AcceptAsync("Bad@Example.org", "good@example.org");
        var fully = await AcceptAsync("bad@example.org");
        await SuppressAsync("bad@example.org");

        var lease = await LeaseOneAsync();

        Assert.Equal(partly, lease.Message.Id);
        Assert.Equal([0], lease.Suppressed.Keys);
        Assert.Equal([0, 1], lease.Recipients.Select(r => r.N));
        Assert.Equal(RecipientState.Suppressed, await StateAsync(fully));
        Assert.Equal(MailEventType.Suppressed, Assert.Single((await ViewAsync(fully)).Events).Type);
    }

    [Fact]
    public async Task A_suppressed_recipient_is_stored_as_suppressed_at_accept()
    {
        await SuppressAsync("bad@example.org");
        var message = Message("bad@example.org", "good@example.org");

        var accepted = Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(Accept(message), default));

        Assert.Equal([new RecipientId(message.Id, 0)], accepted.Suppressed);
        Assert.Equal(RecipientState.Suppressed, await StateAsync(message.Id));
        Assert.Equal(1, Assert.Single((await LeaseOneAsync()).Recipients).N);
    }

    [Fact]
    public async Task The_kept_answer_names_who_was_suppressed()
    {
        await SuppressAsync("bad@example.org");
        var claim = WithKey("key", "request", "queued") with { Messages = [Message("bad@example.org")] };
        var acceptance = claim with
        {
            Idempotency = claim.Idempotency! with { AnswerWithSuppressed = found => Encoding.UTF8.GetBytes($"suppressed {found[0].N}") },
        };
        await Store.AcceptAsync(acceptance, default);

        var replayed = Assert.IsType<AcceptResult.Replayed>(await Store.AcceptAsync(acceptance, default));

        Assert.Equal("suppressed 0"u8.ToArray(), replayed.Answer.ToArray());
    }

    [Fact]
    public async Task A_born_leased_message_to_a_suppressed_address_has_no_lease()
    {
        await SuppressAsync("bad@example.org");
        var message = Message("bad@example.org") with { BornLeasedBy = Node };

        var accepted = Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(Accept(message), default));

        Assert.Null(BornLeased.Of(Main, message, message.Content!, accepted.Suppressed, Now));
        Assert.Equal(RecipientState.Suppressed, await StateAsync(message.Id));
    }

    [Fact]
    public async Task A_suppression_of_one_tenant_is_nothing_to_another()
    {
        await SuppressAsync("bad@example.org");

        var accepted = await Store.AcceptAsync(Accept(Message("bad@example.org")) with { Tenant = OtherTenant }, default);

        Assert.Empty(Assert.IsType<AcceptResult.Accepted>(accepted).Suppressed);
    }

    [Fact]
    public async Task The_commit_point_is_passed_once_by_the_holder_of_the_lease()
    {
        await AcceptAsync(Message("a@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var lease = await LeaseOneAsync();

        Assert.True(await Store.CommitPointAsync(lease, "relay", Now, default));
        Assert.False(await Store.CommitPointAsync(lease, "relay", Now, default));
    }

    [Fact]
    public async Task The_commit_point_is_closed_after_cancel_expiry_suppression_or_loss_of_the_lease()
    {
        for (var i = 0; i < 4; i++)
            await AcceptAsync(Message($"r{i}@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });
        var leases = await LeaseAsync();
        await Store.CancelAsync(Tenant, leases[0].Message.Id, Now, default);
        await SuppressAsync("r1@example.org");
        await Store.ReleaseAsync([leases[2]], Now, WaitReason.Released, default);

        Assert.False(await Store.CommitPointAsync(leases[0], "relay", Now, default));
        Assert.False(await Store.CommitPointAsync(leases[1], "relay", Now, default));
        Assert.False(await Store.CommitPointAsync(leases[2], "relay", Now, default));
        Assert.False(await Store.CommitPointAsync(leases[3], "relay", Now + Day, default));
        Assert.True(await Store.CommitPointAsync(leases[3], "relay", Now, default));
    }

    [Fact]
    public async Task Of_one_ordering_key_one_is_under_way_at_a_time_in_order_of_ids()
    {
        var ids = new List<MessageId>();
        for (var i = 0; i < 4; i++)
            ids.Add(await AcceptAsync(Message($"r{i}@example.org") with { OrderingKey = "customer 7" }));
        await AcceptAsync(Message("free@example.org") with { OrderingKey = "customer 8" });

        Assert.Equal(["customer 7", "customer 8"], (await LeaseAsync()).Select(l => l.Envelope.OrderingKey));
        Assert.Equal(WaitReason.Ordering, (await RecipientAsync(ids[1])).WaitReason);
        Assert.Empty(await LeaseAsync());
    }

    [Fact]
    public async Task The_next_of_an_ordering_key_comes_when_the_one_in_front_has_ended()
    {
        var ids = new List<MessageId>();
        for (var i = 0; i < 3; i++)
            ids.Add(await AcceptAsync(Message($"r{i}@example.org") with { OrderingKey = "k" }));
        var order = new List<MessageId>();
        for (var i = 0; i < 3; i++)
        {
            var lease = await LeaseOneAsync();
            order.Add(lease.Message.Id);
            await Store.RecordAsync(Sent(lease));
        }

        Assert.Equal(ids, order);
        Assert.Empty(await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task Those_behind_an_ordering_key_wait_while_the_one_in_front_is_deferred_or_in_doubt()
    {
        await AcceptAsync(Message("a@example.org") with { OrderingKey = "k" });
        var second = await AcceptAsync(Message("b@example.org") with { OrderingKey = "k" });
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(GoesOn(lease, Later(lease, TimeSpan.FromMinutes(10), 0)));

        Assert.Empty(await LeaseAsync());
        _clock.Advance(TimeSpan.FromMinutes(10));
        lease = await LeaseOneAsync();
        await Store.RecordAsync(Doubtful(lease, TimeSpan.FromMinutes(1)));
        Assert.Empty(await LeaseAsync());

        await Store.CancelAsync(Tenant, lease.Message.Id, Now, default);
        _clock.Advance(TimeSpan.FromMinutes(1));
        await Store.SettleAsync(Now, 10, default);
        Assert.Equal(second, (await LeaseOneAsync()).Message.Id);
    }

    [Fact]
    public async Task Envelopes_of_one_message_keep_its_ordering_key_one_after_another()
    {
        await AcceptAsync(Message([.. Enumerable.Range(0, 250).Select(i => $"r{i}@example.org")]) with { OrderingKey = "k" });

        for (var i = 0; i < 3; i++)
            await Store.RecordAsync(Sent(await LeaseOneAsync()));

        Assert.Empty(await LeaseAsync());
    }

    [Fact]
    public async Task An_ordering_key_of_another_tenant_is_another_key()
    {
        await AcceptAsync(Message("a@example.org") with { OrderingKey = "k" });
        await Store.AcceptAsync(Accept(Message("b@example.org") with { OrderingKey = "k" }) with { Tenant = OtherTenant }, default);

        Assert.Single(await LeaseAsync());
        Assert.Single(await LeaseAsync(key: Main with { Tenant = OtherTenant }));
    }

    /// <summary>A hard bounce with suppression, as the recorder writes it.</summary>
    async Task SuppressAsync(string address)
    {
        var id = await AcceptAsync(Message(address) with { Route = "suppressing" });
        var lease = Assert.Single(await LeaseAsync(key: Main with { Route = "suppressing" }), l => l.Message.Id == id);
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Rejected)),
            Ends = [new(0, RecipientState.Bounced, Rejected, "no such user", Suppress: true)],
            Continues = [],
        });
    }
}
