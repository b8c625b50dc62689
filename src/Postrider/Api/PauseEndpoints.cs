using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary><c>/pause</c>: stops the delivery of a tenant's mail, or of one stream or route of it. Mail goes on being accepted.</summary>
static class PauseEndpoints
{
    const int MaxReasonLength = 500;

    static readonly DocumentedParameters ResumeParameters = new(
        [new("stream", "transactional or bulk: the pause of this stream."), new("route", "The pause of this route.")]);

    public static void MapPauses(this IEndpointRouteBuilder app)
    {
        app.MapGet("/pause", (HttpContext context, Router router) => ApiJson.Answer(List(context.Caller.Tenant, router))).For(Access.Read)
            .Answers<PauseListAnswer>(200).Says("listPauses", "What of your mail is paused.");
        app.MapPost("/pause", PauseAsync).For(Access.Manage)
            .Takes<PauseShape>().Answers<PauseListAnswer>(200)
            .Says("pause", "Stops the delivery of your mail, or of a stream or route of it; mail goes on being accepted.",
                """{"stream":"bulk","reason":"wrong template"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "no-transport");
        app.MapDelete("/pause", ResumeAsync).For(Access.Manage).WithMetadata(ResumeParameters).Answers<PauseListAnswer>(200)
            .Says("resume", "Ends exactly the pause of this stream and route; without either, that of everything.", null, "not-found",
                "invalid-field");
    }

    static async Task<Results<JsonHttpResult<PauseListAnswer>, ProblemResult>> PauseAsync(
        HttpContext context, JsonBody bodies, Router router, TimeProvider clock)
    {
        // Without a body: everything.
        var body = await bodies.ReadOptionalAsync(context, Read, new PauseRequest(null, null, null));
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        if (request.Fault(router.Of(context.Caller.Tenant)) is { } absent)
            return new ProblemResult(absent);
        await router.Pauses.AddAsync(request.Of(context.Caller.Tenant, clock.GetUtcNow()), context.RequestAborted);
        return ApiJson.Answer(List(context.Caller.Tenant, router));
    }

    /// <summary>Ends exactly the pause of this stream and route; without either, that of everything.</summary>
    static async Task<Results<JsonHttpResult<PauseListAnswer>, ProblemResult>> ResumeAsync(HttpContext context, Router router)
    {
        var query = new ListQuery(context.Request.Query, ResumeParameters);
        var (stream, route) = (query.Text("stream") is { } text ? Stream(text, "", query.Faults) : null, query.Text("route"));
        if (query.Problem is { } unclear)
            return new ProblemResult(unclear);
        return await router.Pauses.RemoveAsync(new PauseScope(context.Caller.Tenant, stream, route), context.RequestAborted)
            ? ApiJson.Answer(List(context.Caller.Tenant, router))
            : new ProblemResult(NotPaused);
    }

    public static Problem NotPaused => ProblemCatalog.Make("not-found", "Nothing of exactly this stream and route is paused.");

    public static PauseListAnswer List(TenantId tenant, Router router) => new(
        [.. router.Pauses.All.Where(p => p.Scope.Tenant == tenant).Select(
            p => new PauseAnswer(p.Scope.Stream, p.Scope.Route, p.Since, p.Reason))]);

    public static PauseRequest? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new PauseRequest(null, null, null);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "stream":
                        var text = faults.Text(member.Value, "/stream");
                        request = request with { Stream = Stream(text, "/stream", faults) };
                        break;
                    case "route": request = request with { Route = faults.Text(member.Value, "/route") }; break;
                    case "reason": request = request with { Reason = faults.Text(member.Value, "/reason") }; break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (request.Reason?.Length > MaxReasonLength)
            faults.Invalid("/reason", $"Must have at most {MaxReasonLength} characters.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static MailStream? Stream(string? text, string pointer, ShapeFaults faults)
    {
        switch (text)
        {
            case null: return null;
            case "transactional": return MailStream.Transactional;
            case "bulk": return MailStream.Bulk;
            default:
                faults.Invalid(pointer, "stream must be transactional or bulk.");
                return null;
        }
    }
}

/// <summary>What <c>POST /pause</c> asks for.</summary>
sealed record PauseRequest(MailStream? Stream, string? Route, string? Reason)
{
    /// <summary>Nothing would go by a route that is not there, so its pause would hold up nothing.</summary>
    public Problem? Fault(RouteTable table) =>
        Route is null || table.Find(Route) is not null ? null : SubmissionProblems.NoRoute(Route, table);

    public Pause Of(TenantId tenant, DateTimeOffset now) => new(new PauseScope(tenant, Stream, Route), now, Reason);
}
