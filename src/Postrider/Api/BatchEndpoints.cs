using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary><c>/batches</c>: one content for many, filled by streams of any length, watched, paused, cancelled and sent again.</summary>
static class BatchEndpoints
{
    const string NothingOpen = "No recipient could be cancelled at once: each has ended, or is under way and ends with its attempt.";
    const string NothingEnded = "No recipient failed, expired or is held, so nothing is sent again.";

    static readonly ProblemResult NoBatch = Missing("There is no batch with this id, or it is another tenant's.");

    static readonly DocumentedParameters ErrorParameters = new(
        [new("limit", "1 to 1,000. Default 100."), new("after", "next of the page before.")]);

    static readonly DocumentedParameters FillParameters =
        DestinationUpload.Parameters("start", "true: begins when all of them are there.");

    static readonly DocumentedParameters RetryParameters = new([new("bounced", "true: what bounced, too.")]);

    public static void MapBatches(this IEndpointRouteBuilder app)
    {
        app.MapPost("/batches", AddAsync).For(Access.Send).TakingMail()
            .Takes<BatchShape>().Answers<BatchRefAnswer>(201)
            .Says("addBatch", "Keeps one content for many destinations, which follow; or those of a list, to whom it is sent.",
                """{"from":"news@example.com","subject":"News","text":"It works."}""",
                "malformed-json", "invalid-idempotency-key", "idempotency-mismatch", "too-large", "unsupported-media-type", "unknown-field",
                "invalid-field", "invalid-address", "header-injection", "forbidden-header", "invalid-attachment", "invalid-time",
                "no-content", "no-such-template", "no-such-list", "unverified-sender", "no-transport", "storage-low", "draining");
        app.MapPost("/batches/{id}/destinations", (Delegate)AppendAsync).For(Access.Send).TakingMail()
            .TakesDestinations().WithMetadata(FillParameters)
            .Answers<UploadAnswer>(200)
            .Says("addDestinations", "Adds destinations, any number: CSV with a header, or one JSON value a line. Faulty lines are left out.",
                null, [.. DestinationUpload.Refusals, "batch-begun", "no-recipients", "idempotency-mismatch"]);
        app.MapPost("/batches/{id}/start", StartAsync).For(Access.Send).Answers<BatchRefAnswer>(200)
            .Says("startBatch", "Begins to send.", null, "not-found", "no-recipients", "batch-ended");
        app.MapGet("/batches", ListAsync).For(Access.Read).WithMetadata(ListQuery.Pages).Answers<BatchListAnswer>(200)
            .Says("listBatches", "Batches, newest first.", null,
                "invalid-cursor", "invalid-field", "unknown-field");
        app.MapGet("/batches/{id}", GetAsync).For(Access.Read)
            .WithMetadata(EmailQuery.BatchParameters).Answers<BatchStatusAnswer>(200)
            .Says("getBatch", "How a batch is doing; with emails=true its messages too, page by page; with tracking=true its opens and clicks.",
                null, "not-found", "invalid-cursor", "invalid-field", "unknown-field");
        app.MapGet("/batches/{id}/errors", ErrorsAsync).For(Access.Read)
            .WithMetadata(ErrorParameters).Answers<DestinationErrorListAnswer>(200)
            .Says("listBatchErrors", "Lines that were refused and destinations of which no message could be made.", null, "not-found",
                "invalid-cursor", "invalid-field", "unknown-field");
        app.MapPost("/batches/{id}/pause", PauseAsync).For(Access.Manage).Answers<BatchRefAnswer>(200)
            .Says("pauseBatch", "Nothing of it leaves until it is resumed; what is under way ends.", null, "not-found", "batch-ended");
        app.MapPost("/batches/{id}/resume", ResumeAsync).For(Access.Manage).Answers<BatchRefAnswer>(200)
            .Says("resumeBatch", "Goes on with a paused batch.", null, "not-found", "batch-ended");
        app.MapPost("/batches/{id}/cancel", CancelAsync).For(Access.Manage)
            .Answers<BatchChangeAnswer>(200)
            .Says("cancelBatch", "Nothing more of it is made or sent; what is under way ends with its attempt.", null, "not-found");
        app.MapPost("/batches/{id}/retry-failed", RetryAsync).For(Access.Manage)
            .WithMetadata(RetryParameters).Answers<BatchChangeAnswer>(200)
            .Says("retryBatch", "Sends everything of a batch that failed, expired or is held again.", null, "not-found", "invalid-field");
    }

    static ProblemResult Missing(string detail) => new(ProblemCatalog.Make("not-found", detail));

    static async Task<Results<JsonHttpResult<BatchRefAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, LargeBatches large)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        if (problem is not null)
            return new ProblemResult(problem);
        var body = await bodies.ReadSendAsync<DestinationsRequest>(context, SendReader.Large, key is null ? null : "POST /batches");
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var (added, refusal) = await large.AddAsync(
            request.Content, new SubmissionContext(context.Caller.Tenant, key, body.Hash), request.List);
        if (added is not { } there)
            return new ProblemResult(refusal!);
        if (!there.IsNew)
            context.Response.Headers[IdempotencyKey.Replayed] = "true";
        return ApiJson.Answer(EmailShapes.Batch(there.Batch), StatusCodes.Status201Created);
    }

    static async Task AppendAsync(string id, HttpContext context, DestinationUpload upload, LargeBatches large, IBatchStore batches,
        TimeProvider clock)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var batch)
            || await batches.FindAsync(tenant, batch, context.RequestAborted) is not { } found || found.Source != found.Id)
        {
            await NoBatch.ExecuteAsync(context);
            return;
        }
        if (found.State != BatchState.Filling && !await WasFilledAsync(context, batches, batch))
        {
            await new ProblemResult(Begun).ExecuteAsync(context);
            return;
        }
        var query = new ListQuery(context.Request.Query, FillParameters);
        var isStarted = query.Flag("start");
        if (query.Problem is { } unclear)
        {
            await new ProblemResult(unclear).ExecuteAsync(context);
            return;
        }
        if (await upload.RunAsync(context, new BatchSink(batches, clock, tenant, batch)) is not { } done)
            return;
        // What came of a batch since its call was answered first, changes nothing in the answer.
        if (isStarted && !(done.IsReplayed && found.State != BatchState.Filling)
            && await large.StartAsync(tenant, batch, default) is { } refusal)
        {
            await new ProblemResult(refusal).ExecuteAsync(context);
            return;
        }
        if (done.IsReplayed)
            context.Response.Headers[IdempotencyKey.Replayed] = "true";
        var total = done.Part.Total ?? (await batches.FindAsync(tenant, batch, default))?.Total ?? 0;
        await ApiJson.Answer(done.Answer(id, total)).ExecuteAsync(context);
    }

    /// <summary>Whether an earlier call with the key of this one came to its end.</summary>
    static async Task<bool> WasFilledAsync(HttpContext context, IBatchStore batches, MessageId batch) =>
        IdempotencyKey.Read(context.Request, out _) is { } key
        && (await batches.FindPartAsync(batch, key, context.RequestAborted)).IsComplete;

    static readonly Problem Begun = ProblemCatalog.Make("batch-begun", "The batch was begun or cancelled, so nothing can be added to it.");

    /// <summary>Puts what is read into a batch.</summary>
    internal sealed class BatchSink(IBatchStore batches, TimeProvider clock, TenantId tenant, MessageId batch) : IDestinationSink
    {
        public TenantId? Owner => tenant;

        public async Task<AppendedPart?> FindAsync(string key, CancellationToken ct) => await batches.FindPartAsync(batch, key, ct);

        public async Task<(AppendedPart Part, Problem? Problem)> AppendAsync(BatchPart part) =>
            await batches.AppendAsync(tenant, batch, part, clock.GetUtcNow()) is { } appended ? (appended, null) : (default, Begun);
    }

    static Task<Results<JsonHttpResult<BatchRefAnswer>, ProblemResult>> StartAsync(
        string id, HttpContext context, LargeBatches large, IBatchStore batches, CancellationToken ct) =>
        ChangeAsync(id, context, batches, large.StartAsync, ct);

    static Task<Results<JsonHttpResult<BatchRefAnswer>, ProblemResult>> PauseAsync(
        string id, HttpContext context, LargeBatches large, IBatchStore batches, CancellationToken ct) =>
        ChangeAsync(id, context, batches, large.PauseAsync, ct);

    static Task<Results<JsonHttpResult<BatchRefAnswer>, ProblemResult>> ResumeAsync(
        string id, HttpContext context, LargeBatches large, IBatchStore batches, CancellationToken ct) =>
        ChangeAsync(id, context, batches, large.ResumeAsync, ct);

    static async Task<Results<JsonHttpResult<BatchRefAnswer>, ProblemResult>> ChangeAsync(
        string id, HttpContext context, IBatchStore batches, Func<TenantId, MessageId, CancellationToken, Task<Problem?>> change,
        CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var batch))
            return NoBatch;
        if (await change(tenant, batch, ct) is { } problem)
            return new ProblemResult(problem);
        return await batches.FindAsync(tenant, batch, ct) is { } found ? ApiJson.Answer(EmailShapes.Batch(found)) : NoBatch;
    }

    static async Task<Results<JsonHttpResult<BatchListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IBatchStore batches, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, ListQuery.Pages);
        var (limit, after) = (query.Limit(), query.After());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await batches.ListAsync(context.Caller.Tenant, after, limit + 1, ct);
        var hasMore = found.Count > limit;
        return ApiJson.Answer(new BatchListAnswer([.. found.Take(limit).Select(EmailShapes.Batch)], hasMore,
            hasMore ? found[limit - 1].Id.ToString() : null));
    }

    static async Task<Results<JsonHttpResult<BatchStatusAnswer>, ProblemResult>> GetAsync(
        string id, HttpContext context, IMessageReader messages, IBatchStore batches, Submitter submitter, EmailShapes shapes,
        CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        var query = new ListQuery(context.Request.Query, EmailQuery.BatchParameters);
        var (wanted, isCounted, filter) = (query.Flag("emails"), query.Flag("tracking"), EmailQuery.Read(query));
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        if (!MessageId.TryParse(id, out var batch) || await messages.GetBatchAsync(tenant, batch, ct) is not { } view)
            return NoBatch;
        var page = wanted ? await messages.ListAsync(tenant, filter with { Batch = batch }, ct) : null;
        var large = await batches.FindAsync(tenant, batch, ct);
        var waitingFor = large is { State: BatchState.Expanding, IsPaused: false }
            ? await submitter.WhyNoRoomAsync(tenant, large.Terms, ct) : null;
        var tracking = isCounted ? await batches.TrackingAsync(batch, ct) : null;
        return ApiJson.Answer(shapes.Batch(view, large, page, waitingFor, tracking));
    }

    static async Task<Results<JsonHttpResult<DestinationErrorListAnswer>, ProblemResult>> ErrorsAsync(
        string id, HttpContext context, IMessageReader messages, IBatchStore batches, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, ErrorParameters);
        var (limit, after) = (query.Limit(100, 1_000), query.AfterNumber() ?? 0);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        if (!MessageId.TryParse(id, out var batch) || await messages.GetBatchAsync(context.Caller.Tenant, batch, ct) is null)
            return NoBatch;
        var found = await batches.FaultsAsync(batch, after, limit + 1, ct);
        var page = found.Take(limit).Select(DestinationUpload.Error).ToList();
        var hasMore = found.Count > limit;
        return ApiJson.Answer(new DestinationErrorListAnswer(page, hasMore,
            hasMore ? page[^1].Line.ToString(System.Globalization.CultureInfo.InvariantCulture) : null));
    }

    static async Task<Results<JsonHttpResult<BatchChangeAnswer>, ProblemResult>> CancelAsync(
        string id, HttpContext context, LargeBatches large, MessageChanges changes, CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var batch))
            return NoBatch;
        if (await large.CancelAsync(tenant, batch, ct) is { } count)
            return ApiJson.Answer(new BatchChangeAnswer(id, count, count, count > 0 ? null : NothingOpen));
        return await changes.CancelBatchAsync(tenant, batch, ct) is { } change
            ? ApiJson.Answer(new BatchChangeAnswer(id, change.Messages, change.Recipients, change.Recipients > 0 ? null : NothingOpen))
            : NoBatch;
    }

    static async Task<Results<JsonHttpResult<BatchChangeAnswer>, ProblemResult>> RetryAsync(
        string id, HttpContext context, MessageChanges changes, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, RetryParameters);
        var bounced = query.Flag("bounced");
        if (query.Problem is { } unclear)
            return new ProblemResult(unclear);
        return MessageId.TryParse(id, out var batch)
            && await changes.RetryBatchAsync(context.Caller.Tenant, batch, bounced, ct) is { } change
            ? ApiJson.Answer(new BatchChangeAnswer(id, change.Messages, change.Recipients, change.Recipients > 0 ? null : NothingEnded))
            : NoBatch;
    }
}
