using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Hosting;
using Postrider.Mail.Smtp;
using Postrider.Submission;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Smtp;

/// <summary>The SMTP entrance in the process: where it listens, how it stops, and what is there after a crash.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class SmtpListenerTests : BuiltServerTests
{
    const string Key = "smtp-smtp-smtp-smtp-smtp-smtp";
    const string Content = "From: a@example.com\r\nSubject: x\r\n\r\nhello\r\n";

    [Fact]
    public async Task A_stopping_process_finishes_the_message_in_hand_and_has_it_at_the_next_start()
    {
        var (server, port, _) = await StartAsync();
        await using var inHand = await KnownAsync(port);
        await using var idle = await KnownAsync(port);
        await inHand.AskAsync("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n", 3);
        await inHand.SayAsync(Content);

        var stopping = StopAsync(server);
        Assert.StartsWith("421 4.3.2", await idle.ReadAsync());
        await idle.DisposeAsync();
        var reply = await inHand.AskAsync(".");
        Assert.StartsWith("250 2.0.0 queued as ", reply);
        Assert.StartsWith("421 4.3.2", await inHand.ReadAsync());
        await inHand.DisposeAsync();
        Assert.Equal(ExitCodes.Ok, await stopping);

        var (_, _, http) = await StartAsync();
        using (http)
            Assert.Equal(HttpStatusCode.OK, (await http.GetAsync($"/emails/{Id(reply)}")).StatusCode);
    }

    [Fact]
    public async Task After_kill_9_every_message_that_heard_250_is_there()
    {
        var (server, port, _) = await StartAsync();
        var confirmed = new List<string>[4];
        var sending = Enumerable.Range(0, 4).Select(async i =>
        {
            confirmed[i] = [];
            await using var client = await KnownAsync(port);
            try
            {
                while (true)
                {
                    await client.AskAsync($"MAIL FROM:<a@example.com>\r\nRCPT TO:<b{i}@example.com>\r\nDATA\r\n", 3);
                    var reply = await client.AskAsync(Content + ".");
                    if (!reply.StartsWith("250", StringComparison.Ordinal))
                        return;
                    confirmed[i].Add(Id(reply));
                    if (confirmed.Sum(list => list?.Count ?? 0) > 300 && i == 0)
                        server.Kill();
                }
            }
            catch (IOException)
            {
                // Killed under us: what was not confirmed is not counted.
            }
        });
        await Task.WhenAll(sending);
        await server.WaitForExitAsync();

        var (_, _, http) = await StartAsync();
        using (http)
        {
            var ids = confirmed.SelectMany(list => list).ToList();
            Assert.True(ids.Count > 300);
            Assert.Equal(ids.Count, ids.Distinct().Count());
            foreach (var id in ids)
                Assert.Equal(HttpStatusCode.OK, (await http.GetAsync($"/emails/{id}")).StatusCode);
        }
    }

    [Fact]
    public async Task A_taken_address_is_told_in_one_line_with_what_to_do()
    {
        var (_, port, _) = await StartAsync();
        var second = Start(("POSTRIDER_DATA", Path.Combine(Folder, "other")), ("POSTRIDER_SMTP", $"127.0.0.1:{port}"));
        await second.WaitForExitAsync();

        Assert.Equal(ExitCodes.Unavailable, second.ExitCode);
        Assert.Contains($"127.0.0.1:{port} cannot be listened on for SMTP", await second.StandardError.ReadToEndAsync());
    }

    [Theory]
    [InlineData("SMTP", "off")]
    [InlineData("ROLES", "api worker")]
    public async Task Without_its_role_or_switched_off_nothing_listens(string name, string value)
    {
        await using var server = await TestServer.StartAsync(("SMTP", "127.0.0.1:0"), (name, value));

        Assert.Null(server.Services.GetService<SmtpListener>());
    }

    [Fact]
    public async Task Another_part_of_the_process_may_take_reports_without_credentials()
    {
        var reports = new SmtpReports(
            address => address.Domain == "bounces.example.com", (_, _) => Task.FromResult(new SmtpReply(250, "2.0.0", "noted")));
        await using var server = await TestServer.StartAsync(services => services.AddSingleton(reports), ("SMTP", "127.0.0.1:0"));
        await using var client = await SmtpDialogue.GreetedAsync(PortOf(server.Services.GetRequiredService<SmtpListener>().Addresses[0]));

        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<>"));
        Assert.StartsWith("550 5.7.1", await client.AskAsync("RCPT TO:<ann@example.com>"));
        Assert.StartsWith("250", await client.AskAsync("RCPT TO:<b+1@bounces.example.com>"));
        Assert.StartsWith("354", await client.AskAsync("DATA"));
        Assert.Equal("250 2.0.0 noted", await client.AskAsync("Subject: Undelivered\r\n\r\n."));
    }

    /// <summary>Clients that see STARTTLS use it, and do not trust what nobody vouches for.</summary>
    [Fact]
    public async Task STARTTLS_is_named_on_loopback_only_with_a_certificate_of_ones_own()
    {
        await using var self = await TestServer.StartAsync(("SMTP", "127.0.0.1:0"));
        await using var client = await SmtpDialogue.ConnectAsync(PortOf(self.Services.GetRequiredService<SmtpListener>().Addresses[0]));
        await client.ReadAsync();
        Assert.DoesNotContain("STARTTLS", await client.AskAsync("EHLO a.test"), StringComparison.Ordinal);
        Assert.StartsWith("220", await client.AskAsync("STARTTLS"));
        await client.EncryptAsync();

        var path = Path.Combine(Folder, "own.pfx");
        await File.WriteAllBytesAsync(path,
            TestCertificates.Server.Export(System.Security.Cryptography.X509Certificates.X509ContentType.Pfx));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await using var own = await TestServer.StartAsync(("SMTP", "127.0.0.1:0"), ("CERTIFICATE", path));
        var port = PortOf(own.Services.GetRequiredService<SmtpListener>().Addresses[0]);
        var (code, output, _) = Peers.Run(Requires.Program("swaks"),
            ["--server", "127.0.0.1", "--port", $"{port}", "--tls", "--auth", "PLAIN", "--auth-user", "x", "--auth-password", TestServer.Key,
                "--from", "a@example.com", "--to", "b@example.com"]);
        Assert.True(code == 0, output);
        Assert.Contains("TLS started", output, StringComparison.Ordinal);
    }

    async Task<(Process Server, int Port, HttpClient Http)> StartAsync()
    {
        var server = Start(("POSTRIDER_API_KEY", Key));
        var banner = await BannerAsync(server);
        var http = new HttpClient { BaseAddress = new Uri(Regex.Match(banner, @"listens on (\S+)").Groups[1].Value) };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        return (server, PortOf(Regex.Match(banner, @"smtp://\S+").Value), http);
    }

    static async Task<SmtpDialogue> KnownAsync(int port)
    {
        var client = await SmtpDialogue.GreetedAsync(port);
        Assert.StartsWith("235", await client.AskAsync(
            "AUTH PLAIN " + Convert.ToBase64String(Encoding.ASCII.GetBytes($"\0app\0{Key}"))));
        return client;
    }

    static string Id(string reply) => reply["250 2.0.0 queued as ".Length..];

    static int PortOf(string address) => new Uri(address).Port;
}
