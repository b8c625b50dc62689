using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;

namespace Postrider.Api;

/// <summary><c>/transports</c>: those of the caller's tenant, and those of the installation that it may use.</summary>
static class TransportEndpoints
{
    static readonly string[] BodyRefusals = ["malformed-json", "unsupported-media-type", "unknown-field", "invalid-field"];

    public static void MapTransports(this IEndpointRouteBuilder app)
    {
        app.MapGet("/transports", async (HttpContext context, Router router, TransportShapes shapes, CancellationToken ct) =>
            ApiJson.Answer(new TransportListAnswer(
                await shapes.OfAsync(context.Caller, router.Of(context.Caller.Tenant).Transports, ct)))).For(Access.Read)
            .Answers<TransportListAnswer>(200)
            .Says("listTransports", "The transports that your mail may go by, and how each is doing, on all nodes together and on each.");
        app.MapGet("/transports/{name}", async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> (
                string name, HttpContext context, Router router, TransportShapes shapes, CancellationToken ct) =>
            router.Of(context.Caller.Tenant).FindTransport(name) is { } found
                ? ApiJson.Answer((await shapes.OfAsync(context.Caller, [found], ct))[0])
                : new ProblemResult(TransportProblems.AbsentTransport)).For(Access.Read)
            .Answers<TransportAnswer>(200).Says("getTransport", "How one transport is doing.", null, "not-found");
        app.MapPost("/transports", AddAsync).For(Access.Manage)
            .Takes<NewTransportShape>().Answers<TransportAnswer>(201)
            .Says("addTransport", "A transport of your own, in force on all nodes within a second. Unless you have a route default, mail "
                + "without a route goes by transports of your own alone from the first one on; note says what has changed. What is "
                + "secret in its DSN is never shown again. shared makes it the installation's, which takes an administrator of the first "
                + "tenant.",
                """{"name":"own-relay","dsn":"smtp://user:password@smtp.example.com:587?rate=10/s"}""",
                [.. BodyRefusals, "transport-exists", "too-many", "installation-only"]);
        app.MapPatch("/transports/{name}", ChangeAsync).For(Access.Manage)
            .Takes<TransportChangeShape>().Answers<TransportAnswer>(200)
            .Says("changeTransport", "Another DSN, or other options of it. What is under way goes on as it began.",
                """{"options":{"rate":"20/s","concurrency":null}}""",
                [.. BodyRefusals, "not-found", "read-only", "changed-meanwhile", "installation-only"]);
        app.MapDelete("/transports/{name}", RemoveAsync).For(Access.Manage)
            .Says("removeTransport", "Removes it from all nodes within a second, when no route names it. What is under way goes on.", null,
                "not-found", "read-only", "transport-in-use", "installation-only");
        app.MapPost("/transports/{name}/pause", (string name, HttpContext context, RoutingChanges changes, Router router,
                TransportShapes shapes) => PauseAsync(name, context, changes, router, shapes, isPaused: true)).For(Access.Manage)
            .Answers<TransportAnswer>(200)
            .Says("pauseTransport", "Starts no more attempts at it; its mail waits or takes another transport of the route.", null,
                "not-found", "installation-only");
        app.MapPost("/transports/{name}/resume", (string name, HttpContext context, RoutingChanges changes, Router router,
                TransportShapes shapes) => PauseAsync(name, context, changes, router, shapes, isPaused: false)).For(Access.Manage)
            .Answers<TransportAnswer>(200).Says("resumeTransport", "Ends its pause.", null, "not-found", "installation-only");
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, RoutingChanges changes, Router router, TransportShapes shapes)
    {
        var body = await bodies.ReadAsync<TransportRequest>(context, TransportReader.ReadNew);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var added = await changes.AddTransportAsync(context.Caller, request);
        return added.Problem is null
            ? await AnswerAsync(context.Caller, request.Name!, router, shapes, StatusCodes.Status201Created, added.Note)
            : new ProblemResult(added.Problem);
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> ChangeAsync(
        string name, HttpContext context, JsonBody bodies, RoutingChanges changes, Router router, TransportShapes shapes)
    {
        var body = await bodies.ReadAsync<TransportRequest>(context, TransportReader.ReadChange);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var problem = await changes.ChangeTransportAsync(context.Caller, name, request);
        return problem is null ? await AnswerAsync(context.Caller, name, router, shapes) : new ProblemResult(problem);
    }

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(string name, HttpContext context, RoutingChanges changes) =>
        await changes.RemoveTransportAsync(context.Caller, name) is { } problem ? new ProblemResult(problem) : TypedResults.NoContent();

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> PauseAsync(
        string name, HttpContext context, RoutingChanges changes, Router router, TransportShapes shapes, bool isPaused) =>
        await changes.PauseTransportAsync(context.Caller, name, isPaused) is { } problem
            ? new ProblemResult(problem) : await AnswerAsync(context.Caller, name, router, shapes);

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> AnswerAsync(
        Principal caller, string name, Router router, TransportShapes shapes, int status = StatusCodes.Status200OK, string? note = null) =>
        router.Of(caller.Tenant).FindTransport(name) is { } transport
            ? ApiJson.Answer((await shapes.OfAsync(caller, [transport], CancellationToken.None))[0] with { Note = note }, status)
            : new ProblemResult(TransportProblems.AbsentTransport); // removed this very moment
}
