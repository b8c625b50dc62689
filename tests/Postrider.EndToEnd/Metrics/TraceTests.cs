using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Metrics;

/// <summary>One trace from the call that brings a message to the record of what became of it, as a collector of OpenTelemetry sees
/// it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class TraceTests : BuiltServerTests
{
    const string Key = "traces-traces-traces-traces";
    const string Caller = "4bf92f3577b34da6a3ce929d0e0e4736";
    const string Address = "ann.of.the.traces@example.org";

    static readonly string[] Steps = ["postrider.accept", "postrider.lease", "postrider.attempt", "postrider.record"];

    [Fact]
    public async Task A_message_is_one_trace_from_the_call_to_the_record()
    {
        await using var collector = new OtlpReceiver();
        await using var vendor = HttpStub.Start(new HttpReply(202, "").With("X-Message-Id", "vendor-1"));
        var server = Start([.. Exporting(collector, "one"), ("POSTRIDER_API_KEY", Key),
            ("POSTRIDER_TRANSPORTS", $"sendgrid://SG.key@?endpoint={Uri.EscapeDataString(vendor.Url.ToString())}")]);
        using var client = Client(ListensAt().Match(await BannerAsync(server)).Value);
        await SendAsync(client, $"00-{Caller}-00f067aa0ba902b7-01");

        var spans = await WholeAsync(collector, Caller);
        var call = spans.Single(span => span.Parent == "00f067aa0ba902b7");
        Assert.All(spans.Where(span => Steps.Contains(span.Name)), span =>
            Assert.Contains(span.Parent, spans.Select(other => other.Id)));
        Assert.Equal("POST /emails", call.Name);
        var attempt = spans.Single(span => span.Name == "postrider.attempt");
        Assert.Equal(call.Id, attempt.Parent);
        Assert.Equal("accepted", attempt.Tags["postrider.outcome"]);
        Assert.Equal(attempt.Id, spans.Single(span => span.Name == "postrider.record").Parent);
        Assert.Contains(spans, span => span.Parent == attempt.Id && span.Tags.ContainsKey("http.request.method")); // the vendor's call
        Assert.All(vendor.Calls, made => Assert.Null(made.Header("traceparent")));
        Assert.All(collector.Spans.SelectMany(span => span.Tags.Values), value =>
        {
            Assert.DoesNotContain("ann.of", value, StringComparison.Ordinal);
            Assert.DoesNotContain("SG.key", value, StringComparison.Ordinal);
        });
        Assert.Equal(0, await StopAsync(server));
        Assert.NotEmpty(collector.Metrics); // the last ones at the end
    }

    [Fact]
    public async Task A_message_by_smtp_is_one_trace_that_begins_with_its_submission()
    {
        await using var collector = new OtlpReceiver();
        var banner = await BannerAsync(Start([.. Exporting(collector, "one"), ("POSTRIDER_API_KEY", Key)]));
        await using var client = await SmtpDialogue.GreetedAsync(new Uri(SmtpAt().Match(banner).Value).Port);
        Assert.StartsWith("235", await client.AskAsync(
            "AUTH PLAIN " + Convert.ToBase64String(Encoding.ASCII.GetBytes($"\0app\0{Key}"))));
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<shop@example.com>"));
        Assert.StartsWith("250", await client.AskAsync($"RCPT TO:<{Address}>"));
        Assert.StartsWith("354", await client.AskAsync("DATA"));
        Assert.StartsWith("250", await client.AskAsync("From: shop@example.com\r\nSubject: Hello\r\n\r\nHi\r\n."));
        var spans = await Eventually.GetAsync(
            () => Task.FromResult(collector.Spans.ToList()),
            some => Steps.Append("postrider.submit").All(step => some.Exists(span => span.Name == step)));
        var submit = spans.Single(span => span.Name == "postrider.submit");
        Assert.Equal("", submit.Parent);
        Assert.All(Steps, step => Assert.Equal(submit.Trace, spans.Single(span => span.Name == step).Trace));
        Assert.Equal(submit.Id, spans.Single(span => span.Name == "postrider.attempt").Parent);
    }

    [Fact]
    public async Task A_collector_gets_the_same_instruments_as_prometheus_reads()
    {
        await using var collector = new OtlpReceiver();
        var server = Start([.. Exporting(collector, "one"), ("OTEL_METRIC_EXPORT_INTERVAL", "250"), ("POSTRIDER_API_KEY", Key)]);
        using var client = Client(ListensAt().Match(await BannerAsync(server)).Value);
        await SendAsync(client, "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00f067aa0ba902b7-00");
        // What counts begins to be there with the first count: they meet after a while.
        await Eventually.GetAsync(async () =>
        {
            var page = await client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
            var exported = collector.Metrics.Select(name => name.Replace('.', '_')).ToList();
            // What nothing has happened to is 0 here, and not there yet.
            var differing = Counted().Matches(page).Select(m => m.Groups["name"].Value).Distinct()
                .Where(name => !exported.Exists(one => IsSame(name, one)))
                .Concat(exported.Where(one => !Names().Matches(page).Any(m => IsSame(m.Groups["name"].Value, one))));
            return exported.Contains("postrider_attempt_duration") && exported.Contains("postrider_queue_depth")
                ? string.Join(' ', differing) : "nothing yet";
        }, differing => differing.Length == 0);
    }

    // Prometheus adds the unit and _total.
    static bool IsSame(string read, string exported) => read == exported || read.StartsWith($"{exported}_", StringComparison.Ordinal);

    [Fact]
    public async Task What_its_caller_does_not_record_is_not_recorded_here()
    {
        await using var collector = new OtlpReceiver();
        var server = Start([.. Exporting(collector, "one"), ("POSTRIDER_API_KEY", Key)]);
        using var client = Client(ListensAt().Match(await BannerAsync(server)).Value);
        await SendAsync(client, $"00-{Caller}-00f067aa0ba902b7-00");
        await SendAsync(client, "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-00f067aa0ba902b7-01");
        await WholeAsync(collector, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        Assert.DoesNotContain(collector.Spans, span => span.Trace == Caller);
    }

    [Fact]
    public async Task Messages_of_a_batch_have_traces_of_their_own_that_name_the_call()
    {
        await using var collector = new OtlpReceiver();
        var server = Start([.. Exporting(collector, "one"), ("POSTRIDER_API_KEY", Key)]);
        using var client = Client(ListensAt().Match(await BannerAsync(server)).Value);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails/send")
        {
            Content = TestServer.Json(
                """{"from":"a@example.com","destinations":[{"email":"b@example.org"},{"email":"c@example.org"}],"subject":"S","text":"T"}"""),
        };
        request.Headers.Add("traceparent", $"00-{Caller}-00f067aa0ba902b7-01");
        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var attempts = await Eventually.GetAsync(
            () => Task.FromResult(collector.Spans.Where(span => span.Name == "postrider.attempt").ToList()), some => some.Count == 2);
        Assert.All(attempts, attempt => Assert.Equal([Caller], attempt.Links));
        Assert.DoesNotContain(attempts, attempt => attempt.Trace == Caller);
    }

    [Fact]
    public async Task Two_nodes_that_share_the_work_add_to_one_trace()
    {
        await using var collector = new OtlpReceiver();
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        (string, string)[] shared = [("POSTRIDER_STORE", store), ("POSTRIDER_API_KEY", Key),
            ("POSTRIDER_MASTER_KEY", "bm90IGEgc2VjcmV0LCBhIHRlc3QncyBtYXN0ZXIga2U="), ("POSTRIDER_SMTP", "off")];
        var front = Start([.. shared, .. Exporting(collector, "front"), ("POSTRIDER_ROLES", "api")]);
        using var client = Client(ListensAt().Match(await BannerAsync(front)).Value);
        await BannerAsync(Start([.. shared, .. Exporting(collector, "worker"), ("POSTRIDER_ROLES", "worker")]));
        await SendAsync(client, $"00-{Caller}-00f067aa0ba902b7-01");

        var spans = await WholeAsync(collector, Caller);
        Assert.Equal("front", spans.Single(span => span.Name == "postrider.accept").Process);
        Assert.Equal("worker", spans.Single(span => span.Name == "postrider.attempt").Process);
        Assert.Equal("worker", spans.Single(span => span.Name == "postrider.lease").Process);
    }

    [Fact]
    public async Task The_log_as_json_names_the_trace_and_no_person()
    {
        await using var collector = new OtlpReceiver();
        var server = Start([.. Exporting(collector, "one"), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_LOG", "json"),
            ("POSTRIDER_DELIVERY__LOG_SENT", "true")]);
        using var client = Client(ListensAt().Match(await BannerAsync(server)).Value);
        await SendAsync(client, $"00-{Caller}-00f067aa0ba902b7-01");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (true)
        {
            var line = await server.StandardError.ReadLineAsync(patience.Token);
            Assert.NotNull(line);
            var entry = JsonNode.Parse(line)!;
            Assert.DoesNotContain("ann.of", line, StringComparison.Ordinal);
            Assert.DoesNotContain(Key, line, StringComparison.Ordinal);
            Assert.NotNull((string?)entry["time"]);
            if ((string?)entry["fields"]?["state"] != "Sent")
                continue;
            Assert.Equal("information", (string?)entry["level"]);
            Assert.Equal(Caller, (string?)entry["trace_id"]);
            Assert.Equal("a***@example.org", (string?)entry["fields"]!["address"]);
            return;
        }
    }

    static (string, string)[] Exporting(OtlpReceiver collector, string name) =>
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Url.ToString()), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("POSTRIDER_STORAGE__NODE_NAME", name),
    ];

    static async Task SendAsync(HttpClient client, string traceparent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/emails")
        {
            Content = JsonContent.Create(new { from = "shop@example.com", to = Address, subject = "Hello", text = "Hi" }),
        };
        request.Headers.Add("traceparent", traceparent);
        using var answer = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    /// <summary>The spans of a trace once every step is there.</summary>
    static Task<List<ExportedSpan>> WholeAsync(OtlpReceiver collector, string trace) => Eventually.GetAsync(
        () => Task.FromResult(collector.Spans.Where(span => span.Trace == trace).ToList()),
        spans => Steps.All(step => spans.Any(span => span.Name == step))
            && spans.Any(span => span.Parent is "00f067aa0ba902b7"));

    static HttpClient Client(string address)
    {
        var client = new HttpClient { BaseAddress = new Uri(address) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return client;
    }

    [GeneratedRegex("^(?<name>[a-z_]+)(\\{.*\\})? (?!0$)", RegexOptions.Multiline)]
    private static partial Regex Counted();

    [GeneratedRegex("^# TYPE (?<name>\\S+) ", RegexOptions.Multiline)]
    private static partial Regex Names();

    [GeneratedRegex(@"smtp://127\.0\.0\.1:\d+")]
    private static partial Regex SmtpAt();

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex ListensAt();
}
