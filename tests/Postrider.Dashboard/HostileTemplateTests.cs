using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Templates whose HTML, or whose data, would run something or tell somebody that it is looked at: filled in by the calls of the
/// API and on their screen, in a real browser, against a listener that hears of every attempt.</summary>
[Collection(InBrowser.Name)]
public sealed partial class HostileTemplateTests(Browser browser)
{
    /// <summary>How the same HTML comes into a template.</summary>
    static IEnumerable<JsonObject> Ways(string hostile) =>
    [
        new() { ["subject"] = "S", ["html"] = hostile },
        new() { ["subject"] = hostile, ["html"] = "<p>{{words}}</p>", ["data"] = new JsonObject { ["words"] = hostile } },
        new()
        {
            ["subject"] = "S",
            ["html"] = "<div>{{{words}}}</div>",
            ["allow_raw_html"] = true,
            ["data"] = new JsonObject { ["words"] = hostile },
        },
    ];

    // Somebody opens the address of a preview as a page: what it answers is no page.
    [Fact]
    public async Task Nothing_of_a_filled_template_runs_and_nothing_is_loaded_where_the_answer_is_opened()
    {
        await using var server = await TestServer.StartAsync();
        await using var listener = new Listener();
        var (page, faults) = await WatchedAsync(server);
        var body = new JsonObject();
        var path = "/templates/preview";
        await page.RouteAsync(url => new Uri(url).AbsolutePath.StartsWith("/templates/", StringComparison.Ordinal), route =>
            route.ContinueAsync(new RouteContinueOptions
            {
                Method = "POST",
                PostData = System.Text.Encoding.UTF8.GetBytes(body.ToJsonString()),
                Headers = new Dictionary<string, string>
                {
                    ["authorization"] = $"Bearer {TestServer.Key}",
                    ["content-type"] = "application/json",
                },
            }));
        foreach (var (n, hostile) in HostileCorpus.For(listener, "opened").Index())
        {
            foreach (var template in Ways(hostile))
            {
                (path, body) = ("/templates/preview", template);
                await OpenAsync();
            }
            using var kept = await server.Client.PostAsync("/templates", TestServer.Json(new JsonObject
            {
                ["name"] = $"hostile-{n}",
                ["subject"] = "S",
                ["html"] = hostile,
                ["test_data"] = new JsonObject { ["words"] = hostile },
            }.ToJsonString()));
            Assert.True(kept.IsSuccessStatusCode, await kept.Content.ReadAsStringAsync());
            (path, body) = ($"/templates/hostile-{n}/render", []);
            await OpenAsync();
        }
        await faults.AssertNoneAsync(listener, await browser.NewAsync(server));

        async Task OpenAsync()
        {
            var answer = (await page.GotoAsync(path))!;
            Assert.Equal(200, answer.Status);
            Assert.StartsWith("application/json", answer.Headers["content-type"], StringComparison.Ordinal);
            Assert.Equal(path, new Uri(page.Url).AbsolutePath);
        }
    }

    [Fact]
    public async Task Nothing_of_a_template_runs_and_nothing_is_loaded_on_its_screen()
    {
        await using var server = await TestServer.StartAsync();
        await using var listener = new Listener();
        await Visitor.AddUserAsync(server, "looks@example.com", UserRole.Admin);
        var (page, faults) = await WatchedAsync(server, await browser.SignInAsync(server, "looks@example.com"));
        foreach (var (n, hostile) in HostileCorpus.For(listener, "screen").Index())
        {
            using var kept = await server.Client.PostAsync("/templates", TestServer.Json(new JsonObject
            {
                ["name"] = $"screen-{n}",
                ["subject"] = "S",
                ["html"] = "<div>{{{words}}}</div>",
                ["allow_raw_html"] = true,
                ["test_data"] = new JsonObject { ["words"] = hostile },
            }.ToJsonString()));
            Assert.True(kept.IsSuccessStatusCode, await kept.Content.ReadAsStringAsync());
            var shown = await page.RunAndWaitForResponseAsync(() => page.GotoAsync($"/ui/templates/screen-{n}"),
                answer => answer.Url.Contains("/ui/preview/drafts/", StringComparison.Ordinal));
            Assert.Equal(200, shown.Status);
            await shown.FinishedAsync();
            Assert.Equal($"/ui/templates/screen-{n}", new Uri(page.Url).AbsolutePath);
        }
        await faults.AssertNoneAsync(listener, await browser.NewAsync(server));
    }

    [Fact]
    public async Task Nothing_of_mail_made_of_a_template_runs_and_nothing_is_loaded()
    {
        await using var server = await TestServer.StartAsync();
        await using var listener = new Listener();
        await Visitor.AddUserAsync(server, "looks@example.com", UserRole.Admin);
        var (page, faults) = await WatchedAsync(server, await browser.SignInAsync(server, "looks@example.com"));
        using var made = await server.Client.PostAsync("/templates", TestServer.Json(
            """{"name":"raw","subject":"S","html":"<div>{{{words}}}</div>","allow_raw_html":true}"""));
        Assert.True(made.IsSuccessStatusCode, await made.Content.ReadAsStringAsync());
        foreach (var hostile in HostileCorpus.For(listener, "sent"))
        {
            var mail = new JsonObject
            {
                ["from"] = "a@example.com",
                ["to"] = "b@example.com",
                ["template"] = "raw",
                ["data"] = new JsonObject { ["words"] = hostile },
            };
            using var sent = await server.Client.PostAsync("/emails", TestServer.Json(mail.ToJsonString()));
            var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
            await page.GotoAsync($"/ui/messages/{id}");
            await page.GotoAsync($"/ui/preview/messages/{id}");
            Assert.Equal($"/ui/preview/messages/{id}", new Uri(page.Url).AbsolutePath);
        }
        await faults.AssertNoneAsync(listener, await browser.NewAsync(server));
    }

    /// <summary>The control: filling in changes nothing of it, and it does what it says where nothing holds it.</summary>
    [Fact]
    public async Task The_same_runs_and_loads_where_what_was_filled_in_is_a_page()
    {
        await using var server = await TestServer.StartAsync();
        await using var listener = new Listener();
        var context = await browser.NewAsync(new Uri(listener.Address));
        foreach (var (n, hostile) in HostileCorpus.For(listener, "free").Index())
        {
            using var answer = await server.Client.PostAsync("/templates/preview", TestServer.Json(Ways(hostile).Last().ToJsonString()));
            listener.Pages[$"/page-{n}"] = (string)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["html"]!;
            var page = await context.NewPageAsync();
            await page.GotoAsync($"/page-{n}", new() { WaitUntil = WaitUntilState.Commit });
        }
        await Eventually.HoldsAsync(() => listener.Heard.Select(line => FreeNumber().Match(line).Value).Distinct().Count() > 40);
    }

    async Task<(IPage Page, Faults Faults)> WatchedAsync(TestServer server, IPage? page = null)
    {
        page ??= await (await browser.NewAsync(server)).NewPageAsync();
        return (page, new Faults(page));
    }

    /// <summary>What must not happen to a page.</summary>
    sealed class Faults
    {
        int _dialogs;
        int _frames;

        public Faults(IPage page)
        {
            page.Dialog += async (_, dialog) =>
            {
                _dialogs++;
                await dialog.DismissAsync();
            };
            page.Popup += (_, _) => _frames++;
            page.Crash += (_, _) => _frames++;
        }

        /// <summary>The listener hears of something that came after all else, and of nothing before.</summary>
        public async Task AssertNoneAsync(Listener listener, IBrowserContext free)
        {
            var page = await free.NewPageAsync();
            await page.SetContentAsync($"<img src='{listener.Address}sentinel'>", new() { WaitUntil = WaitUntilState.Commit });
            await Eventually.HoldsAsync(
                () => listener.Heard.Any(line => line.Contains("sentinel", StringComparison.Ordinal)));
            await page.WaitForTimeoutAsync(1_000);
            Assert.Equal(["GET /sentinel HTTP/1.1"], listener.Heard.Distinct());
            Assert.Equal((0, 0), (_dialogs, _frames));
        }
    }

    [GeneratedRegex(@"free-\d+")]
    private static partial Regex FreeNumber();
}
