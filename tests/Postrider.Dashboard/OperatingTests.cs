using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What an operator sees and mends at night, in a real browser.</summary>
[Collection(InBrowser.Name)]
public sealed class OperatingTests(Browser browser)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task A_stopped_relay_turns_red_its_mail_moves_and_it_comes_back_green()
    {
        await using var primary = SmtpSink.Start();
        await using var backup = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS",
            $"primary=smtp://127.0.0.1:{primary.Port}?tls=none&circuit=2,30s,3s backup=smtp://127.0.0.1:{backup.Port}?tls=none"));
        var (page, _) = await browser.OpenAsync(server, "/ui/transports", UserRole.Admin);
        var state = page.Locator("tr", new() { Has = page.GetByRole(AriaRole.Link, new() { Name = "primary" }) }).Locator(".chip");
        await Assertions.Expect(state).ToHaveTextAsync("ok");
        await SendAsync(server);
        await primary.WaitForAsync(1, Patience);

        await primary.StopAsync();
        for (var sent = 0; sent < 4; sent++)
            await SendAsync(server);
        await backup.WaitForAsync(4, Patience);
        await Assertions.Expect(state).ToHaveClassAsync(new System.Text.RegularExpressions.Regex("chip-(half_)?open"));

        primary.Restart();
        // One try now and then shows that it is back.
        await Eventually.HoldsAsync(async () =>
        {
            await SendAsync(server);
            return await state.TextContentAsync() == "ok" && primary.Count > 1;
        }, Patience);
    }

    [Fact]
    public async Task A_transport_is_added_tested_paused_and_put_first()
    {
        const string Secret = "never-shown-anywhere";
        await using var sink = SmtpSink.Start(new SmtpSinkOptions { Account = ("me", Secret) });
        await using var server = await TestServer.StartAsync();
        var (page, _) = await browser.OpenAsync(server, "/ui/transports", UserRole.Admin);
        await page.ClickAsync("summary:text-is('Add a transport')");
        await page.FillAsync("#t-name", "relay");
        await page.FillAsync("#t-host", "127.0.0.1");
        await page.FillAsync("#t-port", $"{sink.Port}");
        await page.FillAsync("#t-user", "me");
        await page.FillAsync("#t-secret", Secret);
        await page.ClickAsync("text=Other options");
        await page.FillAsync("#t-others", "tls=none\nauth=plain,insecure");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add it" }).ClickAsync();
        await Assertions.Expect(page.GetByText("relay is in force on all nodes. Mail that names no route")).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "relay" }).ClickAsync();
        await page.FillAsync("#test-to", "you@example.com");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send the test" }).ClickAsync();
        await Assertions.Expect(page.GetByLabel("Answer as it came")).ToContainTextAsync("250");
        Assert.Single(await sink.WaitForAsync(1, Patience));
        Assert.DoesNotContain(Secret, await page.ContentAsync(), StringComparison.Ordinal);

        await page.FillAsync("#o-rate", "7/s");
        await page.GetByRole(AriaRole.Button, new() { Name = "Save the options" }).ClickAsync();
        await Assertions.Expect(page.Locator("dl.facts")).ToContainTextAsync("rate=7/s");
        await page.FillAsync("#o-rate", "fast");
        await page.GetByRole(AriaRole.Button, new() { Name = "Save the options" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("rate");

        await page.GetByRole(AriaRole.Button, new() { Name = "Pause" }).ClickAsync();
        await Assertions.Expect(page.Locator("main .chip").First).ToHaveTextAsync("paused");
        await page.GetByRole(AriaRole.Button, new() { Name = "Resume" }).ClickAsync();
        await Assertions.Expect(page.Locator("main .chip").First).ToHaveTextAsync("ok");

        await page.OpenAsync("/ui/routes/default");
        await page.GetByRole(AriaRole.Button, new() { Name = "Make a copy of this tenant's own" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Put capture into the route" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Move capture up" }).ClickAsync();
        await Assertions.Expect(page.GetByText("The order is now: capture, relay.")).ToBeVisibleAsync();
        var routes = (await server.Client.GetFromJsonAsync<JsonNode>("/routes/default"))!;
        Assert.Equal(["capture", "relay"], routes["transports"]!.AsArray().Select(name => (string?)name));
    }

    [Fact]
    public async Task Dead_letters_are_sent_again_and_discarded()
    {
        await using var server = await TestServer.StartAsync(("RETRY", "1ms"), ("SUBMISSION__ALLOW_RECIPIENTS", "*@example.com"));
        using var added = await server.Client.PostAsync("/transports", TestServer.Json("""{"name":"shaky","dsn":"sim://shaky?defer=1"}"""));
        added.EnsureSuccessStatusCode();
        string[] ids = [await SendAsync(server), await SendAsync(server), await SendAsync(server)];
        await SendAsync(server, "held@elsewhere.example");
        await server.GetAsync("/dead-letters", list => list["data"]!.AsArray().Count == 4);
        var (page, _) = await browser.OpenAsync(server, "/ui/dead-letters", UserRole.Admin);
        var failed = page.Locator("tr", new() { Has = page.Locator(".chip-failed") });
        await Assertions.Expect(failed).ToContainTextAsync("shaky");
        await Assertions.Expect(failed.Locator("td[data-label=Letters]")).ToHaveTextAsync("3");

        using var mended = await server.Client.PatchAsync("/transports/shaky", TestServer.Json("""{"options":{"defer":null}}"""));
        mended.EnsureSuccessStatusCode();
        await failed.Button("Send again").ClickAsync();
        await failed.GetByRole(AriaRole.Group).Button("Send again").ClickAsync(); // yes, really
        await Assertions.Expect(page.GetByText("3 letters will be sent again.")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator(".chip-done")).ToBeVisibleAsync();
        await Assertions.Expect(failed).ToHaveCountAsync(0);
        foreach (var id in ids)
            await server.GetEmailAsync(id, email => (string?)email["status"] == "complete");

        await page.Locator("a.row-link").First.ClickAsync();
        var held = page.Locator("tr", new() { HasText = "held@elsewhere.example" });
        await held.GetByRole(AriaRole.Checkbox).CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Discard 1 chosen" }).ClickAsync();
        await page.GetByRole(AriaRole.Group).GetByRole(AriaRole.Button, new() { Name = "Discard 1 chosen" }).ClickAsync();
        await Assertions.Expect(page.GetByText("No dead letter is like that.")).ToBeVisibleAsync();
        Assert.Equal(1, (int)(await server.Client.GetFromJsonAsync<JsonNode>("/stats"))!["cancelled"]!);
    }

    static async Task<string> SendAsync(TestServer server, string to = "ann@example.com")
    {
        using var sent = await server.Client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"shop@example.com","to":"{{to}}","subject":"Order","text":"It is on its way."}"""));
        return (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
    }

}
