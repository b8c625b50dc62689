using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>A webhook by the dashboard, with a receiver on this machine.</summary>
[Collection(InBrowser.Name)]
public sealed class WebhookScreenTests(Browser browser)
{
    [Fact]
    public async Task A_webhook_is_made_its_delivery_seen_and_sent_again()
    {
        await using var server = await TestServer.StartAsync(("WEBHOOKS__ALLOW", "127.0.0.1/32:*"));
        await using var receiver = HttpStub.Start(_ => new HttpReply(200, "taken, thank you"));
        var (page, faults) = await browser.OpenAsync(server, "/ui/webhooks/new");
        await page.FillAsync("#w-url", $"{receiver.Url}");
        await page.UncheckAsync("text=all of them");
        await page.CheckAsync("text=email.sent");
        await page.Button("Make the webhook").ClickAsync();
        await faults.ExpectAsync(page.GetByText("whsec_"));
        await page.ClickAsync("text=Look at it, and send a test");
        await Assertions.Expect(page.Locator("main")).Not.ToContainTextAsync("whsec_");

        await page.Button("Send a test").ClickAsync();
        await faults.ExpectAsync(page.GetByText("The test was taken."));
        await Assertions.Expect(page.Locator("main .done pre")).ToHaveTextAsync("taken, thank you");

        using var sent = await server.Client.PostAsync("/emails", TestServer.Json(
            """{"from":"a@example.com","to":"b@example.com","subject":"told of","text":"x"}"""));
        sent.EnsureSuccessStatusCode();
        await page.Locator("table .row-link").First.ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "email.sent" }));
        await Assertions.Expect(page.Locator("#request + pre")).ToContainTextAsync("\"type\": \"email.sent\"");
        await Assertions.Expect(page.Locator(".timeline pre")).ToHaveTextAsync("taken, thank you");
        await page.Button("Send again").ClickAsync();
        await Assertions.Expect(page.Locator(".timeline li")).ToHaveCountAsync(2);
        var ids = receiver.Calls.Select(call => call.Header("webhook-id")).ToList();
        Assert.Equal((3, 2), (ids.Count, ids.Distinct().Count()));

        // All that ended, in a range of time.
        await page.ClickAsync(".crumbs a >> nth=1");
        await page.ClickAsync("text=Send again what was made in a time");
        await page.FillAsync("#w-from", "2020-01-01T00:00");
        await page.SelectOptionAsync("#w-which", "all");
        await page.Button("Send again").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 go again."));
        faults.AssertNone();
    }

    [Fact]
    public async Task A_webhook_is_changed_disabled_and_gets_another_secret()
    {
        await using var server = await TestServer.StartAsync(("WEBHOOKS__ALLOW", "127.0.0.1/32:*"));
        using var made = await server.Client.PostAsync("/webhooks", TestServer.Json("""{"url":"http://127.0.0.1:9/hooks"}"""));
        made.EnsureSuccessStatusCode();
        var (page, faults) = await browser.OpenAsync(server, "/ui/webhooks");
        await page.ClickAsync("table .row-link");
        await page.ClickAsync("text=Change it");
        await page.FillAsync("#w-url", "ftp://example.com/hooks");
        await page.Button("Save").ClickAsync();
        await faults.ExpectAsync(page.Locator("main .fault"));
        await page.FillAsync("#w-url", "http://127.0.0.1:9/other");
        await page.UncheckAsync("text=all of them");
        await page.CheckAsync("text=email.bounced");
        await page.Button("Save").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Saved."));
        await page.Button("Disable").ClickAsync();
        await Assertions.Expect(page.Locator("main .actions .chip").First).ToHaveTextAsync("disabled");
        await page.Button("Rotate the secret").ClickAsync();
        await page.Button("Rotate it").ClickAsync();
        await faults.ExpectAsync(page.GetByText("whsec_"));
        var stored = (await server.GetAsync("/webhooks", _ => true))["data"]![0]!;
        Assert.Equal(("http://127.0.0.1:9/other", "email.bounced", false),
            ((string?)stored["url"], (string?)stored["events"]![0], (bool)stored["enabled"]!));
        Assert.NotNull(stored["previous_secret_until"]);
        await page.Button("Remove").ClickAsync();
        await page.Button("Remove it").ClickAsync();
        await faults.ExpectAsync(page.GetByText("No webhook yet."));
        faults.AssertNone();
    }
}
