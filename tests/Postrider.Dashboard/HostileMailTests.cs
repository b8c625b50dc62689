using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Mail that would run something, or tell somebody that it is looked at: in a real browser, against a listener that hears of every
/// attempt.</summary>
[Collection(InBrowser.Name)]
public sealed partial class HostileMailTests(Browser browser)
{
    [Fact]
    public async Task Nothing_of_a_mail_runs_and_nothing_is_loaded()
    {
        await using var server = await TestServer.StartAsync();
        await using var listener = new Listener();
        await Visitor.AddUserAsync(server, "looks@example.com", UserRole.Admin);
        var page = await browser.SignInAsync(server, "looks@example.com");
        var dialogs = 0;
        page.Dialog += async (_, dialog) =>
        {
            dialogs++;
            await dialog.DismissAsync();
        };
        foreach (var hostile in HostileCorpus.For(listener, "stored"))
        {
            var id = await SendAsync(server, hostile);
            // In the page, where the frame holds it; and alone, where only its policy does.
            await page.GotoAsync($"/ui/messages/{id}");
            await page.GotoAsync($"/ui/preview/messages/{id}");
            var inbox = (string)(await server.GetAsync($"/inbox?message={id}", a => a["data"]!.AsArray().Count > 0))["data"]![0]!["id"]!;
            await page.GotoAsync($"/ui/preview/inbox/{inbox}");
        }
        foreach (var list in new[] { "/ui/messages", "/ui/inbox", "/ui/" })
        {
            await page.GotoAsync(list);
            await Assertions.Expect(page.Locator("a.row-link").First).ToHaveTextAsync("<img src=x onerror=alert(1)>");
        }
        await TypeAsync(page, HostileCorpus.For(listener, "typed"));
        await HearsAsync(listener, await browser.NewAsync(server));
        Assert.Equal(["GET /sentinel HTTP/1.1"], listener.Heard.Distinct());
        Assert.Equal(0, dialogs);
    }

    /// <summary>The control: the corpus does what it says where nothing holds it.</summary>
    [Fact]
    public async Task The_same_runs_and_loads_where_nothing_holds_it()
    {
        await using var listener = new Listener();
        var context = await browser.NewAsync(new Uri(listener.Address));
        foreach (var (n, hostile) in HostileCorpus.For(listener, "free").Index())
        {
            listener.Pages[$"/page-{n}"] = hostile;
            // Some lead their page away, which is what they are for: the next gets a page of its own.
            var page = await context.NewPageAsync();
            await page.GotoAsync($"/page-{n}", new() { WaitUntil = WaitUntilState.Commit });
        }
        await Eventually.HoldsAsync(() => Numbers(listener).Count >= 45);
    }

    static HashSet<string> Numbers(Listener listener) =>
        [.. listener.Heard.Select(line => FreeNumber().Match(line)).Where(match => match.Success).Select(match => match.Value)];

    /// <summary>Each into the field for HTML of the mail that is being written, and looked at.</summary>
    static async Task TypeAsync(IPage page, IReadOnlyList<string> corpus)
    {
        await page.GotoAsync("/ui/compose");
        await page.ClickAsync("summary:text-is('HTML')");
        await page.ClickAsync("button:text-is('Preview')");
        var shown = "";
        foreach (var hostile in corpus)
        {
            var answer = await page.RunAndWaitForResponseAsync(
                async () =>
                {
                    await page.FillAsync("#c-html", hostile);
                    await page.DispatchEventAsync("#c-html", "change");
                }, answer => answer.Url.Contains("/ui/preview/drafts/", StringComparison.Ordinal) && answer.Url != shown);
            Assert.Equal(200, answer.Status);
            await answer.FinishedAsync();
            shown = answer.Url;
        }
    }

    /// <summary>Until it has heard of something that came after all else.</summary>
    static async Task HearsAsync(Listener listener, IBrowserContext free)
    {
        var page = await free.NewPageAsync();
        await page.SetContentAsync($"<img src='{listener.Address}sentinel'>", new() { WaitUntil = WaitUntilState.Commit });
        await Eventually.HoldsAsync(
            () => listener.Heard.Any(line => line.Contains("sentinel", StringComparison.Ordinal)));
        await page.WaitForTimeoutAsync(1_000);
    }

    static async Task<string> SendAsync(TestServer server, string html)
    {
        var body = new JsonObject
        {
            ["from"] = "\"<script>1</script>\" <a@example.com>",
            ["to"] = "b@example.com",
            ["subject"] = "<img src=x onerror=alert(1)>",
            ["html"] = html,
        };
        using var answer = await server.Client.PostAsync("/emails", TestServer.Json(body.ToJsonString()));
        return (string)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["id"]!;
    }

    [GeneratedRegex(@"free-\d+")]
    private static partial Regex FreeNumber();
}
