using System.Net;
using System.Text.Json.Nodes;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Transports and routes that are made, changed and removed while the server runs.</summary>
public sealed class TransportTests
{
    const string Secret = "p-a-s-s-w-o-r-d";

    static readonly HttpStatusCode Created = HttpStatusCode.Created;

    public static TheoryData<bool> Engines => new() { false, true };

    [Theory, MemberData(nameof(Engines))]
    public async Task A_transport_is_added_used_led_elsewhere_and_removed_without_a_restart(bool postgres)
    {
        await using var first = SmtpSink.Start(new SmtpSinkOptions { Account = ("me", Secret) });
        await using var second = SmtpSink.Start(new SmtpSinkOptions { Account = ("me", Secret) });
        await using var server = await StartAsync(postgres);
        var made = await Answer(server.Client.PostAsync("/transports", Json(
            $$"""{"name":"own","dsn":"smtp://me:{{Secret}}@127.0.0.1:{{first.Port}}?tls=none&rate=1000/s"}""")), Created);
        Assert.Equal(("own", false, "database"), ((string)made["name"]!, (bool)made["shared"]!, (string)made["source"]!));
        Assert.Equal($"own=smtp://me:***@127.0.0.1:{first.Port}?tls=none&rate=1000/s", (string)made["dsn"]!);
        Assert.Contains("now goes: own (until now: capture). It no longer goes by capture;", (string)made["note"]!,
            StringComparison.Ordinal);
        Assert.Equal(["default"], made["routes"]!.AsArray().Select(route => (string)route!));
        var behind = await Answer(server.Client.PostAsync("/transports", Json(
            $$"""{"name":"last","dsn":"smtp://me:{{Secret}}@127.0.0.1:{{first.Port}}?tls=none"}""")), Created);
        Assert.EndsWith("now goes: own → last (until now: own).", (string)behind["note"]!, StringComparison.Ordinal);
        Assert.Null((await Answer(server.Client.GetAsync("/transports/last")))["note"]);
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/transports/last")).StatusCode);

        await SendAsync(server.Client, 5);
        await first.WaitForAsync(5);
        await Answer(server.Client.PatchAsync("/transports/own", Json(
            $$"""{"dsn":"smtp://me:{{Secret}}@127.0.0.1:{{second.Port}}?tls=none"}""")));
        await SendAsync(server.Client, 5);
        await second.WaitForAsync(5);
        Assert.Equal(5, first.Count);
        var options = await Answer(server.Client.PatchAsync("/transports/own", Json("""{"options":{"concurrency":3}}""")));
        Assert.Equal(3, (int)options["concurrency"]!);
        await SendAsync(server.Client, 1);
        await second.WaitForAsync(6);

        foreach (var path in new[] { "/transports", "/transports/own", "/routes" })
            Assert.DoesNotContain(Secret, await server.Client.GetStringAsync(path), StringComparison.Ordinal);
        await Answer(server.Client.PostAsync("/routes", Json("""{"name":"mine","transports":["own"]}""")), Created);
        Assert.Equal("transport-in-use", await RefusalAsync(server.Client.DeleteAsync("/transports/own"), HttpStatusCode.Conflict));
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/routes/mine")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/transports/own")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync("/transports/own")).StatusCode);
        // By those of the configuration again: what development captures.
        await SendAsync(server.Client, 1);
        await server.GetAsync("/inbox", inbox => inbox["data"]!.AsArray().Count == 1);
    }

    [Fact]
    public async Task All_nodes_have_a_change_within_a_second()
    {
        await using var first = SmtpSink.Start();
        await using var second = SmtpSink.Start();
        var store = PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create());
        await using var one = await TestServer.StartAsync(("STORE", store));
        await using var other = await TestServer.StartAsync(("STORE", store));
        await Answer(one.Client.PostAsync("/transports", Json(Dsn("own", first.Port))), Created);
        await WithinASecondAsync(() => StatusAsync(other, "/transports/own"), HttpStatusCode.OK);
        await SendAsync(other.Client, 10);
        await first.WaitForAsync(10);
        var moved = $$"""{"dsn":"smtp://127.0.0.1:{{second.Port}}?tls=none"}""";
        await Answer(other.Client.PatchAsync("/transports/own", Json(moved)));
        await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        await SendAsync(one.Client, 10);
        await second.WaitForAsync(10);
        Assert.Equal(10, first.Count);
        Assert.Equal(HttpStatusCode.NoContent, (await one.Client.DeleteAsync("/transports/own")).StatusCode);
        await WithinASecondAsync(() => StatusAsync(other, "/transports/own"), HttpStatusCode.NotFound);
    }

    [Theory, MemberData(nameof(Engines))]
    public async Task A_restart_keeps_what_was_added(bool postgres)
    {
        await using var sink = SmtpSink.Start();
        var settings = Settings(postgres);
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        settings = [.. settings, ("STORE", postgres ? settings[^1].Value : $"sqlite:{folder}/mail.db"),
            ("MASTER_KEY", Convert.ToBase64String(new byte[32].Select((_, i) => (byte)i).ToArray()))];
        await using (var before = await TestServer.StartAsync(settings))
        {
            await Answer(before.Client.PostAsync("/transports", Json(Dsn("own", sink.Port))), Created);
            await Answer(before.Client.PostAsync("/routes", Json(
                """{"name":"tagged","transports":["own"],"rules":[{"tag":"invoice"}],"position":3}""")), Created);
        }
        await using var after = await TestServer.StartAsync(settings);
        await SendAsync(after.Client, 2);
        await sink.WaitForAsync(2);
        var route = await Answer(after.Client.GetAsync("/routes/tagged"));
        Assert.Equal(("invoice", 3), ((string)route["rules"]![0]!["tag"]!, (int)route["position"]!));
    }

    [Fact]
    public async Task A_tenant_sees_and_uses_its_own_and_what_it_is_allowed_and_nothing_else()
    {
        await using var mine = SmtpSink.Start();
        await using var shared = SmtpSink.Start();
        await using var server = await StartAsync(false,
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{shared.Port}?tls=none secret=capture://"));
        var (a, idA) = await TenantAsync(server, "a", "allow_private_hosts");
        var (b, idB) = await TenantAsync(server, "b", "allow_private_hosts");
        using (a)
        using (b)
        {
            await Answer(server.Client.PatchAsync($"/tenants/{idB}", Json("""{"settings":{"transports":["relay"]}}""")));
            await Answer(a.PostAsync("/transports", Json(Dsn("own", mine.Port))), Created);
            await Answer(a.PostAsync("/routes", Json("""{"name":"news","transports":["own","relay"],"rules":[{"stream":"bulk"}]}""")), Created);
            Assert.Equal(["own", "relay", "secret"], await NamesAsync(a, "/transports"));
            Assert.Equal(["relay"], await NamesAsync(b, "/transports"));
            Assert.Equal(["relay", "secret"], await NamesAsync(server.Client, "/transports"));
            Assert.Equal(["default", "news"], await NamesAsync(a, "/routes"));
            Assert.Equal(["default"], await NamesAsync(b, "/routes"));

            // Another's is as absent as what never was: word for word, but for the name.
            foreach (var client in new[] { b, server.Client })
            {
                await SameAsync(client, "own", "never", name => new(HttpMethod.Get, $"/transports/{name}"));
                await SameAsync(client, "own", "never", name => new(HttpMethod.Delete, $"/transports/{name}"));
                await SameAsync(client, "own", "never", name => new(HttpMethod.Post, $"/transports/{name}/pause"));
                await SameAsync(client, "own", "never", name => new(HttpMethod.Post, $"/transports/{name}/test") { Content = Json("""{"to":"a@example.org"}""") });
                await SameAsync(client, "own", "never", name => new(HttpMethod.Patch, $"/transports/{name}") { Content = Json("""{"dsn":"capture://"}""") });
                await SameAsync(client, "news", "never", name => new(HttpMethod.Get, $"/routes/{name}"));
                await SameAsync(client, "news", "never", name => new(HttpMethod.Delete, $"/routes/{name}"));
                await SameAsync(client, "news", "never", name => new(HttpMethod.Patch, $"/routes/{name}") { Content = Json("{}") });
                await SameAsync(client, "news", "never", name => new(HttpMethod.Post, "/emails") { Content = Json(Mail($$""","route":"{{name}}" """)) });
                await SameAsync(client, "own", "never", name => new(HttpMethod.Post, "/routes")
                {
                    Content = Json($$"""{"name":"r","transports":["{{name}}"]}"""),
                });
            }
            // What is everybody's is changed by nobody but the installation.
            foreach (var (method, path) in new[] { ("POST", "/transports/relay/pause"), ("DELETE", "/transports/relay"), ("DELETE", "/routes/default") })
                Assert.Equal("installation-only", await RefusalAsync(
                    a.SendAsync(new HttpRequestMessage(new HttpMethod(method), path)), HttpStatusCode.Forbidden));
            Assert.Equal("read-only", await RefusalAsync(server.Client.DeleteAsync("/transports/relay"), HttpStatusCode.Conflict));
            Assert.Null((string?)(await Answer(a.GetAsync("/transports/relay")))["callback_url"]);
            Assert.Equal("installation-only", await RefusalAsync(
                a.PostAsync("/transports", Json("""{"name":"x","dsn":"capture://","shared":true}""")), HttpStatusCode.Forbidden));

            await SendAsync(a, 3);
            await SendAsync(b, 2);
            await mine.WaitForAsync(3);
            await shared.WaitForAsync(2);
            // A name that another has already is free.
            await Answer(b.PostAsync("/transports", Json("""{"name":"own","dsn":"capture://"}""")), Created);
            Assert.Equal("transport-exists", await RefusalAsync(
                b.PostAsync("/transports", Json("""{"name":"relay","dsn":"capture://"}""")), HttpStatusCode.Conflict));
        }
    }

    [Fact]
    public async Task A_route_on_which_mail_waits_stays_or_its_mail_goes_by_the_default_route()
    {
        await using var server = await StartAsync(false);
        await Answer(server.Client.PostAsync("/transports", Json("""{"name":"slow","dsn":"capture://"}""")), Created);
        await Answer(server.Client.PostAsync("/routes", Json("""{"name":"later","transports":["slow"]}""")), Created);
        await Answer(server.Client.PostAsync("/transports/slow/pause", null));
        await Answer(server.Client.PostAsync("/routes", Json("""{"name":"default","transports":["capture"]}""")), Created);
        var mail = (string)(await Answer(server.Client.PostAsync("/emails", Json(Mail(""","route":"later" """))), HttpStatusCode.Accepted))["id"]!;
        await server.GetEmailAsync(mail, m => ((string?)m["recipients"]![0]!["waiting_for"])?.Contains("paused", StringComparison.Ordinal) == true);
        Assert.Equal("route-in-use", await RefusalAsync(server.Client.DeleteAsync("/routes/later"), HttpStatusCode.Conflict));
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/routes/later?waiting=default")).StatusCode);
        var sent = await server.GetEmailAsync(mail, m => (string?)m["status"] == "complete");
        Assert.Equal("capture", (string?)sent["recipients"]![0]!["transport"]);
    }

    [Theory]
    [InlineData("/transports", """{"name":"x","dsn":"nothing://host"}""", "/dsn", "there is no provider 'nothing'")]
    [InlineData("/transports", """{"name":"x","dsn":"smtp://host?rate=fast"}""", "/dsn", "x: option 'rate' is recipients per s, m, h, d or a span")]
    [InlineData("/transports", """{"name":"x","dsn":"other=smtp://host"}""", "/dsn", "without a name in front")]
    [InlineData("/transports", """{"name":"X y","dsn":"smtp://host"}""", "/name", "a-z")]
    [InlineData("/transports", """{"dsn":"smtp://host"}""", "/name", "own-relay")]
    [InlineData("/transports", """{"name":"x"}""", "/dsn", "smtp://")]
    [InlineData("/transports", """{"name":"x","dsn":"smtp://localhost:25"}""", "/dsn", "allow_private_hosts")]
    [InlineData("/transports", """{"name":"x","dsn":"smtp://127.1:25"}""", "/dsn", "allow_private_hosts")]
    [InlineData("/transports", """{"name":"x","dsn":"smtp://[::ffff:10.0.0.1]:25"}""", "/dsn", "allow_private_hosts")]
    [InlineData("/transports", """{"name":"x","dsn":"sendgrid://key@?endpoint=http://169.254.169.254"}""", "/dsn", "allow_private_hosts")]
    [InlineData("/transports", """{"name":"x","dsn":"sendgrid://key@?endpoint=https://api.example.com:6379"}""", "/dsn", "443, 80")]
    [InlineData("/transports", """{"name":"x","dsn":"smtp://mail.example.com?ca=/etc/passwd"}""", "/dsn", "a file of the server")]
    [InlineData("/transports", """{"name":"x","dsn":"ses://eu-central-1"}""", "/dsn", "access key")]
    [InlineData("/routes", """{"name":"x","transports":["nowhere"]}""", "/transports", "there are: capture")]
    [InlineData("/routes", """{"name":"x","strategy":"best"}""", "/strategy", "priority, sticky, round_robin or weighted")]
    [InlineData("/routes", """{"name":"x","rules":[{}]}""", "/rules/0", "matches everything")]
    [InlineData("/routes", """{"name":"x","rules":[{"stream":"slow"}]}""", "/rules/0/stream", "transactional or bulk")]
    [InlineData("/routes", """{"strategy":"sticky"}""", "/name", "default")]
    public async Task What_cannot_be_is_refused_with_its_place_and_remedy(string path, string body, string pointer, string words)
    {
        await using var server = await StartAsync(false);
        var (client, _) = await TenantAsync(server, "t");
        using (client)
        {
            using var response = await client.PostAsync(path, Json(body), TestContext.Current.CancellationToken);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
            Assert.Equal(HttpStatusCode.UnprocessableEntity, response.StatusCode);
            Assert.Equal(pointer, (string?)problem["errors"]![0]!["pointer"]);
            Assert.Contains(words, (string?)problem["errors"]![0]!["detail"], StringComparison.Ordinal);
        }
    }

    // The name is looked up when a connection is made: what was harmless when it was saved leads inside.
    [Fact]
    public async Task A_name_that_leads_inside_is_not_connected_to()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await StartAsync(false);
        var (client, id) = await TenantAsync(server, "t", "allow_private_hosts");
        using (client)
        {
            await Answer(client.PostAsync("/transports", Json(Dsn("own", sink.Port, "localhost"))), Created);
            await SendAsync(client, 1);
            await sink.WaitForAsync(1);
            await Answer(server.Client.PatchAsync($"/tenants/{id}", Json("""{"settings":{"allow_private_hosts":false}}""")));
            await SendAsync(client, 1);
            await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
            Assert.Equal(1, sink.Count);
        }
    }

    // Who brings an account does not expect its mail to leave by somebody else's.
    [Fact]
    public async Task Mail_of_a_transport_that_cannot_be_used_waits_and_nothing_else_does()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await StartAsync(false);
        var (client, id) = await TenantAsync(server, "t", "allow_private_hosts");
        using (client)
        {
            await Answer(client.PostAsync("/transports", Json(Dsn("own", sink.Port))), Created);
            await Answer(server.Client.PatchAsync($"/tenants/{id}", Json("""{"settings":{"allow_private_hosts":false}}""")));
            var own = await Answer(client.GetAsync("/transports/own"));
            Assert.Equal("unusable", (string?)own["state"]);
            Assert.Contains("allow_private_hosts", (string?)own["fault"], StringComparison.Ordinal);
            var sent = await Answer(client.PostAsync("/emails", Json(Mail())), HttpStatusCode.Accepted);
            await Eventually.GetAsync(() => Answer(client.GetAsync($"/emails/{(string)sent["id"]!}")), mail =>
                (string?)mail["recipients"]![0]!["waiting_for"] == "transports_unavailable");
            await SendAsync(server.Client, 1);
            await server.GetAsync("/inbox", inbox => inbox["data"]!.AsArray().Count == 1);
            await Answer(server.Client.PatchAsync($"/tenants/{id}", Json("""{"settings":{"allow_private_hosts":true}}""")));
            await sink.WaitForAsync(1);
        }
    }

    // What reports to a tenant's own transport has a say about that tenant's mail alone.
    [Fact]
    public async Task A_vendor_of_a_tenant_reports_on_that_tenants_mail()
    {
        var vendor = CallbackVendor.All.Single(one => one.Scheme == "mailgun");
        await using var stub = HttpStub.Start(vendor.Taken);
        await using var server = await StartAsync(false);
        var mail = """{"from":"shop@example.com","to":"ann@example.org","subject":"S","text":"T"}""";
        var (client, _) = await TenantAsync(server, "t", "allow_private_hosts");
        using (client)
        {
            var made = await Answer(client.PostAsync("/transports",
                Json($$"""{"name":"own","dsn":"{{vendor.Dsn($"http://127.0.0.1:{stub.Port}")}}"}""")), Created);
            var path = new Uri((string)made["callback_url"]!).AbsolutePath;
            var ours = (string)(await Answer(client.PostAsync("/emails", Json(mail)), HttpStatusCode.Accepted))["id"]!;
            var theirs = (string)(await Answer(server.Client.PostAsync("/emails", Json(mail)), HttpStatusCode.Accepted))["id"]!;
            await BecomesAsync(client, ours, "sent");
            await BecomesAsync(server.Client, theirs, "sent");
            foreach (var id in new[] { theirs, ours })
                Assert.Equal(HttpStatusCode.OK, await CallAsync(vendor.Delivered(id), path));
            await BecomesAsync(client, ours, "delivered");
            await BecomesAsync(server.Client, theirs, "sent");
            Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync("/transports/own")).StatusCode);
            Assert.Equal(HttpStatusCode.NotFound, await CallAsync(vendor.Delivered(ours), path));
        }

        async Task<HttpStatusCode> CallAsync(Callback callback, string path)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(callback.Body) };
            foreach (var (name, value) in callback.Headers)
                request.Headers.Add(name, value);
            using var response = await server.Stranger.SendAsync(request);
            return response.StatusCode;
        }

        static Task BecomesAsync(HttpClient client, string id, string status) => Eventually.GetAsync(
            () => Answer(client.GetAsync($"/emails/{id}")), email => (string?)email["recipients"]![0]!["status"] == status);
    }

    // An operator who stopped it did so for a reason that a restart does not end.
    [Theory, MemberData(nameof(Engines))]
    public async Task A_pause_lasts_over_a_restart_until_it_is_ended(bool postgres)
    {
        var folder = Directory.CreateTempSubdirectory("postrider-");
        await using var sink = SmtpSink.Start();
        (string, string)[] settings = [.. Settings(postgres), ("DATA", folder.FullName),
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none")];
        string mail;
        await using (var before = await TestServer.StartAsync(settings))
        {
            await Answer(before.Client.PostAsync("/transports", Json(Dsn("own", sink.Port))), Created);
            await Answer(before.Client.PostAsync("/transports/relay/pause", null));
            await Answer(before.Client.PostAsync("/transports/own/pause", null));
            mail = (string)(await Answer(before.Client.PostAsync("/emails", Json(Mail())), HttpStatusCode.Accepted))["id"]!;
        }
        await using (var after = await TestServer.StartAsync(settings))
        {
            var stands = (await Answer(after.Client.GetAsync("/transports")))["data"]!.AsArray();
            Assert.Equal([("own", "paused"), ("relay", "paused")],
                stands.Select(one => ((string)one!["name"]!, (string)one["state"]!)).Where(one => one.Item1 != "capture").Order());
            await after.GetEmailAsync(mail, m => ((string?)m["recipients"]![0]!["waiting_for"])?.Contains("paused", StringComparison.Ordinal) == true);
            Assert.Equal(0, sink.Count);
            await Answer(after.Client.PostAsync("/transports/own/resume", null));
            await sink.WaitForAsync(1);
        }
        await using (var last = await TestServer.StartAsync(settings))
        {
            Assert.Equal("paused", (string?)(await Answer(last.Client.GetAsync("/transports/relay")))["state"]);
            Assert.Equal("ok", (string?)(await Answer(last.Client.GetAsync("/transports/own")))["state"]);
        }
        folder.Delete(recursive: true);
    }

    [Theory, MemberData(nameof(Engines))]
    public async Task A_transport_of_a_name_that_was_removed_while_it_was_paused_begins_anew(bool postgres)
    {
        await using var sink = SmtpSink.Start();
        await using var server = await StartAsync(postgres);
        await Answer(server.Client.PostAsync("/transports", Json(Dsn("own", sink.Port))), Created);
        await Answer(server.Client.PostAsync("/transports/own/pause", null));
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/transports/own")).StatusCode);
        await Answer(server.Client.PostAsync("/transports", Json(Dsn("own", sink.Port))), Created);
        await SendAsync(server.Client, 1);
        await sink.WaitForAsync(1);
        Assert.Equal("ok", (string?)(await Answer(server.Client.GetAsync("/transports/own")))["state"]);
    }

    // What is under way ends where it began, and what waits goes where the transport leads by then: nothing is lost, nothing sent twice.
    [Theory, MemberData(nameof(Engines))]
    public async Task Every_mail_arrives_once_while_its_transport_is_changed_again_and_again(bool postgres)
    {
        await using var first = SmtpSink.Start();
        await using var second = SmtpSink.Start();
        await using var server = await StartAsync(postgres);
        await Answer(server.Client.PostAsync("/transports", Json(Dsn("own", first.Port))), Created);
        var sending = SendAsync(server.Client, 120);
        for (var change = 0; !sending.IsCompleted; change++)
        {
            var port = change % 2 == 0 ? second.Port : first.Port;
            await Answer(server.Client.PatchAsync("/transports/own", Json(change % 3 == 2
                ? $$"""{"options":{"concurrency":{{change % 7 + 1}},"rate":"{{900 + change}}/s"} }"""
                : $$"""{"dsn":"smtp://127.0.0.1:{{port}}?tls=none&rate=1000/s"}""")));
        }
        await sending;
        await Eventually.HoldsAsync(() => Task.FromResult(first.Count + second.Count == 120));
        await server.GetAsync("/stats", stats => (int)stats["sent"]! == 120);
        Assert.Equal(120, first.Count + second.Count);
    }

    static (string Name, string Value)[] Settings(bool postgres) =>
        postgres ? [("STORE", PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create()))] : [];

    static Task<TestServer> StartAsync(bool postgres, params (string, string)[] more) =>
        TestServer.StartAsync([.. Settings(postgres), .. more]);

    static StringContent Json(string json) => TestServer.Json(json);

    static string Dsn(string name, int port, string host = "127.0.0.1") =>
        $$"""{"name":"{{name}}","dsn":"smtp://{{host}}:{{port}}?tls=none"}""";

    static string Mail(string more = "") => $$"""{"from":"a@example.com","to":"b@example.org","subject":"S","text":"T"{{more}}}""";

    static async Task SendAsync(HttpClient client, int count)
    {
        for (var i = 0; i < count; i++)
            await Answer(client.PostAsync("/emails", Json(Mail())), HttpStatusCode.Accepted);
    }

    static async Task<(HttpClient Client, string Id)> TenantAsync(TestServer server, string name, string? flag = null)
    {
        var settings = flag is null ? "{}" : $$"""{"{{flag}}":true}""";
        var made = await Answer(server.Client.PostAsync("/tenants", Json($$"""{"name":"{{name}}","settings":{{settings}}}""")), Created);
        return (server.NewClient((string)made["key"]!["key"]!), (string)made["id"]!);
    }

    static async Task<List<string>> NamesAsync(HttpClient client, string path) =>
        [.. (await Answer(client.GetAsync(path)))["data"]!.AsArray().Select(one => (string)one!["name"]!).Order(StringComparer.Ordinal)];

    static async Task SameAsync(HttpClient client, string hidden, string absent, Func<string, HttpRequestMessage> make)
    {
        async Task<string> AskAsync(string name)
        {
            using var request = make(name);
            using var response = await client.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            Assert.False(response.IsSuccessStatusCode, $"{request.Method} {request.RequestUri}: {text}");
            var problem = JsonNode.Parse(text)!.AsObject();
            foreach (var member in new[] { "trace_id", "traceId", "instance" })
                problem.Remove(member);
            return $"{response.StatusCode} {problem.ToJsonString().Replace(name, "NAME", StringComparison.Ordinal)}";
        }

        Assert.Equal(await AskAsync(absent), await AskAsync(hidden));
    }

    static async Task<HttpStatusCode> StatusAsync(TestServer server, string path)
    {
        using var response = await server.Client.GetAsync(path);
        return response.StatusCode;
    }

    static async Task WithinASecondAsync(Func<Task<HttpStatusCode>> ask, HttpStatusCode expected)
    {
        var began = TimeProvider.System.GetTimestamp();
        await Eventually.HoldsAsync(async () => await ask() == expected);
        // The answer itself and a busy machine take their time as well.
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 0, 2);
    }

    static async Task<string> RefusalAsync(Task<HttpResponseMessage> call, HttpStatusCode status) =>
        ((string)(await Answer(call, status))["type"]!)["/problems/".Length..];

    static async Task<JsonNode> Answer(Task<HttpResponseMessage> call, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var response = await call;
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == status, $"{response.StatusCode}: {text}");
        return JsonNode.Parse(text)!;
    }
}
