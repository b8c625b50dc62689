using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Looking for messages, and doing something with many of them.</summary>
[Collection(InBrowser.Name)]
public sealed class MessagesTests(Browser browser)
{
    [Fact]
    public async Task Filters_hold_together_and_what_they_find_is_cancelled_picked_and_all_together()
    {
        await using var server = await TestServer.StartAsync();
        for (var n = 0; n < 6; n++)
            await SendAsync(server, $"Offer {n}", tag: "offer");
        await SendAsync(server, "Invoice", tag: "offer");
        await SendAsync(server, "Offer of another kind", tag: "other");
        var (page, faults) = await browser.OpenAsync(server, "/ui/messages?tag=offer&subject=offer&state=scheduled");
        var rows = page.Locator("a.row-link");
        await Assertions.Expect(rows).ToHaveCountAsync(6);
        await page.GetByLabel("Pick Offer 3").CheckAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel picked" }).ClickAsync();
        await page.Button("Cancel them").ClickAsync();
        await Assertions.Expect(page.Locator("[role=status]", new() { HasTextString = "1 recipient of 1 message cancelled" }))
            .ToBeVisibleAsync();

        await page.ClickAsync("text=All that this search finds");
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel all that is open" }).ClickAsync();
        await Assertions.Expect(page.GetByText("Cancel all messages (subject offer, state scheduled, tag offer) that are open, for good?"))
            .ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel them" }).ClickAsync();
        await Assertions.Expect(page.Locator("[role=status]", new() { HasTextString = "5 recipients of 5 messages cancelled" }))
            .ToBeVisibleAsync();
        var counts = await server.GetAsync("/stats", _ => true);
        Assert.Equal((6, 2), ((int)counts["cancelled"]!, (int)counts["scheduled"]!));
        faults.AssertNone();
    }

    [Fact]
    public async Task What_is_exported_is_what_the_search_finds_and_runs_as_no_formula()
    {
        await using var server = await TestServer.StartAsync();
        await SendAsync(server, "=HYPERLINK(\"https://evil.example\")", tag: "offer");
        await SendAsync(server, "Another", tag: "other");
        using var visitor = await Visitor.EnterAsync(server, "ann@example.com", UserRole.Viewer);
        using var answer = await visitor.Http.GetAsync("/ui/messages.csv?tag=offer");
        Assert.Equal("attachment; filename=\"messages.csv\"", answer.Content.Headers.GetValues("Content-Disposition").Single());
        var lines = (await answer.Content.ReadAsStringAsync()).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Contains("\"'=HYPERLINK(\"\"https://evil.example\"\")\"", lines[1]);
        Assert.Contains("b@example.com", lines[1]);
        // As the filter's form and the box at the top write the address of the list.
        const string Form = "address=&subject=&state=&transport=&tag=offer&batch=&from=&until=";
        foreach (var asked in new[] { Form, "q=tag%3Aoffer", "q=hyperlink" })
        {
            var found = await visitor.Http.GetStringAsync($"/ui/messages.csv?{asked}");
            Assert.Equal((asked, lines[1]), (asked, Assert.Single(found.Split("\r\n", StringSplitOptions.RemoveEmptyEntries)[1..])));
        }
        using var wrong = await visitor.Http.GetAsync("/ui/messages.csv?state=nonsense");
        Assert.Equal(System.Net.HttpStatusCode.UnprocessableEntity, wrong.StatusCode);
        using var stranger = new Visitor(server);
        Assert.Contains("type=\"password\"", await stranger.Http.GetStringAsync("/ui/messages.csv?tag=offer"));
    }

    static async Task SendAsync(TestServer server, string subject, string tag)
    {
        var mail = new JsonObject
        {
            ["from"] = "a@example.com",
            ["to"] = "b@example.com",
            ["subject"] = subject,
            ["text"] = "x",
            ["tags"] = new JsonArray(tag),
            ["send_at"] = $"{TimeProvider.System.GetUtcNow().AddDays(2):yyyy-MM-ddTHH:mm:ssZ}",
        };
        using var answer = await server.Client.PostAsync("/emails", TestServer.Json(mail.ToJsonString()));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }
}
