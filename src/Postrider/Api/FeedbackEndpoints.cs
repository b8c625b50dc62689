using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Feedback;

namespace Postrider.Api;

/// <summary>The calls about feedback that nothing was done about.</summary>
static class FeedbackEndpoints
{
    const int DefaultLimit = 20;
    const int MaxLimit = 100;

    static readonly DocumentedParameters Parameters = new(
        [new("limit", "1 to 100. Default 20."), new("after", "next from the page before.")]);

    public static void MapFeedback(this IEndpointRouteBuilder app) =>
        // It spans tenants: nobody knows whose it is.
        app.MapGet("/feedback/quarantine", ListAsync).For(Access.Installation)
            .WithMetadata(Parameters).Answers<QuarantineAnswer>(200)
            .Says("listQuarantine",
                "Reports that name no message of ours or are not to be believed, newest first. The newest 10,000 are kept.", null,
                "invalid-cursor", "invalid-field", "unknown-field");

    static async Task<Results<JsonHttpResult<QuarantineAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IFeedbackStore store, CancellationToken ct)
    {
        var faults = new ShapeFaults();
        var limit = DefaultLimit;
        long? before = null;
        foreach (var (name, values) in context.Request.Query)
            if (name == "limit")
            {
                if (!int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out limit)
                    || limit is < 1 or > MaxLimit)
                    faults.Invalid("", "limit must be a number from 1 to 100.");
            }
            else if (name != "after")
                faults.Add("", "unknown-field", $"There is no parameter {name}.");
            else if (long.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var cursor))
                before = cursor;
            else
                return new ProblemResult(ProblemCatalog.Make("invalid-cursor", "after is not next from an earlier page."));
        if (faults.Any)
            return new ProblemResult(faults.ToProblem());
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
