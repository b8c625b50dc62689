using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Batches by the dashboard: from a file to mail that is sent.</summary>
[Collection(InBrowser.Name)]
public sealed class BatchScreenTests(Browser browser, SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Five_hundred_go_out_by_a_CSV_file_and_the_progress_bar_tells()
    {
        await AddTemplateAsync();
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await UploadAsync(page, "Mail;First name;City\n", 500, i => $"p{i}@example.com;Person {i};\"Bonn; west\"\n");
        await page.SelectOptionAsync("#r-email", "Mail");
        await page.FillAsync("#r-field-1", "first");
        await page.FillAsync("#c-from", "news@example.com");
        await page.SelectOptionAsync("#c-template", "greeting");

        await page.Button("Preview the first").ClickAsync();
        await faults.ExpectAsync(page.FrameLocator("iframe.preview").GetByText("Hello Person 1 of Bonn; west"));
        await Assertions.Expect(page.Locator(".draft-preview")).ToContainTextAsync("For Person 1");

        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Batch of 500" }));
        var bar = page.GetByRole(AriaRole.Progressbar);
        await Assertions.Expect(bar).ToHaveAttributeAsync("max", "500");
        await Assertions.Expect(bar).ToHaveAttributeAsync("value", "500");
        await Assertions.Expect(page.Locator("main .actions .chip")).ToHaveTextAsync("complete");
        var id = page.Url[(page.Url.LastIndexOf('/') + 1)..];
        var batch = await _server.GetAsync($"/batches/{id}", _ => true);
        Assert.Equal((500, 500), ((int)batch["count"]!, (int)batch["counts"]!["sent"]!));
        var mail = await _server.GetAsync("/emails?address=p17@example.com", _ => true);
        Assert.Equal("For Person 17", (string?)mail["data"]![0]!["subject"]);

        // Found again by its id.
        await page.OpenAsync($"/ui/batches?id={id}");
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Batch of 500" }));
        faults.AssertNone();
    }

    [Fact]
    public async Task Lines_that_cannot_be_sent_to_are_told_before_anything_is_sent()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await UploadAsync(page, "email\n", 3, i => i == 2 ? "nobody at all\n" : $"ok{i}@example.com\n");
        await WriteAsync(page);
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 line cannot be sent to."));
        await Assertions.Expect(page.GetByText("Line 3 (nobody at all)")).ToBeVisibleAsync();
        await page.Button("Send to the other 2").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Batch of 2" }));
        await faults.ExpectAsync(page.GetByText("nobody at all").First);
        faults.AssertNone();
    }

    [Fact]
    public async Task Twelve_thousand_are_taken_paused_resumed_and_cancelled()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await UploadAsync(page, "email,name\n", 12_000, i => $"m{i}@example.com,Member {i}\n");
        await WriteAsync(page);
        // Tomorrow, so that there is something to stop.
        await page.ClickAsync("text=When, by which route, tags");
        await page.FillAsync("#c-at", TimeProvider.System.GetUtcNow().AddDays(1).ToString("yyyy-MM-dd'T'HH:mm", CultureInfo.InvariantCulture));
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Batch of 12,000" }));
        var state = page.Locator("main .actions .chip");
        await page.Button("Pause").ClickAsync();
        await Assertions.Expect(state).ToHaveTextAsync("paused");
        await page.Button("Resume").ClickAsync();
        await Assertions.Expect(state).ToHaveTextAsync("incomplete");
        await page.Button("Cancel").ClickAsync();
        await page.Button("Cancel the batch").ClickAsync();
        await faults.ExpectAsync(page.GetByText("12,000 recipients cancelled"));
        await Assertions.Expect(page.Locator(".tiles")).ToContainTextAsync("12,000 cancelled");
        faults.AssertNone();
    }

    [Fact]
    public async Task Only_what_failed_of_a_batch_goes_again()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none"));
        using var sent = await server.Client.PostAsync("/emails/send", TestServer.Json(
            """{"from":"a@example.com","destinations":["ok@example.com","bounce-after-data@example.com"],"subject":"x","text":"x"}"""));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["batch_id"]!;
        await server.GetAsync($"/batches/{id}", b => (string?)b["status"] == "complete");
        var (page, faults) = await browser.OpenAsync(server, $"/ui/batches/{id}");
        await page.Button("Retry only the failed").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 recipient queued again"));
        var tries = page.Locator("td[data-label=Tries]");
        await Assertions.Expect(tries).ToHaveTextAsync(["2", "1"]);
        await page.ClickAsync("main .tiles a:has-text('failed')");
        await Assertions.Expect(tries).ToHaveTextAsync(["2"]);
        faults.AssertNone();
    }

    [Fact]
    public async Task What_is_pasted_may_be_longer_than_a_message_of_the_connection()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/compose/batch");
        await page.CheckAsync("input[name=r-way][value=pasted]");
        var lines = string.Concat(Enumerable.Range(1, 3_000).Select(i => $"pasted.{i}@example.com\n"));
        Assert.True(lines.Length > 64 * 1024);
        await page.PasteAsync("r-text", lines);
        await faults.ExpectAsync(page.GetByText("The first line is a recipient already"));
        await WriteAsync(page);
        await page.PasteAsync("c-text", new string('x', 50_000) + "the end");
        await page.Button("Preview the first").ClickAsync();
        await faults.ExpectAsync(page.GetByText("pasted.1@example.com").Last);
        await Assertions.Expect(page.Locator(".draft-preview pre")).ToContainTextAsync("the end");
        await page.Button("Send").ClickAsync();
        await faults.ExpectAsync(page.GetByRole(AriaRole.Heading, new() { Name = "Batch of 3,000" }));
        faults.AssertNone();
    }

    static async Task UploadAsync(IPage page, string header, int count, Func<int, string> line)
    {
        var text = header + string.Concat(Enumerable.Range(1, count).Select(line));
        await page.WaitForSelectorAsync("#r-file:enabled");
        await page.SetInputFilesAsync("#r-file", new FilePayload { Name = "people.csv", MimeType = "text/csv", Buffer = Encoding.UTF8.GetBytes(text) });
        await Assertions.Expect(page.Locator("#r-email")).ToBeVisibleAsync();
    }

    static async Task WriteAsync(IPage page)
    {
        await page.FillAsync("#c-from", "news@example.com");
        await page.FillAsync("#c-subject", "News");
        await page.FillAsync("#c-text", "It works.");
    }


    async Task AddTemplateAsync()
    {
        using var added = await _server.Client.PostAsync("/templates", TestServer.Json(
            """{"name":"greeting","subject":"For {{first}}","html":"<p>Hello {{first}} of {{City}}</p>"}"""));
        added.EnsureSuccessStatusCode();
    }
}
