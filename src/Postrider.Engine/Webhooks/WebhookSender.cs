using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Webhooks;

/// <summary>Sends events to customers' endpoints: makes deliveries of what the log tells, and tries each until it is taken.</summary>
/// <remarks>
/// Any number of nodes do the same. The place of an endpoint in the log moves by compare-and-set together with the deliveries that it
/// passes, and a delivery is leased by moving its due time: what a dead node had in hand is tried again by another one within a minute,
/// under the same id. Each endpoint has a lane of its own, so that one that is slow or dead holds up nobody else.
/// </remarks>
public sealed partial class WebhookSender(
    IWebhookStore store, IEventFeed feed, WebhookBook book, WebhookOptions options, TimeProvider clock, Entropy entropy,
    ILogger<WebhookSender> log) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan PurgeEvery = TimeSpan.FromMinutes(5);

    /// <summary>A place that only passed over what an endpoint did not ask for is written so often.</summary>
    static readonly TimeSpan WritePlaceEvery = TimeSpan.FromMinutes(1);

    /// <summary>Beyond the longest try: no other node takes what is still under way here.</summary>
    static readonly TimeSpan LeaseBeyond = TimeSpan.FromSeconds(15);

    const int EventsAtOnce = 200;

    /// <summary>Pages of the log for one endpoint before the next one's turn, and how long.</summary>
    const int PagesAtOnce = 10;
    static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(1);

    /// <summary>How long an endpoint rests whose events cannot be read or kept: twice as long each time.</summary>
    static readonly TimeSpan FirstRest = TimeSpan.FromSeconds(1);
    static readonly TimeSpan LongestRest = TimeSpan.FromMinutes(5);

    const int PurgeAtOnce = 500;

    /// <summary>What waits for one endpoint as rows. More stays in the log, and the place before it.</summary>
    const int MostWaiting = 10_000;

    /// <summary>How far the log was looked at for an endpoint, which may be further than its place on disk.</summary>
    sealed record Looked(EventCursor Stored, EventCursor Place, EventCursor Latest, DateTimeOffset? ReadAt, long WrittenAt);

    readonly Dictionary<(TenantId, string), Looked> _looked = []; // loop only
    readonly Dictionary<(TenantId, string), (TimeSpan For, long Since)> _resting = []; // loop only
    readonly ConcurrentDictionary<(TenantId, string), Task> _lanes = [];
    long _purgedAt = clock.GetTimestamp();                         // loop only

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            do
                await TickAsync(stoppingToken);
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops; what is under way is cut, and tried again.
        }
        await Task.WhenAll(_lanes.Values);
    }

    async Task TickAsync(CancellationToken ct)
    {
        try
        {
            var enabled = await store.EnabledAsync(clock.GetUtcNow(), ct);
            // Where nothing has happened since, there is nothing to read.
            var latest = enabled.Count == 0 ? default : await feed.LatestAsync(ct);
            foreach (var (webhook, isDue) in enabled)
            {
                if (await TakeTurnAsync(webhook, latest, ct) || isDue)
                    StartLane(webhook, ct);
            }
            foreach (var gone in _resting.Keys.Except(enabled.Select(e => (e.Webhook.Tenant, e.Webhook.Id))).ToList())
                _resting.Remove(gone);
            if (clock.GetElapsedTime(_purgedAt) >= PurgeEvery)
                await PurgeAsync(ct);
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            LogStoreAway(e.Message);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFault(e);
        }
    }

    /// <summary>One endpoint's fault must not end it for all: nothing was lost, the place has not moved. It rests, the others go on. True:
    /// there are new deliveries.</summary>
    async Task<bool> TakeTurnAsync(Webhook webhook, EventCursor latest, CancellationToken ct)
    {
        var key = (webhook.Tenant, webhook.Id);
        if (_resting.TryGetValue(key, out var rest) && clock.GetElapsedTime(rest.Since) < rest.For)
            return false;
        try
        {
            var any = await SpoolAsync(webhook, latest, ct);
            _resting.Remove(key);
            return any;
        }
        catch (Exception e) when (e is not (StoreUnavailableException or OperationCanceledException))
        {
            var longer = rest.For == TimeSpan.Zero ? FirstRest : rest.For * 2;
            _resting[key] = (longer < LongestRest ? longer : LongestRest, clock.GetTimestamp());
            LogRests(e, webhook.Id, webhook.Tenant, _resting[key].For);
            return false;
        }
    }

    /// <summary>Makes deliveries of what happened since. True: there are new ones.</summary>
    async Task<bool> SpoolAsync(Webhook webhook, EventCursor latest, CancellationToken ct)
    {
        var key = (webhook.Tenant, webhook.Id);
        // Another place on disk than ours: another node moved it, or people did.
        if (!_looked.TryGetValue(key, out var looked) || looked.Stored != webhook.Cursor)
            looked = new Looked(webhook.Cursor, webhook.Cursor, default, webhook.ReadAt, clock.GetTimestamp());
        var missed = MissedOf(webhook);
        var (any, started) = (false, clock.GetTimestamp());
        for (var i = 0; i < PagesAtOnce && looked.Latest != latest && clock.GetElapsedTime(started) < TurnTime; i++)
        {
            var asked = clock.GetUtcNow();
            var page = await feed.ReadEventsAsync(webhook.Tenant, looked.Place, webhook.Filter, EventsAtOnce, ct);
            if (page.Events.Count > 0 && await store.CountWaitingAsync(webhook, MostWaiting, ct) >= MostWaiting)
                break;
            looked = looked with { Place = page.Next, ReadAt = page.HasMore ? page.LookedUntil ?? looked.ReadAt : asked };
            if (page.Events.Count > 0 || missed is not null || IsToBeWritten(looked))
            {
                if (!await WriteAsync(webhook, looked, missed, [.. page.Events.Select(Delivery)]))
                    return any;
                (looked, missed) = (_looked[key], null);
            }
            any |= page.Events.Count > 0;
            looked = looked with { Latest = page.HasMore ? default : latest };
            if (!page.HasMore)
                break;
        }
        _looked[key] = looked;
        // What was passed over is on disk within a minute, though nothing comes behind it.
        if (IsToBeWritten(looked))
            await WriteAsync(webhook, looked, null, []);
        return any;
    }

    bool IsToBeWritten(Looked looked) => looked.Place != looked.Stored && clock.GetElapsedTime(looked.WrittenAt) >= WritePlaceEvery;

    /// <summary>False: another node was there first, or people have changed it.</summary>
    async Task<bool> WriteAsync(Webhook webhook, Looked looked, MissedEvents? missed, IReadOnlyList<WebhookDelivery> deliveries)
    {
        var key = (webhook.Tenant, webhook.Id);
        var readAt = missed is not null && !(looked.ReadAt > missed.Until) ? missed.Until : looked.ReadAt;
        if (!await store.SpoolAsync(webhook with { Cursor = looked.Stored }, new PlaceRead(looked.Place, readAt, missed), deliveries))
        {
            _looked.Remove(key);
            return false;
        }
        if (missed is not null)
            LogMissed(webhook.Id, webhook.Tenant, missed.From, missed.Until);
        _looked[key] = looked with { Stored = looked.Place, WrittenAt = clock.GetTimestamp() };
        return true;
    }

    /// <summary>What retention removed before it was looked at for this endpoint; null: nothing.</summary>
    static MissedEvents? MissedOf(Webhook webhook) =>
        webhook.ReadAt is { } read && read < webhook.ForgottenUntil ? new MissedEvents(read, webhook.ForgottenUntil) : null;

    WebhookDelivery Delivery(PublicEvent happened)
    {
        var now = clock.GetUtcNow();
        return new WebhookDelivery
        {
            Event = happened.Id,
            Type = happened.Type,
            CreatedAt = now,
            DueAt = now,
            Payload = happened.ToJson(),
        };
    }

    void StartLane(Webhook webhook, CancellationToken ct)
    {
        var key = (webhook.Tenant, webhook.Id);
        // The loop alone adds; a lane that has ended is replaced.
        if (!_lanes.TryGetValue(key, out var running) || running.IsCompleted)
            _lanes[key] = RunLaneAsync(webhook.Tenant, webhook.Id, ct);
    }

    /// <summary>Until nothing is due, or the endpoint is no more. Must not throw: nobody looks.</summary>
    async Task RunLaneAsync(TenantId tenant, string id, CancellationToken ct)
    {
        await Task.Yield();
        try
        {
            while (!ct.IsCancellationRequested && await store.FindAsync(tenant, id, ct) is { IsEnabled: true } webhook)
            {
                var now = clock.GetUtcNow();
                var atOnce = webhook.FailingSince is null ? options.Concurrency : 1;
                var leased = await store.LeaseAsync(webhook, atOnce, now, now + options.Timeout + LeaseBeyond);
                if (leased.Count == 0)
                    return;
                await Task.WhenAll(leased.Select(delivery => TryAsync(webhook, delivery, ct)));
            }
        }
        catch (OperationCanceledException)
        {
            // The node stops.
        }
        catch (Exception e) when (e is StoreUnavailableException or TimeoutException)
        {
            LogStoreAway(e.Message);
        }
        catch (Exception e)
        {
            LogFault(e);
        }
    }

    async Task TryAsync(Webhook webhook, WebhookDelivery delivery, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        var answer = await book.PostAsync(webhook, delivery.Event, delivery.Payload, ct);
        var attempt = new WebhookAttempt(now, answer.Status, (long)answer.Took.TotalMilliseconds, answer.Error, answer.Response);
        var result = Decide(webhook, delivery, attempt, answer.RetryAfter);
        if (await store.RecordAsync(webhook, delivery, result))
            LogDisabled(webhook.Id, webhook.Tenant, result.Disable!);
    }

    DeliveryResult Decide(Webhook webhook, WebhookDelivery delivery, WebhookAttempt attempt, TimeSpan? retryAfter)
    {
        var ended = clock.GetUtcNow();
        if (attempt.Succeeded)
            return new DeliveryResult(attempt, DeliveryState.Delivered, ended);
        var next = WebhookSchedule.Next(delivery.Tries + 1, retryAfter, entropy.NextDouble());
        var result = new DeliveryResult(
            attempt, next is null ? DeliveryState.Failed : DeliveryState.Waiting, ended + (next ?? TimeSpan.Zero));
        if (attempt.Status == 410)
            return result with { Disable = "The endpoint answered 410: it is gone for good." };
        return webhook.FailingSince is { } since && ended - since >= options.DisableAfter
            ? result with { Disable = $"Every try has failed since {PublicEvent.Instant(since)}. The last: {attempt.Error}" } : result;
    }

    async Task PurgeAsync(CancellationToken ct)
    {
        _purgedAt = clock.GetTimestamp();
        while (await store.PurgeAsync(clock.GetUtcNow() - options.KeepDeliveries, PurgeAtOnce) == PurgeAtOnce)
            ; // in pieces, so that no mail waits for it
        while (await store.PurgeRemovedAsync(PurgeAtOnce, ct) > 0)
            ;
    }

    [LoggerMessage(LogLevel.Warning, "Webhooks wait for the store: {Reason}")]
    partial void LogStoreAway(string reason);

    [LoggerMessage(LogLevel.Error, "A fault in sending webhooks")]
    partial void LogFault(Exception fault);

    [LoggerMessage(LogLevel.Error, "Events for webhook {Id} of tenant {Tenant} cannot be read or kept; it rests for {Rest}, others go on")]
    partial void LogRests(Exception fault, string id, TenantId tenant, TimeSpan rest);

    [LoggerMessage(LogLevel.Warning,
        "Webhook {Id} of tenant {Tenant} was not told of what happened from {From} to {Until}: it is no longer kept (Retention:Events)")]
    partial void LogMissed(string id, TenantId tenant, DateTimeOffset from, DateTimeOffset until);

    [LoggerMessage(LogLevel.Warning, "Webhook {Id} of tenant {Tenant} is disabled: {Reason}")]
    partial void LogDisabled(string id, TenantId tenant, string reason);
}
