using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;
using Route = Postrider.Routing.Route;

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
        app.MapPost("/transports/{name}/pause", (string name, HttpContext context, Router router, TransportShapes shapes) =>
            PauseAsync(name, context, router, shapes, static t => t.Pause())).For(Access.Manage)
            .Answers<TransportAnswer>(200)
            .Says("pauseTransport", "Starts no more attempts at it; its mail waits or takes another transport of the route.", null,
                "not-found", "installation-only");
        app.MapPost("/transports/{name}/resume", (string name, HttpContext context, Router router, TransportShapes shapes) =>
            PauseAsync(name, context, router, shapes, static t => t.Resume())).For(Access.Manage)
            .Answers<TransportAnswer>(200).Says("resumeTransport", "Ends its pause.", null, "not-found", "installation-only");
    }

    /// <summary>Why the caller may not change what is everybody's; null: it may.</summary>
    public static Problem? MayNotRun(Principal caller) =>
        caller.Tenant == TenantId.First && caller.May(Scopes.Admin) ? null : TenantProblems.InstallationOnly;

    /// <summary>Whose transport a caller means by a name, where it may change it; else the refusal.</summary>
    public static Problem? MayNotChange(Principal caller, Router router, string name, out TenantId? owner)
    {
        owner = null;
        if (router.Of(caller.Tenant).FindTransport(name) is not { } transport)
            return TransportProblems.AbsentTransport;
        owner = transport.Options.Owner;
        return owner is null ? MayNotRun(caller) : null;
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, TransportBook book, Router router, TransportShapes shapes)
    {
        var body = await bodies.ReadAsync<TransportRequest>(context, TransportReader.ReadNew);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var caller = context.Caller;
        if (request.IsShared && MayNotRun(caller) is { } denied)
            return new ProblemResult(denied);
        var before = router.Of(caller.Tenant).Default;
        var problem = await book.AddAsync(request.IsShared ? null : caller.Tenant, caller.Tenant, request.Name!, request.Dsn!);
        return problem is null
            ? await AnswerAsync(caller, request.Name!, router, shapes, StatusCodes.Status201Created,
                WhatChanged(before, router.Of(caller.Tenant).Default, request))
            : new ProblemResult(problem);
    }

    /// <summary>Whoever adds a transport learns at once where mail goes from now on: the first of a tenant's own takes all of it from the
    /// installation's.</summary>
    static string WhatChanged(Route? before, Route? now, TransportRequest added)
    {
        var (was, isNow) = (Words(before), Words(now));
        if (was == isNow)
            return $"Mail that names no route goes as before: {isNow}. Name {added.Name} in a route to use it.";
        var left = before?.Transports.Except(now?.Transports ?? []).Select(transport => transport.Name).ToList() ?? [];
        return $"Mail that names no route, and that no rule of yours leads elsewhere, now goes: {isNow} (until now: {was})."
            + (left.Count == 0 ? "" : $" It no longer goes by {string.Join(", ", left)}; to keep that, make a route named default that "
                + "names the transports in your order.");

        static string Words(Route? route) => route is null ? "nowhere"
            : string.Join(route.Settings.Strategy == RouteStrategy.Priority ? " → " : " or ", route.Transports.Select(t => t.Name));
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> ChangeAsync(
        string name, HttpContext context, JsonBody bodies, TransportBook book, Router router, TransportShapes shapes)
    {
        var body = await bodies.ReadAsync<TransportRequest>(context, TransportReader.ReadChange);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        if (Refuse(context.Caller, router, book, name, out var owner) is { } denied)
            return new ProblemResult(denied);
        var problem = await book.ChangeAsync(owner, name, request.Dsn, request.Options);
        return problem is null ? await AnswerAsync(context.Caller, name, router, shapes) : new ProblemResult(problem);
    }

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(
        string name, HttpContext context, TransportBook book, Router router)
    {
        var problem = Refuse(context.Caller, router, book, name, out var owner) ?? await book.RemoveAsync(owner, name);
        return problem is null ? TypedResults.NoContent() : new ProblemResult(problem);
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> PauseAsync(
        string name, HttpContext context, Router router, TransportShapes shapes, Action<Transport> change)
    {
        if (MayNotChange(context.Caller, router, name, out _) is { } problem)
            return new ProblemResult(problem);
        if (router.Of(context.Caller.Tenant).FindTransport(name) is { } transport)
            change(transport);
        return await AnswerAsync(context.Caller, name, router, shapes);
    }

    /// <summary>One that is stored and cannot be used on this node is not among the routes', and can be changed all the same.</summary>
    static Problem? Refuse(Principal caller, Router router, TransportBook book, string name, out TenantId? owner)
    {
        owner = caller.Tenant;
        if (book.HasTransport(owner, name))
            return null;
        owner = null;
        if (book.HasTransport(null, name) && MayNotRun(caller) is null)
            return null;
        return MayNotChange(caller, router, name, out _) ?? TransportProblems.ReadOnly("transport", name);
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> AnswerAsync(
        Principal caller, string name, Router router, TransportShapes shapes, int status = StatusCodes.Status200OK, string? note = null) =>
        router.Of(caller.Tenant).FindTransport(name) is { } transport
            ? ApiJson.Answer((await shapes.OfAsync(caller, [transport], CancellationToken.None))[0] with { Note = note }, status)
            : new ProblemResult(TransportProblems.AbsentTransport); // removed this very moment
}
