using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>How many recipients a tenant may hand over in a day and in a month.</summary>
public sealed class TenantQuotaTests
{
    const string Mail = """{"from":"a@example.com","to":"b@example.org","subject":"S","text":"T"}""";

    [Fact]
    public async Task A_quota_holds_over_a_restart_and_counts_what_is_accepted_alone()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        (string, string)[] settings = [("STORE", $"sqlite:{folder}/mail.db"), ("MASTER_KEY", Convert.ToBase64String(new byte[32]))];
        string key;
        await using (var server = await TestServer.StartAsync(settings))
        {
            key = await TenantAsync(server, """{"daily_quota":5,"monthly_quota":100}""");
            using var client = server.NewClient(key);
            for (var i = 0; i < 3; i++) // one mail and two repetitions
                Assert.Equal(HttpStatusCode.Accepted, await SendAsync(client, Mail, "same"));
            var faulty = """{"from":"a@example.com","to":"nobody","subject":"S"}""";
            Assert.Equal(HttpStatusCode.UnprocessableEntity, await SendAsync(client, faulty));
            Assert.Equal(HttpStatusCode.Accepted, await SendAsync(client, Mail));
        }
        await using var again = await TestServer.StartAsync(settings);
        using var same = again.NewClient(key);
        using var four = await same.PostAsync("/emails/batch", TestServer.Json($"[{Mail},{Mail},{Mail},{Mail}]"));
        Assert.Equal(HttpStatusCode.TooManyRequests, four.StatusCode);
        for (var i = 0; i < 3; i++) // what is too much together does not keep the rest away
            Assert.Equal(HttpStatusCode.Accepted, await SendAsync(same, Mail));
        using var refused = await same.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value.TotalHours, 0, 24);
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal("/problems/quota-spent", (string?)problem["type"]);
        Assert.Equal(HttpStatusCode.Accepted, await SendAsync(again.Client, Mail)); // another tenant
    }

    [Fact]
    public async Task Two_nodes_keep_to_one_quota_together()
    {
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        await using var one = await TestServer.StartAsync(("STORE", store));
        await using var other = await TestServer.StartAsync(("STORE", store));
        var key = await TenantAsync(one, """{"daily_quota":60}""");
        using var first = one.NewClient(key);
        using var second = other.NewClient(key);
        await Eventually.HoldsAsync(async () => (await second.GetAsync("/stats")).StatusCode == HttpStatusCode.OK);
        await Eventually.HoldsAsync(async () =>
            (int?)(await other.Client.GetFromJsonAsync<JsonNode>("/tenants/2"))!["settings"]!["daily_quota"] == 60);
        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => SendAsync(i % 2 == 0 ? first : second, Mail)));
        Assert.Equal(60, answers.Count(status => status == HttpStatusCode.Accepted));
        Assert.Equal(40, answers.Count(status => status == HttpStatusCode.TooManyRequests));
    }

    // Taken whole; what is beyond the quota stays in the batch.
    [Fact]
    public async Task A_large_batch_becomes_mail_as_far_as_the_quota_goes_and_on_when_there_is_more()
    {
        await using var server = await TestServer.StartAsync();
        var key = await TenantAsync(server, """{"daily_quota":300}""");
        using var client = server.NewClient(key);
        var destinations = string.Join(',', Enumerable.Range(0, 1_200).Select(i => $$"""{"email":"r{{i}}@example.org"}"""));
        using var taken = await client.PostAsync("/emails/send", TestServer.Json(
            $$"""{"from":"a@example.com","subject":"S","text":"T","destinations":[{{destinations}}]}"""));
        Assert.Equal(HttpStatusCode.Accepted, taken.StatusCode);
        await SentAsync(client, 300);
        Assert.Equal(HttpStatusCode.TooManyRequests, await SendAsync(client, Mail));
        var id = (string)JsonNode.Parse(await taken.Content.ReadAsStringAsync())!["batch_id"]!;
        var waitingFor = (string?)(await client.GetFromJsonAsync<JsonNode>($"/batches/{id}"))!["waiting_for"];
        Assert.StartsWith("the tenant's quota of 300 recipients in a day, which is used up (until ", waitingFor, StringComparison.Ordinal);
        using var more = await server.Client.PatchAsync("/tenants/2", TestServer.Json("""{"settings":{"daily_quota":null}}"""));
        Assert.Equal(HttpStatusCode.OK, more.StatusCode);
        await SentAsync(client, 1_200);
    }

    [Fact]
    public async Task A_large_batch_does_not_have_more_waiting_than_its_tenant_may()
    {
        await using var server = await TestServer.StartAsync();
        using var client = server.NewClient(await TenantAsync(server, """{"max_queued":20}"""));
        using var paused = await client.PostAsync("/pause", null);
        using var made = await client.PostAsync("/batches", TestServer.Json("""{"from":"a@example.com","subject":"S","text":"T"}"""));
        var id = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        using var lines = new StringContent("email\n" + string.Join('\n', Enumerable.Range(0, 60).Select(i => $"r{i}@example.org")));
        lines.Headers.ContentType = new("text/csv");
        using var filled = await client.PostAsync($"/batches/{id}/destinations?start=true", lines);
        Assert.True(filled.IsSuccessStatusCode, await filled.Content.ReadAsStringAsync());
        await Eventually.HoldsAsync(async () => await WaitingAsync(client) == 20);
        await Task.Delay(TimeSpan.FromSeconds(2.5), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Equal(20, await WaitingAsync(client));
        Assert.Equal("room: as many recipients wait as may, 20 (max_queued)",
            (string?)(await client.GetFromJsonAsync<JsonNode>($"/batches/{id}"))!["waiting_for"]);
        using var resumed = await client.DeleteAsync("/pause");
        await SentAsync(client, 60);
    }

    // What docs/tenants.md says of on_ambiguous: where neither the message nor its route says.
    [Fact]
    public async Task A_tenant_says_what_becomes_of_mail_in_doubt()
    {
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", "sim://a?unknown=1"), ("DELIVERY__SETTLE_TRANSACTIONAL", "1s"));
        using var holding = server.NewClient(await TenantAsync(server, """{"on_ambiguous":"hold"}"""));
        using var sent = await holding.PostAsync("/emails", TestServer.Json(Mail));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        await Eventually.GetAsync(async () => (await holding.GetFromJsonAsync<JsonNode>($"/emails/{id}"))!,
            mail => (string?)mail["recipients"]![0]!["status"] == "held");
        using var other = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        var again = (string)JsonNode.Parse(await other.Content.ReadAsStringAsync())!["id"]!;
        await server.GetEmailAsync(again, mail => (int)mail["recipients"]![0]!["tries"]! > 1);
    }

    static Task<int> SentAsync(HttpClient client, int count) => Eventually.GetAsync(
        async () => (int)(await client.GetFromJsonAsync<JsonNode>("/stats"))!["sent"]!, sent => sent == count, TimeSpan.FromSeconds(60));

    static async Task<int> WaitingAsync(HttpClient client) => (int)(await client.GetFromJsonAsync<JsonNode>("/stats"))!["queued"]!;

    static async Task<HttpStatusCode> SendAsync(HttpClient client, string mail, string? idempotencyKey = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails") { Content = TestServer.Json(mail) };
        if (idempotencyKey is not null)
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        using var response = await client.SendAsync(request);
        return response.StatusCode;
    }

    static async Task<string> TenantAsync(TestServer server, string settings)
    {
        using var made = await server.Client.PostAsync("/tenants", TestServer.Json($$"""{"name":"t","settings":{{settings}}}"""));
        return (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["key"]!["key"]!;
    }
}
