using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>The suppression list over HTTP, and how recipients put themselves on it.</summary>
public sealed partial class SuppressionTests : IAsyncLifetime
{
    TestServer? _started;

    TestServer Server => _started!;

    public async ValueTask InitializeAsync() => _started = await TestServer.StartAsync(("PUBLIC_URL", "https://mail.example.test"));
    public ValueTask DisposeAsync() => Server.DisposeAsync();

    Task<HttpResponseMessage> PostAsync(string path, string json) => Server.Client.PostAsync(path, TestServer.Json(json));

    async Task<JsonNode> GetAsync(string path) => (await Server.Client.GetFromJsonAsync<JsonNode>(path))!;

    async Task<string> SendAsync(string to, string stream = "bulk")
    {
        using var sent = await PostAsync("/emails", $$"""
            {"from":"news@example.com","to":"{{to}}","subject":"S","text":"T","stream":"{{stream}}"}
            """);
        return (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
    }

    async Task<string> StatusAsync(string to, string stream = "bulk")
    {
        var email = await Server.GetEmailAsync(await SendAsync(to, stream), e => (string)e["status"]! != "incomplete");
        return (string)email["recipients"]![0]!["status"]!;
    }

    [Fact]
    public async Task An_address_on_the_list_gets_no_mail_until_it_is_taken_off()
    {
        using var added = await PostAsync("/suppressions", """{"email":"Ann@example.org","stream":"bulk","reason":"asked by phone"}""");
        Assert.Equal(HttpStatusCode.Created, added.StatusCode);

        var email = await Server.GetEmailAsync(await SendAsync("ann@example.org"), e => (string)e["status"]! != "incomplete");
        Assert.Equal(("suppressed", "The address is on the suppression list (manual): asked by phone"),
            ((string?)email["recipients"]![0]!["status"], (string?)email["recipients"]![0]!["status_reason"]));
        Assert.Equal("The address is on the suppression list (manual): asked by phone",
            (string?)Assert.Single(email["events"]!.AsArray(), e => (string?)e!["type"] == "suppressed")!["remark"]);
        Assert.Equal("sent", await StatusAsync("ann@example.org", "transactional"));
        var one = Assert.Single((await GetAsync("/suppressions?email=ann%40example.org"))["data"]!.AsArray())!;
        Assert.Equal(("manual", "asked by phone", "bulk"), ((string)one["cause"]!, (string)one["reason"]!, (string)one["stream"]!));

        using var other = await Server.Client.DeleteAsync("/suppressions/ann%40example.org?stream=transactional");
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
        using var gone = await Server.Client.DeleteAsync("/suppressions/ann%40example.org");
        Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        Assert.Equal("sent", await StatusAsync("ann@example.org"));
    }

    [Theory]
    [InlineData("""{"email":"ann"}""", "invalid-address")]
    [InlineData("""{"email":"ann@example.org","stream":"all"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","expires_at":"2001-01-01T00:00:00Z"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","expires_at":"2999-01-01"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","expires_at":"2999-01-01T00:00:00"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","expires_at":"1 Jan 2999 00:00 +0000"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","tenant_id":2}""", "unknown-field")]
    [InlineData("""{"stream":"bulk"}""", "invalid-field")]
    [InlineData("""{"email":"ann@example.org","cause":"+9"}""", "invalid-field")]
    public async Task What_is_wrong_is_told(string body, string slug)
    {
        using var refused = await PostAsync("/suppressions", body);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Equal($"/problems/{slug}", (string?)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["type"]);
    }

    [Fact]
    public async Task A_file_goes_in_with_its_faults_by_line_and_comes_out_again()
    {
        var csv = "\uFEFFE-Mail,stream,reason\r\nann@example.org,bulk,=1+1\r\nnobody,,\r\nbob@example.org,weekly,\r\ncy@example.org,,\r\n";
        using var content = new StringContent(csv, Encoding.UTF8, "text/csv");
        using var answer = await Server.Client.PostAsync("/suppressions/import?stream=bulk", content);
        var done = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal((2, 2), ((int)done["accepted"]!, (int)done["refused"]!));
        Assert.Equal([3, 4], done["errors"]!.AsArray().Select(error => (int)error!["line"]!));

        var lines = (await Server.Client.GetStringAsync("/suppressions?format=csv")).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);

        Assert.Equal("email,stream,cause,reason,created_at,expires_at", lines[0]);
        Assert.Contains(lines, line => line.StartsWith("ann@example.org,bulk,manual,'=1+1,", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("cy@example.org,bulk,manual,,", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_column_that_is_not_known_is_refused_and_an_export_goes_in_again()
    {
        async Task<(int Status, string Text)> ImportAsync(string body, string type)
        {
            using var answer = await Server.Client.PostAsync("/suppressions/import", new StringContent(body, Encoding.UTF8, type));
            return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        var (status, text) = await ImportAsync("email,straem\nann@example.org,bulk\n", "text/csv");
        Assert.Equal((422, "/problems/unknown-field"), (status, (string?)JsonNode.Parse(text)!["type"]));
        Assert.Contains("There is no column straem here; there are email, name, stream, cause, reason, expires_at, created_at.", text);
        foreach (var data in (string[])["""{"straem":"bulk"}""", """{"stream":5}"""])
            Assert.Equal(1, (int)JsonNode.Parse((await ImportAsync(
                $$"""{"email":"ann@example.org","data":{{data}}}""", "application/x-ndjson")).Text)!["refused"]!);
        Assert.Empty((await GetAsync("/suppressions"))["data"]!.AsArray());

        Assert.Equal(1, (int)JsonNode.Parse((await ImportAsync("email,name\nbob@example.org,Bob\n", "text/csv")).Text)!["accepted"]!);
        var export = await Server.Client.GetStringAsync("/suppressions?format=csv");
        Assert.Equal(1, (int)JsonNode.Parse((await ImportAsync(export, "text/csv")).Text)!["accepted"]!);
    }

    [Fact]
    public async Task An_export_that_fails_leaves_the_file_that_was_there()
    {
        var file = Path.Combine(Server.Folder, "list.csv");
        async Task<int> ExportAsync(string key)
        {
            using var output = new StringWriter();
            var variables = new System.Collections.Hashtable { ["POSTRIDER_URL"] = Server.Address.ToString(), ["POSTRIDER_API_KEY"] = key };
            return await Postrider.Cli.CommandLine.RunAsync(
                ["suppressions", "export", file], new Postrider.Cli.CommandInput(variables, null), output, output);
        }
        await File.WriteAllTextAsync(file, "of yesterday");
        Assert.NotEqual(0, await ExportAsync("wrong"));
        Assert.Equal("of yesterday", await File.ReadAllTextAsync(file));
        Assert.Equal(0, await ExportAsync(TestServer.Key));
        Assert.StartsWith("email,stream,", await File.ReadAllTextAsync(file));
        Assert.Empty(Directory.GetFiles(Server.Folder, "*.part"));
    }

    [Fact]
    public async Task The_list_has_pages_and_belongs_to_its_tenant()
    {
        for (var i = 0; i < 5; i++)
            using (await PostAsync("/suppressions", $$"""{"email":"r{{i}}@example.org"}""")) { }
        var seen = new List<string>();
        string? after = null;
        do
        {
            var page = await GetAsync("/suppressions?limit=2" + (after is null ? "" : $"&after={after}"));
            seen.AddRange(page["data"]!.AsArray().Select(one => (string)one!["email"]!));
            after = (string?)page["next"];
        }
        while (after is not null);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"r{i}@example.org"), seen.Order());
        using var refused = await Server.Client.GetAsync("/suppressions?after=zz");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);

        using var other = await Server.NewClientAsync(new TenantId(2), Scopes.All);
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/suppressions"))!["data"]!.AsArray());
        using var gone = await other.DeleteAsync("/suppressions/r0%40example.org");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    [Fact]
    public async Task One_click_unsubscribes_from_the_stream_and_a_look_at_the_page_does_not()
    {
        var id = await SendAsync("ann@example.org");
        await Server.GetEmailAsync(id, e => (string)e["status"]! == "complete");
        var inbox = (string)(await GetAsync($"/inbox?message={id}"))["data"]![0]!["id"]!;
        var mail = (await Server.Client.GetStringAsync($"/inbox/{inbox}.eml")).Replace("\r\n ", "", StringComparison.Ordinal);
        Assert.Contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click", mail, StringComparison.Ordinal);
        var path = Link().Match(mail).Groups[1].Value;

        using var page = await Server.Stranger.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Contains("<form method=\"post\">", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("ann@", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using var head = await Server.Stranger.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
        Assert.Equal((HttpStatusCode.OK, "text/html"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        Assert.Empty((await GetAsync("/suppressions"))["data"]!.AsArray());
        using var forged = await Server.Stranger.PostAsync(path[..^5] + "AAAAA", null);
        Assert.Equal(HttpStatusCode.NotFound, forged.StatusCode);
        Assert.Empty((await GetAsync("/suppressions"))["data"]!.AsArray());

        using var click = await Server.Stranger.PostAsync(path, new FormUrlEncodedContent([new("List-Unsubscribe", "One-Click")]));

        Assert.Equal(HttpStatusCode.OK, click.StatusCode);
        Assert.Equal("suppressed", await StatusAsync("ann@example.org"));
        Assert.Equal("sent", await StatusAsync("ann@example.org", "transactional"));
        var one = Assert.Single((await GetAsync("/suppressions?cause=unsubscribed"))["data"]!.AsArray())!;
        Assert.Equal((id, "bulk"), ((string)one["message_id"]!, (string)one["stream"]!));
        await Server.GetEmailAsync(id, e => (string)e["recipients"]![0]!["status"]! == "delivered");   // who unsubscribes has it
        await Server.GetAsync("/events?type=email.unsubscribed", e => e["data"]!.AsArray().Count == 1);

        // Again and again is not written each time.
        TimeSpan? wait = null;
        for (var calls = 2; calls < 40 && wait is null; calls++)
        {
            using var again = await Server.Stranger.PostAsync(path, null);
            Assert.Contains(again.StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.TooManyRequests]);
            wait = again.Headers.RetryAfter?.Delta;
        }
        Assert.InRange(wait!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public void Links_to_unsubscribe_are_limited_by_source_and_by_address()
    {
        var clock = new ManualClock();
        var calls = new UnsubscribeCalls(clock);
        var one = IPAddress.Parse("2001:db8::1");
        Assert.All(Enumerable.Range(0, 1_200), _ => Assert.Null(calls.OfSource(one)));
        Assert.NotNull(calls.OfSource(IPAddress.Parse("2001:db8::ffff")));
        Assert.Null(calls.OfSource(IPAddress.Parse("2001:db8:0:1::1")));
        Assert.All(Enumerable.Range(0, 6), _ => Assert.Null(calls.OfAddress(1, "ann@example.org")));
        Assert.Equal(TimeSpan.FromSeconds(10), calls.OfAddress(1, "ANN@example.org"));
        Assert.Null(calls.OfAddress(2, "ann@example.org"));
        clock.Advance(TimeSpan.FromSeconds(10));
        Assert.Null(calls.OfAddress(1, "ann@example.org"));
        // However many sources there are, so many are told apart.
        Assert.All(Enumerable.Range(0, 20_000), i => calls.OfSource(new IPAddress(0x0a000000 + i)));
        Assert.Contains(Enumerable.Range(0, 2_000), i => calls.OfSource(new IPAddress(0x0b000000 + i)) is not null);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.All(Enumerable.Range(0, 2_000), i => Assert.Null(calls.OfSource(new IPAddress(0x0b000000 + i))));
    }

    [Fact]
    public async Task Transactional_mail_has_no_link()
    {
        var id = await SendAsync("ann@example.org", "transactional");
        await Server.GetEmailAsync(id, e => (string)e["status"]! == "complete");
        var inbox = (string)(await GetAsync($"/inbox?message={id}"))["data"]![0]!["id"]!;
        Assert.DoesNotContain("List-Unsubscribe", await Server.Client.GetStringAsync($"/inbox/{inbox}.eml"), StringComparison.Ordinal);
    }

    [GeneratedRegex("List-Unsubscribe: <https://mail.example.test(/u/[^>]+)>")]
    private static partial Regex Link();
}
