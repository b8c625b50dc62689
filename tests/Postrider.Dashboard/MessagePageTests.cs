using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>One message: what it was, why it waits, and doing something about it.</summary>
[Collection(InBrowser.Name)]
public sealed class MessagePageTests(Browser browser)
{
    [Fact]
    public async Task Its_source_is_what_left_and_it_is_resent_as_another_message()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none"));
        var id = await SendAsync(server, """
            {"from":"Shop <shop@example.com>","to":["ann@example.com"],"bcc":["bob@example.com"],"subject":"Grüße","text":"It works.",
             "html":"<p>It works.</p>","headers":{"X-Order":"4711"},"tags":["order"],
             "attachments":[{"filename":"list.txt","content":"bGlzdA=="}]}
            """);
        await server.GetEmailAsync(id, email => (string?)email["status"] == "complete");
        var left = Assert.Single(await sink.WaitForAsync(1));
        var (page, faults) = await browser.OpenAsync(server, $"/ui/messages/{id}");
        await page.GetByRole(AriaRole.Tab, new() { Name = "Source" }).ClickAsync();
        await Assertions.Expect(page.Locator("#tab-panel")).ToContainTextAsync("X-Order: 4711");
        var link = await page.GetByText("Download the source").GetAttributeAsync("href");
        var file = await page.APIRequest.GetAsync($"{server.Address}ui/{link}");
        Assert.Equal(Encoding.UTF8.GetString(left.Content), await file.TextAsync());
        // A word, a space, the next word.
        await Assertions.Expect(page.Locator(".timeline")).ToContainTextAsync(new System.Text.RegularExpressions.Regex(@"at relay \d"));

        await page.Button("Resend").ClickAsync();
        await Assertions.Expect(page.GetByText("once more to ann@example.com, bob@example.com?")).ToBeVisibleAsync();
        await page.Button("Send it as a new message").ClickAsync();
        await page.ClickAsync("text=See what becomes of the new message");
        await Assertions.Expect(page.Locator(".facts code").First).Not.ToHaveTextAsync(id);
        await Assertions.Expect(page.Locator("main .actions .chip").First).ToHaveTextAsync("complete");
        var again = (await sink.WaitForAsync(2))[1];
        Assert.Equal(["ann@example.com", "bob@example.com"], again.Recipients.Order());
        Assert.Equal(BodyOf(left), BodyOf(again));
        Assert.Equal(2, (await server.GetAsync("/emails?tag=order", _ => true))["data"]!.AsArray().Count);
        faults.AssertNone();
    }

    [Fact]
    public async Task Who_is_suppressed_is_told_before_it_goes_again_and_after()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS", $"relay=smtp://127.0.0.1:{sink.Port}?tls=none"));
        var id = await SendAsync(server, """{"from":"a@example.com","to":"bounce@example.com","subject":"Hello","text":"x"}""");
        await server.GetEmailAsync(id, email => (string?)email["recipients"]![0]!["status"] == "bounced");
        var (page, faults) = await browser.OpenAsync(server, $"/ui/messages/{id}");
        var hint = page.Locator(".hint", new() { HasTextString = "bounce@example.com is on the suppression list" });
        await faults.ExpectAsync(hint);
        await page.Button("Send again").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 of them on the suppression list"));
        await Assertions.Expect(page.Locator("td[data-label=State] .chip")).ToHaveTextAsync("suppressed");
        await hint.GetByRole(AriaRole.Link).ClickAsync();
        await faults.ExpectAsync(page.Locator("td[data-label=Address]", new() { HasTextString = "bounce@example.com" }));
        faults.AssertNone();
    }

    [Fact]
    public async Task What_was_never_tried_tells_what_keeps_each_transport_from_it()
    {
        await using var sink = SmtpSink.Start();
        await using var server = await TestServer.StartAsync(("TRANSPORTS",
            $"relay=smtp://127.0.0.1:{sink.Port}?tls=none&circuit=1,300s,600s spare=smtp://127.0.0.1:{sink.Port}?tls=none"));
        using var paused = await server.Client.PostAsync("/transports/spare/pause", null);
        paused.EnsureSuccessStatusCode();
        await sink.StopAsync();
        await SendAsync(server, """{"from":"a@example.com","to":"b@example.com","subject":"First","text":"x"}""");
        await server.GetAsync("/transports", found => found["data"]!.AsArray().Any(t => (string?)t!["state"] == "open"));
        var id = await SendAsync(server, """{"from":"a@example.com","to":"b@example.com","subject":"Second","text":"x"}""");
        var (page, faults) = await browser.OpenAsync(server, $"/ui/messages/{id}");
        var why = page.GetByRole(AriaRole.Region, new() { Name = "Why no transport takes it now" });
        await Assertions.Expect(why).ToContainTextAsync("relay failed too often (until 2");
        await Assertions.Expect(why).ToContainTextAsync("spare is paused");
        await Assertions.Expect(page.Locator("td[data-label=State]")).ToContainTextAsync("queued waits: transports unavailable");
        await Assertions.Expect(page.Locator("td[data-label='Next attempt']")).ToContainTextAsync("due since");
        faults.AssertNone();
    }

    [Fact]
    public async Task What_was_cancelled_is_called_so()
    {
        await using var server = await TestServer.StartAsync();
        var id = await SendAsync(server, $$"""
            {"from":"a@example.com","to":"b@example.com","subject":"Later","text":"x",
             "send_at":"{{TimeProvider.System.GetUtcNow().AddDays(1):yyyy-MM-ddTHH:mm:ssZ}}"}
            """);
        var (page, faults) = await browser.OpenAsync(server, $"/ui/messages/{id}");
        await page.Button("Cancel").ClickAsync();
        await faults.ExpectAsync(page.GetByText("1 recipient cancelled"));
        await Assertions.Expect(page.Locator("main .actions .chip").First).ToHaveTextAsync("cancelled");
        faults.AssertNone();
    }

    [Fact]
    public async Task A_subject_without_end_takes_one_line_of_a_list()
    {
        await using var server = await TestServer.StartAsync();
        var subject = new string('W', 900);
        await SendAsync(server, $$"""{"from":"a@example.com","to":"b@example.com","subject":"{{subject}}","text":"x"}""");
        await server.GetAsync("/inbox", found => found["data"]!.AsArray().Count > 0);
        var (page, faults) = await browser.OpenAsync(server, "/ui/messages");
        foreach (var list in new[] { "/ui/messages", "/ui/inbox" })
        {
            await page.OpenAsync(list);
            var cell = page.Locator("td[data-label=Subject]");
            await Assertions.Expect(cell.Locator("[title]")).ToHaveAttributeAsync("title", subject);
            Assert.InRange((await cell.BoundingBoxAsync())!.Height, 10, 80);
            Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"), list);
        }
        faults.AssertNone();
    }

    static string BodyOf(SinkMessage message)
    {
        var text = Encoding.UTF8.GetString(message.Content);
        // Boundaries come from the message's id.
        var lines = text[text.IndexOf("\r\n\r\n", StringComparison.Ordinal)..].Split("\r\n");
        return string.Join('\n', lines.Where(line =>
            !line.StartsWith("--", StringComparison.Ordinal) && !line.Contains("boundary=", StringComparison.Ordinal)));
    }

    static async Task<string> SendAsync(TestServer server, string mail)
    {
        using var answer = await server.Client.PostAsync("/emails", TestServer.Json(mail));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        return (string)JsonNode.Parse(text)!["id"]!;
    }
}
