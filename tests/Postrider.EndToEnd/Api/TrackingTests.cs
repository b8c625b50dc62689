using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Testing;
using Postrider.Tracking;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>From a mail that asks for tracking to the event that somebody opened it: sent over SMTP, read by Python, followed over
/// HTTP.</summary>
public sealed class TrackingTests : IAsyncLifetime
{
    const string Firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const string Public = "https://track.example.com";
    const string Html = """
        <p>Hello <a href=\"https://shop.example.com/order?id=1&amp;x=2\">order</a> <a href=\"mailto:a@example.com\">mail</a>
        <a href=\"https://shop.example.com/raw\" data-no-track>raw</a> <a href=\"javascript:alert(1)\">no</a></p>
        """;

    readonly SmtpSink _sink = SmtpSink.Start();
    TestServer? _started;

    TestServer Server => _started!;

    public async ValueTask InitializeAsync() => _started = await StartAsync(Public);

    public async ValueTask DisposeAsync()
    {
        await _started!.DisposeAsync();
        await _sink.DisposeAsync();
    }

    [Fact]
    public async Task A_click_and_an_open_become_events()
    {
        var id = await SendAsync($$"""{"opens":true,"clicks":true}""");
        var mail = await ReceivedAsync();
        Assert.Equal(
            ["mailto:a@example.com", "https://shop.example.com/raw", "javascript:alert(1)"],
            mail["links"]!.AsArray().Skip(1).Select(l => (string?)l));
        var click = Path((string)mail["links"]![0]!);
        var open = Path((string)mail["images"]!.AsArray().Single()!);
        Assert.StartsWith("/t/c/", click);
        Assert.StartsWith("/t/o/", open);

        await Task.Delay(TimeSpan.FromSeconds(2.1), TimeProvider.System); // sooner nobody could have read it
        using var browser = Browser(Firefox);
        // Row 91: what stands beside the token is not read.
        using var followed = await browser.GetAsync(click + "?url=https://evil.example/&target=https://evil.example/");
        Assert.Equal(
            (HttpStatusCode.Found, "https://shop.example.com/order?id=1&x=2"), (followed.StatusCode, followed.Headers.Location!.OriginalString));
        Assert.Equal("no-referrer", followed.Headers.GetValues("Referrer-Policy").Single());
        Assert.False(followed.Headers.Contains("Set-Cookie"));
        using var shown = await browser.GetAsync(open);
        Assert.Equal(("image/gif", true), (shown.Content.Headers.ContentType!.MediaType, shown.Headers.CacheControl!.NoStore));
        Assert.Equal("GIF89a"u8.ToArray(), (await shown.Content.ReadAsByteArrayAsync())[..6]);

        var email = await Server.GetEmailAsync(id, e => Events(e).Count == 2);
        Assert.Equal(["clicked", "opened"], Events(email).Select(e => (string)e["type"]!).Order());
        Assert.All(Events(email), e => Assert.Equal((false, "tracking", "ann@example.net", Firefox),
            ((bool)e["machine"]!, (string)e["source"]!, (string)e["recipients"]![0]!, (string)e["user_agent"]!)));
        Assert.Equal("https://shop.example.com/order?id=1&x=2", (string)Events(email).Single(e => (string)e["type"]! == "clicked")["url"]!);
        Assert.Equal((1, 1, 0, 0), ((int)email["tracking"]!["opens"]!, (int)email["tracking"]!["clicks"]!,
            (int)email["tracking"]!["machine_opens"]!, (int)email["tracking"]!["machine_clicks"]!));
        Assert.Equal((1, 1, 0, 0), ((int)email["tracking"]!["unique_opens"]!, (int)email["tracking"]!["unique_clicks"]!,
            (int)email["tracking"]!["unique_machine_opens"]!, (int)email["tracking"]!["unique_machine_clicks"]!));
        Assert.Equal("delivered", (string)email["recipients"]![0]!["status"]!);
        var feed = (await Server.Client.GetFromJsonAsync<JsonNode>("/events?type=email.clicked"))!["data"]!.AsArray();
        Assert.Single(feed);
    }

    // Row 93.
    [Fact]
    public async Task Forged_addresses_lead_nowhere_and_what_looks_ahead_is_a_machine()
    {
        var id = await SendAsync("true");
        var mail = await ReceivedAsync();
        var (click, open) = (Path((string)mail["links"]![0]!), Path((string)mail["images"]![0]!));
        using var browser = Browser(Firefox);
        foreach (var path in new[] { Altered(click), click[..^4], "/t/c/x", open[..^4].Replace("/t/o/", "/t/c/", StringComparison.Ordinal) })
        {
            using var refused = await browser.GetAsync(path);
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
            Assert.Null(refused.Headers.Location);
        }
        foreach (var path in new[] { Altered(open[..^4]) + ".gif", open[..^4], "/t/o/x.gif", click.Replace("/t/c/", "/t/o/", StringComparison.Ordinal) + ".gif" })
            Assert.StartsWith("GIF89a", await browser.GetStringAsync(path));

        using var head = await browser.SendAsync(new HttpRequestMessage(HttpMethod.Head, open));
        Assert.Equal(
            (HttpStatusCode.OK, "image/gif", true),
            (head.StatusCode, head.Content.Headers.ContentType!.MediaType, head.Headers.CacheControl!.NoStore));
        using var ahead = new HttpRequestMessage(HttpMethod.Get, click);
        ahead.Headers.Add("Sec-Purpose", "prefetch");
        using var looked = await browser.SendAsync(ahead);
        Assert.Equal(HttpStatusCode.Found, looked.StatusCode);
        var email = await Server.GetEmailAsync(id, e => Events(e).Count == 2);
        Assert.All(Events(email), e => Assert.True((bool)e["machine"]!));
    }

    // The link of an old mail goes on leading where it led; that somebody came is not noted any more.
    [Fact]
    public async Task A_token_that_is_too_old_leads_on_and_is_no_click_and_no_open()
    {
        var clock = new ManualClock(TimeProvider.System.GetUtcNow());
        await using var server = await TestServer.StartAsync(
            services => services.AddSingleton(sp => new HitBook(sp.GetRequiredService<TrackingOptions>(), clock)),
            ("TRANSPORTS", $"smtp://127.0.0.1:{_sink.Port}?tls=none"), ("PUBLIC_URL", Public));
        var id = await SendAsync("true", server: server);
        var mail = await ReceivedAsync();
        var (click, open) = (Path((string)mail["links"]![0]!), Path((string)mail["images"]![0]!));
        using var browser = Browser(Firefox, server);
        clock.WallOffset = new TrackingOptions().RecordFor + TimeSpan.FromHours(1);
        using var followed = await browser.GetAsync(click);
        Assert.Equal(
            (HttpStatusCode.Found, "https://shop.example.com/order?id=1&x=2"), (followed.StatusCode, followed.Headers.Location!.OriginalString));

        clock.WallOffset = new TrackingOptions().RecordFor - TimeSpan.FromHours(1);
        Assert.StartsWith("GIF89a", await browser.GetStringAsync(open));
        // They are written in order: where the later open is, the click would be.
        Assert.Equal("opened", (string)Assert.Single(Events(await server.GetEmailAsync(id, e => Events(e).Count > 0)))["type"]!);
    }

    [Fact]
    public async Task A_tenants_streams_say_what_is_tracked_messages_say_otherwise_and_its_switch_stops_all()
    {
        await ChangeAsync("""{"tracking":{"bulk":{"clicks":true}}}""");
        await SendAsync("null");
        Assert.DoesNotContain("/t/", (string)(await ReceivedAsync())["html"]!, StringComparison.Ordinal);
        await SendAsync("null", "bulk");
        var mail = await ReceivedAsync();
        var click = Path((string)mail["links"]![0]!);
        Assert.Empty(mail["images"]!.AsArray());
        await SendAsync("""{"clicks":false}""", "bulk");
        Assert.DoesNotContain("/t/", (string)(await ReceivedAsync())["html"]!, StringComparison.Ordinal);

        await ChangeAsync("""{"tracking":{"stopped":true}}""");
        await SendAsync("true");
        Assert.DoesNotContain("/t/", (string)(await ReceivedAsync())["html"]!, StringComparison.Ordinal);
        using var browser = Browser(Firefox);
        using var stopped = await browser.GetAsync(click);
        Assert.Equal(HttpStatusCode.NotFound, stopped.StatusCode);
        await ChangeAsync("""{"tracking":null}""");
        using var goesOn = await browser.GetAsync(click);
        Assert.Equal(HttpStatusCode.Found, goesOn.StatusCode);
    }

    [Theory]
    [InlineData("{\"text\":true}", true, false)]
    [InlineData("{\"clicks\":true,\"text\":true}", true, true)]
    [InlineData("true", false, true)]
    [InlineData("{\"text\":false}", false, false)]
    public async Task Links_of_the_text_lead_over_us_only_where_that_is_asked_for(string track, bool inText, bool inHtml)
    {
        const string text = "Your order (https://shop.example.com/order?id=1&x=2).";
        var id = await SendAsync(track, text: text);
        var mail = await ReceivedAsync();
        Assert.Equal(inHtml, ((string)mail["html"]!).Contains("/t/c/", StringComparison.Ordinal));
        var sent = ((string)mail["text"]!).TrimEnd();
        if (!inText)
        {
            Assert.Equal(text, sent);
            return;
        }
        Assert.StartsWith("Your order (" + Public + "/t/c/", sent);
        Assert.EndsWith(").", sent);
        using var browser = Browser(Firefox);
        foreach (var link in (string[])[Path(sent[12..^2]), Path(sent[12..^2]).TrimEnd('/') + '/'])
        {
            using var followed = await browser.GetAsync(link);
            Assert.Equal("https://shop.example.com/order?id=1&x=2", followed.Headers.Location!.OriginalString);
        }
        var email = await Server.GetEmailAsync(id, e => Events(e).Count > 0);
        Assert.Equal("https://shop.example.com/order?id=1&x=2", (string)Assert.Single(Events(email))["url"]!);
    }

    [Fact]
    public async Task Each_destination_of_a_batch_has_addresses_of_its_own()
    {
        using var answer = await Server.Client.PostAsync("/emails/send", TestServer.Json($$"""
            {"from":"shop@example.org","subject":"S","html":"{{Html.ReplaceLineEndings("\\n")}}","track":{"clicks":true},
             "destinations":[{"email":"ann@example.net"},{"email":"bob@example.net"}]}
            """));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var mails = await _sink.WaitForAsync(2);
        var links = mails.Select(m => (string)Read(m)["links"]![0]!).ToList();
        Assert.Equal(2, links.Distinct().Count());
        Assert.All(links, link => Assert.StartsWith(Public + "/t/c/", link));
    }

    [Theory]
    [InlineData("")]
    [InlineData("http://localhost:8025")]
    [InlineData("http://127.0.0.1")]
    public async Task Without_an_address_for_recipients_mail_is_sent_as_it_is_and_says_so(string url)
    {
        await using var server = await StartAsync(url);
        var id = await SendAsync("true", server: server);
        Assert.DoesNotContain("/t/", (string)(await ReceivedAsync())["html"]!, StringComparison.Ordinal);
        var email = await server.GetEmailAsync(id, e => (string)e["recipients"]![0]!["status"]! == "sent");
        Assert.Contains("POSTRIDER_PUBLIC_URL", (string)email["attempts"]![0]!["remark"]!, StringComparison.Ordinal);
        var told = (await server.GetAsync("/events?type=tracking.skipped", e => e["data"]!.AsArray().Count == 1))["data"]![0]!["data"]!;
        Assert.Equal((id, "ann@example.net"), ((string)told["email_id"]!, (string)told["to"]![0]!));
        Assert.Contains("POSTRIDER_PUBLIC_URL", (string)told["reason"]!, StringComparison.Ordinal);
    }

    int _received;

    Task<TestServer> StartAsync(string url) => TestServer.StartAsync(
        ("TRANSPORTS", $"smtp://127.0.0.1:{_sink.Port}?tls=none"), ("PUBLIC_URL", url));

    async Task<string> SendAsync(string track, string stream = "transactional", TestServer? server = null, string text = "Hello")
    {
        using var answer = await (server ?? Server).Client.PostAsync("/emails", TestServer.Json($$"""
            {"from":"shop@example.org","to":"ann@example.net","subject":"S","stream":"{{stream}}","track":{{track}},
             "text":"{{text}}","html":"{{Html.ReplaceLineEndings("\\n")}}"}
            """));
        var said = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, said);
        return (string)JsonNode.Parse(said)!["id"]!;
    }

    async Task ChangeAsync(string settings)
    {
        using var answer = await Server.Client.PatchAsync("/tenants/1", TestServer.Json($$"""{"settings":{{settings}}}"""));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    async Task<JsonNode> ReceivedAsync() => Read((await _sink.WaitForAsync(++_received))[_received - 1]);

    static JsonNode Read(SinkMessage message)
    {
        using var python = Process.Start(new ProcessStartInfo(
            Requires.Python("email"), [System.IO.Path.Combine(Peers.Folder, "read_links.py")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        python.StandardInput.BaseStream.Write(message.Content);
        python.StandardInput.Close();
        return JsonNode.Parse(python.StandardOutput.ReadToEnd())!;
    }

    static List<JsonNode> Events(JsonNode email) =>
        [.. email["events"]!.AsArray().Where(e => (string)e!["type"]! is "opened" or "clicked").Select(e => e!)];

    static string Path(string url)
    {
        Assert.StartsWith(Public + "/t/", url);
        return url[Public.Length..];
    }

    static string Altered(string path) => path[..^5] + (path[^5] == 'A' ? 'B' : 'A') + path[^4..];

    HttpClient Browser(string agent, TestServer? server = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = (server ?? Server).Address };
        client.DefaultRequestHeaders.UserAgent.ParseAdd(agent);
        return client;
    }
}
