using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Routing;

namespace Postrider.Api;

/// <summary><c>/transports/{name}/drill</c>: breaks a transport on purpose, inside Postrider only, on all nodes and for a bounded
/// time.</summary>
static class DrillEndpoints
{
    public static void MapDrills(this IEndpointRouteBuilder app)
    {
        app.MapGet("/transports/{name}/drill", Results<JsonHttpResult<DrillAnswer>, ProblemResult> (
                string name, HttpContext context, Router router, Drills drills, TimeProvider clock) =>
            router.Of(context.Caller.Tenant).FindTransport(name) is { } transport
                && drills.Of(transport.Key, clock.GetUtcNow()) is { } drill
                ? ApiJson.Answer(DrillAnswer.Of(name, drill)) : new ProblemResult(Absent)).For(Access.Read)
            .Answers<DrillAnswer>(200).Says("getDrill", "The drill that breaks this transport now.", null, "not-found");
        app.MapPost("/transports/{name}/drill", BeginAsync).For(Access.Admin)
            .Takes<DrillShape>().Answers<DrillAnswer>(200)
            .Says("beginDrill", "Breaks a transport on purpose: so many of its tries fail without reaching the provider, on all nodes within a "
                + "second. It ends by itself.", """{"fail":1,"for":"1m"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "not-found", "drill-running",
                "installation-only");
        app.MapDelete("/transports/{name}/drill", EndAsync).For(Access.Admin)
            .Says("endDrill", "Ends a drill before its time.", null, "not-found", "installation-only");
    }

    static Problem Absent => ProblemCatalog.Make("not-found", "No drill breaks a transport of this name.");

    static Problem Running(string name, Drill drill) => ProblemCatalog.Make("drill-running",
        $"A drill breaks {name} already, since {drill.Since:u} and until {drill.Until:u}. Wait for its end, or end it: "
        + $"DELETE /transports/{name}/drill, or postrider drill --transport {name} --end.");

    static async Task<Results<JsonHttpResult<DrillAnswer>, ProblemResult>> BeginAsync(
        string name, HttpContext context, JsonBody bodies, Router router, Drills drills, TimeProvider clock)
    {
        var body = await bodies.ReadAsync<DrillRequest>(context, Read);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        if (Find(name, context, router, out var problem) is not { } transport)
            return new ProblemResult(problem!);
        var now = DateTimeOffset.FromUnixTimeMilliseconds(clock.GetUtcNow().ToUnixTimeMilliseconds()); // as it is stored
        var drill = new Drill(transport.Key, request.Fail, now, now + request.For);
        return await drills.BeginAsync(drill, context.RequestAborted) is { } running
            ? new ProblemResult(Running(name, running)) : ApiJson.Answer(DrillAnswer.Of(name, drill));
    }

    static async Task<Results<NoContent, ProblemResult>> EndAsync(
        string name, HttpContext context, Router router, Drills drills, TimeProvider clock)
    {
        if (Find(name, context, router, out var problem) is not { } transport)
            return new ProblemResult(problem!);
        var isOn = drills.Of(transport.Key, clock.GetUtcNow()) is not null;
        await drills.EndAsync(transport.Key, context.RequestAborted);
        return isOn ? TypedResults.NoContent() : new ProblemResult(Absent);
    }

    /// <summary>One that the caller may break; else why not.</summary>
    static Transport? Find(string name, HttpContext context, Router router, out Problem? problem)
    {
        problem = RoutingChanges.MayNotUse(context.Caller, router, name);
        return problem is null ? router.Of(context.Caller.Tenant).FindTransport(name) : null;
    }

    static DrillRequest? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new DrillRequest(1, TimeSpan.Zero);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "fail": request = request with { Fail = Share(member.Value, faults) }; break;
                    case "for": request = request with { For = Span(faults.Text(member.Value, "/for")) }; break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        if (!faults.Any && (request.For < Drill.Shortest || request.For > Drill.Longest))
            faults.Invalid("/for", "Say for how long, from 1s to 1h, such as 10m.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    static double Share(JsonElement value, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var share) && share is > 0 and <= 1)
            return share;
        faults.Invalid("/fail", "Must be the share of tries that fail, above 0 and at most 1.");
        return 0;
    }

    static TimeSpan Span(string? text) => Durations.TryParse(text, out var span) ? span : TimeSpan.Zero;

    /// <summary>What <c>POST /transports/{name}/drill</c> asks for.</summary>
    sealed record DrillRequest(double Fail, TimeSpan For);
}

/// <summary>A drill as it is shown.</summary>
sealed record DrillAnswer(string Transport, double Fail, DateTimeOffset Since, DateTimeOffset Until)
{
    public static DrillAnswer Of(string name, Drill drill) => new(name, drill.Fail, drill.Since, drill.Until);
}
