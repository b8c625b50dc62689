using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Postrider.Api;

/// <summary>What an endpoint says about itself in the OpenAPI document.</summary>
/// <param name="Slugs">The refusals worth naming; 401, 403 and 503 are added where they can happen.</param>
sealed record Documented(string Id, string Summary, string? Example, IReadOnlyList<string> Slugs);

/// <summary>An answer that is no JSON of ours, for the OpenAPI document.</summary>
/// <param name="MediaType">Null: it has no body.</param>
sealed record PlainAnswer(int Status, string? MediaType, string Description);

/// <summary>The OpenAPI document: made from the endpoints themselves, with examples, refusals and the security scheme added.</summary>
static class OpenApiDocumentation
{
    const string Scheme = "bearer";
    const string Csv = "text/csv";

    extension(RouteHandlerBuilder builder)
    {
        /// <summary>Names the call and what can go wrong.</summary>
        public RouteHandlerBuilder Says(string id, string summary, string? example = null, params string[] slugs)
        {
            builder.WithMetadata(new Documented(id, summary, example, slugs));
            return builder;
        }

        public RouteHandlerBuilder Answers<TAnswer>(int status)
        {
            builder.WithMetadata(new ProducesResponseTypeMetadata(status, typeof(TAnswer), ["application/json"]));
            return builder;
        }

        /// <summary>It answers with a text, a file, or no body at all.</summary>
        public RouteHandlerBuilder AnswersPlain(int status, string? mediaType, string description)
        {
            builder.WithMetadata(new PlainAnswer(status, mediaType, description));
            return builder;
        }

        public RouteHandlerBuilder Takes<TBody>(params string[] more)
        {
            builder.WithMetadata(new AcceptsMetadata(["application/json", .. more], typeof(TBody)));
            return builder;
        }
    }

    public static void AddDocument(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "Postrider",
                Version = "1",
                Description = "Hand an email over once: it is kept, delivered through whichever provider works, and tells its whole story. "
                    + "Beside these calls the send APIs of vendors are served as the vendors describe them: SendGrid's /v3/mail/send, "
                    + "Mailgun's /v3/{domain}/messages and messages.mime, SES's /v2/email/outbound-emails and outbound-bulk-emails, "
                    + "Postmark's /email, /email/batch, /email/withTemplate and /email/batchWithTemplates. "
                    + "Any call may also be answered bad-request, method-not-allowed, request-timeout, uri-too-long, headers-too-large or "
                    + "internal-error.",
                License = new OpenApiLicense { Name = "MIT", Identifier = "MIT" },
            };
            document.Servers = [new OpenApiServer { Url = "/", Description = "The server that this document was fetched from." }];
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                [Scheme] = new OpenApiSecurityScheme
                {
                    Type = SecuritySchemeType.Http,
                    Scheme = "bearer",
                    Description = "An API key, or a token made from one with POST /tokens.",
                },
            };
            OpenApiSchemas.Complete(document);
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(DescribeAsync);
        options.AddSchemaTransformer((schema, context, _) =>
        {
            OpenApiSchemas.Reshape(schema, context.JsonTypeInfo);
            return Task.CompletedTask;
        });
    });

    static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var access = metadata.OfType<Access>().LastOrDefault();
        var documented = metadata.OfType<Documented>().LastOrDefault();
        var path = $"/{context.Description.RelativePath}";
        operation.Tags = new HashSet<OpenApiTagReference> { new(ApiWords.TopicOf(path), context.Document) };
        if (documented is not null)
        {
            operation.OperationId = documented.Id;
            operation.Summary = documented.Summary;
            DescribeBody(operation, documented.Example);
        }
        if (operation.OperationId == "sendBatch")
            DescribeLines(operation);
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
            parameter.Description ??= ApiWords.OfParameter(path, parameter.Name ?? "");
        operation.Description = WhoMay(access);
        if (access is { IsOpen: false })
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] }];
        DescribeAnswers(operation, metadata.OfType<PlainAnswer>());
        if (metadata.OfType<TakesMail>().Any())
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = "Idempotency-Key",
                In = ParameterLocation.Header,
                Description = "1 to 255 printable ASCII characters. The same key with the same request gets the first answer again.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String, MaxLength = 255 },
            });
        foreach (var parameter in metadata.OfType<DocumentedParameters>().SelectMany(p => p.All))
            (operation.Parameters ??= []).Add(new OpenApiParameter
            {
                Name = parameter.Name,
                In = ParameterLocation.Query,
                Description = parameter.Description,
                Schema = SchemaOf(parameter),
            });
        List<string> slugs = [.. documented?.Slugs ?? []];
        if (!metadata.OfType<AnyParameters>().Any())
            slugs.Add("unknown-field");
        await AddProblemsAsync(operation, context, access, slugs, ct);
    }

    static OpenApiSchema SchemaOf(ParameterDoc parameter) => parameter.IsRepeated
        ? new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String } }
        : new OpenApiSchema { Type = parameter.Name == "limit" ? JsonSchemaType.Integer : JsonSchemaType.String };

    static string WhoMay(Access? access) => access switch
    {
        null or { IsOpen: true } => "Needs no credential.",
        { Scopes: Tenants.Scopes.None } => "Needs any valid credential.",
        _ => $"Needs the scope {string.Join(", ", Tenants.ScopeNames.Of(access.Scopes))}"
            + (access.IsForInstallation ? " of the first tenant." : "."),
    };

    static void DescribeBody(OpenApiOperation operation, string? example)
    {
        var isUpload = operation.RequestBody?.Content?.ContainsKey(Csv) == true;
        foreach (var (type, content) in operation.RequestBody?.Content ?? new Dictionary<string, OpenApiMediaType>())
        {
            if (type == Csv)
                content.Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "A header line, and a line for each." };
            else if (isUpload && type == NdjsonSubmission.MediaType)
                content.Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "An object or an address in each line." };
            content.Example = type switch
            {
                Csv => JsonValue.Create("email,name\nann@example.com,Ann\n"),
                NdjsonSubmission.MediaType => JsonValue.Create(isUpload ? """{"email":"ann@example.com"}""" + "\n" : OneLine(example)),
                _ => example is not null ? JsonNode.Parse(example) : isUpload ? JsonNode.Parse("""[{"email":"ann@example.com"}]""") : null,
            };
        }
    }

    // Of a call that takes an array as well.
    static string? OneLine(string? array) => array is ['[', .. var one, ']'] ? one + "\n" : null;

    static void DescribeAnswers(OpenApiOperation operation, IEnumerable<PlainAnswer> answers)
    {
        foreach (var answer in answers)
        {
            // The framework takes 200 for granted where nothing says otherwise.
            if (answer.Status != 200 && operation.Responses?.GetValueOrDefault("200") is { Content: not { Count: > 0 } })
                operation.Responses.Remove("200");
            var status = answer.Status.ToString(CultureInfo.InvariantCulture);
            operation.Responses ??= [];
            if (!operation.Responses.TryGetValue(status, out var there) || there is not OpenApiResponse response)
                operation.Responses[status] = response = new OpenApiResponse();
            response.Description = answer.Description;
            if (answer.MediaType is { } type)
                (response.Content ??= new Dictionary<string, OpenApiMediaType>())[type] =
                    new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        }
    }

    /// <summary>A stream of lines is no array: where one is taken, lines are answered.</summary>
    static void DescribeLines(OpenApiOperation operation)
    {
        const string type = NdjsonSubmission.MediaType;
        if (operation.RequestBody?.Content is not { } taken || !taken.TryGetValue(type, out var lines))
            return;
        lines.Schema = new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Description = "One message as for POST /emails in each line, as many as you like.",
        };
        foreach (var (_, answer) in operation.Responses?.Where(r => r.Key == "200") ?? [])
            answer.Content?.TryAdd(type, new OpenApiMediaType
            {
                Schema = new OpenApiSchema
                {
                    Type = JsonSchemaType.String,
                    Description = """A line for each, in order, after its commit: {"line":1,"id":"…"} or {"line":1,"error":{problem}}.""",
                },
            });
    }

    static async Task AddProblemsAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, Access? access, List<string> slugs,
        CancellationToken ct)
    {
        const string name = nameof(ProblemShape);
        var document = context.Document!;
        document.Components ??= new OpenApiComponents();
        document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
        if (!document.Components.Schemas.ContainsKey(name))
            document.AddComponent(name, await context.GetOrCreateSchemaAsync(typeof(ProblemShape), null, ct));
        if (access is { IsOpen: false })
            slugs.AddRange("unauthenticated", "invalid-token", "insufficient-scope", "tenant-archived", "rate-limited", "storage-unavailable");
        if (access is { IsForInstallation: true })
            slugs.Add("installation-only");
        foreach (var kinds in slugs.Select(s => ProblemCatalog.Find(s)!).Distinct().GroupBy(k => k.Status).OrderBy(g => g.Key))
            (operation.Responses ??= [])[kinds.Key.ToString(CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = string.Join(", ", kinds.Select(k => k.Slug)),
                Headers = kinds.Key is 429 or 503 ? new Dictionary<string, IOpenApiHeader> { ["Retry-After"] = RetryAfter } : null,
                Content = new Dictionary<string, OpenApiMediaType>
                {
                    ["application/problem+json"] = new()
                    {
                        Schema = new OpenApiSchemaReference(name, document),
                        Example = ExampleOf(kinds.First()),
                    },
                },
            };
    }

    static OpenApiHeader RetryAfter => new()
    {
        Description = "Seconds after which to try again.",
        Schema = new OpenApiSchema { Type = JsonSchemaType.Integer },
    };

    static JsonObject ExampleOf(ProblemKind kind) => new()
    {
        ["type"] = $"/problems/{kind.Slug}",
        ["title"] = kind.Title,
        ["status"] = kind.Status,
        ["detail"] = kind.Explanation,
    };
}
