using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;
using Microsoft.Playwright;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Layout;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Every screen there is: whoever adds one has it looked at here.</summary>
[Collection(InBrowser.Name)]
public sealed partial class ScreensTests(Browser browser, LivelyServer lively) : IClassFixture<LivelyServer>
{
    const int Narrow = 360;

    [Theory]
    [InlineData(ColorScheme.Light)]
    [InlineData(ColorScheme.Dark)]
    public async Task No_screen_shuts_anybody_out(ColorScheme scheme)
    {
        Peers.Install();
        var axe = await File.ReadAllTextAsync(Path.Combine(Peers.Folder, "node_modules", "axe-core", "axe.min.js"));
        var found = new List<string>();
        await LookAsync(new BrowserNewContextOptions { ColorScheme = scheme }, async (page, address) =>
        {
            await page.EvaluateAsync(axe);
            // Mail is shown in frames of its own, and is as its sender made it.
            var violations = await page.EvaluateAsync<JsonElement>(
                "() => axe.run(document, { iframes: false }).then(found => found.violations)");
            found.AddRange(violations.EnumerateArray()
                .Where(one => one.GetProperty("impact").GetString() is "serious" or "critical")
                .SelectMany(one => one.GetProperty("nodes").EnumerateArray().Select(node =>
                    $"{address}: {one.GetProperty("id")}: {node.GetProperty("html")} ({node.GetProperty("failureSummary")})")));
        });
        Assert.True(found.Count == 0, string.Join("\n", found));
    }

    [Fact]
    public async Task On_a_narrow_screen_nothing_is_off_to_the_side()
    {
        var wide = new List<string>();
        await LookAsync(new BrowserNewContextOptions { ViewportSize = new() { Width = Narrow, Height = 740 } }, async (page, address) =>
        {
            var width = await page.EvaluateAsync<int>("() => document.scrollingElement.scrollWidth");
            if (width > Narrow)
                wide.Add($"{address}: {width} px: {await page.EvaluateAsync<string>(Widest, Narrow)}");
        });
        Assert.True(wide.Count == 0, string.Join("\n", wide));
    }

    // What reaches furthest to the right, for who has to mend it.
    const string Widest = """
        limit => [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > limit)
          .sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right).slice(0, 3)
          .map(e => e.outerHTML.slice(0, 120)).join(' | ')
        """;

    [Fact]
    public async Task Nothing_is_offered_before_somebody_would_hear_of_it()
    {
        var page = await browser.SignInAsync(lively.Server, LivelyServer.User);
        await page.RouteAsync(MakesLive, route => route.AbortAsync());
        var found = new List<string>();
        await VisitAsync(page, async address =>
        {
            await page.GotoAsync(address);
            found.AddRange((await page.EvaluateAsync<string[]>(Unheard)).Select(part => $"{address}: {part}"));
        });
        Assert.True(found.Count == 0, string.Join("\n", found));
    }

    // What needs no connection: plain forms, and what our own script does alone.
    const string Unheard = """
        () => [...document.querySelectorAll('main button, main input, main select, main textarea')]
          .filter(e => !e.matches(':disabled, [data-copy]') && !e.closest('form[method]')).map(e => e.outerHTML.slice(0, 150))
        """;

    [Fact]
    public async Task What_was_typed_and_unfolded_is_there_when_the_page_is_live_and_the_cursor_where_it_was()
    {
        var page = await browser.SignInAsync(lively.Server, LivelyServer.User);
        var mayConnect = new TaskCompletionSource();
        await page.RouteAsync(MakesLive, async route =>
        {
            await mayConnect.Task;
            await route.ContinueAsync();
        });
        await page.GotoAsync("/ui/suppressions", new() { WaitUntil = WaitUntilState.Commit });
        await page.ClickAsync("summary:text-is('Import a file')");
        await page.SelectOptionAsync("#f-cause", "complained");
        await page.FillAsync("#f-email", "ann@example.com");
        await Assertions.Expect(page.Locator("#s-file")).ToBeDisabledAsync();
        await Assertions.Expect(page.Locator("main[data-live]")).ToHaveCountAsync(0);

        mayConnect.SetResult();
        await page.WaitUntilLiveAsync();
        await Assertions.Expect(page.Locator("#s-file")).ToBeEnabledAsync();
        await Assertions.Expect(page.Locator("#s-file")).ToBeVisibleAsync();
        await Assertions.Expect(page.Locator("#s-email")).ToBeHiddenAsync();
        await Assertions.Expect(page.Locator("#f-cause")).ToHaveValueAsync("complained");
        await Assertions.Expect(page.Locator("#f-email")).ToHaveValueAsync("ann@example.com");
        await Assertions.Expect(page.Locator("#f-email")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Whatever_is_pasted_into_any_field_of_any_screen_comes_to_the_server_or_is_cut_short()
    {
        var page = await browser.SignInAsync(lively.Server, LivelyServer.User);
        var faults = new PageFaults(page, lively.Server);
        var (endless, longs) = (new List<string>(), 0);
        await VisitAsync(page, address => PasteAsync(address));
        await PasteAsync("/ui/compose?template=order");
        await PasteAsync("/ui/compose/batch", "input[name=r-way][value=pasted]", "#r-text");
        await PasteAsync("/ui/schedules/new", "input[name=s-kind][value=list]", "#s-times");
        Assert.True(endless.Count == 0, string.Join("\n", endless));
        Assert.True(longs > 15, $"Only {longs} fields take long texts.");
        faults.AssertNone();

        async Task PasteAsync(string address, string? choice = null, string? shows = null)
        {
            await page.OpenAsync(address);
            if (choice is not null)
                await page.CheckAsync(choice);
            if (shows is not null)
                await page.WaitForSelectorAsync(shows);
            endless.AddRange((await page.EvaluateAsync<string[]>(Endless)).Select(part => $"{address}: {part}"));
            // The server asks twice for each: the connection has outlived the first.
            foreach (var length in new[] { PastedLetters, 1 })
            {
                var count = await page.EvaluateAsync<int>(PasteIntoLong, length);
                await Eventually.HoldsAsync(() => page.EvaluateAsync<bool>("count => window.asked >= count", count));
                longs += count;
            }
        }
    }

    // Of three bytes each: 210 kB.
    const int PastedLetters = 70_000;

    // 4,000 letters are within one message of the connection, whatever they are.
    const string Endless = """
        () => [...document.querySelectorAll('input, textarea')]
          .filter(e => !['checkbox', 'radio', 'file', 'number', 'datetime-local', 'hidden'].includes(e.type))
          .filter(e => !e.matches('[data-long] > textarea') && !(e.maxLength > 0 && e.maxLength <= 4000))
          .map(e => e.outerHTML.slice(0, 150))
        """;

    const string PasteIntoLong = """
        length => {
          const text = window.postrider.whole ??= window.postrider.text;
          window.asked = 0;
          window.postrider.text = field => { window.asked++; return text(field); };
          const fields = [...document.querySelectorAll('[data-long] > textarea:enabled:not([readonly])')];
          for (const field of fields) {
            field.value = '\u20ac'.repeat(length);
            for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }));
          }
          return fields.length;
        }
        """;

    static bool MakesLive(string url) => url.Contains("blazor.web", StringComparison.Ordinal);

    /// <summary>Opens every screen as somebody who may see all, and fails where it complains of anything.</summary>
    async Task LookAsync(BrowserNewContextOptions options, Func<IPage, string, Task> look)
    {
        var page = await browser.SignInAsync(lively.Server, LivelyServer.User, options);
        var faults = new PageFaults(page, lively.Server);
        await VisitAsync(page, async address =>
        {
            await page.OpenAsync(address);
            await look(page, address);
        });
        faults.AssertNone();
        await page.Context.CloseAsync();
    }

    /// <summary>Every screen in turn; of those that are of one thing, the first that others link to.</summary>
    static async Task VisitAsync(IPage page, Func<string, Task> open)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal); // links by what matches them
        foreach (var screen in Screens().OrderBy(screen => screen.Contains('{')))
        {
            var address = screen.Contains('{') ? found.GetValueOrDefault(screen) : $"/ui{screen}";
            Assert.True(address is not null, $"No screen links to {screen}: {nameof(LivelyServer)} has to make something of the kind.");
            await open(address);
            foreach (var link in await page.EvaluateAsync<string[]>(
                "() => [...document.querySelectorAll('a[href]')].map(a => new URL(a.href).pathname)"))
                foreach (var waiting in Screens().Where(one => one.Contains('{') && Matches(one, link)))
                    found.TryAdd(waiting, link);
        }
    }

    /// <summary>Addresses of all screens for those who are signed in; with holes where it is one of many.</summary>
    internal static IEnumerable<string> Screens() => typeof(Navigation).Assembly.GetTypes()
        .Where(type => type.IsDefined(typeof(NeedsAttribute), inherit: false))
        .SelectMany(type => type.GetCustomAttributes(typeof(RouteAttribute), inherit: false)).Cast<RouteAttribute>()
        .Select(route => route.Template).Distinct().Order(StringComparer.Ordinal);

    static bool Matches(string template, string path) =>
        Regex.IsMatch(path, $"^/ui{Hole().Replace(template, "[^/]+")}$") && !Screens().Contains(path["/ui".Length..]);

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Hole();
}
