using System.Net;
using System.Net.Http.Json;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Handing mail over: one, many, one content for many, and a stream; each once.</summary>
public sealed class SendTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Mail = """{"from":"a@example.com","to":"b@example.com","subject":"S","text":"T"}""";

    static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_message_is_kept_delivered_and_tells_its_whole_story()
    {
        var sent = await PostAsync("/emails",
            """
            {"from":"Ann <ann@example.com>","to":["Bob <bob@example.com>"],"cc":"cy@example.com","bcc":["dee@example.com"],"reply_to":"r@example.com",
             "subject":"Hello ünïcode","text":"T","html":"<b>H</b>","tags":["welcome",{"name":"n","value":"v"}],"metadata":{"order":"42"},"stream":"bulk"}
            """, HttpStatusCode.Accepted);
        Assert.Equal("incomplete", (string?)sent["status"]);
        Assert.Null(sent["batch_id"]);
        Assert.Equal(
            """[{"email":"bob@example.com","kind":"to","status":"queued"},{"email":"cy@example.com","kind":"cc","status":"queued"},{"email":"dee@example.com","kind":"bcc","status":"queued"}]""",
            sent["recipients"]!.ToJsonString());

        var email = await _server.GetEmailAsync((string)sent["id"]!, e => (string?)e["status"] == "complete");
        Assert.Equal("email", (string?)email["object"]);
        Assert.Equal("Ann <ann@example.com>", (string?)email["from"]);
        Assert.Equal("""["Bob <bob@example.com>"]""", Plain(email["to"]));
        Assert.Equal("""["cy@example.com"]""", Plain(email["cc"]));
        Assert.Equal("""["dee@example.com"]""", Plain(email["bcc"]));
        Assert.Equal("""["r@example.com"]""", Plain(email["reply_to"]));
        Assert.Equal(("Hello ünïcode", "T", "<b>H</b>", "bulk", "default"),
            ((string?)email["subject"], (string?)email["text"], (string?)email["html"], (string?)email["stream"], (string?)email["route"]));
        Assert.Equal("""["welcome","n:v"]""", Plain(email["tags"]));
        Assert.Equal("""{"order":"42"}""", Plain(email["metadata"]));
        Assert.Equal("sent", (string?)email["last_event"]);
        Assert.Equal(1, (int)email["tries"]!);
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", (string)email["created_at"]!);
        Assert.All(email["recipients"]!.AsArray(), r =>
        {
            Assert.Equal(("sent", "capture", 250, 1),
                ((string?)r!["status"], (string?)r["transport"], (int)r["status_code"]!, (int)r["tries"]!));
            Assert.Null(r["next_attempt_at"]);
            Assert.NotNull(r["worker"]);
        });
        var attempt = Assert.Single(email["attempts"]!.AsArray())!;
        Assert.Equal(("capture", "accepted", 3),
            ((string?)attempt["transport"], (string?)attempt["outcome"], attempt["recipients"]!.AsArray().Count));

        var inbox = (await _server.Client.GetFromJsonAsync<JsonNode>($"/inbox?message={email["id"]}"))!["data"]!.AsArray();
        var source = await _server.Client.GetStringAsync($"/inbox/{inbox[0]!["id"]}.eml");
        Assert.Contains("To: Bob <bob@example.com>", source);
        Assert.DoesNotContain("dee@example.com", source);
    }

    [Fact]
    public async Task Resends_fields_and_answers_are_understood()
    {
        var at = TimeProvider.System.GetUtcNow().AddDays(1);
        var sent = await PostAsync("/emails",
            $$"""
            {"attachments":[{"content":"aGVsbG8=","filename":"a.txt","content_type":"text/plain"}],"bcc":["d@example.net"],"cc":"c@example.net","from":"Sender <sender@example.com>",
             "headers":{"X-Custom":"v1"},"html":"<b>html</b>","reply_to":"reply@example.com","scheduled_at":"{{at:yyyy-MM-ddTHH:mm:ssZ}}","subject":"Hello","tags":[{"name":"category","value":"welcome"}],
             "text":"plain","to":["a@example.net","Bee <b@example.net>"],"template":null}
            """, HttpStatusCode.Accepted);
        var id = (string)sent["id"]!;
        var email = (await _server.Client.GetFromJsonAsync<JsonNode>($"/emails/{id}"))!;
        Assert.Equal(("scheduled", (string)email["send_at"]!), ((string?)email["last_event"], (string)email["scheduled_at"]!));

        using var later = await _server.Client.PatchAsync($"/emails/{id}", TestServer.Json($$"""{"scheduled_at":"{{at.AddDays(1):yyyy-MM-ddTHH:mm:ssZ}}"}"""));
        Assert.Equal($$"""{"object":"email","id":"{{id}}"}""", await later.Content.ReadAsStringAsync());
        using var cancelled = await _server.Client.PostAsync($"/emails/{id}/cancel", null);
        Assert.Equal($$"""{"object":"email","id":"{{id}}","count":4}""", await cancelled.Content.ReadAsStringAsync());
        using var nothing = await _server.Client.PostAsync($"/emails/{id}/cancel", null);
        var reason = JsonNode.Parse(await nothing.Content.ReadAsStringAsync())!;
        Assert.Equal((0, true), ((int)reason["count"]!, ((string)reason["reason"]!).StartsWith("No recipient", StringComparison.Ordinal)));
        Assert.Equal("canceled", (string?)(await _server.Client.GetFromJsonAsync<JsonNode>($"/emails/{id}"))!["last_event"]);
        using var tooLate = await _server.Client.PatchAsync($"/emails/{id}", TestServer.Json($$"""{"scheduled_at":"{{at:yyyy-MM-ddTHH:mm:ssZ}}"}"""));
        Assert.Equal(HttpStatusCode.Conflict, tooLate.StatusCode);
        Assert.Equal("all 4 cancelled", (string?)(await _server.Client.GetFromJsonAsync<JsonNode>($"/emails/{id}"))!["status_reason"]);

        var sentId = (string)(await PostAsync("/emails", Mail, HttpStatusCode.Accepted))["id"]!;
        await _server.GetEmailAsync(sentId, e => (string?)e["status"] == "complete");
        using var ended = await _server.Client.PostAsync($"/emails/{sentId}/cancel", null);
        var conflict = JsonNode.Parse(await ended.Content.ReadAsStringAsync())!;
        Assert.Equal((409, 409, "The message has ended, so nothing of it can be cancelled."),
            ((int)ended.StatusCode, (int)conflict["statusCode"]!, (string?)conflict["message"]));

        using var refused = await _server.Client.PostAsync("/emails", TestServer.Json("""{"from":"a@example.com"}"""));
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal((422, "missing_required_field"), ((int)problem["statusCode"]!, (string?)problem["name"]));
        Assert.Equal((string?)problem["detail"], (string?)problem["message"]);
    }

    [Fact]
    public async Task A_hundred_posts_with_one_key_are_one_message_and_one_answer()
    {
        var before = await AcceptedAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => SendAsync("/emails", Mail, "hundred")));
        Assert.Single(answers.Select(a => a.Body).Distinct());
        Assert.All(answers, a => Assert.Equal(HttpStatusCode.Accepted, a.Status));
        Assert.Equal(99, answers.Count(a => a.Replayed));
        Assert.Equal(before + 1, await AcceptedAsync());
    }

    [Fact]
    public async Task The_same_request_written_differently_is_the_same_and_another_body_is_refused()
    {
        var first = await SendAsync("/emails", Mail, "rewritten");
        var again = await SendAsync("/emails", """{ "text":"T", "subject":"\u0053", "to":"b@example.com", "from":"a@example.com" }""", "rewritten");
        Assert.True(again.Replayed);
        Assert.Equal(first.Body, again.Body);
        var other = await SendAsync("/emails", Mail.Replace("\"S\"", "\"Other\"", StringComparison.Ordinal), "rewritten");
        Assert.Equal(HttpStatusCode.Conflict, other.Status);
        Assert.Contains("/problems/idempotency-mismatch", other.Body);
        Assert.Contains("invalid_idempotent_request", other.Body);
        var elsewhere = await SendAsync("/emails/batch", $"[{Mail}]", "rewritten");
        Assert.Equal(HttpStatusCode.Conflict, elsewhere.Status);
    }

    [Fact]
    public async Task A_refusal_is_not_kept_under_its_key()
    {
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await SendAsync("/emails", """{"from":"a@example.com"}""", "mended")).Status);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("/emails", Mail, "mended")).Status);
    }

    [Theory]
    [InlineData("[{0},{1},{0}]")]
    [InlineData("{{\"emails\":[{0},{1},{0}]}}")]
    public async Task A_batch_has_a_result_for_each(string form)
    {
        var body = form.Replace("{0}", Mail, StringComparison.Ordinal).Replace("{1}", """{"from":"a@example.com","to":["b@example.com","nothing"],"subject":"S"}""", StringComparison.Ordinal)
            .Replace("{{", "{", StringComparison.Ordinal).Replace("}}", "}", StringComparison.Ordinal);
        var answer = await PostAsync("/emails/batch", body, HttpStatusCode.OK);
        var data = answer["data"]!.AsArray();
        Assert.Equal(3, data.Count);
        Assert.NotNull(data[0]!["id"]);
        Assert.Equal("/to/1", (string?)data[1]!["error"]!["errors"]![0]!["pointer"]);
        Assert.NotNull(data[2]!["id"]);
        var batch = (string)answer["batch_id"]!;
        var shown = await _server.GetAsync($"/batches/{batch}?emails=true", b => (string?)b["status"] == "complete");
        Assert.Equal((2, 2), ((int)shown["count"]!, (int)shown["counts"]!["sent"]!));
        Assert.Equal(2, shown["emails"]!.AsArray().Count);
    }

    [Fact]
    public async Task A_strict_batch_is_all_or_nothing()
    {
        var before = await AcceptedAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails/batch") { Content = TestServer.Json($$"""[{{Mail}},{"from":"a@example.com","to":"nothing","subject":"S"}]""") };
        request.Headers.Add("x-batch-validation", "strict");
        using var response = await _server.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.StartsWith("/1/to", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["errors"]![0]!["pointer"]);
        Assert.Equal(before, await AcceptedAsync());
    }

    [Fact]
    public async Task More_than_a_thousand_in_one_call_are_refused()
    {
        var answer = await PostAsync(
            "/emails/batch", $"[{string.Join(',', Enumerable.Repeat(Mail, 1001))}]", HttpStatusCode.UnprocessableEntity);
        Assert.Equal("/problems/too-many-messages", (string?)answer["type"]);
        Assert.Equal(1000, (await PostAsync(
            "/emails/batch", $"[{string.Join(',', Enumerable.Repeat(Mail, 1000))}]", HttpStatusCode.OK))["data"]!.AsArray().Count);
    }

    [Fact]
    public async Task One_content_for_many_is_a_message_for_each()
    {
        var answer = await PostAsync("/emails/send",
            """{"from":"news@example.com","destinations":[{"email":"ann@example.com","name":"Ann"},{"email":"bob@example.com"}],"subject":"News","plainContent":"T"}""", HttpStatusCode.Accepted);
        Assert.Equal(2, (int)answer["count"]!);
        Assert.Equal(["ann@example.com", "bob@example.com"], answer["emails"]!.AsArray().Select(e => (string?)e!["email"]));
        var first = await _server.GetEmailAsync((string)answer["emails"]![0]!["id"]!, e => (string?)e["status"] == "complete");
        Assert.Equal("""["Ann <ann@example.com>"]""", Plain(first["to"]));
        Assert.Equal(((string)answer["batch_id"]!, "bulk", "T"),
            ((string)first["batch_id"]!, (string)first["stream"]!, (string)first["text"]!));
        Assert.Equal(2, (await _server.Client.GetFromJsonAsync<JsonNode>($"/emails?batch={answer["batch_id"]}"))!["data"]!.AsArray().Count);
    }

    [Fact]
    public async Task Above_a_thousand_destinations_the_answer_lists_none()
    {
        var destinations = string.Join(',', Enumerable.Range(0, 1001).Select(i => $$"""{"email":"d{{i}}@example.com"}"""));
        var answer = await PostAsync("/emails/send", $$"""{"from":"news@example.com","destinations":[{{destinations}}],"subject":"News","text":"T"}""", HttpStatusCode.Accepted);
        Assert.Equal(1001, (int)answer["count"]!);
        Assert.False(answer.AsObject().ContainsKey("emails"));
    }

    [Fact]
    public async Task Pages_follow_each_other_without_gap_or_repetition()
    {
        var tag = "paged";
        for (var i = 0; i < 7; i++)
            await PostAsync("/emails", $$"""{"from":"a@example.com","to":"b@example.com","subject":"S{{i}}","tags":["{{tag}}"]}""", HttpStatusCode.Accepted);
        await _server.GetAsync($"/emails?tag={tag}", l => l["data"]!.AsArray().Count == 7);
        var seen = new List<string>();
        var next = "";
        do
        {
            var page = (await _server.Client.GetFromJsonAsync<JsonNode>($"/emails?tag={tag}&limit=3{next}"))!;
            seen.AddRange(page["data"]!.AsArray().Select(e => (string)e!["subject"]!));
            Assert.Equal((bool)page["has_more"]!, page["next"] is not null);
            next = page["next"] is { } after ? $"&after={after}" : "";
        }
        while (next.Length > 0);
        Assert.Equal(["S6", "S5", "S4", "S3", "S2", "S1", "S0"], seen);
    }

    async Task<JsonNode> PostAsync(string path, string json, HttpStatusCode expected)
    {
        using var response = await _server.Client.PostAsync(path, TestServer.Json(json));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, text);
        return JsonNode.Parse(text)!;
    }

    async Task<(HttpStatusCode Status, string Body, bool Replayed)> SendAsync(string path, string json, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = TestServer.Json(json) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await _server.Client.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Contains("Idempotent-Replayed"));
    }

    async Task<long> AcceptedAsync() => (long)(await _server.Client.GetFromJsonAsync<JsonNode>("/stats"))!["accepted"]!;

    static string Plain(JsonNode? node) => JsonSerializer.Serialize(node, Readable);
}
