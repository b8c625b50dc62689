using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Batches;
using Postrider.Messages;
using Postrider.Schedules;

namespace Postrider.Api;

/// <summary><c>/schedules</c>: mail that goes at a time to come, once or again and again.</summary>
static class ScheduleEndpoints
{
    const string Example = """
        {"name":"weekday report","cron":"0 9 * * 1-5","time_zone":"Europe/Berlin","missed":"latest","email":{"from":"Reports <reports@example.com>","subject":"Report","text":"Good morning."},"recipients":["ann@example.com",{"email":"bob@example.com","name":"Bob"}]}
        """;

    static readonly string[] BodyRefusals =
    [
        "malformed-json", "unsupported-media-type", "too-large", "unknown-field", "invalid-field", "invalid-schedule", "no-recipients",
        "too-many-recipients", "invalid-address", "header-injection", "forbidden-header", "too-many-headers", "invalid-attachment",
        "url-not-allowed", "no-content", "unverified-sender", "no-such-template", "template-error", "template-data", "template-limit",
        "no-transport",
    ];

    static readonly DocumentedParameters Paging = new([new("limit", "1 to 100. Default 20."), new("after", "next from the page before.")]);

    static readonly DocumentedParameters Listing = new([new("state", "active, paused or archived."), .. Paging.All]);

    const int DefaultCount = 10;
    static readonly DocumentedParameters Count = new([new("limit", "How many, 1 to 100. Default 10.")]);

    public static void MapSchedules(this IEndpointRouteBuilder app)
    {
        app.MapPost("/schedules", AddAsync).For(Access.SendLater).TakingMail()
            .Takes<ScheduleShape>().Answers<ScheduleAnswer>(201)
            .Says("addSchedule", "Keeps a schedule: a crontab line, or times one by one. Its mail is checked now, and made anew at each run.",
                Example, [.. BodyRefusals, "too-many-schedules", "invalid-idempotency-key", "idempotency-mismatch", "draining"]);
        app.MapPost("/schedules/preview", PreviewAsync).For(Access.Read).WithMetadata(Count)
            .Takes<ScheduleShape>().Answers<OccurrenceListAnswer>(200)
            .Says("previewSchedule", "When a schedule would come, without keeping it. Only what says when is looked at.",
                """{"cron":"30 2 * * *","time_zone":"Europe/Berlin"}""",
                "malformed-json", "unsupported-media-type", "too-large", "unknown-field", "invalid-field", "invalid-schedule");
        app.MapGet("/schedules", ListAsync).For(Access.Read).WithMetadata(Listing).Answers<ScheduleListAnswer>(200)
            .Says("listSchedules", "The schedules, archived ones too, newest first.", null, "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/schedules/{id}", GetAsync).For(Access.Read).Answers<ScheduleAnswer>(200)
            .Says("getSchedule", "A schedule, and when it comes next.", null, "not-found");
        app.MapPatch("/schedules/{id}", EditAsync).For(Access.SendLater)
            .Takes<ScheduleShape>().Answers<ScheduleAnswer>(200)
            .Says("editSchedule", "Changes what is given; a time that is past does not come again. ends_at \"never\" takes an end away.",
                """{"cron":"0 10 * * 1-5"}""", [.. BodyRefusals, "not-found", "schedule-archived", "changed-meanwhile"]);
        app.MapDelete("/schedules/{id}", ArchiveAsync).For(Access.SendLater)
            .Says("archiveSchedule", "It does not come again. It stays readable, and mail of earlier runs goes on.", null,
                "not-found", "changed-meanwhile");
        app.MapPut("/schedules/{id}/recipients", (Delegate)UploadAsync).For(Access.SendLater).TakesDestinations()
            .WithMetadata(UploadParameters)
            .Answers<UploadAnswer>(200)
            .Says("putScheduleRecipients", "Replaces whom it sends to by those of the body, once all of it is there: CSV with a header, or JSON.",
                null, [.. DestinationUpload.Refusals, "no-recipients", "not-found", "schedule-archived", "changed-meanwhile"]);
        app.MapPost("/schedules/{id}/pause", (string id, HttpContext context, ScheduleBook book, SchedulePages pages, CancellationToken ct) =>
                ChangeAsync(id, context, pages, book.PauseAsync, ct)).For(Access.SendLater)
            .Answers<ScheduleAnswer>(200)
            .Says("pauseSchedule", "Nothing comes until it is resumed.", null, "not-found", "schedule-archived", "changed-meanwhile");
        app.MapPost("/schedules/{id}/resume", (string id, HttpContext context, ScheduleBook book, SchedulePages pages, CancellationToken ct) =>
                ChangeAsync(id, context, pages, book.ResumeAsync, ct)).For(Access.SendLater)
            .Answers<ScheduleAnswer>(200)
            .Says("resumeSchedule", "Goes on from now; what would have come meanwhile does not come.", null,
                "not-found", "schedule-archived", "changed-meanwhile");
        app.MapPost("/schedules/{id}/run", RunAsync).For(Access.SendLater).TakingMail().Answers<ScheduleRunAnswer>(202)
            .Says("runSchedule", "Sends once now, paused or not. When it comes next stays as it is. Takes an "
                + "Idempotency-Key: the same key again is answered with the same run.", null,
                [.. BodyRefusals, "invalid-idempotency-key", "not-found", "schedule-archived", "schedule-newer", "changed-meanwhile", "draining"]);
        app.MapGet("/schedules/{id}/next", NextAsync).For(Access.Read).WithMetadata(Count).Answers<OccurrenceListAnswer>(200)
            .Says("nextRuns", "When it comes next.", null, "not-found", "invalid-field", "unknown-field");
        app.MapGet("/schedules/{id}/runs", RunsAsync).For(Access.Read).WithMetadata(Paging).Answers<ScheduleRunListAnswer>(200)
            .Says("listRuns", "What became of its times, newest first.", null, "not-found", "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/schedules/{id}/runs/{run}", GetRunAsync).For(Access.Read).Answers<ScheduleRunAnswer>(200)
            .Says("getRun", "A run, with what became of its mail.", null, "not-found");
        app.MapGet("/schedules/{id}/report", ReportAsync).For(Access.Read).Answers<ScheduleReportAnswer>(200)
            .Says("reportSchedule", "What became of its runs, and of the mail of the newest 1,000.", null, "not-found");
    }

    static readonly ProblemResult NoSchedule =
        new(ProblemCatalog.Make("not-found", "There is no schedule with this id, or it is another tenant's."));

    static readonly ProblemResult NoRun =
        new(ProblemCatalog.Make("not-found", "There is no such run of this schedule, or it is another tenant's."));

    static async Task<Results<JsonHttpResult<ScheduleAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, ScheduleBook book, SchedulePages pages, CancellationToken ct)
    {
        var key = IdempotencyKey.Read(context.Request, out var problem);
        if (problem is not null)
            return new ProblemResult(problem);
        var body = await bodies.ReadSendAsync<ScheduleRequest>(context, ScheduleReader.Read, key is null ? null : "POST /schedules");
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var added = await book.AddAsync(context.Caller.Tenant, request, key is null ? null : new ScheduleKey(key, body.Hash), ct);
        if (added.IsReplayed)
            context.Response.Headers[IdempotencyKey.Replayed] = "true";
        return await AnswerAsync(added, pages, StatusCodes.Status201Created, ct);
    }

    static async Task<Results<JsonHttpResult<ScheduleAnswer>, ProblemResult>> EditAsync(
        string id, HttpContext context, JsonBody bodies, ScheduleBook book, SchedulePages pages, CancellationToken ct)
    {
        var body = await bodies.ReadSendAsync<ScheduleRequest>(context, ScheduleReader.Read, null);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        return MessageId.TryParse(id, out var schedule)
            ? await AnswerAsync(await book.EditAsync(context.Caller.Tenant, schedule, request, ct), pages, StatusCodes.Status200OK, ct)
            : NoSchedule;
    }

    static async Task UploadAsync(string id, HttpContext context, DestinationUpload upload, ScheduleBook book, RecipientLists lists)
    {
        var tenant = context.Caller.Tenant;
        if (!MessageId.TryParse(id, out var schedule) || await book.FindAsync(tenant, schedule, context.RequestAborted) is null)
        {
            await NoSchedule.ExecuteAsync(context);
            return;
        }
        var own = await book.NewRecipientsAsync(tenant);
        var done = await upload.RunAsync(context, new ListEndpoints.ListSink(lists, tenant, own));
        if (done is not null)
        {
            var result = done.Part.Accepted == 0 ? new ScheduleResult(NoRecipients)
                : await book.TakeRecipientsAsync(tenant, schedule, own, CancellationToken.None);
            await (result.Problem is { } problem ? new ProblemResult(problem).ExecuteAsync(context)
                : ApiJson.Answer(done.Answer(id, done.Part.Accepted)).ExecuteAsync(context));
            if (result.Problem is null)
                return;
        }
        await lists.DeleteAsync(tenant, own);
    }

    static readonly DocumentedParameters UploadParameters = new([.. DestinationUpload.Parameters("", "").All.Take(2)]);

    static readonly Problem NoRecipients = ProblemCatalog.Make(
        "no-recipients", "The body names no recipient that can be sent to, so the schedule keeps those it has.");

    static async Task<Results<JsonHttpResult<ScheduleAnswer>, ProblemResult>> ChangeAsync(
        string id, HttpContext context, SchedulePages pages,
        Func<TenantId, MessageId, CancellationToken, Task<ScheduleResult>> change, CancellationToken ct) =>
        MessageId.TryParse(id, out var schedule)
            ? await AnswerAsync(await change(context.Caller.Tenant, schedule, ct), pages, StatusCodes.Status200OK, ct)
            : NoSchedule;

    static async Task<Results<JsonHttpResult<ScheduleAnswer>, ProblemResult>> AnswerAsync(
        ScheduleResult result, SchedulePages pages, int status, CancellationToken ct) => result switch
        {
            { Problem: { Slug: "not-found" } } => NoSchedule,
            { Problem: { } problem } => new ProblemResult(problem),
            _ => ApiJson.Answer(await pages.WholeAsync(result.Schedule!, ct), status),
        };

    static async Task<Results<JsonHttpResult<ScheduleListAnswer>, ProblemResult>> ListAsync(
        HttpContext context, IScheduleStore store, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, Listing);
        var (limit, after, state) = (query.Limit(), query.After(), query.Word<ScheduleState>("state"));
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await store.ListAsync(context.Caller.Tenant, state, after, limit + 1, ct);
        var data = found.Take(limit).ToList();
        return ApiJson.Answer(new ScheduleListAnswer(
            [.. data.Select(SchedulePages.Short)], found.Count > limit, found.Count > limit ? data[^1].Id.ToString() : null));
    }

    static async Task<Results<JsonHttpResult<ScheduleAnswer>, ProblemResult>> GetAsync(
        string id, HttpContext context, IScheduleStore store, SchedulePages pages, CancellationToken ct) =>
        await FindAsync(id, context, store, ct) is { } schedule ? ApiJson.Answer(await pages.WholeAsync(schedule, ct)) : NoSchedule;

    static async Task<Results<NoContent, ProblemResult>> ArchiveAsync(
        string id, HttpContext context, ScheduleBook book, CancellationToken ct)
    {
        if (!MessageId.TryParse(id, out var schedule))
            return NoSchedule;
        return await book.ArchiveAsync(context.Caller.Tenant, schedule, ct) switch
        {
            null => TypedResults.NoContent(),
            { Slug: "not-found" } => NoSchedule,
            { } problem => new ProblemResult(problem),
        };
    }

    static async Task<Results<JsonHttpResult<ScheduleRunAnswer>, ProblemResult>> RunAsync(
        string id, HttpContext context, ScheduleBook book, SchedulePages pages, CancellationToken ct)
    {
        if (!MessageId.TryParse(id, out var schedule))
            return NoSchedule;
        var key = IdempotencyKey.Read(context.Request, out var refusal);
        if (refusal is not null)
            return new ProblemResult(refusal);
        var (run, problem, isReplayed) = await book.RunAsync(context.Caller.Tenant, schedule, key, ct);
        if (isReplayed)
            context.Response.Headers[IdempotencyKey.Replayed] = "true";
        return run is not null ? ApiJson.Answer(await pages.RunAsync(context.Caller.Tenant, run, ct), StatusCodes.Status202Accepted)
            : problem!.Slug == "not-found" ? NoSchedule : new ProblemResult(problem);
    }

    static async Task<Results<JsonHttpResult<OccurrenceListAnswer>, ProblemResult>> PreviewAsync(
        HttpContext context, JsonBody bodies, ScheduleBook book, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, Count);
        var count = query.Limit(DefaultCount);
        if (query.Problem is { } wrong)
            return new ProblemResult(wrong);
        var body = await bodies.ReadAsync<ScheduleRequest>(context, ScheduleReader.Read);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var (times, problem) = await book.PreviewAsync(request, count, ct);
        return times is null ? new ProblemResult(problem!)
            : ApiJson.Answer(SchedulePages.Times(times, TimeZoneRules.Find(request.TimeZone ?? "UTC")!));
    }

    static async Task<Results<JsonHttpResult<OccurrenceListAnswer>, ProblemResult>> NextAsync(
        string id, HttpContext context, IScheduleStore store, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, Count);
        var count = query.Limit(DefaultCount);
        if (query.Problem is { } wrong)
            return new ProblemResult(wrong);
        return await FindAsync(id, context, store, ct) is { } schedule
            ? ApiJson.Answer(SchedulePages.Times(ScheduleBook.NextOf(schedule, count), TimeZoneRules.Find(schedule.Times.TimeZone)))
            : NoSchedule;
    }

    static async Task<Results<JsonHttpResult<ScheduleRunListAnswer>, ProblemResult>> RunsAsync(
        string id, HttpContext context, IScheduleStore store, CancellationToken ct)
    {
        var query = new ListQuery(context.Request.Query, Paging);
        var (limit, after) = (query.Limit(), query.After());
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        if (await FindAsync(id, context, store, ct) is not { } schedule)
            return NoSchedule;
        var found = await store.RunsAsync(schedule.Id, after, limit + 1, ct);
        var data = found.Take(limit).ToList();
        return ApiJson.Answer(new ScheduleRunListAnswer(
            [.. data.Select(run => SchedulePages.Run(run, null))], found.Count > limit,
            found.Count > limit ? data[^1].Id.ToString() : null));
    }

    static async Task<Results<JsonHttpResult<ScheduleRunAnswer>, ProblemResult>> GetRunAsync(
        string id, string run, HttpContext context, IScheduleStore store, SchedulePages pages, CancellationToken ct) =>
        await FindAsync(id, context, store, ct) is { } schedule && MessageId.TryParse(run, out var runId)
            && await store.FindRunAsync(schedule.Id, runId, ct) is { } found
            ? ApiJson.Answer(await pages.RunAsync(context.Caller.Tenant, found, ct)) : NoRun;

    static async Task<Results<JsonHttpResult<ScheduleReportAnswer>, ProblemResult>> ReportAsync(
        string id, HttpContext context, IScheduleStore store, CancellationToken ct) =>
        await FindAsync(id, context, store, ct) is { } schedule
            ? ApiJson.Answer(SchedulePages.Report(schedule, await store.ReportAsync(schedule.Id, 1_000, ct))) : NoSchedule;

    static async Task<Schedule?> FindAsync(string id, HttpContext context, IScheduleStore store, CancellationToken ct) =>
        MessageId.TryParse(id, out var schedule) ? await store.FindAsync(context.Caller.Tenant, schedule, ct) : null;
}
