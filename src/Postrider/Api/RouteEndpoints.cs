using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Routing;
using Postrider.Tenants;
using Postrider.Transports;
using Route = Postrider.Routing.Route;

namespace Postrider.Api;

/// <summary><c>/routes</c>: by which transports mail goes, and which mail by which.</summary>
static class RouteEndpoints
{
    static readonly string[] BodyRefusals =
        ["malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "installation-only"];

    static readonly DocumentedParameters RemoveParameters = new(
        [new("waiting", "default: what waits on it goes by the default route. Left out: refused while anything waits.")]);

    public static void MapRoutes(this IEndpointRouteBuilder app)
    {
        app.MapGet("/routes", (HttpContext context, Router router, TransportBook book) => ApiJson.Answer(new RouteListAnswer(
            List(context.Caller, router, book)))).For(Access.Read)
            .Answers<RouteListAnswer>(200).Says("listRoutes", "The routes that your mail may go by, each with its transports in order.");
        app.MapGet("/routes/{name}", Results<JsonHttpResult<RouteAnswer>, ProblemResult> (
            string name, HttpContext context, Router router, TransportBook book) =>
                Find(context.Caller, name, router, book)).For(Access.Read)
            .Answers<RouteAnswer>(200).Says("getRoute", "One route.", null, "not-found");
        app.MapPost("/routes", AddAsync).For(Access.Manage)
            .Takes<NewRouteShape>().Answers<RouteAnswer>(201)
            .Says("addRoute", "A route of your own over the transports that you may use. Named default, it is what your mail goes by "
                + "where neither the message nor a rule says otherwise.",
                """{"name":"news","transports":["own-relay"],"strategy":"priority","rules":[{"stream":"bulk"}]}""",
                [.. BodyRefusals, "route-exists", "too-many"]);
        app.MapPatch("/routes/{name}", ChangeAsync).For(Access.Manage)
            .Takes<RouteShape>().Answers<RouteAnswer>(200)
            .Says("changeRoute", "What is left out stays. Mail that waits goes by it as it is from then on.",
                """{"strategy":"round_robin"}""", [.. BodyRefusals, "not-found", "read-only", "changed-meanwhile"]);
        app.MapDelete("/routes/{name}", RemoveAsync).For(Access.Manage)
            .WithMetadata(RemoveParameters)
            .Says("removeRoute", "Removes a route on which nothing waits.", null, "not-found", "read-only", "route-in-use", "unknown-field",
                "invalid-field", "installation-only");
    }

    /// <summary>The routes that a caller's mail may go by.</summary>
    public static IReadOnlyList<RouteAnswer> List(Principal caller, Router router, TransportBook book) =>
        [.. router.Of(caller.Tenant).Routes.Select(route => Answer(caller, route, book))];

    static async Task<Results<JsonHttpResult<RouteAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, RoutingChanges changes, TransportBook book, Router router)
    {
        var body = await bodies.ReadAsync<RouteRequest>(context, TransportReader.ReadNewRoute);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var problem = await changes.AddRouteAsync(context.Caller, request);
        return problem is null
            ? Find(context.Caller, request.Name!, router, book, StatusCodes.Status201Created) : new ProblemResult(problem);
    }

    static async Task<Results<JsonHttpResult<RouteAnswer>, ProblemResult>> ChangeAsync(
        string name, HttpContext context, JsonBody bodies, RoutingChanges changes, TransportBook book, Router router)
    {
        var body = await bodies.ReadAsync<RouteRequest>(context, TransportReader.ReadRouteChange);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var problem = await changes.ChangeRouteAsync(context.Caller, name, request);
        return problem is null ? Find(context.Caller, name, router, book) : new ProblemResult(problem);
    }

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(string name, HttpContext context, RoutingChanges changes)
    {
        var waiting = context.Request.Query["waiting"];
        if (waiting is not ([] or ["default"]))
            return new ProblemResult(ProblemCatalog.Make("invalid-field", "waiting is default, or left out."));
        var problem = await changes.RemoveRouteAsync(context.Caller, name, waiting.Count > 0, context.RequestAborted);
        return problem is null ? TypedResults.NoContent() : new ProblemResult(problem);
    }

    static Results<JsonHttpResult<RouteAnswer>, ProblemResult> Find(
        Principal caller, string name, Router router, TransportBook book, int status = StatusCodes.Status200OK) =>
        router.Of(caller.Tenant).Find(name) is { } route
            ? ApiJson.Answer(Answer(caller, route, book), status) : new ProblemResult(TransportProblems.AbsentRoute);

    static RouteAnswer Answer(Principal caller, Route route, TransportBook book)
    {
        var own = book.FindRoute(caller.Tenant, route.Name);
        var terms = (own ?? book.FindRoute(null, route.Name))?.Terms;
        return new RouteAnswer(route.Name, route.Settings.Strategy, [.. route.Transports.Select(t => t.Name)], own is null,
            terms is null ? "configuration" : "database", terms?.Position ?? 0,
            [.. (terms?.Rules ?? []).Select(r => new RouteRuleAnswer(r.Stream, r.Tag, r.SenderDomain, r.RecipientDomain))],
            terms?.Retry, terms?.Spill, terms?.OnAmbiguous);
    }
}
