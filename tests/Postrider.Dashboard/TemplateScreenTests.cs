using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Templates, written in the browser.</summary>
[Collection(InBrowser.Name)]
public sealed class TemplateScreenTests(Browser browser, SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_template_with_a_fault_is_shown_where_and_saved_when_it_is_right()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/templates/new");
        await page.FillAsync("#t-name", "welcome");
        await page.FillAsync("#t-subject", "Hi {{name}}");
        await page.FillAsync("#t-data", """{"name": "Ann <3"}""");
        await page.FillAsync("#t-html", "<p>Welcome</p>\n<p>{{#if name}}{{name}}</p>");
        await page.Button("Save").ClickAsync();
        var fault = page.Locator("#e-html");
        await faults.ExpectAsync(fault);
        await Assertions.Expect(fault).ToContainTextAsync("line 2, column 4");
        await Assertions.Expect(fault.Locator("pre")).ToHaveTextAsync("<p>{{#if name}}{{name}}</p>\n   ^");
        Assert.Empty((await _server.GetAsync("/templates", _ => true))["data"]!.AsArray());
        await fault.GetByRole(AriaRole.Button).ClickAsync();
        await Assertions.Expect(page.Locator("#t-html")).ToBeFocusedAsync();
        Assert.Equal(18, await page.EvaluateAsync<int>("document.getElementById('t-html').selectionStart"));

        await page.FillAsync("#t-html", "<p>Welcome</p>\n<p>{{#if name}}{{name}}{{/if}}</p>");
        var preview = page.FrameLocator("iframe.preview");
        // Without a click: a moment after typing.
        await faults.ExpectAsync(preview.GetByText("Ann <3"));
        await Assertions.Expect(page.Locator(".draft-preview strong").First).ToHaveTextAsync("Hi Ann <3");
        await Assertions.Expect(fault).ToHaveCountAsync(0);
        await page.Button("Save").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Saved as version 1."));
        await Assertions.Expect(page).ToHaveURLAsync(new Regex("/ui/templates/d-[0-9a-f]{32}$"));

        await page.FillAsync("#t-subject", "Hello {{name}}");
        await page.Button("Save as a new version").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Saved as version 2."));
        await page.SelectOptionAsync("#t-version", "1");
        await Assertions.Expect(page.Locator("#t-subject")).ToHaveValueAsync("Hi {{name}}");
        await faults.ExpectAsync(page.GetByText("Mail is sent with version 2."));
        var stored = await _server.GetAsync("/templates/welcome", _ => true);
        Assert.Equal((2, "Hello {{name}}"), ((int)stored["version"]!, (string?)stored["subject"]));
        faults.AssertNone();
    }

    [Fact]
    public async Task The_preview_runs_nothing_and_data_that_lack_something_are_told()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/templates/new");
        await page.FillAsync("#t-html",
            "<p id=x>Look at {{what}}</p><script>parent.document.title='run'</script><img src='https://elsewhere.example/x.png' onerror=\"document.title='run'\">");
        await faults.ExpectAsync(page.GetByText("Template data is missing."));
        await page.FillAsync("#t-data", """{"what": "this",}""");
        await Assertions.Expect(page.Locator("#e-data")).ToContainTextAsync("line 1, column 17");
        await page.FillAsync("#t-data", """{"what": "this"}""");
        await faults.ExpectAsync(page.FrameLocator("iframe.preview").GetByText("Look at this"));
        Assert.StartsWith("Template", await page.TitleAsync());
    }

    [Fact]
    public async Task A_draft_is_shown_to_the_session_that_wrote_it_alone()
    {
        var (page, _) = await browser.OpenAsync(_server, "/ui/templates/new");
        await page.FillAsync("#t-html", "<p>A draft of mine</p>");
        var address = (await page.Locator("iframe.preview").GetAttributeAsync("src"))!;
        using var colleague = await Visitor.EnterAsync(_server, "colleague@templates.example", UserRole.Operator);
        using var answer = await colleague.Http.GetAsync($"/ui/{address}");
        Assert.Equal(System.Net.HttpStatusCode.NotFound, answer.StatusCode);
        var own = await page.APIRequest.GetAsync($"/ui/{address}");
        Assert.Equal(200, own.Status);
        Assert.Contains("sandbox", own.Headers["content-security-policy"]);
    }
}
