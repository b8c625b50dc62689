using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.DeadLetters;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary><c>/dead-letters</c>: what failed, expired or is held, by cause and one by one, and sending it again or letting it
/// be.</summary>
static class DeadLetterEndpoints
{
    static readonly string[] BodyRefusals = ["malformed-json", "unsupported-media-type", "unknown-field", "invalid-field"];

    public static readonly ParameterDoc[] FilterParameters =
    [
        new("status", "failed, expired or held."),
        new("reason", $"{string.Join(", ", DeadLetterReasons.All)}."),
        new("transport", "Where it was tried last."),
        new("transient", "true: what it died of may be over by now."),
        new("from", "On the list since this instant or later."),
        new("until", "On the list since before this instant."),
    ];

    static readonly DocumentedParameters GroupParameters = new(FilterParameters);
    static readonly DocumentedParameters PageParameters = new([.. ListQuery.Pages.All, .. FilterParameters]);

    static readonly DocumentedParameters JobParameters = new(
        [new("limit", "1 to 100. Default 20."), new("after", "The id of the last job of the page before.")]);

    public static void MapDeadLetters(this IEndpointRouteBuilder app)
    {
        app.MapGet("/dead-letters", ListAsync).For(Access.Read)
            .WithMetadata(PageParameters)
            .Answers<DeadLetterListAnswer>(200)
            .Says("listDeadLetters", "Recipients that failed, expired or are held, the newest mail first.", null,
                "invalid-field", "unknown-field", "invalid-cursor");
        app.MapGet("/dead-letters/groups", GroupsAsync).For(Access.Read).WithMetadata(GroupParameters)
            .Answers<DeadLetterGroupsAnswer>(200)
            .Says("groupDeadLetters", "How many died of what at which transport, the most first.", null, "invalid-field", "unknown-field");
        app.MapPost("/dead-letters/redrive", (HttpContext context, JsonBody bodies, DeadLetterOrders orders) =>
                OrderAsync(RedriveAction.Redrive, context, bodies, orders)).For(Access.Manage)
            .Takes<DeadLetterOrderShape>().Answers<DeadLetterJobAnswer>(202)
            .Says("redriveDeadLetters", "Sends letters again, so many in a second: a job that outlives a restart.",
                """{"filter":{"status":"failed","reason":"unreachable"},"per_second":50}""", BodyRefusals);
        app.MapPost("/dead-letters/discard", (HttpContext context, JsonBody bodies, DeadLetterOrders orders) =>
                OrderAsync(RedriveAction.Discard, context, bodies, orders)).For(Access.Manage)
            .Takes<DeadLetterOrderShape>().Answers<DeadLetterJobAnswer>(202)
            .Says("discardDeadLetters", "Takes letters off the list for good: what is held is cancelled, what failed or expired stays so.",
                """{"filter":{"reason":"refused"}}""", BodyRefusals);
        app.MapGet("/dead-letters/jobs", ListJobsAsync).For(Access.Read).WithMetadata(JobParameters)
            .Answers<DeadLetterJobListAnswer>(200).Says("listDeadLetterJobs", "The jobs, newest first.", null,
                "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/dead-letters/jobs/{job}", FindJobAsync).For(Access.Read)
            .Answers<DeadLetterJobAnswer>(200).Says("getDeadLetterJob", "How far a job is.", null, "not-found");
        app.MapPost("/dead-letters/jobs/{job}/cancel", CancelJobAsync).For(Access.Manage)
            .Answers<DeadLetterJobAnswer>(200)
            .Says("cancelDeadLetterJob", "Ends a job; what it has done stays done. One that has ended stays as it is.", null, "not-found");
    }

    static async Task<Results<JsonHttpResult<DeadLetterListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IDeadLetterStore letters)
    {
        var query = new ListQuery(context.Request.Query, PageParameters);
        var (filter, limit) = (DeadLetterReader.Query(query), query.Limit());
        var before = query.Cursor<RecipientId>("after", RecipientId.TryParse);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await letters.ListAsync(context.Caller.Tenant, filter, before, limit + 1, context.RequestAborted);
        var page = found.Take(limit).ToList();
        return ApiJson.Answer(new DeadLetterListAnswer(
            [.. page.Select(Answer)], found.Count > limit, found.Count > limit ? page[^1].Id.ToString() : null));
    }

    static async Task<Results<JsonHttpResult<DeadLetterGroupsAnswer>, ProblemResult>> GroupsAsync(
        HttpContext context, IDeadLetterStore letters)
    {
        var query = new ListQuery(context.Request.Query, GroupParameters);
        var filter = DeadLetterReader.Query(query);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var groups = await letters.GroupsAsync(context.Caller.Tenant, filter, context.RequestAborted);
        return ApiJson.Answer(new DeadLetterGroupsAnswer([.. groups.Select(group => new DeadLetterGroupAnswer(
            group.State, group.Reason, group.Code, group.EnhancedCode, group.Transport, group.IsTransient, group.Count, group.FirstAt,
            group.LastAt, group.LastAttemptAt))]));
    }

    static async Task<Results<JsonHttpResult<DeadLetterJobAnswer>, ProblemResult>> OrderAsync(
        RedriveAction action, HttpContext context, JsonBody bodies, DeadLetterOrders orders)
    {
        var body = await bodies.ReadAsync<DeadLetterOrder>(context, DeadLetterReader.Order);
        return body.Value is { } order
            ? ApiJson.Answer(Answer(await orders.PlaceAsync(context.Caller, action, order)), StatusCodes.Status202Accepted)
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<DeadLetterJobListAnswer>, ProblemResult>> ListJobsAsync(
        HttpContext context, IDeadLetterStore letters)
    {
        var query = new ListQuery(context.Request.Query, JobParameters);
        var (limit, after) = (query.Limit(), query.AfterNumber());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var jobs = await letters.ListJobsAsync(context.Caller.Tenant, after, limit + 1, context.RequestAborted);
        return ApiJson.Answer(new DeadLetterJobListAnswer([.. jobs.Take(limit).Select(Answer)], jobs.Count > limit));
    }

    static async Task<Results<JsonHttpResult<DeadLetterJobAnswer>, ProblemResult>> FindJobAsync(
        string job, HttpContext context, IDeadLetterStore letters) =>
        TryId(job, out var id) && await letters.FindJobAsync(context.Caller.Tenant, id, context.RequestAborted) is { } found
            ? ApiJson.Answer(Answer(found)) : ProblemResult.Absent;

    static async Task<Results<JsonHttpResult<DeadLetterJobAnswer>, ProblemResult>> CancelJobAsync(
        string job, HttpContext context, IDeadLetterStore letters, TimeProvider clock)
    {
        if (TryId(job, out var id))
            await letters.CancelJobAsync(context.Caller.Tenant, id, clock.GetUtcNow());
        return await FindJobAsync(job, context, letters);
    }

    static bool TryId(string text, out long id) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);

    static DeadLetterAnswer Answer(DeadLetter letter) => new()
    {
        Id = letter.Id.ToString(),
        EmailId = letter.Id.Message.ToString(),
        Email = letter.Address,
        From = letter.From,
        Subject = letter.Subject,
        Stream = letter.Stream,
        Route = letter.Route,
        Status = letter.State,
        Reason = letter.Reason,
        StatusCode = letter.Code,
        EnhancedCode = letter.EnhancedCode,
        Transport = letter.Transport,
        Transient = letter.IsTransient,
        Tries = letter.Tries,
        Redrives = letter.Redrives,
        FirstAt = letter.FirstAt,
        At = letter.At,
        LastAttemptAt = letter.LastAttemptAt,
    };

    static DeadLetterJobAnswer Answer(RedriveJob job) => new(
        job.Id.ToString(CultureInfo.InvariantCulture), job.Action, job.State, job.Done, job.PerSecond, job.CreatedBy, job.CreatedAt,
        job.EndedAt);
}

/// <summary>Answer to <c>GET /dead-letters</c>.</summary>
/// <param name="Next">For <c>after=</c>; null at the end.</param>
sealed record DeadLetterListAnswer(IReadOnlyList<DeadLetterAnswer> Data, bool HasMore, string? Next);

/// <summary>A recipient that failed, expired or is held. Its whole story is in <c>GET /emails/{email_id}</c>.</summary>
sealed record DeadLetterAnswer
{
    public required string Id { get; init; }
    public required string EmailId { get; init; }
    public required string Email { get; init; }
    public required string From { get; init; }
    public required string Subject { get; init; }
    public required MailStream Stream { get; init; }
    public required string Route { get; init; }
    public required RecipientState Status { get; init; }

    /// <summary>For failed letters how the last attempt went, for expired ones what they waited for, for held ones why.</summary>
    public required string Reason { get; init; }
    public required int? StatusCode { get; init; }
    public required string? EnhancedCode { get; init; }

    /// <summary>Where it was tried last; null before the first attempt.</summary>
    public required string? Transport { get; init; }

    /// <summary>What it died of may be over by now.</summary>
    public required bool Transient { get; init; }
    public required int Tries { get; init; }

    /// <summary>How often it was sent again.</summary>
    public required int Redrives { get; init; }

    /// <summary>When it first came on the list.</summary>
    public required DateTimeOffset FirstAt { get; init; }
    public required DateTimeOffset At { get; init; }
    public required DateTimeOffset? LastAttemptAt { get; init; }
}

/// <summary>Answer to <c>GET /dead-letters/groups</c>.</summary>
sealed record DeadLetterGroupsAnswer(IReadOnlyList<DeadLetterGroupAnswer> Data);

/// <summary>Letters that died of the same at the same transport.</summary>
sealed record DeadLetterGroupAnswer(
    RecipientState Status, string Reason, int? StatusCode, string? EnhancedCode, string? Transport, bool Transient, long Count,
    DateTimeOffset FirstAt, DateTimeOffset LastAt, DateTimeOffset? LastAttemptAt);

/// <summary>Answer to <c>GET /dead-letters/jobs</c>.</summary>
sealed record DeadLetterJobListAnswer(IReadOnlyList<DeadLetterJobAnswer> Data, bool HasMore);

/// <summary>A job on dead letters.</summary>
/// <param name="Count">Letters sent again or discarded so far.</param>
/// <param name="CreatedBy">The id of a key, or <c>policy</c>.</param>
sealed record DeadLetterJobAnswer(
    string Id, RedriveAction Action, RedriveState Status, long Count, int PerSecond, string CreatedBy, DateTimeOffset CreatedAt,
    DateTimeOffset? EndedAt);
