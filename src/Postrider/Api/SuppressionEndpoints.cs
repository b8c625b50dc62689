using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;
using Postrider.Suppression;

namespace Postrider.Api;

/// <summary><c>/suppressions</c>: the addresses that the tenant's mail does not go to, with the reason of each.</summary>
static class SuppressionEndpoints
{
    const int ExportAtOnce = 1_000;

    static readonly DocumentedParameters RemoveParameters = new(
        [new("stream", "transactional or bulk: only what holds for this stream alone. Default: all that the list has of the address.")]);

    static readonly DocumentedParameters ImportParameters =
        DestinationUpload.Parameters("stream", "transactional or bulk, for rows that name none. Default: both.");

    public static void MapSuppressions(this IEndpointRouteBuilder app)
    {
        app.MapGet("/suppressions", (Delegate)ListAsync).For(Access.Read).WithMetadata(SuppressionQuery.Parameters)
            .AnswersPlain(200, "text/csv", "A page; with format=csv all of them.")
            .Answers<SuppressionListAnswer>(200)
            .Says("listSuppressions", "Addresses that get no mail, and why; newest first.", null,
                "invalid-cursor", "invalid-field", "unknown-field");
        app.MapPost("/suppressions", AddAsync).For(Access.Manage).Takes<SuppressionShape>().Answers<SuppressionAnswer>(201)
            .Says("addSuppression", "Stops all mail to an address, or that of one stream. What is queued for it ends as suppressed.",
                """{"email":"ann@example.org","stream":"bulk","reason":"asked by phone"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "invalid-address");
        app.MapPost("/suppressions/import", (Delegate)ImportAsync).For(Access.Manage)
            .Takes<IReadOnlyList<SuppressionShape>>("text/csv", NdjsonSubmission.MediaType)
            .WithMetadata(ImportParameters)
            .Answers<UploadAnswer>(200)
            .Says("importSuppressions",
                "Adds addresses, any number, as CSV with a header (email, and where wanted stream, cause, reason, expires_at) or as JSON.",
                null, [.. DestinationUpload.Refusals, "unknown-field"]);
        app.MapDelete("/suppressions/{email}", RemoveAsync).For(Access.Manage).WithMetadata(RemoveParameters)
            .Says("removeSuppression", "Takes an address off the list: it gets mail again.", null, "not-found", "invalid-field");
    }

    static async Task<Results<JsonHttpResult<SuppressionAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, Submitter submitter, ISuppressionStore list, TimeProvider clock)
    {
        var now = clock.GetUtcNow();
        var body = await bodies.ReadAsync<SuppressedAddress>(
            context, (JsonElement json, out Problem? problem) => SuppressionReader.Read(json, submitter, now, out problem));
        if (body.Value is not { } added)
            return new ProblemResult(body.Problem!);
        var tenant = context.Caller.Tenant;
        await list.AddAsync(tenant, [added]);
        // What was there for longer has stayed.
        var stored = (await list.FindAsync(tenant, added.Email!, context.RequestAborted)).First(one => one.Stream == added.Stream);
        return ApiJson.Answer(Answer(stored), StatusCodes.Status201Created);
    }

    static async Task ListAsync(HttpContext context, Submitter submitter, ISuppressionStore list)
    {
        var tenant = context.Caller.Tenant;
        if (SuppressionQuery.Read(context.Request.Query, submitter, out var query) is { } problem)
        {
            await new ProblemResult(problem).ExecuteAsync(context);
            return;
        }
        if (query.IsCsv)
        {
            await ExportAsync(context, list, tenant, query.Cause);
            return;
        }
        var page = query.Email is { } email
            ? new SuppressionPage([.. (await list.FindAsync(tenant, email, context.RequestAborted))
                .Where(one => query.Cause is null || one.Cause == query.Cause)], null)
            : await list.ListAsync(tenant, query.Cause, query.After, query.Limit, context.RequestAborted);
        await ApiJson.Answer(new SuppressionListAnswer(
            [.. page.Items.Select(Answer)], page.Next is not null, page.Next is { } next ? SuppressionQuery.Write(next) : null))
            .ExecuteAsync(context);
    }

    /// <summary>All of it as a file.</summary>
    public static async Task ExportAsync(HttpContext context, ISuppressionStore list, TenantId tenant, SuppressionCause? cause)
    {
        var ct = context.RequestAborted;
        context.Response.ContentType = "text/csv; charset=utf-8";
        context.Response.Headers.ContentDisposition = "attachment; filename=\"suppressions.csv\"";
        var text = new StringBuilder();
        CsvWriter.Write(text, "email", "stream", "cause", "reason", "created_at", "expires_at");
        SuppressionPlace? after = null;
        do
        {
            var page = await list.ListAsync(tenant, cause, after, ExportAtOnce, ct);
            // One that was erased has no address to show.
            foreach (var one in page.Items.Where(one => one.Email is not null))
                CsvWriter.Write(text, one.Email, one.Stream is { } stream ? ApiJson.Word(stream) : "", ApiJson.Word(one.Cause), one.Reason,
                    Instant(one.At), one.Until is { } until ? Instant(until) : "");
            await context.Response.WriteAsync(text.ToString(), ct);
            text.Clear();
            after = page.Next;
        }
        while (after is not null);
    }

    static async Task ImportAsync(
        HttpContext context, DestinationUpload upload, ISuppressionStore list, TimeProvider clock)
    {
        var query = new ListQuery(context.Request.Query, ImportParameters);
        var stream = SuppressionReader.Stream(query.Text("stream"), "", query.Faults);
        if (query.Problem is { } unclear)
            await new ProblemResult(unclear).ExecuteAsync(context);
        else if (await upload.RunAsync(context, new SuppressionSink(list, context.Caller.Tenant, stream, clock)) is { } done)
            await ApiJson.Answer(done.Answer("suppressions", done.Part.Accepted)).ExecuteAsync(context);
    }

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(
        string email, HttpContext context, Submitter submitter, ISuppressionStore list)
    {
        var query = new ListQuery(context.Request.Query, RemoveParameters);
        var stream = SuppressionReader.Stream(query.Text("stream"), "", query.Faults);
        if (query.Problem is { } unclear)
            return new ProblemResult(unclear);
        var address = submitter.ReadDestination(new AddressText(email, null, IsAddressOnly: true), "", out _);
        return address is not null && await list.RemoveAsync(context.Caller.Tenant, address.Address.ToString(), stream) > 0
            ? TypedResults.NoContent()
            : new ProblemResult(ProblemCatalog.Make("not-found", "The address is not on the list."));
    }

    static string Instant(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    static SuppressionAnswer Answer(SuppressedAddress one) =>
        new(one.Email, one.Stream, one.Cause, one.Reason, one.Message?.ToString(), one.At, one.Until);
}

/// <summary>Puts what is read from a file on the list; the same twice is the same, so a key is not needed.</summary>
/// <param name="stream">For rows that name none.</param>
sealed class SuppressionSink(ISuppressionStore list, TenantId tenant, MailStream? stream, TimeProvider clock) : IDestinationSink
{
    AppendedPart _done;

    public Task<AppendedPart?> FindAsync(string key, CancellationToken ct) => Task.FromResult<AppendedPart?>(null);

    public Problem? FaultOfFields(IReadOnlyList<string> fields) => SuppressionReader.OfColumns(fields);

    public DestinationFault? FaultOf(StoredDestination row) =>
        SuppressionReader.OfRow(row, stream, clock.GetUtcNow(), out var problem) is null
            ? new DestinationFault(row.N, row.Email, problem!.Errors[0].Slug, problem.Errors[0].Detail) : null;

    public async Task<(AppendedPart Part, Problem? Problem)> AppendAsync(BatchPart part)
    {
        var now = clock.GetUtcNow();
        await list.AddAsync(tenant, [.. part.Destinations.Select(row => SuppressionReader.OfRow(row, stream, now, out _)!)]);
        _done = new AppendedPart(part.Lines, _done.Accepted + part.Destinations.Count, _done.Refused + part.Faults.Count);
        return (_done, null);
    }
}
