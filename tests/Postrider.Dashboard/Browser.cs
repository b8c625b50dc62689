using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
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
    int _users;

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

    /// <summary>A live page of somebody who has signed in.</summary>
    public async Task<IPage> SignInAsync(TestServer server, string name, BrowserNewContextOptions? options = null)
    {
        var page = await (await NewAsync(server, options)).NewPageAsync();
        await page.GotoAsync("/ui");
        await page.SignInAsync(name);
        return page;
    }

    /// <summary>A live page of a user who is there for this test alone, and what it complains of.</summary>
    public async Task<(IPage Page, PageFaults Faults)> OpenAsync(
        TestServer server, string path, UserRole role = UserRole.Operator, BrowserNewContextOptions? options = null)
    {
        var user = await Visitor.AddUserAsync(server, $"user{Interlocked.Increment(ref _users)}@pages.example", role);
        var page = await SignInAsync(server, user.Name, options);
        var faults = new PageFaults(page, server);
        await page.OpenAsync(path);
        return (page, faults);
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }
}

/// <summary>How tests say what somebody does at a page.</summary>
static class PageWords
{
    /// <summary>Goes there and waits until it is live: a page that is left while it connects complains of that.</summary>
    public static async Task OpenAsync(this IPage page, string path)
    {
        await page.GotoAsync(path);
        await page.WaitUntilLiveAsync();
    }

    /// <summary>By the form that is shown; until the page behind it is live.</summary>
    public static async Task SignInAsync(this IPage page, string name)
    {
        await page.FillAsync("#name", name);
        await page.FillAsync("#password", Visitor.Password);
        await page.ClickAsync("button.main");
        await page.WaitUntilLiveAsync();
    }

    public static Task WaitUntilLiveAsync(this IPage page) => page.WaitForSelectorAsync("main[data-live]");

    /// <summary>The button of exactly this name.</summary>
    public static ILocator Button(this IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    /// <inheritdoc cref="Button(IPage, string)"/>
    public static ILocator Button(this ILocator part, string name) => part.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    /// <summary>At once: typing so much takes the browser minutes.</summary>
    public static async Task PasteAsync(this IPage page, string id, string text)
    {
        await page.WaitForSelectorAsync($"#{id}:enabled");
        await page.EvaluateAsync("""
            ([id, text]) => {
              const field = document.getElementById(id);
              field.value = text;
              for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }));
            }
            """, new[] { id, text });
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
            await Assertions.Expect(seen).ToBeVisibleAsync();
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
