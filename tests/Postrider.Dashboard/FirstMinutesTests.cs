using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What a newcomer does in the first five minutes, in a real browser.</summary>
[Collection(InBrowser.Name)]
public sealed class FirstMinutesTests(Browser browser)
{
    [Fact]
    public async Task A_newcomer_signs_in_sends_a_mail_and_sees_it_in_the_inbox()
    {
        await using var server = await TestServer.StartAsync();
        var context = await browser.NewAsync(server);
        var page = await context.NewPageAsync();
        var faults = new PageFaults(page, server);

        await page.GotoAsync($"/ui/welcome?link={server.Services.GetRequiredService<FirstLink>().Text}");
        await page.SignInAsync("newcomer@example.com");
        await Assertions.Expect(page.GetByText("No mail yet.")).ToBeVisibleAsync();

        await page.ClickAsync("text=Send the first mail");
        await page.FillAsync("#c-from", "Shop <shop@example.com>");
        await page.FillAsync("#c-to", "Ann <ann@example.com>");
        await page.FillAsync("#c-subject", "Hello from the browser");
        await page.FillAsync("#c-text", "It works.");
        await page.GetByRole(AriaRole.Button, new() { Name = "Send" }).ClickAsync();
        await faults.ExpectAsync(page.GetByText("Accepted and on disk."));

        await page.ClickAsync(".side a[href='inbox']");
        await page.ClickAsync("text=Hello from the browser");
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Hello from the browser" })).ToBeVisibleAsync();
        await Assertions.Expect(page.GetByText("It works.")).ToBeVisibleAsync();

        await page.ClickAsync("text=What became of it");
        await Assertions.Expect(page.Locator(".timeline")).ToContainTextAsync("capture");
        await Assertions.Expect(page.Locator("table .chip").First).ToHaveTextAsync("sent");

        // As it went, not only what was typed.
        await page.GetByRole(AriaRole.Tab, new() { Name = "Source" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Tabpanel)).ToContainTextAsync("Subject: Hello from the browser");
        await Assertions.Expect(page.GetByRole(AriaRole.Tabpanel)).ToContainTextAsync("To: Ann <ann@example.com>");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Headers" }).ClickAsync();
        await Assertions.Expect(page.GetByRole(AriaRole.Tabpanel)).ToContainTextAsync("Message-ID");
        faults.AssertNone();
    }
}
