using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Api.Callbacks;
using Postrider.Routing;

namespace Postrider.Api;

/// <summary>The calls about transports and routes: how they are doing, and stopping one.</summary>
static class TransportEndpoints
{
    static readonly ProblemResult Absent = new(ProblemCatalog.Make("not-found", "There is no such transport."));

    public static void MapTransports(this IEndpointRouteBuilder app)
    {
        // Transports serve every tenant, and what they last said may name anybody's address.
        app.MapGet("/transports", (Router router, CallbackAddresses callbacks) =>
            ApiJson.Answer(new TransportListAnswer([.. router.Table.Transports.Select(transport => Shape(transport, callbacks))])))
            .For(Access.Installation)
            .Answers<TransportListAnswer>(200).Says("listTransports", "How every transport is doing on this node.");
        app.MapGet("/transports/{name}", Results<JsonHttpResult<TransportAnswer>, ProblemResult> (
            string name, Router router, CallbackAddresses callbacks) =>
            Change(router, callbacks, name, static _ => { })).For(Access.Installation)
            .Answers<TransportAnswer>(200).Says("getTransport", "How one transport is doing.", null, "not-found");
        app.MapPost("/transports/{name}/pause", Results<JsonHttpResult<TransportAnswer>, ProblemResult> (
            string name, Router router, CallbackAddresses callbacks) =>
            Change(router, callbacks, name, static t => t.Pause())).For(Access.Installation)
            .Answers<TransportAnswer>(200)
                .Says("pauseTransport", "Starts no more attempts at it; its mail waits or takes another transport of the route.", null,
                    "not-found");
        app.MapPost("/transports/{name}/resume", Results<JsonHttpResult<TransportAnswer>, ProblemResult> (
            string name, Router router, CallbackAddresses callbacks) =>
            Change(router, callbacks, name, static t => t.Resume())).For(Access.Installation)
            .Answers<TransportAnswer>(200).Says("resumeTransport", "Ends its pause.", null, "not-found");
        app.MapGet("/routes", (Router router) =>
            ApiJson.Answer(
                new RouteListAnswer(
                    [.. router.Table.Routes.Select(
                        r => new RouteAnswer(r.Name, r.Settings.Strategy, [.. r.Transports.Select(t => t.Name)]))])))
            .For(Access.Read).Answers<RouteListAnswer>(200).Says("listRoutes", "The routes, each with its transports in order.");
    }

    static Results<JsonHttpResult<TransportAnswer>, ProblemResult> Change(
        Router router, CallbackAddresses callbacks, string name, Action<Transport> change)
    {
        if (router.Table.FindTransport(name) is not { } transport)
            return Absent;
        change(transport);
        return ApiJson.Answer(Shape(transport, callbacks));
    }

    static TransportAnswer Shape(Transport transport, CallbackAddresses callbacks)
    {
        var status = transport.GetStatus();
        return new TransportAnswer
        {
            Name = status.Name,
            Scheme = status.Scheme,
            State = State(status),
            Paused = status.Paused,
            Stalled = status.Stalled,
            Circuit = status.Circuit,
            CircuitOpenUntil = status.CircuitOpenUntil,
            ThrottledUntil = status.ThrottledUntil,
            InFlight = status.InFlight,
            Concurrency = status.Concurrency,
            Rate = status.Rate is { } rate ? new RateAnswer(rate.Count, rate.Per.TotalSeconds, rate.Burst) : null,
            Tries = status.Tries,
            Outcomes = status.Outcomes.ToDictionary(o => ApiJson.Word(o.Key), o => o.Value),
            LastErrors = [.. status.LastErrors.Select(
                e => new TransportErrorAnswer(e.At, e.Kind, e.Reply.Code == 0 ? null : e.Reply.Code, e.Reply.Enhanced, e.Reply.Text))],
            RefusedSenderDomains = status.RefusedSenderDomains,
            CallbackUrl = callbacks.UrlOf(status.Name),
        };
    }

    static string State(TransportStatus status) => status switch
    {
        { Paused: true } => "paused",
        { Stalled: true } => "stalled",
        { Circuit: CircuitPosition.Open } => "open",
        { Circuit: CircuitPosition.HalfOpen } => "half_open",
        { ThrottledUntil: not null } => "throttled",
        _ => "ok",
    };
}
