using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Batches;
using Postrider.Cli;
using Postrider.Messages;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Schedules from <c>POST /schedules</c> to the mail that arrives.</summary>
public sealed class ScheduleTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Email = """ "email":{"from":"news@example.com","subject":"Scheduled","text":"It works."} """;

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_time_to_come_comes_once_and_its_mail_arrives()
    {
        var at = TimeProvider.System.GetUtcNow().AddSeconds(2);
        var made = await PostAsync("/schedules", $$"""
            {"name":"once","send_at":"{{at:yyyy-MM-ddTHH:mm:ssZ}}","time_zone":"Europe/Berlin","recipients":["once1@example.com",{"email":"once2@example.com","name":"Two"}],{{Email}}}
            """, HttpStatusCode.Created);
        var id = (string)made["id"]!;
        Assert.Equal(("schedule", "active", 1, 2), ((string?)made["object"], (string?)made["state"], made["next_runs"]!.AsArray().Count,
            (int)made["recipient_count"]!));
        Assert.Equal("Two", (string?)made["recipients"]![1]!["name"]);
        Assert.Equal("Scheduled", (string?)made["email"]!["subject"]);

        var runs = await _server.GetAsync($"/schedules/{id}/runs", r => r["data"]!.AsArray().Count == 1);
        Assert.Equal("enqueued", (string?)runs["data"]![0]!["state"]);
        var run = await _server.GetAsync($"/schedules/{id}/runs/{runs["data"]![0]!["id"]}", r => (int)r["counts"]!["sent"]! == 2);
        Assert.Equal((0, 0), ((int)run["counts"]!["waiting"]!, (int)run["counts"]!["opened"]!));
        var batch = await GetAsync($"/batches/{run["batch_id"]}?emails=true");
        Assert.All(batch["emails"]!.AsArray(), e => Assert.Equal(id, (string?)e!["schedule_id"]));
        Assert.Equal(["once1@example.com", "once2@example.com"],
            batch["emails"]!.AsArray().Select(e => (string?)e!["recipients"]![0]!["email"]).Order());
        var ended = await GetAsync($"/schedules/{id}");
        Assert.Equal(("archived", 0), ((string?)ended["state"], ended["next_runs"]!.AsArray().Count));
        var report = await GetAsync($"/schedules/{id}/report");
        Assert.Equal((1, 2), ((int)report["runs"]!["enqueued"]!, (int)report["counts"]!["sent"]!));
        await RefusedAsync(HttpMethod.Post, $"/schedules/{id}/pause", "{}", 409, "schedule-archived", null);
    }

    [Fact]
    public async Task A_call_that_is_repeated_with_its_key_makes_one_schedule()
    {
        var (first, isFirstReplayed) = await KeyedAsync("/schedules", Daily("keyed"), "schedule-key");
        var (again, isReplayed) = await KeyedAsync("/schedules", Daily("keyed"), "schedule-key");
        Assert.Equal(((string?)first["id"], false, true), ((string?)again["id"], isFirstReplayed, isReplayed));
        var (other, _) = await KeyedAsync("/schedules", Daily("other"), "schedule-key");
        Assert.Equal("/problems/idempotency-mismatch", (string?)other["type"]);
    }

    [Fact]
    public async Task A_one_off_that_is_over_is_still_what_its_key_made()
    {
        var soon = TimeProvider.System.GetUtcNow().AddSeconds(8);
        var once = $$"""{"name":"over","at":["{{soon:yyyy-MM-ddTHH:mm:ss}}"],{{Email}},"recipients":["over@example.com"]}""";
        var (first, _) = await KeyedAsync("/schedules", once, "over-key");
        var ended = await _server.GetAsync($"/schedules/{first["id"]}", s => (string?)s["state"] == "archived");
        var (again, isReplayed) = await KeyedAsync("/schedules", once, "over-key");
        Assert.Equal(((string?)ended["id"], true), ((string?)again["id"], isReplayed));
    }

    [Fact]
    public async Task Calls_for_a_run_at_the_same_time_with_one_key_get_the_same_run()
    {
        var id = (string)(await PostAsync("/schedules", Daily("run at once"), HttpStatusCode.Created))["id"]!;
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => KeyedAsync($"/schedules/{id}/run", "", "run-key")));
        var run = (string?)Assert.Single(runs.Select(r => (string?)r.Answer["id"]).Distinct());
        Assert.NotNull(run);
        Assert.Single(runs, r => !r.IsReplayed);
        using var gone = await _server.Client.DeleteAsync($"/schedules/{id}");
        var (later, isReplayed) = await KeyedAsync($"/schedules/{id}/run", "", "run-key");
        Assert.Equal((run, true), ((string?)later["id"], isReplayed));
    }

    async Task<(JsonNode Answer, bool IsReplayed)> KeyedAsync(string path, string json, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = TestServer.Json(json) };
        request.Headers.Add("Idempotency-Key", key);
        using var answer = await _server.Client.SendAsync(request);
        return (JsonNode.Parse(await answer.Content.ReadAsStringAsync())!, answer.Headers.Contains("Idempotent-Replayed"));
    }

    [Fact]
    public async Task It_can_be_changed_paused_resumed_run_and_put_away()
    {
        var id = (string)(await PostAsync("/schedules", Daily("changed"), HttpStatusCode.Created))["id"]!;
        var edited = await SendAsync(HttpMethod.Patch, $"/schedules/{id}",
            """{"cron":"30 2 * * *","time_zone":"Europe/Berlin","missed":"all","name":"other"}""", HttpStatusCode.OK);
        Assert.Equal(("other", "30 2 * * *", "Europe/Berlin", "all", 2),
            ((string?)edited["name"], (string?)edited["cron"], (string?)edited["time_zone"], (string?)edited["missed"], (int)edited["revision"]!));
        Assert.Equal("paused", (string?)(await PostAsync($"/schedules/{id}/pause", "{}", HttpStatusCode.OK))["state"]);
        Assert.Empty((await GetAsync($"/schedules/{id}/next"))["data"]!.AsArray());
        var run = await PostAsync($"/schedules/{id}/run", "", HttpStatusCode.Accepted);
        Assert.True((bool)run["by_hand"]!);
        await _server.GetAsync($"/schedules/{id}/runs/{run["id"]}", r => (int)r["counts"]!["sent"]! == 1);
        Assert.Equal("active", (string?)(await PostAsync($"/schedules/{id}/resume", "{}", HttpStatusCode.OK))["state"]);
        Assert.Equal(25, (await GetAsync($"/schedules/{id}/next?limit=25"))["data"]!.AsArray().Count);
        Assert.Contains((await GetAsync("/schedules?state=active&limit=100"))["data"]!.AsArray(), s => (string?)s!["id"] == id);
        using var gone = await _server.Client.DeleteAsync($"/schedules/{id}");
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        Assert.Equal("archived", (string?)(await GetAsync($"/schedules/{id}"))["state"]);
        Assert.DoesNotContain((await GetAsync("/schedules?state=active&limit=100"))["data"]!.AsArray(), s => (string?)s!["id"] == id);
    }

    [Fact]
    public async Task A_stored_list_gets_it_as_it_is_at_the_run()
    {
        var lists = _server.Services.GetRequiredService<IListStore>();
        var list = _server.Services.GetRequiredService<MessageIds>().Next();
        Assert.True(await lists.AddAsync(list, TenantId.First, "readers of schedules", TimeProvider.System.GetUtcNow()));
        var body = $$"""{"name":"list","cron":"@yearly","list":"{{list}}",{{Email}}}""";
        var made = await PostAsync("/schedules", body, HttpStatusCode.Created);
        Assert.Equal((list.ToString(), 0), ((string?)made["list"], (int)made["recipient_count"]!));
        var id = (string)made["id"]!;
        await lists.PutAsync(TenantId.First, list, [new StoredDestination(1, "late@example.com", null, null)], TimeProvider.System.GetUtcNow());
        var run = await PostAsync($"/schedules/{id}/run", "", HttpStatusCode.Accepted);
        await _server.GetAsync($"/schedules/{id}/runs/{run["id"]}", r => (int)r["counts"]!["sent"]! == 1);
    }

    [Fact]
    public async Task A_list_that_is_sent_to_stays()
    {
        async Task<string> ListAsync(string name) =>
            (string)(await PostAsync("/lists", $$"""{"name":"{{name}}"}""", HttpStatusCode.Created))["id"]!;
        async Task<string> ScheduleAsync(string name, string list) => (string)(await PostAsync(
            "/schedules", $$"""{"name":"{{name}}","cron":"@yearly","list":"{{list}}",{{Email}}}""", HttpStatusCode.Created))["id"]!;
        async Task<HttpStatusCode> DeleteAsync(string path)
        {
            using var answer = await _server.Client.DeleteAsync(path);
            return answer.StatusCode;
        }
        var (list, forced) = (await ListAsync("needed"), await ListAsync("forced"));
        var schedule = await ScheduleAsync("weekly needs it", list);
        await ScheduleAsync("other", forced);
        await RefusedAsync(HttpMethod.Delete, $"/lists/{list}", "{}", 409, "list-in-use", null, "'weekly needs it'");
        await PostAsync($"/schedules/{schedule}/pause", "{}", HttpStatusCode.OK);
        await RefusedAsync(HttpMethod.Delete, $"/lists/{list}", "{}", 409, "list-in-use", null, "'weekly needs it'. Change");
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync($"/schedules/{schedule}"));
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync($"/lists/{list}"));
        Assert.Equal(HttpStatusCode.NoContent, await DeleteAsync($"/lists/{forced}?force=true"));
    }

    [Fact]
    public async Task Recipients_come_as_a_file()
    {
        var id = (string)(await PostAsync("/schedules", Daily("file"), HttpStatusCode.Created))["id"]!;
        async Task<(HttpStatusCode Status, JsonNode Answer)> PutAsync(string csv)
        {
            using var answer = await _server.Client.PutAsync($"/schedules/{id}/recipients", new StringContent(csv, null, "text/csv"));
            return (answer.StatusCode, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
        }
        var (status, put) = await PutAsync("email;name\nfile1@example.com;One\nnobody;None\nfile2@example.com;Two\n");
        Assert.True(status == HttpStatusCode.OK, put.ToJsonString());
        Assert.Equal(["file1@example.com", "file2@example.com"],
            (await GetAsync($"/schedules/{id}"))["recipients"]!.AsArray().Select(r => (string?)r!["email"]));
        Assert.Equal("/problems/no-recipients", (string?)(await PutAsync("email\nnobody\n")).Answer["type"]);
        var run = await PostAsync($"/schedules/{id}/run", "", HttpStatusCode.Accepted);
        await _server.GetAsync($"/schedules/{id}/runs/{run["id"]}", r => (int)r["counts"]!["sent"]! == 2);
        var audited = (await GetAsync("/audit"))["data"]!.AsArray().Select(a => (string?)a!["action"]);
        Assert.Contains("PUT /schedules/{id}/recipients", audited);
    }

    [Theory]
    [InlineData("""{"cron":"* * * * * *"}""", "/cron", "6 fields")]
    [InlineData("""{"cron":"60 * * * *"}""", "/cron", "0 to 59")]
    [InlineData("""{"cron":"0 0 31 2 *"}""", "/cron", "never comes")]
    [InlineData("""{"cron":"*/0 * * * *"}""", "/cron", "step")]
    [InlineData("""{"cron":"0 9 * * *","time_zone":"Mars/X"}""", "/time_zone", "Europe/Berlin")]
    [InlineData("""{"cron":"0 9 * * *","time_zone":"UTC+25"}""", "/time_zone", "no time zone 'UTC+25'")]
    [InlineData("""{"at":"2001-01-01T00:00"}""", "/at", "past")]
    [InlineData("""{"at":["2030-01-01T00:00","tomorrow"]}""", "/at/1", "2027-01-31T09:30")]
    [InlineData("""{"at":"2030-02-30T00:00"}""", "/at/0", "no time")]
    [InlineData("""{"cron":"@daily","at":"2030-01-01T00:00"}""", "/at", "not both")]
    [InlineData("""{"cron":"@daily","ends_at":"2001-01-01T00:00:00Z"}""", "/cron", "never comes between")]
    [InlineData("""{"cron":"* * * * *","starts_at":"9999-12-31T12:00:00Z"}""", "/starts_at", "from 1970 to 9000")]
    [InlineData("""{"cron":"@daily","starts_at":"2030-01-01T00:00:00Z","ends_at":"2029-01-01T00:00:00Z"}""", "/ends_at", "before it starts")]
    [InlineData("""{"cron":"@daily","ends_at":"soon"}""", "/ends_at", "never")]
    [InlineData("""{"cron":"@daily","missed":"later"}""", "/missed", "latest, skip, all")]
    [InlineData("{}", "/cron", "0 9 * * 1-5")]
    public async Task What_is_wrong_is_said_with_what_to_write(string body, string pointer, string words)
    {
        await RefusedAsync(HttpMethod.Post, "/schedules/preview", body, 422, "invalid-schedule", pointer, words);
        var whole = body[..^1] + (body.Length > 2 ? "," : "") + $$""" "name":"x","recipients":["a@example.com"],{{Email}}}""";
        await RefusedAsync(HttpMethod.Post, "/schedules", whole, 422, "invalid-schedule", pointer, words);
    }

    [Theory]
    [InlineData("""{"name":"x","at":5,"recipients":["a@example.com"],"email":{"from":"a@example.com","text":"x"}}""", "invalid-field", "/at", "2027-01-31T09:30")]
    [InlineData("""{"cron":"@daily","recipients":["a@example.com"],"email":{"from":"a@example.com","text":"x"}}""", "invalid-field", "/name", "name")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["a@example.com"]}""", "invalid-field", "/email", "what is to be sent")]
    [InlineData("""{"name":"x","cron":"@daily","email":{"from":"a@example.com","text":"x"}}""", "no-recipients", "/recipients", "whom")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["nobody"],"email":{"from":"a@example.com","text":"x"}}""", "invalid-address", "/recipients/0", "")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["a@example.com"],"email":{"from":"nobody","text":"x"}}""", "invalid-address", "/email/from", "")]
    [InlineData("""{"name":"x","cron":"@daily","email":{"from":"a@example.com","to":["a@example.com","b@example.com"],"text":"x"}}""", "invalid-field", "/email/to", "recipients")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["a@example.com"],"email":{"from":"a@example.com","cc":"c@example.com","text":"x"}}""", "invalid-field", "/email/cc", "recipients")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["a@example.com"],"email":{"from":"a@example.com","send_at":"2030-01-01T00:00:00Z","text":"x"}}""", "invalid-field", "/email/send_at", "cron or at")]
    [InlineData("""{"name":"x","cron":"@daily","list":"12","email":{"from":"a@example.com","text":"x"}}""", "invalid-field", "/list", "list")]
    [InlineData("""{"name":"x","cron":"@daily","recipients":["a@example.com"],"email":{"from":"a@example.com","template":"nosuch"}}""", "no-such-template", "/email/template", "nosuch")]
    [InlineData("""{"name":"x","cron":"@daily","every":"day"}""", "unknown-field", "/every", "")]
    public async Task What_cannot_be_sent_is_refused_when_it_is_made(string body, string slug, string pointer, string words)
    {
        using var answer = await _server.Client.PostAsync("/schedules", TestServer.Json(body));
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal($"/problems/{slug}", (string?)problem["type"]);
        Assert.Contains(problem["errors"]!.AsArray(), e => (string?)e!["pointer"] == pointer
            && ((string)e["detail"]!).Contains(words, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_preview_shows_where_clocks_are_changed()
    {
        var preview = await PostAsync("/schedules/preview?limit=2",
            """{"cron":"30 2 * * 0","time_zone":"Europe/Berlin","starts_at":"2032-03-27T12:00:00Z"}""", HttpStatusCode.OK);
        Assert.Equal(["2032-03-28T01:00:00.000Z 2032-03-28T03:00:00+02:00 2032-03-28T02:30:00",
            "2032-04-04T00:30:00.000Z 2032-04-04T02:30:00+02:00 2032-04-04T02:30:00"],
            preview["data"]!.AsArray().Select(t => $"{t!["at"]} {t["local"]} {t["scheduled_for"]}"));
    }

    [Fact]
    public async Task The_command_line_does_it_all()
    {
        var id = JsonNode.Parse(await RunAsync("schedules", "create", "by hand", "--cron", "0 9 * * 1-5", "--time-zone", "Europe/Berlin",
            "--from", "a@example.com", "--to", "cli@example.com", "--subject", "S", "--text", "T", "--json"))!["id"]!.ToString();
        Assert.Contains("0 9 * * 1-5", await RunAsync("schedules", "list"));
        Assert.Contains("paused", await RunAsync("schedules", "pause", id));
        Assert.Contains("active", await RunAsync("schedules", "resume", id));
        Assert.Contains("T09:00:00", await RunAsync("schedules", "next", id, "--limit", "3"));
        Assert.Contains("is on its way", await RunAsync("schedules", "run", id));
        Assert.Contains("by hand", await RunAsync("schedules", "show", id));
        Assert.Contains("archived", await RunAsync("schedules", "archive", id));
        Assert.Contains("\"archived\"", await RunAsync("schedules", "list", "--state", "archived", "--json"));
        Assert.Contains("is no id", await RunAsync("schedules", "show", "../keys"));
    }

    async Task<string> RunAsync(params string[] args)
    {
        using var output = new StringWriter(CultureInfo.InvariantCulture);
        var variables = new Hashtable { ["POSTRIDER_URL"] = _server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        await CommandLine.RunAsync(args, new CommandInput(variables, null), output, output);
        return output.ToString();
    }

    static string Daily(string name) => $$"""{"name":"{{name}}","cron":"@daily","recipients":["daily@example.com"],{{Email}}}""";

    async Task<JsonNode> GetAsync(string path) => (await _server.Client.GetFromJsonAsync<JsonNode>(path))!;

    Task<JsonNode> PostAsync(string path, string body, HttpStatusCode status) => SendAsync(HttpMethod.Post, path, body, status);

    async Task<JsonNode> SendAsync(HttpMethod method, string path, string body, HttpStatusCode status)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body.Length == 0 ? null : TestServer.Json(body) };
        using var answer = await _server.Client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status, text);
        return JsonNode.Parse(text)!;
    }

    async Task RefusedAsync(HttpMethod method, string path, string body, int status, string slug, string? pointer, string words = "")
    {
        using var request = new HttpRequestMessage(method, path) { Content = TestServer.Json(body) };
        using var answer = await _server.Client.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        var problem = JsonNode.Parse(text)!;
        Assert.Equal((status, $"/problems/{slug}"), ((int)answer.StatusCode, (string?)problem["type"]));
        if (pointer is not null)
            Assert.Equal(pointer, (string?)problem["errors"]![0]!["pointer"]);
        Assert.Contains(words, text.Replace("\\u0027", "'", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase);
    }
}
