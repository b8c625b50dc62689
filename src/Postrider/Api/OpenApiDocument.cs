using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Postrider.Api;

/// <summary>What an endpoint says about itself in the OpenAPI document.</summary>
/// <param name="Slugs">The refusals worth naming; 401, 403 and 503 are added where they can happen.</param>
sealed record Documented(string Id, string Summary, string? Example, IReadOnlyList<string> Slugs);

/// <summary>The OpenAPI document: made from the endpoints themselves, with examples, refusals and the security scheme added.</summary>
static class OpenApiDocumentation
{
    const string Scheme = "bearer";

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
                    + "Postmark's /email, /email/batch, /email/withTemplate and /email/batchWithTemplates.",
            };
            document.Servers = [];
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
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(DescribeAsync);
        options.AddSchemaTransformer((schema, context, _) =>
        {
            Reshape(schema, context.JsonTypeInfo);
            return Task.CompletedTask;
        });
    });

    static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken ct)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var access = metadata.OfType<Access>().LastOrDefault();
        var documented = metadata.OfType<Documented>().LastOrDefault();
        if (documented is not null)
        {
            operation.OperationId = documented.Id;
            operation.Summary = documented.Summary;
            if (documented.Example is { } example)
                foreach (var content in operation.RequestBody?.Content?.Where(c => c.Key == "application/json") ?? [])
                    content.Value.Example = JsonNode.Parse(example);
        }
        if (operation.OperationId == "sendBatch")
            DescribeLines(operation);
        if (access is { IsOpen: false })
        {
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] }];
            operation.Description = access.Scopes == Tenants.Scopes.None
                ? "Needs any valid credential."
                : $"Needs the scope {string.Join(", ", Tenants.ScopeNames.Of(access.Scopes))}"
                    + (access.IsForInstallation ? " of the first tenant." : ".");
        }
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
                Schema = new OpenApiSchema { Type = parameter.Name == "limit" ? JsonSchemaType.Integer : JsonSchemaType.String },
            });
        await AddProblemsAsync(operation, context, access, documented, ct);
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
        OpenApiOperation operation, OpenApiOperationTransformerContext context, Access? access, Documented? documented,
        CancellationToken ct)
    {
        var problem = await context.GetOrCreateSchemaAsync(typeof(ProblemShape), null, ct);
        List<string> slugs = [.. documented?.Slugs ?? []];
        if (access is { IsOpen: false })
            slugs.AddRange("unauthenticated", "insufficient-scope", "tenant-archived", "rate-limited", "storage-unavailable");
        if (access is { IsForInstallation: true })
            slugs.Add("installation-only");
        foreach (var kinds in slugs.Select(s => ProblemCatalog.Find(s)!).Distinct().GroupBy(k => k.Status).OrderBy(g => g.Key))
            (operation.Responses ??= [])[kinds.Key.ToString(System.Globalization.CultureInfo.InvariantCulture)] = new OpenApiResponse
            {
                Description = string.Join(", ", kinds.Select(k => k.Slug)),
                Content = new Dictionary<string, OpenApiMediaType> { ["application/problem+json"] = new() { Schema = problem } },
            };
    }

    /// <summary>The shapes that have no class of their own: one of several forms.</summary>
    static void Reshape(OpenApiSchema schema, JsonTypeInfo type)
    {
        if (type.Type == typeof(AddressShape))
            OneOf(schema, Text("Name <ann@example.com>"), Pair("email", "name"));
        else if (type.Type == typeof(AddressesShape))
            OneOf(schema, Text("ann@example.com"), Pair("email", "name"), new OpenApiSchema
            {
                Type = JsonSchemaType.Array,
                Items = new OpenApiSchema { OneOf = [Text("ann@example.com"), Pair("email", "name")] },
            });
        else if (type.Type == typeof(HeadersShape))
            OneOf(
                schema, new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalProperties = Text(null) },
                new OpenApiSchema { Type = JsonSchemaType.Array, Items = Pair("name", "value") });
        else if (type.Type == typeof(TagShape))
            OneOf(schema, Text("welcome"), Pair("name", "value"));
        else if (type.Type == typeof(SpanShape))
            OneOf(schema, new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1" }, Text("24h"));
        else if (type.Type == typeof(TemplateUseShape))
            OneOf(schema, Text("welcome"), new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Properties = new Dictionary<string, IOpenApiSchema>
                {
                    ["id"] = Text(null),
                    ["version"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Minimum = "1" },
                    ["variables"] = new OpenApiSchema { Type = JsonSchemaType.Object },
                },
                Required = new HashSet<string> { "id" },
                AdditionalPropertiesAllowed = false,
            });
        else if (type.Type.IsAssignableTo(typeof(MessageShape)))
            schema.AdditionalPropertiesAllowed = false;
    }

    static void OneOf(OpenApiSchema schema, params IOpenApiSchema[] forms)
    {
        schema.Type = null;
        schema.Properties = null;
        schema.OneOf = forms;
    }

    static OpenApiSchema Text(string? example) =>
        new() { Type = JsonSchemaType.String, Examples = example is null ? null : [JsonValue.Create(example)] };

    static OpenApiSchema Pair(string first, string second) => new()
    {
        Type = JsonSchemaType.Object,
        Properties = new Dictionary<string, IOpenApiSchema> { [first] = Text(null), [second] = Text(null) },
        Required = new HashSet<string> { first },
        AdditionalPropertiesAllowed = false,
    };
}
