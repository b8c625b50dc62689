using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Debian's Chromium, driven by Playwright; one for all tests of a collection.</summary>
public sealed class Browser : IAsyncLifetime
{
    /// <summary>In milliseconds: the machine may be busy.</summary>
    public const int Patience = 60_000;

    IPlaywright? _playwright;
    IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        var program = Requires.Program("chromium");
        _playwright = await Playwright.CreateAsync();
        Assertions.SetDefaultExpectTimeout(Patience);
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = program,
            Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"], // tests run as root in containers
        });
    }

    /// <summary>A browser of somebody's own: no cookies yet.</summary>
    public Task<IBrowserContext> NewAsync(TestServer server, BrowserNewContextOptions? options = null) => NewAsync(server.Address, options);

    /// <inheritdoc cref="NewAsync(TestServer, BrowserNewContextOptions?)"/>
    public async Task<IBrowserContext> NewAsync(Uri server, BrowserNewContextOptions? options = null)
    {
        options ??= new BrowserNewContextOptions();
        options.BaseURL = server.ToString();
        var context = await _browser!.NewContextAsync(options);
        context.SetDefaultTimeout(Patience);
        return context;
    }

    /// <summary>A page of somebody who has signed in.</summary>
    public async Task<IPage> SignInAsync(TestServer server, string name, BrowserNewContextOptions? options = null)
    {
        var page = await (await NewAsync(server, options)).NewPageAsync();
        await page.GotoAsync("/ui");
        await page.FillAsync("#name", name);
        await page.FillAsync("#password", Visitor.Password);
        await page.ClickAsync("button.main");
        await page.WaitForSelectorAsync("nav.side");
        return page;
    }

    /// <summary>Unfolds what stands under these words, once the page is live: becoming so folds it again.</summary>
    public static async Task UnfoldAsync(IPage page, string words)
    {
        var part = page.Locator($"details:has(> summary:text-is('{words}'))");
        await part.Locator("fieldset:enabled").First.WaitForAsync(new() { State = WaitForSelectorState.Attached });
        await part.Locator("> summary").ClickAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }
}

/// <summary>What a page complained of, and what it loaded from anywhere but the server.</summary>
public sealed class PageFaults
{
    readonly List<string> _all = [];

    public PageFaults(IPage page, TestServer server)
    {
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                _all.Add(message.Text);
        };
        page.PageError += (_, fault) => _all.Add(fault);
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(server.Address.ToString(), StringComparison.Ordinal)
                && !request.Url.StartsWith("data:", StringComparison.Ordinal))
                _all.Add($"loaded from elsewhere: {request.Url}");
        };
    }

    public void AssertNone() => Assert.Empty(_all);

    /// <summary>Waits for something to be seen; says what the page complained of where it does not come.</summary>
    public async Task ExpectAsync(ILocator seen)
    {
        try
        {
            await Assertions.Expect(seen).ToBeVisibleAsync(new LocatorAssertionsToBeVisibleOptions { Timeout = Browser.Patience });
        }
        catch (PlaywrightException fault)
        {
            Assert.Fail($"{fault.Message}\nThe page complained: {string.Join("\n", _all)}");
        }
    }
}

/// <summary>Tests that share one browser; one after the other, as they share two processors too.</summary>
[CollectionDefinition(Name)]
public sealed class InBrowser : ICollectionFixture<Browser>
{
    public const string Name = "in a browser";
}
