using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Tests;

/// <summary>Somebody at the dashboard without a browser: forms and cookies, no script.</summary>
public sealed partial class Visitor : IDisposable
{
    public const string Password = "seven quiet postmen walk";

    readonly SocketsHttpHandler _handler;

    public Visitor(TestServer server)
    {
        _handler = new SocketsHttpHandler { CookieContainer = Cookies, AllowAutoRedirect = false, UseProxy = false };
        Http = new HttpClient(_handler) { BaseAddress = server.Address };
    }

    public CookieContainer Cookies { get; } = new();
    public HttpClient Http { get; }

    /// <summary>A user who can sign in with <see cref="Password"/>.</summary>
    public static async Task<User> AddUserAsync(TestServer server, string name, UserRole role, TenantId? tenant = null)
    {
        var users = server.Services.GetRequiredService<Users>();
        var by = new Principal(tenant ?? TenantId.First, "test", Scopes.All, null, IsToken: false);
        var made = await users.AddAsync(by, name, role);
        var chosen = await users.ChoosePasswordAsync(made.Link!, "", Password, CancellationToken.None);
        return chosen.User!;
    }

    /// <summary>Somebody who has signed in, as a user who was added for it.</summary>
    public static async Task<Visitor> EnterAsync(TestServer server, string name, UserRole role, TenantId? tenant = null)
    {
        await AddUserAsync(server, name, role, tenant);
        var visitor = new Visitor(server);
        using var answer = await visitor.SignInAsync(name);
        return visitor;
    }

    public async Task<HttpResponseMessage> SignInAsync(string name, string password = Password, string path = "/ui")
    {
        var form = await FormAsync(path);
        form["Form.Name"] = name;
        form["Form.Password"] = password;
        return await Http.PostAsync(path, new FormUrlEncodedContent(form));
    }

    /// <summary>What the page's form would send along.</summary>
    public async Task<Dictionary<string, string>> FormAsync(string path) => HiddenOf(await Http.GetStringAsync(path));

    /// <summary>The hidden inputs of a page.</summary>
    public static Dictionary<string, string> HiddenOf(string page) => HiddenInputs().Matches(page).ToDictionary(
        m => m.Groups["name"].Value, m => WebUtility.HtmlDecode(m.Groups["value"].Value));

    /// <summary>Whether a page has this in its HTML.</summary>
    public async Task<bool> HasAsync(string path, string text) =>
        (await Http.GetStringAsync(path)).Contains(text, StringComparison.Ordinal);

    public void Dispose() => Http.Dispose();

    [GeneratedRegex("""<input type="hidden" name="(?<name>[^"]+)" value="(?<value>[^"]*)" ?/?>""")]
    private static partial Regex HiddenInputs();
}
