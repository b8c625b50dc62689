using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Api;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The OpenAPI document says what the server does: all of it, and nothing else.</summary>
public sealed class OpenApiTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Every_route_is_in_it_and_none_that_is_not_there()
    {
        var document = await DocumentAsync();
        var described = document["paths"]!.AsObject()
            .SelectMany(p => p.Value!.AsObject().Select(o => $"{o.Key.ToUpperInvariant()} {p.Key}")).Order();
        var served = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<Documented>() is not null || e.RoutePattern.RawText != "/openapi/{documentName}.json")
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Select(m =>
                $"{m} {e.RoutePattern.RawText!.Replace(":long", "", StringComparison.Ordinal)}"))
            .Order();
        Assert.Equal(served, described);
    }

    [Fact]
    public async Task Every_call_has_a_name_a_summary_an_answer_and_its_refusals()
    {
        var document = await DocumentAsync();
        var operations = Operations(document).ToList();
        Assert.Equal(operations.Count,
            operations.Select(o => (string?)o.Operation["operationId"]).Where(id => id is not null).Distinct().Count());
        Assert.All(operations, o =>
        {
            Assert.False(string.IsNullOrEmpty((string?)o.Operation["summary"]), o.Name);
            var responses = o.Operation["responses"]!.AsObject();
            Assert.Contains(responses, r => r.Key[0] is '2' or '3');
            if (o.Operation["security"] is not null)
                Assert.Superset(new HashSet<string> { "401", "403", "503" }, responses.Select(r => r.Key).ToHashSet());
        });
        Assert.Equal(["200", "400", "401", "403", "404", "409", "413", "415", "422", "429", "503"],
            document["paths"]!["/emails/batch"]!["post"]!["responses"]!.AsObject().Select(r => r.Key).Order());
    }

    // What the document says that a message takes is taken, and the other way round: all else is refused as unknown.
    [Fact]
    public async Task Every_field_that_it_names_is_read_and_its_examples_are_accepted()
    {
        var document = await DocumentAsync();
        var values = new Dictionary<string, string>
        {
            ["from"] = "\"a@example.com\"",
            ["to"] = "[\"b@example.com\"]",
            ["cc"] = "\"c@example.com\"",
            ["bcc"] = "{\"email\":\"d@example.com\"}",
            ["reply_to"] = "\"r@example.com\"",
            ["subject"] = "\"S\"",
            ["text"] = "\"T\"",
            ["html"] = "\"H\"",
            ["headers"] = "{\"X-A\":\"1\"}",
            ["attachments"] = "[{\"filename\":\"a\",\"content\":\"\"}]",
            ["tags"] = "[\"t\"]",
            ["metadata"] = "{\"a\":\"b\"}",
            ["send_at"] = "\"2001-01-01T00:00:00Z\"",
            ["expires_in"] = "\"1h\"",
            ["stream"] = "\"bulk\"",
            ["route"] = "\"default\"",
            ["on_ambiguous"] = "\"hold\"",
            ["ordering_key"] = "\"k\"",
            ["track"] = "{\"opens\":true,\"clicks\":false}",
        };
        // A template stands for text and HTML.
        string[] others = ["scheduled_at", "template", "data"];
        var fields = document["components"]!["schemas"]!["EmailShape"]!["properties"]!.AsObject().Select(p => p.Key).ToHashSet();
        Assert.Equal(values.Keys.Concat(others).Order(), fields.Order());
        using var response = await _server.Client.PostAsync(
            "/emails", TestServer.Json("{" + string.Join(',', values.Select(v => $"\"{v.Key}\":{v.Value}")) + "}"));
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());

        foreach (var (name, operation) in Operations(document))
            if (operation["requestBody"]?["content"]?["application/json"]?["example"] is { } example && !name.Contains('{')
                && name != "POST /transports/{name}/test")
            {
                using var answer = await _server.Client.PostAsync(name.Split(' ')[1], TestServer.Json(example.ToJsonString()));
                Assert.True(answer.IsSuccessStatusCode, $"{name}: {await answer.Content.ReadAsStringAsync()}");
            }
    }

    [Fact]
    public async Task An_address_is_described_as_text_or_object()
    {
        var schemas = (await DocumentAsync())["components"]!["schemas"]!;
        Assert.Equal(["string", "object"], schemas["AddressShape"]!["oneOf"]!.AsArray().Select(f => (string?)f!["type"]));
        Assert.Equal(["string", "object", "array"], schemas["AddressesShape"]!["oneOf"]!.AsArray().Select(f => (string?)f!["type"]));
        Assert.False((bool)schemas["EmailShape"]!["additionalProperties"]!);
    }

    [Fact]
    public async Task A_stream_of_lines_is_no_array()
    {
        var batch = (await DocumentAsync())["paths"]!["/emails/batch"]!["post"]!;
        Assert.Equal("string", (string?)batch["requestBody"]!["content"]!["application/x-ndjson"]!["schema"]!["type"]);
        Assert.Equal("array", (string?)batch["requestBody"]!["content"]!["application/json"]!["schema"]!["type"]);
        Assert.Contains("\"line\":1", (string?)batch["responses"]!["200"]!["content"]!["application/x-ndjson"]!["schema"]!["description"]);
    }

    [Fact]
    public void Every_refusal_is_explained_once()
    {
        Assert.Equal(ProblemCatalog.All.Count, ProblemCatalog.All.Select(k => k.Slug).Distinct().Count());
        Assert.All(ProblemCatalog.All, k => Assert.Matches("^[a-z]+(-[a-z]+)*$", k.Slug));
    }

    async Task<JsonNode> DocumentAsync() => (await _server.Stranger.GetFromJsonAsync<JsonNode>("/openapi/v1.json"))!;

    static IEnumerable<(string Name, JsonNode Operation)> Operations(JsonNode document) =>
        document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => ($"{o.Key.ToUpperInvariant()} {p.Key}", o.Value!)));
}
