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
    const string Mark = "only-of-tenant-eight";

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
        var tenant = new TenantId(8);
        using var client = await _server.NewClientAsync(tenant, Scopes.All);
        foreach (var (path, body) in new[]
        {
            ("/transports", $$"""{"name":"{{Mark}}-t","dsn":"sim://{{Mark}}?refuse=1"}"""),
            ("/routes", $$"""{"name":"{{Mark}}-r","transports":["{{Mark}}-t"]}"""),
            ("/suppressions", $$"""{"email":"{{Mark}}@example.com"}"""),
            ("/emails", $$"""{"from":"a@example.com","to":"b@example.com","subject":"{{Mark}}","text":"x"}"""),
            ("/pause", $$"""{"route":"{{Mark}}-r","reason":"{{Mark}}"}"""),
        })
        {
            using var answer = await client.PostAsync(path, TestServer.Json(body));
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {await answer.Content.ReadAsStringAsync()}");
        }
        await Eventually.HoldsAsync(async () => (await client.GetStringAsync("/dead-letters")).Contains(Mark, StringComparison.Ordinal));
        using var inside = await Visitor.EnterAsync(_server, "own@eight.example", UserRole.Admin, tenant);
        using var outside = await Visitor.EnterAsync(_server, "other@nine.example", UserRole.Admin, new TenantId(9));
        var seen = new List<string>();
        foreach (var screen in Addresses.Concat([$"transports/{Mark}-t", $"routes/{Mark}-r"]))
        {
            // The page says back what it was asked for.
            var page = MainOf(await outside.Http.GetStringAsync($"/ui/{screen}"));
            var told = screen.Contains(Mark, StringComparison.Ordinal)
                ? page.Replace(screen.Split('/')[1], "", StringComparison.Ordinal) : page;
            Assert.False(told.Contains(Mark, StringComparison.Ordinal), $"{screen} shows another tenant's.");
            if (MainOf(await inside.Http.GetStringAsync($"/ui/{screen}")).Contains(Mark, StringComparison.Ordinal))
                seen.Add(screen);
        }
        // The control: its own tenant sees it.
        foreach (var screen in new[]
        {
            "messages", "queue", "dead-letters", "dead-letters/mails", "routes", $"routes/{Mark}-r", "transports", $"transports/{Mark}-t",
        })
            Assert.Contains(screen, seen);
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
