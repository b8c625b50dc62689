using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What somebody has typed when their session ends.</summary>
[Collection(InBrowser.Name)]
public sealed class DraftTests(SharedServer shared, Browser browser) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Is_there_again_for_the_same_person_after_signing_in()
    {
        var user = await Visitor.AddUserAsync(_server, "writer@draft.example", UserRole.Operator);
        var page = await TypeAndEndAsync(user, "Half a letter");
        await Assertions.Expect(page.GetByText("Your session has ended")).ToBeVisibleAsync();
        await page.SignInAsync(user.Name);
        await Assertions.Expect(page.Locator("#c-subject")).ToHaveValueAsync("Half a letter");
        Assert.EndsWith("/ui/compose", page.Url, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Is_nobody_elses()
    {
        var user = await Visitor.AddUserAsync(_server, "gone@draft.example", UserRole.Operator);
        var next = await Visitor.AddUserAsync(_server, "next@draft.example", UserRole.Operator);
        var page = await TypeAndEndAsync(user, "Between us");
        await page.WaitForSelectorAsync("#password");
        await page.SignInAsync(next.Name);
        await Assertions.Expect(page.Locator("#c-subject")).ToHaveValueAsync("");
        Assert.Null(await page.EvaluateAsync<string?>("() => sessionStorage.getItem('postrider-draft')"));
    }

    [Fact]
    public async Task Holds_no_password()
    {
        var user = await Visitor.AddUserAsync(_server, "secret@draft.example", UserRole.Operator);
        var page = await browser.SignInAsync(_server, user.Name);
        await page.OpenAsync("/ui/account");
        await page.FillAsync("#old", "a secret that is typed");
        await _server.Services.GetRequiredService<Sessions>().EndAllAsync(user.Id);
        await page.WaitForSelectorAsync("#password");
        Assert.Null(await page.EvaluateAsync<string?>("() => sessionStorage.getItem('postrider-draft')"));
    }

    async Task<IPage> TypeAndEndAsync(User user, string subject)
    {
        var page = await browser.SignInAsync(_server, user.Name);
        await page.OpenAsync("/ui/compose");
        await page.FillAsync("#c-subject", subject);
        await _server.Services.GetRequiredService<Sessions>().EndAllAsync(user.Id);
        return page;
    }
}

/// <summary>What somebody has typed when the server starts again.</summary>
[Collection(InBrowser.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class RestartDraftTests(Browser browser) : BuiltServerTests
{
    [Fact]
    public async Task A_restart_is_told_as_such_and_loses_nothing_that_was_typed()
    {
        var server = Start(("POSTRIDER_API_KEY", TestServer.Key));
        var banner = await BannerAsync(server);
        var address = new Uri(Regex.Match(banner, "http://[0-9.:]+").Value);
        await using var visitor = await browser.NewAsync(address);
        var page = await visitor.NewPageAsync();
        await page.GotoAsync(Regex.Match(banner, @"http://\S+link=\S+").Value);
        await page.SignInAsync("ann@example.com");
        await page.OpenAsync("/ui/compose");
        await page.FillAsync("#c-subject", "Half a letter");
        Assert.Equal(0, await StopAsync(server));
        await Assertions.Expect(page.Locator("#components-reconnect-modal")).ToContainTextAsync("stopping or restarting");
        await Assertions.Expect(page.Locator("#components-reconnect-modal")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#blazor-error-ui")).ToBeHiddenAsync();
        await BannerAsync(Start(("POSTRIDER_API_KEY", TestServer.Key), ("POSTRIDER_URLS", address.ToString())));
        await Assertions.Expect(page.Locator("#components-reconnect-modal")).ToBeHiddenAsync();
        await page.WaitUntilLiveAsync();
        await Assertions.Expect(page.Locator("#c-subject")).ToHaveValueAsync("Half a letter");
    }
}
