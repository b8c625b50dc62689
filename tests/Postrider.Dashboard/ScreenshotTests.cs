using Microsoft.Playwright;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Pictures of the main screens: <c>scripts/screens</c> keeps them in <c>docs/screens</c>, a test makes them and throws them
/// away.</summary>
[Collection(InBrowser.Name)]
public sealed class ScreenshotTests(Browser browser, LivelyServer lively) : IClassFixture<LivelyServer>
{
    /// <summary>A page of documents loads several.</summary>
    const int MaxBytes = 200_000;

    [Fact]
    public async Task Every_main_screen_makes_a_picture()
    {
        var folder = Environment.GetEnvironmentVariable("POSTRIDER_SCREENS") is { Length: > 0 } kept
            ? Directory.CreateDirectory(kept) : Directory.CreateTempSubdirectory("postrider-screens-");
        // Charts are by the minute.
        await Eventually.HoldsAsync(async () => (await lively.Server.GetAsync("/stats", _ => true))["sent"]!.GetValue<long>() > 0);
        var sent = await lively.Server.GetAsync("/emails?transport=spare&state=sent&limit=1", found => found["data"]!.AsArray().Count > 0);
        var message = (string)sent["data"]![0]!["id"]!;
        await TakeAsync(folder, "overview", "/ui/", ColorScheme.Light);
        await TakeAsync(folder, "overview-dark", "/ui/", ColorScheme.Dark);
        await TakeAsync(folder, "overview-narrow", "/ui/", ColorScheme.Light, width: 360, height: 740);
        await TakeAsync(folder, "messages", "/ui/messages", ColorScheme.Light);
        await TakeAsync(folder, "message", $"/ui/messages/{message}", ColorScheme.Light);
        await TakeAsync(folder, "compose", "/ui/compose", ColorScheme.Light);
        await TakeAsync(folder, "inbox", "/ui/inbox", ColorScheme.Light);
        foreach (var name in (string[])["transports", "queue", "batches"])
            if (ScreensTests.Screens().Contains($"/{name}"))
                await TakeAsync(folder, name, $"/ui/{name}", ColorScheme.Light);
        if (folder.Name.StartsWith("postrider-screens-", StringComparison.Ordinal))
            folder.Delete(recursive: true);
    }

    async Task TakeAsync(DirectoryInfo folder, string name, string address, ColorScheme scheme, int width = 1_180, int height = 900)
    {
        var page = await browser.SignInAsync(lively.Server, LivelyServer.User, new BrowserNewContextOptions
        {
            ColorScheme = scheme,
            ViewportSize = new() { Width = width, Height = height },
        });
        await page.OpenAsync(address);
        var picture = await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder.FullName, $"{name}.png") });
        Assert.InRange(picture.Length, 1_000, MaxBytes);
        await page.Context.CloseAsync();
    }
}
