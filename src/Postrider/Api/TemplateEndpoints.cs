using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Postrider.Messages;
using Postrider.Templates;

namespace Postrider.Api;

/// <summary><c>/templates</c>: what the tenant's mail is made of, with all its versions, and what it looks like when filled in.</summary>
static class TemplateEndpoints
{
    static readonly string[] BodyRefusals =
        ["malformed-json", "unsupported-media-type", "too-large", "unknown-field", "invalid-field", "template-error"];

    public static void MapTemplates(this IEndpointRouteBuilder app)
    {
        app.MapPost("/templates", AddAsync).For(Access.Manage)
            .Takes<NewTemplateShape>().Answers<TemplateAnswer>(201)
            .Says("addTemplate", "Keeps a template as version 1. What cannot be read is refused, with line and column.",
                """{"name":"welcome","subject":"Hi {{name}}","html":"<p>Welcome, {{name}}.</p>","test_data":{"name":"Ann"}}""",
                [.. BodyRefusals, "template-exists"]);
        app.MapPost("/templates/{template}/versions", AddVersionAsync).For(Access.Manage)
            .Takes<TemplateShape>().Answers<TemplateAnswer>(201)
            .Says("addTemplateVersion", "Keeps the next version; mail is sent with it from then on. What was accepted stays as it is.",
                """{"subject":"Hello {{name}}","html":"<p>Welcome, {{name}}.</p>"}""", [.. BodyRefusals, "not-found"]);
        app.MapGet("/templates", ListAsync).For(Access.Read).WithMetadata(ListParameters)
            .Answers<TemplateListAnswer>(200)
            .Says("listTemplates", "The templates, archived ones too, oldest first.", null,
                "invalid-field", "invalid-cursor", "unknown-field");
        app.MapGet("/templates/{template}", GetAsync).For(Access.Read).WithMetadata(VersionParameter)
            .Answers<TemplateAnswer>(200)
            .Says("getTemplate", "A template by its id, name or number, in its newest version or another.", null,
                "not-found", "invalid-field", "unknown-field");
        app.MapDelete("/templates/{template}", ArchiveAsync).For(Access.Manage).WithMetadata(ForceParameter)
            .Says("archiveTemplate", "Nothing is sent with it any more, and its name is free. It stays readable by its id. Refused while "
                + "other templates call it.", null, "not-found", "template-in-use", "invalid-field");
        app.MapPost("/templates/preview", PreviewAsync).For(Access.Read)
            .Takes<PreviewShape>().Answers<PreviewAnswer>(200)
            .Says("previewTemplate",
                "What a message would say of a template that is not kept. What cannot be read is told with line and column.",
                """{"subject":"Hi {{name}}","html":"<p>Welcome, {{name}}.</p>","data":{"name":"Ann"}}""",
                [.. BodyRefusals, "template-data", "template-limit", "header-injection"]);
        app.MapPost("/templates/{template}/render", RenderAsync).For(Access.Read)
            .Takes<RenderShape>().Answers<RenderAnswer>(200)
            .Says("renderTemplate", "What a message would say; with the template's test data where none is given.",
                """{"data":{"name":"Ann"}}""",
                "malformed-json", "unsupported-media-type", "unknown-field", "invalid-field", "not-found", "template-data",
                "template-limit", "header-injection");
    }

    static readonly DocumentedParameters ListParameters = new(
        [new("limit", "1 to 100. Default 20."), new("after", "The number of the last template of the page before.")]);

    static readonly DocumentedParameters ForceParameter = new([new("force", "true: also while other templates call it.")]);

    static readonly DocumentedParameters VersionParameter = new([new("version", "A version; otherwise the newest.")]);

    static async Task<Results<JsonHttpResult<TemplateAnswer>, ProblemResult>> AddAsync(
        HttpContext context, JsonBody bodies, TemplateLibrary templates)
    {
        var body = await bodies.ReadAsync<TemplateRequest>(context, TemplateReader.New);
        return body.Value is { } request
            ? Result(await templates.AddAsync(context.Caller.Tenant, request.Name, request.Content))
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<TemplateAnswer>, ProblemResult>> AddVersionAsync(
        string template, HttpContext context, JsonBody bodies, TemplateLibrary templates)
    {
        var body = await bodies.ReadAsync<TemplateRequest>(context, TemplateReader.Version);
        return body.Value is { } request
            ? Result(await templates.AddVersionAsync(context.Caller.Tenant, template, request.Content, context.RequestAborted))
            : new ProblemResult(body.Problem!);
    }

    static async Task<Results<JsonHttpResult<TemplateListAnswer>, ProblemResult>> ListAsync(HttpContext context, TemplateLibrary templates)
    {
        var query = new ListQuery(context.Request.Query, ListParameters);
        var (limit, after) = (query.Limit(), (int)Math.Min(query.AfterNumber() ?? 0, int.MaxValue));
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        var found = await templates.ListAsync(context.Caller.Tenant, after, limit + 1, context.RequestAborted);
        return ApiJson.Answer(new TemplateListAnswer([.. found.Take(limit).Select(Summary)], found.Count > limit));
    }

    static async Task<Results<JsonHttpResult<TemplateAnswer>, ProblemResult>> GetAsync(
        string template, HttpContext context, TemplateLibrary templates)
    {
        var query = new ListQuery(context.Request.Query, VersionParameter);
        int? version = query.Number("version", 1, int.MaxValue, 0) is > 0 and var given ? given : null;
        if (query.Problem is { } problem)
            return new ProblemResult(problem);
        return await templates.FindAsync(context.Caller.Tenant, template, version, context.RequestAborted) is { } found
            ? ApiJson.Answer(Answer(found))
            : new ProblemResult(await templates.WhyAbsentAsync(context.Caller.Tenant, template, version, context.RequestAborted));
    }

    static async Task<Results<NoContent, ProblemResult>> ArchiveAsync(string template, HttpContext context, TemplateLibrary templates)
    {
        var query = new ListQuery(context.Request.Query, ForceParameter);
        var isForced = query.Flag("force");
        var problem = query.Problem
            ?? await templates.ArchiveAsync(context.Caller.Tenant, template, isForced, context.RequestAborted);
        return problem is null ? TypedResults.NoContent() : new ProblemResult(problem);
    }

    static async Task<Results<JsonHttpResult<RenderAnswer>, ProblemResult>> RenderAsync(
        string template, HttpContext context, JsonBody bodies, TemplateLibrary templates)
    {
        var body = await bodies.ReadOptionalAsync(context, TemplateReader.Render, new RenderRequest(null, default));
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        if (await templates.FindAsync(context.Caller.Tenant, template, request.Version, context.RequestAborted) is not { } found)
            return new ProblemResult(
                await templates.WhyAbsentAsync(context.Caller.Tenant, template, request.Version, context.RequestAborted));
        var (filled, problem) = await templates.PreviewAsync(
            context.Caller.Tenant, found.Version.Content, request.Data, found.Number, context.RequestAborted);
        return filled is null
            ? new ProblemResult(problem!)
            : ApiJson.Answer(new RenderAnswer(found.Id, found.Version.Number, filled.Subject, filled.Text, filled.Html));
    }

    static async Task<Results<JsonHttpResult<PreviewAnswer>, ProblemResult>> PreviewAsync(
        HttpContext context, JsonBody bodies, TemplateLibrary templates)
    {
        var body = await bodies.ReadAsync<PreviewRequest>(context, TemplateReader.Preview);
        if (body.Value is not { } request)
            return new ProblemResult(body.Problem!);
        var (filled, problem) = await templates.PreviewAsync(
            context.Caller.Tenant, request.Content, request.Data, number: null, context.RequestAborted);
        return filled is null
            ? new ProblemResult(problem!) : ApiJson.Answer(new PreviewAnswer(filled.Subject, filled.Text, filled.Html));
    }

    static Results<JsonHttpResult<TemplateAnswer>, ProblemResult> Result(TemplateResult result) =>
        result.Template is { } template
            ? ApiJson.Answer(Answer(template), StatusCodes.Status201Created) : new ProblemResult(result.Problem!);

    static TemplateSummaryAnswer Summary(StoredTemplate template) =>
        new(template.Id, template.Number, template.Name, template.NewestVersion, template.CreatedAt, template.ArchivedAt);

    static TemplateAnswer Answer(StoredTemplate template) => new()
    {
        Id = template.Id,
        Number = template.Number,
        Name = template.Name,
        Version = template.Version.Number,
        NewestVersion = template.NewestVersion,
        Subject = template.Version.Content.Subject,
        Text = template.Version.Content.Text,
        Html = template.Version.Content.Html,
        Strict = template.Version.Content.IsStrict,
        AllowRawHtml = template.Version.Content.AllowsRawHtml,
        TestData = template.Version.Content.TestData is { } data ? JsonElement.Parse(data) : null,
        CreatedAt = template.CreatedAt,
        VersionCreatedAt = template.Version.CreatedAt,
        ArchivedAt = template.ArchivedAt,
    };
}

/// <param name="Name">Empty for another version.</param>
sealed record TemplateRequest(string Name, TemplateContent Content);

/// <param name="Data">Undefined: the test data of the content.</param>
sealed record PreviewRequest(TemplateContent Content, JsonElement Data);

/// <param name="Data">Undefined: the template's test data.</param>
sealed record RenderRequest(int? Version, JsonElement Data);

/// <summary>Reads the bodies of the calls about templates.</summary>
static class TemplateReader
{
    public static TemplateRequest? New(JsonElement body, out Problem? problem) => Read(body, "name", out problem, out _);

    public static TemplateRequest? Version(JsonElement body, out Problem? problem) => Read(body, null, out problem, out _);

    public static PreviewRequest? Preview(JsonElement body, out Problem? problem) =>
        Read(body, "data", out problem, out var data) is { } read ? new PreviewRequest(read.Content, data) : null;

    public static RenderRequest? Render(JsonElement body, out Problem? problem)
    {
        var faults = new ShapeFaults();
        var request = new RenderRequest(null, default);
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
                switch (member.Name)
                {
                    case "version": request = request with { Version = VersionNumber(member.Value, "/version", faults) }; break;
                    case "data": request = request with { Data = Data(member.Value, "/data", faults) }; break;
                    default: faults.Unknown(ShapeFaults.Below("", member.Name)); break;
                }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? request : null;
    }

    /// <summary>What a message names: a text, or an object of id, version and variables (Resend's word for the data).</summary>
    public static TemplateUse? Use(JsonElement value, ShapeFaults faults)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return faults.Text(value, "/template") is { } name ? new TemplateUse(name) : null;
        var use = new TemplateUse("");
        foreach (var member in value.EnumerateObject())
            switch (member.Name)
            {
                case "id": use = use with { Name = faults.Text(member.Value, "/template/id") ?? "" }; break;
                case "version": use = use with { Version = VersionNumber(member.Value, "/template/version", faults) }; break;
                case "variables": use = use with { Data = Data(member.Value, "/template/variables", faults) }; break;
                default: faults.Unknown(ShapeFaults.Below("/template", member.Name)); break;
            }
        if (use.Name.Length == 0)
            faults.Invalid("/template/id", "A template is named by its id, its name or its number.");
        return use;
    }

    /// <summary>Undefined for null. Nothing of it refers to the body.</summary>
    public static JsonElement Data(JsonElement value, string pointer, ShapeFaults faults) =>
        faults.IsObject(value, pointer) ? value.Clone() : default;

    /// <param name="also">A member beside those of the content; null: there is none.</param>
    static TemplateRequest? Read(JsonElement body, string? also, out Problem? problem, out JsonElement data)
    {
        data = default;
        var faults = new ShapeFaults();
        var name = "";
        var content = new TemplateContent();
        if (faults.IsObject(body, ""))
            foreach (var member in body.EnumerateObject())
            {
                var (value, pointer) = (member.Value, ShapeFaults.Below("", member.Name));
                switch (member.Name)
                {
                    case "name" when also == "name": name = faults.Text(value, pointer) ?? ""; break;
                    case "data" when also == "data": data = Data(value, pointer, faults); break;
                    case "subject": content = content with { Subject = faults.Text(value, pointer) }; break;
                    case "text": content = content with { Text = faults.Text(value, pointer) }; break;
                    case "html": content = content with { Html = faults.Text(value, pointer) }; break;
                    case "strict": content = content with { IsStrict = Flag(value, pointer, faults) }; break;
                    case "allow_raw_html": content = content with { AllowsRawHtml = Flag(value, pointer, faults) == true }; break;
                    case "test_data":
                        content = content with { TestData = faults.IsObject(value, pointer) ? value.GetRawText() : null };
                        break;
                    default: faults.Unknown(pointer); break;
                }
            }
        problem = faults.Any ? faults.ToProblem() : null;
        return problem is null ? new TemplateRequest(name, content) : null;
    }

    static int? VersionNumber(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind == JsonValueKind.Null)
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var version) && version > 0)
            return version;
        faults.Invalid(pointer, "Must be the number of a version.");
        return null;
    }

    static bool? Flag(JsonElement value, string pointer, ShapeFaults faults)
    {
        if (value.ValueKind is not (JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null))
            faults.Invalid(pointer, "Must be true or false.");
        return value.ValueKind == JsonValueKind.Null ? null : value.ValueKind == JsonValueKind.True;
    }
}

/// <summary>Answer to <c>GET /templates</c>.</summary>
sealed record TemplateListAnswer(IReadOnlyList<TemplateSummaryAnswer> Data, bool HasMore);

/// <summary>A template without what it says.</summary>
sealed record TemplateSummaryAnswer(
    string Id, int Number, string Name, int NewestVersion, DateTimeOffset CreatedAt, DateTimeOffset? ArchivedAt);

/// <summary>A template in one of its versions.</summary>
sealed record TemplateAnswer
{
    public required string Id { get; init; }
    public required int Number { get; init; }
    public required string Name { get; init; }
    public required int Version { get; init; }
    public required int NewestVersion { get; init; }
    public required string? Subject { get; init; }
    public required string? Text { get; init; }
    public required string? Html { get; init; }
    public required bool? Strict { get; init; }
    public required bool AllowRawHtml { get; init; }
    public required JsonElement? TestData { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset VersionCreatedAt { get; init; }

    /// <summary>Nothing is sent with it any more; null while it can be.</summary>
    public required DateTimeOffset? ArchivedAt { get; init; }
}

/// <summary>What a message would say.</summary>
sealed record PreviewAnswer(string? Subject, string? Text, string? Html);

/// <summary>What a message would say.</summary>
sealed record RenderAnswer(string Id, int Version, string? Subject, string? Text, string? Html);
