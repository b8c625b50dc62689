using System.Net;
using Microsoft.Playwright;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Keys, users and tenants by the dashboard.</summary>
[Collection(InBrowser.Name)]
public sealed class AdminScreenTests(Browser browser, SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_key_is_made_shown_once_used_and_revoked()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/keys", UserRole.Admin);
        await page.GetByText("New key", new() { Exact = true }).ClickAsync();
        await page.FillAsync("#k-name", "shop");
        await page.Button("Make the key").ClickAsync();
        var shown = page.Locator(".once code").First;
        await faults.ExpectAsync(shown);
        var key = (await shown.TextContentAsync())!;
        Assert.StartsWith("pr_", key);
        using var shop = _server.NewClient(key);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(shop, "/emails"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(shop, "/keys"));

        await page.OpenAsync("/ui/keys");
        var row = page.Locator("tr", new() { HasText = "shop" });
        await faults.ExpectAsync(row);
        Assert.DoesNotContain(key, await page.ContentAsync());
        await row.GetByRole(AriaRole.Button, new() { Name = "Revoke" }).ClickAsync();
        await row.GetByRole(AriaRole.Button, new() { Name = "Revoke it" }).ClickAsync();
        await Assertions.Expect(row.Locator(".chip")).ToHaveTextAsync("revoked");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(shop, "/emails"));

        // A key without a name is refused in words.
        await page.GetByText("New key", new() { Exact = true }).ClickAsync();
        await page.Button("Make the key").ClickAsync();
        await faults.ExpectAsync(page.GetByText("A name has 1 to 100 characters").First);
        faults.AssertNone();
    }

    [Fact]
    public async Task A_user_is_invited_signs_in_by_the_link_and_is_disabled()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/users", UserRole.Admin);
        await page.FillAsync("#u-name", "invited@admin.example");
        await page.SelectOptionAsync("#u-role", "Viewer");
        await page.Button("Invite").ClickAsync();
        var shown = page.Locator(".once code").First;
        await faults.ExpectAsync(shown);
        var link = new Uri((await shown.TextContentAsync())!);

        var other = await (await browser.NewAsync(_server)).NewPageAsync();
        await other.GotoAsync(link.PathAndQuery);
        await other.FillAsync("#password", Visitor.Password);
        await other.ClickAsync("button.main");
        await Assertions.Expect(other.Locator("nav.side")).ToBeVisibleAsync();

        var row = page.Locator("tr", new() { HasText = "invited@admin.example" });
        await Assertions.Expect(row.Locator(".chip")).ToHaveTextAsync("active");
        await row.Locator("select").SelectOptionAsync("Operator");
        await faults.ExpectAsync(page.GetByText("invited@admin.example is operator now"));
        await row.GetByRole(AriaRole.Button, new() { Name = "Disable" }).ClickAsync();
        await Assertions.Expect(row.Locator(".chip")).ToHaveTextAsync("disabled");
        await Assertions.Expect(other.Locator("#password")).ToBeVisibleAsync();
        faults.AssertNone();
    }

    [Fact]
    public async Task A_tenant_is_made_limited_stopped_and_let_go_on()
    {
        var (page, faults) = await browser.OpenAsync(_server, "/ui/tenants", UserRole.Admin);
        await page.GetByText("New tenant", new() { Exact = true }).ClickAsync();
        await page.FillAsync("#n-name", "shop of ann");
        await page.FillAsync("#n-queued", "100000");
        await page.Button("Make the tenant").ClickAsync();
        var shown = page.Locator(".once code").First;
        await faults.ExpectAsync(shown);
        using var tenant = _server.NewClient((await shown.TextContentAsync())!);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(tenant, "/emails"));

        await page.ClickAsync("text=Look at the tenant");
        await Assertions.Expect(page.Locator("#n-queued")).ToHaveValueAsync("100000");
        await page.FillAsync("#n-daily", "5000");
        await page.FillAsync("#n-queued", "");
        await page.Button("Save").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Saved: within a second"));
        var id = page.Url[(page.Url.LastIndexOf('/') + 1)..];
        var settings = (await _server.GetAsync($"/tenants/{id}", _ => true))["settings"]!;
        Assert.Equal((null, 5000), ((int?)settings["max_queued"], (int?)settings["daily_quota"]));

        await page.Button("Stop everything").ClickAsync();
        await page.Button("Stop it").ClickAsync();
        await faults.ExpectAsync(page.GetByText("Its keys are refused and nothing of it is delivered."));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(tenant, "/emails"));
        await page.Button("Let it go on").ClickAsync();
        await Assertions.Expect(page.Locator("main .actions .chip")).ToHaveTextAsync("active");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(tenant, "/emails"));
        faults.AssertNone();
    }

    [Fact]
    public async Task Tenants_are_for_those_who_run_the_installation()
    {
        foreach (var (name, role, tenant) in new[]
        {
            ("a", UserRole.Operator, TenantId.First), ("b", UserRole.Admin, new TenantId(2)),
        })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{name}@notforyou.example", role, tenant);
            foreach (var path in new[] { "/ui/tenants", "/ui/tenants/1" })
                Assert.True(await visitor.HasAsync(path, "Not for you"));
            Assert.False(await visitor.HasAsync("/ui/", "href=\"tenants\""));
        }
    }

    static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path);
        return answer.StatusCode;
    }
}
