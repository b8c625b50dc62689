using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.EndToEnd.Hosting;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>The built program, stopped while somebody looks at it.</summary>
[Collection(InBrowser.Name)]
[UnsupportedOSPlatform("windows")]
public sealed class StopTests(Browser browser) : BuiltServerTests
{
    /// <summary>A stop that waits for a page takes the whole of the program's patience: 105 s.</summary>
    static readonly TimeSpan Quick = TimeSpan.FromSeconds(75);

    [Fact]
    public async Task A_stop_does_not_wait_for_open_pages_but_for_mail_under_way()
    {
        await using var sink = SmtpSink.Start(new SmtpSinkOptions { Slow = TimeSpan.FromSeconds(4) });
        var settings = new (string, string)[]
        {
            ("POSTRIDER_API_KEY", TestServer.Key), ("POSTRIDER_TRANSPORTS", $"smtp://127.0.0.1:{sink.Port}?tls=none"),
            // Pages that are cut off come back at once: there is time for that.
            ("POSTRIDER_SERVER__STOP_DELAY", "3s"),
        };
        var server = Start(settings);
        var banner = await BannerAsync(server);
        var address = new Uri(Regex.Match(banner, "http://[0-9.:]+").Value);
        await using var visitor = await browser.NewAsync(address);
        var page = await visitor.NewPageAsync();
        await page.GotoAsync(Regex.Match(banner, @"http://\S+link=\S+").Value);
        await page.SignInAsync("ann@example.com");
        foreach (var open in new[] { page, await visitor.NewPageAsync() })
        {
            await open.GotoAsync("/ui/compose");
            await open.WaitForSelectorAsync("#c-from:enabled"); // its connection stands
        }

        using var client = new HttpClient { BaseAddress = address };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Key);
        using var sent = await client.PostAsync("/emails",
            TestServer.Json("""{"from":"a@example.com","to":"slow@example.com","subject":"Under way","text":"x"}"""));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        await sink.WaitForAsync(1, TimeSpan.FromSeconds(60)); // it has the content, and says so in 4 s
        var begun = TimeProvider.System.GetTimestamp();
        Assert.Equal(0, await StopAsync(server));
        Assert.InRange(TimeProvider.System.GetElapsedTime(begun), TimeSpan.Zero, Quick);
        await Assertions.Expect(page.Locator("#components-reconnect-modal")).ToBeVisibleAsync();

        // Its end is on disk: the next start has nothing to send.
        banner = await BannerAsync(Start(settings));
        using var next = new HttpClient { BaseAddress = new Uri(Regex.Match(banner, "http://[0-9.:]+").Value) };
        next.DefaultRequestHeaders.Authorization = client.DefaultRequestHeaders.Authorization;
        var email = JsonNode.Parse(await next.GetStringAsync($"/emails/{id}"))!;
        Assert.Equal(("complete", 1), ((string?)email["status"], (int)email["tries"]!));
        Assert.Equal(1, sink.Count);
    }
}
