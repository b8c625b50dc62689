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
    const string NothingEnded =
        "No recipient failed, expired, bounced or is held and was not discarded, or retention has removed the body, "
        + "so nothing is sent again.";

    static readonly DocumentedParameters RetryParameters = new([new("discarded", "true: what was discarded, too.")]);

    public static void MapEmails(this IEndpointRouteBuilder app)
    {
        app.MapGet("/emails", ListAsync).For(Access.Read)
            .WithMetadata(EmailQuery.Parameters).Answers<EmailListAnswer>(200)
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
            .WithMetadata(RetryParameters)
            .Answers<EmailRefAnswer>(200)
            .Says("retryEmail", "Sends what failed, expired, bounced or is held again; what was discarded only if asked for.", null,
                "not-found", "invalid-field", "unknown-field");
        app.MapGet("/stats", async (HttpContext context, IMessageReader messages, CancellationToken ct) =>
            ApiJson.Answer(EmailShapes.Stats(await messages.CountAsync(context.Caller.Tenant, ct)))).For(Access.Read)
            .Answers<StatsAnswer>(200)
                .Says("stats", "Recipients by state: the open states as they are now, the others since the beginning.");
    }

    static async Task<Results<JsonHttpResult<EmailListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IMessageReader messages, EmailShapes shapes, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, EmailQuery.Parameters);
        var filter = EmailQuery.Read(query);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var page = await messages.ListAsync(context.Caller.Tenant, filter, ct);
        return ApiJson.Answer(
            new EmailListAnswer(
                [.. page.Messages.Select(shapes.Short)], page.ContinueBefore is not null, page.ContinueBefore?.ToString()));
    }

    static readonly ProblemResult NoMessage = Missing("There is no message with this id, or it is another tenant's.");

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
        string id, HttpContext context, MessageChanges changes, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, RetryParameters);
        var discarded = query.Flag("discarded");
        if (query.Problem is { } unclear)
            return new ProblemResult(unclear);
        return MessageId.TryParse(id, out var message)
            && await changes.RetryAsync(context.Caller.Tenant, message, bounced: true, discarded, ct) is { } count
            ? ApiJson.Answer(new EmailRefAnswer(id, count, count > 0 ? null : NothingEnded))
            : NoMessage;
    }
}
