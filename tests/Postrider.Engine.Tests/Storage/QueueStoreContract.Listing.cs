using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    [Fact]
    public async Task A_list_is_newest_first_and_pages_in_both_directions()
    {
        var ids = await AcceptManyAsync(10);
        ids.Reverse();

        var first = await ListAsync(new MessageFilter { Limit = 4 });
        var second = await ListAsync(new MessageFilter { Limit = 4, Before = first.ContinueBefore });
        var third = await ListAsync(new MessageFilter { Limit = 4, Before = second.ContinueBefore });
        var back = await ListAsync(new MessageFilter { Limit = 4, After = ids[8] });

        Assert.Equal(ids[..4], Ids(first));
        Assert.Equal(ids[4..8], Ids(second));
        Assert.Equal(ids[8..], Ids(third));
        Assert.Null(third.ContinueBefore);
        Assert.Equal(ids[4..8], Ids(back));
        Assert.Equal(ids[7], back.ContinueBefore);
    }

    [Fact]
    public async Task A_page_that_holds_exactly_all_has_nothing_behind_it()
    {
        await AcceptManyAsync(4);

        Assert.Null((await ListAsync(new MessageFilter { Limit = 4 })).ContinueBefore);
    }

    [Fact]
    public async Task A_list_shows_only_the_own_tenants_messages()
    {
        var own = await AcceptAsync("a@example.org");
        await Store.AcceptAsync(Accept(Message("b@example.org")) with { Tenant = OtherTenant }, default);

        Assert.Equal([own], Ids(await ListAsync(new MessageFilter())));
        Assert.Empty((await ListAsync(new MessageFilter { Address = "b@example.org" })).Messages);
        Assert.Single((await Reader.ListAsync(OtherTenant, new MessageFilter { Address = "b@example.org" }, default)).Messages);
    }

    [Fact]
    public async Task An_address_is_found_however_it_is_written()
    {
        var id = await AcceptAsync("Ann.Other@Example.org", "bob@example.org");
        await AcceptAsync("bob@example.org");
        var idn = await AcceptAsync("info@bücher.example");

        Assert.Equal([id], Ids(await ListAsync(new MessageFilter { Address = "ann.other@example.ORG" })));
        Assert.Equal([idn], Ids(await ListAsync(new MessageFilter { Address = "info@xn--bcher-kva.example" })));
        Assert.Equal(2, (await ListAsync(new MessageFilter { Address = "bob@example.org" })).Messages.Count);
        Assert.Empty((await ListAsync(new MessageFilter { Address = "no address" })).Messages);
        Assert.Empty((await ListAsync(new MessageFilter { Address = "'; DROP TABLE messages; --@x.y" })).Messages);
    }

    [Fact]
    public async Task Tags_metadata_subject_and_time_filter()
    {
        var first = await AcceptAsync(
            Message("a@example.org") with { Tags = ["red"], Metadata = [new("order", "17")], Content = Content("Your ORDER 100%") });
        _clock.Advance(TimeSpan.FromMinutes(1));
        var middle = Now;
        var second = await AcceptAsync(
            Message("b@example.org") with
            {
                Tags = ["red", "blue"],
                Metadata = [new("a", "order"), new("17", "b")],
                Content = Content("Your invoice"),
            });

        Assert.Equal([second, first], Ids(await ListAsync(new MessageFilter { Tag = "red" })));
        Assert.Equal([second], Ids(await ListAsync(new MessageFilter { Tag = "blue" })));
        Assert.Empty(Ids(await ListAsync(new MessageFilter { Tag = "re" })));
        Assert.Equal([first], Ids(await ListAsync(new MessageFilter { Metadata = new("order", "17") })));
        Assert.Empty(Ids(await ListAsync(new MessageFilter { Metadata = new("order", "1") })));
        Assert.Equal([first], Ids(await ListAsync(new MessageFilter { Subject = "order 100%" })));
        Assert.Equal([second], Ids(await ListAsync(new MessageFilter { From = middle })));
        Assert.Equal([first], Ids(await ListAsync(new MessageFilter { Until = middle })));
        Assert.Empty(Ids(await ListAsync(new MessageFilter { Subject = "order", From = middle })));
    }

    [Fact]
    public async Task Every_state_is_found()
    {
        var ids = await AcceptManyAsync(9);
        await Store.CancelAsync(Tenant, ids[0], Now, default);
        var leases = await LeaseAsync(6);
        await Store.RecordAsync(Sent(leases[0]));
        foreach (var (lease, state) in leases.Skip(1).Zip([RecipientState.Bounced, RecipientState.Failed, RecipientState.Held]))
        {
            await Store.RecordAsync(new AttemptRecord
            {
                Lease = lease,
                Attempt = Attempt((0, Rejected)),
                Ends = [new(0, state, Rejected, "no", state == RecipientState.Held ? HeldReason.Poison : HeldReason.None)],
                Continues = [],
            });
        }
        await Store.RecordAsync(Doubtful(leases[4], Day));
        var scheduled = await AcceptAsync(Message("later@example.org") with { SendAt = Now + Day });

        Assert.Equal([ids[0]], await IdsAsync(RecipientState.Cancelled));
        Assert.Equal([ids[1]], await IdsAsync(RecipientState.Sent));
        Assert.Equal([ids[2]], await IdsAsync(RecipientState.Bounced));
        Assert.Equal([ids[3]], await IdsAsync(RecipientState.Failed));
        Assert.Equal([ids[4]], await IdsAsync(RecipientState.Held));
        Assert.Equal([ids[5]], await IdsAsync(RecipientState.Unknown));
        Assert.Equal([ids[6]], await IdsAsync(RecipientState.Leased));
        Assert.Equal([ids[8], ids[7]], await IdsAsync(RecipientState.Queued));
        Assert.Equal([scheduled], await IdsAsync(RecipientState.Scheduled));
        Assert.Empty(await IdsAsync(RecipientState.Expired));
        Assert.Empty(await IdsAsync(RecipientState.Delivered));
    }

    [Fact]
    public async Task The_messages_of_a_batch_are_listed_and_no_others()
    {
        var batch = new NewBatch { Id = _ids.Reserve(4), Count = 3 };
        var messages = Enumerable.Range(0, 3).Select(i => Message($"r{i}@example.org") with { Id = batch.Id.Plus(i + 1) }).ToArray();
        await AcceptAsync("before@example.org");
        await Store.AcceptAsync(Accept(messages) with { Batch = batch }, default);
        await AcceptAsync("after@example.org");

        Assert.Equal([.. messages.Reverse().Select(m => m.Id)], Ids(await ListAsync(new MessageFilter { Batch = batch.Id })));
        Assert.Equal([messages[1].Id], Ids(await ListAsync(new MessageFilter { Batch = batch.Id, Address = "r1@example.org" })));
    }

    [Fact]
    public async Task Filters_hold_together()
    {
        var ids = await AcceptManyAsync(300, i => Message($"r{i % 3}@example.org") with { Tags = i % 2 == 0 ? ["even"] : [] });

        var found = new List<MessageId>();
        MessageId? before = null;
        do
        {
            var page = await ListAsync(new MessageFilter { Address = "r0@example.org", Tag = "even", Limit = 7, Before = before });
            found.AddRange(Ids(page));
            before = page.ContinueBefore;
        }
        while (before is not null);

        Assert.Equal(ids.Where((_, i) => i % 6 == 0).Reverse(), found);
    }

    [Fact]
    public async Task A_batch_that_comes_in_several_calls_counts_as_one()
    {
        var batch = new NewBatch { Id = _ids.Reserve(10), Count = 1 };
        for (var i = 1; i <= 3; i++)
            await Store.AcceptAsync(
                Accept(Message($"r{i}@example.org") with { Id = batch.Id.Plus(i) }) with { Batch = batch with { Count = i } }, default);

        var view = (await Reader.GetBatchAsync(Tenant, batch.Id, default))!;

        Assert.Equal((3, 3L, 3L), (view.Count, view.Counts.Accepted, view.Counts.Queued));
    }

    async Task<List<MessageId>> AcceptManyAsync(int count, Func<int, NewMessage>? make = null)
    {
        var messages = Enumerable.Range(0, count).Select(make ?? (i => Message($"r{i}@example.org"))).ToList();
        await Task.WhenAll(messages.Select(m => AcceptAsync(m)));
        return [.. messages.Select(m => m.Id)];
    }

    Task<MessagePage> ListAsync(MessageFilter filter) => Reader.ListAsync(Tenant, filter, default);

    async Task<IEnumerable<MessageId>> IdsAsync(RecipientState state) => Ids(await ListAsync(new MessageFilter { State = state }));

    static IEnumerable<MessageId> Ids(MessagePage page) => page.Messages.Select(m => m.Id);
}
