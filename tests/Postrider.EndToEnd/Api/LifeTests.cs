using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Postrider.Hosting;
using Postrider.Storage.Sqlite;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>A server that cannot do all it should: it says so, never with a 500, and does the rest.</summary>
public sealed class LifeTests
{
    const string Mail = """{"from":"a@example.com","to":"b@example.com","subject":"S","text":"T"}""";

    [Fact]
    public async Task In_production_without_a_transport_it_starts_and_says_what_to_set()
    {
        await using var server = await TestServer.StartAsync(("ENVIRONMENT", "Production"));
        using var ready = await server.Stranger.GetAsync("/readyz");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal("""{"status":"ready","notice":"no-transport"}""", await ready.Content.ReadAsStringAsync());
        var problem = await RefusedAsync(server, "no-transport");
        Assert.Contains("POSTRIDER_TRANSPORTS", (string?)problem["detail"]);
    }

    [Theory]
    [InlineData("SUBMISSION__RATE", "1/h", "rate-limited", "3600")]
    [InlineData("SUBMISSION__MAX_WAITING", "1", "queue-full", "30")]
    public async Task A_tenant_that_sends_too_much_is_told_when_to_go_on(string limit, string value, string slug, string retryAfter)
    {
        await using var server = await TestServer.StartAsync((limit, value));
        using var paused = await server.Client.PostAsync("/pause", TestServer.Json("{}"));
        using var first = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        using var second = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal((HttpStatusCode.TooManyRequests, retryAfter), (second.StatusCode, second.Headers.RetryAfter?.ToString()));
        var problem = JsonNode.Parse(await second.Content.ReadAsStringAsync())!;
        Assert.Equal(($"/problems/{slug}", "rate_limit_exceeded"), ((string?)problem["type"], (string?)problem["name"]));
        Assert.Equal(1, (int)JsonNode.Parse(await server.Client.GetStringAsync("/stats"))!["accepted"]!);
    }

    [Fact]
    public async Task On_a_disk_that_is_nearly_full_mail_is_refused_and_the_rest_goes_on()
    {
        await using var server = await TestServer.StartAsync(("STORAGE__MIN_FREE_BYTES", "9000000000000000000"));
        await RefusedAsync(server, "storage-low");
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/emails")).StatusCode);
    }

    [Fact]
    public async Task While_it_stops_it_is_not_ready_and_takes_no_mail_but_still_answers()
    {
        await using var server = await TestServer.StartAsync(("SERVER__STOP_DELAY", "3s"));
        server.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication(); // as SIGTERM does
        var stopping = server.App.StopAsync();
        using var ready = await server.Stranger.GetAsync("/readyz");
        Assert.Equal((HttpStatusCode.ServiceUnavailable, """{"status":"not ready","reason":"draining"}"""), (ready.StatusCode, await ready.Content.ReadAsStringAsync()));
        Assert.Equal(HttpStatusCode.OK, (await server.Stranger.GetAsync("/healthz")).StatusCode);
        await RefusedAsync(server, "draining");
        Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync("/emails")).StatusCode);
        await stopping;
    }

    [Fact]
    public async Task A_stream_ends_with_the_process_and_says_at_which_line()
    {
        await using var server = await TestServer.StartAsync(("SERVER__STOP_DELAY", "2s"));
        using var socket = new TcpClient();
        await socket.ConnectAsync(server.Address.Host, server.Address.Port);
        await using var stream = socket.GetStream();
        using var reader = new StreamReader(stream);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /emails/batch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/x-ndjson\r\n"
            + $"Transfer-Encoding: chunked\r\n\r\n{Mail.Length + 1:X}\r\n{Mail}\n\r\n"));
        await LineWithAsync(reader, "\"line\":1,\"id\"");
        server.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        var last = await LineWithAsync(reader, "\"line\":2");
        Assert.Contains("/problems/draining", last);
    }

    [Fact]
    public async Task Large_bodies_that_are_read_at_once_have_a_common_limit_and_small_ones_none()
    {
        await using var server = await TestServer.StartAsync(("SERVER__MAX_SEND_BYTES", "8000000"), ("SERVER__MAX_BODY_MEMORY_BYTES", "8000000"));
        var large = Mail.Replace("\"T\"", $"\"{new string('x', 6_000_000)}\"", StringComparison.Ordinal);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var answer = "";
        while (!answer.Contains("/problems/busy", StringComparison.Ordinal))
        {
            // Either of the two may be the one for which there is no room.
            using var slow = await HalfSentAsync(server, 7_000_000);
            using var response = await server.Client.PostAsync("/emails", TestServer.Json(large), patience.Token);
            answer = await response.Content.ReadAsStringAsync(patience.Token);
            Assert.Equal(HttpStatusCode.Accepted, (await server.Client.PostAsync("/emails", TestServer.Json(Mail), patience.Token)).StatusCode);
        }
        // The room comes back when they are gone.
        await Eventually.HoldsAsync(async () =>
            (await server.Client.PostAsync("/emails", TestServer.Json(large), patience.Token)).StatusCode == HttpStatusCode.Accepted);
    }

    static async Task<TcpClient> HalfSentAsync(TestServer server, int bytes)
    {
        var client = new TcpClient();
        await client.ConnectAsync(server.Address.Host, server.Address.Port);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/json\r\n"
            + $"Content-Length: {bytes + 1}\r\n\r\n{new string(' ', bytes)}"));
        return client;
    }

    [Theory]
    [InlineData("Content-Length: 5000\r\n\r\n{", false)]
    [InlineData("Content-Length: 5000\r\n\r\n{", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\n{", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n5\r\n{", true)]
    public async Task A_client_that_breaks_off_leaves_nothing_in_the_log(string start, bool reset)
    {
        var log = new LogCollector();
        await using (var server = await TestServer.StartAsync(services => services.AddSingleton<ILoggerProvider>(log)))
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(server.Address.Host, server.Address.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/json\r\n{start}"));
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System);
            if (reset)
                socket.LingerState = new LingerOption(true, 0);
            socket.Close();
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System);
        }
        Assert.Empty(log.Lines);
    }

    [Fact]
    public async Task Nothing_secret_is_logged()
    {
        var log = new LogCollector(LogLevel.Trace);
        await using (var server = await TestServer.StartAsync(
            services => services.AddSingleton<ILoggerProvider>(log).Configure<LoggerFilterOptions>(o => o.MinLevel = LogLevel.Trace),
            ("TRANSPORTS", "smtp://USERCANARY:PASSCANARY@127.0.0.1:9 sim://x?fail=0.5"),
            ("API_KEY", "KEYCANARY-KEYCANARY-KEYCANARY"), ("MASTER_KEY", Convert.ToBase64String("MASTERCANARY-MASTERCANARY-CANARY"u8))))
        {
            using var client = server.NewClient("KEYCANARY-KEYCANARY-KEYCANARY");
            using var sent = await client.PostAsync("/emails", TestServer.Json(Mail.Replace("\"T\"", "\"BODYCANARY\"", StringComparison.Ordinal)));
            Assert.Equal(HttpStatusCode.Accepted, sent.StatusCode);
            using var guess = server.NewClient("GUESSCANARY-GUESSCANARY-GUESSCANARY");
            Assert.Equal(HttpStatusCode.Unauthorized, (await guess.GetAsync("/emails")).StatusCode);
            using var token = await client.PostAsync("/tokens", null);
            var secret = (string)JsonNode.Parse(await token.Content.ReadAsStringAsync())!["token"]!;
            Assert.DoesNotContain(log.Lines, l => l.Contains(secret, StringComparison.Ordinal));
        }
        Assert.NotEmpty(log.Lines);
        Assert.DoesNotContain(log.Lines, l => l.Contains("CANARY", StringComparison.Ordinal));
    }

    static async Task<string> LineWithAsync(StreamReader reader, string text)
    {
        string line;
        do
            line = (await reader.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(10), TimeProvider.System))!;
        while (!line.Contains(text, StringComparison.Ordinal));
        return line;
    }

    [Fact]
    public async Task When_the_storage_fails_it_refuses_and_stops_with_an_exit_code()
    {
        await using var server = await TestServer.StartAsync(("SERVER__STOP_DELAY", "3s"));
        server.Services.GetRequiredService<SqliteStore>().Health.Fail(new IOException("the disk is gone"));
        await Eventually.HoldsAsync(() => server.Services.GetRequiredService<StopReason>().ExitCode != ExitCodes.Ok);
        Assert.Equal(ExitCodes.Storage, server.Services.GetRequiredService<StopReason>().ExitCode);
        Assert.True(server.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.IsCancellationRequested);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await server.Stranger.GetAsync("/readyz")).StatusCode);
        using var response = await server.Client.GetAsync("/stats");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
    }

    [Fact]
    public async Task Without_the_role_api_only_health_is_answered()
    {
        await using var server = await TestServer.StartAsync(("ROLES", "worker"));
        Assert.Equal(HttpStatusCode.OK, (await server.Stranger.GetAsync("/healthz")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await server.Stranger.GetAsync("/readyz")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.GetAsync("/emails")).StatusCode);
    }

    [Fact]
    public async Task Without_the_role_worker_mail_waits()
    {
        await using var server = await TestServer.StartAsync(("ROLES", "api"));
        using var sent = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        Assert.Equal(HttpStatusCode.Accepted, sent.StatusCode);
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        Assert.Equal("queued", (string?)(await server.GetEmailAsync(id, _ => true))["recipients"]![0]!["status"]);
    }

    [Fact]
    public async Task A_staging_system_keeps_what_may_not_leave_and_shows_it()
    {
        await using var server = await TestServer.StartAsync(("ALLOW_RECIPIENTS", "*@ours.example.com"));
        using var sent = await server.Client.PostAsync("/emails", TestServer.Json("""{"from":"a@example.com","to":["me@ours.example.com","you@theirs.example.com"],"subject":"S"}"""));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        var email = await server.GetEmailAsync(id, e => (string?)e["recipients"]![0]!["status"] == "sent");
        Assert.Equal(("held", "not_allowed"),
            ((string?)email["recipients"]![1]!["status"], (string?)email["recipients"]![1]!["waiting_for"]));
        var inbox = await server.GetAsync("/inbox?recipient=you@theirs.example.com", answer => answer["data"]!.AsArray().Count > 0);
        var held = inbox["data"]!.AsArray();
        Assert.Equal("held", (string?)held[0]!["transport"]);
    }

    [Fact]
    public async Task A_pause_holds_mail_back_until_it_is_ended()
    {
        await using var server = await TestServer.StartAsync();
        using var paused = await server.Client.PostAsync("/pause", TestServer.Json("""{"stream":"bulk","reason":"wrong template"}"""));
        Assert.Equal(HttpStatusCode.OK, paused.StatusCode);
        using var bulk = await server.Client.PostAsync(
            "/emails", TestServer.Json(Mail.Replace("}", ",\"stream\":\"bulk\"}", StringComparison.Ordinal)));
        var waiting = (string)JsonNode.Parse(await bulk.Content.ReadAsStringAsync())!["id"]!;
        using var other = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        await server.GetEmailAsync((string)JsonNode.Parse(await other.Content.ReadAsStringAsync())!["id"]!, e =>
            (string?)e["status"] == "complete");
        var recipient = (await server.GetEmailAsync(waiting, _ => true))["recipients"]![0]!;
        Assert.Equal(("queued", "paused"), ((string?)recipient["status"], (string?)recipient["waiting_for"]));
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.DeleteAsync("/pause")).StatusCode); // of everything there is none
        Assert.Equal(HttpStatusCode.OK, (await server.Client.DeleteAsync("/pause?stream=bulk")).StatusCode);
        await server.GetEmailAsync(waiting, e => (string?)e["status"] == "complete");
    }

    [Fact]
    public async Task A_route_that_is_not_there_cannot_be_paused()
    {
        await using var server = await TestServer.StartAsync();
        using var refused = await server.Client.PostAsync("/pause", TestServer.Json("""{"route":"defualt"}"""));
        using var sent = await server.Client.PostAsync(
            "/emails", TestServer.Json(Mail.Replace("}", ",\"route\":\"defualt\"}", StringComparison.Ordinal)));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        var (problem, same) = (await refused.Content.ReadAsStringAsync(), await sent.Content.ReadAsStringAsync());
        Assert.Equal("/route", (string?)JsonNode.Parse(problem)!["errors"]![0]!["pointer"]);
        Assert.Equal((string?)JsonNode.Parse(same)!["detail"], (string?)JsonNode.Parse(problem)!["detail"]);
        Assert.Empty((await server.GetAsync("/pause", _ => true))["data"]!.AsArray());

        using var paused = await server.Client.PostAsync("/pause", TestServer.Json("""{"route":"default"}"""));
        Assert.Equal(HttpStatusCode.OK, paused.StatusCode);
    }

    [Fact]
    public async Task A_paused_transport_is_passed_over()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "first=capture:// second=capture://"));
        using var paused = await server.Client.PostAsync("/transports/first/pause", null);
        Assert.Equal("paused", (string?)JsonNode.Parse(await paused.Content.ReadAsStringAsync())!["state"]);
        using var sent = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        var email = await server.GetEmailAsync((string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!, e =>
            (string?)e["status"] == "complete");
        Assert.Equal("second", (string?)email["recipients"]![0]!["transport"]);
        using var resumed = await server.Client.PostAsync("/transports/first/resume", null);
        Assert.Equal("ok", (string?)JsonNode.Parse(await resumed.Content.ReadAsStringAsync())!["state"]);
    }

    [Fact]
    public async Task A_dead_letter_is_sent_again()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "sim://broken?fail=1"));
        using var sent = await server.Client.PostAsync(
            "/emails", TestServer.Json(Mail.Replace("}", ",\"expires_in\":1}", StringComparison.Ordinal)));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        var dead = await server.GetEmailAsync(id, e => (string?)e["status"] == "failed");
        Assert.NotNull(dead["status_reason"]);
        var state = (string)dead["recipients"]![0]!["status"]!;
        Assert.Single((await server.Client.GetFromJsonAsync<JsonNode>($"/emails?state={state}"))!["data"]!.AsArray());
        using var again = await server.Client.PostAsync($"/emails/{id}/retry", null);
        Assert.Equal(1, (int)JsonNode.Parse(await again.Content.ReadAsStringAsync())!["count"]!);
        Assert.Equal("incomplete", (string?)(await server.GetEmailAsync(id, _ => true))["status"]);
    }

    [Fact]
    public async Task A_bug_is_answered_by_its_trace_id_and_nothing_else()
    {
        await using var server =
            await TestServer.StartAsync(services =>
            services.AddSingleton<Postrider.Api.EmailShapes>(_ => throw new InvalidOperationException("secret-of-ours at /path")));
        using var response = await server.Client.GetAsync("/emails");
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.NotNull((string?)JsonNode.Parse(text)!["trace_id"]);
        Assert.DoesNotContain("secret-of-ours", text);
        Assert.DoesNotContain("Exception", text);
    }

    static async Task<JsonNode> RefusedAsync(TestServer server, string slug)
    {
        using var response = await server.Client.PostAsync("/emails", TestServer.Json(Mail));
        var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.Equal((HttpStatusCode.ServiceUnavailable, $"/problems/{slug}"), (response.StatusCode, (string?)problem["type"]));
        Assert.NotNull(response.Headers.RetryAfter);
        return problem;
    }
}
