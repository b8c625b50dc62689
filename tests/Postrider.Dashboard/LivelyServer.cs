using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>A server on which something of everything has happened: two relays of which the first is down, mail in every state, a batch, a
/// schedule, templates, a webhook. So that every screen has something to show.</summary>
public sealed class LivelyServer : IAsyncLifetime
{
    public const string User = "ann@example.com";

    static readonly string[] Shops = ["Tea & Teapots", "North Lights", "Paper Birds"];
    static readonly string[] Subjects = ["Your order {0} is on its way", "Confirm your address", "Invoice {0}", "Reset your password"];
    static readonly string[] People = ["ann", "bob", "chloe", "dmitri", "eve", "farid", "greta", "hana", "igor", "june"];

    TestServer? _server;
    SmtpSink? _first;
    SmtpSink? _second;
    string? _webhook;

    public TestServer Server => _server!;

    public async ValueTask InitializeAsync()
    {
        _first = SmtpSink.Start();
        _second = SmtpSink.Start(new SmtpSinkOptions { Slow = TimeSpan.FromSeconds(15) });
        _server = await TestServer.StartAsync(
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{_first.Port}?tls=none&circuit=3,30s,60s "
                + $"spare=smtp://127.0.0.1:{_second.Port}?tls=none inbox=capture://"),
            ("ROUTES__STAGING__TRANSPORTS", "inbox"));
        await Visitor.AddUserAsync(_server, User, UserRole.Admin);
        await RememberAsync();
        await FillAsync();
        await SendAsync(40);
        await _first.StopAsync();
        await SendAsync(25);
        await _server.GetAsync("/transports", found => found["data"]!.AsArray().Any(t => (string?)t!["state"] == "open"));
        string[] shown = ["/inbox", $"/webhooks/{_webhook}/deliveries", "/emails?transport=spare&state=sent", "/requests"];
        foreach (var list in shown)
            await _server.GetAsync(list, found => found["data"]!.AsArray().Count > 0);
    }

    /// <summary>An hour and a month that it did not live through.</summary>
    async Task RememberAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        var flow = Server.Services.GetRequiredService<IFlowStore>();
        for (var ago = 59; ago > 0; ago--)
        {
            var (minute, count) = (FlowCount.MinuteOf(now) - ago, (long)(90 + 60 * Math.Sin(ago / 9.0) + ago % 7));
            await flow.AddAsync(
            [
                new(TenantId.First, minute, "relay", (int)OutcomeKind.Accepted, count),
                new(TenantId.First, minute, "relay", (int)OutcomeKind.Deferred, ago % 5),
                new(TenantId.First, minute, "spare", (int)OutcomeKind.Accepted, count / 9),
                new(TenantId.First, minute, "relay", FlowCount.FirstDelay + 2, count),
                new(TenantId.First, minute, "spare", FlowCount.FirstDelay + 4, count / 9),
            ]);
        }
        await Server.Services.GetRequiredService<ITableStore>().WriteAsync(connection =>
        {
            using var command = connection.CreateCommand();
            for (var ago = 1; ago < 24 * 29; ago++)
            {
                var (hour, sent) = (now.ToUnixTimeSeconds() / 3_600 - ago, (long)(2_400 + 1_900 * Math.Sin(ago * Math.PI / 12)));
                command.CommandText += string.Create(CultureInfo.InvariantCulture, $"""
                    INSERT INTO counters (scope, state, hour, node, delta) VALUES
                        (1, 10, {hour}, 0, {sent}), (1, 12, {hour}, 0, {sent / 40}), (1, 100, {hour}, 0, {sent + sent / 40});
                    """);
            }
            return command.ExecuteNonQuery();
        });
    }

    async Task FillAsync()
    {
        await PostAsync("/templates", """
            {"name":"order","subject":"Your order, {{name}}",
             "html":"<h1>Dear {{name}}</h1><ul>{{#each items}}<li>{{this}}</li>{{/each}}</ul>",
             "test_data":{"name":"Ann","items":["tea","milk"]}}
            """);
        await PostAsync("/schedules", """
            {"name":"weekday report","cron":"0 9 * * 1-5","time_zone":"Europe/Berlin",
             "email":{"from":"Reports <reports@example.com>","subject":"Report","text":"Good morning."},"recipients":["ann@example.com"]}
            """);
        await PostAsync("/domains", """{"name":"shop.example.com"}""");
        _webhook = (string)(await PostAsync(
            "/webhooks", """{"url":"https://shop.example.com/hooks","events":["email.bounced","email.failed"]}"""))["id"]!;
        using var refused = await Server.Client.PostAsync("/emails", TestServer.Json("""{"from":"shop@example.com","to":["ann@example.com","nobody"]}"""));
        Assert.Equal(System.Net.HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        await PostAsync("/suppressions", """{"email":"gone@example.org","stream":"bulk","reason":"asked by phone"}""");
        var made = await PostAsync("/batches", """{"from":"news@example.com","subject":"News of the week","text":"It works."}""");
        using var people = new StringContent(
            "email,first\n" + string.Concat(Enumerable.Range(0, 200).Select(n => $"reader{n}@example.com,Reader {n}\n")),
            Encoding.UTF8, "text/csv");
        using var answer = await Server.Client.PostAsync($"/batches/{made["id"]}/destinations?start=true", people);
        answer.EnsureSuccessStatusCode();
    }

    async Task SendAsync(int count)
    {
        var at = TimeProvider.System.GetUtcNow();
        for (var n = 0; n < count; n++)
        {
            var (who, shop) = (People[n % People.Length], Shops[n % Shops.Length]);
            var address = (n % 12) switch
            {
                3 => $"bounce+{who}@example.com",
                7 => $"defer+{who}@example.com",
                11 => $"slow+{who}@example.com",
                _ => $"{who}@example.com",
            };
            var mail = new JsonObject
            {
                ["from"] = $"{shop} <shop@example.com>",
                ["to"] = address,
                ["subject"] = string.Format(CultureInfo.InvariantCulture, Subjects[n % Subjects.Length], 4_711 + n),
                ["html"] = $"<h1>Hello {who}</h1><p>Thank you for shopping at {shop.Replace("&", "&amp;", StringComparison.Ordinal)}.</p>",
                ["text"] = $"Hello {who}",
                ["tags"] = new JsonArray(n % 4 == 0 ? "order" : "account"),
            };
            if (n % 10 == 9)
                mail["route"] = "staging";
            if (n % 10 == 8)
                mail["send_at"] = $"{at.AddDays(2):yyyy-MM-ddTHH:mm:ssZ}";
            if (n % 6 == 0)
            {
                var invoice = new JsonObject { ["filename"] = "invoice.pdf", ["content"] = Convert.ToBase64String("%PDF"u8) };
                mail["attachments"] = new JsonArray(invoice);
            }
            await PostAsync("/emails", mail.ToJsonString());
        }
    }

    async Task<JsonNode> PostAsync(string path, string json)
    {
        using var answer = await Server.Client.PostAsync(path, TestServer.Json(json));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, $"{path}: {text}");
        return JsonNode.Parse(text)!;
    }

    public async ValueTask DisposeAsync()
    {
        // What they have not answered is then not waited for.
        foreach (var sink in (SmtpSink?[])[_first, _second])
            if (sink is not null)
                await sink.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
    }
}
