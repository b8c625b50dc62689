using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>What we sign is verified by software of others, in another language.</summary>
public sealed class WebhookPeerTests
{
    [Fact]
    public async Task The_official_library_verifies_our_webhooks_and_refuses_changed_ones()
    {
        Peers.Install();
        await using var server = await TestServer.StartAsync(("WEBHOOKS__ALLOW", "127.0.0.1/32:*"));
        await using var receiver = HttpStub.Start(_ => new HttpReply(200));
        var made = await PostAsync(server, "/webhooks", $$"""{"url":"{{receiver.Url}}"}""");
        var old = (string)made["secret"]!;
        await PostAsync(server, "/emails", """{"from":"a@example.com","to":"ä@example.com","subject":"Grüße ✓ <b>&\"","tags":["t"]}""");
        await Eventually.HoldsAsync(() => receiver.Calls.Count == 2);
        var young = (string)(await PostAsync(server, $"/webhooks/{made["id"]}/rotate", "{}"))["secret"]!;
        await PostAsync(server, $"/webhooks/{made["id"]}/test", "{}");
        var calls = receiver.Calls;

        Assert.Equal(["email.accepted", "email.sent", "webhook.test"],
            Verify(old, calls).Select(r => (string?)r["event"]?["type"]).Order());
        Assert.Equal([null, null, "webhook.test"], Verify(young, calls).Select(r => (string?)r["event"]?["type"]).Order());
        Assert.All(Verify(old, calls, body => body + " "), r => Assert.Equal("No matching signature found", (string?)r["error"]));
    }

    static List<JsonNode> Verify(string secret, IEnumerable<HttpCall> calls, Func<string, string>? change = null)
    {
        var input = Path.GetTempFileName();
        File.WriteAllText(input, new JsonObject
        {
            ["secret"] = secret,
            ["calls"] = new JsonArray(
            [
                .. calls.Select(call => (JsonNode)new JsonObject
                {
                    ["body"] = change?.Invoke(call.Text) ?? call.Text,
                    ["headers"] = new JsonObject(call.Headers.Where(h => h.Key.StartsWith("webhook-", StringComparison.OrdinalIgnoreCase))
                        .Select(h => KeyValuePair.Create(h.Key.ToLowerInvariant(), (JsonNode?)h.Value))),
                }),
            ]),
        }.ToJsonString());
        var run = Peers.Run(Requires.Program("node"), "verify-webhook.mjs", input);
        File.Delete(input);
        Assert.True(run.Code == 0, run.Error);
        return [.. JsonNode.Parse(run.Output)!.AsArray().Select(r => r!)];
    }

    static async Task<JsonNode> PostAsync(TestServer server, string path, string body)
    {
        using var response = await server.Client.PostAsync(path, TestServer.Json(body));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonNode.Parse(text)!;
    }
}
