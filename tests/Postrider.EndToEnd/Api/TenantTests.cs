using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Tenants from <c>POST /tenants</c> to their mail.</summary>
public sealed class TenantTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Mail = """{"from":"a@example.com","to":"b@example.com","subject":"S"}""";

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_tenant_gets_its_first_key_and_sends_with_it()
    {
        var made = await PostAsync("/tenants", """{"name":"sends","settings":{"max_queued":1000,"weight":3}}""", HttpStatusCode.Created);
        Assert.Equal((1000, 3, null), ((int?)made["settings"]!["max_queued"], (int)made["settings"]!["weight"]!,
            (int?)made["settings"]!["daily_quota"]));
        using var client = _server.NewClient((string)made["key"]!["key"]!);
        var sent = await Answer(await client.PostAsync("/emails", TestServer.Json(Mail)), HttpStatusCode.Accepted);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.GetAsync($"/emails/{sent["id"]}")).StatusCode);
        var key = await Answer(await client.PostAsync("/keys", TestServer.Json("""{"name":"own","scopes":["read"]}""")), HttpStatusCode.Created);
        using var own = _server.NewClient((string)key["key"]!);
        Assert.Equal(HttpStatusCode.OK, (await own.GetAsync($"/emails/{sent["id"]}")).StatusCode);
        Assert.DoesNotContain((string)made["key"]!["key"]!, await _server.Client.GetStringAsync("/tenants"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_change_one_by_one_and_null_is_the_default_again()
    {
        var id = (string)(await PostAsync("/tenants", """{"name":"changes","settings":{"weight":5,"on_ambiguous":"hold"}}""", HttpStatusCode.Created))["id"]!;
        var changed = await PatchAsync(id, """{"name":"changed","settings":{"daily_quota":7}}""");
        Assert.Equal(("changed", 5, 7, "hold"), ((string?)changed["name"], (int)changed["settings"]!["weight"]!,
            (int)changed["settings"]!["daily_quota"]!, (string?)changed["settings"]!["on_ambiguous"]));
        changed = await PatchAsync(id, """{"settings":{"weight":null,"on_ambiguous":null}}""");
        Assert.Equal((null, 7, null), ((int?)changed["settings"]!["weight"], (int)changed["settings"]!["daily_quota"]!,
            (string?)changed["settings"]!["on_ambiguous"]));
        Assert.Equal(changed.ToJsonString(), (await _server.Client.GetFromJsonAsync<JsonNode>($"/tenants/{id}"))!.ToJsonString());
        using var taken = await _server.Client.PatchAsync($"/tenants/{id}", TestServer.Json("""{"name":"first"}"""));
        Assert.Equal(HttpStatusCode.Conflict, taken.StatusCode);
    }

    [Theory]
    [InlineData("""{}""", "invalid-field", "/name")]
    [InlineData("""{"name":"x","settings":{"weight":0}}""", "invalid-field", "/settings/weight")]
    [InlineData("""{"name":"x","settings":{"weight":1001}}""", "invalid-field", "/settings/weight")]
    [InlineData("""{"name":"x","settings":{"max_queued":-1}}""", "invalid-field", "/settings/max_queued")]
    [InlineData("""{"name":"x","settings":{"max_queued":"1"}}""", "invalid-field", "/settings/max_queued")]
    [InlineData("""{"name":"x","settings":{"on_ambiguous":"no"}}""", "invalid-field", "/settings/on_ambiguous")]
    [InlineData("""{"name":"x","settings":{"require_verified_senders":1}}""", "invalid-field", "/settings/require_verified_senders")]
    [InlineData("""{"name":"x","settings":{"wieght":1}}""", "unknown-field", "/settings/wieght")]
    [InlineData("""{"name":"x","id":7}""", "unknown-field", "/id")]
    public async Task What_cannot_be_is_refused_with_its_place(string body, string slug, string pointer)
    {
        using var response = await _server.Client.PostAsync("/tenants", TestServer.Json(body));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal(($"/problems/{slug}", pointer), ((string?)problem["type"], (string?)problem["errors"]![0]!["pointer"]));
    }

    [Fact]
    public async Task An_archived_tenant_is_refused_and_its_mail_waits_until_it_is_restored()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "only=capture://"));
        async Task<JsonNode> CallAsync(string path, HttpStatusCode status) =>
            await Answer(await server.Client.PostAsync(path, null), status);
        var made = await Answer(
            await server.Client.PostAsync("/tenants", TestServer.Json("""{"name":"stops"}""")), HttpStatusCode.Created);
        using var client = server.NewClient((string)made["key"]!["key"]!);
        // What keeps it for now is nothing of the tenant's own.
        await CallAsync("/transports/only/pause", HttpStatusCode.OK);
        var mail = (string)(await Answer(await client.PostAsync("/emails", TestServer.Json(Mail)), HttpStatusCode.Accepted))["id"]!;
        await CallAsync($"/tenants/{made["id"]}/archive", HttpStatusCode.OK);
        await CallAsync("/transports/only/resume", HttpStatusCode.OK);
        for (var i = 0; i < 3; i++)
        {
            using var sent = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
            await server.GetEmailAsync((string)(await Answer(sent, HttpStatusCode.Accepted))["id"]!, e => (string?)e["status"] == "complete");
        }
        Assert.True(MessageId.TryParse(mail, out var id));
        var waits = await server.Services.GetRequiredService<IMessageReader>().GetAsync(
            new TenantId(int.Parse((string)made["id"]!, CultureInfo.InvariantCulture)), id, CancellationToken.None);
        Assert.Equal((RecipientState.Queued, 0), (waits!.Recipients[0].State, waits.Recipients[0].Tries));
        Assert.Contains("tenant-archived", await (await client.GetAsync("/stats")).Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync("/emails", TestServer.Json(Mail))).StatusCode);
        await CallAsync($"/tenants/{made["id"]}/restore", HttpStatusCode.OK);
        await Eventually.GetAsync(async () => (await client.GetFromJsonAsync<JsonNode>($"/emails/{mail}"))!,
            e => (string?)e["status"] == "complete");
        using var first = await server.Client.PostAsync("/tenants/1/archive", null);
        Assert.Equal(HttpStatusCode.Conflict, first.StatusCode);
    }

    [Fact]
    public async Task A_tenant_that_calls_too_often_is_told_when_to_call_again_and_others_are_not()
    {
        var made = await PostAsync("/tenants", """{"name":"calls","settings":{"api_calls_per_minute":3}}""", HttpStatusCode.Created);
        using var client = _server.NewClient((string)made["key"]!["key"]!);
        for (var i = 0; i < 3; i++)
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync("/stats")).StatusCode);
        using var refused = await client.GetAsync("/stats");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 20);
        using var vendor = await client.PostAsync("/v3/mail/send", TestServer.Json("{}"));
        Assert.Equal(HttpStatusCode.TooManyRequests, vendor.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await _server.Client.GetAsync("/stats")).StatusCode);
    }

    // By HTTP and by SMTP.
    [Fact]
    public async Task A_tenant_with_as_much_waiting_as_it_may_is_refused_for_a_while()
    {
        await using var server = await TestServer.StartAsync(("SMTP", "127.0.0.1:0"));
        using var made = await server.Client.PostAsync("/tenants", TestServer.Json("""{"name":"full","settings":{"max_queued":2}}"""));
        var key = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["key"]!["key"]!;
        using var client = server.NewClient(key);
        await Answer(await client.PostAsync("/pause", null), HttpStatusCode.OK);
        for (var i = 0; i < 2; i++)
            await Answer(await client.PostAsync("/emails", TestServer.Json(Mail)), HttpStatusCode.Accepted);
        using var refused = await client.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Contains("queue-full", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("452 4.3.1", await SmtpAnswerAsync(server, key));
        Assert.Equal(HttpStatusCode.Accepted, (await server.Client.PostAsync("/emails", TestServer.Json(Mail))).StatusCode);
    }

    // One calls ten times as often as it may, from several connections at once; the other's mail is accepted and delivered as before.
    // From the setting to the order in which mail leaves the process.
    [Fact]
    public async Task A_tenant_of_three_times_the_weight_has_three_of_four_turns()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "only=capture://?concurrency=1"));
        async Task<HttpClient> TenantAsync(string name, int weight)
        {
            using var made = await server.Client.PostAsync(
                "/tenants", TestServer.Json($$$"""{"name":"{{{name}}}","settings":{"weight":{{{weight}}}}}"""));
            return server.NewClient((string)(await Answer(made, HttpStatusCode.Created))["key"]!["key"]!);
        }
        using var light = await TenantAsync("light", 1);
        using var heavy = await TenantAsync("heavy", 3);
        // A first mail, after which the transport has all its slots.
        using var known = await light.PostAsync("/emails", TestServer.Json(Mail));
        var first = (string)(await Answer(known, HttpStatusCode.Accepted))["id"]!;
        await Eventually.GetAsync(async () => (await light.GetFromJsonAsync<JsonNode>($"/emails/{first}"))!,
            e => (string?)e["status"] == "complete", TimeSpan.FromSeconds(60));
        await Answer(await server.Client.PostAsync("/transports/only/pause", null), HttpStatusCode.OK);
        foreach (var client in (HttpClient[])[light, heavy])
            await Answer(await client.PostAsync("/emails/send", TestServer.Json(
                $$"""
                {"from":"a@example.com","subject":"S","text":"T",
                 "destinations":[{{string.Join(',', Enumerable.Range(0, 150).Select(i => $"\"r{i}@example.com\""))}}]}
                """)), HttpStatusCode.Accepted);
        await Answer(await server.Client.PostAsync("/transports/only/resume", null), HttpStatusCode.OK);

        static async Task<List<long>> NumbersAsync(HttpClient client)
        {
            var numbers = new List<long>();
            for (string? next = ""; next is not null;)
            {
                var page = (await client.GetFromJsonAsync<JsonNode>($"/inbox?limit=100{next}"))!;
                numbers.AddRange(page["data"]!.AsArray().Select(mail => long.Parse((string)mail!["id"]!, CultureInfo.InvariantCulture)));
                next = (bool)page["has_more"]! ? $"&after={page["next"]}" : null;
            }
            return numbers;
        }
        // The inbox numbers what arrives, over all tenants. While both have mail waiting three of four are the heavier one's.
        var heavies = await Eventually.GetAsync(() => NumbersAsync(heavy), all => all.Count == 150, TimeSpan.FromSeconds(120));
        var lights = await Eventually.GetAsync(() => NumbersAsync(light), all => all.Count == 151, TimeSpan.FromSeconds(120));
        var order = heavies.Concat(lights).Order().Skip(1).Take(160).ToHashSet();
        Assert.InRange(heavies.Count(order.Contains), 110, 130);
    }

    // Addresses take room too; and a batch does not wait for the room that it takes itself.
    [Fact]
    public async Task Lists_and_batches_take_the_tenants_storage_and_what_was_taken_is_sent()
    {
        var made = await PostAsync("/tenants", """{"name":"stores","settings":{"max_storage_bytes":60000}}""", HttpStatusCode.Created);
        using var client = _server.NewClient((string)made["key"]!["key"]!);
        static string Lines(int count) => string.Join('\n', Enumerable.Range(0, count).Select(i => $"\"r{i:D4}@stores.example\""));
        async Task<JsonNode?> UploadAsync(string path, int count, HttpStatusCode status)
        {
            using var body = new StringContent(Lines(count), Encoding.UTF8, "application/x-ndjson");
            return await Answer(await client.PostAsync(path, body), status);
        }

        var batch = (string)(await Answer(await client.PostAsync("/batches", TestServer.Json(
            """{"from":"a@example.com","subject":"S","text":"T"}""")), HttpStatusCode.Created))["id"]!;
        await UploadAsync($"/batches/{batch}/destinations", 2_000, HttpStatusCode.OK);
        var list = (string)(await Answer(await client.PostAsync("/lists", TestServer.Json("""{"name":"l"}""")), HttpStatusCode.Created))["id"]!;
        await UploadAsync($"/lists/{list}/recipients", 300, HttpStatusCode.OK);
        var full = await UploadAsync($"/lists/{list}/recipients", 1_500, HttpStatusCode.TooManyRequests);
        Assert.Equal("storage-full", ((string)full!["type"]!).Split('/')[^1]);
        using var schedule = await client.PostAsync("/schedules", TestServer.Json($$"""
            {"name":"s","at":"2030-01-01T00:00","time_zone":"UTC","email":{"from":"a@example.com","subject":"S","text":"T"},
             "recipients":[{{Lines(500).Replace('\n', ',')}}]}
            """));
        Assert.Equal(HttpStatusCode.TooManyRequests, schedule.StatusCode);

        await Answer(await client.PostAsync($"/batches/{batch}/start", null), HttpStatusCode.OK);
        var done = await Eventually.GetAsync(
            async () => (await client.GetFromJsonAsync<JsonNode>($"/batches/{batch}"))!,
            answer => (string)answer["state"]! == "expanded", TimeSpan.FromSeconds(60));
        Assert.Equal(2_000, (int)done["count"]!);
        // Its destinations are gone, so there is room again.
        await Eventually.GetAsync(async () =>
        {
            using var body = new StringContent(Lines(600), Encoding.UTF8, "application/x-ndjson");
            return (await client.PostAsync($"/lists/{list}/recipients", body)).StatusCode;
        }, status => status == HttpStatusCode.OK, TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_tenant_at_ten_times_its_limit_does_not_slow_another_down()
    {
        await using var server = await TestServer.StartAsync();
        async Task<HttpClient> MakeAsync(string settings)
        {
            using var made = await server.Client.PostAsync("/tenants", TestServer.Json($$"""{"name":"{{settings.Length}}","settings":{{settings}}}"""));
            return server.NewClient((string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["key"]!["key"]!);
        }

        using var greedy = await MakeAsync("""{"api_calls_per_minute":600}""");
        using var other = await MakeAsync("{}");
        await LatencyAsync(other, 50); // warm
        var unloaded = await LatencyAsync(other, 200);
        using var enough = new CancellationTokenSource();
        var (accepted, refused) = (0, 0);
        var load = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            // 2 × 50 a second: ten times 600 a minute.
            while (!enough.IsCancellationRequested)
            {
                using var response = await greedy.PostAsync("/emails", TestServer.Json(Mail));
                if (response.StatusCode == HttpStatusCode.Accepted)
                    Interlocked.Increment(ref accepted);
                else
                    Interlocked.Increment(ref refused);
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            }
        })).ToList();
        await Eventually.GetAsync(() => Task.FromResult(Volatile.Read(ref refused)), count => count > 0);
        var loaded = await LatencyAsync(other, 200);
        await enough.CancelAsync();
        await Task.WhenAll(load);
        Assert.True(refused > 0);
        // What a busy machine adds to the slowest of a hundred calls is not the other tenant's doing.
        Assert.True(loaded < unloaded * 1.5 + TimeSpan.FromMilliseconds(25), $"p99 {unloaded} alone, {loaded} beside");
    }

    /// <summary>The 99th of a hundred calls, by time.</summary>
    static async Task<TimeSpan> LatencyAsync(HttpClient client, int calls)
    {
        var took = new List<TimeSpan>();
        for (var i = 0; i < calls; i++)
        {
            var began = TimeProvider.System.GetTimestamp();
            using var response = await client.PostAsync("/emails", TestServer.Json(Mail));
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
            took.Add(TimeProvider.System.GetElapsedTime(began));
        }
        return took.Order().ElementAt(calls * 99 / 100);
    }

    // Each call that concerns all tenants, with every scope of another one.
    [Fact]
    public async Task An_administrator_of_another_tenant_runs_nothing_of_the_installation()
    {
        // One whose limits no other test changes.
        using var other = await _server.NewClientAsync(new TenantId(1_000), Scopes.All);
        var calls = _server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<Access>()!.IsForInstallation).ToList();
        Assert.True(calls.Count >= 8, $"{calls.Count} calls");
        foreach (var call in calls)
        {
            var method = call.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0];
            var path = call.RoutePattern.RawText!.Replace("{tenant}", "1", StringComparison.Ordinal);
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            using var response = await other.SendAsync(request);
            Assert.True(response.StatusCode == HttpStatusCode.Forbidden, $"{method} {call.RoutePattern.RawText}: {response.StatusCode}");
            Assert.Contains("installation-only", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_list_goes_on_after_the_last_of_a_page()
    {
        await PostAsync("/tenants", """{"name":"listed"}""", HttpStatusCode.Created);
        var first = (await _server.Client.GetFromJsonAsync<JsonNode>("/tenants?limit=1"))!;
        Assert.Equal(("1", true), ((string?)first["data"]![0]!["id"], (bool)first["has_more"]!));
        var rest = (await _server.Client.GetFromJsonAsync<JsonNode>("/tenants?after=1&limit=100"))!;
        Assert.Contains(rest["data"]!.AsArray(), t => (string?)t!["name"] == "listed");
        Assert.DoesNotContain(rest["data"]!.AsArray(), t => (string?)t!["id"] == "1");
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.GetAsync("/tenants/999")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await _server.Client.GetAsync("/tenants/one")).StatusCode);
    }

    async Task<JsonNode> PostAsync(string path, string? body, HttpStatusCode status) =>
        await Answer(await _server.Client.PostAsync(path, body is null ? null : TestServer.Json(body)), status);

    async Task<JsonNode> PatchAsync(string id, string body) =>
        await Answer(await _server.Client.PatchAsync($"/tenants/{id}", TestServer.Json(body)), HttpStatusCode.OK);

    static async Task<JsonNode> Answer(HttpResponseMessage response, HttpStatusCode status)
    {
        using (response)
        {
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode == status, $"{response.StatusCode}: {text}");
            return JsonNode.Parse(text)!;
        }
    }

    /// <summary>The first words of what SMTP says to a mail.</summary>
    static async Task<string> SmtpAnswerAsync(TestServer server, string key)
    {
        var address = server.Services.GetRequiredService<SmtpListener>().Addresses[0];
        await using var client = await SmtpDialogue.GreetedAsync(new Uri(address).Port);
        var credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0x\0{key}"));
        Assert.StartsWith("235", await client.AskAsync($"AUTH PLAIN {credentials}"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<a@example.com>"), StringComparison.Ordinal);
        Assert.StartsWith("250", await client.AskAsync("RCPT TO:<b@example.com>"), StringComparison.Ordinal);
        Assert.StartsWith("354", await client.AskAsync("DATA"), StringComparison.Ordinal);
        return (await client.AskAsync("From: a@example.com\r\nSubject: S\r\n\r\nT\r\n."))[..9];
    }
}
