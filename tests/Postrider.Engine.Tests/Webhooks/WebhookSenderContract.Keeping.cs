using System.Text;
using Postrider.Events;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Postrider.Testing;
using Postrider.Webhooks;
using Xunit;

namespace Postrider.Engine.Tests.Webhooks;

/// <content>What is kept of endpoints and deliveries, what is forgotten, and what is told of it.</content>
public abstract partial class WebhookSenderContract
{
    // A removal that deleted millions of rows in one go would stop all mail.
    [Fact]
    public async Task Deliveries_of_a_removed_endpoint_are_not_found_and_forgotten_in_pieces()
    {
        var store = _node.Store;
        var (kept, _) = await AddAsync(new Uri("http://127.0.0.1:9/kept"));
        var (gone, _) = await AddAsync(new Uri("http://127.0.0.1:9/gone"));
        foreach (var webhook in (Webhook[])[kept, gone])
            Assert.True(await store.SpoolAsync(webhook, new PlaceRead(webhook.Cursor, null),
                [.. Enumerable.Range(0, 7).Select(n => new WebhookDelivery
                {
                    Event = $"evt_{n}",
                    Type = "email.sent",
                    CreatedAt = _clock.GetUtcNow(),
                    State = DeliveryState.Waiting,
                    DueAt = _clock.GetUtcNow() + TimeSpan.FromDays(1),
                    Payload = "{}"u8.ToArray(),
                })]));
        Assert.Equal(0, await store.PurgeRemovedAsync(3, default));
        Assert.True(await store.RemoveAsync(Tenant, gone.Id));
        Assert.Null(await store.FindDeliveryAsync(Tenant, gone.Id, "evt_1", default));
        foreach (var forgotten in (int[])[3, 3, 1, 0])
            Assert.Equal(forgotten, await store.PurgeRemovedAsync(3, default));
        Assert.Equal(7, (await store.DeliveriesAsync(Tenant, kept.Id, null, null, 10, default)).Count);
    }

    WebhookDelivery Waiting(string id) => new()
    {
        Event = id,
        Type = EventNames.WebhookDisabled,
        CreatedAt = _clock.GetUtcNow(),
        DueAt = _clock.GetUtcNow(),
        Payload = "{}"u8.ToArray(),
    };

    // Whoever disables it may die the moment after.
    [Fact]
    public async Task An_endpoint_is_disabled_together_with_the_event_that_says_so()
    {
        var (webhook, _) = await AddAsync(new Uri("https://example.com/"));
        var (place, now) = (await Feed.LatestAsync(default), _clock.GetUtcNow());
        Assert.True(await _node.Store.SpoolAsync(webhook, new PlaceRead(webhook.Cursor, null), [Waiting("evt_1_1")]));
        var leased = Assert.Single(await _node.Store.LeaseAsync(webhook, 1, now, now.AddMinutes(1)));
        var attempt = new WebhookAttempt(now, 410, 1, "gone", null);
        Assert.True(await _node.Store.RecordAsync(
            webhook, leased, new DeliveryResult(attempt, DeliveryState.Failed, now) { Disable = "it is gone" }));

        EventPage? page = null;
        await UntilAsync(async () => (page = await Feed.ReadEventsAsync(Tenant, place, EventFilter.All, 10, default)).Events.Count > 0);
        var told = Assert.Single(page!.Events);
        Assert.Equal((EventNames.WebhookDisabled, webhook.Id, "it is gone"),
            (told.Type, told.Data.Other!["webhook_id"].GetString(), told.Data.Other["reason"].GetString()));
    }

    [Fact]
    public async Task A_delivery_that_waits_is_tried_now_for_who_asks_for_it()
    {
        var works = false;
        await using var receiver = HttpStub.Start(_ => new HttpReply(works ? 204 : 500));
        var (webhook, _) = await AddAsync(receiver.Url);
        Start();
        await HappenAsync(1);
        for (var tries = 1; tries <= 4; tries++)
        {
            var tried = await OnlyDeliveryAsync(webhook, d => d.Tries == tries);
            if (tries < 4)
                _clock.Advance(tried.DueAt - _clock.GetUtcNow());
        }
        var waits = await OnlyDeliveryAsync(webhook, d => d.Tries == 4);
        Assert.True(waits.DueAt - _clock.GetUtcNow() > TimeSpan.FromMinutes(5));
        works = true;

        var again = await _node.Book.AgainAsync(Tenant, webhook.Id, waits.Event, default);

        Assert.Equal((1, true), (again!.Value.Count, again.Value.WasWaiting));
        var done = await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered, TimeSpan.FromMinutes(1));
        Assert.Equal(5, done.Tries); // they go on
        var once = await _node.Book.AgainAsync(Tenant, webhook.Id, waits.Event, default);
        Assert.Equal((1, false), (once!.Value.Count, once.Value.WasWaiting));
        Assert.Equal(0, (await _node.Book.AgainAsync(Tenant, webhook.Id, "evt_none_1", default))!.Value.Count);
    }

    [Fact]
    public async Task Events_that_retention_removed_before_their_turn_are_told_of()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        var (quiet, _) = await AddAsync(new Uri(receiver.Url, "/quiet"), "email.complained");
        var sender = Start();
        await HappenAsync(1);
        await UntilAsync(async () => (await DeliveriesAsync(webhook)).Count == 1 && (await FindAsync(quiet)).Cursor != quiet.Cursor,
            TimeSpan.FromMinutes(3));
        await _node.Book.ChangeAsync(Tenant, webhook.Id, new WebhookRequest { Enabled = false }, default);
        await StopAsync(sender);
        _senders.Remove(sender);
        var stopped = _clock.GetUtcNow();
        _clock.Advance(TimeSpan.FromMinutes(5));
        await HappenAsync(2);
        var happened = _clock.GetUtcNow();
        _clock.Advance(TimeSpan.FromSeconds(1));
        await _node.Book.ChangeAsync(Tenant, quiet.Id, new WebhookRequest { SkipMissed = true }, default);
        _clock.Advance(TimeSpan.FromDays(40));
        await HappenAsync(3);
        var tables = new RetentionTables((ITableStore)_under.Store, _clock);
        while ((await tables.PurgeAsync(RetentionKind.Events, 0, _clock.GetUtcNow() - TimeSpan.FromDays(30), default)).HasMore) { }
        await _node.Book.ChangeAsync(Tenant, webhook.Id, new WebhookRequest { Enabled = true }, default);

        Start();
        await UntilAsync(async () => (await DeliveriesAsync(webhook)).Count == 3);

        var missed = (await FindAsync(webhook)).Missed!;
        Assert.InRange(missed.From, stopped - TimeSpan.FromMinutes(3), stopped);
        Assert.InRange(missed.Until, happened - TimeSpan.FromSeconds(1), happened + TimeSpan.FromSeconds(1));
        var told = Assert.Single(await DeliveriesAsync(webhook), d => d.Type == "webhook.missed_events");
        Assert.Contains($"\"webhook_id\":\"{webhook.Id}\"", Encoding.UTF8.GetString(told.Payload.Span));
        Assert.Contains(await DeliveriesAsync(webhook), d => Encoding.UTF8.GetString(d.Payload.Span).Contains("\"number\":3"));
        Assert.Null((await FindAsync(quiet)).Missed); // it had gone on behind them
    }

    [Fact]
    public async Task What_ended_long_ago_is_forgotten()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var (webhook, _) = await AddAsync(receiver.Url);
        Start();
        await HappenAsync(1);
        await OnlyDeliveryAsync(webhook, d => d.State == DeliveryState.Delivered);
        _clock.Advance(TimeSpan.FromDays(7.1));
        await UntilAsync(async () => (await DeliveriesAsync(webhook)).Count == 0);
    }
}
