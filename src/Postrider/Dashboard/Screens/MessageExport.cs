using System.Globalization;
using System.Text;
using Postrider.Api;
using Postrider.Batches;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.Queue;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>What the list of messages shows, all of it, as a file: a line for each recipient.</summary>
static class MessageExport
{
    const int PageSize = 100;

    /// <summary>More than a spreadsheet takes.</summary>
    const int MaxMessages = 1_000_000;

    public static void MapMessageExport(this IEndpointRouteBuilder routes) => routes.MapGet("/messages.csv", WriteAsync);

    static async Task WriteAsync(HttpContext context, Viewer viewer, IMessageReader messages)
    {
        var (response, ct) = (context.Response, context.RequestAborted);
        if (!viewer.May(Scopes.Read))
        {
            response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }
        var search = MessageSearch.Read(context.Request.Query, viewer.Zone);
        var filter = search.Filter with { Before = null, After = null, Limit = PageSize };
        if (search.Problem is { } problem)
        {
            response.StatusCode = problem.Status;
            await response.WriteAsync(problem.Detail + "\n", ct);
            return;
        }
        response.ContentType = "text/csv; charset=utf-8";
        response.Headers.ContentDisposition = "attachment; filename=\"messages.csv\"";
        var lines = new StringBuilder();
        CsvWriter.Write(lines, "id", "accepted", "from", "subject", "recipient", "kind", "state", "code", "enhanced_code", "answer",
            "transport", "tries", "tags", "batch");
        var count = 0;
        do
        {
            var page = await messages.ListAsync(viewer.Tenant, filter, ct);
            foreach (var message in page.Messages)
                Write(lines, message);
            await response.WriteAsync(lines.ToString(), ct);
            lines.Clear();
            count += page.Messages.Count;
            filter = filter with { Before = page.ContinueBefore };
        }
        while (filter.Before is not null && count < MaxMessages);
    }

    static void Write(StringBuilder lines, MessageView message)
    {
        foreach (var recipient in message.Recipients)
            CsvWriter.Write(lines, message.Id.ToString(), Times.Iso(message.CreatedAt), message.From.ToString(), message.Subject,
                recipient.Mailbox.Address.ToString(), ApiJson.Word(recipient.Kind), ApiJson.Word(recipient.State),
                recipient.StatusCode?.ToString(CultureInfo.InvariantCulture), recipient.EnhancedCode, recipient.StatusReason,
                recipient.Transport, recipient.Tries.ToString(CultureInfo.InvariantCulture), string.Join(' ', message.Tags),
                message.Batch?.ToString());
    }
}
