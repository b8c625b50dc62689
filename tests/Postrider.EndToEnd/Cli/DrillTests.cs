using System.Collections;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>Fire drills on a running server, under load.</summary>
public sealed class DrillTests
{
    static Task<TestServer> StartAsync() =>
        TestServer.StartAsync(("TRANSPORTS", "main=sim://main?latency=5ms backup=sim://backup?latency=5ms"));

    [Fact]
    public async Task A_drill_under_load_loses_nothing_and_sends_nothing_twice()
    {
        await using var server = await StartAsync();
        using var stop = new CancellationTokenSource();
        var load = LoadAsync(server, stop.Token);
        var run = await RunAsync(server, "drill", "--transport", "main", "--fail", "100%", "--for", "3s", "--before", "2s", "--json");
        await stop.CancelAsync();
        var sent = await load;

        Assert.True(run.ExitCode == 0, run.Error + run.Output);
        var report = JsonNode.Parse(run.Output)!;
        Assert.Equal((0, 0, 0), ((int)report["lost"]!, (int)report["duplicated"]!, (int)report["open"]!));
        Assert.InRange((int)report["mails"]!, 10, sent);
        Assert.InRange((int)report["hit"]!, 1, sent);
        Assert.Equal((int)report["hit"]!, (int)report["failed_over"]!);
        Assert.InRange((long)report["first_failover_ms"]!, 0, 3_000);
        Assert.NotNull(report["before"]);
        Assert.NotNull(report["during"]);

        // It is over, and main is sent to again when its circuit has closed.
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync("/transports/main/drill")).StatusCode);
        await Eventually.HoldsAsync(async () =>
        {
            var id = await SendAsync(server);
            return (string?)(await server.GetEmailAsync(id, email => (string?)email["status"] == "complete"))["recipients"]![0]!["transport"] == "main";
        }, TimeSpan.FromSeconds(60));
        var audit = (await server.Client.GetFromJsonAsync<JsonNode>("/audit"))!["data"]!.ToJsonString();
        Assert.Contains("POST /transports/{name}/drill", audit, StringComparison.Ordinal);
    }

    /// <summary>The negative control: without failover the same load ends red.</summary>
    [Fact]
    public async Task A_drill_of_the_only_transport_leaves_mail_open_and_says_so()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "main=sim://main?latency=5ms"));
        using var stop = new CancellationTokenSource();
        var load = LoadAsync(server, stop.Token);
        var run = await RunAsync(server, "drill", "--transport", "main", "--for", "2s", "--before", "1s", "--settle", "1s", "--json");
        await stop.CancelAsync();
        await load;
        Assert.Equal(1, run.ExitCode);
        var report = JsonNode.Parse(run.Output)!;
        Assert.True((int)report["open"]! > 0, run.Output);
        Assert.Equal((0, 0), ((int)report["failed_over"]!, (int)report["duplicated"]!));
    }

    [Fact]
    public void What_is_lost_or_sent_twice_is_counted()
    {
        var start = new DateTimeOffset(2026, 1, 5, 9, 0, 0, TimeSpan.Zero);
        var ids = new MessageIds(new ManualClock(start));
        var book = new DrillBook("main") { Began = start, Ended = start.AddMinutes(1) };
        string[] mails = [.. Enumerable.Range(0, 4).Select(_ => ids.Next().ToString())];
        Tell(0, "email.attempted", 10, "main", "fire drill until noon: nothing was sent to main");
        Tell(0, "email.sent", 30, "backup", "ok");
        Tell(1, "email.sent", 20, "main", "ok");
        Tell(1, "email.sent", 90, "backup", "ok");
        Tell(2, "email.attempted", 10, "main", "fire drill until noon: nothing was sent to main");
        Tell(2, "email.expired", 500, null, null);
        Tell(3, "email.deferred", 10, "backup", "later");

        var report = book.Close();
        Assert.Equal((4, 2, 1), (report.Mails, report.Hit, report.FailedOver));
        Assert.Equal((1, 1, 1), (report.Lost, report.Duplicated, report.Open));
        Assert.Equal((30L, 20L), (report.FirstFailover!.Value, report.Failover!.Value.P99));
        Assert.Equal((20L, 30L), (report.During!.Value.P50, report.During.Value.P99));
        Assert.Null(report.Before);

        void Tell(int mail, string type, int milliseconds, string? by, string? text)
        {
            var happened = new JsonObject
            {
                ["type"] = type,
                ["created_at"] = start.AddMilliseconds(milliseconds).ToString("O"),
                ["data"] = new JsonObject
                {
                    ["email_id"] = mails[mail],
                    ["to"] = new JsonArray("b@example.com"),
                    ["transport"] = by,
                    ["text"] = text,
                },
            };
            book.Take(JsonDocument.Parse(happened.ToJsonString()).RootElement);
        }
    }

    [Fact]
    public async Task A_drill_whose_caller_is_gone_ends_by_itself()
    {
        await using var server = await StartAsync();
        using var begun = await server.Client.PostAsync("/transports/main/drill", TestServer.Json("""{"for":"2s"}"""));
        Assert.Equal(HttpStatusCode.OK, begun.StatusCode);
        var hit = await server.GetEmailAsync(await SendAsync(server), email => (string?)email["status"] == "complete");
        Assert.Equal("backup", (string?)hit["recipients"]![0]!["transport"]);
        Assert.StartsWith("fire drill until ", (string?)hit["attempts"]![0]!["text"], StringComparison.Ordinal);
        await Eventually.HoldsAsync(async () =>
        {
            var id = await SendAsync(server);
            return (string?)(await server.GetEmailAsync(id, email => (string?)email["status"] == "complete"))["recipients"]![0]!["transport"] == "main";
        }, TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_drill_takes_an_administrator_and_a_transport_that_is_there()
    {
        await using var server = await StartAsync();
        using var manager = await server.NewClientAsync(TenantId.First, Scopes.Manage | Scopes.Read | Scopes.Send);
        Assert.Equal(HttpStatusCode.Forbidden,
            (await manager.PostAsync("/transports/main/drill", TestServer.Json("""{"for":"1m"}"""))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound,
            (await server.Client.PostAsync("/transports/none/drill", TestServer.Json("""{"for":"1m"}"""))).StatusCode);
        foreach (var (body, pointer) in new[]
        {
            ("{}", "/for"), ("""{"for":"2h"}""", "/for"), ("""{"for":"1m","fail":0}""", "/fail"), ("""{"for":"1m","fail":"all"}""", "/fail"),
            ("""{"for":"1m","faill":1}""", "/faill"),
        })
        {
            using var refused = await server.Client.PostAsync("/transports/main/drill", TestServer.Json(body));
            Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
            Assert.Equal(pointer, (string?)(await refused.Content.ReadFromJsonAsync<JsonNode>())!["errors"]![0]!["pointer"]);
        }
        var run = await RunAsync(server, "drill", "--transport", "main", "--fail", "0%");
        Assert.Equal((2, "postrider: --fail: \"0%\": write a share above 0%, at most 100%\n"), (run.ExitCode, run.Error));
    }

    [Fact]
    public async Task A_drill_without_mail_says_that_it_shows_nothing()
    {
        await using var server = await StartAsync();
        var run = await RunAsync(server, "drill", "--transport", "main", "--for", "1s", "--before", "1s");
        Assert.Equal((75, "postrider: no mail came during the drill: it shows nothing; repeat it while there is traffic\n"),
            (run.ExitCode, run.Error));
        Assert.Contains("main is broken inside Postrider until ", run.Output, StringComparison.Ordinal);
        Assert.EndsWith("main is restored.\n", run.Output, StringComparison.Ordinal);
        // It ended by itself: nothing of its own was refused.
        var refused = await server.Client.GetFromJsonAsync<JsonNode>("/requests");
        Assert.Empty(refused!["data"]!.AsArray());
    }

    [Fact]
    public async Task A_drill_whose_transport_gets_no_mail_says_that_it_shows_nothing()
    {
        await using var server = await StartAsync();
        using var stop = new CancellationTokenSource();
        var load = LoadAsync(server, stop.Token);
        var run = await RunAsync(server, "drill", "--transport", "backup", "--for", "2s", "--before", "0s");
        await stop.CancelAsync();
        await load;
        Assert.Equal(75, run.ExitCode);
        Assert.Contains(" mails, 0 of them hit: 0 lost", run.Output, StringComparison.Ordinal);
        Assert.Contains("backup is a standby, to which mail goes while main takes none: the drill may show nothing\n", run.Error,
            StringComparison.Ordinal);
        Assert.Contains("no try at backup failed for the drill: it shows nothing.", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_drill_of_a_transport_that_gets_no_mail_now_is_refused_at_once()
    {
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", "main=sim://main down=sim://down?fail=1&circuit=1,1m,1h spare=sim://spare"),
            ("ROUTES__DOWN__TRANSPORTS", "down main"),
            ("ROUTES__DEFAULT__TRANSPORTS", "main"));
        Assert.Equal(HttpStatusCode.OK, (await server.Client.PostAsync("/transports/main/pause", null)).StatusCode);
        using var sent = await server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"a@example.com","to":"b@example.com","subject":"Drill","text":"x","route":"down"}"""));
        Assert.Equal(HttpStatusCode.Accepted, sent.StatusCode);
        await Eventually.HoldsAsync(async () =>
            (string?)(await server.Client.GetFromJsonAsync<JsonNode>("/transports/down"))!["state"] == "open");

        foreach (var (transport, words) in new[]
        {
            ("main", "main is paused (postrider transports resume main): no mail goes to it, and a drill would show nothing"),
            ("down", "down is down, its circuit is open until "), ("spare", "spare is in no route of yours: no mail goes to it"),
        })
        {
            var run = await RunAsync(server, "drill", "--transport", transport);
            Assert.Equal((75, ""), (run.ExitCode, run.Output));
            Assert.Contains(words, run.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_second_drill_of_the_same_transport_is_refused_until_the_first_has_ended()
    {
        await using var server = await StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ =>
            server.Client.PostAsync("/transports/main/drill", TestServer.Json("""{"for":"10m"}"""))));
        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        var refused = answers.First(answer => answer.StatusCode != HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        var problem = (await refused.Content.ReadFromJsonAsync<JsonNode>())!;
        Assert.EndsWith("/drill-running", (string?)problem["type"], StringComparison.Ordinal);
        var until = (DateTimeOffset)(await server.Client.GetFromJsonAsync<JsonNode>("/transports/main"))!["drill"]!["until"]!;
        Assert.Contains($"until {until:u}", (string?)problem["detail"], StringComparison.Ordinal);

        var second = await RunAsync(server, "drill", "--transport", "main", "--for", "3s", "--before", "1s");
        Assert.Equal((1, ""), (second.ExitCode, second.Output));
        Assert.Contains("a drill breaks main already, since ", second.Error, StringComparison.Ordinal);
        Assert.Equal(until, (DateTimeOffset)(await server.Client.GetFromJsonAsync<JsonNode>("/transports/main/drill"))!["until"]!);

        var ended = await RunAsync(server, "drill", "--transport", "main", "--end");
        Assert.Equal((0, "The drill is ended: main is restored.\n"), (ended.ExitCode, ended.Output));
        using var third = await server.Client.PostAsync("/transports/main/drill", TestServer.Json("""{"for":"1s"}"""));
        Assert.Equal(HttpStatusCode.OK, third.StatusCode);
    }

    [Fact]
    public async Task A_drill_that_somebody_else_ends_says_so_and_is_not_green()
    {
        await using var server = await StartAsync();
        using var stop = new CancellationTokenSource();
        var load = LoadAsync(server, stop.Token);
        var drill = RunAsync(server, "drill", "--transport", "main", "--for", "1h", "--before", "0s", "--json");
        await Eventually.HoldsAsync(() => IsBrokenAsync(server));
        Assert.Equal(HttpStatusCode.NoContent, (await server.Client.DeleteAsync("/transports/main/drill")).StatusCode);
        // Another one may begin meanwhile; it is not the first one's to end.
        using var next = await server.Client.PostAsync("/transports/main/drill", TestServer.Json("""{"for":"1h"}"""));
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        var run = await drill;
        await stop.CancelAsync();
        await load;
        Assert.Equal(75, run.ExitCode);
        Assert.Contains("the drill was ended early, not by this command, when it was ", run.Error, StringComparison.Ordinal);
        Assert.Equal("early", (string?)JsonNode.Parse(run.Output)!["end"]);
        Assert.True(await IsBrokenAsync(server), "the next drill was ended");
    }

    [Fact]
    public async Task An_interrupted_drill_is_ended_and_tells_what_is_known_so_far()
    {
        await using var server = await StartAsync();
        using var stop = new CancellationTokenSource();
        using var interrupt = new CancellationTokenSource();
        var load = LoadAsync(server, stop.Token);
        var drill = RunAsync(server, interrupt.Token, "drill", "--transport", "main", "--for", "1h", "--before", "0s");
        await Eventually.HoldsAsync(async () => (await server.Client.GetFromJsonAsync<JsonNode>("/events?limit=500"))!["data"]!.AsArray()
            .Any(one => ((string?)one!["data"]?["text"])?.StartsWith("fire drill", StringComparison.Ordinal) == true));
        await Eventually.HoldsAsync(() => IsBrokenAsync(server));
        await interrupt.CancelAsync();
        var run = await drill;
        await stop.CancelAsync();
        await load;
        Assert.Equal(130, run.ExitCode);
        Assert.Contains("postrider: interrupted: the figures are partial; main was broken for ", run.Error, StringComparison.Ordinal);
        Assert.False(await IsBrokenAsync(server));
    }

    /// <summary>Before anybody waits for ten seconds of mail.</summary>
    [Theory]
    [InlineData(2, "--for: \"2h\": write a span from 1s to 1h", "--transport", "main", "--for", "2h")]
    [InlineData(2, "--for: \"999ms\": write a span from 1s to 1h", "--transport", "main", "--for", "999ms")]
    [InlineData(1, "There is no such transport.", "--transport", "none")]
    [InlineData(69, "no server answers at http://127.0.0.1:1/", "--transport", "main", "--url", "http://127.0.0.1:1")]
    public async Task What_is_wrong_with_a_drill_is_said_first(int exitCode, string words, params string[] args)
    {
        await using var server = await StartAsync();
        var run = await RunAsync(server, ["drill", .. args]);
        Assert.Equal((exitCode, ""), (run.ExitCode, run.Output));
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
    }

    static async Task<bool> IsBrokenAsync(TestServer server) =>
        (await server.Client.GetFromJsonAsync<JsonNode>("/transports/main"))!["drill"] is not null;

    /// <summary>Mail until it is told to stop; how many were accepted.</summary>
    static async Task<int> LoadAsync(TestServer server, CancellationToken ct)
    {
        var sent = 0;
        while (!ct.IsCancellationRequested)
        {
            await SendAsync(server);
            sent++;
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return sent;
    }

    static async Task<string> SendAsync(TestServer server)
    {
        using var accepted = await server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"a@example.com","to":"b@example.com","subject":"Drill","text":"x"}"""));
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        return (string)(await accepted.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
    }

    static Task<Run> RunAsync(TestServer server, params string[] args) => RunAsync(server, CancellationToken.None, args);

    static async Task<Run> RunAsync(TestServer server, CancellationToken interrupted, params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var variables = new Hashtable { ["POSTRIDER_URL"] = server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(variables, null), output, error, interrupted);
        return new Run(exitCode, output.ToString(), error.ToString());
    }

    sealed record Run(int ExitCode, string Output, string Error);
}
