using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;

namespace Postrider.Api;

/// <summary>The schemas of the OpenAPI document where types alone do not say enough.</summary>
static partial class OpenApiSchemas
{
    /// <summary>The shapes that have no class of their own (one of several forms), and what our converters write.</summary>
    public static void Reshape(OpenApiSchema schema, JsonTypeInfo type)
    {
        foreach (var member in type.Properties)
            if (MayBeLeftOut(type, member))
                schema.Required?.Remove(member.Name);
        if (type.Type == typeof(DateTimeOffset))
            schema.Type = JsonSchemaType.String;
        else if (type.Type == typeof(DateTimeOffset?))
            schema.Type = JsonSchemaType.String | JsonSchemaType.Null;
        else if (type.Type == typeof(AddressShape))
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
        else if (type.Type == typeof(DestinationShape))
            OneOf(schema, Text("Name <ann@example.com>"), new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Properties = new Dictionary<string, IOpenApiSchema>
                {
                    ["email"] = Text(null),
                    ["name"] = Text(null),
                    ["data"] = new OpenApiSchema { Type = JsonSchemaType.Object },
                },
                Required = new HashSet<string> { "email" },
                AdditionalPropertiesAllowed = false,
            });
        else if (type.Type == typeof(OptionValueShape))
            schema.Type = JsonSchemaType.String | JsonSchemaType.Number | JsonSchemaType.Null;
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

    /// <summary>To the framework every parameter of a record's constructor is required.</summary>
    static bool MayBeLeftOut(JsonTypeInfo type, JsonPropertyInfo member) =>
        type.Type.Name.EndsWith("Shape", StringComparison.Ordinal)
            ? member.IsGetNullable || Nullable.GetUnderlyingType(member.PropertyType) is not null
            : member.AttributeProvider?.GetCustomAttributes(typeof(JsonIgnoreAttribute), inherit: true) is
                [JsonIgnoreAttribute { Condition: JsonIgnoreCondition.WhenWritingNull }];

    /// <summary>Gives words to members that have none, and takes out what only the framework knows.</summary>
    public static void Complete(OpenApiDocument document)
    {
        foreach (var (name, schema) in document.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        {
            schema.Description = OneLine(schema.Description ?? ApiWords.OfMember("", name));
            foreach (var (member, value) in schema.Properties ?? new Dictionary<string, IOpenApiSchema>())
                if (value is OpenApiSchema own)
                    own.Description = OneLine(own.Description ?? ApiWords.OfMember(name, member));
        }
        document.Tags = document.Paths.Keys.Select(ApiWords.TopicOf).Distinct().Order(StringComparer.Ordinal)
            .Select(topic => new OpenApiTag { Name = topic }).ToHashSet();
    }

    // Comments in the code are wrapped.
    static string? OneLine(string? text) => text is null ? null : Space().Replace(text, " ").Trim();

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

    [GeneratedRegex(@"\s+")]
    private static partial Regex Space();
}
