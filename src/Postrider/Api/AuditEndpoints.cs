using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Tenants;

namespace Postrider.Api;

/// <summary><c>/audit</c>: who asked for what; written by the gate.</summary>
static class AuditEndpoints
{
    public static readonly DocumentedParameters Parameters = new(
    [
        .. ListQuery.Pages.All, new("key", "Of this key, or of user:NAME."), new("action", "Method and route have this in them."),
        new("denied", "true: those alone that were denied or refused."), new("from", "At this instant or later."),
        new("until", "Before this instant."),
    ]);

    public static void MapAudit(this IEndpointRouteBuilder app) => app.MapGet("/audit", ListAsync).For(Access.Admin)
        .WithMetadata(Parameters)
        .Answers<AuditListAnswer>(200)
        .Says("listAudit", "Calls of the tenant's keys that changed something, or were denied, newest first.", null,
            "invalid-field", "invalid-cursor", "unknown-field");

    static async Task<Results<JsonHttpResult<AuditListAnswer>, ProblemResult>> ListAsync(HttpContext context, IAuditStore audit)
    {
        var query = new ListQuery(context.Request.Query, Parameters);
        var (limit, before, filter) = (query.Limit(), query.AfterNumber(), Filter(query));
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await audit.ListAsync(context.Caller.Tenant, filter, before, limit + 1, context.RequestAborted);
        return ApiJson.Answer(new AuditListAnswer([.. found.Take(limit).Select(Answer)], found.Count > limit));
    }

    public static AuditFilter Filter(ListQuery query) => new()
    {
        Key = query.Text("key"),
        Action = query.Text("action"),
        IsDenied = query.Flag("denied"),
        From = query.Instant("from"),
        Until = query.Instant("until"),
    };

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
