using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Large batches and lists from a body of lines to the mail that arrives.</summary>
public sealed class BatchTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string News = """{"from":"news@example.com","subject":"News","text":"It works."}""";
    const string Personal = """{"from":"news@example.com","template":"personal"}""";

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Lines_of_json_become_a_message_each_and_faulty_lines_are_named()
    {
        var id = await NewBatchAsync(News);
        var added = await UploadAsync($"/batches/{id}/destinations?start=true", """
            {"email":"ann@lines.example","name":"Ann"}
            "Bob <bob@lines.example>"

            {"email":"nowhere"}
            {"email":"c@lines.example","color":"red"}
            not json
            {"email":"dora@lines.example"}
            """, "application/x-ndjson");
        Assert.Equal((3, 3, 7, 3), Numbers(added));
        Assert.Equal([(4, "invalid-address"), (5, "unknown-field"), (6, "malformed-json")], Errors(added));
        Assert.Equal(Errors(added), Errors(await GetAsync($"/batches/{id}/errors"), "data"));
        var done = await _server.GetAsync($"/batches/{id}", b => (string?)b["status"] == "complete");
        Assert.Equal(("expanded", 3, 3, 3), ((string?)done["state"], (int)done["progress"]!["expanded"]!,
            (int)done["progress"]!["refused"]!, (int)done["counts"]!["sent"]!));
        var emails = (await GetAsync($"/batches/{id}?emails=true"))["emails"]!.AsArray();
        Assert.Equal(["dora@lines.example", "Bob <bob@lines.example>", "Ann <ann@lines.example>"], emails.Select(e => (string?)e!["to"]![0]));
        Assert.Contains(id, (await GetAsync("/batches"))["data"]!.AsArray().Select(b => (string)b!["id"]!));
    }

    [Fact]
    public async Task Csv_fills_a_template_whatever_its_columns_are_called()
    {
        await TemplateAsync();
        var id = await NewBatchAsync(Personal);
        var added = await UploadAsync(
            $"/batches/{id}/destinations?start=true&map=email:E-Mail&map=first:Vorname",
            "Vorname;E-Mail;city;note\r\n\"Ann \"\"A\"\"\";ann@csv.example;Bonn;\"of two\r\nlines\"\r\n"
                + "Bo;bo@csv.example;X;\r\nShort;row\r\n;nobody;Y;\r\n",
            "text/csv");
        Assert.Equal((2, 2, 6, 2), Numbers(added));
        Assert.Equal([(5, "bad-csv"), (6, "invalid-address")], Errors(added));
        var done = await _server.GetAsync($"/batches/{id}?emails=true", b => (string?)b["status"] == "complete");
        Assert.Equal(["Hi Bo from X", "Hi Ann \"A\" from Bonn"], done["emails"]!.AsArray().Select(e => (string?)e!["subject"]));
    }

    [Theory]
    [InlineData("utf-8", true)]
    [InlineData("utf-16", true)]
    [InlineData("utf-16BE", true)]
    [InlineData("iso-8859-1", false)]
    public async Task A_file_is_read_in_utf_8_or_what_its_mark_says(string encoding, bool isRead)
    {
        var id = await NewBatchAsync(News);
        var code = Encoding.GetEncoding(encoding);
        byte[] bytes = [.. code.GetPreamble(), .. code.GetBytes("email,name\nann@enc.example,Jürgen\nbo@enc.example,Bo\n")];
        var added = await UploadAsync($"/batches/{id}/destinations", bytes, "text/csv");
        Assert.Equal((isRead ? 2 : 1, isRead ? 0 : 1), ((int)added["accepted"]!, (int)added["refused"]!));
        if (!isRead)
            Assert.Equal([(2, "bad-encoding")], Errors(added));
    }

    [Theory]
    [InlineData("name,post\nx,y\n", "", "bad-csv", "map=email:COLUMN")]
    [InlineData("a,a\n", "", "bad-csv", "twice")]
    [InlineData("email\n", "?map=email:Nope", "bad-csv", "Nope")]
    [InlineData("email\n", "?map=email", "invalid-field", "FIELD:COLUMN")]
    [InlineData("email\n", "?delimiter=x", "invalid-field", "semicolon")]
    public async Task What_cannot_be_read_says_what_to_do(string csv, string query, string slug, string words)
    {
        var id = await NewBatchAsync(News);
        using var response = await PostAsync($"/batches/{id}/destinations{query}", Encoding.UTF8.GetBytes(csv), "text/csv");
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((422, $"/problems/{slug}"), ((int)response.StatusCode, (string?)problem["type"]));
        Assert.Contains(words, (string?)problem["detail"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_file_under_the_same_key_is_taken_once()
    {
        var id = await NewBatchAsync(News);
        var lines = string.Concat(Enumerable.Range(0, 700).Select(i => $"\"r{i}@key.example\"\n"));
        Assert.Equal((700, 0, 700, 700), Numbers(await UploadAsync($"/batches/{id}/destinations", lines, "application/x-ndjson", "k")));
        Assert.Equal((700, 0, 700, 700),
            Numbers(await UploadAsync($"/batches/{id}/destinations?start=true", lines, "application/x-ndjson", "k")));
        using var late = await PostAsync($"/batches/{id}/destinations", "\"x@key.example\""u8.ToArray(), "application/x-ndjson");
        Assert.Equal(HttpStatusCode.Conflict, late.StatusCode);
        var done = await _server.GetAsync($"/batches/{id}", b => (string?)b["status"] == "complete");
        Assert.Equal(700, (int)done["counts"]!["sent"]!);
    }

    [Theory]
    [InlineData(10_000, 202)]
    [InlineData(10_001, 422)]
    public async Task A_call_has_ten_thousand_destinations_at_most(int count, int status)
    {
        var list = string.Join(',', Enumerable.Range(0, count).Select(i => $"\"m{i}@most.example\""));
        var at = TimeProvider.System.GetUtcNow().AddDays(1);
        var send = $$"""
            {"from":"news@example.com","subject":"S","text":"T","send_at":"{{at:yyyy-MM-ddTHH:mm:ssZ}}","destinations":[{{list}}]}
            """;
        using var answer = await _server.Client.PostAsync("/emails/send", TestServer.Json(send));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 422)
            Assert.Contains("10000", text.Replace(",", "", StringComparison.Ordinal), StringComparison.Ordinal);
        else
            Assert.Equal(count, (int)(await GetAsync($"/batches/{JsonNode.Parse(text)!["batch_id"]}"))["count"]!);
    }

    [Fact]
    public async Task A_call_with_many_destinations_is_answered_at_once_and_sent_once()
    {
        var list = string.Join(',', Enumerable.Range(0, 1_500).Select(i => $"\"m{i}@many.example\""));
        var body = $$"""{"from":"news@example.com","subject":"S","text":"T","destinations":[{{list}}]}""";
        async Task<string> SendAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/emails/send") { Content = TestServer.Json(body) };
            request.Headers.Add("Idempotency-Key", "many");
            using var response = await _server.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
            return await response.Content.ReadAsStringAsync();
        }
        var first = await SendAsync();
        Assert.Equal(first, await SendAsync());
        Assert.Equal(1_500, (int)JsonNode.Parse(first)!["count"]!);
        var done = await _server.GetAsync($"/batches/{JsonNode.Parse(first)!["batch_id"]}", b => (string?)b["status"] == "complete");
        Assert.Equal(1_500, (int)done["counts"]!["sent"]!);
    }

    [Fact]
    public async Task One_bad_destination_refuses_a_call_with_many()
    {
        var list = string.Join(',', Enumerable.Range(0, 1_500).Select(i => i == 1_234 ? "\"bad\"" : $"\"m{i}@bad.example\""));
        using var response = await _server.Client.PostAsync("/emails/send",
            TestServer.Json($$"""{"from":"news@example.com","subject":"S","text":"T","destinations":[{{list}}]}"""));
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((422, "/destinations/1234"), ((int)response.StatusCode, (string?)problem["errors"]![0]!["pointer"]));
    }

    [Fact]
    public async Task A_list_is_filled_replaced_exported_and_sent_to()
    {
        await TemplateAsync();
        var id = (string)(await SendAsync(HttpMethod.Post, "/lists", """{"name":"readers"}""", HttpStatusCode.Created))["id"]!;
        Assert.Equal((3, 0, 4, 3), Numbers(await UploadAsync($"/lists/{id}/recipients",
            "email,name,first,city\nann@list.example,Ann,Ann,Bonn\nbo@list.example,,=cmd|x,\"Aachen, West\"\nold@list.example,,O,P\n", "text/csv")));
        await UploadAsync($"/lists/{id}/recipients", """{"email":"ANN@list.example","name":"Ann","data":{"first":"Anna","city":"Köln"}}""",
            "application/x-ndjson");
        Assert.Equal(3, (int)(await GetAsync($"/lists/{id}"))["count"]!);
        Assert.Equal(HttpStatusCode.NoContent, (await _server.Client.DeleteAsync($"/lists/{id}/recipients/old@list.example")).StatusCode);
        Assert.Equal("""
            email,name,first,city
            bo@list.example,,'=cmd|x,"Aachen, West"
            ANN@list.example,Ann,Anna,Köln

            """.ReplaceLineEndings("\r\n"), await _server.Client.GetStringAsync($"/lists/{id}/recipients?format=csv"));

        // A file has 500 columns at most, and a destination 64 KB of data.
        var wide = (string)(await SendAsync(HttpMethod.Post, "/lists", """{"name":"wide"}""", HttpStatusCode.Created))["id"]!;
        await UploadAsync($"/lists/{wide}/recipients", string.Join('\n', Enumerable.Range(0, 501).Select(i =>
            $$$"""{"email":"r{{{i}}}@list.example","data":{"field{{{i}}}":1}}""")), "application/x-ndjson");
        using (var refused = await _server.Client.GetAsync($"/lists/{wide}/recipients?format=csv"))
            Assert.Contains("more than 500 different fields", await refused.Content.ReadAsStringAsync());
        var large = await UploadAsync($"/lists/{wide}/recipients",
            $$$"""{"email":"r@list.example","data":{"x":"{{{new string('x', 70_000)}}}"}}""", "application/x-ndjson");
        Assert.Contains("data has 70,008 bytes", (string)large["errors"]![0]!["detail"]!);

        var sent = await SendAsync(HttpMethod.Post, "/emails/send",
            $$"""{"from":"news@example.com","template":"personal","list":"{{id}}"}""", HttpStatusCode.Accepted);
        Assert.Equal(2, (int)sent["count"]!);
        await UploadAsync($"/lists/{id}/recipients?replace=true", "email,first,city\nnew@list.example,N,M\n", "text/csv");
        Assert.Equal("new@list.example", (string?)Assert.Single((await GetAsync($"/lists/{id}/recipients"))["data"]!.AsArray())!["email"]);
        var done = await _server.GetAsync($"/batches/{sent["batch_id"]}?emails=true", b => (string?)b["status"] == "complete");
        Assert.Equal(["Hi Anna from Köln", "Hi =cmd|x from Aachen, West"], done["emails"]!.AsArray().Select(e => (string?)e!["subject"]));

        Assert.Equal(HttpStatusCode.Conflict, (await _server.Client.PostAsync("/lists", TestServer.Json("""{"name":"readers"}"""))).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await _server.Client.DeleteAsync($"/lists/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.GetAsync($"/lists/{id}")).StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("email\nnobody\n")]
    public async Task A_list_is_not_replaced_by_nobody(string csv)
    {
        var made = await SendAsync(HttpMethod.Post, "/lists", $$"""{"name":"kept {{csv.Length}}"}""", HttpStatusCode.Created);
        var id = (string)made["id"]!;
        await UploadAsync($"/lists/{id}/recipients", "email\nkept@list.example\n", "text/csv");
        using var refused = await _server.Client.PostAsync(
            $"/lists/{id}/recipients?replace=true", new StringContent(csv, null, "text/csv"));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        Assert.Equal("/problems/no-recipients", (string?)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["type"]);
        Assert.Equal("kept@list.example", (string?)Assert.Single((await GetAsync($"/lists/{id}/recipients"))["data"]!.AsArray())!["email"]);
    }

    [Fact]
    public async Task A_destination_that_cannot_be_filled_in_is_an_error_of_the_batch()
    {
        await TemplateAsync();
        var id = await NewBatchAsync(Personal);
        await UploadAsync($"/batches/{id}/destinations?start=true",
            """
            {"email":"a@fault.example","data":{"first":"A","city":"B"}}
            {"email":"b@fault.example","data":{"first":"A"}}
            """, "application/x-ndjson");
        var done = await _server.GetAsync($"/batches/{id}", b => (string?)b["state"] == "expanded" && (int)b["counts"]!["sent"]! == 1);
        Assert.Equal((1, 1, "complete"), ((int)done["progress"]!["failed"]!, (int)done["counts"]!["failed"]!, (string?)done["status"]));
        Assert.Equal([(2, "template-data")], Errors(await GetAsync($"/batches/{id}/errors"), "data"));
    }

    [Fact]
    public async Task A_paused_batch_waits_and_a_cancelled_one_ends()
    {
        var id = await NewBatchAsync(News);
        await SendAsync(HttpMethod.Post, $"/batches/{id}/pause", null, HttpStatusCode.OK);
        await UploadAsync($"/batches/{id}/destinations?start=true", "\"a@pause.example\"\n\"b@pause.example\"", "application/x-ndjson");
        var paused = await GetAsync($"/batches/{id}");
        Assert.Equal((true, "expanding", "incomplete"), ((bool)paused["paused"]!, (string?)paused["state"], (string?)paused["status"]));
        await SendAsync(HttpMethod.Post, $"/batches/{id}/resume", null, HttpStatusCode.OK);
        await _server.GetAsync($"/batches/{id}", b => (string?)b["status"] == "complete");

        var other = await NewBatchAsync(News);
        await UploadAsync($"/batches/{other}/destinations", "\"a@cancel.example\"\n\"b@cancel.example\"", "application/x-ndjson");
        Assert.Equal(2, (int)(await SendAsync(HttpMethod.Post, $"/batches/{other}/cancel", null, HttpStatusCode.OK))["recipients"]!);
        var ended = await GetAsync($"/batches/{other}");
        Assert.Equal(("cancelled", 2), ((string?)ended["state"], (int)ended["counts"]!["cancelled"]!));
        Assert.Equal(HttpStatusCode.Conflict, (await _server.Client.PostAsync($"/batches/{other}/start", null)).StatusCode);
        Assert.Equal(HttpStatusCode.Conflict, (await _server.Client.PostAsync($"/batches/{other}/resume", null)).StatusCode);
    }

    [Fact]
    public async Task Another_tenant_has_none_of_it()
    {
        var id = await NewBatchAsync(News);
        var list = (string)(await SendAsync(HttpMethod.Post, "/lists", """{"name":"mine"}""", HttpStatusCode.Created))["id"]!;
        using var other = await _server.NewClientAsync(new TenantId(2), Scopes.All);
        foreach (var path in (string[])[$"/batches/{id}", $"/batches/{id}/errors", $"/lists/{list}", $"/lists/{list}/recipients"])
            Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync(path)).StatusCode);
        foreach (var call in (string[])["start", "pause", "resume", "cancel", "retry-failed"])
            Assert.Equal(HttpStatusCode.NotFound, (await other.PostAsync($"/batches/{id}/{call}", null)).StatusCode);
        foreach (var path in (string[])[$"/batches/{id}/destinations", $"/lists/{list}/recipients"])
        {
            using var content = new StringContent("\"x@example.com\"");
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
            Assert.Equal(HttpStatusCode.NotFound, (await other.PostAsync(path, content)).StatusCode);
        }
        using var sent = await other.PostAsync("/emails/send",
            TestServer.Json($$"""{"from":"a@example.com","subject":"S","list":"{{list}}"}"""));
        Assert.Equal(HttpStatusCode.NotFound, sent.StatusCode);
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/batches"))!["data"]!.AsArray());
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/lists"))!["data"]!.AsArray());
    }

    async Task TemplateAsync()
    {
        using var _ = await _server.Client.PostAsync("/templates",
            TestServer.Json("""{"name":"personal","subject":"Hi {{first}} from {{city}}","text":"Hello {{first}}"}"""));
    }

    async Task<string> NewBatchAsync(string json) =>
        (string)(await SendAsync(HttpMethod.Post, "/batches", json, HttpStatusCode.Created))["id"]!;

    async Task<JsonNode> SendAsync(HttpMethod method, string path, string? json, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(method, path) { Content = json is null ? null : TestServer.Json(json) };
        using var response = await _server.Client.SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, body);
        return JsonNode.Parse(body)!;
    }

    async Task<HttpResponseMessage> PostAsync(string path, byte[] body, string type, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return await _server.Client.SendAsync(request);
    }

    Task<JsonNode> UploadAsync(string path, string body, string type, string? key = null) =>
        UploadAsync(path, Encoding.UTF8.GetBytes(body), type, key);

    async Task<JsonNode> UploadAsync(string path, byte[] body, string type, string? key = null)
    {
        using var response = await PostAsync(path, body, type, key);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    async Task<JsonNode> GetAsync(string path) => (await _server.Client.GetFromJsonAsync<JsonNode>(path))!;

    static (int Accepted, int Refused, int Lines, int Count) Numbers(JsonNode added) =>
        ((int)added["accepted"]!, (int)added["refused"]!, (int)added["lines"]!, (int)added["count"]!);

    static IEnumerable<(int Line, string Slug)> Errors(JsonNode added, string list = "errors") =>
        added[list]!.AsArray().Select(e => ((int)e!["line"]!, (string)e["slug"]!));
}
