using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Layout;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What every screen shows to whom, whichever screens there are.</summary>
public sealed partial class EveryScreenTests(SharedServer shared) : IClassFixture<SharedServer>
{
    // What changes nothing: what it shows or copies.
    static readonly string[] Harmless = ["Search", "Copy", "Show older", "Show more", "Show it"];

    // Everybody changes their own password and ends their own sessions.
    static readonly string[] OnesOwn = ["account"];

    // Screens of one thing, as what every installation has.
    static readonly string[] OfOneThing = ["transports/capture", "routes/default"];

    readonly TestServer _server = shared.Server;

    public static TheoryData<string> Screens => [.. Addresses.Concat(OfOneThing)];

    static IEnumerable<string> Addresses => typeof(App).Assembly.GetTypes()
        .Where(type => type.GetCustomAttribute<NeedsAttribute>() is not null)
        .SelectMany(type => type.GetCustomAttributes<RouteAttribute>()).Select(route => route.Template.TrimStart('/'))
        .Where(template => !template.Contains('{', StringComparison.Ordinal) && !OnesOwn.Contains(template)).Order(StringComparer.Ordinal);

    [Theory, MemberData(nameof(Screens))]
    public async Task A_viewer_is_offered_nothing_to_change_on(string screen)
    {
        var offers = await OffersAsync(UserRole.Viewer, screen);
        Assert.True(offers.Count == 0, $"{screen} offers a viewer: {string.Join(", ", offers)}");
    }

    [Theory]
    [InlineData("transports/capture", UserRole.Admin, "Pause")]
    [InlineData("transports/capture", UserRole.Operator, null)] // it is the installation's
    [InlineData("transports", UserRole.Operator, "Add it")]
    [InlineData("queue", UserRole.Operator, "Stop it")]
    [InlineData("routes/default", UserRole.Operator, "Make a copy of this tenant's own")]
    public async Task Who_may_is_offered_it(string screen, UserRole role, string? offer)
    {
        var offers = await OffersAsync(role, screen);
        if (offer is null)
            Assert.Empty(offers);
        else
            Assert.Contains(offer, offers);
    }

    [Fact]
    public async Task No_screen_shows_what_is_another_tenants()
    {
        var tenants = new[] { 8, 9 };
        foreach (var tenant in tenants)
            await FillAsync(new TenantId(tenant), MarkOf(tenant));
        foreach (var (own, other) in new[] { (tenants[0], tenants[1]), (tenants[1], tenants[0]) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{MarkOf(own)}@screens.example", UserRole.Admin, new TenantId(own));
            var seen = new List<string>();
            foreach (var screen in Addresses.Concat(OfTenant(own)).Concat(OfTenant(other)))
            {
                // The page says back what it was asked for.
                var page = MainOf(await visitor.Http.GetStringAsync($"/ui/{screen}"));
                var told = screen.Contains(MarkOf(other), StringComparison.Ordinal)
                    ? page.Replace(screen.Split('/')[1], "", StringComparison.Ordinal) : page;
                Assert.False(told.Contains(MarkOf(other), StringComparison.Ordinal), $"{screen} shows another tenant's.");
                if (page.Contains(MarkOf(own), StringComparison.Ordinal))
                    seen.Add(screen);
            }
            // The control: what is a tenant's is on all of them.
            Assert.Empty(Addresses.Except([.. WithoutMarks, .. seen]));
            Assert.Empty(OfTenant(own).Except(seen));
        }
    }

    static string MarkOf(int tenant) => string.Create(CultureInfo.InvariantCulture, $"only-of-tenant-{tenant}");

    static IEnumerable<string> OfTenant(int tenant) =>
        [$"transports/{MarkOf(tenant)}-t", $"routes/{MarkOf(tenant)}-r", $"templates/{MarkOf(tenant)}"];

    // For those who run the installation, and those on which something is written.
    static readonly string[] WithoutMarks = ["not-found", "tenants", "nodes", "settings", "schedules/new", "templates/new", "webhooks/new"];

    /// <summary>Something of everything, each with the mark in it.</summary>
    async Task FillAsync(TenantId tenant, string mark)
    {
        using var client = await _server.NewClientAsync(tenant, Scopes.All);
        foreach (var (path, body) in new[]
        {
            // It is caught: the tenant has no transport of its own yet.
            ("/emails", $$"""{"from":"a@example.com","to":"b@example.com","subject":"{{mark}}","text":"x"}"""),
            ("/transports", $$"""{"name":"{{mark}}-t","dsn":"sim://{{mark}}?refuse=1"}"""),
            ($"/transports/{mark}-t/pause", "{}"), ($"/transports/{mark}-t/resume", "{}"),
            ("/routes", $$"""{"name":"{{mark}}-r","transports":["{{mark}}-t"]}"""),
            ("/routes", $$"""{"name":"{{mark}}-waits","transports":["{{mark}}-t"]}"""),
            ("/pause", $$"""{"route":"{{mark}}-waits","reason":"{{mark}}"}"""),
            ("/suppressions", $$"""{"email":"{{mark}}@example.com"}"""),
            ("/templates", $$"""{"name":"{{mark}}","subject":"Hi","text":"x"}"""),
            ("/webhooks", $$"""{"url":"https://{{mark}}.example.com/hooks"}"""),
            ("/keys", $$"""{"name":"{{mark}}","scopes":["send"]}"""),
            ("/domains", $$"""{"name":"{{mark}}.example.com"}"""),
            ("/schedules", $$"""{"name":"{{mark}}","cron":"0 9 * * *","email":{"from":"a@example.com","subject":"x","text":"x"},"recipients":["b@example.com"]}"""),
            ("/batches", $$"""{"from":"a@example.com","subject":"{{mark}}","text":"x"}"""),
            // One that dies, one that waits.
            ("/emails", $$"""{"from":"a@example.com","to":"b@example.com","subject":"{{mark}}","text":"x","route":"{{mark}}-r"}"""),
            ("/emails", $$"""{"from":"a@example.com","to":"b@example.com","subject":"{{mark}}","text":"x","route":"{{mark}}-waits"}"""),
        })
        {
            using var answer = await client.PostAsync(path, TestServer.Json(body));
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync()}");
        }
        using var absent = await client.GetAsync($"/templates/{mark}-absent");
        foreach (var list in new[] { "/dead-letters", "/inbox", "/requests", "/audit", "/queue" })
            await Eventually.HoldsAsync(async () => (await client.GetStringAsync(list)).Contains(mark, StringComparison.Ordinal));
    }

    async Task<IReadOnlyList<string>> OffersAsync(UserRole role, string screen)
    {
        using var visitor = await Visitor.EnterAsync(_server, $"{role}-{screen.Replace('/', '-')}@screens.example", role);
        var main = MainOf(await visitor.Http.GetStringAsync($"/ui/{screen}"));
        return
        [
            .. Buttons().Matches(main).Select(m => WebUtility.HtmlDecode(Tags().Replace(m.Groups["text"].Value, "")).Trim())
                .Except(Harmless),
        ];
    }

    static string MainOf(string page) =>
        page[page.IndexOf("<main", StringComparison.Ordinal)..page.IndexOf("</main>", StringComparison.Ordinal)];

    [GeneratedRegex("<button[^>]*>(?<text>.*?)</button>", RegexOptions.Singleline)]
    private static partial Regex Buttons();

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tags();
}
