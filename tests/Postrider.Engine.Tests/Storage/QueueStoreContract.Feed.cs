using Postrider.Events;
using Postrider.Messages;
using Postrider.Queue;
using Xunit;

namespace Postrider.Engine.Tests.Storage;

public abstract partial class QueueStoreContract
{
    async Task<EventPage> ReadAsync(EventCursor after, EventFilter? filter = null, int limit = 100, TenantId? tenant = null)
    {
        await _under.SettleAsync();
        return await Feed.ReadEventsAsync(tenant ?? Tenant, after, filter ?? EventFilter.All, limit, default);
    }

    /// <summary>All of it, by pages of a size.</summary>
    async Task<List<PublicEvent>> ReadAllAsync(int pageSize = 100, EventFilter? filter = null)
    {
        var found = new List<PublicEvent>();
        var page = await ReadAsync(EventCursor.Start, filter, pageSize);
        found.AddRange(page.Events);
        while (page.HasMore)
        {
            Assert.True(found.Count < 10_000);
            Assert.True(EventCursor.TryParse(page.Next.ToString(), out var next));
            page = await ReadAsync(next, filter, pageSize);
            found.AddRange(page.Events);
        }
        Assert.Empty((await ReadAsync(page.Next, filter, pageSize)).Events);
        return found;
    }

    [Fact]
    public async Task The_feed_tells_what_became_of_each_recipient()
    {
        var id = await AcceptAsync("ok@example.org", "defer@example.org", "bounce@example.org");
        var lease = await LeaseOneAsync();
        await Store.RecordAsync(new AttemptRecord
        {
            Lease = lease,
            Attempt = Attempt((0, Accepted), (1, Deferred), (2, Rejected)),
            Ends = [new(0, RecipientState.Sent, Accepted, "sent"), new(2, RecipientState.Bounced, Rejected, "no such user")],
            Continues = [Later(lease, TimeSpan.FromMinutes(10), 1)],
        });
        await Store.CancelAsync(Tenant, id, Now, default);

        var events = await ReadAllAsync();

        Assert.Equal(
        [
            ("email.accepted", "ok@example.org defer@example.org bounce@example.org"), ("email.sent", "ok@example.org"),
            ("email.deferred", "defer@example.org"), ("email.bounced", "bounce@example.org"), ("email.cancelled", "defer@example.org"),
        ], events.Select(e => (e.Type, string.Join(' ', e.Data.To!))));
        Assert.All(events, e => Assert.Equal((id.ToString(), "Hello"), (e.Data.EmailId, e.Data.Subject)));
        Assert.Equal(("relay", 550, "5.1.1", "No such user", "rejected"),
            (events[3].Data.Transport, events[3].Data.Code, events[3].Data.EnhancedCode, events[3].Data.Text, events[3].Data.Outcome));
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        Assert.DoesNotContain(events, e => e.Id.Contains('.', StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pages_of_any_size_tell_the_same()
    {
        await Store.AcceptAsync(Accept([.. Enumerable.Range(0, 7).Select(i => Message($"r{i}@example.org"))]), default);
        foreach (var lease in await LeaseAsync())
            await Store.RecordAsync(Sent(lease));

        var whole = await ReadAllAsync();

        Assert.Equal(14, whole.Count);
        Assert.All(whole[..7], e => Assert.Equal("email.accepted", e.Type));
        foreach (var size in (int[])[1, 2, 3, 6, 7, 8])
            Assert.Equal(whole.Select(e => e.Id), (await ReadAllAsync(size)).Select(e => e.Id));
        await _under.ReopenAsync();
        Assert.Equal(whole.Select(e => e.Id), (await ReadAllAsync()).Select(e => e.Id));
    }

    // Rows of a large batch are made long after their ids.
    [Fact]
    public async Task A_message_with_an_old_id_comes_when_it_was_accepted()
    {
        var old = Message("old@example.org");
        _clock.Advance(TimeSpan.FromMinutes(5));
        await AcceptAsync("new@example.org");
        var place = (await ReadAsync(EventCursor.Start)).Next;

        await AcceptAsync(old);

        Assert.Equal(old.Id.ToString(), Assert.Single((await ReadAsync(place)).Events).Data.EmailId);
    }

    [Fact]
    public async Task The_feed_is_filtered_by_type_message_batch_and_tag()
    {
        var plain = await AcceptAsync("a@example.org");
        var tagged = await AcceptAsync(Message("b@example.org") with { Tags = ["welcome"] });
        var batch = _ids.Next();
        var row = Message("c@example.org");
        await Store.AcceptAsync(Accept(row) with { Batch = new NewBatch { Id = batch, Count = 1 } }, default);
        foreach (var lease in await LeaseAsync())
            await Store.RecordAsync(Sent(lease));

        async Task<string> Of(EventFilter filter) =>
            string.Join(' ', (await ReadAllAsync(2, filter)).Select(e => $"{e.Type}:{e.Data.To![0][0]}"));
        Assert.Equal("email.sent:a email.sent:b email.sent:c", await Of(new EventFilter { Types = ["email.sent"] }));
        Assert.Equal("email.accepted:a email.sent:a", await Of(new EventFilter { Message = plain }));
        Assert.Equal("email.accepted:b email.sent:b", await Of(new EventFilter { Tag = "welcome", Types = ["email.*"] }));
        Assert.Equal("email.accepted:c email.sent:c", await Of(new EventFilter { Batch = batch }));
        Assert.Equal("", await Of(new EventFilter { Message = tagged, Tag = "other" }));
        Assert.Empty((await ReadAsync(EventCursor.Start, tenant: OtherTenant)).Events);
    }

    [Fact]
    public async Task An_event_of_no_message_is_told_to_its_tenant()
    {
        await AcceptAsync("a@example.org");
        await _under.SettleAsync();
        var place = await Feed.LatestAsync(default);
        await Feed.AppendAsync(Tenant, MailEventType.WebhookDisabled, """{"webhook_id":"wh_1","reason":"gone"}""", default);

        var told = Assert.Single((await ReadAsync(place)).Events);

        Assert.Equal(("webhook.disabled", "gone"), (told.Type, told.Data.Other!["reason"].GetString()));
        Assert.Contains("\"data\":{\"webhook_id\":\"wh_1\",\"reason\":\"gone\"}", System.Text.Encoding.UTF8.GetString(told.ToJson()));
        Assert.Empty((await ReadAsync(EventCursor.Start, tenant: OtherTenant)).Events);
        Assert.Equal(["email.accepted"], (await ReadAllAsync(5, new EventFilter { Types = ["email.*"] })).Select(e => e.Type));
    }

    [Fact]
    public async Task A_filter_that_finds_nothing_gives_the_place_to_go_on()
    {
        await Store.AcceptAsync(Accept([.. Enumerable.Range(0, 600).Select(i => Message($"r{i}@example.org"))]), default);
        var page = await ReadAsync(EventCursor.Start, new EventFilter { Types = ["email.clicked"] }, 10);
        Assert.Empty(page.Events);
        Assert.False(page.HasMore);
        var later = await AcceptAsync("later@example.org");
        Assert.Equal(later.ToString(), Assert.Single((await ReadAsync(page.Next)).Events).Data.EmailId);
    }
}
