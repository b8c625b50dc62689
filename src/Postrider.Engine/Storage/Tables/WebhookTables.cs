using System.Data.Common;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dapper;
using Postrider.Events;
using Postrider.Messages;
using Postrider.Retention;
using Postrider.Webhooks;

namespace Postrider.Storage.Tables;

/// <summary>Endpoints of customers and what is on its way to them, in the store's database.</summary>
public sealed class WebhookTables(ITableStore store) : IWebhookStore
{
    static readonly string Columns = $"""
        w.tenant, w.id, w.url, w.description, w.events, w.enabled, w.created, w.disabled, w.disabled_reason AS DisabledReason,
        w.failing_since AS FailingSince, w.place, w.revision, w.secret, w.previous_secret AS PreviousSecret,
        w.previous_until AS PreviousUntil, w.headers, w.read_at AS ReadAt, w.missed_from AS MissedFrom, w.missed_until AS MissedUntil,
        coalesce((SELECT cursor FROM retention WHERE kind = {(int)RetentionKind.Events}), 0) AS Forgotten
        """;

    /// <summary>Deliveries that one short transaction lets begin again.</summary>
    const int AgainAtOnce = 100;

    const string DeliveryColumns = "event, type, created, state, due, tries, claim, payload, attempts";

    public Task<bool> AddAsync(Webhook webhook, int most) => store.WriteAsync(connection =>
    {
        var row = Row.Of(webhook);
        return connection.Execute("""
            INSERT INTO webhooks (tenant, id, url, description, events, enabled, created, place, revision, secret, headers, read_at)
            SELECT @Tenant, @Id, @Url, @Description, @Events, @Enabled, @Created, @Place, 0, @Secret, @Headers, @ReadAt
            WHERE (SELECT count(*) FROM webhooks WHERE tenant = @Tenant) < @most
            """, row.With(("most", most))) > 0;
    });

    public Task<Webhook?> FindAsync(TenantId tenant, string id, CancellationToken ct) => store.ReadAsync(connection =>
        connection.QuerySingleOrDefault<Row>(
            $"SELECT {Columns} FROM webhooks w WHERE w.tenant = @tenant AND w.id = @id", new { tenant = tenant.Value, id })?.ToWebhook(), ct);

    public Task<IReadOnlyList<Webhook>> ListAsync(TenantId tenant, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<Webhook>>(connection =>
        [
            .. connection.Query<Row>($"SELECT {Columns} FROM webhooks w WHERE w.tenant = @tenant ORDER BY w.created, w.id",
                new { tenant = tenant.Value }).Select(row => row.ToWebhook()),
        ], ct);

    public Task<bool> ReplaceAsync(Webhook from, Webhook to) => store.WriteAsync(connection => connection.Execute("""
        UPDATE webhooks SET url = @Url, description = @Description, events = @Events, enabled = @Enabled, disabled = @Disabled,
            disabled_reason = @DisabledReason, revision = revision + 1, secret = @Secret, previous_secret = @PreviousSecret,
            previous_until = @PreviousUntil, headers = @Headers,
            failing_since = CASE WHEN @worksAgain = 1 THEN NULL ELSE failing_since END,
            place = CASE WHEN @moves = 1 THEN @Place ELSE place END, read_at = CASE WHEN @moves = 1 THEN @ReadAt ELSE read_at END
        WHERE tenant = @Tenant AND id = @Id AND revision = @Revision
        """, Row.Of(to).With(
            ("worksAgain", from.FailingSince is not null && to.FailingSince is null ? 1 : 0),
            ("moves", from.Cursor != to.Cursor ? 1 : 0))) > 0);

    // Its deliveries may be millions: PurgeRemovedAsync has time for them.
    public Task<bool> RemoveAsync(TenantId tenant, string id) => store.WriteAsync(connection =>
        connection.Execute("DELETE FROM webhooks WHERE tenant = @tenant AND id = @id", new { tenant = tenant.Value, id }) > 0);

    public Task<IReadOnlyList<(Webhook Webhook, bool IsDue)>> EnabledAsync(DateTimeOffset now, CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<(Webhook, bool)>>(connection =>
        [
            .. connection.Query<Row>($"""
                SELECT {Columns}, CASE WHEN EXISTS (SELECT 1 FROM webhook_deliveries d
                    WHERE d.tenant = w.tenant AND d.webhook = w.id AND d.state = 0 AND d.due <= @now) THEN 1 ELSE 0 END AS IsDue
                FROM webhooks w WHERE w.enabled = 1
                """, new { now = now.ToUnixTimeMilliseconds() }).Select(row => (row.ToWebhook(), row.IsDue == 1)),
        ], ct);

    public Task<bool> SpoolAsync(
        Webhook webhook, PlaceRead read, IReadOnlyList<WebhookDelivery> deliveries) => store.WriteAsync(connection =>
    {
        // The compare-and-set first: of two nodes one waits for the row, and then finds it moved.
        var moved = connection.Execute("""
            UPDATE webhooks SET place = @next, read_at = coalesce(@at, read_at), missed_from = coalesce(@from, missed_from),
                missed_until = coalesce(@until, missed_until)
            WHERE tenant = @tenant AND id = @id AND place = @place AND enabled = 1
            """, new
        {
            tenant = webhook.Tenant.Value,
            id = webhook.Id,
            place = webhook.Cursor.ToString(),
            next = read.Next.ToString(),
            at = read.At?.ToUnixTimeMilliseconds(),
            from = read.Missed?.From.ToUnixTimeMilliseconds(),
            until = read.Missed?.Until.ToUnixTimeMilliseconds(),
        }) > 0;
        if (!moved)
            return false;
        if (read.Missed is { } missed)
            store.Tell(connection, webhook.Tenant, MailEventType.WebhookMissedEvents, WebhookEvents.Missed(webhook, missed));
        foreach (var delivery in deliveries)
            connection.Execute("""
                INSERT INTO webhook_deliveries (tenant, webhook, event, type, created, state, due, tries, claim, payload, attempts)
                VALUES (@tenant, @webhook, @Event, @Type, @created, 0, @created, 0, 0, @payload, '[]')
                ON CONFLICT (tenant, webhook, event) DO NOTHING
                """, new
            {
                tenant = webhook.Tenant.Value,
                webhook = webhook.Id,
                delivery.Event,
                delivery.Type,
                created = delivery.CreatedAt.ToUnixTimeMilliseconds(),
                payload = delivery.Payload.ToArray(),
            });
        return true;
    });

    public Task<int> CountWaitingAsync(Webhook webhook, int limit, CancellationToken ct) => store.ReadAsync(connection =>
        connection.ExecuteScalar<int>("""
            SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries
                WHERE tenant = @tenant AND webhook = @id AND state = 0 LIMIT @limit) AS waiting
            """, new { tenant = webhook.Tenant.Value, id = webhook.Id, limit }), ct);

    // Uses webhook_deliveries_due.
    internal const string SelectDue = $"""
        SELECT {DeliveryColumns} FROM webhook_deliveries
        WHERE tenant = @tenant AND webhook = @id AND state = 0 AND due <= @now ORDER BY due, event LIMIT @count
        """;

    internal const string Claim = """
        UPDATE webhook_deliveries SET due = @until, claim = claim + 1
        WHERE tenant = @tenant AND webhook = @id AND event = @Event AND claim = @Claim AND state = 0
        """;

    public Task<IReadOnlyList<WebhookDelivery>> LeaseAsync(Webhook webhook, int count, DateTimeOffset now, DateTimeOffset until) =>
        store.WriteAsync<IReadOnlyList<WebhookDelivery>>(connection =>
        {
            var of = new { tenant = webhook.Tenant.Value, id = webhook.Id, now = now.ToUnixTimeMilliseconds(), count };
            var due = connection.Query<DeliveryRow>(SelectDue, of).AsList();
            // In the order of the key: two nodes that want the same wait for each other once.
            return
            [
                .. due.OrderBy(row => row.Event, StringComparer.Ordinal).Where(row => connection.Execute(Claim,
                    new { of.tenant, of.id, row.Event, row.Claim, until = until.ToUnixTimeMilliseconds() }) > 0)
                    .Select(row => row.ToDelivery() with { Claim = row.Claim + 1 }),
            ];
        });

    public Task<bool> RecordAsync(Webhook webhook, WebhookDelivery delivery, DeliveryResult result) => store.WriteAsync(connection =>
    {
        var place = new { tenant = webhook.Tenant.Value, id = webhook.Id };
        var recorded = connection.Execute("""
            UPDATE webhook_deliveries SET state = @state, due = @due, tries = @tries, attempts = @attempts
            WHERE tenant = @tenant AND webhook = @id AND event = @Event AND claim = @Claim
            """, new
        {
            place.tenant,
            place.id,
            delivery.Event,
            delivery.Claim,
            state = (int)result.State,
            due = result.DueAt.ToUnixTimeMilliseconds(),
            tries = delivery.Tries + 1,
            attempts = WebhookAttempts.Write([.. delivery.Attempts, result.Attempt]),
        }) > 0;
        if (!recorded)
            return false;
        var at = new { place.tenant, place.id, at = result.Attempt.At.ToUnixTimeMilliseconds(), reason = result.Disable };
        if (result.Attempt.Succeeded)
            connection.Execute("""
                UPDATE webhooks SET failing_since = NULL WHERE tenant = @tenant AND id = @id AND failing_since IS NOT NULL
                """, place);
        else
            connection.Execute("""
                UPDATE webhooks SET failing_since = @at WHERE tenant = @tenant AND id = @id AND failing_since IS NULL
                """, at);
        var disabled = result.Disable is not null && connection.Execute("""
            UPDATE webhooks SET enabled = 0, disabled = @at, disabled_reason = @reason, revision = revision + 1
            WHERE tenant = @tenant AND id = @id AND enabled = 1
            """, at) > 0;
        if (disabled)
            store.Tell(connection, webhook.Tenant, MailEventType.WebhookDisabled, WebhookEvents.Disabled(webhook, result.Disable!));
        return disabled;
    });

    public Task<IReadOnlyList<WebhookDelivery>> DeliveriesAsync(
        TenantId tenant, string id, DeliveryState? state, (DateTimeOffset CreatedAt, string Event)? before, int limit,
        CancellationToken ct) =>
        store.ReadAsync<IReadOnlyList<WebhookDelivery>>(connection =>
        [
            .. connection.Query<DeliveryRow>($"""
                SELECT {DeliveryColumns} FROM webhook_deliveries
                WHERE tenant = @tenant AND webhook = @id {(state is null ? "" : "AND state = @state")}
                    {(before is null ? "" : "AND (created, event) < (@created, @event)")}
                ORDER BY created DESC, event DESC LIMIT @limit
                """, new
            {
                tenant = tenant.Value,
                id,
                state = (int?)state,
                created = before?.CreatedAt.ToUnixTimeMilliseconds(),
                @event = before?.Event,
                limit,
            }).Select(row => row.ToDelivery()),
        ], ct);

    public Task<WebhookDelivery?> FindDeliveryAsync(TenantId tenant, string id, string delivery, CancellationToken ct) =>
        store.ReadAsync(connection => connection.QuerySingleOrDefault<DeliveryRow>(
            $"""
            SELECT {DeliveryColumns} FROM webhook_deliveries WHERE tenant = @tenant AND webhook = @id AND event = @delivery
                AND EXISTS (SELECT 1 FROM webhooks WHERE tenant = @tenant AND id = @id)
            """,
            new { tenant = tenant.Value, id, delivery })?.ToDelivery(), ct);

    // Looked for in a read, and changed in pieces that mail can come between. Those that failed are found by webhook_deliveries_failed.
    public async Task<int> AgainAsync(TenantId tenant, string id, string? delivery, DateTimeOffset from, DateTimeOffset until,
        DeliveryState? state, DateTimeOffset now, int limit)
    {
        var isAsked = delivery is not null ? "1 = 1" : state is null ? "state <> 0"
            : string.Create(CultureInfo.InvariantCulture, $"state = {(int)state}");
        var events = await store.ReadAsync(connection => connection.Query<string>($"""
            SELECT event FROM webhook_deliveries WHERE tenant = @tenant AND webhook = @id AND created BETWEEN @from AND @until
                AND {isAsked} {(delivery is null ? "" : "AND event = @delivery")}
            ORDER BY created, event LIMIT @limit
            """, new
        {
            tenant = tenant.Value,
            id,
            delivery,
            from = from.ToUnixTimeMilliseconds(),
            until = until.ToUnixTimeMilliseconds(),
            limit,
        }).ToList(), CancellationToken.None);
        var count = 0;
        foreach (var some in events.Chunk(AgainAtOnce))
            count += await store.WriteAsync(connection => connection.Execute($"""
                UPDATE webhook_deliveries SET state = 0, due = @now, tries = CASE WHEN state = 0 THEN tries ELSE 0 END,
                    claim = CASE WHEN state = 0 THEN claim ELSE claim + 1 END
                WHERE tenant = @tenant AND webhook = @id AND event = @one AND {isAsked}
                """, some.Select(one => new { tenant = tenant.Value, id, one, now = now.ToUnixTimeMilliseconds() })), isBulk: true);
        return count;
    }

    public Task<int> PurgeAsync(DateTimeOffset before, int limit) => store.WriteAsync(connection => connection.Execute("""
        DELETE FROM webhook_deliveries WHERE (tenant, webhook, event) IN (
            SELECT tenant, webhook, event FROM webhook_deliveries WHERE state <> 0 AND created < @before ORDER BY created LIMIT @limit)
        """, new { before = before.ToUnixTimeMilliseconds(), limit }), isBulk: true);

    public async Task<int> PurgeRemovedAsync(int limit, CancellationToken ct) =>
        await store.ReadAsync(FirstRemoved, ct) is not { } removed ? 0
            : await store.WriteAsync(connection => connection.Execute("""
                DELETE FROM webhook_deliveries WHERE (tenant, webhook, event) IN (
                    SELECT tenant, webhook, event FROM webhook_deliveries WHERE tenant = @Tenant AND webhook = @Webhook LIMIT @limit)
                    AND NOT EXISTS (SELECT 1 FROM webhooks WHERE tenant = @Tenant AND id = @Webhook)
                """, new { removed.Tenant, removed.Webhook, limit }), isBulk: true);

    // A loose scan of the key: one seek an endpoint, however many deliveries it has.
    static Place? FirstRemoved(DbConnection connection)
    {
        Place? place = new Place { Tenant = int.MinValue };
        do
            place = connection.QuerySingleOrDefault<Place>("""
                SELECT tenant, webhook FROM webhook_deliveries WHERE (tenant, webhook) > (@Tenant, @Webhook)
                ORDER BY tenant, webhook LIMIT 1
                """, place);
        while (place is not null && connection.ExecuteScalar<long>(
            "SELECT count(*) FROM webhooks WHERE tenant = @Tenant AND id = @Webhook", place) > 0);
        return place;
    }

    sealed record Place
    {
        public int Tenant { get; init; }
        public string Webhook { get; init; } = "";
    }

    sealed class Row
    {
        public int Tenant { get; init; }
        public string Id { get; init; } = "";
        public string Url { get; init; } = "";
        public string Description { get; init; } = "";
        public string Events { get; init; } = "";
        public int Enabled { get; init; }
        public long Created { get; init; }
        public long? Disabled { get; init; }
        public string? DisabledReason { get; init; }
        public long? FailingSince { get; init; }
        public string Place { get; init; } = "";
        public long Revision { get; init; }
        public byte[] Secret { get; init; } = [];
        public byte[]? PreviousSecret { get; init; }
        public long? PreviousUntil { get; init; }
        public byte[]? Headers { get; init; }
        public long? ReadAt { get; init; }
        public long? MissedFrom { get; init; }
        public long? MissedUntil { get; init; }
        public long Forgotten { get; init; }
        public int IsDue { get; init; }

        public static Row Of(Webhook webhook) => new()
        {
            Tenant = webhook.Tenant.Value,
            Id = webhook.Id,
            Url = webhook.Url,
            Description = webhook.Description,
            Events = string.Join(' ', webhook.Events),
            Enabled = webhook.IsEnabled ? 1 : 0,
            Created = webhook.CreatedAt.ToUnixTimeMilliseconds(),
            Disabled = webhook.DisabledAt?.ToUnixTimeMilliseconds(),
            DisabledReason = webhook.DisabledReason,
            FailingSince = webhook.FailingSince?.ToUnixTimeMilliseconds(),
            Place = webhook.Cursor.ToString(),
            Revision = webhook.Revision,
            Secret = webhook.Secret.ToArray(),
            PreviousSecret = webhook.PreviousSecret?.ToArray(),
            PreviousUntil = webhook.PreviousUntil?.ToUnixTimeMilliseconds(),
            Headers = webhook.Headers?.ToArray(),
            ReadAt = webhook.ReadAt?.ToUnixTimeMilliseconds(),
        };

        public DynamicParameters With(params ReadOnlySpan<(string Name, object Value)> more)
        {
            var all = new DynamicParameters(this);
            foreach (var (name, value) in more)
                all.Add(name, value);
            return all;
        }

        public Webhook ToWebhook() => new()
        {
            Tenant = new TenantId(Tenant),
            Id = Id,
            Url = Url,
            Description = Description,
            Events = Events.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            IsEnabled = Enabled == 1,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            DisabledAt = At(Disabled),
            DisabledReason = DisabledReason,
            FailingSince = At(FailingSince),
            Cursor = EventCursor.TryParse(Place, out var cursor) ? cursor
                : throw new InvalidDataException($"The webhook {Id} has no place in the log: the database is damaged."),
            Revision = Revision,
            Secret = Secret,
            PreviousSecret = PreviousSecret is { } previous ? previous : (ReadOnlyMemory<byte>?)null,
            PreviousUntil = At(PreviousUntil),
            Headers = Headers is { } headers ? headers : (ReadOnlyMemory<byte>?)null,
            ReadAt = At(ReadAt),
            ForgottenUntil = DateTimeOffset.FromUnixTimeMilliseconds(Forgotten),
            Missed = At(MissedFrom) is { } from && At(MissedUntil) is { } until ? new MissedEvents(from, until) : null,
        };

        static DateTimeOffset? At(long? ms) => ms is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null;
    }

    sealed class DeliveryRow
    {
        public string Event { get; init; } = "";
        public string Type { get; init; } = "";
        public long Created { get; init; }
        public DeliveryState State { get; init; }
        public long Due { get; init; }
        public int Tries { get; init; }
        public int Claim { get; init; }
        public byte[] Payload { get; init; } = [];
        public string Attempts { get; init; } = "[]";

        public WebhookDelivery ToDelivery() => new()
        {
            Event = Event,
            Type = Type,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(Created),
            State = State,
            DueAt = DateTimeOffset.FromUnixTimeMilliseconds(Due),
            Tries = Tries,
            Claim = Claim,
            Payload = Payload,
            Attempts = WebhookAttempts.Read(Attempts),
        };
    }
}

/// <summary>The tries of a delivery as they are kept: a list in JSON, the newest last.</summary>
static class WebhookAttempts
{
    /// <summary>Enough for two rounds of tries; the oldest go.</summary>
    const int Most = 20;

    /// <summary>Of all but the newest only so much of the answer is kept.</summary>
    const int OldResponseLength = 200;

    public static string Write(IReadOnlyList<WebhookAttempt> attempts)
    {
        var kept = attempts.TakeLast(Most).ToList();
        for (var i = 0; i < kept.Count - 1; i++)
            if (kept[i].Response is { Length: > OldResponseLength } response)
                kept[i] = kept[i] with { Response = response[..OldResponseLength] };
        return JsonSerializer.Serialize(kept, WebhookAttemptsJson.Default.ListWebhookAttempt);
    }

    public static IReadOnlyList<WebhookAttempt> Read(string text) =>
        JsonSerializer.Deserialize(text, WebhookAttemptsJson.Default.ListWebhookAttempt) ?? [];
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(List<WebhookAttempt>))]
sealed partial class WebhookAttemptsJson : JsonSerializerContext;
