using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.IdentityModel.Tokens;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Who may call what, and that nobody learns anything from a refusal.</summary>
public sealed class AccessTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Mail = """{"from":"a@example.com","to":"b@example.com","subject":"S"}""";

    static readonly TenantId Other = new(2);

    readonly TestServer _server = shared.Server;

    [Fact]
    public void Every_endpoint_says_who_may_call_it()
    {
        var endpoints = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().ToList();
        Assert.True(endpoints.Count > 25);
        Assert.All(endpoints, e => Assert.NotNull(e.Metadata.GetMetadata<Access>()));
        Assert.Equal(
            ["/", "/callbacks/{vendor}/{secret}", "/healthz", "/openapi/{documentName}.json", "/problems", "/problems/{slug}",
                "/readyz", "/t/c/{token}", "/t/c/{token}", "/t/o/{token}", "/t/o/{token}", "/tokens", "/u/{token}", "/u/{token}", "/u/{token}"],
            endpoints.Where(e => e.Metadata.GetMetadata<Access>()!.IsOpen).Select(e => e.RoutePattern.RawText!).Order());
    }

    // One answer, byte for byte.
    [Fact]
    public async Task Every_bad_key_gets_the_same_answer()
    {
        var revoked = await _server.NewKeyAsync(TenantId.First, Scopes.All);
        Assert.True(await _server.Services.GetRequiredService<ApiKeys>()
            .RevokeAsync(TenantId.First, revoked.Key.Id, CancellationToken.None));
        var good = await _server.NewKeyAsync(TenantId.First, Scopes.All);
        string?[] headers =
        [
            null, "", " ", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer garbage",
            "Bearer pr_000000000000_00000000000000000000000000000000",
            "Bearer " + revoked.Secret, "Bearer " + good.Secret + "x", "Bearer " + good.Secret[..^1], good.Secret,
            "Bearer " + new string('k', 5_000),
        ];
        var answers = new List<string>();
        foreach (var header in headers)
        {
            var line = header is null ? "" : $"Authorization: {header}\r\n";
            var answer = await RawHttp.SendAsync(_server.Address, $"GET /emails HTTP/1.1\r\nHost: x\r\n{line}Connection: close\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 401", answer);
            answers.Add(answer[answer.IndexOf("\r\n\r\n", StringComparison.Ordinal)..].Trim());
        }
        Assert.Single(answers.Distinct());
        Assert.Equal("/problems/unauthenticated", (string?)JsonNode.Parse(answers[0])!["type"]);
    }

    [Fact]
    public async Task A_key_that_expires_is_refused_from_then_on()
    {
        var expiresAt = TimeProvider.System.GetUtcNow().AddSeconds(2);
        using var client = await _server.NewClientAsync(TenantId.First, Scopes.All, expiresAt);
        HttpStatusCode status;
        while ((status = (await client.GetAsync("/stats")).StatusCode) == HttpStatusCode.OK)
        {
            Assert.True(TimeProvider.System.GetUtcNow() < expiresAt.AddSeconds(10), "the key still works 10 s after it expired");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System);
        }
        Assert.Equal(HttpStatusCode.Unauthorized, status);
        Assert.True(TimeProvider.System.GetUtcNow() >= expiresAt);
    }

    [Fact]
    public async Task A_revoked_key_ends_with_its_tokens_at_once()
    {
        var key = await _server.NewKeyAsync(TenantId.First, Scopes.All);
        using var client = _server.NewClient(key.Secret);
        using var made = await client.PostAsync("/tokens", null);
        using var token = _server.NewClient((string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["token"]!);
        Assert.Equal(HttpStatusCode.OK, (await token.GetAsync("/stats")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await _server.Client.DeleteAsync($"/keys/{key.Key.Id}")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/stats")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await token.GetAsync("/stats")).StatusCode);
        var status = await token.GetFromJsonAsync<JsonNode>("/tokens");
        Assert.Equal((false, "revoked"), ((bool)status!["valid"]!, (string)status["reason"]!));
    }

    // Each key with one scope against each route.
    [Fact]
    public async Task A_scope_opens_what_it_is_for_and_nothing_else()
    {
        var endpoints = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<Access>() is { IsOpen: false }).ToList();
        foreach (var scope in (Scopes[])[Scopes.Send, Scopes.Read, Scopes.Manage, Scopes.Admin])
        {
            using var client = await _server.NewClientAsync(TenantId.First, scope);
            foreach (var endpoint in endpoints)
            {
                var needed = endpoint.Metadata.GetMetadata<Access>()!.Scopes;
                // The headers are enough: a live stream has no end.
                using var response = await client.SendAsync(RequestFor(endpoint), HttpCompletionOption.ResponseHeadersRead);
                Assert.Equal((scope & needed) != needed, response.StatusCode == HttpStatusCode.Forbidden);
                if (response.StatusCode == HttpStatusCode.Forbidden)
                    Assert.Contains("/problems/insufficient-scope", await response.Content.ReadAsStringAsync());
            }
        }
    }

    // Another tenant's id is answered as one that never was.
    [Fact]
    public async Task Nothing_of_another_tenant_can_be_told_from_what_is_not_there()
    {
        // A tenant that no other test of this class sends mail for.
        using var other = await _server.NewClientAsync(new TenantId(3), Scopes.All);
        using var sent = await _server.Client.PostAsync("/emails", TestServer.Json(Mail));
        var email = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        using var batch = await _server.Client.PostAsync("/emails/batch", TestServer.Json($"[{Mail}]"));
        var batchId = (string)JsonNode.Parse(await batch.Content.ReadAsStringAsync())!["batch_id"]!;
        using var made = await _server.Client.PostAsync("/lists", TestServer.Json("""{"name":"theirs"}"""));
        var list = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        await _server.GetEmailAsync(email, e => (string?)e["status"] == "complete");
        var inbox = (string)(await _server.Client.GetFromJsonAsync<JsonNode>($"/inbox?message={email}"))!["data"]![0]!["id"]!;
        var key = (await _server.NewKeyAsync(TenantId.First, Scopes.Read)).Key.Id;
        using var added = await _server.Client.PostAsync("/users", TestServer.Json("""{"name":"ann@example.com"}"""));
        var user = (string)JsonNode.Parse(await added.Content.ReadAsStringAsync())!["id"]!;
        var (schedule, run) = await ScheduleAsync();
        using var hook = await _server.Client.PostAsync("/webhooks", TestServer.Json("""{"url":"https://example.com/"}"""));
        var webhook = (string)JsonNode.Parse(await hook.Content.ReadAsStringAsync())!["id"]!;
        (HttpMethod Method, string Path, string Mine, string Absent)[] calls =
        [
            (HttpMethod.Get, "/emails/{0}", email, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/emails/{0}/cancel", email, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/emails/{0}/retry", email, new MessageId(12345).ToString()),
            (HttpMethod.Patch, "/emails/{0}", email, new MessageId(12345).ToString()),
            (HttpMethod.Get, "/batches/{0}", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/cancel", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/retry-failed", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Get, "/batches/{0}/errors", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/destinations", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/start", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/pause", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/batches/{0}/resume", batchId, new MessageId(12345).ToString()),
            (HttpMethod.Get, "/lists/{0}", list, new MessageId(12345).ToString()),
            (HttpMethod.Get, "/lists/{0}/recipients", list, new MessageId(12345).ToString()),
            (HttpMethod.Post, "/lists/{0}/recipients", list, new MessageId(12345).ToString()),
            (HttpMethod.Delete, "/lists/{0}/recipients/{email}", list, new MessageId(12345).ToString()),
            (HttpMethod.Patch, "/lists/{0}", list, new MessageId(12345).ToString()),
            (HttpMethod.Delete, "/lists/{0}", list, new MessageId(12345).ToString()),
            (HttpMethod.Get, "/inbox/{0}", inbox, "987654"),
            (HttpMethod.Get, "/inbox/{0}.eml", inbox, "987654"),
            (HttpMethod.Delete, "/keys/{0}", key, "nosuchkey"),
            (HttpMethod.Patch, "/users/{0}", user, "987654"),
            (HttpMethod.Post, "/users/{0}/reset", user, "987654"),
            (HttpMethod.Delete, "/users/{0}", user, "987654"),
            .. CallsAboutSchedules.Select(call => (call.Method, call.Path, schedule, new MessageId(12345).ToString())),
            (HttpMethod.Get, "/webhooks/{0}", webhook, "wh_none"),
            (HttpMethod.Patch, "/webhooks/{0}", webhook, "wh_none"),
            (HttpMethod.Post, "/webhooks/{0}/rotate", webhook, "wh_none"),
            (HttpMethod.Post, "/webhooks/{0}/test", webhook, "wh_none"),
            (HttpMethod.Post, "/webhooks/{0}/redeliver", webhook, "wh_none"),
            (HttpMethod.Get, "/webhooks/{0}/deliveries", webhook, "wh_none"),
            (HttpMethod.Get, "/webhooks/{0}/deliveries/{delivery}", webhook, "wh_none"),
            (HttpMethod.Post, "/webhooks/{0}/deliveries/{delivery}/redeliver", webhook, "wh_none"),
            (HttpMethod.Delete, "/webhooks/{0}", webhook, "wh_none"),
        ];
        foreach (var (method, path, mine, absent) in calls)
        {
            string Of(string id) => path.Replace("{0}", id, StringComparison.Ordinal).Replace("{run}", run, StringComparison.Ordinal);
            var theirs = await CallAsync(other, method, Of(mine));
            var nothing = await CallAsync(other, method, Of(absent));
            Assert.StartsWith("404", theirs);
            Assert.Equal(nothing, theirs);
        }
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/emails"))!["data"]!.AsArray());
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/inbox"))!["data"]!.AsArray());
        Assert.Equal(0, (long)(await other.GetFromJsonAsync<JsonNode>("/stats"))!["accepted"]!);
        // Every route with an id is in the list above.
        Assert.Equal(
            calls.Select(c => $"{c.Method} {c.Path.Replace("{0}", "{id}", StringComparison.Ordinal)}").Distinct().Order(),
            RoutesWithParameters().Where(route => route.Contains("{id}")).Order());
    }

    /// <summary>Of things that have names, and ids of other words.</summary>
    static readonly (string Method, string Path, string Mine, string Absent, string? Body)[] NamedCalls =
    [
        ("GET", "/templates/{template}", "of-one", "of-none", null),
        ("DELETE", "/templates/{template}", "of-one", "of-none", null),
        ("POST", "/templates/{template}/versions", "of-one", "of-none", """{"subject":"S","text":"T"}"""),
        ("POST", "/templates/{template}/render", "of-one", "of-none", """{"data":{}}"""),
        ("GET", "/domains/{name}", "one.example", "none.example", null),
        ("DELETE", "/domains/{name}", "one.example", "none.example", null),
        ("POST", "/domains/{name}/check", "one.example", "none.example", null),
        ("POST", "/domains/{name}/keys", "one.example", "none.example", "{}"),
        ("POST", "/domains/{name}/keys/{selector}/activate", "one.example", "none.example", null),
        ("DELETE", "/domains/{name}/keys/{selector}", "one.example", "none.example", null),
        ("DELETE", "/suppressions/{email}", "one@example.com", "none@example.com", null),
        ("GET", "/erasures/{erasure}", "{made}", "er_none", null),
        ("GET", "/dead-letters/jobs/{job}", "{made}", "99999", null),
        ("POST", "/dead-letters/jobs/{job}/cancel", "{made}", "99999", null),
    ];

    /// <summary>Routes with a parameter that have no case here.</summary>
    static readonly (string Begins, string Why)[] OtherRoutes =
    [
        ("/tenants/", "of the first tenant alone: others get 403 installation-only, whatever the id (TenantTests)"),
        ("/transports/", "names that tenants share or own: TransportTests compares each with one that is not there"),
        ("/routes/", "as transports"),
        ("/t/", "the token is the credential: TrackingTests"),
        ("/u/", "the token is the credential: SuppressionTests"),
        ("/callbacks/", "the secret is the credential: CallbackTests"),
        ("/problems/", "the same to everybody"),
        ("/openapi/", "the same to everybody"),
    ];

    [Fact]
    public async Task No_name_of_another_tenant_can_be_told_from_one_that_nobody_has()
    {
        async Task<JsonNode?> MakeAsync(string path, string body)
        {
            using var made = await _server.Client.PostAsync(path, TestServer.Json(body));
            var text = await made.Content.ReadAsStringAsync();
            Assert.True(made.IsSuccessStatusCode, text);
            return JsonNode.Parse(text);
        }

        await MakeAsync("/templates", """{"name":"of-one","subject":"S","text":"T"}""");
        await MakeAsync("/domains", """{"name":"one.example","selector":"s1"}""");
        await MakeAsync("/suppressions", """{"email":"one@example.com"}""");
        var erasure = (string)(await MakeAsync("/erasures", """{"email":"one@example.com"}"""))!["id"]!;
        var job = (string)(await MakeAsync("/dead-letters/discard", """{"all":true}"""))!["id"]!;
        using var other = await _server.NewClientAsync(new TenantId(3), Scopes.All);
        foreach (var (method, path, mine, absent, body) in NamedCalls)
        {
            var parameter = path[path.IndexOf('{')..(path.IndexOf('}') + 1)];
            var made = parameter == "{erasure}" ? erasure : job;
            async Task<string> CallOfAsync(string id)
            {
                using var request = new HttpRequestMessage(new HttpMethod(method), path
                    .Replace(parameter, id, StringComparison.Ordinal).Replace("{selector}", "s1", StringComparison.Ordinal))
                { Content = body is null ? null : TestServer.Json(body) };
                using var response = await other.SendAsync(request);
                var text = $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}";
                return text.Replace(id, "ID", StringComparison.Ordinal);
            }
            var theirs = await CallOfAsync(mine.Replace("{made}", made, StringComparison.Ordinal));
            Assert.StartsWith("404", theirs);
            Assert.Equal(await CallOfAsync(absent), theirs);
        }
        Assert.Equal(HttpStatusCode.OK, (await _server.Client.GetAsync("/domains/one.example")).StatusCode);
        // Every other route with a parameter is in the list, or has its reason.
        static bool IsUnder(string route, string begins) => route.Contains($" {begins}", StringComparison.Ordinal);
        var routes = RoutesWithParameters();
        Assert.Equal(NamedCalls.Select(call => $"{call.Method} {call.Path}").Order(),
            routes.Where(route => !route.Contains("{id}") && !OtherRoutes.Any(but => IsUnder(route, but.Begins))).Order());
        Assert.All(OtherRoutes, but => Assert.Contains(routes, route => IsUnder(route, but.Begins)));
    }

    /// <summary>By method.</summary>
    List<string> RoutesWithParameters() =>
    [
        .. _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.Parameters.Count > 0)
            .SelectMany(e => (e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["ANY"])
                .Select(method => $"{method} {e.RoutePattern.RawText!.Replace("{id:long}", "{id}", StringComparison.Ordinal)}"))
            .Distinct(),
    ];

    static readonly (HttpMethod Method, string Path)[] CallsAboutSchedules =
    [
        (HttpMethod.Get, "/schedules/{0}"), (HttpMethod.Patch, "/schedules/{0}"), (HttpMethod.Delete, "/schedules/{0}"),
        (HttpMethod.Put, "/schedules/{0}/recipients"),
        (HttpMethod.Post, "/schedules/{0}/pause"), (HttpMethod.Post, "/schedules/{0}/resume"), (HttpMethod.Post, "/schedules/{0}/run"),
        (HttpMethod.Get, "/schedules/{0}/next"), (HttpMethod.Get, "/schedules/{0}/runs"), (HttpMethod.Get, "/schedules/{0}/runs/{run}"),
        (HttpMethod.Get, "/schedules/{0}/report"),
    ];

    /// <summary>A schedule that ran once.</summary>
    async Task<(string Schedule, string Run)> ScheduleAsync()
    {
        using var made = await _server.Client.PostAsync("/schedules", TestServer.Json("""
            {"name":"s","cron":"0 0 1 1 *","recipients":["b@example.com"],"email":{"from":"a@example.com","subject":"S"}}
            """));
        var schedule = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        using var run = await _server.Client.PostAsync($"/schedules/{schedule}/run", null);
        return (schedule, (string)JsonNode.Parse(await run.Content.ReadAsStringAsync())!["id"]!);
    }

    [Fact]
    public async Task The_same_idempotency_key_of_two_tenants_makes_two_messages()
    {
        using var other = await _server.NewClientAsync(Other, Scopes.Send);
        var first = await SendWithKeyAsync(_server.Client, "shared");
        var second = await SendWithKeyAsync(other, "shared");
        Assert.NotEqual(first, second);
    }

    // What claims to be a token and is none.
    [Fact]
    public async Task Forged_tokens_are_refused()
    {
        using var made = await _server.Client.PostAsync("/tokens", null);
        var token = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["token"]!;
        var parts = token.Split('.');
        var payload = JsonNode.Parse(Base64UrlEncoder.Decode(parts[1]))!.AsObject();
        string Encode(JsonNode node) => Base64UrlEncoder.Encode(node.ToJsonString());
        string With(string name, JsonNode? value)
        {
            var changed = payload.DeepClone().AsObject();
            changed[name] = value;
            if (value is null)
                changed.Remove(name);
            return Encode(changed);
        }
        string Signed(string body) => Sign($"{parts[0]}.{body}", "not-our-key-but-one-of-32-bytes!!");
        string[] forged =
        [
            $"{Encode(new JsonObject { ["alg"] = "none", ["typ"] = "at+jwt" })}.{parts[1]}.",
            $"{parts[0]}.{With("scope", "admin")}.{parts[2]}",
            $"{parts[0]}.{With("exp", "never")}.{parts[2]}",
            $"{parts[0]}.{With("exp", null)}.{parts[2]}",
            Signed(parts[1]), Signed(With("aud", "another")), Signed(With("iss", "another")),
            $"{parts[0]}.{parts[1]}.", $"{parts[0]}.{parts[1]}.{new string('A', 43)}", $"{token}x", token[..^2],
            "eyJhbGciOiJIUzI1NiJ9.e30.x", "eyJ..",
        ];
        foreach (var text in forged)
        {
            using var client = _server.NewClient(text);
            using var response = await client.GetAsync("/stats");
            Assert.True(response.StatusCode == HttpStatusCode.Unauthorized, text);
            Assert.Contains("/problems/invalid-token", await response.Content.ReadAsStringAsync());
            Assert.False((bool)(await client.GetFromJsonAsync<JsonNode>("/tokens"))!["valid"]!);
        }
    }

    [Fact]
    public async Task A_token_has_no_more_scopes_and_no_more_life_than_asked_for()
    {
        using var made = await _server.Client.PostAsync("/tokens", TestServer.Json("""{"scopes":["read"],"expires_in":"5m"}"""));
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var answer = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        Assert.Equal("Bearer", (string?)answer["token_type"]);
        var left = DateTimeOffset.Parse(
            (string)answer["expires_at"]!, System.Globalization.CultureInfo.InvariantCulture) - TimeProvider.System.GetUtcNow();
        Assert.InRange(left, TimeSpan.FromMinutes(4.8), TimeSpan.FromMinutes(5));
        using var client = _server.NewClient((string)answer["token"]!);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/stats")).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync("/emails", TestServer.Json("{}"))).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync("/tokens", null)).StatusCode);
    }

    [Theory]
    [InlineData("""{"expires_in":0}""", "invalid-field")]
    [InlineData("""{"expires_in":"25h"}""", "invalid-field")]
    [InlineData("""{"scopes":["everything"]}""", "invalid-field")]
    [InlineData("""{"scopes":"read"}""", "invalid-field")]
    [InlineData("""{"scope":["read"]}""", "unknown-field")]
    public async Task A_token_that_cannot_be_is_refused(string body, string slug)
    {
        using var response = await _server.Client.PostAsync("/tokens", TestServer.Json(body));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        Assert.Contains($"/problems/{slug}", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_key_is_shown_once_and_listed_without_its_secret()
    {
        using var made = await _server.Client.PostAsync("/keys", TestServer.Json("""{"name":"shop","scopes":["send"],"expires_at":"2199-01-01T00:00:00Z"}"""));
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var key = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        var secret = (string)key["key"]!;
        using var client = _server.NewClient(secret);
        Assert.NotEqual(HttpStatusCode.Unauthorized, (await client.GetAsync("/emails")).StatusCode);
        var list = await _server.Client.GetStringAsync("/keys");
        Assert.Contains((string)key["id"]!, list);
        Assert.DoesNotContain(secret[^20..], list);
    }

    [Fact]
    public async Task A_SigV4_key_has_an_access_key_id_and_a_secret()
    {
        using var made = await _server.Client.PostAsync("/keys", TestServer.Json("""{"name":"ses","kind":"sigv4","scopes":["send"]}"""));
        var key = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        Assert.NotNull(key["access_key_id"]);
        Assert.NotNull(key["secret"]);
        Assert.Null(key["key"]);
    }

    static HttpRequestMessage RequestFor(RouteEndpoint endpoint)
    {
        var method = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0];
        var path = endpoint.RoutePattern.RawText!
            .Replace("{id:long}", "1", StringComparison.Ordinal).Replace("{id}", "none", StringComparison.Ordinal)
                .Replace("{name}", "none", StringComparison.Ordinal);
        return new HttpRequestMessage(new HttpMethod(method), path) { Content = method is "GET" or "DELETE" ? null : TestServer.Json("5") };
    }

    static async Task<string> CallAsync(HttpClient client, HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, path);
        if (path.StartsWith("/webhooks/", StringComparison.Ordinal) && method != HttpMethod.Get)
            request.Content = TestServer.Json(
                method == HttpMethod.Patch ? """{"enabled":true}"""
                : path.Contains("deliveries", StringComparison.Ordinal) || !path.EndsWith("redeliver", StringComparison.Ordinal)
                    ? "{}" : """{"from":"2020-01-01T00:00:00Z"}""");
        else if (method == HttpMethod.Patch && path.StartsWith("/users/", StringComparison.Ordinal))
            request.Content = TestServer.Json("""{"role":"viewer"}""");
        else if (method == HttpMethod.Patch && path.StartsWith("/lists/", StringComparison.Ordinal))
            request.Content = TestServer.Json("""{"name":"mine"}""");
        else if (method == HttpMethod.Patch)
            request.Content = TestServer.Json($$"""{"send_at":"{{TimeProvider.System.GetUtcNow().AddDays(1):yyyy-MM-ddTHH:mm:ssZ}}"}""");
        using var response = await client.SendAsync(request);
        return $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}";
    }

    static async Task<string> SendWithKeyAsync(HttpClient client, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails") { Content = TestServer.Json(Mail) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!;
    }

    static string Sign(string text, string key)
    {
        using var hmac = new System.Security.Cryptography.HMACSHA256(Encoding.ASCII.GetBytes(key));
        return $"{text}.{Base64UrlEncoder.Encode(hmac.ComputeHash(Encoding.ASCII.GetBytes(text)))}";
    }
}
