using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Alerts;
using Postrider.Tenants;
using Postrider.Testing;
using Postrider.Webhooks;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Who hears of an alert, and how it is shown.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class AlertTests
{
    static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    static readonly Alert Down = new()
    {
        Kind = AlertKind.TransportDown,
        Subject = "dead",
        State = AlertState.Raised,
        Words = "Transport dead failed too often",
        FirstSeenAt = Now,
        LastSeenAt = Now,
        RaisedAt = Now,
        ResolvedAt = null,
        IsToTell = true,
    };

    static readonly (string, string) OwnNetwork = ("WEBHOOKS__ALLOW", "127.0.0.1/32:*");

    [Fact]
    public async Task It_is_told_by_mail_through_another_transport_by_webhook_and_by_a_program()
    {
        var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        var program = Path.Combine(folder, "tell");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\ncat > {folder}/told\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await using var hook = HttpStub.Start(new HttpReply(200));
        await using var relay = SmtpSink.Start();
        var sink = string.Create(CultureInfo.InvariantCulture, $"smtp://127.0.0.1:{relay.Port}?tls=none");
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", $"dead=capture:// live={sink}"), ("ALERTS__MAIL_TO", "operator@example.com"),
            ("ALERTS__MAIL_FROM", "postrider@example.com"), ("ALERTS__WEBHOOK", hook.Url.ToString()), ("ALERTS__COMMAND", program),
            OwnNetwork);

        Assert.True(await server.Services.GetRequiredService<AlertTeller>()(Down, TestContext.Current.CancellationToken));

        var mail = Assert.Single(relay.Messages).Text;
        Assert.Contains("Subject: Postrider: Transport dead failed too often", mail, StringComparison.Ordinal);
        // By it a repetition is known.
        Assert.Contains($"X-Alert-Id: {Down.Id}-raised", mail, StringComparison.Ordinal);
        Assert.Equal($"{Down.Id}-raised", hook.Calls.Single().Header("webhook-id"));
        // The one it is about would have taken it.
        var inbox = await server.Client.GetFromJsonAsync<JsonNode>("/inbox", TestContext.Current.CancellationToken);
        Assert.Empty(inbox!["data"]!.AsArray());
        foreach (var json in new[] { hook.Calls.Single().Text, await File.ReadAllTextAsync(Path.Combine(folder, "told")) })
        {
            var told = JsonNode.Parse(json)!;
            Assert.Equal(("alert.raised", "transport_down", "dead"),
                ((string?)told["type"], (string?)told["kind"], (string?)told["subject"]));
            Assert.Equal(Down.Id, (string?)told["id"]);
            Assert.NotEmpty((string?)told["remedy"] ?? "");
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Who_cannot_be_reached_is_told_again_and_who_has_heard_is_not()
    {
        await using var hook = HttpStub.Start(new HttpReply(500), new HttpReply(200));
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", "live=capture://"), ("ALERTS__MAIL_TO", "operator@example.com"), ("ALERTS__MAIL_FROM", "postrider@example.com"),
            ("ALERTS__WEBHOOK", hook.Url.ToString()), OwnNetwork);
        var tell = server.Services.GetRequiredService<AlertTeller>();
        Assert.False(await tell(Down, TestContext.Current.CancellationToken));
        Assert.True(await tell(Down, TestContext.Current.CancellationToken));
        Assert.Equal(2, hook.Calls.Count);
        var resolved = Down with { State = AlertState.Resolved, ResolvedAt = Now, Words = "Transport dead failed\r\ntoo often" };
        Assert.True(await tell(resolved, TestContext.Current.CancellationToken));

        var inbox = await server.GetAsync("/inbox", answer => answer["data"]!.AsArray().Count > 1);
        Assert.Equal(["Postrider: over: Transport dead failed  too often", "Postrider: Transport dead failed too often"],
            inbox["data"]!.AsArray().Select(mail => (string?)mail!["subject"]));
    }

    // As webhooks: what an address of the outside leads to is looked at when it is called, too.
    [Fact]
    public async Task A_webhook_goes_nowhere_that_webhooks_may_not_go()
    {
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(
            () => TestServer.StartAsync(("ALERTS__WEBHOOK", "http://169.254.169.254/latest/meta-data")));
        Assert.Contains("private or special network", refused.Message, StringComparison.Ordinal);

        await using var hook = HttpStub.Start(new HttpReply(200));
        await using var server = await TestServer.StartAsync(
            services => services.AddSingleton(new WebhookTargets(
                WebhookTargets.Parse("10.0.0.0/8:*", out _), (_, _) => Task.FromResult(new[] { IPAddress.Loopback }))),
            ("ALERTS__WEBHOOK", $"http://alerts.example.com:{hook.Port}/"), ("WEBHOOKS__ALLOW", "10.0.0.0/8:*"));
        Assert.False(await server.Services.GetRequiredService<AlertTeller>()(Down, TestContext.Current.CancellationToken));
        Assert.Empty(hook.Calls);
    }

    [Fact]
    public async Task The_list_shows_what_is_raised_with_what_to_do_and_is_the_first_tenants()
    {
        await using var server = await TestServer.StartAsync();
        var store = server.Services.GetRequiredService<IAlertStore>();
        await store.ReportAsync([new(AlertKind.DiskLow, "node-1", "12 MB of disk are free on node-1")], Now, TimeSpan.Zero,
            TimeSpan.FromMinutes(5));
        await store.ReportAsync([new(AlertKind.TransportDown, "relay", "Transport relay failed")], Now, TimeSpan.FromMinutes(1),
            TimeSpan.FromMinutes(5));
        var answer = (await server.Client.GetFromJsonAsync<JsonNode>("/alerts", TestContext.Current.CancellationToken))!;
        var alert = Assert.Single(answer["data"]!.AsArray())!; // the other has not lasted
        Assert.Equal(("disk_low", "node-1", "raised"), ((string?)alert["kind"], (string?)alert["subject"], (string?)alert["state"]));
        Assert.Contains("MinFreeBytes", (string?)alert["remedy"], StringComparison.Ordinal);

        using var other = await server.NewClientAsync(new Messages.TenantId(2), Scopes.All);
        using var denied = await other.GetAsync("/alerts", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
    }
}
