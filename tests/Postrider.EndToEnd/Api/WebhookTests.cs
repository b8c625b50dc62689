using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Webhooks by the API: from the call that makes one to the log of what was sent.</summary>
public sealed class WebhookTests : IAsyncLifetime
{
    TestServer? _started;

    TestServer Server => _started!;

    public async ValueTask InitializeAsync() => _started = await TestServer.StartAsync(("WEBHOOKS__ALLOW", "127.0.0.1/32:*"));
    public ValueTask DisposeAsync() => _started!.DisposeAsync();

    [Fact]
    public async Task An_email_is_told_to_a_webhook_from_accepted_to_sent()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200, "ok"));
        var made = await AddAsync($$"""
            {"url":"{{receiver.Url}}","headers":{"X-Key":"canary"},"events":["email.*"],"description":"shop"}
            """);
        var id = (string)made["id"]!;
        Assert.StartsWith("whsec_", (string)made["secret"]!);
        Assert.Equal("X-Key", (string?)made["headers"]![0]);

        var email = await SendAsync();
        var log = await Server.GetAsync($"/webhooks/{id}/deliveries?state=delivered", a => a["data"]!.AsArray().Count == 2);

        Assert.Equal(["email.sent", "email.accepted"], log["data"]!.AsArray().Select(d => (string)d!["type"]!));
        Assert.All(receiver.Calls, c => Assert.Equal(email, (string?)JsonNode.Parse(c.Text)!["data"]!["email_id"]));
        Assert.All(receiver.Calls, c => Assert.Equal("canary", c.Header("X-Key")));
        var one = (await Server.Client.GetFromJsonAsync<JsonNode>($"/webhooks/{id}/deliveries/{log["data"]![0]!["id"]}"))!;
        Assert.Equal(("email.sent", 200, "ok"), ((string)one["request"]!["type"]!, (int)one["attempts"]![0]!["status"]!,
            (string)one["attempts"]![0]!["response"]!));

        // Neither the secret nor a header field is told again.
        var shown = await Server.Client.GetStringAsync("/webhooks") + await Server.Client.GetStringAsync($"/webhooks/{id}");
        Assert.DoesNotContain("whsec_", shown);
        Assert.DoesNotContain("canary", shown);

        // The feed tells the same events under the same ids.
        var feed = (await Server.Client.GetFromJsonAsync<JsonNode>("/events?type=email.*"))!["data"]!.AsArray();
        Assert.Equal(receiver.Calls.Select(c => c.Header("webhook-id")).Order(), feed.Select(e => (string?)e!["id"]).Order());
    }

    [Fact]
    public async Task A_test_says_what_came_back_and_a_delivery_can_be_sent_again()
    {
        await using var receiver = HttpStub.Start(new HttpReply(500, "down"), new HttpReply(200));
        var id = (string)(await AddAsync($$"""{"url":"{{receiver.Url}}","events":["email.accepted"]}"""))["id"]!;
        var test = await PostAsync($"/webhooks/{id}/test", "", HttpStatusCode.OK);
        Assert.Equal((false, 500, "down"), ((bool)test["delivered"]!, (int)test["status"]!, (string)test["response"]!));
        Assert.Equal("webhook.test", (string?)JsonNode.Parse(receiver.Calls[0].Text)!["type"]);

        await SendAsync();
        var log = await Server.GetAsync($"/webhooks/{id}/deliveries?state=delivered", a => a["data"]!.AsArray().Count == 1);
        var delivery = (string)log["data"]![0]!["id"]!;
        await PostAsync($"/webhooks/{id}/deliveries/{delivery}/redeliver", "", HttpStatusCode.Accepted);
        await Server.GetAsync($"/webhooks/{id}/deliveries/{delivery}", d => d["attempts"]!.AsArray().Count == 2);
        var range = await PostAsync($"/webhooks/{id}/redeliver", """{"from":"2020-01-01T00:00:00Z","state":"all"}""", HttpStatusCode.Accepted);
        Assert.Equal(1, (int)range["count"]!);
        await Server.GetAsync($"/webhooks/{id}/deliveries/{delivery}", d => d["attempts"]!.AsArray().Count == 3);
        Assert.Single(receiver.Calls.Skip(1).Select(c => c.Header("webhook-id")).Distinct());

        // Of what was made before, in and after a time, that alone.
        await SendAsync();
        var two = await Server.GetAsync($"/webhooks/{id}/deliveries?state=delivered", a => a["data"]!.AsArray().Count == 2);
        var times = two["data"]!.AsArray().ToDictionary(d => (string)d!["id"]!, d => (DateTimeOffset)d!["created_at"]!);
        var later = times.Keys.Single(one => one != delivery);
        Assert.True(times[delivery] < times[later]);
        foreach (var (from, until, count) in ((DateTimeOffset, DateTimeOffset, int)[])
        [
            (times[delivery], times[later].AddMilliseconds(-1), 1), (times[delivery], times[later].AddSeconds(1), 2),
            (times[later].AddSeconds(1), times[later].AddSeconds(2), 0),
            (times[delivery].AddSeconds(-2), times[delivery].AddMilliseconds(-1), 0),
        ])
        {
            var body = $$"""{"from":"{{from:yyyy-MM-ddTHH:mm:ss.fffZ}}","until":"{{until:yyyy-MM-ddTHH:mm:ss.fffZ}}","state":"all"}""";
            Assert.Equal(count, (int)(await PostAsync($"/webhooks/{id}/redeliver", body, HttpStatusCode.Accepted))["count"]!);
            await Server.GetAsync($"/webhooks/{id}/deliveries?state=delivered", a => a["data"]!.AsArray().Count == 2);
        }
        foreach (var (one, tries) in ((string, int)[])[(delivery, 5), (later, 2)])
        {
            var told = await Server.GetAsync($"/webhooks/{id}/deliveries/{one}", d => d["attempts"]!.AsArray().Count >= tries);
            Assert.Equal(tries, told["attempts"]!.AsArray().Count);
        }

        // Switched off, nothing would be sent: that is said, with what to do.
        using var off = await Server.Client.PatchAsync($"/webhooks/{id}", TestServer.Json("""{"enabled":false}"""));
        foreach (var (path, body) in (IEnumerable<(string, string)>)
            [($"/webhooks/{id}/deliveries/{delivery}/redeliver", ""), ($"/webhooks/{id}/redeliver", """{"from":"2020-01-01T00:00:00Z"}""")])
        {
            var refused = await PostAsync(path, body, HttpStatusCode.Conflict);
            Assert.EndsWith("/webhook-disabled", (string)refused["type"]!);
            Assert.Contains("""{"enabled":true}""", (string)refused["detail"]!);
        }
    }

    [Fact]
    public async Task It_is_changed_rotated_switched_off_and_removed()
    {
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var made = await AddAsync($$"""{"url":"{{receiver.Url}}"}""");
        var path = $"/webhooks/{made["id"]}";
        using var patch = await Server.Client.PatchAsync(path, TestServer.Json(
            """{"enabled":false,"events":["email.bounced"],"description":"x"}"""));
        var changed = JsonNode.Parse(await patch.Content.ReadAsStringAsync())!;
        Assert.Equal((false, "email.bounced", "x"),
            ((bool)changed["enabled"]!, (string)changed["events"]![0]!, (string)changed["description"]!));
        Assert.Null(changed["secret"]);
        var rotated = await PostAsync($"{path}/rotate", "{}", HttpStatusCode.OK);
        Assert.NotEqual((string)made["secret"]!, (string)rotated["secret"]!);
        Assert.NotNull(rotated["previous_secret_until"]);
        Assert.Equal(HttpStatusCode.NoContent, (await Server.Client.DeleteAsync(path)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await Server.Client.GetAsync(path)).StatusCode);
    }

    [Theory]
    [InlineData("""{"url":"http://169.254.169.254/"}""", "url-not-allowed", "/url")]
    [InlineData("""{"url":"http://127.1/"}""", "url-not-allowed", "/url")]
    [InlineData("""{"url":"http://①②⑦.0.0.1/"}""", "url-not-allowed", "/url")]
    [InlineData("""{"url":"https://ok@evil.example/"}""", "url-not-allowed", "/url")]
    [InlineData("""{"url":"gopher://example.com/"}""", "url-not-allowed", "/url")]
    [InlineData("""{"url":"https://example.com:6379/","description":"a port that is allowed inside only"}""", "", "")]
    [InlineData("""{"url":"https://example.com/","events":["email.sent","email.nothing"]}""", "invalid-field", "/events/1")]
    [InlineData("""{"url":"https://example.com/","headers":{"Authorization":"x\r\nY: z"}}""", "invalid-field", "/headers/Authorization")]
    [InlineData("""{"url":"https://example.com/","headers":{"webhook-id":"x"}}""", "invalid-field", "/headers/webhook-id")]
    [InlineData("""{"url":"https://example.com/","secret":"hunter2"}""", "invalid-field", "/secret")]
    [InlineData("""{"url":"https://example.com/","tenant":2}""", "unknown-field", "/tenant")]
    [InlineData("""{}""", "invalid-field", "/url")]
    public async Task What_can_be_no_webhook_is_refused_with_its_place(string body, string slug, string pointer)
    {
        using var response = await Server.Client.PostAsync("/webhooks", TestServer.Json(body));
        var text = await response.Content.ReadAsStringAsync();
        if (slug.Length == 0)
        {
            Assert.Equal(HttpStatusCode.Created, response.StatusCode);
            return;
        }
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal(($"/problems/{slug}", pointer), ((string)problem["type"]!, (string)problem["errors"]![0]!["pointer"]!));
    }

    [Fact]
    public async Task Only_the_first_tenant_reaches_what_the_operator_allows()
    {
        using var other = await Server.NewClientAsync(new TenantId(2), Scopes.All);
        using var response = await other.PostAsync("/webhooks", TestServer.Json("""{"url":"http://127.0.0.1:5000/"}"""));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
    }

    async Task<JsonNode> AddAsync(string body) => await PostAsync("/webhooks", body, HttpStatusCode.Created);

    async Task<JsonNode> PostAsync(string path, string body, HttpStatusCode expected)
    {
        using var response = await Server.Client.PostAsync(path, body.Length == 0 ? null : TestServer.Json(body));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, text);
        return JsonNode.Parse(text)!;
    }

    async Task<string> SendAsync()
    {
        using var response = await Server.Client.PostAsync(
            "/emails", TestServer.Json("""{"from":"a@example.com","to":"b@example.com","subject":"S"}"""));
        return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!;
    }
}
