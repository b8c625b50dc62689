using System.Security.Cryptography;
using System.Text;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task An_accepted_message_is_read_back_as_it_was_handed_over()
    {
        var message = Message("ann@example.org", "bob@example.org") with
        {
            Tags = ["welcome", "a \"quoted\" tag"],
            Metadata = [new("order", "17"), new("Ünïcode \"n\"", "{value}")],
        };
        await AcceptAsync(message);

        var view = await ViewAsync(message.Id);

        Assert.Equal(message.Recipients.Select(r => r.Mailbox), view.Recipients.Select(r => r.Mailbox));
        Assert.Equal(message.Content!.From, view.From);
        Assert.Equal("Hello", view.Subject);
        Assert.Equal(message.Tags, view.Tags);
        Assert.Equal(message.Metadata, view.Metadata);
        Assert.All(view.Recipients, r => Assert.Equal(RecipientState.Queued, r.State));
        Assert.Empty(view.Events);
        Assert.Equal(message.Content.Text, (await Reader.GetContentAsync(Tenant, message.Id, default))!.Text);
        Assert.True(await Reader.ExistsAsync(message.Id, default));
    }

    [Fact]
    public async Task Another_tenant_sees_nothing_of_it()
    {
        var id = await AcceptAsync("ann@example.org");

        Assert.Null(await Reader.GetAsync(OtherTenant, id, default));
        Assert.Null(await Reader.GetContentAsync(OtherTenant, id, default));
        Assert.Null(await Store.CancelAsync(OtherTenant, id, Now, default));
        Assert.Null(await Store.RetryAsync(OtherTenant, id, bounced: true, discarded: false, Now, Now + Day, default));
        Assert.Null(await Store.RescheduleAsync(OtherTenant, id, Now, Now + Day, default));
        Assert.Equal(RecipientState.Queued, await StateAsync(id));
    }

    [Fact]
    public async Task Accepted_mail_is_there_after_a_restart()
    {
        var id = await AcceptAsync("ann@example.org");

        await _under.ReopenAsync();

        Assert.Equal(id, (await LeaseOneAsync()).Message.Id);
    }

    [Fact]
    public async Task The_same_key_and_request_gets_the_first_answer()
    {
        var first = WithKey("key", "request", "answer one");
        Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(first, default));

        var replayed = Assert.IsType<AcceptResult.Replayed>(await Store.AcceptAsync(WithKey("key", "request", "answer two"), default));

        Assert.Equal("answer one", Encoding.UTF8.GetString(replayed.Answer.Span));
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task The_same_key_with_another_request_is_a_mismatch()
    {
        await Store.AcceptAsync(WithKey("key", "request", "answer"), default);

        Assert.IsType<AcceptResult.Mismatch>(await Store.AcceptAsync(WithKey("key", "other request", "answer"), default));
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task Keys_of_two_tenants_are_independent()
    {
        await Store.AcceptAsync(WithKey("key", "request", "answer"), default);

        Assert.IsType<AcceptResult.Accepted>(
            await Store.AcceptAsync(WithKey("key", "other", "answer") with { Tenant = OtherTenant }, default));
    }

    [Fact]
    public async Task A_key_is_forgotten_when_its_time_is_up()
    {
        await Store.AcceptAsync(WithKey("key", "request", "answer"), default);
        _clock.Advance(TimeSpan.FromHours(72));

        Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(WithKey("key", "other request", "answer"), default));
        Assert.Equal(2, (await Reader.CountAsync(Tenant, default)).Accepted);
    }

    [Fact]
    public async Task Old_keys_are_removed_in_bounded_chunks()
    {
        for (var i = 0; i < 5; i++)
            await Store.AcceptAsync(WithKey($"key {i}", "request", "answer"), default);
        Assert.Equal(0, await Store.PurgeIdempotencyAsync(Now, 3, default));
        _clock.Advance(TimeSpan.FromHours(72));

        Assert.Equal(3, await Store.PurgeIdempotencyAsync(Now, 3, default));
        Assert.Equal(2, await Store.PurgeIdempotencyAsync(Now, 3, default));
    }

    [Fact]
    public async Task A_race_of_a_hundred_with_one_key_makes_one_message_and_one_answer()
    {
        var racers = Enumerable.Range(0, 100).Select(i => WithKey("key", "request", $"answer {i}")).ToList();

        var results = await Task.WhenAll(racers.Select(r => Task.Run(() => Store.AcceptAsync(r, default))));

        var winner = Assert.Single(results.Index(), r => r.Item is AcceptResult.Accepted).Index;
        Assert.All(results.OfType<AcceptResult.Replayed>(), r => Assert.Equal($"answer {winner}", Encoding.UTF8.GetString(r.Answer.Span)));
        Assert.Equal(99, results.OfType<AcceptResult.Replayed>().Count());
        Assert.Single(await LeaseAsync());
    }

    [Fact]
    public async Task A_message_with_many_recipients_travels_in_envelopes_of_a_hundred()
    {
        await AcceptAsync([.. Enumerable.Range(0, 250).Select(i => $"r{i}@example.org")]);

        var leases = await LeaseAsync();

        Assert.Equal([100, 100, 50], leases.Select(l => l.Recipients.Count));
        Assert.Equal([0, 100, 200], leases.Select(l => l.Envelope.Id.N));
        Assert.All(leases, l => Assert.Equal(l.Recipients.Count, l.Envelope.RecipientCount));
        Assert.All(leases, l => Assert.Equal(250, l.Message.Recipients.Count));
    }

    [Fact]
    public async Task Under_hold_each_recipient_travels_alone()
    {
        await AcceptAsync(Message("a@example.org", "b@example.org", "c@example.org") with { OnAmbiguous = AmbiguityPolicy.Hold });

        Assert.All(await LeaseAsync(), l => Assert.Single(l.Recipients));
    }

    [Fact]
    public async Task Stopped_recipients_are_stored_in_their_state_and_not_leased()
    {
        var message = Message("a@example.org", "b@example.org", "c@example.org") with
        {
            Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "not on the list"),
                new(2, RecipientState.Suppressed, HeldReason.None, "bounced before")],
        };
        await AcceptAsync(message);

        var lease = await LeaseOneAsync();
        var view = await ViewAsync(message.Id);

        Assert.Equal(1, Assert.Single(lease.Recipients).N);
        Assert.Equal(new EnvelopeId(message.Id, 1), lease.Envelope.Id);
        Assert.Equal([RecipientState.Held, RecipientState.Leased, RecipientState.Suppressed], view.Recipients.Select(r => r.State));
        Assert.Equal(HeldReason.NotAllowed, view.Recipients[0].HeldReason);
        Assert.Equal(["not on the list", "bounced before"], view.Events.Select(e => e.Remark));
    }

    [Fact]
    public async Task A_message_with_only_stopped_recipients_is_never_due()
    {
        await AcceptAsync(Message("a@example.org") with { Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")] });

        Assert.Empty(await Store.DueKeysAsync(default));
    }

    [Fact]
    public async Task The_messages_of_a_batch_share_its_content()
    {
        var batch = new NewBatch { Id = _ids.Reserve(3), Count = 2, Content = Content("Sale") };
        var messages = Enumerable.Range(0, 2)
            .Select(i => Message($"r{i}@example.org") with { Id = batch.Id.Plus(i + 1), Content = null, Stream = MailStream.Bulk });
        await Store.AcceptAsync(Accept([.. messages]) with { Batch = batch }, default);

        var leases = await LeaseAsync(key: Main with { Stream = MailStream.Bulk });

        Assert.Equal(2, leases.Count);
        Assert.All(leases, l => Assert.Equal("Sale", l.Message.Content.Subject));
        Assert.All(leases, l => Assert.Equal(batch.Id, l.Message.Batch));
        var view = await ViewAsync(batch.Id.Plus(1));
        Assert.Equal(("Sale", batch.Id), (view.Subject, view.Batch));
        Assert.Equal("Sale", (await Reader.GetContentAsync(Tenant, batch.Id.Plus(1), default))!.Subject);
    }

    [Fact]
    public async Task A_message_without_any_content_is_refused()
    {
        await Assert.ThrowsAsync<ArgumentException>(() =>
            Store.AcceptAsync(Accept(Message("a@example.org") with { Content = null }), default));
    }

    [Fact]
    public async Task A_message_that_cannot_be_stored_fails_alone()
    {
        var first = Message("a@example.org");
        await AcceptAsync(first);
        var twice = Message("b@example.org") with { Id = first.Id };
        var others = Enumerable.Range(0, 20).Select(i => Message($"r{i}@example.org")).ToList();

        var failing = Store.AcceptAsync(Accept(twice), default);
        await Task.WhenAll(others.Select(m => AcceptAsync(m)));

        await Assert.ThrowsAnyAsync<Exception>(() => failing);
        Assert.Equal(21, (await LeaseAsync()).Count);
        Assert.Equal("a@example.org", (await RecipientAsync(first.Id)).Mailbox.Address.ToString());
    }

    [Fact]
    public async Task A_born_leased_message_is_leased_as_if_by_the_lease_statement()
    {
        var message = Message("ann@example.org") with { BornLeasedBy = Node };
        var acceptance = Accept(message);
        var accepted = Assert.IsType<AcceptResult.Accepted>(await Store.AcceptAsync(acceptance, default));
        var lease = BornLeased.Of(Main, message, message.Content!, accepted.Suppressed, Now)!;

        Assert.Empty(await LeaseAsync());
        Assert.Equal(RecipientState.Leased, await StateAsync(message.Id));
        Assert.Equal(RecordResult.Applied, await Store.RecordAsync(Sent(lease)));

        Assert.Equal(RecipientState.Sent, await StateAsync(message.Id));
        Assert.Equal(1, (await RecipientAsync(message.Id)).Tries);
    }

    [Fact]
    public async Task A_born_lease_equals_the_one_that_would_be_leased()
    {
        var owner = Node;
        var message = Message("ann@example.org", "bob@example.org") with
        {
            Stopped = [new(0, RecipientState.Held, HeldReason.NotAllowed, "no")],
        };
        await AcceptAsync(message);
        var leased = await LeaseOneAsync();

        var born = BornLeased.Of(Main, message with { BornLeasedBy = owner }, message.Content!, [], Now)!;

        Assert.Equivalent(leased, born, strict: true);
    }

    [Fact]
    public async Task Counts_follow_the_states()
    {
        var batch = new NewBatch { Id = _ids.Reserve(5), Count = 4 };
        var messages = Enumerable.Range(0, 4).Select(i => Message($"r{i}@example.org") with { Id = batch.Id.Plus(i + 1) }).ToArray();
        messages[3] = messages[3] with { SendAt = Now + TimeSpan.FromHours(1) };
        await Store.AcceptAsync(Accept(messages) with { Batch = batch }, default);
        await AcceptAsync("single@example.org");
        var leases = await LeaseAsync(3);
        await Store.RecordAsync(Sent(leases[0]));
        await Store.RecordAsync(Doubtful(leases[1], TimeSpan.FromMinutes(1)));

        var all = await Reader.CountAsync(Tenant, default);
        var ofBatch = (await Reader.GetBatchAsync(Tenant, batch.Id, default))!;

        Assert.Equal(new StateCounts { Accepted = 5, Scheduled = 1, Queued = 1, Leased = 1, Unknown = 1, Sent = 1 }, all);
        Assert.Equal(new StateCounts { Accepted = 4, Scheduled = 1, Leased = 1, Unknown = 1, Sent = 1 }, ofBatch.Counts);
        Assert.Equal(4, ofBatch.Count);
        Assert.Null(await Reader.GetBatchAsync(OtherTenant, batch.Id, default));
        Assert.Equal(new StateCounts(), await Reader.CountAsync(OtherTenant, default));
    }

    Acceptance WithKey(string key, string request, string answer) => Accept(Message("ann@example.org")) with
    {
        Idempotency = new IdempotencyClaim(
            key, SHA256.HashData(Encoding.UTF8.GetBytes(request)), Encoding.UTF8.GetBytes(answer), Now + TimeSpan.FromHours(72)),
    };
}
