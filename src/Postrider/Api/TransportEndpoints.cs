using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Routing;

namespace Postrider.Api;

/// <summary>The calls about transports and routes: how they are doing, and stopping one.</summary>
static class TransportEndpoints
{
    static readonly ProblemResult Absent = new(ProblemCatalog.Make("not-found", "There is no such transport."));

    public static void MapTransports(this IEndpointRouteBuilder app)
    {
        // Transports serve every tenant, and what they last said may name anybody's address.
        app.MapGet("/transports", async (Router router, TransportShapes shapes, CancellationToken ct) =>
            ApiJson.Answer(new TransportListAnswer(await shapes.OfAsync(router.Table.Transports, ct))))
            .For(Access.Installation)
            .Answers<TransportListAnswer>(200).Says("listTransports", "How every transport is doing; counts and errors are of this node.");
        app.MapGet("/transports/{name}", (
            string name, Router router, TransportShapes shapes, CancellationToken ct) =>
            ChangeAsync(router, shapes, name, static _ => { }, ct)).For(Access.Installation)
            .Answers<TransportAnswer>(200).Says("getTransport", "How one transport is doing.", null, "not-found");
        app.MapPost("/transports/{name}/pause", (
            string name, Router router, TransportShapes shapes, CancellationToken ct) =>
            ChangeAsync(router, shapes, name, static t => t.Pause(), ct)).For(Access.Installation)
            .Answers<TransportAnswer>(200)
                .Says("pauseTransport", "Starts no more attempts at it; its mail waits or takes another transport of the route.", null,
                    "not-found");
        app.MapPost("/transports/{name}/resume", (
            string name, Router router, TransportShapes shapes, CancellationToken ct) =>
            ChangeAsync(router, shapes, name, static t => t.Resume(), ct)).For(Access.Installation)
            .Answers<TransportAnswer>(200).Says("resumeTransport", "Ends its pause.", null, "not-found");
        app.MapGet("/routes", (Router router) =>
            ApiJson.Answer(
                new RouteListAnswer(
                    [.. router.Table.Routes.Select(
                        r => new RouteAnswer(r.Name, r.Settings.Strategy, [.. r.Transports.Select(t => t.Name)]))])))
            .For(Access.Read).Answers<RouteListAnswer>(200).Says("listRoutes", "The routes, each with its transports in order.");
    }

    static async Task<Results<JsonHttpResult<TransportAnswer>, ProblemResult>> ChangeAsync(
        Router router, TransportShapes shapes, string name, Action<Transport> change, CancellationToken ct)
    {
        if (router.Table.FindTransport(name) is not { } transport)
            return Absent;
        change(transport);
        return ApiJson.Answer((await shapes.OfAsync([transport], ct))[0]);
    }
}
