using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Hosting;
using Postrider.Routing;

namespace Postrider.Api;

/// <summary>The calls that ask after the process itself, and the pages that explain problems.</summary>
static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder app)
    {
        // Alive: it answers. A process whose storage failed stops by itself.
        app.MapGet("/healthz", () => ApiJson.Answer(new HealthAnswer("ok", null))).For(Access.Open).TakingAnyParameters()
            .Answers<HealthAnswer>(200).Says("health", "Whether the process is alive.");
        app.MapGet("/readyz", Ready).For(Access.Open).TakingAnyParameters()
            .Answers<HealthAnswer>(200).Answers<HealthAnswer>(503)
                .Says("ready", "Whether the process should be given work: not while it stops, nor when its storage failed.");
        app.MapGet("/", () => ApiJson.Answer(new StartAnswer("Postrider", "/openapi/v1.json", "/readyz", "/problems")))
            .For(Access.Open).Answers<StartAnswer>(200).Says("start", "What answers here, and where to read on.");
        app.MapGet("/problems", () => ApiJson.Answer(Problems)).For(Access.Open)
            .Answers<ProblemListAnswer>(200).Says("listProblems", "Every kind of refusal.");
        app.MapGet("/problems/{slug}", Results<ContentHttpResult, ProblemResult> (string slug) =>
            ProblemCatalog.Find(slug) is { } kind
                ? TypedResults.Text(Describe(kind), "text/plain", Encoding.UTF8)
                : new ProblemResult(ProblemCatalog.Make("not-found", "There is no such problem; GET /problems lists all.")))
            .For(Access.Open).AnswersPlain(200, "text/plain", "The explanation.")
                .Says("explainProblem", "What a kind of refusal means and what to do about it, as plain text.", null, "not-found");
    }

    static readonly ProblemListAnswer Problems = new(
        [.. ProblemCatalog.All.Select(kind => new ProblemKindAnswer($"/problems/{kind.Slug}", kind.Status, kind.Title, kind.Explanation))]);

    // Without a transport mail is refused (no-transport), and transports are added by this same process: it is ready, and says so.
    static JsonHttpResult<HealthAnswer> Ready(Readiness readiness, Router router)
    {
        var reason = readiness.WhyNot;
        return ApiJson.Answer(
            new HealthAnswer(reason is null ? "ready" : "not ready", reason) { Notice = router.Transports.Count == 0 ? NoTransport : null },
            reason is null ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    const string NoTransport = "no-transport";

    static string Describe(ProblemKind kind) =>
        string.Create(CultureInfo.InvariantCulture, $"{kind.Title} ({kind.Slug}, HTTP {kind.Status})\n\n{kind.Explanation}\n");
}
