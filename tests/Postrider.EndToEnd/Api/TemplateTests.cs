using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Templates from <c>POST /templates</c> to the mail that arrives.</summary>
public sealed class TemplateTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Welcome = """
        "subject":"Hi {{name}}","html":"<p>Welcome, {{name}}.</p><a href=\"{{url}}\">Go</a>","test_data":{"name":"Test","url":"https://t.example"}
        """;

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_template_has_versions_and_can_be_looked_at()
    {
        var added = await PostAsync("/templates", $$"""{"name":"versions",{{Welcome}}}""", HttpStatusCode.Created);
        var id = (string)added["id"]!;
        Assert.StartsWith("d-", id, StringComparison.Ordinal);
        Assert.Equal((1, "Hi {{name}}", "Test"), ((int)added["version"]!, (string?)added["subject"], (string?)added["test_data"]!["name"]));
        var second = await PostAsync($"/templates/{id}/versions", """{"text":"two {{name}}","strict":false}""", HttpStatusCode.Created);
        Assert.Equal((2, null, false), ((int)second["version"]!, (string?)second["html"], (bool)second["strict"]!));
        Assert.Equal(2, (int)(await GetAsync("/templates/versions"))["version"]!);
        Assert.Equal("Hi {{name}}", (string?)(await GetAsync($"/templates/{added["number"]}?version=1"))["subject"]);
        var list = await GetAsync($"/templates?after={(int)added["number"]! - 1}&limit=1");
        Assert.Equal(("versions", 2), ((string?)list["data"]![0]!["name"], (int)list["data"]![0]!["newest_version"]!));
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.GetAsync("/templates/versions?version=3")).StatusCode);
        await RefusedAsync("/templates", """{"name":"versions","text":"x"}""", 409, "template-exists", null);

        using var gone = await _server.Client.DeleteAsync($"/templates/{id}");
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        Assert.NotNull((await GetAsync($"/templates/{id}"))["archived_at"]);
        await RefusedAsync("/emails", Mail("versions"), 404, "no-such-template", "/template");
        await RefusedAsync("/emails", Mail(id), 404, "no-such-template", "/template");
    }

    [Theory]
    [InlineData("""{"name":"a","html":"a\n{{#if x}}"}""", "template-error", "/html", "line 2, column 1")]
    [InlineData("""{"name":"a","subject":"{{shout x}}"}""", "template-error", "/subject", "no helper 'shout'")]
    [InlineData("""{"name":"a","html":"<b>{{{x}}}"}""", "template-error", "/html", "three braces")]
    [InlineData("""{"name":"a","subject":null}""", "invalid-field", "", "empty")]
    [InlineData("""{"name":"","text":"x"}""", "invalid-field", "/name", "letters")]
    [InlineData("""{"name":"12","text":"x"}""", "invalid-field", "/name", "not a number")]
    [InlineData("""{"name":"a","text":"x","test_data":[]}""", "invalid-field", "/test_data", "object")]
    [InlineData("""{"name":"a","body":"x"}""", "unknown-field", "/body", "no field")]
    public Task What_cannot_be_kept_is_refused_with_its_place(string body, string slug, string pointer, string words) =>
        RefusedAsync("/templates", body, 422, slug, pointer, words);

    [Fact]
    public async Task A_preview_says_what_a_message_would_say()
    {
        await PostAsync("/templates", $$"""{"name":"preview",{{Welcome}}}""", HttpStatusCode.Created);
        var test = await PostAsync("/templates/preview/render", "{}", HttpStatusCode.OK);
        Assert.Equal(("Hi Test", "Welcome, Test.\n\nGo (https://t.example)"), ((string?)test["subject"], (string?)test["text"]));
        var hostile = await PostAsync("/templates/preview/render",
            """{"data":{"name":"<script>\">","url":"javascript:alert(1)"}}""", HttpStatusCode.OK);
        Assert.Equal("<p>Welcome, &lt;script&gt;&quot;&gt;.</p><a href=\"unsafe:javascript:alert(1)\">Go</a>", (string?)hostile["html"]);
        await RefusedAsync("/templates/preview/render", """{"data":{"name":"x"}}""", 422, "template-data", "/data", "'url'");
        await RefusedAsync(
            "/templates/preview/render", """{"data":{"name":"x\r\nBcc: v@evil.example","url":""}}""", 422, "header-injection", "/data");
        await RefusedAsync("/templates/nowhere/render", "{}", 404, "not-found", null);
    }

    [Fact]
    public async Task A_preview_that_takes_too_much_is_stopped()
    {
        await PostAsync("/templates",
            """{"name":"loops","text":"{{#each m}}{{#each @root.m}}{{#each @root.m}}x{{/each}}{{/each}}{{/each}}"}""", HttpStatusCode.Created);
        var data = string.Join(',', Enumerable.Range(0, 200));
        await RefusedAsync("/templates/loops/render", $$$"""{"data":{"m":[{{{data}}}]}}""", 422, "template-limit", "/template", "steps");
    }

    [Fact]
    public async Task A_message_says_what_the_version_said_when_it_was_accepted()
    {
        await PostAsync("/templates", $$"""{"name":"pinned",{{Welcome}}}""", HttpStatusCode.Created);
        var sent = await PostAsync("/emails",
            """
            {"from":"a@example.com","to":"pinned@t.example","template":"pinned","data":{"name":"Ann & Bo","url":"https://x.example/?a=1"},
             "send_at":"2001-01-01T00:00:00Z"}
            """, null);
        await PostAsync("/templates/pinned/versions", """{"subject":"changed","text":"changed"}""", HttpStatusCode.Created);
        var got = await GetAsync($"/emails/{sent["id"]}");
        Assert.Equal(("Hi Ann & Bo", "<p>Welcome, Ann &amp; Bo.</p><a href=\"https://x.example/?a&#x3D;1\">Go</a>"),
            ((string?)got["subject"], (string?)got["html"]));
        Assert.Equal("Welcome, Ann & Bo.\n\nGo (https://x.example/?a=1)", (string?)got["text"]);
        var old = await PostAsync("/emails", """
            {"from":"a@example.com","to":"pinned@t.example","subject":"own","template":{"id":"pinned","version":1,"variables":{"name":"N","url":"u"}}}
            """, null);
        Assert.Equal(("own", "Welcome, N.\n\nGo"),
            ((string?)(await GetAsync($"/emails/{old["id"]}"))["subject"], (string?)(await GetAsync($"/emails/{old["id"]}"))["text"]));
    }

    [Theory]
    [InlineData(""" "template":"bad","data":{"name":"x"} """, 422, "template-data", "/data")]
    [InlineData(""" "template":"bad","data":{"name":"x\ny","url":"u"} """, 422, "header-injection", "/subject")]
    [InlineData(""" "template":"bad","html":"x" """, 422, "invalid-field", "/html")]
    [InlineData(""" "text":"x","data":{"name":"x"} """, 422, "invalid-field", "/data")]
    [InlineData(""" "template":{"id":"bad","variables":{}},"data":{} """, 422, "invalid-field", "/data")]
    [InlineData(""" "template":{"version":1} """, 422, "invalid-field", "/template/id")]
    [InlineData(""" "template":{"id":"bad","version":"1"} """, 422, "invalid-field", "/template/version")]
    [InlineData(""" "template":5 """, 422, "invalid-field", "/template")]
    [InlineData(""" "template":"bad","data":[] """, 422, "invalid-field", "/data")]
    [InlineData(""" "template":{"id":"bad","version":9} """, 404, "no-such-template", "/template/version")]
    [InlineData(""" "template":"nowhere" """, 404, "no-such-template", "/template")]
    public async Task A_message_that_cannot_be_filled_in_is_refused(string fields, int status, string slug, string pointer)
    {
        using var _ = await _server.Client.PostAsync("/templates", TestServer.Json($$"""{"name":"bad",{{Welcome}}}"""));
        await RefusedAsync("/emails", $$"""{"from":"a@example.com","to":"b@example.com",{{fields}}}""", status, slug, pointer);
    }

    [Fact]
    public async Task Each_destination_gets_its_own_out_of_one_template()
    {
        await PostAsync("/templates", """
            {"name":"bulk","subject":"{{name}}: {{sum}}","html":"<p>{{name}} has {{#each items}}{{this}},{{/each}} {{{note}}}</p>",
             "allow_raw_html":true,"strict":false}
            """, HttpStatusCode.Created);
        var sent = await PostAsync("/emails/send", """
            {"from":"a@example.com","template":"bulk","data":{"sum":5,"items":[1],"note":"<i>all</i>"},
             "destinations":[{"email":"d0@t.example","data":{"name":"Ann","items":["x","y"]}},{"email":"d1@t.example","data":{"name":"B&o"}},
                             "d2@t.example"]}
            """, null);
        await PostAsync("/templates/bulk/versions", """{"text":"changed"}""", HttpStatusCode.Created);
        Assert.Equal([("Ann: 5", "<p>Ann has x,y, <i>all</i></p>"), ("B&o: 5", "<p>B&amp;o has 1, <i>all</i></p>"),
            (": 5", "<p> has 1, <i>all</i></p>")],
            await Task.WhenAll(sent["emails"]!.AsArray().Select(async email =>
            {
                var got = await _server.GetEmailAsync((string)email!["id"]!, one => (string?)one["status"] == "complete");
                return ((string?)got["subject"], (string?)got["html"]);
            })));
        var mail = (await GetAsync("/inbox?recipient=d1@t.example"))["data"]![0]!;
        Assert.Equal("B&o: 5", (string?)mail["subject"]);
        var source = (string?)(await GetAsync($"/inbox/{mail["id"]}"))["text"];
        Assert.Contains("B&o has 1, all", source, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(""" "data":{"name":"x\r\ny"} """, "header-injection", "/destinations/1/data")]
    [InlineData(""" "data":{"other":1} """, "template-data", "/destinations/1/data")]
    [InlineData(""" "data":5 """, "invalid-field", "/destinations/1/data")]
    public async Task A_destination_that_cannot_be_filled_in_refuses_the_call(string data, string slug, string pointer)
    {
        using var _ = await _server.Client.PostAsync("/templates", TestServer.Json("""{"name":"one","subject":"{{name}}","text":"x"}"""));
        await RefusedAsync("/emails/send", $$"""
            {"from":"a@example.com","template":"one",
             "destinations":[{"email":"a@t.example","data":{"name":"A"} },{"email":"b@t.example",{{data}} }]}
            """, 422, slug, pointer);
    }

    [Fact]
    public async Task Another_tenant_has_none_of_it()
    {
        await PostAsync("/templates", """{"name":"mine","text":"x"}""", HttpStatusCode.Created);
        using var other = await _server.NewClientAsync(new TenantId(2), Scopes.All);
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync("/templates/mine")).StatusCode);
        using var sent = await other.PostAsync("/emails", TestServer.Json(Mail("mine")));
        Assert.Equal(HttpStatusCode.NotFound, sent.StatusCode);
        using var readOnly = await _server.NewClientAsync(TenantId.First, Scopes.Read | Scopes.Send);
        using var refused = await readOnly.PostAsync("/templates", TestServer.Json("""{"name":"theirs","text":"x"}"""));
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    // Postmark's token for trying out is everybody's.
    [Fact]
    public async Task Who_shows_no_key_does_not_learn_which_templates_there_are()
    {
        await PostAsync("/templates", """{"name":"secret","text":"{{name}}"}""", HttpStatusCode.Created);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/email/withTemplate");
        request.Headers.Add("X-Postmark-Server-Token", "POSTMARK_API_TEST");
        request.Content = TestServer.Json("""{"From":"a@example.com","To":"b@example.com","TemplateAlias":"secret","TemplateModel":{}}""");
        using var response = await _server.Stranger.SendAsync(request);
        Assert.Equal(1101, (int)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["ErrorCode"]!);
    }

    static string Mail(string template) => $$"""{"from":"a@example.com","to":"b@example.com","template":"{{template}}"}""";

    async Task<JsonNode> PostAsync(string path, string json, HttpStatusCode? expected)
    {
        using var response = await _server.Client.PostAsync(path, TestServer.Json(json));
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == (expected ?? HttpStatusCode.Accepted), body);
        return JsonNode.Parse(body)!;
    }

    async Task<JsonNode> GetAsync(string path) => (await _server.Client.GetFromJsonAsync<JsonNode>(path))!;

    /// <param name="pointer">Null where the problem names no place.</param>
    async Task RefusedAsync(string path, string json, int status, string slug, string? pointer, string words = "")
    {
        using var response = await _server.Client.PostAsync(path, TestServer.Json(json));
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((status, $"/problems/{slug}"), ((int)response.StatusCode, (string?)problem["type"]));
        Assert.Equal(pointer, (string?)problem["errors"]?[0]!["pointer"]);
        Assert.Contains(words, (string?)problem["detail"], StringComparison.Ordinal);
    }
}
