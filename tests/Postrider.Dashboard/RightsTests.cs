using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Postrider.Dashboard.Access;
using Postrider.Dashboard.Parts;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What each may see and do.</summary>
public sealed class RightsTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_viewer_changes_nothing_and_the_try_is_in_the_audit()
    {
        var tenant = new TenantId(7);
        foreach (var (role, isDone) in new[] { (UserRole.Viewer, false), (UserRole.Operator, true) })
        {
            var user = await Visitor.AddUserAsync(_server, $"{role}@rights.example", role, tenant);
            var wasChanged = false;
            var problem = await Actions(user).DoAsync(new NeedsAttribute(Scopes.Manage), "DELETE /inbox", "/inbox", by =>
            {
                Assert.Equal(tenant, by.Tenant);
                wasChanged = true;
                return Task.FromResult<Problem?>(null);
            });
            Assert.Equal((isDone, isDone), (problem is null, wasChanged));
            var audit = _server.Services.GetRequiredService<IAuditStore>();
            var entry = (await audit.ListAsync(tenant, new AuditFilter(), null, 1, CancellationToken.None))[0];
            Assert.Equal(($"user:{user.Name}", "DELETE /inbox", isDone ? 200 : 403), (entry.Key, entry.Action, entry.Status));
        }
    }

    [Fact]
    public async Task What_concerns_all_tenants_is_for_administrators_of_the_first()
    {
        var needs = new NeedsAttribute(Scopes.Admin) { Installation = true };
        foreach (var (name, role, tenant, isDone) in new[]
        {
            ("a", UserRole.Admin, new TenantId(7), false), ("b", UserRole.Operator, TenantId.First, false),
            ("c", UserRole.Admin, TenantId.First, true),
        })
        {
            var user = await Visitor.AddUserAsync(_server, $"{name}@installation.example", role, tenant);
            var problem = await Actions(user).DoAsync(needs, "POST /tenants", "/tenants", _ => Task.FromResult<Problem?>(null));
            Assert.Equal(isDone, problem is null);
        }
    }

    [Fact]
    public async Task A_viewer_is_offered_nothing_to_change()
    {
        var at = $"{TimeProvider.System.GetUtcNow().AddDays(9):yyyy-MM-ddTHH:mm:ssZ}";
        using var later = await _server.Client.PostAsync("/emails", TestServer.Json(
            $$"""{"from":"a@example.com","to":"b@example.com","subject":"later","text":"x","send_at":"{{at}}"}"""));
        var id = (string)JsonNode.Parse(await later.Content.ReadAsStringAsync())!["id"]!;
        foreach (var (role, isOffered) in new[] { (UserRole.Viewer, false), (UserRole.Operator, true) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{role}@offered.example", role);
            foreach (var (path, offer) in new[]
            {
                ($"/ui/messages/{id}", ">Cancel<"), ("/ui/inbox", ">Empty the inbox<"), ("/ui/compose", "id=\"c-from\""),
                ("/ui/", "href=\"compose\""),
            })
                Assert.Equal((path, isOffered), (path, await visitor.HasAsync(path, offer)));
        }
    }

    [Fact]
    public async Task Two_tenants_never_see_each_other()
    {
        using var sent = await _server.Client.PostAsync("/emails", TestServer.Json(
            """{"from":"a@example.com","to":"b@example.com","subject":"Of the first tenant alone","html":"<p>secret</p>"}"""));
        var id = (string)JsonNode.Parse(await sent.Content.ReadAsStringAsync())!["id"]!;
        await _server.GetEmailAsync(id, e => (string?)e["status"] == "complete");
        var inbox = (string)(await _server.GetAsync($"/inbox?message={id}", _ => true))["data"]![0]!["id"]!;
        foreach (var (name, tenant, sees) in new[] { ("own", TenantId.First, true), ("other", new TenantId(2), false) })
        {
            using var visitor = await Visitor.EnterAsync(_server, $"{name}@apart.example", UserRole.Admin, tenant);
            string[] pages =
                ["/ui/", "/ui/messages", "/ui/messages?address=b@example.com", "/ui/inbox", $"/ui/messages/{id}", $"/ui/inbox/{inbox}"];
            foreach (var path in pages)
                Assert.Equal((path, sees), (path, await visitor.HasAsync(path, "Of the first tenant alone")));
            foreach (var path in new[] { $"/ui/preview/messages/{id}", $"/ui/preview/inbox/{inbox}", $"/ui/preview/inbox/{inbox}/source" })
            {
                using var answer = await visitor.Http.GetAsync(path);
                Assert.Equal((path, sees ? HttpStatusCode.OK : HttpStatusCode.NotFound), (path, answer.StatusCode));
            }
        }
    }

    [Fact]
    public async Task What_is_stopped_or_breaks_is_in_the_audit_too()
    {
        var tenant = new TenantId(9);
        var actions = Actions(await Visitor.AddUserAsync(_server, "broken@rights.example", UserRole.Operator, tenant));
        await Assert.ThrowsAsync<OperationCanceledException>(() => actions.DoAsync(
            new NeedsAttribute(Scopes.Send), "POST /emails/cancel", "/emails", _ => throw new OperationCanceledException()));
        await Assert.ThrowsAsync<InvalidOperationException>(() => actions.DoAsync(
            new NeedsAttribute(Scopes.Send), "POST /emails/cancel", "/emails", _ => throw new InvalidOperationException()));
        var audit = _server.Services.GetRequiredService<IAuditStore>();
        var entries = await audit.ListAsync(tenant, new AuditFilter(), null, 10, CancellationToken.None);
        Assert.Equal([500, 499], entries.Where(entry => entry.Action == "POST /emails/cancel").Select(entry => entry.Status));
    }

    ScreenActions Actions(User user)
    {
        var viewer = new Viewer();
        var now = TimeProvider.System.GetUtcNow();
        viewer.Begin(new LiveSession(new SignedIn(new Session("s", user.Id, now, now, now.AddDays(1), null, ""), user)), null, "", null);
        return new ScreenActions(
            viewer, _server.Services.GetRequiredService<IAuditStore>(), TimeProvider.System, NullLogger<ScreenActions>.Instance);
    }
}
