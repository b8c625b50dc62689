using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Metrics;

/// <summary>What stands in the log of a whole run in which much goes wrong: never a secret, a body, a subject or a whole address
/// (reliability.md §4, row 30).</summary>
[UnsupportedOSPlatform("windows")]
public sealed partial class LogRedactionTests : BuiltServerTests
{
    const string Key = "canary-key-of-the-first-tenant";
    const string Password = "canary-password-of-the-relay";
    const string VendorKey = "SG.canary-key-of-the-vendor";
    const string HookPath = "canary-path-of-a-webhook";

    /// <summary>What may be in no line. Local parts are made so that no other word has them.</summary>
    static readonly string[] Canaries =
    [
        "canary", "ann.of.the.log", "bob.of.the.log", "shop.of.the.log", "guess.of.the.log",
    ];

    [Theory]
    [InlineData("Json")]
    [InlineData("Text")]
    public async Task No_line_of_a_run_names_a_person_a_secret_or_a_content(string form)
    {
        // Both name the recipient and what was sent in what they answer.
        await using var vendor = HttpStub.Start(_ => new HttpReply(
            400, """{"errors":[{"message":"ann.of.the.log@example.org is not taken","field":"personalizations"}]}"""));
        await using var sink = SmtpSink.Start(new SmtpSinkOptions
        {
            Account = ("relay", Password),
            Answer = command => command.Contains("bob.of.the.log", StringComparison.OrdinalIgnoreCase)
                ? "550 5.1.1 <bob.of.the.log@example.org> has no mailbox here" : null,
        });
        await using var hook = HttpStub.Start(_ => new HttpReply(500, "no"));
        var relay = string.Create(CultureInfo.InvariantCulture, $"relay=smtp://relay:{Password}@127.0.0.1:{sink.Port}?tls=none");
        var routes = Path.Combine(Folder, "routes.json");
        await File.WriteAllTextAsync(routes, """
            { "Routes": { "default": { "Transports": "dead relay" }, "vendor": { "Transports": "vendor" } } }
            """, TestContext.Current.CancellationToken);
        var server = Start(["--config", routes],
            ("POSTRIDER_LOG", form), ("POSTRIDER_API_KEY", Key), ("POSTRIDER_DELIVERY__LOG_SENT", "true"),
            ("POSTRIDER_WEBHOOKS__ALLOW", "127.0.0.1/32:*"), ("POSTRIDER_ALERTS__RAISE_AFTER", "0s"),
            ("POSTRIDER_TRANSPORTS", $"vendor=sendgrid://{VendorKey}@?endpoint={Uri.EscapeDataString(vendor.Url.ToString())} "
                + $"{relay} dead=smtp://dead:{Password}@127.0.0.1:1?circuit=1,1m,1m"));
        var log = server.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var banner = await BannerAsync(server);
        using var client = new HttpClient { BaseAddress = new Uri(HttpAddress().Match(banner).Value) };
        await MisuseAsync(client, banner);
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        await PostAsync(client, "/webhooks", $$"""{"url":"{{hook.Url}}{{HookPath}}"}""", HttpStatusCode.Created);
        foreach (var (to, route, end) in new[] { ("ann", "default", "sent"), ("bob", "default", "bounced"), ("ann", "vendor", "failed") })
        {
            var id = (string)(await PostAsync(client, "/emails", $$"""
                {"from":"Shop <shop.of.the.log@example.com>","to":"{{to}}.of.the.log@example.org","route":"{{route}}",
                 "subject":"canary in a subject","text":"canary in a text","metadata":{"order":"canary-order"} }
                """, HttpStatusCode.Accepted))["id"]!;
            await Eventually.GetAsync(async () => JsonNode.Parse(await client.GetStringAsync($"/emails/{id}"))!,
                email => (string?)email["recipients"]![0]!["status"] == end || (string?)email["status"] == "complete");
        }
        await PostAsync(client, "/emails", """{"from":"shop.of.the.log@example.com","to":"bob.of.the.log@","text":"canary"}""",
            HttpStatusCode.UnprocessableEntity);
        await Eventually.HoldsAsync(() => hook.Calls.Count > 1);
        await StopAsync(server);

        var lines = (await log).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length > 4);
        Assert.All(lines, line => Assert.All(
            Canaries, canary => Assert.DoesNotContain(canary, line, StringComparison.OrdinalIgnoreCase)));
        // The control: what happened is in it.
        Assert.Contains(lines, line => Has(line, "a***@example.org") && Has(line, "Sent"));
        Assert.Contains(lines, line => Has(line, "b***@example.org") && Has(line, "Bounced"));
        Assert.Contains(lines, line => Has(line, "dead"));
        if (form == "Json")
            Assert.All(lines, line => Assert.Equal(JsonValueKindOf(line), (true, true)));
    }

    static bool Has(string line, string text) => line.Contains(text, StringComparison.Ordinal);

    static (bool HasTime, bool HasMessage) JsonValueKindOf(string line) =>
        JsonNode.Parse(line) is JsonObject entry ? (entry["time"] is not null, entry["message"] is not null) : default;

    /// <summary>Wrong keys, passwords and forms, by every way in.</summary>
    static async Task MisuseAsync(HttpClient client, string banner)
    {
        using var call = new HttpRequestMessage(HttpMethod.Get, "/emails?address=ann.of.the.log%40example.org");
        call.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "pr_canarycanary_canarycanarycanarycanary");
        using var refused = await client.SendAsync(call, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        var form = Hidden().Matches(await client.GetStringAsync("/ui", TestContext.Current.CancellationToken))
            .ToDictionary(m => m.Groups["name"].Value, m => WebUtility.HtmlDecode(m.Groups["value"].Value));
        form["Form.Name"] = "guess.of.the.log@example.com";
        form["Form.Password"] = "canary that is no password";
        using var guessed = await client.PostAsync("/ui", new FormUrlEncodedContent(form), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, guessed.StatusCode);
        using var smtp = new TcpClient();
        await smtp.ConnectAsync(IPAddress.Loopback,
            int.Parse(SmtpPort().Match(banner).Groups["port"].Value, CultureInfo.InvariantCulture), TestContext.Current.CancellationToken);
        await using var stream = smtp.GetStream();
        using var reader = new StreamReader(stream);
        var credential = Convert.ToBase64String(Encoding.ASCII.GetBytes("\0guess.of.the.log@example.com\0canary that is no key"));
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"EHLO canary.example\r\nAUTH PLAIN {credential}\r\nQUIT\r\n"));
        var said = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Contains("535", said, StringComparison.Ordinal);
    }

    static async Task<JsonNode> PostAsync(HttpClient client, string path, string json, HttpStatusCode expected)
    {
        using var answer = await client.PostAsync(path, TestServer.Json(json), TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.StatusCode == expected, text);
        return JsonNode.Parse(text)!;
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex HttpAddress();

    [GeneratedRegex(@"(SMTP +|""smtp"":\["")\S*?127\.0\.0\.1:(?<port>\d+)")]
    private static partial Regex SmtpPort();

    [GeneratedRegex("""<input type="hidden" name="(?<name>[^"]+)" value="(?<value>[^"]*)" ?/?>""")]
    private static partial Regex Hidden();
}
