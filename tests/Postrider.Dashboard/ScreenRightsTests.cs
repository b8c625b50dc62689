using System.Text.Json.Nodes;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Who sees what of batches, schedules, templates, webhooks and keys, and who is offered to change it.</summary>
public sealed class ScreenRightsTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_viewer_sees_each_and_is_offered_nothing_to_change()
    {
        var made = await MakeAsync();
        foreach (var (role, isOffered) in new[] { (UserRole.Viewer, false), (UserRole.Operator, true) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{role}@seen.example", role, TenantId.First);
            foreach (var (path, seen, offer) in new[]
            {
                ($"/ui/batches/{made.Batch}", "Batch of 2", ">Cancel<"), ("/ui/batches", "Of the first tenant", "href=\"compose/batch\""),
                ($"/ui/schedules/{made.Schedule}", "plan-of-the-first", ">Pause<"), ("/ui/schedules", "plan-of-the-first", "href=\"schedules/new\""),
                ($"/ui/templates/{made.Template}", "first-tenant", ">Save as a new version<"), ("/ui/templates", "first-tenant", "href=\"templates/new\""),
                ($"/ui/webhooks/{made.Webhook}", "hooks.example.com", ">Rotate the secret<"), ("/ui/webhooks", "hooks.example.com", "href=\"webhooks/new\""),
            })
            {
                var page = System.Net.WebUtility.HtmlDecode(await visitor.Http.GetStringAsync(path));
                Assert.True(page.Contains(seen, StringComparison.Ordinal), $"{role} does not see {path}");
                Assert.Equal((path, isOffered), (path, page.Contains(offer, StringComparison.Ordinal)));
            }
            foreach (var path in new[] { "/ui/compose/batch", "/ui/schedules/new", $"/ui/schedules/{made.Schedule}/edit", "/ui/webhooks/new" })
                Assert.Equal((path, !isOffered), (path, await visitor.HasAsync(path, "Not for you")));
            foreach (var path in new[] { "/ui/keys", "/ui/users", "/ui/tenants" })
                Assert.True(await visitor.HasAsync(path, "Not for you"));
        }
    }

    [Fact]
    public async Task Two_tenants_never_see_each_others()
    {
        var made = await MakeAsync();
        foreach (var (name, tenant, sees) in new[] { ("own", TenantId.First, true), ("other", new TenantId(2), false) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{name}@kept.example", UserRole.Admin, tenant);
            foreach (var (path, secret) in new[]
            {
                ("/ui/batches", "Of the first tenant"), ($"/ui/batches/{made.Batch}", "Batch of 2"),
                ("/ui/schedules", "plan-of-the-first"), ($"/ui/schedules/{made.Schedule}", "plan-of-the-first"), ($"/ui/schedules/{made.Schedule}/edit", "Of the first tenant"),
                ("/ui/templates", "first-tenant"), ($"/ui/templates/{made.Template}", "first-tenant"), ("/ui/templates/first-tenant", "Hi {{name}}"),
                ("/ui/compose", "first-tenant"),
                ("/ui/webhooks", "hooks.example.com"), ($"/ui/webhooks/{made.Webhook}", "hooks.example.com"),
                ("/ui/keys", ">POSTRIDER_API_KEY<"), ("/ui/users", "own@kept.example"),
            })
                Assert.Equal((path, sees), (path, await visitor.HasAsync(path, secret)));
        }
    }

    /// <summary>One of each, of the first tenant.</summary>
    async Task<(string Batch, string Schedule, string Template, string Webhook)> MakeAsync()
    {
        if (_made is { } before)
            return before;
        var at = $"{TimeProvider.System.GetUtcNow().AddDays(9):yyyy-MM-ddTHH:mm:ssZ}";
        _made = (
            await IdAsync("/emails/send", "batch_id", $$"""
                {"from":"a@example.com","destinations":["b@example.com","c@example.com"],"subject":"Of the first tenant","text":"x","send_at":"{{at}}"}
                """),
            await IdAsync("/schedules", "id", """
                {"name":"plan-of-the-first","cron":"0 9 * * *","email":{"from":"a@example.com","subject":"Of the first tenant","text":"x"},"recipients":["b@example.com"]}
                """),
            await IdAsync("/templates", "id", """{"name":"first-tenant","subject":"Hi {{name}}","text":"x"}"""),
            await IdAsync("/webhooks", "id", """{"url":"https://hooks.example.com/x"}"""));
        return _made.Value;
    }

    (string Batch, string Schedule, string Template, string Webhook)? _made;

    async Task<string> IdAsync(string path, string member, string body)
    {
        using var answer = await _server.Client.PostAsync(path, TestServer.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode || path == "/templates", text);
        return (string?)JsonNode.Parse(text)![member]
            ?? (string)(await _server.GetAsync("/templates/first-tenant", _ => true))["id"]!;
    }
}
