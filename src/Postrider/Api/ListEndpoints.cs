using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Api;

/// <summary><c>/lists</c>: stored lists of recipients, filled and read as CSV or JSON, that batches and schedules are sent to.</summary>
static class ListEndpoints
{
    const int ExportAtOnce = 1_000;

    /// <summary>Of a file: every line has all of them.</summary>
    const int MostColumns = 500;

    static readonly ProblemResult NoList = new(LargeBatches.NoSuchList);

    static readonly DocumentedParameters RecipientParameters = new(
    [
        new("limit", "1 to 1,000. Default 100."), new("after", "next of the page before."),
        new("format", "csv: all of them as a file; formulas are made harmless by an apostrophe."),
    ]);

    static readonly DocumentedParameters PutParameters =
        DestinationUpload.Parameters("replace", "true: who is not in the body is taken out, once all of it is there.");

    static readonly DocumentedParameters ForceParameter = new([new("force", "true: also while schedules send to it.")]);

    static readonly ProblemResult NoRecipients = new(ProblemCatalog.Make(
        "no-recipients", "The body names no recipient that can be sent to, so the list keeps those it has."));

    public static void MapLists(this IEndpointRouteBuilder app)
    {
        app.MapPost("/lists", AddAsync).For(Access.Manage).Takes<ListShape>().Answers<ListAnswer>(201)
            .Says("addList", "Makes an empty list.", """{"name":"newsletter"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "list-exists");
        app.MapGet("/lists", ListAsync).For(Access.Read).WithMetadata(ListQuery.Pages).Answers<ListListAnswer>(200)
            .Says("listLists", "Lists, newest first.", null,
                "invalid-cursor", "invalid-field", "unknown-field");
        app.MapGet("/lists/{id}", GetAsync).For(Access.Read).Answers<ListAnswer>(200)
            .Says("getList", "A list: its name and how many are in it.", null, "no-such-list");
        app.MapPatch("/lists/{id}", RenameAsync).For(Access.Manage).Takes<ListShape>().Answers<ListAnswer>(200)
            .Says("renameList", "Gives a list another name.", """{"name":"news"}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "no-such-list", "list-exists");
        app.MapDelete("/lists/{id}", DeleteAsync).For(Access.Manage).WithMetadata(ForceParameter)
            .Says("deleteList", "Removes a list. Batches that are being sent to it go on. Refused while schedules send to it.", null,
                "no-such-list", "list-in-use", "invalid-field");
        app.MapPost("/lists/{id}/recipients", (Delegate)PutAsync).For(Access.Manage).TakesDestinations()
            .WithMetadata(PutParameters)
            .Answers<UploadAnswer>(200)
            .Says("putRecipients", "Adds recipients, any number, as CSV with a header or one JSON value a line; who is there is replaced.",
                null, [.. DestinationUpload.Refusals, "no-such-list", "no-recipients"]);
        app.MapGet("/lists/{id}/recipients", (Delegate)RecipientsAsync).For(Access.Read).WithMetadata(RecipientParameters)
            .Answers<ListRecipientsAnswer>(200).AnswersPlain(200, "text/csv", "A page; with format=csv all of them.")
            .Says("listRecipients", "Who is in a list, page by page, or all as CSV.", null,
                "no-such-list", "invalid-cursor", "invalid-field", "unknown-field");
        app.MapDelete("/lists/{id}/recipients/{email}", RemoveAsync).For(Access.Manage)
            .Says("removeRecipient", "Takes an address out of a list.", null, "no-such-list", "not-found");
    }

    static string? Name(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        string? name = null;
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                if (member.NameEquals("name"u8))
                    name = faults.Text(member.Value, "/name");
                else
                    faults.Unknown(ShapeFaults.Below("", member.Name));
        if (name is null && !faults.Any)
            faults.Invalid("/name", "A list needs a name.");
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? name : null;
    }

    static async Task<Results<JsonHttpResult<ListAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, RecipientLists lists)
    {
        var body = await bodies.ReadAsync<string>(context, Name);
        if (body.Value is null)
            return new ProblemResult(body.Problem!);
        var (list, problem) = await lists.AddAsync(context.Caller.Tenant, body.Value, context.RequestAborted);
        return list is null ? new ProblemResult(problem!) : ApiJson.Answer(Answer(list), StatusCodes.Status201Created);
    }

    static async Task<Results<JsonHttpResult<ListAnswer>, ProblemResult>> RenameAsync(
        string id, HttpContext context, JsonBody bodies, RecipientLists lists)
    {
        var body = await bodies.ReadAsync<string>(context, Name);
        if (body.Value is null)
            return new ProblemResult(body.Problem!);
        if (!MessageId.TryParse(id, out var list))
            return NoList;
        var (renamed, problem) = await lists.RenameAsync(context.Caller.Tenant, list, body.Value, context.RequestAborted);
        return renamed is null ? new ProblemResult(problem!) : ApiJson.Answer(Answer(renamed));
    }

    static async Task<Results<JsonHttpResult<ListListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IListStore lists, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, ListQuery.Pages);
        var (limit, after) = (query.Limit(), query.After());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await lists.ListAsync(context.Caller.Tenant, after, limit + 1, ct);
        var hasMore = found.Count > limit;
        return ApiJson.Answer(new ListListAnswer([.. found.Take(limit).Select(Answer)], hasMore,
            hasMore ? found[limit - 1].Id.ToString() : null));
    }

    static async Task<Results<JsonHttpResult<ListAnswer>, ProblemResult>> GetAsync(
        string id, HttpContext context, IListStore lists, CancellationToken ct) =>
        MessageId.TryParse(id, out var list) && await lists.FindAsync(context.Caller.Tenant, list, ct) is { } found
            ? ApiJson.Answer(Answer(found)) : NoList;

    static async Task<Results<NoContent, ProblemResult>> DeleteAsync(
        string id, HttpContext context, RecipientLists lists, IListStore store, IScheduleStore schedules, CancellationToken ct)
    {
        var tenant = context.Caller.Tenant;
        var query = new ListQuery(context.Request.Query, ForceParameter);
        var isForced = query.Flag("force");
        if (query.Problem is { } unclear)
            return new ProblemResult(unclear);
        if (!MessageId.TryParse(id, out var list) || await store.FindAsync(tenant, list, ct) is null)
            return NoList;
        if (!isForced && await schedules.WhyNeededAsync(tenant, list, ct) is { } needed)
            return new ProblemResult(needed);
        return await lists.DeleteAsync(tenant, list) ? TypedResults.NoContent() : NoList;
    }

    static async Task PutAsync(string id, HttpContext context, DestinationUpload upload, RecipientLists lists, IListStore store)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var list) || await store.NextAsync(tenant, list, context.RequestAborted) is not { } next)
        {
            await NoList.ExecuteAsync(context);
            return;
        }
        var query = new ListQuery(context.Request.Query, PutParameters);
        var isReplaced = query.Flag("replace");
        if (query.Problem is { } unclear)
        {
            await new ProblemResult(unclear).ExecuteAsync(context);
            return;
        }
        if (await upload.RunAsync(context, new ListSink(lists, tenant, list)) is not { } done)
            return;
        if (isReplaced && done.Part.Accepted == 0)
        {
            await NoRecipients.ExecuteAsync(context);
            return;
        }
        if (isReplaced)
            await lists.RemoveBeforeAsync(tenant, list, next);
        var count = (await store.FindAsync(tenant, list, default))?.Count ?? 0;
        await ApiJson.Answer(done.Answer(id, count)).ExecuteAsync(context);
    }

    /// <summary>Puts what is read into a list; the same twice is the same, so a key is not needed.</summary>
    internal sealed class ListSink(RecipientLists lists, TenantId tenant, MessageId list) : IDestinationSink
    {
        AppendedPart _done;

        public TenantId? Owner => tenant;

        public Task<AppendedPart?> FindAsync(string key, CancellationToken ct) => Task.FromResult<AppendedPart?>(null);

        public async Task<(AppendedPart Part, Problem? Problem)> AppendAsync(BatchPart part)
        {
            if (await lists.PutAsync(tenant, list, part.Destinations) is null)
                return (default, LargeBatches.NoSuchList);
            _done = new AppendedPart(part.Lines, _done.Accepted + part.Destinations.Count, _done.Refused + part.Faults.Count);
            return (_done, null);
        }
    }

    static async Task RecipientsAsync(string id, HttpContext context, IListStore lists)
    {
        var query = new ListQuery(context.Request.Query, RecipientParameters);
        var (limit, after, isCsv) = (query.Limit(100, 1_000), query.AfterNumber() ?? 0, query.IsCsv());
        var tenant = context.Caller.Tenant;
        if (query.Problem is { } problem)
            await new ProblemResult(problem).ExecuteAsync(context);
        else if (!MessageId.TryParse(id, out var list)
            || await lists.ReadAsync(tenant, list, after, limit + 1, context.RequestAborted) is not { } found)
            await NoList.ExecuteAsync(context);
        else if (isCsv)
            await ExportAsync(context, lists, tenant, list);
        else
            await AnswerAsync(context, lists, tenant, list, [.. found.Take(limit)], hasMore: found.Count > limit);
    }

    static async Task AnswerAsync(
        HttpContext context, IListStore lists, TenantId tenant, MessageId list, List<StoredDestination> page, bool hasMore)
    {
        // Short of the limit it may have ended with much data.
        hasMore |= page is [.., var last] && await lists.ReadAsync(tenant, list, last.N, 1, context.RequestAborted) is { Count: > 0 };
        await ApiJson.Answer(new ListRecipientsAnswer([.. page.Select(Recipient)], hasMore,
            hasMore ? page[^1].N.ToString(System.Globalization.CultureInfo.InvariantCulture) : null)).ExecuteAsync(context);
    }

    static readonly ProblemResult TooManyColumns = new(ProblemCatalog.Make("invalid-field",
        $"The recipients have more than {MostColumns} different fields, too many columns for a file. "
        + "Fetch them as JSON, page by page: leave out format."));

    /// <summary>All of a list. Its columns are the fields that any of its recipients has, so it is read twice.</summary>
    static async Task ExportAsync(HttpContext context, IListStore lists, TenantId tenant, MessageId list)
    {
        var ct = context.RequestAborted;
        var fields = new List<string>();
        var known = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var recipient in AllAsync(lists, tenant, list, ct))
        {
            if (recipient.Data is { } data)
                foreach (var member in JsonElement.Parse(data).EnumerateObject())
                    if (known.Add(member.Name))
                        fields.Add(member.Name);
            if (fields.Count <= MostColumns)
                continue;
            await TooManyColumns.ExecuteAsync(context);
            return;
        }
        context.Response.ContentType = "text/csv; charset=utf-8";
        context.Response.Headers.ContentDisposition = "attachment; filename=\"recipients.csv\"";
        var text = new StringBuilder();
        CsvWriter.Write(text, ["email", "name", .. fields]);
        var pending = 0;
        await foreach (var recipient in AllAsync(lists, tenant, list, ct))
        {
            var data = recipient.Data is null ? default : JsonElement.Parse(recipient.Data);
            CsvWriter.Write(text, [recipient.Email, recipient.Name, .. fields.Select(field => Field(data, field))]);
            if (++pending < ExportAtOnce)
                continue;
            await context.Response.WriteAsync(text.ToString(), ct);
            (pending, _) = (0, text.Clear());
        }
        await context.Response.WriteAsync(text.ToString(), ct);
    }

    static string? Field(JsonElement data, string name) =>
        data.ValueKind != JsonValueKind.Object || !data.TryGetProperty(name, out var value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText();

    static async IAsyncEnumerable<StoredDestination> AllAsync(
        IListStore lists, TenantId tenant, MessageId list, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        for (var after = 0L; await lists.ReadAsync(tenant, list, after, ExportAtOnce, ct) is { Count: > 0 } page; after = page[^1].N)
            foreach (var recipient in page)
                yield return recipient;
    }

    static async Task<Results<NoContent, ProblemResult>> RemoveAsync(string id, string email, HttpContext context, RecipientLists lists)
    {
        if (!MessageId.TryParse(id, out var list))
            return NoList;
        return await lists.RemoveAsync(context.Caller.Tenant, list, email) switch
        {
            null => NoList,
            false => new ProblemResult(ProblemCatalog.Make("not-found", "The address is not in the list.")),
            true => TypedResults.NoContent(),
        };
    }

    static ListAnswer Answer(RecipientList list) => new(list.Id.ToString(), list.Name ?? "", list.Count, list.CreatedAt, list.UpdatedAt);

    static ListRecipientAnswer Recipient(StoredDestination recipient) =>
        new(recipient.Email, recipient.Name, recipient.Data is null ? null : JsonElement.Parse(recipient.Data));
}
