using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>What <c>docs/postgresql.md</c> says of several nodes, done as it is written there.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class SeveralNodesTests : BuiltServerTests
{
    const string Key = "several-nodes-several-nodes";
    const string Mail = """{"from":"shop@example.com","to":"ann@example.org","subject":"Hello","text":"Hi"}""";

    static readonly string Section = Sections().Split(File.ReadAllText(Repository.Path("docs", "postgresql.md")))
        .Single(section => section.StartsWith("Several nodes", StringComparison.Ordinal));

    [Fact]
    public async Task The_commands_start_nodes_of_one_house_and_each_leaves_it_in_order()
    {
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        var migrated = Start(["migrate"], ("POSTRIDER_STORE", store));
        await migrated.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, migrated.ExitCode);
        var commands = Commands().Matches(Section).Select(m => Settings().Matches(m.Groups["settings"].Value)
            .Select(s => (s.Groups["name"].Value, s.Groups["value"].Value)).ToList()).ToList();
        Assert.Equal(3, commands.Count);

        var nodes = new List<Process>();
        var banner = "";
        foreach (var settings in commands)
        {
            nodes.Add(Start([.. settings, ("POSTRIDER_URLS", "http://127.0.0.1:0"), ("POSTRIDER_STORE", store), ("POSTRIDER_API_KEY", Key),
                ("POSTRIDER_MASTER_KEY", "bm90IGEgc2VjcmV0LCBhIHRlc3QncyBtYXN0ZXIga2U=")]));
            var said = await BannerAsync(nodes[^1]);
            banner = banner.Length == 0 ? said : banner;
        }
        using var client = new HttpClient { BaseAddress = new Uri(Address().Match(banner).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        for (var i = 0; i < 20; i++)
        {
            using var accepted = await client.PostAsync("/emails", TestServer.Json(Mail), TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        }
        await Eventually.HoldsAsync(async () => (int)(await GetAsync(client, "/stats"))["sent"]! == 20);
        Assert.Equal([("front", true), ("worker-1", true), ("worker-2", true)], await NodesAsync(client));

        Assert.Equal(0, await StopAsync(nodes[1]));
        Assert.Equal([("front", true), ("worker-1", false), ("worker-2", true)], await NodesAsync(client));
        Assert.Equal(0, await StopAsync(nodes[2]));
        Assert.Equal(0, await StopAsync(nodes[0]));
    }

    // The others give a node up that is silent for 20 s.
    [Fact]
    public async Task A_node_that_drains_for_longer_than_its_death_would_take_sends_nothing_twice()
    {
        Requires.Check();
        await using var relay = SmtpSink.Start(new SmtpSinkOptions { Slow = TimeSpan.FromSeconds(35) });
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        Process Node(string name, string roles) => Start(
            ("POSTRIDER_STORE", store), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_ROLES", roles), ("POSTRIDER_STORAGE__NODE_NAME", name),
            ("POSTRIDER_MASTER_KEY", "bm90IGEgc2VjcmV0LCBhIHRlc3QncyBtYXN0ZXIga2U="),
            ("POSTRIDER_TRANSPORTS", string.Create(CultureInfo.InvariantCulture, $"relay=smtp://127.0.0.1:{relay.Port}?tls=none&stall=off")));
        var front = Node("front", "api");
        using var client = new HttpClient { BaseAddress = new Uri(Address().Match(await BannerAsync(front)).Value) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        var leaving = Node("leaving", "worker");
        await BannerAsync(leaving);
        using var accepted = await client.PostAsync("/emails",
            TestServer.Json(Mail.Replace("ann@", "slow@", StringComparison.Ordinal)), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        await Eventually.HoldsAsync(async () => (int)(await GetAsync(client, "/stats"))["leased"]! == 1);
        var staying = Node("staying", "worker");
        await BannerAsync(staying);

        Assert.Equal(0, await StopAsync(leaving));

        Assert.Equal(1, (int)(await GetAsync(client, "/stats"))["sent"]!);
        Assert.Single(relay.Messages);
    }

    static async Task<List<(string, bool)>> NodesAsync(HttpClient client) =>
        [.. (await GetAsync(client, "/nodes"))["data"]!.AsArray().Select(n => ((string)n!["name"]!, (bool)n["alive"]!))
            .OrderBy(n => n.Item1, StringComparer.Ordinal)];

    static async Task<JsonNode> GetAsync(HttpClient client, string path) => (await client.GetFromJsonAsync<JsonNode>(path))!;

    [GeneratedRegex("^## ", RegexOptions.Multiline)]
    private static partial Regex Sections();

    [GeneratedRegex("^(?<settings>(POSTRIDER_\\w+=\\S+ )+)postrider &", RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex(@"(?<name>POSTRIDER_\w+)=(?<value>\S+)")]
    private static partial Regex Settings();

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Address();
}
