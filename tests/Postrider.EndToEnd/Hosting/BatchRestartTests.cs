using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>A large batch outlives its process, killed while it is filled and while it is sent.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class BatchRestartTests : BuiltServerTests
{
    const int Count = 20_000;
    const string Key = "key-of-the-batch-restart-tests";

    [Fact]
    public async Task Each_destination_arrives_once_though_the_process_is_killed_in_the_middle()
    {
        await using var sink = SmtpSink.Start();
        var body = Encoding.ASCII.GetBytes(string.Concat(
            Enumerable.Range(0, Count).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"r{i:00000}@batch.example\"\n"))));

        // Killed while the lines come.
        string id;
        var (server, client) = await StartAsync(sink, delivers: false);
        using (client)
        {
            id = (string)(await PostAsync(
                client, "/batches", """{"from":"n@example.com","subject":"S","text":"T"}"""u8.ToArray(), "application/json"))["id"]!;
            var filling = PostAsync(client, $"/batches/{id}/destinations", body, "application/x-ndjson", "lines");
            await Eventually.GetAsync(() => CountAsync(client, id, "total"), total => total > 1_000);
            server.Kill();
            await Assert.ThrowsAnyAsync<Exception>(() => filling);
        }
        await server.WaitForExitAsync();

        // Filled to the end, and killed while destinations become messages.
        (server, client) = await StartAsync(sink, delivers: false);
        using (client)
        {
            var before = await CountAsync(client, id, "total");
            Assert.InRange(before, 1_000, Count - 1);
            var added = await PostAsync(client, $"/batches/{id}/destinations?start=true", body, "application/x-ndjson", "lines");
            Assert.Equal((Count, Count), ((int)added["count"]!, (int)added["accepted"]!));
            await Eventually.GetAsync(() => CountAsync(client, id, "expanded"), expanded => expanded > 2_000);
            server.Kill();
        }
        await server.WaitForExitAsync();

        (server, client) = await StartAsync(sink, delivers: true);
        using (client)
        {
            await Eventually.HoldsAsync(
                async () => (string?)(await client.GetFromJsonAsync<JsonNode>($"/batches/{id}"))!["status"] == "complete", TimeSpan.FromMinutes(2));
            var arrived = sink.Messages.SelectMany(m => m.Recipients).Order(StringComparer.Ordinal).ToList();
            Assert.Equal(Count, arrived.Count);
            Assert.Equal(Count, arrived.Distinct().Count());
        }
        Assert.Equal(0, await StopAsync(server));
    }

    async Task<(System.Diagnostics.Process Server, HttpClient Client)> StartAsync(SmtpSink sink, bool delivers)
    {
        var server = Start(("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"), ("POSTRIDER_BATCHES__MAX_AHEAD", "1000000"),
            ("POSTRIDER_ROLES", delivers ? "" : "api,scheduler"),
            ("POSTRIDER_TRANSPORTS", $"smtp://127.0.0.1:{sink.Port}?tls=none&concurrency=20"));
        var address = Address().Match(await BannerAsync(server)).Value;
        var client = new HttpClient { BaseAddress = new Uri(address), Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return (server, client);
    }

    static async Task<JsonNode> PostAsync(HttpClient client, string path, byte[] body, string type, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        using var response = await client.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    static async Task<int> CountAsync(HttpClient client, string id, string what) =>
        (int)(await client.GetFromJsonAsync<JsonNode>($"/batches/{id}"))!["progress"]![what]!;

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
