using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Security.Cryptography;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Webhooks;

/// <summary>What a customer says of an endpoint; null leaves it as it is.</summary>
public sealed record WebhookRequest
{
    public string? Url { get; init; }
    public string? Description { get; init; }

    /// <summary>Empty: all.</summary>
    public IReadOnlyList<string>? Events { get; init; }
    public IReadOnlyDictionary<string, string>? Headers { get; init; }
    public bool? Enabled { get; init; }

    /// <summary>Of the customer's own; null: one is made.</summary>
    public string? Secret { get; init; }

    /// <summary>Go on from now, and leave out what happened while it was disabled.</summary>
    public bool SkipMissed { get; init; }
}

/// <summary>An endpoint, or why not; exactly one is set.</summary>
/// <param name="Secret">As it is told once.</param>
public sealed record WebhookResult(Webhook? Webhook, Problem? Problem, string? Secret = null);

/// <summary>What came of sending deliveries again.</summary>
/// <param name="Count">How many begin again; 0 with a problem, and where there is none such.</param>
public readonly record struct RedeliveryResult(int Count, Problem? Problem)
{
    /// <summary>It had not ended: what waited for its next try is tried now.</summary>
    public bool WasWaiting { get; init; }

    /// <summary>Of one call.</summary>
    public const int Most = 10_000;
}

/// <summary>Customers' endpoints: what may be one, their secrets, and what is done to them by hand.</summary>
public sealed class WebhookBook(
    IWebhookStore store, IEventFeed feed, Sealer sealer, WebhookTargets targets, OutboundHttp http, WebhookOptions options,
    TimeProvider clock, Entropy entropy)
{
    internal const string SecretColumn = "webhooks.secret";
    internal const string HeadersColumn = "webhooks.headers";
    const int MaxDescription = 500;
    const int ChangeAttempts = 5;

    /// <summary>How long both secrets sign after a rotation.</summary>
    public static readonly TimeSpan RotationTime = TimeSpan.FromHours(24);

    static readonly TimeSpan LookUpTime = TimeSpan.FromSeconds(3);

    public async Task<WebhookResult> AddAsync(TenantId tenant, WebhookRequest request, CancellationToken ct)
    {
        if (request.Url is null)
            return Refused("invalid-field", "/url", "A webhook needs a url.");
        if (await FaultOfAsync(tenant, request, ct) is { } problem)
            return new WebhookResult(null, problem);
        var (id, secret) = (NewId(), NewSecret(request.Secret));
        var webhook = new Webhook
        {
            Tenant = tenant,
            Id = id,
            Url = request.Url,
            Description = request.Description ?? "",
            Events = request.Events ?? [],
            IsEnabled = request.Enabled ?? true,
            CreatedAt = clock.GetUtcNow(),
            Cursor = await feed.LatestAsync(ct),
            ReadAt = clock.GetUtcNow(),
            Secret = sealer.Seal(secret, tenant, SecretColumn, id),
            Headers = Seal(tenant, id, request.Headers),
        };
        return await store.AddAsync(webhook, options.MaxPerTenant)
            ? new WebhookResult(webhook, null, WebhookSignature.SecretText(secret))
            : Refused("invalid-field", "", $"The tenant has {options.MaxPerTenant} webhooks, the most there may be (Webhooks:MaxPerTenant).");
    }

    public Task<Webhook?> FindAsync(TenantId tenant, string id, CancellationToken ct) => store.FindAsync(tenant, id, ct);
    public Task<IReadOnlyList<Webhook>> ListAsync(TenantId tenant, CancellationToken ct) => store.ListAsync(tenant, ct);
    public Task<bool> RemoveAsync(TenantId tenant, string id) => store.RemoveAsync(tenant, id);

    /// <summary>Null: there is no such endpoint.</summary>
    public async Task<WebhookResult?> ChangeAsync(TenantId tenant, string id, WebhookRequest request, CancellationToken ct)
    {
        if (await FaultOfAsync(tenant, request, ct) is { } problem)
            return new WebhookResult(null, problem);
        var latest = request.SkipMissed ? await feed.LatestAsync(ct) : (EventCursor?)null;
        return await ReplaceAsync(tenant, id, webhook => webhook with
        {
            Url = request.Url ?? webhook.Url,
            Description = request.Description ?? webhook.Description,
            Events = request.Events ?? webhook.Events,
            Headers = request.Headers is null ? webhook.Headers : Seal(tenant, id, request.Headers),
            IsEnabled = request.Enabled ?? webhook.IsEnabled,
            // Switched on by hand, it gets all its time again.
            DisabledReason = request.Enabled == true ? null : webhook.DisabledReason,
            DisabledAt = request.Enabled switch
            {
                true => null,
                false => webhook.DisabledAt ?? clock.GetUtcNow(),
                null => webhook.DisabledAt,
            },
            FailingSince = request.Enabled == true ? null : webhook.FailingSince,
            Cursor = latest ?? webhook.Cursor,
            ReadAt = latest is null ? webhook.ReadAt : clock.GetUtcNow(),
        }, null, ct);
    }

    /// <summary>Makes a new secret; the one before signs as well for a day. Null: there is no such endpoint.</summary>
    public async Task<WebhookResult?> RotateAsync(TenantId tenant, string id, string? given, CancellationToken ct)
    {
        if (given is not null && WebhookSignature.ParseSecret(given) is null)
            return BadSecret;
        var secret = NewSecret(given);
        return await ReplaceAsync(tenant, id, webhook => webhook with
        {
            Secret = sealer.Seal(secret, tenant, SecretColumn, id),
            PreviousSecret = webhook.Secret,
            PreviousUntil = clock.GetUtcNow() + RotationTime,
        }, WebhookSignature.SecretText(secret), ct);
    }

    async Task<WebhookResult?> ReplaceAsync(
        TenantId tenant, string id, Func<Webhook, Webhook> change, string? secret, CancellationToken ct)
    {
        for (var i = 0; i < ChangeAttempts; i++)
        {
            if (await store.FindAsync(tenant, id, ct) is not { } webhook)
                return null;
            if (await store.ReplaceAsync(webhook, change(webhook)))
                return new WebhookResult(await store.FindAsync(tenant, id, ct) ?? webhook, null, secret);
        }
        return Refused("changed-meanwhile", "", "The webhook is being changed by others. Try again.", 409, "Changed meanwhile");
    }

    /// <summary>Sends an event that says so, once and now. Null: there is no such endpoint.</summary>
    public async Task<OutboundAnswer?> TestAsync(TenantId tenant, string id, CancellationToken ct)
    {
        if (await store.FindAsync(tenant, id, ct) is not { } webhook)
            return null;
        var now = clock.GetUtcNow();
        var happened = new PublicEvent
        {
            Id = $"evt_test_{NewId()[3..]}",
            Type = EventNames.WebhookTest,
            CreatedAt = PublicEvent.Instant(now),
            Data = new EventData { Reason = "A test of this webhook, asked for by hand." },
        };
        return await PostAsync(webhook, happened.Id, happened.ToJson(), ct);
    }

    /// <summary>Sends a delivery that ended once more, or one that waits for its next try now. Null: there is no such endpoint.</summary>
    public async Task<RedeliveryResult?> AgainAsync(TenantId tenant, string id, string delivery, CancellationToken ct)
    {
        var waits = await store.FindDeliveryAsync(tenant, id, delivery, ct) is { State: DeliveryState.Waiting };
        var result = await AgainAsync(tenant, id, delivery, DateTimeOffset.UnixEpoch, DateTimeOffset.MaxValue, null, 1, ct);
        return result is { } again ? again with { WasWaiting = waits && again.Count > 0 } : null;
    }

    /// <summary>Sends once more what was made in a time, the oldest <see cref="RedeliveryResult.Most"/> of it. Null: there is no such
    /// endpoint.</summary>
    /// <param name="until">Null: now.</param>
    /// <param name="state">Null: all that ended.</param>
    public Task<RedeliveryResult?> AgainAsync(
        TenantId tenant, string id, DateTimeOffset from, DateTimeOffset? until, DeliveryState? state, CancellationToken ct) =>
        AgainAsync(tenant, id, null, from, until ?? clock.GetUtcNow(), state, RedeliveryResult.Most, ct);

    async Task<RedeliveryResult?> AgainAsync(TenantId tenant, string id, string? delivery, DateTimeOffset from, DateTimeOffset until,
        DeliveryState? state, int most, CancellationToken ct)
    {
        if (await store.FindAsync(tenant, id, ct) is not { } webhook)
            return null;
        return webhook.IsEnabled
            ? new RedeliveryResult(await store.AgainAsync(tenant, id, delivery, from, until, state, clock.GetUtcNow(), most), null)
            : new RedeliveryResult(0, Disabled);
    }

    static readonly Problem Disabled = new("webhook-disabled", 409, "Webhook is disabled",
        "The webhook is disabled, so nothing would be sent. Enable it first: PATCH /webhooks/{id} with {\"enabled\":true}.");

    /// <summary>One try.</summary>
    public async Task<OutboundAnswer> PostAsync(Webhook webhook, string eventId, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        // What may be reached can have changed since it was saved.
        if (targets.Read(webhook.Url, webhook.Tenant, out var fault) is not { } url)
            return new OutboundAnswer(null, TimeSpan.Zero, fault, null);
        var now = clock.GetUtcNow();
        var seconds = now.ToUnixTimeSeconds();
        if (!TryOpen(webhook, webhook.Secret, SecretColumn, out var secret) || OwnHeaders(webhook) is not { } own)
            return new OutboundAnswer(null, TimeSpan.Zero, FaultOf(webhook), null);
        List<byte[]> secrets = [secret];
        if (webhook is { PreviousSecret: { } previous, PreviousUntil: { } until } && now < until
            && TryOpen(webhook, previous, SecretColumn, out var older))
            secrets.Add(older);
        List<KeyValuePair<string, string>> headers =
        [
            new("User-Agent", "Postrider-Webhooks/1"),
            new("webhook-id", eventId),
            new("webhook-timestamp", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture)),
            new("webhook-signature", WebhookSignature.Sign(secrets, eventId, seconds, payload.Span)),
            .. own,
        ];
        secrets.ForEach(secret => CryptographicOperations.ZeroMemory(secret));
        return await http.PostAsync(webhook.Tenant, url, headers, payload, ct);
    }

    /// <summary>Why nothing can be sent to it as it is stored; null: it can be tried.</summary>
    public string? FaultOf(Webhook webhook) =>
        !TryOpen(webhook, webhook.Secret, SecretColumn, out _) ? Unreadable("secret", "Rotate it: POST /webhooks/{id}/rotate.")
        : OwnHeaders(webhook) is null ? Unreadable("header fields", "Set headers again: PATCH /webhooks/{id}.")
        : null;

    /// <summary>The customer's own header fields, whose values are for the wire alone; null: they cannot be opened.</summary>
    public Dictionary<string, string>? OwnHeaders(Webhook webhook) =>
        webhook.Headers is not { } headers ? []
        : TryOpen(webhook, headers, HeadersColumn, out var text) ? new(WebhookHeaders.Read(text)) : null;

    bool TryOpen(Webhook webhook, ReadOnlyMemory<byte> sealedText, string column, [NotNullWhen(true)] out byte[]? text) =>
        sealer.TryOpen(sealedText.Span, webhook.Tenant, column, webhook.Id, out text);

    static string Unreadable(string what, string remedy) =>
        $"Nothing is sent: the {what} of this webhook cannot be opened. It was sealed with another master key, or moved. {remedy}";

    ReadOnlyMemory<byte>? Seal(TenantId tenant, string id, IReadOnlyDictionary<string, string>? headers) =>
        headers is { Count: > 0 } ? sealer.Seal(WebhookHeaders.Write(headers), tenant, HeadersColumn, id) : (ReadOnlyMemory<byte>?)null;

    async Task<Problem?> FaultOfAsync(TenantId tenant, WebhookRequest request, CancellationToken ct)
    {
        if (request.Description is { Length: > MaxDescription })
            return Refused("invalid-field", "/description", $"A description has at most {MaxDescription} characters.").Problem;
        if (request.Secret is not null && WebhookSignature.ParseSecret(request.Secret) is null)
            return BadSecret.Problem;
        if (request.Headers is not null && WebhookHeaders.FaultOf(request.Headers) is var (name, words))
            return Refused("invalid-field", name.Length == 0 ? "/headers" : "/headers/" + name.Replace("~", "~0", StringComparison.Ordinal)
                .Replace("/", "~1", StringComparison.Ordinal), words).Problem;
        return request.Url is { } text ? await UrlFaultAsync(tenant, text, ct) : null;
    }

    async Task<Problem?> UrlFaultAsync(TenantId tenant, string text, CancellationToken ct)
    {
        if (targets.Read(text, tenant, out var fault) is { } url)
        {
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
            patience.CancelAfter(LookUpTime);
            try
            {
                await targets.ResolveAsync(url.IdnHost, url.Port, tenant, patience.Token);
                return null;
            }
            catch (TargetRefusedException refused)
            {
                fault = refused.Message;
            }
            catch (Exception e) when (e is SocketException || (e is OperationCanceledException && !ct.IsCancellationRequested))
            {
                // It may come to be; each try looks again.
                return null;
            }
        }
        return Refused("url-not-allowed", "/url", fault!, 422, "URL not allowed").Problem;
    }

    static readonly WebhookResult BadSecret =
        Refused("invalid-field", "/secret", "A secret is whsec_ and 24 to 64 bytes in base64. Leave it out to have one made.");

    static WebhookResult Refused(string slug, string pointer, string detail, int status = 422, string title = "Invalid field") =>
        new(null, new Problem(slug, status, title, detail) { Errors = [new ProblemError(pointer, slug, detail)] });

    byte[] NewSecret(string? given)
    {
        if (given is not null)
            return WebhookSignature.ParseSecret(given)!;
        var secret = new byte[WebhookSignature.SecretBytes];
        entropy.Fill(secret);
        return secret;
    }

    string NewId()
    {
        Span<byte> bits = stackalloc byte[20];
        entropy.Fill(bits);
        Span<char> letters = stackalloc char[bits.Length];
        for (var i = 0; i < letters.Length; i++)
            letters[i] = "abcdefghijklmnopqrstuvwxyz234567"[bits[i] & 31];
        return $"wh_{letters}";
    }
}
