using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Retention;

namespace Postrider.Api;

/// <summary><c>/erasures</c>: orders to forget a person.</summary>
static class ErasureEndpoints
{
    static readonly AddressRules Rules = new() { AllowIpLiteral = true, AllowSingleLabelDomain = true };

    public static void MapErasures(this IEndpointRouteBuilder app)
    {
        app.MapPost("/erasures", AddAsync).For(Access.Admin)
            .Takes<ErasureShape>().Answers<ErasureAnswer>(202)
            .Says("eraseAddress",
                "Forgets a person, known by an address, in all that is stored of your mail. Mail to that address alone is cancelled. It cannot "
                + "be undone; the address stays suppressed where it was.",
                """{"email":"ann@example.com"}""", "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field",
                "too-many-erasures");
        app.MapGet("/erasures", ListAsync).For(Access.Admin)
            .WithMetadata(ListQuery.Pages)
            .Answers<ErasureListAnswer>(200).Says("listErasures", "Orders to forget people, newest first.", null,
                "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/erasures/{erasure}", FindAsync).For(Access.Admin)
            .Answers<ErasureAnswer>(200).Says("getErasure", "How far an erasure has come.", null, "not-found");
    }

    static async Task<Results<JsonHttpResult<ErasureAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, IErasureStore erasures, Eraser eraser, TimeProvider clock)
    {
        var body = await bodies.ReadAsync<string>(context, Read);
        if (body.Value is not { } address)
            return new ProblemResult(body.Problem!);
        if (await erasures.AddAsync(context.Caller.Tenant, address, context.Caller.KeyId, clock.GetUtcNow()) is not { } erasure)
            return new ProblemResult(ProblemCatalog.Make("too-many-erasures",
                $"{IErasureStore.MostRunning:N0} erasures are running, the most there may be. "
                + "GET /erasures shows them; try again when some are done.")
                with
            { RetryAfter = TimeSpan.FromMinutes(1) });
        eraser.Wake();
        return ApiJson.Answer(Answer(erasure), StatusCodes.Status202Accepted);
    }

    static string? Read(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? email = null;
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                if (member.Name == "email")
                    email = member.Value.ValueKind == JsonValueKind.String ? member.Value.GetString() : "";
                else
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        string? normal = null;
        if (EmailAddress.TryParse(email ?? "", Rules, out var address, out _))
            normal = address.ToAscii().ToLowerInvariant();
        else if (!faults.Any)
            faults.Invalid("/email", "must be the one address of the person, such as ann@example.com.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? normal : null;
    }

    static async Task<Results<JsonHttpResult<ErasureListAnswer>, ProblemResult>> ListAsync(HttpContext context, IErasureStore erasures)
    {
        var query = new ListQuery(context.Request.Query, ListQuery.Pages);
        var (limit, after) = (query.Limit(), query.AfterNumber());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await erasures.ListAsync(context.Caller.Tenant, after, limit + 1, context.RequestAborted);
        return ApiJson.Answer(new ErasureListAnswer([.. found.Take(limit).Select(Answer)], found.Count > limit));
    }

    static async Task<Results<JsonHttpResult<ErasureAnswer>, ProblemResult>> FindAsync(
        string erasure, HttpContext context, IErasureStore erasures) =>
        long.TryParse(erasure, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            && await erasures.FindAsync(context.Caller.Tenant, id, context.RequestAborted) is { } found
            ? ApiJson.Answer(Answer(found)) : ProblemResult.Absent;

    static ErasureAnswer Answer(Erasure erasure) => new(
        erasure.Id.ToString(CultureInfo.InvariantCulture), erasure.State, erasure.Pseudonym, erasure.Messages, erasure.Rows,
        erasure.Waiting,
        erasure.CreatedAt, erasure.EndedAt);
}

/// <summary>Body of <c>POST /erasures</c>.</summary>
sealed record ErasureShape(string Email);

/// <summary>Answer to <c>GET /erasures</c>.</summary>
sealed record ErasureListAnswer(IReadOnlyList<ErasureAnswer> Data, bool HasMore);

/// <summary>An erasure. The address is not told: it is what is being forgotten.</summary>
/// <param name="Pseudonym">What stands in place of the address from now on.</param>
/// <param name="Messages">That lost the address and their body.</param>
/// <param name="OtherRows">That were changed or deleted: of lists, webhooks, the inbox, the audit and so on.</param>
/// <param name="Waiting">Messages that go to others too and are still open; the erasure is done when they have ended.</param>
sealed record ErasureAnswer(
    string Id, ErasureState Status, string Pseudonym, long Messages, long OtherRows, long Waiting, DateTimeOffset CreatedAt,
    DateTimeOffset? EndedAt);
