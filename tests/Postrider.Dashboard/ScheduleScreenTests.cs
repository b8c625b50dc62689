using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>A schedule's life by the dashboard.</summary>
[Collection(InBrowser.Name)]
public sealed class ScheduleScreenTests(Browser browser, SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_schedule_is_made_run_paused_edited_and_archived()
    {
        var (page, faults) = await browser.OpenAsync(
            _server, "/ui/schedules/new", options: new BrowserNewContextOptions { TimezoneId = "America/New_York" });
        await page.FillAsync("#s-name", "weekday report");
        await page.FillAsync("#s-cron", "0 25 * * *");
        await page.FillAsync("#s-zone", "Europe/Berlin");
        // A line that never comes is told before anything is saved.
        await faults.ExpectAsync(page.Locator(".draft-preview .fault"));
        await page.SelectOptionAsync("#s-often", "0 9 * * 1-5");
        var next = page.Locator(".draft-preview li").First;
        await Assertions.Expect(next).ToContainTextAsync("09:00 Europe/Berlin");
        await Assertions.Expect(next.Locator("time")).ToContainTextAsync("03:00");
        await page.FillAsync("#s-to", "ann@example.com, bob@example.com");
        await page.FillAsync("#c-from", "reports@example.com");
        await page.FillAsync("#c-subject", "Report");
        await page.FillAsync("#c-text", "Good morning.");
        await page.Button("Make the schedule").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "weekday report" }));
        var state = page.Locator("main .actions .chip").First;
        await Assertions.Expect(state).ToHaveTextAsync("active");
        await Assertions.Expect(page.Locator("ol li")).ToHaveCountAsync(10);

        await page.Button("Run now").ClickAsync();
        await page.Button("Send now").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Sent once now."));
        await Assertions.Expect(page.Locator("table tbody tr")).ToContainTextAsync("asked for by hand");
        await Assertions.Expect(page.Locator("td[data-label=Sent]")).ToHaveTextAsync("2");

        await page.Button("Pause").ClickAsync();
        await Assertions.Expect(state).ToHaveTextAsync("paused");
        await faults.ExpectAsync(page.GetByText("None while it is paused."));

        await page.ClickAsync("main .actions a");
        await Assertions.Expect(page.Locator("#s-cron")).ToHaveValueAsync("0 9 * * 1-5");
        await Assertions.Expect(page.Locator("#s-to")).ToHaveValueAsync("ann@example.com\nbob@example.com");
        await page.FillAsync("#s-cron", "30 10 * * *");
        await page.FillAsync("#c-subject", "Another report");
        await page.Button("Save").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Another report"));
        await Assertions.Expect(page.Locator(".facts")).ToContainTextAsync("30 10 * * *");
        var id = page.Url[(page.Url.LastIndexOf('/') + 1)..];
        var stored = await _server.GetAsync($"/schedules/{id}", _ => true);
        Assert.Equal(("30 10 * * *", "Europe/Berlin", 2, "paused"),
            ((string?)stored["cron"], (string?)stored["time_zone"], (int)stored["recipient_count"]!, (string?)stored["state"]));

        await page.Button("Resume").ClickAsync();
        await Assertions.Expect(state).ToHaveTextAsync("active");
        await page.Button("Archive").ClickAsync();
        await page.Button("Archive it").ClickAsync();
        await Assertions.Expect(state).ToHaveTextAsync("archived");
        await Assertions.Expect(page.Button("Pause")).ToHaveCountAsync(0);
        await page.OpenAsync("/ui/schedules?state=archived");
        await faults.ExpectAsync(page.GetByRole(AriaRole.Link, new() { Name = "weekday report" }));
        faults.AssertNone();
    }

    [Fact]
    public async Task A_schedule_gets_other_recipients_from_a_file()
    {
        using var made = await _server.Client.PostAsync("/schedules", TestServer.Json("""
            {"name":"to many","cron":"0 9 * * *","email":{"from":"a@example.com","subject":"x","text":"x"},"recipients":["one@example.com"]}
            """));
        var id = (string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["id"]!;
        var (page, faults) = await browser.OpenAsync(_server, $"/ui/schedules/{id}");
        await page.ClickAsync("text=Other recipients, from a file");
        await page.CheckAsync("input[name=r-way][value=pasted]");
        await page.FillAsync("#r-text", "email\nnobody at all");
        await page.Button("Take these instead").ClickAsync();
        await faults.ExpectAsync(page.GetByText("so it keeps those it has"));
        Assert.Equal(1, (int)(await _server.GetAsync($"/schedules/{id}", _ => true))["recipient_count"]!);
        await page.FillAsync("#r-text", "email,name\nann@example.com,Ann\nnobody at all,X\nbob@example.com,Bob");
        await page.Button("Take these instead").ClickAsync();
        await faults.ExpectAsync(page.GetByText("From the next run on it sends to these."));
        await Assertions.Expect(page.GetByText("Line 3 (nobody at all)")).ToBeVisibleAsync();
        Assert.Equal(2, (int)(await _server.GetAsync($"/schedules/{id}", _ => true))["recipient_count"]!);
        faults.AssertNone();
    }

    [Fact]
    public async Task A_schedule_comes_once_at_a_time_by_the_clock_of_its_zone()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/schedules/new");
        await page.FillAsync("#s-name", "greeting of the year");
        await page.CheckAsync("input[name=s-kind][value=once]");
        await page.FillAsync("#s-at", "2099-01-01T00:00");
        await page.FillAsync("#s-zone", "Asia/Tokyo");
        await page.FillAsync("#s-to", "ann@example.com");
        await page.FillAsync("#c-from", "reports@example.com");
        await page.FillAsync("#c-subject", "Happy new year");
        await page.FillAsync("#c-text", "All the best.");
        await page.Button("Make the schedule").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "greeting of the year" }));
        await Assertions.Expect(page.Locator("ol li time")).ToHaveAttributeAsync("datetime", "2098-12-31T15:00:00.000Z");
        await Assertions.Expect(page.Locator("ol li")).ToContainTextAsync("1 Jan 2099 00:00 Asia/Tokyo");
        faults.AssertNone();
    }
}
