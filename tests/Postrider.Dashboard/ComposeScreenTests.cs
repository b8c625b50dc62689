using System.Globalization;
using System.Text;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Writing one mail, and what is said when something of it is amiss.</summary>
[Collection(InBrowser.Name)]
public sealed class ComposeScreenTests(Browser browser, SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_mail_with_recipients_and_a_template_is_previewed()
    {
        using var added = await _server.Client.PostAsync("/templates", TestServer.Json(
            """{"name":"welcome","subject":"Welcome, {{name}}","html":"<p>Hello {{name}}</p>","text":"Hello {{name}}"}"""));
        added.EnsureSuccessStatusCode();
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose?template=welcome");
        await page.FillAsync("#c-from", "shop@example.com");
        await page.FillAsync("#c-to", "Ann <ann@example.com>");
        await page.ClickAsync("text=Cc, Bcc, reply to");
        await page.FillAsync("#c-cc", "bob@example.com");
        await page.PasteAsync("c-data", """{"name":"Ann"}""");
        await page.Button("Preview the mail").ClickAsync();
        await faults.ExpectAsync(page.FrameLocator("iframe.preview").GetByText("Hello Ann"));
        var preview = page.Locator(".draft-preview");
        await Assertions.Expect(preview).ToContainTextAsync("Welcome, Ann");
        await Assertions.Expect(preview).ToContainTextAsync("Ann <ann@example.com>");
        await Assertions.Expect(preview).ToContainTextAsync("bob@example.com");

        // What would be refused when it is sent is told before.
        await page.FillAsync("#c-to", "ann at example.com");
        await page.Button("Preview the mail").ClickAsync();
        await Assertions.Expect(page.Locator(".fault li b")).ToHaveTextAsync("To, 1");
        faults.AssertNone();
    }

    [Fact]
    public async Task What_is_missing_is_told_once_by_the_labels_of_the_fields()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose");
        await page.Button("Send").ClickAsync();
        var panel = page.Locator(".fault");
        await Assertions.Expect(panel.Locator("li b")).ToHaveTextAsync(["To", "From"]);
        await Assertions.Expect(panel).Not.ToContainTextAsync("'");
        await Assertions.Expect(panel.GetByText("at least one recipient")).ToHaveCountAsync(1);
        faults.AssertNone();
    }

    [Fact]
    public async Task A_time_that_is_past_is_refused_at_its_field()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose");
        await WriteAsync(page, "ann@example.com");
        await page.ClickAsync("text=When, by which route, tags");
        await page.FillAsync("#c-at", Local(TimeProvider.System.GetUtcNow().AddDays(-1)));
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.Locator("#c-at-fault", new() { HasTextString = "This time is past" }));
        await page.FillAsync("#c-at", Local(TimeProvider.System.GetUtcNow().AddDays(1)));
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Accepted and on disk."));
        faults.AssertNone();
    }

    [Fact]
    public async Task The_inbox_is_offered_where_the_mail_may_come_to_it()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(
            ("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none inbox=capture://"),
            ("ROUTES__DEFAULT__TRANSPORTS", "relay"), ("ROUTES__STAGING__TRANSPORTS", "inbox"));
        var (page, faults) = await browser.OpenAsync(server, "/ui/compose");
        var offer = page.Locator(".done a[href=inbox]");
        await WriteAsync(page, "ann@example.com");
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Accepted and on disk."));
        await Assertions.Expect(offer).ToHaveCountAsync(0);
        await WriteAsync(page, "bob@example.com");
        await page.ClickAsync("text=When, by which route, tags");
        await page.SelectOptionAsync("#c-route", "staging");
        await page.Button("Send").ClickAsync();
        await Assertions.Expect(offer).ToHaveCountAsync(1);
        faults.AssertNone();
    }

    [Fact]
    public async Task A_batch_without_a_column_of_addresses_says_what_to_choose()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await UploadAsync(page, "Contact,City\nann@example.com,Bonn\n");
        await page.FillAsync("#c-from", "news@example.com");
        await page.FillAsync("#c-subject", "News");
        await page.FillAsync("#c-text", "It works.");
        await page.Button("Preview the first").ClickAsync();
        await Assertions.Expect(page.GetByText("Choose the column that has the addresses.")).ToBeInViewportAsync();
        faults.AssertNone();
    }

    [Theory]
    [InlineData("Mail")]
    [InlineData("E-Mail")]
    [InlineData("Email address")]
    public async Task A_column_of_addresses_is_recognised_and_what_comes_twice_is_told(string header)
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await UploadAsync(page, $"{header},City\nann@example.com,Bonn\nBob@example.com,Rome\nbob@example.com,Oslo\n");
        await Assertions.Expect(page.Locator("#r-email")).ToHaveValueAsync(header);
        await page.FillAsync("#c-from", "news@example.com");
        await page.FillAsync("#c-subject", "News");
        await page.FillAsync("#c-text", "It works.");
        await page.Button("Preview the first").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 address comes more than once"));
        faults.AssertNone();
    }

    static async Task UploadAsync(IPage page, string text)
    {
        await page.WaitForSelectorAsync("#r-file:enabled");
        var file = new FilePayload { Name = "people.csv", MimeType = "text/csv", Buffer = Encoding.UTF8.GetBytes(text) };
        await page.SetInputFilesAsync("#r-file", file);
        await Assertions.Expect(page.Locator("#r-email")).ToBeVisibleAsync();
    }

    static async Task WriteAsync(IPage page, string to)
    {
        await page.FillAsync("#c-from", "shop@example.com");
        await page.FillAsync("#c-to", to);
        await page.FillAsync("#c-subject", "Hello");
        await page.FillAsync("#c-text", "It works.");
    }

    // Browsers of tests have the clock of UTC.
    static string Local(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm", CultureInfo.InvariantCulture);
}
