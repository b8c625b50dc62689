using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Schedules in the built executable: several processes, killed.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ScheduleProcessTests : BuiltServerTests
{
    const string Key = "key-of-the-schedules-of-processes";

    [Fact]
    public async Task Each_time_comes_once_while_nodes_are_killed()
    {
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        Process Node() => Start(("POSTRIDER_STORE", store), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_SMTP", "off"),
            ("POSTRIDER_SCHEDULES__LOOK_EVERY", "100ms"), ("POSTRIDER_URLS", "http://127.0.0.1:0"));
        var stays = Node();
        using var client = ClientOf(await BannerAsync(stays));
        var dies = Node();
        await BannerAsync(dies);
        var start = TimeProvider.System.GetUtcNow().AddSeconds(3);
        var times = string.Join(',', Enumerable.Range(0, 12).Select(i => $"\"{start.AddSeconds(i):yyyy-MM-ddTHH:mm:ssZ}\""));
        using var made = await client.PostAsync("/schedules", TestServer.Json($$"""
            {"name":"processes","at":[{{times}}],"missed":"all","recipients":["a@example.com","b@example.com"],
             "email":{"from":"news@example.com","subject":"S","text":"T"} }
            """));
        var id = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        for (var kills = 0; kills < 3; kills++)
        {
            await RunsAsync(client, id, runs => runs >= 3 * (kills + 1));
            dies.Kill();
            dies = Node();
            await BannerAsync(dies);
        }
        await RunsAsync(client, id, runs => runs == 12);
        var report = await Eventually.GetAsync(async () => (await client.GetFromJsonAsync<JsonNode>($"/schedules/{id}/report"))!,
            answer => (int)answer["counts"]!["sent"]! == 24, TimeSpan.FromSeconds(60));
        Assert.Equal((12, 0), ((int)report["runs"]!["enqueued"]!, (int)report["runs"]!["missed"]!));
        Assert.Equal(24, (int)(await client.GetFromJsonAsync<JsonNode>("/stats"))!["accepted"]!);
    }

    [Fact]
    public async Task What_was_due_while_nobody_was_there_comes_at_the_next_start()
    {
        var first = Start(("POSTRIDER_API_KEY", Key));
        using var client = ClientOf(await BannerAsync(first));
        using var made = await client.PostAsync("/schedules", TestServer.Json($$"""
            {"name":"late","at":"{{TimeProvider.System.GetUtcNow().AddSeconds(2):yyyy-MM-ddTHH:mm:ssZ}}","recipients":["a@example.com"],
             "email":{"from":"news@example.com","subject":"S","text":"T"} }
            """));
        var id = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        first.Kill();
        await first.WaitForExitAsync();
        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System);
        using var again = ClientOf(await BannerAsync(Start(("POSTRIDER_API_KEY", Key))));
        await RunsAsync(again, id, runs => runs == 1);
        await Eventually.GetAsync(async () => (await again.GetFromJsonAsync<JsonNode>("/inbox"))!,
            inbox => inbox["data"]!.AsArray().Count == 1, TimeSpan.FromSeconds(20));
    }

    static async Task RunsAsync(HttpClient client, string schedule, Func<int, bool> until) => await Eventually.GetAsync(
        async () => (await client.GetFromJsonAsync<JsonNode>($"/schedules/{schedule}/runs?limit=100"))!,
        answer => until(answer["data"]!.AsArray().Count), TimeSpan.FromSeconds(60));

    static HttpClient ClientOf(string banner)
    {
        var client = new HttpClient { BaseAddress = new Uri(AddressOf(banner)) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    static string AddressOf(string banner) => Regex.Match(banner, @"http://127\.0\.0\.1:[0-9]+").Value;
}
