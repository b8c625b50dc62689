using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Metrics;

/// <summary>What the built process shows under <c>/metrics</c>, judged by Prometheus's own tool, and the files that are made for
/// it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class MetricsTests : BuiltServerTests
{
    const string Key = "metrics-metrics-metrics-metrics";
    const string Address = "ann.of.the.metrics@example.com";

    static readonly string Rules = Repository.Path("deploy", "prometheus", "alerts.yml");
    static readonly string RuleTests = Repository.Path("deploy", "prometheus", "alerts.test.yml");
    static readonly string Dashboard = Repository.Path("deploy", "grafana", "postrider.json");

    [Fact]
    public async Task Promtool_finds_nothing_wrong_with_it_and_nothing_tells_of_people()
    {
        var text = await MeasureAsync();
        Assert.Contains("postrider_accepted_total{stream=\"transactional\"} 3\n", text);
        Assert.Contains("postrider_recipients_ended_total{state=\"sent\"} 3\n", text);
        Assert.Contains("postrider_attempt_outcomes_total{transport=\"capture\",outcome=\"accepted\"} 3\n", text);
        Assert.Contains("postrider_transport_available{transport=\"capture\"} 1\n", text);
        Assert.Contains("postrider_queue_depth{stream=\"bulk\",state=\"queued\"} 0\n", text);
        Assert.Contains("postrider_nodes{state=\"alive\"} 1\n", text);
        Assert.Matches("http_server_request_duration_seconds_count\\{[^}]*http_route=\"/emails/?\"[^}]*\\} [1-9]", text);
        Assert.DoesNotContain("ann.of", text);
        Assert.DoesNotContain("example.com", text);
        Assert.DoesNotContain(Key, text);

        var (code, said) = await PromtoolAsync(text, "check", "metrics");
        Assert.True(code == 0, said);
    }

    [Fact]
    public async Task What_rules_and_dashboard_name_is_there()
    {
        var text = await MeasureAsync();
        var shown = Types().Matches(text)
            .SelectMany(m => m.Groups["type"].Value == "histogram"
                ? new[] { "_bucket", "_sum", "_count" }.Select(part => m.Groups["name"].Value + part) : [m.Groups["name"].Value])
            .ToHashSet();
        var rules = Names().Matches(string.Join('\n', (await File.ReadAllLinesAsync(Rules))
            .Where(line => !line.TrimStart().StartsWith('#') && !line.Contains("description:", StringComparison.Ordinal))))
            .Select(m => m.Value);
        var expressions = JsonNode.Parse(await File.ReadAllTextAsync(Dashboard))!["panels"]!.AsArray()
            .SelectMany(panel => panel!["targets"]?.AsArray() ?? []).Select(target => (string)target!["expr"]!).ToList();
        Assert.True(expressions.Count > 25);
        var named = rules.Concat(expressions.SelectMany(expression => Names().Matches(expression).Select(m => m.Value)))
            .Distinct().ToList();
        Assert.True(named.Count > 25);
        Assert.All(named, name => Assert.Contains(name, shown));

        // And the page that explains them leaves none of ours out.
        var page = await File.ReadAllTextAsync(Repository.Path("docs", "observability.md"));
        var ours = Types().Matches(text).Select(m => m.Groups["name"].Value)
            .Where(n => n.StartsWith("postrider", StringComparison.Ordinal));
        Assert.All(ours,
            name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_rules_are_sound_and_do_what_their_tests_say()
    {
        var (code, said) = await PromtoolAsync(null, "check", "rules", Rules);
        Assert.True(code == 0, said);
        (code, said) = await PromtoolAsync(null, "test", "rules", RuleTests);
        Assert.True(code == 0, said);
        var tested = await File.ReadAllTextAsync(RuleTests);
        Assert.All(Alerts().Matches(await File.ReadAllTextAsync(Rules)).Select(m => m.Groups["name"].Value),
            alert => Assert.Contains($"alertname: {alert}", tested, StringComparison.Ordinal));
        var page = await File.ReadAllTextAsync(Repository.Path("docs", "observability.md"));
        Assert.All(Alerts().Matches(await File.ReadAllTextAsync(Rules)).Select(m => m.Groups["name"].Value),
            alert => Assert.Contains($"`{alert}`", page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task It_asks_for_a_key_but_where_only_operators_come()
    {
        var (open, admin) = await StartAsync();
        using var stranger = new HttpClient();
        using var refused = await stranger.GetAsync(new Uri(open, "/metrics"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        using var client = Client(open);
        using var answered = await client.GetAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answered.Content.Headers.ContentType!.ToString());

        foreach (var (path, status) in new[]
        {
            ("/metrics", HttpStatusCode.OK), ("/healthz", HttpStatusCode.OK), ("/readyz", HttpStatusCode.OK),
            ("/emails", HttpStatusCode.NotFound), ("/", HttpStatusCode.NotFound), ("/tokens", HttpStatusCode.NotFound),
        })
        {
            using var answer = await stranger.GetAsync(new Uri(admin, path), TestContext.Current.CancellationToken);
            Assert.Equal((path, status), (path, answer.StatusCode));
        }
        using var asked = new HttpRequestMessage(HttpMethod.Get, new Uri(admin, "/metrics"));
        asked.Headers.Accept.ParseAdd("application/openmetrics-text; version=1.0.0");
        using var openMetrics = await stranger.SendAsync(asked, TestContext.Current.CancellationToken);
        Assert.StartsWith("application/openmetrics-text", openMetrics.Content.Headers.ContentType!.ToString());
        Assert.EndsWith("# EOF\n", await openMetrics.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    async Task<(Uri Open, Uri Admin)> StartAsync()
    {
        var banner = await BannerAsync(Start(("POSTRIDER_ADMIN_URLS", "http://127.0.0.1:0"), ("POSTRIDER_API_KEY", Key)));
        var listens = banner.Split('\n').First(line => line.StartsWith("Postrider listens", StringComparison.Ordinal));
        var addresses = Addresses().Matches(listens);
        return (new Uri(addresses[0].Value), new Uri(addresses[1].Value));
    }

    /// <summary>The page after three mails were sent.</summary>
    async Task<string> MeasureAsync()
    {
        var (open, admin) = await StartAsync();
        using var client = Client(open);
        for (var i = 0; i < 3; i++)
        {
            using var accepted = await client.PostAsync("/emails", TestServer.Json(
                $$"""{"from":"shop@example.com","to":"{{Address}}","subject":"Hello {{Address}}","text":"{{Key}}"}"""));
            Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        }
        using var stranger = new HttpClient();
        return await Eventually.GetAsync(() => stranger.GetStringAsync(new Uri(admin, "/metrics")),
            text => text.Contains("postrider_recipients_ended_total{state=\"sent\"} 3\n", StringComparison.Ordinal));
    }

    static HttpClient Client(Uri address)
    {
        var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    static async Task<(int Code, string Said)> PromtoolAsync(string? input, params string[] arguments)
    {
        using var promtool = Process.Start(new ProcessStartInfo(Requires.Program("promtool"), arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = promtool.StandardOutput.ReadToEndAsync();
        var error = promtool.StandardError.ReadToEndAsync();
        await promtool.StandardInput.WriteAsync(input);
        promtool.StandardInput.Close();
        await promtool.WaitForExitAsync();
        return (promtool.ExitCode, await output + await error);
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Addresses();

    [GeneratedRegex("^# TYPE (?<name>\\S+) (?<type>\\S+)$", RegexOptions.Multiline)]
    private static partial Regex Types();

    [GeneratedRegex(@"\b(postrider|http_server|dotnet)_[a-z_]+\b")]
    private static partial Regex Names();

    [GeneratedRegex(@"alert: (?<name>\w+)")]
    private static partial Regex Alerts();
}
