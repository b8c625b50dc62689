using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Postrider.Events;
using Postrider.Messages;

namespace Postrider.Webhooks;

/// <summary>An endpoint of a customer to which events are sent.</summary>
public sealed record Webhook
{
    public required TenantId Tenant { get; init; }
    public required string Id { get; init; }
    public required string Url { get; init; }
    public string Description { get; init; } = "";

    /// <summary>Public names or patterns; empty: all.</summary>
    public IReadOnlyList<string> Events { get; init; } = [];
    public bool IsEnabled { get; init; } = true;
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Why we disabled it; null: we did not.</summary>
    public string? DisabledReason { get; init; }
    public DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Since when no delivery has succeeded while some failed; null: the last one succeeded.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Up to where the log of events was looked at.</summary>
    public required EventCursor Cursor { get; init; }

    /// <summary>When all that had happened before it was looked at; null: not known.</summary>
    public DateTimeOffset? ReadAt { get; init; }

    /// <summary>The newest event that retention has removed happened then.</summary>
    public DateTimeOffset ForgottenUntil { get; init; }

    /// <summary>Events of this time were no longer kept when their turn came; null: that never happened.</summary>
    public MissedEvents? Missed { get; init; }

    /// <summary>+1 at each change by people, tested by it.</summary>
    public long Revision { get; init; }

    /// <summary>Sealed: never in the database or a log as it is.</summary>
    public required ReadOnlyMemory<byte> Secret { get; init; }

    /// <summary>The secret before, sealed, which signs as well until <see cref="PreviousUntil"/>.</summary>
    public ReadOnlyMemory<byte>? PreviousSecret { get; init; }
    public DateTimeOffset? PreviousUntil { get; init; }

    /// <summary>Header fields of the customer's own, sealed: they hold secrets more often than not.</summary>
    public ReadOnlyMemory<byte>? Headers { get; init; }

    public EventFilter Filter => Events.Count == 0 ? EventFilter.All : new EventFilter { Types = Events };
}

/// <summary>A time whose events were removed before an endpoint was told of them.</summary>
public sealed record MissedEvents(DateTimeOffset From, DateTimeOffset Until);

/// <summary>Up to where an endpoint's events were looked at.</summary>
/// <param name="At">When all that had happened before it was; null: as before.</param>
/// <param name="Missed">What was found to be missing on the way; it is told.</param>
public sealed record PlaceRead(EventCursor Next, DateTimeOffset? At, MissedEvents? Missed = null);

/// <summary>Where a delivery is. The numbers are stored.</summary>
public enum DeliveryState : byte { Waiting = 0, Delivered = 1, Failed = 2 }

/// <summary>An event on its way to an endpoint.</summary>
public sealed record WebhookDelivery
{
    /// <summary>The id of the event, and <c>webhook-id</c> of every try.</summary>
    public required string Event { get; init; }
    public required string Type { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public DeliveryState State { get; init; }

    /// <summary>When it is tried next, while it waits.</summary>
    public required DateTimeOffset DueAt { get; init; }

    /// <summary>Since it was last begun; <see cref="Attempts"/> has all of them.</summary>
    public int Tries { get; init; }

    /// <summary>+1 at each lease: who finds another one has lost it.</summary>
    public int Claim { get; init; }

    /// <summary>The body, byte for byte the same in every try.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>The newest last.</summary>
    public IReadOnlyList<WebhookAttempt> Attempts { get; init; } = [];
}

/// <summary>One try, as it is kept and shown.</summary>
/// <param name="Status">The answer's; null when none came.</param>
/// <param name="Error">In plain words; null when it succeeded.</param>
/// <param name="Response">The beginning of the answer's body.</param>
public sealed record WebhookAttempt(DateTimeOffset At, int? Status, long DurationMs, string? Error, string? Response)
{
    [JsonIgnore]
    public bool Succeeded => Error is null;
}

/// <summary>What a try leads to.</summary>
/// <param name="DueAt">For the next try, while it waits.</param>
public sealed record DeliveryResult(WebhookAttempt Attempt, DeliveryState State, DateTimeOffset DueAt)
{
    /// <summary>Disables the endpoint with these words; null: it stays.</summary>
    public string? Disable { get; init; }
}

/// <summary>What events tell of an endpoint.</summary>
static class WebhookEvents
{
    public static string Disabled(Webhook webhook, string reason) =>
        new JsonObject { ["webhook_id"] = webhook.Id, ["url"] = webhook.Url, ["reason"] = reason }.ToJsonString();

    public static string Missed(Webhook webhook, MissedEvents missed) => new JsonObject
    {
        ["webhook_id"] = webhook.Id,
        ["url"] = webhook.Url,
        ["from"] = PublicEvent.Instant(missed.From),
        ["until"] = PublicEvent.Instant(missed.Until),
    }.ToJsonString();
}

/// <summary>Keeps endpoints and deliveries. Every change of what runs by itself is guarded: any number of nodes may do it.</summary>
public interface IWebhookStore
{
    /// <summary>False: the tenant has so many.</summary>
    Task<bool> AddAsync(Webhook webhook, int most);
    Task<Webhook?> FindAsync(TenantId tenant, string id, CancellationToken ct);

    /// <summary>Oldest first.</summary>
    Task<IReadOnlyList<Webhook>> ListAsync(TenantId tenant, CancellationToken ct);

    /// <summary>Changes what differs of its place and its failing: both are moved by those who send, at any time. False: somebody else
    /// changed
    /// it since, or it is gone.</summary>
    Task<bool> ReplaceAsync(Webhook from, Webhook to);

    /// <summary>What was sent to it is not found any more, and is forgotten by and by.</summary>
    Task<bool> RemoveAsync(TenantId tenant, string id);

    /// <summary>Enabled ones of all tenants, and whether they have something due.</summary>
    Task<IReadOnlyList<(Webhook Webhook, bool IsDue)>> EnabledAsync(DateTimeOffset now, CancellationToken ct);

    /// <summary>Moves an endpoint's place in the log and makes the deliveries of what lies between, in one transaction. False: another node
    /// moved it first, or it was changed.</summary>
    Task<bool> SpoolAsync(Webhook webhook, PlaceRead read, IReadOnlyList<WebhookDelivery> deliveries);

    /// <summary>How many wait, counted to a limit.</summary>
    Task<int> CountWaitingAsync(Webhook webhook, int limit, CancellationToken ct);

    /// <summary>Takes what is due; until <paramref name="until"/> no other node does.</summary>
    Task<IReadOnlyList<WebhookDelivery>> LeaseAsync(Webhook webhook, int count, DateTimeOffset now, DateTimeOffset until);

    /// <summary>Notes a try and what follows, for the endpoint too, with the event where that disables it. True: this disabled it. Nothing,
    /// when the lease was lost.</summary>
    Task<bool> RecordAsync(Webhook webhook, WebhookDelivery delivery, DeliveryResult result);
    Task<IReadOnlyList<WebhookDelivery>> DeliveriesAsync(
        TenantId tenant, string id, DeliveryState? state, (DateTimeOffset CreatedAt, string Event)? before, int limit,
        CancellationToken ct);
    Task<WebhookDelivery?> FindDeliveryAsync(TenantId tenant, string id, string delivery, CancellationToken ct);

    /// <summary>Lets deliveries begin again that were made in a time. Returns how many, at most <paramref name="limit"/>.</summary>
    /// <param name="delivery">Only this one, also where it waits: its next try is due then, and its tries go on.</param>
    /// <param name="state">Only those; null: all that do not wait.</param>
    Task<int> AgainAsync(TenantId tenant, string id, string? delivery, DateTimeOffset from, DateTimeOffset until, DeliveryState? state,
        DateTimeOffset now, int limit);

    /// <summary>Forgets what ended before. Returns how many; at most <paramref name="limit"/>.</summary>
    Task<int> PurgeAsync(DateTimeOffset before, int limit);

    /// <summary>Forgets deliveries of endpoints that are gone. Returns how many; 0: there are none left.</summary>
    Task<int> PurgeRemovedAsync(int limit, CancellationToken ct);
}
