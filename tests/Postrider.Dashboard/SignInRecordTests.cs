using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>What is said of who signs in, and to whom.</summary>
public sealed class SignInRecordTests(SharedServer shared) : IClassFixture<SharedServer>
{
    static readonly TenantId Other = new(2);

    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task Sign_ins_and_failures_are_in_the_audit_of_the_users_tenant()
    {
        var user = await Visitor.AddUserAsync(_server, "watched@example.com", UserRole.Viewer, Other);
        using var visitor = new Visitor(_server);
        for (var i = 0; i < 12; i++)
        {
            using var wrong = await visitor.SignInAsync(user.Name, "not the password at all");
        }
        var failures = await EntriesAsync(Other, user.Name);
        Assert.Contains(failures, entry => entry.Status == 401);
        Assert.Contains(failures, entry => entry.Status == 429);
        // An entry a minute: twelve tries take two at most.
        Assert.InRange(failures.Count(entry => entry.Status == 401), 1, 2);
        Assert.All(failures, entry => Assert.Equal((SignInLog.SignIn, "/ui/sign-in", "127.0.0.1"), (entry.Action, entry.Target, entry.Address)));
        await Visitor.AddUserAsync(_server, "welcome@example.com", UserRole.Viewer, Other);
        using var signedIn = await visitor.SignInAsync("welcome@example.com");
        Assert.Equal(200, Assert.Single(await EntriesAsync(Other, "welcome@example.com")).Status);
    }

    [Fact]
    public async Task A_name_that_nobody_has_is_not_written_down()
    {
        using var visitor = new Visitor(_server);
        using var wrong = await visitor.SignInAsync("a-password-in-the-wrong-field", "x");
        var entries = await AuditAsync(TenantId.First);
        Assert.Contains(entries, entry => entry is { Key: SignInLog.Unknown, Status: 401 });
        Assert.DoesNotContain(entries, entry => entry.ToString().Contains("wrong-field", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_first_administrator_is_in_the_audit()
    {
        await using var server = await TestServer.StartAsync();
        using var visitor = new Visitor(server);
        var path = $"/ui/welcome?link={server.Services.GetRequiredService<FirstLink>().Text}";
        var form = await visitor.FormAsync(path);
        (form["Form.Name"], form["Form.Password"]) = ("first@example.com", Visitor.Password);
        using var made = await visitor.Http.PostAsync(path, new FormUrlEncodedContent(form));
        Assert.Equal(HttpStatusCode.SeeOther, made.StatusCode);
        var entries = await server.Services.GetRequiredService<IAuditStore>()
            .ListAsync(TenantId.First, new AuditFilter(), null, 10, CancellationToken.None);
        Assert.Contains(entries, entry => entry is { Key: "user:first@example.com", Action: SignInLog.Welcome, Status: 200 });
    }

    [Fact]
    public async Task A_tenant_does_not_learn_whose_user_somebody_is()
    {
        var users = _server.Services.GetRequiredService<Users>();
        await Visitor.AddUserAsync(_server, "boss@example.com", UserRole.Admin);
        var probe = (await users.AddAsync(AdminOf(Other), "boss@example.com", UserRole.Viewer)).Problem!;
        Assert.Equal("name-unusable", probe.Slug);
        Assert.DoesNotContain("already", probe.Detail, StringComparison.OrdinalIgnoreCase);
        // The control: the own tenant, which has the list, is told.
        Assert.Equal("user-exists", (await users.AddAsync(AdminOf(TenantId.First), "boss@example.com", UserRole.Viewer)).Problem!.Slug);
    }

    [Fact]
    public async Task A_session_that_has_ended_is_told_on_the_form_and_none_is_not()
    {
        const string Told = "Your session has ended";
        var user = await Visitor.AddUserAsync(_server, "over@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        Assert.DoesNotContain(Told, await visitor.Http.GetStringAsync("/ui/messages"));
        using var signedIn = await visitor.SignInAsync(user.Name);
        await _server.Services.GetRequiredService<Sessions>().EndAllAsync(user.Id);
        Assert.Contains(Told, await visitor.Http.GetStringAsync("/ui/messages?state=sent"));
        using var again = await visitor.SignInAsync(user.Name, path: "/ui/messages?state=sent");
        Assert.Equal("/ui/messages?state=sent", again.Headers.Location!.OriginalString);
    }

    [Theory]
    [InlineData("tenants")]
    [InlineData("nodes")]
    [InlineData("settings")]
    public async Task Another_tenants_administrator_is_told_whose_page_it_is(string screen)
    {
        using var visitor = await Visitor.EnterAsync(_server, $"{screen}@whose.example", UserRole.Admin, Other);
        var page = await visitor.Http.GetStringAsync($"/ui/{screen}");
        Assert.Contains("concerns the whole installation", page);
        Assert.DoesNotContain("needs more rights than your role", page);
    }

    static Principal AdminOf(TenantId tenant) => new(tenant, "test", Scopes.All, null, IsToken: false);

    Task<IReadOnlyList<AuditEntry>> AuditAsync(TenantId tenant) => _server.Services.GetRequiredService<IAuditStore>()
        .ListAsync(tenant, new AuditFilter(), null, 100, CancellationToken.None);

    async Task<IReadOnlyList<AuditEntry>> EntriesAsync(TenantId tenant, string name) =>
        [.. (await AuditAsync(tenant)).Where(entry => entry.Key == $"user:{name}")];
}
