using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The OpenAPI document is one that others' tools take, says something of everything, and <c>docs/api-reference.md</c> is made of
/// it.</summary>
public sealed class ApiReferenceTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    /// <summary>With <c>POSTRIDER_WRITE_DOCS=1</c> (<c>make docs</c>) the page is written.</summary>
    [Fact]
    public async Task The_page_says_what_the_document_says()
    {
        var file = Repository.Path("docs", "api-reference.md");
        var page = ApiReference.Of(await DocumentAsync());
        if (Environment.GetEnvironmentVariable("POSTRIDER_WRITE_DOCS") == "1")
            await File.WriteAllTextAsync(file, page);
        Assert.True(page == await File.ReadAllTextAsync(file), "The API has changed: make docs writes docs/api-reference.md anew.");
    }

    [Fact]
    public async Task Everything_in_the_document_has_words()
    {
        var document = await DocumentAsync();
        Assert.All(document["components"]!["schemas"]!.AsObject(), schema =>
        {
            Assert.False(string.IsNullOrEmpty((string?)schema.Value!["description"]), schema.Key);
            Assert.All(schema.Value["properties"]?.AsObject() ?? [], member => Assert.False(
                member.Value!["$ref"] is null && string.IsNullOrEmpty((string?)member.Value["description"]),
                $"{schema.Key}.{member.Key}: say in a summary or in ApiWords what it is"));
        });
        Assert.All(Calls(document), call =>
        {
            Assert.False(string.IsNullOrEmpty((string?)call.Call["description"]), call.Name);
            Assert.All(call.Call["parameters"]?.AsArray() ?? [],
                parameter => Assert.False(string.IsNullOrEmpty((string?)parameter!["description"]), $"{call.Name}: {parameter["name"]}"));
            Assert.All(call.Call["requestBody"]?["content"]?.AsObject() ?? [],
                body => Assert.True(body.Value!["example"] is not null, $"{call.Name}: no example of {body.Key}"));
            Assert.All(call.Call["responses"]!.AsObject().Where(answer => answer.Key[0] is '4' or '5' && answer.Value!["content"]?["application/json"] is null),
                answer => Assert.NotNull(answer.Value!["content"]!["application/problem+json"]!["example"]));
        });
    }

    [Fact]
    public void Tools_of_others_find_no_fault_in_it()
    {
        Peers.Install();
        var (code, output, error) = Peers.Run(Requires.Program("node"), "validate-openapi.mjs", new Uri(_server.Address, "/openapi/v1.json").ToString());
        Assert.True(code == 0, output + error);
        Assert.StartsWith("valid", output, StringComparison.Ordinal);
    }

    async Task<JsonNode> DocumentAsync() => (await _server.Stranger.GetFromJsonAsync<JsonNode>("/openapi/v1.json"))!;

    static IEnumerable<(string Name, JsonNode Call)> Calls(JsonNode document) =>
        document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => ($"{o.Key.ToUpperInvariant()} {p.Key}", o.Value!)));
}
