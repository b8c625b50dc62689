using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/audit</c>: who asked for what; written by the gate.</summary>
static class AuditEndpoints
{
    const int DefaultLimit = 20;
    const int MaxLimit = 100;

    public static void MapAudit(this IEndpointRouteBuilder app) => app.MapGet("/audit", ListAsync).For(Access.Admin)
        .WithMetadata(new DocumentedParameters([new("limit", "1 to 100. Default 20."), new("after", "An id from the page before.")]))
        .Answers<AuditListAnswer>(200)
        .Says("listAudit", "Calls of the tenant's keys that changed something, or were denied, newest first.", null, "invalid-field");

    static async Task<Results<JsonHttpResult<AuditListAnswer>, ProblemResult>> ListAsync(HttpContext context, IAuditStore audit)
    {
        long? before = null;
        var query = context.Request.Query;
        if (!new PageQuery(query).TryNumber("limit", 1, MaxLimit, DefaultLimit, out var limit))
            return new ProblemResult(ProblemCatalog.Make("invalid-field", "limit is 1 to 100."));
        if (query["after"] is { Count: > 0 } after)
        {
            if (!long.TryParse(after.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var id))
                return new ProblemResult(ProblemCatalog.Make("invalid-field", "after is an id from the page before."));
            before = id;
        }
        var found = await audit.ListAsync(context.Caller.Tenant, before, limit + 1, context.RequestAborted);
        return ApiJson.Answer(new AuditListAnswer([.. found.Take(limit).Select(Answer)], found.Count > limit));
    }

    static AuditAnswer Answer(AuditEntry entry) => new(
        entry.Id.ToString(CultureInfo.InvariantCulture), entry.At, entry.Key, entry.Action, entry.Target, entry.Status, entry.Address);
}

/// <summary>Answer to <c>GET /audit</c>.</summary>
sealed record AuditListAnswer(IReadOnlyList<AuditAnswer> Data, bool HasMore);

/// <summary>A management call.</summary>
/// <param name="Key">The id of the key that was presented, or that the token was made for.</param>
/// <param name="Action">Method and route.</param>
/// <param name="Target">The path as it was called.</param>
/// <param name="Status">Of the answer; 403 was denied.</param>
/// <param name="Address">Where the call came from.</param>
sealed record AuditAnswer(
    string Id, DateTimeOffset At, string Key, string Action, string Target, int Status, string? Address);
