using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Webhooks of a process that is killed in the middle: nothing is lost, and what comes twice comes under the same id.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class WebhookKillTests : BuiltServerTests
{
    const string Key = "a-key-of-24-characters-or-more";
    const int Kills = 3;
    const int MailsPerRound = 20;

    [Fact]
    public async Task Each_event_arrives_at_least_once_under_one_id_whatever_is_killed()
    {
        await using var receiver = HttpStub.StartAsync(async _ =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System);
            return new HttpReply(200);
        });
        var sent = new HashSet<string>();
        for (var round = 0; round <= Kills; round++)
        {
            var server = Start(("POSTRIDER_API_KEY", Key), ("POSTRIDER_WEBHOOKS__ALLOW", "127.0.0.1/32:*"), ("POSTRIDER_WEBHOOKS__TIMEOUT", "1s"));
            using var client = new HttpClient { BaseAddress = new Uri(Address().Match(await BannerAsync(server)).Value) };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
            if (round == 0)
                await PostAsync(client, "/webhooks", $$"""{"url":"{{receiver.Url}}","events":["email.sent"]}""");
            for (var i = 0; i < MailsPerRound; i++)
                sent.Add((string)(await PostAsync(client, "/emails", """{"from":"a@example.com","to":"b@example.com","subject":"S"}"""))["id"]!);
            if (round == Kills)
            {
                await Eventually.HoldsAsync(() => sent.SetEquals(Emails(receiver)), TimeSpan.FromSeconds(60));
                break;
            }
            var before = receiver.Calls.Count;
            await Eventually.HoldsAsync(() => receiver.Calls.Count >= before + 5);
            server.Kill(); // SIGKILL, with some under way
            await server.WaitForExitAsync();
        }

        var byEvent = receiver.Calls.GroupBy(c => c.Header("webhook-id")).ToList();
        Assert.Equal(sent.Count, byEvent.Count);
        Assert.All(byEvent, tries => Assert.Single(tries.Select(c => c.Text).Distinct()));
        Assert.InRange(receiver.Calls.Count - sent.Count, 0, Kills * 8); // what was under way at a kill, at most
    }

    static IEnumerable<string> Emails(HttpStub receiver) => receiver.Calls.Select(c => (string)JsonNode.Parse(c.Text)!["data"]!["email_id"]!);

    static async Task<JsonNode> PostAsync(HttpClient client, string path, string body)
    {
        using var response = await client.PostAsync(path, TestServer.Json(body));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
