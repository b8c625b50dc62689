using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>The calls about messages that were handed over: what became of them, and changing it.</summary>
static class EmailEndpoints
{
    static readonly ProblemResult TooLate = new(ProblemCatalog.Make("too-late", "The message is already under way or has ended."));

    static readonly ProblemResult Ended = new(ProblemCatalog.Make("too-late", "The message has ended, so nothing of it can be cancelled."));

    const string NothingOpen = "No recipient could be cancelled at once: each has ended, or is under way and ends with its attempt.";
    const string NothingEnded = "No recipient failed, expired, bounced or is held, so nothing is sent again.";

    public static void MapEmails(this IEndpointRouteBuilder app)
    {
        app.MapGet("/emails", ListAsync).For(Access.Read)
            .WithMetadata(QueryReader.Parameters).Answers<EmailListAnswer>(200)
            .Says("listEmails", "Messages, newest first; next goes into after= for the following page.", null, "invalid-cursor",
                "invalid-field", "unknown-field");
        app.MapGet("/emails/{id}", GetAsync).For(Access.Read)
            .Answers<EmailAnswer>(200)
                .Says("getEmail", "The whole story of a message: recipients, attempts, why it waits.", null, "not-found");
        app.MapPatch("/emails/{id}", RescheduleAsync).For(Access.Send)
            .Takes<RescheduleShape>().Answers<EmailRefAnswer>(200)
            .Says("rescheduleEmail", "Moves a message that was not attempted yet to another time.",
                """{"scheduled_at":"2027-01-31T09:30:00Z"}""",
                "malformed-json", "not-found", "too-late", "unsupported-media-type", "invalid-time", "unknown-field");
        app.MapPost("/emails/{id}/cancel", CancelAsync).For(Access.Send)
            .Answers<EmailRefAnswer>(200)
                .Says("cancelEmail", "Ends its open recipients; an attempt under way ends by itself. What is cancelled already stays so.", null,
                    "not-found", "too-late");
        app.MapPost("/emails/{id}/retry", RetryAsync).For(Access.Manage)
            .Answers<EmailRefAnswer>(200).Says("retryEmail", "Sends what failed, expired, bounced or is held again.", null, "not-found");
        app.MapGet("/batches/{id}", GetBatchAsync).For(Access.Read)
            .WithMetadata(QueryReader.BatchParameters).Answers<BatchStatusAnswer>(200)
            .Says("getBatch", "How a batch is doing; with emails=true its messages too, page by page.", null, "not-found", "invalid-cursor",
                "invalid-field", "unknown-field");
        app.MapPost("/batches/{id}/cancel", CancelBatchAsync).For(Access.Manage)
            .Answers<BatchChangeAnswer>(200).Says("cancelBatch", "Cancels every open recipient of a batch.", null, "not-found");
        app.MapPost("/batches/{id}/retry-failed", RetryBatchAsync).For(Access.Manage)
            .Answers<BatchChangeAnswer>(200)
                .Says("retryBatch", "Sends everything of a batch that failed, expired, bounced or is held again.", null, "not-found");
        app.MapGet("/stats", async (HttpContext context, IMessageReader messages, CancellationToken ct) =>
            ApiJson.Answer(EmailShapes.Stats(await messages.CountAsync(context.Caller.Tenant, ct)))).For(Access.Read)
            .Answers<StatsAnswer>(200)
                .Says("stats", "Recipients by state: the open states as they are now, the others since the beginning.");
    }

    static async Task<Results<JsonHttpResult<EmailListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IMessageReader messages, EmailShapes shapes, CancellationToken ct)
    {
        if (QueryReader.Read(context.Request.Query, out var problem) is not { } filter)
            return new ProblemResult(problem!);
        var page = await messages.ListAsync(context.Caller.Tenant, filter, ct);
        return ApiJson.Answer(
            new EmailListAnswer(
                [.. page.Messages.Select(shapes.Short)], page.ContinueBefore is not null, page.ContinueBefore?.ToString()));
    }

    static readonly ProblemResult NoMessage = Missing("There is no message with this id, or it is another tenant's.");
    static readonly ProblemResult NoBatch = Missing("There is no batch with this id, or it is another tenant's.");

    static ProblemResult Missing(string detail) => new(ProblemCatalog.Make("not-found", detail));

    static async Task<Results<JsonHttpResult<EmailAnswer>, ProblemResult>> GetAsync(
        string id, HttpContext context, IMessageReader messages, EmailShapes shapes, CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var message) || await messages.GetAsync(tenant, message, ct) is not { } view)
            return NoMessage;
        var content = await messages.GetContentAsync(tenant, message, ct);
        return ApiJson.Answer(shapes.Whole(view, content?.WithBodies()));
    }

    static async Task<Results<JsonHttpResult<EmailRefAnswer>, ProblemResult>> RescheduleAsync(
        string id, HttpContext context, JsonBody bodies, MessageChanges changes, CancellationToken ct)
    {
        var body = await bodies.ReadAsync<string>(context, SendReader.SendAt);
        if (body.Value is null)
            return new ProblemResult(body.Problem!);
        if (!MessageId.TryParse(id, out var message))
            return NoMessage;
        return await changes.RescheduleAsync(context.Caller.Tenant, message, body.Value, ct) switch
        {
            { Problem: { } problem } => new ProblemResult(problem),
            { Done: null } => NoMessage,
            { Done: false } => TooLate,
            _ => ApiJson.Answer(new EmailRefAnswer(id, null)),
        };
    }

    static async Task<Results<JsonHttpResult<EmailRefAnswer>, ProblemResult>> CancelAsync(
        string id, HttpContext context, MessageChanges changes, CancellationToken ct) =>
        MessageId.TryParse(id, out var message) && await changes.CancelAsync(context.Caller.Tenant, message, ct) is { } result
            ? result.IsTooLate ? Ended : ApiJson.Answer(new EmailRefAnswer(id, result.Count, result.Count > 0 ? null : NothingOpen))
            : NoMessage;

    static async Task<Results<JsonHttpResult<EmailRefAnswer>, ProblemResult>> RetryAsync(
        string id, HttpContext context, MessageChanges changes, CancellationToken ct) =>
        MessageId.TryParse(id, out var message) && await changes.RetryAsync(context.Caller.Tenant, message, ct) is { } count
            ? ApiJson.Answer(new EmailRefAnswer(id, count, count > 0 ? null : NothingEnded))
            : NoMessage;

    static async Task<Results<JsonHttpResult<BatchStatusAnswer>, ProblemResult>> GetBatchAsync(
        string id, HttpContext context, IMessageReader messages, EmailShapes shapes, CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        if (ReadListing(context.Request.Query, out var problem) is not { } listing)
            return new ProblemResult(problem!);
        if (!MessageId.TryParse(id, out var batch) || await messages.GetBatchAsync(tenant, batch, ct) is not { } view)
            return NoBatch;
        var page = listing.Wanted ? await messages.ListAsync(tenant, listing.Filter with { Batch = batch }, ct) : null;
        return ApiJson.Answer(shapes.Batch(view, page));
    }

    static async Task<Results<JsonHttpResult<BatchChangeAnswer>, ProblemResult>> CancelBatchAsync(
        string id, HttpContext context, MessageChanges changes, CancellationToken ct) =>
        MessageId.TryParse(id, out var batch) && await changes.CancelBatchAsync(context.Caller.Tenant, batch, ct) is { } change
            ? ApiJson.Answer(new BatchChangeAnswer(id, change.Messages, change.Recipients, change.Recipients > 0 ? null : NothingOpen))
            : NoBatch;

    static async Task<Results<JsonHttpResult<BatchChangeAnswer>, ProblemResult>> RetryBatchAsync(
        string id, HttpContext context, MessageChanges changes, CancellationToken ct) =>
        MessageId.TryParse(id, out var batch) && await changes.RetryBatchAsync(context.Caller.Tenant, batch, ct) is { } change
            ? ApiJson.Answer(new BatchChangeAnswer(id, change.Messages, change.Recipients, change.Recipients > 0 ? null : NothingEnded))
            : NoBatch;

    /// <summary><c>emails=true</c> with the parameters of a page.</summary>
    static BatchListing? ReadListing(IQueryCollection query, out Problem? problem)
    {
        var rest = query.Where(p => p.Key is not "emails").ToDictionary(p => p.Key, p => p.Value);
        var wanted = query["emails"];
        if (wanted.Count > 0 && wanted != "true" && wanted != "false")
        {
            problem = ProblemCatalog.Make("invalid-field", "emails must be true or false.");
            return null;
        }
        return QueryReader.Read(new QueryCollection(rest), out problem) is { } filter ? new BatchListing(wanted == "true", filter) : null;
    }

    /// <summary>Whether the messages of a batch are asked for, and which.</summary>
    sealed record BatchListing(bool Wanted, MessageFilter Filter);
}
