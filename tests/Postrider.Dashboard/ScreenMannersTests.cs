using System.Text.Json.Nodes;
using Microsoft.Playwright;
using Postrider.Dashboard.Screens;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What screens say without a browser: of times, ids, routes, and of what an address alone cannot find.</summary>
public sealed class ScreenMannersTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Times_of_a_search_are_by_the_viewers_clock()
    {
        using var visitor = await Visitor.EnterAsync(_server, "clock@manners.example", UserRole.Viewer);
        visitor.Cookies.Add(_server.Address, new System.Net.Cookie("postrider-zone", "America%2FNew_York"));
        var page = await visitor.Http.GetStringAsync("/ui/messages?from=2026-01-31T09:30");
        Assert.DoesNotContain("class=\"fault words\"", page);
        Assert.Contains("value=\"2026-01-31T09:30:00\"", page);
        Assert.Contains("America/New_York", page);
        var search = MessageSearch.Read(
            new Dictionary<string, Microsoft.Extensions.Primitives.StringValues> { ["from"] = "2026-01-31T09:30" },
            TimeZoneInfo.FindSystemTimeZoneById("America/New_York"));
        Assert.Equal(new DateTimeOffset(2026, 1, 31, 14, 30, 0, TimeSpan.Zero), search.Filter.From);
        // The control: what is no time is told.
        Assert.Contains("class=\"fault words\"", await visitor.Http.GetStringAsync("/ui/messages?from=yesterday"));
    }

    [Theory]
    [InlineData("batches")]
    [InlineData("schedules")]
    public async Task The_id_of_anything_leads_there(string screen)
    {
        var at = $"{TimeProvider.System.GetUtcNow().AddDays(9):yyyy-MM-ddTHH:mm:ssZ}";
        using var made = screen == "batches"
            ? await _server.Client.PostAsync("/emails/send", TestServer.Json(
                $$"""{"from":"a@example.com","destinations":["b@example.com","c@example.com"],"subject":"x","text":"x","send_at":"{{at}}"}"""))
            : await _server.Client.PostAsync("/schedules", TestServer.Json(
                """{"name":"found","cron":"0 9 * * *","email":{"from":"a@example.com","subject":"x","text":"x"},"recipients":["b@example.com"]}"""));
        var body = JsonNode.Parse(await made.Content.ReadAsStringAsync())!;
        var id = (string)(body["batch_id"] ?? body["id"])!;
        using var visitor = await Visitor.EnterAsync(_server, $"{screen}@manners.example", UserRole.Viewer);
        using var answer = await visitor.Http.GetAsync($"/ui/messages?q={id}");
        Assert.EndsWith($"/{screen}/{id}", answer.Headers.Location?.OriginalString, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_part_of_an_address_is_told_as_such()
    {
        using var visitor = await Visitor.EnterAsync(_server, "part@manners.example", UserRole.Viewer);
        Assert.True(await visitor.HasAsync("/ui/messages?address=@nowhere.example", "Only whole addresses are found"));
        Assert.False(await visitor.HasAsync("/ui/messages?address=ann@nowhere.example", "Only whole addresses are found"));
    }

    [Fact]
    public async Task A_route_of_the_tenants_own_transports_is_its_to_order()
    {
        var tenant = new TenantId(6);
        using var client = await _server.NewClientAsync(tenant, Scopes.All);
        foreach (var name in new[] { "relay-a", "relay-b" })
        {
            using var answer = await client.PostAsync("/transports", TestServer.Json($$"""{"name":"{{name}}","dsn":"sim://{{name}}"}"""));
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }
        using var visitor = await Visitor.EnterAsync(_server, "routes@manners.example", UserRole.Operator, tenant);
        var page = await visitor.Http.GetStringAsync("/ui/routes");
        Assert.Contains("made of your own transports", page);
        Assert.Contains(">Change the order<", page);
        Assert.DoesNotContain("everybody&#x27;s, fixed", page);
    }

    [Fact]
    public async Task Whoever_may_only_look_gets_no_form_of_what_only_changes()
    {
        foreach (var (role, isRefused) in new[] { (UserRole.Viewer, true), (UserRole.Operator, false) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{role}-forms@manners.example", role);
            foreach (var path in new[] { "compose", "compose/batch", "schedules/new", "templates/new", "webhooks/new" })
                Assert.Equal((path, isRefused), (path, await visitor.HasAsync($"/ui/{path}", "Not for you")));
        }
    }

    [Theory]
    [InlineData("smtp://me:***@relay.example.com:2525?rate=5/s", "smtp", "relay.example.com", 2525, "me")]
    [InlineData("own=smtp://relay.example.com", "smtp", "relay.example.com", null, "")]
    [InlineData("mailgun://***@mg.example.com?region=eu", "mailgun", "mg.example.com", null, "")]
    [InlineData("sendgrid://***@?callback_key=***", "sendgrid", "", null, "")]
    public void A_transport_comes_into_fields_and_back_with_its_secrets_untouched(
        string dsn, string scheme, string host, int? port, string user)
    {
        var draft = TransportDraft.Of(dsn);
        Assert.Equal((scheme, host, port, user, ""), (draft.Scheme, draft.Host, draft.Port, draft.User, draft.Secret));
        Assert.Equal(dsn[dsn.IndexOf(scheme, StringComparison.Ordinal)..], Uri.UnescapeDataString(draft.ToDsn(dsn)));
    }

    [Fact]
    public async Task A_secret_that_stays_goes_to_no_other_server()
    {
        using var made = await _server.Client.PostAsync(
            "/transports", TestServer.Json("""{"name":"kept","dsn":"smtp://me:pw@127.0.0.1:2525?tls=none"}"""));
        Assert.True(made.IsSuccessStatusCode, await made.Content.ReadAsStringAsync());
        foreach (var (dsn, isTaken) in new[]
        {
            ("smtp://you:***@127.0.0.1:2525?tls=none", true), ("smtp://you:***@127.0.0.2:2525?tls=none", false),
            ("smtp://you:***@127.0.0.1:2526?tls=none", false), ("smtp://you:new@127.0.0.2:2525?tls=none", true),
        })
        {
            using var answer = await _server.Client.PatchAsync("/transports/kept", TestServer.Json($$"""{"dsn":"{{dsn}}"}"""));
            Assert.Equal((dsn, isTaken), (dsn, answer.IsSuccessStatusCode));
        }
    }
}

/// <summary>How screens behave in a browser where an answer, a place or a question is concerned.</summary>
[Collection(InBrowser.Name)]
public sealed class ScreenAnswerTests(SharedServer shared, Browser browser) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task What_came_of_a_form_far_below_is_seen_and_has_the_cursor()
    {
        using var made = await _server.Client.PostAsync(
            "/transports", TestServer.Json("""{"name":"far","dsn":"smtp://127.0.0.1:2525?tls=none"}"""));
        Assert.True(made.IsSuccessStatusCode, await made.Content.ReadAsStringAsync());
        var (page, _) = await browser.OpenAsync(_server, "/ui/transports/far", UserRole.Admin,
            new BrowserNewContextOptions { ViewportSize = new() { Width = 1_000, Height = 420 } });
        await page.ClickAsync("summary:text-is('Another server, account, password or key')");
        await page.FillAsync("#m-host", "not a host");
        await page.Button("Change where it sends").ClickAsync();
        await Assertions.Expect(page.Locator("main .fault")).ToBeInViewportAsync();
        await Assertions.Expect(page.Locator("main .fault")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Who_comes_back_to_a_long_list_is_at_the_row_that_was_left()
    {
        for (var n = 0; n < 120; n++)
        {
            using var sent = await _server.Client.PostAsync("/emails", TestServer.Json(
                $$"""{"from":"a@example.com","to":"b@example.com","subject":"Long {{n}}","text":"x","tags":["long"]}"""));
            Assert.True(sent.IsSuccessStatusCode);
        }
        var (page, _) = await browser.OpenAsync(_server, "/ui/messages?tag=long");
        var rows = page.Locator("[data-rows] .row-link");
        await page.Button("Show older").ClickAsync();
        await Assertions.Expect(rows).ToHaveCountAsync(100);
        var left = await rows.Nth(69).GetAttributeAsync("href");
        await rows.Nth(69).ClickAsync();
        await Assertions.Expect(page.Locator("h1")).ToContainTextAsync("Long");
        await page.GoBackAsync();
        await Assertions.Expect(rows).ToHaveCountAsync(100);
        await Assertions.Expect(page.Locator($"[data-rows] .row-link[href='{left}']")).ToBeFocusedAsync();
        await Assertions.Expect(page.Locator($"[data-rows] .row-link[href='{left}']")).ToBeInViewportAsync();
    }

    [Fact]
    public async Task Stopping_all_mail_is_asked_for_and_a_no_stops_nothing()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/queue");
        await page.Button("Stop it").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Stop all of this tenant's mail?"));
        await page.Button("No").ClickAsync();
        await faults.ExpectAsync(page.Button("Stop it"));
        Assert.Empty((await _server.GetAsync("/pause", _ => true))["data"]!.AsArray());
        await page.SelectOptionAsync("#p-what", "bulk");
        await page.Button("Stop it").ClickAsync();
        await page.Button("Stop it now").ClickAsync();
        await Eventually.HoldsAsync(async () => (await _server.Client.GetStringAsync("/pause")).Contains("bulk", StringComparison.Ordinal));
        faults.AssertNone();
    }

    [Fact]
    public async Task A_sender_domain_is_added_with_its_record_to_publish_and_removed()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/domains");
        await page.FillAsync("#d-name", "mail.manners.example");
        await page.Button("Add it").ClickAsync();
        await faults.ExpectAsync(page.Locator("code", new() { HasTextString = "v=DKIM1" }));
        await faults.ExpectAsync(page.Locator("pre", new() { HasTextString = "_domainkey.mail.manners.example" }));
        await Assertions.Expect(page.Locator("main .actions .chip").First).ToHaveTextAsync("not verified");
        await page.Button("Remove").ClickAsync();
        await page.Button("Remove it").ClickAsync();
        await faults.ExpectAsync(page.GetByText("its mail is no longer signed."));
        Assert.Empty((await _server.GetAsync("/domains", _ => true))["data"]!.AsArray());
        faults.AssertNone();
    }
}
