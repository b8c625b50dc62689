using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Webhooks;

namespace Postrider.Api;

/// <summary><c>/webhooks</c>: the tenant's endpoints to which events are sent, and how each delivery went.</summary>
static class WebhookEndpoints
{
    static readonly string[] BodyRefusals =
        ["malformed-json", "unsupported-media-type", "too-large", "unknown-field", "invalid-field", "url-not-allowed"];

    public static void MapWebhooks(this IEndpointRouteBuilder app)
    {
        app.MapPost("/webhooks", AddAsync).For(Access.Manage)
            .Takes<NewWebhookShape>().Answers<WebhookAnswer>(201)
            .Says("addWebhook", "Sends events to a URL from now on. The secret that signs them is told here and never again.",
                """{"url":"https://example.com/hooks","events":["email.delivered","email.bounced"]}""", BodyRefusals);
        app.MapGet("/webhooks", async (HttpContext context, WebhookBook book) =>
                ApiJson.Answer(new WebhookListAnswer(
                    [.. (await book.ListAsync(context.Caller.Tenant, context.RequestAborted)).Select(w => Answer(w, book))])))
            .For(Access.Read).Answers<WebhookListAnswer>(200).Says("listWebhooks", "The endpoints, oldest first.");
        app.MapGet("/webhooks/{id}", async Task<Results<JsonHttpResult<WebhookAnswer>, ProblemResult>> (
                string id, HttpContext context, WebhookBook book) =>
                await book.FindAsync(context.Caller.Tenant, id, context.RequestAborted) is { } webhook
                    ? ApiJson.Answer(Answer(webhook, book)) : ProblemResult.Absent)
            .For(Access.Read).Answers<WebhookAnswer>(200)
            .Says("getWebhook", "An endpoint, whether it works, and why it was disabled.", null, "not-found");
        app.MapPatch("/webhooks/{id}", ChangeAsync).For(Access.Manage)
            .Takes<WebhookShape>().Answers<WebhookAnswer>(200)
            .Says("changeWebhook", "Changes what is given. Enabled again, it goes on where it stopped, or from now with skip_missed.",
                """{"enabled":true}""", [.. BodyRefusals, "not-found", "changed-meanwhile"]);
        app.MapDelete("/webhooks/{id}", async Task<Results<NoContent, ProblemResult>> (string id, HttpContext context, WebhookBook book) =>
                await book.RemoveAsync(context.Caller.Tenant, id) ? TypedResults.NoContent() : ProblemResult.Absent)
            .For(Access.Manage).Says("removeWebhook", "Forgets an endpoint and its deliveries.", null, "not-found");
        app.MapPost("/webhooks/{id}/rotate", RotateAsync).For(Access.Manage)
            .Takes<WebhookSecretShape>().Answers<WebhookAnswer>(200)
            .Says("rotateWebhookSecret", "Makes a new secret. The one before signs as well for 24 hours.",
                """{"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "not-found", "changed-meanwhile");
        app.MapPost("/webhooks/{id}/test", TestAsync).For(Access.Manage)
            .Answers<WebhookTestAnswer>(200)
            .Says("testWebhook", "Sends the event webhook.test now, once, and says what came back.", null, "not-found");
        app.MapDeliveries();
    }

    static void MapDeliveries(this IEndpointRouteBuilder app)
    {
        app.MapGet("/webhooks/{id}/deliveries", DeliveriesAsync).For(Access.Read).WithMetadata(DeliveryParameters)
            .Answers<DeliveryListAnswer>(200)
            .Says("listDeliveries", "What was sent to an endpoint and what it answered, newest first.", null,
                "not-found", "invalid-field", "unknown-field", "invalid-cursor");
        app.MapGet("/webhooks/{id}/deliveries/{delivery}", DeliveryAsync).For(Access.Read)
            .Answers<DeliveryAnswer>(200).Says("getDelivery", "A delivery with its request and every try.", null, "not-found");
        app.MapPost("/webhooks/{id}/deliveries/{delivery}/redeliver", OneAgainAsync).For(Access.Manage)
            .Answers<RedeliverAnswer>(202)
            .Says("redeliver",
                "Sends a delivery that ended once more, under the same webhook-id; one that waits is tried now (was_waiting).",
                null,
                "not-found", "webhook-disabled");
        app.MapPost("/webhooks/{id}/redeliver", AgainAsync).For(Access.Manage)
            .Takes<RedeliverShape>().Answers<RedeliverAnswer>(202)
            .Says("redeliverRange", "Sends once more what was made in a time: what failed, or state: all. At most 10,000 a call.",
                """{"from":"2026-01-31T00:00:00Z","until":"2026-02-01T00:00:00Z"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "not-found", "webhook-disabled");
    }

    static readonly DocumentedParameters DeliveryParameters = new(
    [
        new("limit", "1 to 100. Default 20."), new("after", "next from the page before: what is older."),
        new("state", "waiting, delivered or failed."),
    ]);

    static async Task<Results<JsonHttpResult<WebhookAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, WebhookBook book)
    {
        var body = await bodies.ReadAsync<WebhookRequest>(context, WebhookReader.New);
        return body.Value is { } request
            ? Result(await book.AddAsync(context.Caller.Tenant, request, context.RequestAborted), book, 201)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<WebhookAnswer>, ProblemResult>> ChangeAsync(
        string id, HttpContext context, JsonBody bodies, WebhookBook book)
    {
        var body = await bodies.ReadAsync<WebhookRequest>(context, WebhookReader.Change);
        return body.Value is { } request
            ? Result(await book.ChangeAsync(context.Caller.Tenant, id, request, context.RequestAborted), book)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<WebhookAnswer>, ProblemResult>> RotateAsync(
        string id, HttpContext context, JsonBody bodies, WebhookBook book)
    {
        var body = await bodies.ReadOptionalAsync(context, WebhookReader.Secret, new WebhookRequest());
        return body.Value is { } request
            ? Result(await book.RotateAsync(context.Caller.Tenant, id, request.Secret, context.RequestAborted), book)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<WebhookTestAnswer>, ProblemResult>> TestAsync(
        string id, HttpContext context, WebhookBook book) =>
        await book.TestAsync(context.Caller.Tenant, id, context.RequestAborted) is { } answer
            ? ApiJson.Answer(new WebhookTestAnswer(
                answer.Error is null, answer.Status, (long)answer.Took.TotalMilliseconds, answer.Error, answer.Response))
            : ProblemResult.Absent;

    static async Task<Results<JsonHttpResult<DeliveryListAnswer>, ProblemResult>> DeliveriesAsync(
        string id, HttpContext context, IWebhookStore store)
    {
        var (tenant, ct) = (context.Caller.Tenant, context.RequestAborted);
        var query = new ListQuery(context.Request.Query, DeliveryParameters);
        var (limit, state) = (query.Limit(), query.Word<DeliveryState>("state"));
        var before = query.Cursor<(DateTimeOffset, string)>("after", DeliveryPlace.TryParse);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        if (await store.FindAsync(tenant, id, ct) is null)
            return ProblemResult.Absent;
        var found = await store.DeliveriesAsync(tenant, id, state, before, limit + 1, ct);
        var page = found.Take(limit).ToList();
        var hasMore = found.Count > limit;
        return ApiJson.Answer(new DeliveryListAnswer(
            [.. page.Select(d => Answer(d, withRequest: false))], hasMore, hasMore ? DeliveryPlace.Of(page[^1]) : null));
    }

    static async Task<Results<JsonHttpResult<DeliveryAnswer>, ProblemResult>> DeliveryAsync(
        string id, string delivery, HttpContext context, IWebhookStore store) =>
        await store.FindDeliveryAsync(context.Caller.Tenant, id, delivery, context.RequestAborted) is { } found
            ? ApiJson.Answer(Answer(found, withRequest: true)) : ProblemResult.Absent;

    static async Task<Results<JsonHttpResult<RedeliverAnswer>, ProblemResult>> OneAgainAsync(
        string id, string delivery, HttpContext context, WebhookBook book) =>
        await book.AgainAsync(context.Caller.Tenant, id, delivery, context.RequestAborted) switch
        {
            { Problem: { } problem } => new ProblemResult(problem),
            { Count: > 0 and var count } done => ApiJson.Answer(
                new RedeliverAnswer(count, HasMore: false) { WasWaiting = done.WasWaiting ? true : null }, 202),
            _ => ProblemResult.Absent,
        };

    static async Task<Results<JsonHttpResult<RedeliverAnswer>, ProblemResult>> AgainAsync(
        string id, HttpContext context, JsonBody bodies, WebhookBook book)
    {
        var body = await bodies.ReadAsync<RedeliverRequest>(context, WebhookReader.Again);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        return await book.AgainAsync(context.Caller.Tenant, id, request.From, request.Until, request.State, context.RequestAborted) switch
        {
            null => ProblemResult.Absent,
            { Problem: { } problem } => new ProblemResult(problem),
            { Count: var count } => ApiJson.Answer(new RedeliverAnswer(count, HasMore: count == RedeliveryResult.Most), 202),
        };
    }

    static Results<JsonHttpResult<WebhookAnswer>, ProblemResult> Result(WebhookResult? result, WebhookBook book, int status = 200) =>
        result is null ? ProblemResult.Absent
        : result.Webhook is { } webhook ? ApiJson.Answer(Answer(webhook, book) with { Secret = result.Secret }, status)
        : new ProblemResult(result.Problem!);

    internal static WebhookAnswer Answer(Webhook webhook, WebhookBook book) => new()
    {
        Id = webhook.Id,
        Url = webhook.Url,
        Description = webhook.Description,
        Events = webhook.Events,
        Headers = [.. book.OwnHeaders(webhook)?.Keys ?? (IReadOnlyCollection<string>)[]],
        Fault = book.FaultOf(webhook),
        Enabled = webhook.IsEnabled,
        CreatedAt = webhook.CreatedAt,
        DisabledAt = webhook.DisabledAt,
        DisabledReason = webhook.DisabledReason,
        FailingSince = webhook.FailingSince,
        MissedEvents = webhook.Missed is { } missed ? new MissedEventsAnswer(missed.From, missed.Until) : null,
        PreviousSecretUntil = webhook.PreviousUntil,
    };

    internal static DeliveryAnswer Answer(WebhookDelivery delivery, bool withRequest) => new()
    {
        Id = delivery.Event,
        Type = delivery.Type,
        State = ApiJson.Word(delivery.State),
        CreatedAt = delivery.CreatedAt,
        NextTryAt = delivery.State == DeliveryState.Waiting ? delivery.DueAt : null,
        Tries = delivery.Tries,
        Attempts =
        [
            .. delivery.Attempts.Select(a => new DeliveryAttemptAnswer(a.At, a.Status, a.DurationMs, a.Error, a.Response)),
        ],
        Request = withRequest ? JsonElement.Parse(delivery.Payload.Span) : null,
    };
}

/// <summary>Answer to <c>GET /webhooks</c>.</summary>
sealed record WebhookListAnswer(IReadOnlyList<WebhookAnswer> Data);

/// <summary>An endpoint.</summary>
sealed record WebhookAnswer
{
    public required string Id { get; init; }
    public required string Url { get; init; }
    public required string Description { get; init; }

    /// <summary>Empty: all.</summary>
    public required IReadOnlyList<string> Events { get; init; }

    /// <summary>The names of its own header fields.</summary>
    public required IReadOnlyList<string> Headers { get; init; }

    /// <summary>Why nothing can be sent to it, and what to do; null where it can be tried.</summary>
    public required string? Fault { get; init; }
    public required bool Enabled { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset? DisabledAt { get; init; }

    /// <summary>Why we disabled it; null where we did not.</summary>
    public required string? DisabledReason { get; init; }

    /// <summary>Since when nothing succeeds; null while it works.</summary>
    public required DateTimeOffset? FailingSince { get; init; }

    /// <summary>Events that were no longer kept when their turn came, the last time that this happened; null where it never did.</summary>
    public required MissedEventsAnswer? MissedEvents { get; init; }

    /// <summary>Until when the secret before the last rotation signs as well.</summary>
    public required DateTimeOffset? PreviousSecretUntil { get; init; }

    /// <summary>Only where it was just made.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public string? Secret { get; init; }
}

/// <summary>A time whose events were not sent.</summary>
/// <param name="From">What had happened before was looked at.</param>
/// <param name="Until">When the newest of those that are gone happened.</param>
sealed record MissedEventsAnswer(DateTimeOffset From, DateTimeOffset Until);

/// <summary>Answer to <c>POST /webhooks/{id}/test</c>.</summary>
/// <param name="Error">Null where it was taken.</param>
sealed record WebhookTestAnswer(bool Delivered, int? Status, long DurationMs, string? Error, string? Response);

/// <summary>Answer to <c>GET /webhooks/{id}/deliveries</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record DeliveryListAnswer(IReadOnlyList<DeliveryAnswer> Data, bool HasMore, string? Next)
{
    [System.Text.Json.Serialization.JsonPropertyOrder(-1)]
    public string Object { get; } = "list";
}

/// <summary>An event on its way to an endpoint.</summary>
sealed record DeliveryAnswer
{
    /// <summary>The event's id, and <c>webhook-id</c>.</summary>
    public required string Id { get; init; }
    public required string Type { get; init; }

    /// <summary><c>waiting</c>, <c>delivered</c> or <c>failed</c>.</summary>
    public required string State { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset? NextTryAt { get; init; }
    public required int Tries { get; init; }

    /// <summary>The newest last, at most 20.</summary>
    public required IReadOnlyList<DeliveryAttemptAnswer> Attempts { get; init; }

    /// <summary>The body that is sent; not in lists.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public JsonElement? Request { get; init; }
}

/// <summary>One try.</summary>
/// <param name="Response">The beginning of the answer's body, 4 KB at most.</param>
sealed record DeliveryAttemptAnswer(DateTimeOffset At, int? Status, long DurationMs, string? Error, string? Response);

/// <summary>How many are sent again.</summary>
sealed record RedeliverAnswer(int Count, bool HasMore)
{
    /// <summary>True where it had not ended and waited for its next try, which is now; absent else.</summary>
    [System.Text.Json.Serialization.JsonIgnore(Condition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull)]
    public bool? WasWaiting { get; init; }
}
