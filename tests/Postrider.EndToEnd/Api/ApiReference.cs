using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Api;

namespace Postrider.EndToEnd.Api;

/// <summary>Writes <c>docs/api-reference.md</c> from the OpenAPI document.</summary>
sealed class ApiReference
{
    static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    readonly StringBuilder _page = new();
    readonly JsonObject _schemas;

    ApiReference(JsonNode document) => _schemas = document["components"]!["schemas"]!.AsObject();

    public static string Of(JsonNode document)
    {
        var reference = new ApiReference(document);
        reference.WritePage(document);
        return reference._page.ToString();
    }

    void WritePage(JsonNode document)
    {
        Add("""
            # Every call

            Written from the OpenAPI document by `make docs`; a test holds it equal. What holds for all calls: [api.md](api.md). A member in **bold**
            must be there.


            """);
        var calls = document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject()
                .Select(call => (Path: path.Key, Method: call.Key.ToUpperInvariant(), Call: call.Value!)))
            .ToLookup(call => (string)call.Call["tags"]![0]!);
        var topics = document["tags"]!.AsArray().Select(tag => (string)tag!["name"]!).ToList();
        var contents = topics.Concat(["Problems", "Shapes"]).Select(topic => $"[{topic}](#{Anchor(topic)})");
        Add(string.Join(" · ", contents) + "\n");
        foreach (var topic in topics)
        {
            Add($"\n## {topic}\n\n| call | |\n|---|---|\n");
            foreach (var (path, method, call) in calls[topic])
                Add($"| [`{method} {path}`](#{Anchor($"{method} {path}")}) | {Cell((string?)call["summary"])} |\n");
            foreach (var (path, method, call) in calls[topic])
                WriteCall(method, path, call);
        }
        WriteProblems();
        Add("\n## Shapes\n");
        foreach (var (name, schema) in _schemas.OrderBy(schema => schema.Key, StringComparer.Ordinal))
            WriteSchema(name, schema!);
    }

    void WriteCall(string method, string path, JsonNode call)
    {
        Add($"\n### `{method} {path}`\n\n{call["summary"]} {call["description"]}\n");
        if (call["parameters"] is JsonArray { Count: > 0 } parameters)
        {
            Add("\n| parameter | in | |\n|---|---|---|\n");
            foreach (var parameter in parameters)
                Add($"| `{parameter!["name"]}` | {parameter["in"]} | {Cell((string?)parameter["description"])} |\n");
        }
        foreach (var (type, body) in call["requestBody"]?["content"]?.AsObject() ?? [])
        {
            Add($"\nBody, `{type}`: {TypeOf(body!["schema"])}\n");
            if (body["example"] is { } example)
                Add(example is JsonValue
                    ? $"\n```\n{((string)example!).TrimEnd('\n')}\n```\n"
                    : $"\n```json\n{example.ToJsonString(Indented)}\n```\n");
        }
        Add("\n| answer | |\n|---|---|\n");
        foreach (var (status, answer) in call["responses"]!.AsObject())
            Add($"| {status} | {AnswerOf(answer!)} |\n");
    }

    void Add(string text) => _page.Append(text);

    string AnswerOf(JsonNode answer)
    {
        if (answer["content"]?["application/problem+json"] is not null)
            return string.Join(", ", ((string)answer["description"]!).Split(", ").Select(slug => $"[{slug}](#problems)"));
        var content = answer["content"]?.AsObject() ?? [];
        return content.Count == 0 ? Cell((string?)answer["description"])
            : string.Join("; ", content.Select(kind => kind.Key == "application/json" ? TypeOf(kind.Value!["schema"]) : $"`{kind.Key}`"));
    }

    void WriteProblems()
    {
        Add("\n## Problems\n\nThe `type` of a refusal is `/problems/` and one of these; the server explains it under that address.\n\n");
        Add("| problem | status | |\n|---|---|---|\n");
        foreach (var kind in ProblemCatalog.All)
            Add($"| {kind.Slug} | {kind.Status} | {Cell(kind.Explanation)} |\n");
    }

    void WriteSchema(string name, JsonNode schema)
    {
        Add($"\n### {name}\n\n{schema["description"]}\n");
        if (schema["enum"] is JsonArray)
            Add($"\n{TypeOf(schema)}\n");
        if (schema["properties"] is not JsonObject { Count: > 0 } members)
            return;
        // Of answers every member is there.
        var required = name.EndsWith("Shape", StringComparison.Ordinal)
            ? schema["required"]?.AsArray().Select(member => (string)member!).ToHashSet() ?? [] : [];
        Add("\n| member | type | |\n|---|---|---|\n");
        foreach (var (member, value) in members)
            Add($"| {(required.Contains(member) ? $"**`{member}`**" : $"`{member}`")} | {TypeOf(value)} | {WordsOf(value!)} |\n");
    }

    string WordsOf(JsonNode value) =>
        Cell((string?)value["description"] ?? (NameOf(value) is { } name ? (string?)_schemas[name]?["description"] : null));

    string TypeOf(JsonNode? schema)
    {
        if (schema is null)
            return "";
        if (NameOf(schema) is { } name)
            return $"[{name}](#{Anchor(name)})";
        if (schema["oneOf"] is JsonArray forms)
            return string.Join(" or ", forms.OrderBy(form => form!["type"] is JsonValue type && type.ToString() == "null").Select(TypeOf).Distinct());
        if (schema["enum"] is JsonArray words)
            return string.Join(", ", words.Select(word => word is null ? "null" : $"`{word}`"));
        var types = schema["type"] is JsonArray several ? [.. several.Select(type => (string)type!)]
            : schema["type"] is { } one ? new[] { (string)one! } : [];
        return string.Join(" or ", types.OrderBy(type => type == "null").Select(type => type switch
        {
            "array" => $"list of {TypeOf(schema["items"])}",
            "object" when schema["additionalProperties"] is JsonObject values => $"object of {TypeOf(values)}",
            "string" when (string?)schema["format"] == "date-time" => "instant",
            "string" => "text",
            "boolean" => "true or false",
            var other => other,
        }));
    }

    static string? NameOf(JsonNode schema) => ((string?)schema["$ref"])?.Split('/')[^1];

    static string Cell(string? text) => (text ?? "").Replace("|", "\\|", StringComparison.Ordinal);

    static string Anchor(string heading) => string.Concat(heading.ToLowerInvariant()
        .Where(c => char.IsAsciiLetterOrDigit(c) || c is ' ' or '-' or '_').Select(c => c == ' ' ? '-' : c));
}
