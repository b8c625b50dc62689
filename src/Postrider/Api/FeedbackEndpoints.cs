using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Feedback;

namespace Postrider.Api;

/// <summary>The calls about feedback that nothing was done about.</summary>
static class FeedbackEndpoints
{
    public static void MapFeedback(this IEndpointRouteBuilder app) =>
        // It spans tenants: nobody knows whose it is.
        app.MapGet("/feedback/quarantine", ListAsync).For(Access.Installation)
            .WithMetadata(ListQuery.Pages).Answers<QuarantineAnswer>(200)
            .Says("listQuarantine",
                "Reports that name no message of ours or are not to be believed, newest first. The newest 10,000 are kept.", null,
                "invalid-cursor", "invalid-field", "unknown-field");

    static async Task<Results<JsonHttpResult<QuarantineAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IFeedbackStore store, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, ListQuery.Pages);
        var (limit, before) = (query.Limit(), query.AfterNumber());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var page = await store.ListQuarantineAsync(before, limit, ct);
        return ApiJson.Answer(new QuarantineAnswer(
            [.. page.Reports.Select(Shape)], page.Next is not null, page.Next?.ToString(CultureInfo.InvariantCulture),
            page.Counts.ToDictionary(c => ApiJson.Word(c.Key), c => c.Value)));
    }

    static QuarantinedAnswer Shape(QuarantinedReport quarantined)
    {
        var (report, happened) = (quarantined.Report, quarantined.Report.Event);
        return new QuarantinedAnswer
        {
            Id = quarantined.Id.ToString(CultureInfo.InvariantCulture),
            At = quarantined.At,
            Reason = ApiJson.Word(quarantined.Reason),
            Source = report.Transport ?? report.Vendor,
            Kind = ApiJson.Word(happened.Kind),
            Type = happened.Type,
            HappenedAt = happened.At,
            MessageId = report.Message?.ToString(),
            CarriedId = happened.CarriedId,
            ProviderId = happened.ProviderId,
            Email = happened.Address,
            Text = happened.Reply?.Text,
        };
    }
}
