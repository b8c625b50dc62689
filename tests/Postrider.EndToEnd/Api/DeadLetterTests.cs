using System.Collections;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Dead letters over HTTP: grouped, sent again, discarded, by a policy too; and what the audit says of it.</summary>
public sealed class DeadLetterTests : IAsyncLifetime
{
    TestServer _server = null!;

    // Whoever is not at example.com is held; a simulated provider defers all of the rest until it is given up.
    public async ValueTask InitializeAsync() => _server = await TestServer.StartAsync(
        ("TRANSPORTS", "sim://broken?defer=1"), ("RETRY", "1ms"), ("SUBMISSION__ALLOW_RECIPIENTS", "*@example.com"));

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task What_failed_is_listed_grouped_and_sent_again_by_filter()
    {
        var ids = await FailAsync(3);
        var list = await GetAsync("/dead-letters?limit=2");
        Assert.Equal((2, true), (list["data"]!.AsArray().Count, (bool)list["has_more"]!));
        var letter = list["data"]![0]!;
        Assert.Equal($"{letter["email_id"]}-0", (string?)letter["id"]);
        Assert.Contains((string)letter["email_id"]!, ids);
        Assert.NotNull(letter["last_attempt_at"]);
        Assert.Single((await GetAsync($"/dead-letters?after={list["next"]}"))["data"]!.AsArray());
        var group = Assert.Single((await GetAsync("/dead-letters/groups"))["data"]!.AsArray())!;
        Assert.Equal((3, "failed"), ((int)group["count"]!, (string?)group["status"]));

        var job = await PostAsync("/dead-letters/redrive",
            $$"""{"filter":{"reason":"{{group["reason"]}}","transport":"{{group["transport"]}}"},"per_second":1000}""", HttpStatusCode.Accepted);
        var done = await _server.GetAsync($"/dead-letters/jobs/{job["id"]}", j => (string?)j["status"] == "done");
        Assert.Equal((3, "redrive"), ((int)done["count"]!, (string?)done["action"]));
        var again = await _server.GetAsync("/dead-letters",
            l => l["data"]!.AsArray().Count == 3 && l["data"]!.AsArray().All(one => (int)one!["redrives"]! == 1));
        Assert.All(again["data"]!.AsArray(), one => Assert.True((int)one!["tries"]! >= 2));
        var story = await GetAsync($"/emails/{ids[0]}");
        Assert.Contains(story["events"]!.AsArray(), e => ((string?)e!["remark"])?.StartsWith($"By job {job["id"]}", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task What_is_held_is_discarded_by_id_and_cancelled()
    {
        var sent = await PostAsync("/emails", """{"from":"a@example.com","to":"b@elsewhere.example","subject":"S"}""", HttpStatusCode.Accepted);
        var letter = Assert.Single((await GetAsync("/dead-letters?status=held"))["data"]!.AsArray())!;
        Assert.Equal("not_allowed", (string?)letter["reason"]);
        await PostAsync("/dead-letters/discard", $$"""{"ids":["{{letter["id"]}}"]}""", HttpStatusCode.Accepted);
        await _server.GetAsync("/dead-letters", l => l["data"]!.AsArray().Count == 0);
        var email = await GetAsync($"/emails/{sent["id"]}");
        Assert.Equal("cancelled", (string?)email["recipients"]![0]!["status"]);
        Assert.Equal(1, (int)(await GetAsync("/stats"))["cancelled"]!);
    }

    [Theory]
    [InlineData("""{}""", "invalid-field", "")]
    [InlineData("""{"all":true,"filter":{"reason":"refused"}}""", "invalid-field", "")]
    [InlineData("""{"filter":{}}""", "invalid-field", "/filter")]
    [InlineData("""{"filter":{"status":"sent"}}""", "invalid-field", "/filter/status")]
    [InlineData("""{"filter":{"reason":"refussed"}}""", "invalid-field", "/filter/reason")]
    [InlineData("""{"filter":{"colour":"red"}}""", "unknown-field", "/filter/colour")]
    [InlineData("""{"filter":{"from":"yesterday"}}""", "invalid-field", "/filter/from")]
    [InlineData("""{"ids":[]}""", "invalid-field", "/ids")]
    [InlineData("""{"ids":["x"]}""", "invalid-field", "/ids/0")]
    [InlineData("""{"all":true,"per_second":0}""", "invalid-field", "/per_second")]
    [InlineData("""{"al":true}""", "unknown-field", "/al")]
    public async Task An_order_that_cannot_be_is_refused_with_its_place(string body, string slug, string pointer)
    {
        foreach (var action in (string[])["redrive", "discard"])
        {
            using var response = await _server.Client.PostAsync($"/dead-letters/{action}", TestServer.Json(body));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
            Assert.Equal(($"/problems/{slug}", pointer), ((string?)problem["type"], (string?)problem["errors"]![0]!["pointer"]));
        }
    }

    [Theory]
    [InlineData("/dead-letters?status=sent", 422)]
    [InlineData("/dead-letters?reason=refussed", 422)]
    [InlineData("/dead-letters?reason=refused", 200)]
    [InlineData("/dead-letters/groups?reason=transports_unavailable", 200)]
    [InlineData("/dead-letters?colour=red", 422)]
    [InlineData("/dead-letters?limit=0", 422)]
    [InlineData("/dead-letters?after=x", 400)]
    [InlineData("/dead-letters/groups?after=x", 422)]
    [InlineData("/dead-letters/jobs/x", 404)]
    [InlineData("/dead-letters/jobs/99999", 404)]
    public async Task A_question_that_cannot_be_is_refused(string path, int status) =>
        Assert.Equal(status, (int)(await _server.Client.GetAsync(path)).StatusCode);

    [Fact]
    public async Task Another_tenant_neither_sees_nor_moves_anything_of_it()
    {
        await FailAsync(1);
        using var other = await _server.NewClientAsync(new TenantId(2), Scopes.All);
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/dead-letters"))!["data"]!.AsArray());
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/dead-letters/groups"))!["data"]!.AsArray());
        var mine = (string)(await GetAsync("/dead-letters"))["data"]![0]!["id"]!;
        using var ordered = await other.PostAsync("/dead-letters/discard", TestServer.Json($$"""{"ids":["{{mine}}"]}"""));
        var job = (string)JsonNode.Parse(await ordered.Content.ReadAsStringAsync())!["id"]!;
        await Eventually.GetAsync(async () => (await other.GetFromJsonAsync<JsonNode>($"/dead-letters/jobs/{job}"))!,
            j => (string?)j["status"] == "done" && (int)j["count"]! == 0);
        Assert.Single((await GetAsync("/dead-letters"))["data"]!.AsArray());
        using var theirs = await _server.Client.GetAsync($"/dead-letters/jobs/{job}");
        using var absent = await _server.Client.GetAsync("/dead-letters/jobs/99999");
        Assert.Equal(HttpStatusCode.NotFound, theirs.StatusCode);
        Assert.Equal(await absent.Content.ReadAsStringAsync(), await theirs.Content.ReadAsStringAsync());
        var audit = (await other.GetFromJsonAsync<JsonNode>("/audit"))!["data"]!.AsArray();
        Assert.Equal(["POST /dead-letters/discard"], audit.Select(entry => (string?)entry!["action"]));
        Assert.DoesNotContain("POST /dead-letters/discard", await _server.Client.GetStringAsync("/audit"), StringComparison.Ordinal);
    }

    // Every call that changes something, and every one that was denied; readings are not kept.
    [Fact]
    public async Task The_audit_says_who_asked_for_what_and_who_was_denied()
    {
        await PostAsync("/pause", """{"reason":"secret words"}""", HttpStatusCode.OK);
        await GetAsync("/pause");
        var reader = await _server.NewKeyAsync(TenantId.First, Scopes.Read);
        using var denied = await _server.NewClient(reader.Secret).DeleteAsync("/keys/someone");
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
        // An entry is there when its connection takes the next call; the next one comes by another.
        await _server.GetAsync("/audit", a => a["data"]!.AsArray().Count == 2);
        using var absent = await _server.Client.DeleteAsync("/keys/someone");
        var text = await _server.Client.GetStringAsync("/audit");
        var entries = JsonNode.Parse(text)!["data"]!.AsArray();
        Assert.Equal(
            [("DELETE /keys/{id}", "/keys/someone", 404), ("DELETE /keys/{id}", "/keys/someone", 403), ("POST /pause", "/pause", 200)],
            entries.Select(e => ((string)e!["action"]!, (string)e["target"]!, (int)e["status"]!)));
        Assert.Equal((reader.Key.Id, "127.0.0.1"), ((string?)entries[1]!["key"], (string?)entries[1]!["address"]));
        Assert.DoesNotContain("secret words", text, StringComparison.Ordinal);
        var next = (await GetAsync($"/audit?limit=1&after={entries[0]!["id"]}"))["data"]![0]!;
        Assert.Equal((string?)entries[1]!["id"], (string?)next["id"]);

        // A reading is not noted, unless it was denied.
        using var unread = await _server.NewClient(reader.Secret).GetAsync("/audit");
        Assert.Equal(HttpStatusCode.Forbidden, unread.StatusCode);
        var newest = (await _server.GetAsync("/audit?limit=1", a => (string)a["data"]![0]!["action"]! == "GET /audit"))["data"]![0]!;
        Assert.Equal((403, reader.Key.Id), ((int)newest["status"]!, (string)newest["key"]!));
    }

    // The same from a shell: what is listed is what is sent again, and a choice that is none is refused before anything is asked for.
    [Fact]
    public async Task The_command_line_shows_letters_and_sends_them_again()
    {
        await FailAsync(2);
        var groups = await RunAsync("dead-letters", "groups");
        Assert.Contains("deferred", groups.Output, StringComparison.Ordinal);
        Assert.Contains("r1@example.com", (await RunAsync("dead-letters", "list", "--status", "failed", "--transient", "true")).Output,
            StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync("dead-letters", "redrive")).ExitCode);
        Assert.Equal(2, (await RunAsync("dead-letters", "discard", "--all", "--reason", "deferred")).ExitCode);
        Assert.Equal("2 letters are sent again.\n", (await RunAsync("dead-letters", "redrive", "--transient", "true")).Output);
        await _server.GetAsync("/dead-letters",
            l => l["data"]!.AsArray().Count == 2 && l["data"]!.AsArray().All(one => (int)one!["redrives"]! == 1));
        var asked = await RunAsync("dead-letters", "discard", "--all");
        Assert.Equal((2, true), (asked.ExitCode, asked.Error.Contains("--yes", StringComparison.Ordinal)));
        Assert.Equal(2, (await GetAsync("/dead-letters"))["data"]!.AsArray().Count);
        Assert.Equal("2 letters are discarded.\n", (await RunAsync("dead-letters", "discard", "--all", "--yes")).Output);
        Assert.Empty((await GetAsync("/dead-letters"))["data"]!.AsArray());
    }

    [Fact]
    public async Task The_command_line_makes_stops_and_restores_tenants()
    {
        var made = await RunAsync("tenants", "create", "by hand", "--max-queued", "7", "--weight", "2");
        Assert.Contains("key  pr_", made.Output, StringComparison.Ordinal);
        Assert.Equal("Tenant by hand is archived.\n", (await RunAsync("tenants", "archive", "2")).Output);
        Assert.Contains("by hand", (await RunAsync("tenants", "list")).Output, StringComparison.Ordinal);
        Assert.Equal("Tenant by hand goes on.\n", (await RunAsync("tenants", "restore", "2")).Output);
        var refused = await RunAsync("tenants", "archive", "1");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("POST /pause", refused.Error, StringComparison.Ordinal);
    }

    async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var variables = new Hashtable { ["POSTRIDER_URL"] = _server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(variables, null), output, error);
        return (exitCode, output.ToString(), error.ToString());
    }

    async Task<List<string>> FailAsync(int count)
    {
        var ids = new List<string>();
        for (var i = 0; i < count; i++)
            ids.Add((string)(await PostAsync(
                "/emails", $$"""{"from":"a@example.com","to":"r{{i}}@example.com","subject":"S"}""", HttpStatusCode.Accepted))["id"]!);
        await _server.GetAsync("/dead-letters?limit=100", l => l["data"]!.AsArray().Count == count);
        return ids;
    }

    async Task<JsonNode> GetAsync(string path) => (await _server.Client.GetFromJsonAsync<JsonNode>(path))!;

    async Task<JsonNode> PostAsync(string path, string body, HttpStatusCode status)
    {
        using var response = await _server.Client.PostAsync(path, TestServer.Json(body));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == status, $"{response.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }
}
