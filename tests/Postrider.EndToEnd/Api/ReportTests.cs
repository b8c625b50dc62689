using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Hosting;
using Postrider.Mail.Addresses;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Bounces and complaints that come by mail to return paths of ours, through the real server.</summary>
public sealed class ReportTests : IAsyncLifetime
{
    readonly SmtpSink _sink = SmtpSink.Start();
    TestServer _server = null!;
    string _dsnPath = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync(
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{_sink.Port}"), ("BOUNCE_DOMAIN", "bounce.example.com"));
        var transports = (await _server.Client.GetFromJsonAsync<JsonNode>("/transports"))!;
        _dsnPath = new Uri((string)transports["data"]![0]!["callback_url"]!).AbsolutePath;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _sink.DisposeAsync();
    }

    [Fact]
    public async Task A_bounce_by_mail_bounces_and_suppresses_once()
    {
        var (id, path) = await SendAsync("gone@example.org");
        Assert.EndsWith("@bounce.example.com", path);
        Assert.InRange(path.IndexOf('@', StringComparison.Ordinal), 1, 64);

        Assert.Equal(HttpStatusCode.OK, await ReportAsync(Bounce(path, "gone@example.org")));
        Assert.Equal(HttpStatusCode.OK, await ReportAsync(Bounce(path, "gone@example.org")));

        var email = await _server.GetEmailAsync(id, e => Status(e) == "bounced");
        var happened = Assert.Single(email["events"]!.AsArray());
        Assert.Equal(("bounced", "dsn", "hard", "5.1.1"),
            ((string?)happened!["type"], (string?)happened["source"], (string?)happened["bounce"], (string?)happened["enhanced_code"]));
        using var again = await _server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"shop@example.com","to":"gone@example.org","subject":"S","text":"T"}"""));
        Assert.Equal("suppressed", (string?)(await again.Content.ReadFromJsonAsync<JsonNode>())!["recipients"]![0]!["status"]);
    }

    [Fact]
    public async Task Mailbox_full_bounces_and_suppresses_nobody_and_a_delay_moves_nothing()
    {
        var (id, path) = await SendAsync("full-later@example.org");

        await ReportAsync(Bounce(path, "full-later@example.org", "delayed", "4.2.2"));
        Assert.Equal("sent", Status(await _server.GetEmailAsync(id, _ => true)));
        await ReportAsync(Bounce(path, "full-later@example.org", "failed", "5.2.2"));

        var email = await _server.GetEmailAsync(id, e => Status(e) == "bounced");
        Assert.Equal(["deferred", "bounced"], email["events"]!.AsArray().Select(e => (string?)e!["type"]));
        Assert.Equal("sent", Status(await _server.GetEmailAsync((await SendAsync("full-later@example.org")).Id, e => Status(e) == "sent")));
    }

    [Fact]
    public async Task One_of_several_recipients_is_told_by_its_address()
    {
        var (id, path) = await SendAsync("ann@example.org", "bob@example.org");

        await ReportAsync(Bounce(path, "Bob@EXAMPLE.org"));

        var email = await _server.GetEmailAsync(id, e => (string?)e["recipients"]![1]!["status"] == "bounced");
        Assert.Equal("sent", (string?)email["recipients"]![0]!["status"]);
        Assert.Equal("1 of 2 bounced", (string?)email["status_reason"]);
    }

    [Fact]
    public async Task A_complaint_by_mail_suppresses()
    {
        var (id, path) = await SendAsync("ann@example.org");

        await ReportAsync($"""
            To: {path}
            Message-ID: <arf-1@example.net>
            Content-Type: multipart/report; report-type=feedback-report; boundary=x

            --x
            Content-Type: message/feedback-report

            Feedback-Type: abuse
            Version: 1

            --x--
            """);

        var email = await _server.GetEmailAsync(id, e => e["events"]!.AsArray().Count == 1);
        Assert.Equal(("delivered", "complained"), (Status(email), (string?)email["events"]![0]!["type"]));
    }

    [Fact]
    public async Task Forged_paths_change_nothing_and_are_counted()
    {
        var (id, path) = await SendAsync("ann@example.org");
        var forged = $"{path[..10]}{(path[10] == 'a' ? 'b' : 'a')}{path[11..]}";

        Assert.Equal(HttpStatusCode.OK, await ReportAsync(Bounce(forged, "ann@example.org")));

        Assert.Equal("sent", Status(await _server.GetEmailAsync(id, _ => true)));
        var page = (await _server.Client.GetFromJsonAsync<JsonNode>("/feedback/quarantine"))!;
        Assert.Equal(("forged", "dsn", "ann@example.org"),
            ((string?)page["data"]![0]!["reason"], (string?)page["data"]![0]!["source"], (string?)page["data"]![0]!["email"]));
        Assert.Equal(1, (int)page["counts"]!["forged"]!);
    }

    [Fact]
    public async Task An_absence_note_is_no_bounce_and_what_nobody_can_read_is_kept()
    {
        var (id, path) = await SendAsync("ann@example.org");

        Assert.Equal(HttpStatusCode.OK,
            await ReportAsync($"To: {path}\nAuto-Submitted: auto-replied\nSubject: I am away\n\nUntil Monday."));
        Assert.Empty((await _server.GetEmailAsync(id, _ => true))["events"]!.AsArray());
        Assert.Equal(HttpStatusCode.OK, await ReportAsync($"To: {path}\nSubject: failure notice\n\nHi. This is the qmail-send program."));

        var happened = Assert.Single((await _server.GetEmailAsync(id, e => e["events"]!.AsArray().Count == 1))["events"]!.AsArray());
        Assert.Equal(("reported", "failure notice"), ((string?)happened!["type"], (string?)happened["text"]));
    }

    [Fact]
    public async Task A_mail_server_may_hand_it_over_with_a_key()
    {
        var (id, path) = await SendAsync("ann@example.org");
        var report = Raw(Bounce("undisclosed@example.com", "ann@example.org"));

        using var stranger = await _server.Stranger.PostAsync($"/callbacks/dsn?to={Uri.EscapeDataString(path)}", report);
        Assert.Equal(HttpStatusCode.Unauthorized, stranger.StatusCode);
        using var sender = await _server.NewClientAsync(Messages.TenantId.First, Scopes.Send);
        using var scopeless = await sender.PostAsync($"/callbacks/dsn?to={Uri.EscapeDataString(path)}", report);
        Assert.Equal(HttpStatusCode.Forbidden, scopeless.StatusCode);
        using var nobody = await _server.Client.PostAsync("/callbacks/dsn", report);
        Assert.Equal(HttpStatusCode.NotFound, nobody.StatusCode);
        using var taken = await _server.Client.PostAsync($"/callbacks/dsn?to={Uri.EscapeDataString(path)}", report);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);

        await _server.GetEmailAsync(id, e => Status(e) == "bounced");
    }

    [Fact]
    public async Task A_transport_may_keep_the_senders_return_path()
    {
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{_sink.Port}?return_path=sender"), ("BOUNCE_DOMAIN", "bounce.example.com"));
        using var response = await server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"shop@example.com","to":"ann@example.org","subject":"S","text":"T"}"""));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);

        Assert.Equal("shop@example.com", (await _sink.WaitForAsync(1))[0].ReversePath);
    }

    // Postfix as the relay: its next hop answers 550, and it sends the bounce to our return path, by SMTP and without credentials.
    [Fact]
    public async Task What_a_real_Postfix_bounces_is_bounced()
    {
        var relay = Ports.Free();
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{relay}?tls=none"),
            ("BOUNCE_DOMAIN", "bounce.example.com"), ("SMTP", "127.0.0.1:0"));
        // It passes mail for the bounce domain to us, and all other to the sink.
        await using var postfix = await PrivatePostfix.StartAsync(relay, $$"""
            myhostname = relay.example.net
            local_recipient_maps =
            alias_maps =
            relayhost = [127.0.0.1]:{{_sink.Port}}
            transport_maps = inline:{ bounce.example.com=smtp:[127.0.0.1]:{{SmtpPort(server)}} }
            smtp_dns_support_level = disabled
            smtp_host_lookup = native
            smtpd_peername_lookup = no
            default_database_type = hash
            smtpd_relay_restrictions = permit_mynetworks, reject
            """);
        using var response = await server.Client.PostAsync("/emails",
            TestServer.Json("""{"from":"shop@example.com","to":["ann@example.org","bounce@example.org"],"subject":"S","text":"T"}"""));
        var id = (string)(await response.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;

        var email = await server.GetEmailAsync(id, e => (string?)e["recipients"]![1]!["status"] == "bounced");
        Assert.Equal("dsn", (string?)Assert.Single(email["events"]!.AsArray())!["source"]);
        var bounced = email["recipients"]![1]!;
        Assert.Equal(("sent", "5.1.1", 550),
            ((string?)email["recipients"]![0]!["status"], (string?)bounced["enhanced_code"], (int?)bounced["status_code"]));
    }

    [Fact]
    public async Task Without_credentials_only_reports_are_taken()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{_sink.Port}"),
            ("BOUNCE_DOMAIN", "bounce.example.com"), ("SMTP", "127.0.0.1:0"));
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, SmtpPort(server));
        using var reader = new StreamReader(client.GetStream(), Encoding.ASCII);
        async Task<string> SayAsync(string line)
        {
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(line + "\r\n"));
            string? reply;
            while ((reply = await reader.ReadLineAsync()) is [_, _, _, '-', ..])
                ; // the lines before the last
            return reply!;
        }
        Assert.StartsWith("220", await reader.ReadLineAsync());
        Assert.StartsWith("250", await SayAsync("EHLO relay.example.net"));
        Assert.StartsWith("250", await SayAsync("MAIL FROM:<>"));
        Assert.StartsWith("5", await SayAsync("RCPT TO:<ann@example.org>"));
        Assert.StartsWith("5", await SayAsync("RCPT TO:<postmaster@bounce.example.com>"));
        Assert.StartsWith("250", await SayAsync("RCPT TO:<b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bounce.example.com>"));
        Assert.StartsWith("354", await SayAsync("DATA"));
        Assert.StartsWith("250", await SayAsync(Bounce("b-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@bounce.example.com", "ann@example.org")
            .ReplaceLineEndings("\r\n") + "\r\n."));

        var page = (await server.Client.GetFromJsonAsync<JsonNode>("/feedback/quarantine"))!;
        Assert.Equal(1, (int)page["counts"]!["forged"]!);
    }

    static int SmtpPort(TestServer server) =>
        new Uri("smtp://" + server.Services.GetRequiredService<SmtpListener>().Addresses[0].Split("://")[^1]).Port;

    static ByteArrayContent Raw(string mime) => new(Encoding.UTF8.GetBytes(mime.ReplaceLineEndings("\r\n")));

    async Task<(string Id, string ReturnPath)> SendAsync(params string[] to)
    {
        var before = _sink.Count;
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"shop@example.com","to":["{{string.Join("\",\"", to)}}"],"subject":"S","text":"T"}"""));
        var id = (string)(await response.Content.ReadFromJsonAsync<JsonNode>())!["id"]!;
        var arrived = await _sink.WaitForAsync(before + 1);
        await _server.GetEmailAsync(id, e => Status(e) == "sent");
        return (id, EmailAddress.Parse(arrived[before].ReversePath).ToString());
    }

    async Task<HttpStatusCode> ReportAsync(string mime)
    {
        using var response = await _server.Stranger.PostAsync(_dsnPath, Raw(mime));
        return response.StatusCode;
    }

    static string Bounce(string to, string recipient, string action = "failed", string status = "5.1.1") => $"""
        From: MAILER-DAEMON@relay.example.net
        To: {to}
        Subject: Undelivered Mail Returned to Sender
        Auto-Submitted: auto-replied
        Message-ID: <{action}-{status}@relay.example.net>
        Content-Type: multipart/report; report-type=delivery-status; boundary=x

        --x
        Content-Type: message/delivery-status

        Reporting-MTA: dns; relay.example.net

        Final-Recipient: rfc822; {recipient}
        Action: {action}
        Status: {status}
        Diagnostic-Code: smtp; 550 {status} said no

        --x--
        """;

    static string? Status(JsonNode email) => (string?)email["recipients"]![0]!["status"];
}
