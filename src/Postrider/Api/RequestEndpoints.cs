using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/requests</c>: the calls that were refused or failed, for whoever wrote what makes them.</summary>
static class RequestEndpoints
{
    public static readonly DocumentedParameters Parameters = new(
    [
        .. ListQuery.Pages.All, new("key", "Only calls of this key, by its id or name."),
        new("call", "Method and route have this in them."), new("status", "Of the answer: 400 to 599."),
    ]);

    /// <summary>That have the same name; the newest.</summary>
    const int MostKeys = 50;

    public static void MapRequests(this IEndpointRouteBuilder app) => app.MapGet("/requests", ListAsync).For(Access.Read)
        .WithMetadata(Parameters)
        .Answers<RequestListAnswer>(200)
        .Says("listRequests", "Calls of the tenant's keys that were refused or failed, newest first: the last 1,000, for seven days.", null,
            "invalid-field", "invalid-cursor", "unknown-field");

    static async Task<Results<JsonHttpResult<RequestListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IRefusedCallStore refused, ApiKeys keys)
    {
        var query = new ListQuery(context.Request.Query, Parameters);
        var (limit, before, tenant, ct) = (query.Limit(), query.AfterNumber(), context.Caller.Tenant, context.RequestAborted);
        var filter = await FilterAsync(query, tenant, keys, ct);
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await refused.ListAsync(tenant, filter, before, limit + 1, ct);
        return ApiJson.Answer(new RequestListAnswer([.. found.Take(limit).Select(Answer)], found.Count > limit));
    }

    /// <summary>What cannot be is a fault of the query.</summary>
    public static async Task<RefusedCallFilter> FilterAsync(ListQuery query, TenantId tenant, ApiKeys keys, CancellationToken ct)
    {
        var (key, status) = (query.Text("key"), query.Number("status", 400, 599, otherwise: 0));
        string[] ids = key is null ? []
            : [.. (await keys.ListAsync(tenant, ct)).Where(one => one.Id == key || one.Name == key).Take(MostKeys).Select(one => one.Id)];
        if (key is not null && ids.Length == 0)
            query.Faults.Invalid("", "key must be the id or the name of a key; GET /keys has them.");
        return new RefusedCallFilter(ids, query.Text("call"), status == 0 ? null : status);
    }

    static RequestAnswer Answer(RefusedCall call) => new(
        call.Id.ToString(CultureInfo.InvariantCulture), call.At, call.Key, call.Call, call.Target, call.Status, call.Problem, call.Detail,
        [.. call.Faults.Select(fault => new RequestFaultAnswer(fault.Pointer, fault.Slug))], call.Times);

    /// <summary>Writes down what a call was answered with, where it is known whose key it was.</summary>
    public static void Note(HttpContext context, Problem problem)
    {
        if (context.Features.Get<Principal>() is { } caller)
            context.RequestServices.GetRequiredService<RefusedCalls>().Add(
                caller,
                $"{context.Request.Method} {(context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? context.Request.Path}",
                context.Request.Path, problem);
    }
}

/// <summary>Answer to <c>GET /requests</c>.</summary>
sealed record RequestListAnswer(IReadOnlyList<RequestAnswer> Data, bool HasMore);

/// <summary>A call that was refused or failed.</summary>
/// <param name="Key">The id of the key that was presented, or that the token was made for.</param>
/// <param name="Call">Method and route.</param>
/// <param name="Target">The path as it was called; addresses are masked.</param>
/// <param name="Status">Of the answer.</param>
/// <param name="Problem">The slug: <c>/problems/{slug}</c> explains it.</param>
/// <param name="Detail">What the answer said; addresses and secrets are masked.</param>
/// <param name="Errors">Where the faults were: the first twenty.</param>
/// <param name="Times">How often the same was answered within the second.</param>
sealed record RequestAnswer(
    string Id, DateTimeOffset At, string Key, string Call, string Target, int Status, string Problem, string Detail,
    IReadOnlyList<RequestFaultAnswer> Errors, int Times);

/// <summary>Where a fault was.</summary>
sealed record RequestFaultAnswer(string Pointer, string Slug);
