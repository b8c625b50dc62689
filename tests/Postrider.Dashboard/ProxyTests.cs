using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Postrider.EndToEnd.Api;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Who calls, where a reverse proxy stands between: what a trusted one says is believed, what anybody else says is not.</summary>
public sealed class ProxyTests
{
    const string Name = "ann@example.com";

    static readonly (string, string) Trusted = ("TRUSTED_PROXIES", "127.0.0.1 10.9.0.0/16");
    static readonly (string, string) TrustedElsewhere = ("TRUSTED_PROXIES", "10.9.0.0/16");
    static readonly (string, string) Nobody = ("TRUSTED_PROXIES", "");

    public static TheoryData<(string, string), string, string> Callers => new()
    {
        { Trusted, "203.0.113.9", "203.0.113.9" },
        { Trusted, "2001:db8::7", "2001:db8::7" },
        // Through a second proxy of ours; and with what the client wrote itself before it.
        { Trusted, "203.0.113.9, 10.9.1.1", "203.0.113.9" },
        { Trusted, "127.0.0.1, 198.51.100.1, 203.0.113.9", "203.0.113.9" },
        { Trusted, "no address", "127.0.0.1" },
        { TrustedElsewhere, "203.0.113.9", "127.0.0.1" },
        { TrustedElsewhere, "203.0.113.9, 10.9.1.1", "127.0.0.1" },
        { Nobody, "203.0.113.9", "127.0.0.1" },
    };

    [Theory]
    [MemberData(nameof(Callers))]
    public async Task The_audit_names_who_called_and_not_what_a_stranger_wrote((string, string) trusted, string header, string caller)
    {
        await using var server = await TestServer.StartAsync(trusted);
        using var made = await SendAsync(
            server.Client, HttpMethod.Post, "/keys", TestServer.Json("""{"name":"k","scopes":["read"]}"""), header);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var audit = await server.GetAsync("/audit", answer => answer["data"]!.AsArray().Count > 0);
        Assert.Equal(caller, (string?)audit["data"]![0]!["address"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Guessing_slows_down_who_guesses_and_a_written_address_helps_nobody(bool isTrusted)
    {
        // The clock of the throttle stands still: what must wait waits for ever.
        await using var server = await TestServer.StartAsync(
            services => services.AddSingleton(new SignInThrottle(new ManualClock())), isTrusted ? Trusted : TrustedElsewhere);
        await Visitor.AddUserAsync(server, Name, UserRole.Viewer);
        var statuses = new List<HttpStatusCode>();
        for (var i = 0; i < 8; i++)
        {
            // Before a proxy that appends his own address; to us directly, with a new one each time.
            using var answer = await SignInAsync(
                server, "not the password at all", isTrusted ? $"198.51.100.{i}, 203.0.113.9" : $"198.51.100.{i}");
            statuses.Add(answer.StatusCode);
        }
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.TooManyRequests), (statuses[0], statuses[^1]));
        using var signedIn = await SignInAsync(server, Visitor.Password, "203.0.113.10");
        // Where nobody is believed they are one: that is what naming the proxy is for.
        Assert.Equal(isTrusted ? HttpStatusCode.SeeOther : HttpStatusCode.TooManyRequests, signedIn.StatusCode);
    }

    [Theory]
    [InlineData(true, "__Host-postrider=")]
    [InlineData(false, "postrider=")]
    public async Task The_cookie_is_for_https_alone_where_a_trusted_proxy_took_the_call_by_https(bool isTrusted, string cookie)
    {
        await using var server = await TestServer.StartAsync(isTrusted ? Trusted : TrustedElsewhere);
        await Visitor.AddUserAsync(server, Name, UserRole.Viewer);
        using var answer = await SignInAsync(server, Visitor.Password, "203.0.113.9");
        Assert.Equal(HttpStatusCode.SeeOther, answer.StatusCode);
        var session = Assert.Single(
            answer.Headers.GetValues("Set-Cookie"), one => one.Contains("postrider=", StringComparison.Ordinal));
        Assert.StartsWith(cookie, session, StringComparison.Ordinal);
        Assert.Equal(isTrusted, session.Contains("; secure", StringComparison.OrdinalIgnoreCase));
        Assert.Equal(isTrusted, answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Theory]
    [InlineData("0.0.0.0/0", "everybody")]
    [InlineData("::/0", "everybody")]
    [InlineData("proxy.example.com", "write an address, or a network")]
    public async Task Nobody_is_trusted_by_mistake(string setting, string words) =>
        Assert.Contains(words, (await Assert.ThrowsAsync<InvalidOperationException>(
            () => TestServer.StartAsync(("TRUSTED_PROXIES", setting)))).Message, StringComparison.Ordinal);

    /// <summary>A browser that has no other cookies: it brings those of the form back, which over https no client would send by
    /// http.</summary>
    static async Task<HttpResponseMessage> SignInAsync(TestServer server, string password, string header)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseCookies = false, UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = server.Address,
        };
        using var page = await SendAsync(client, HttpMethod.Get, "/ui", null, header);
        var form = Visitor.HiddenOf(await page.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        form["Form.Name"] = Name;
        form["Form.Password"] = password;
        client.DefaultRequestHeaders.Add("Cookie", page.Headers.GetValues("Set-Cookie").Select(cookie => cookie.Split(';')[0]));
        return await SendAsync(client, HttpMethod.Post, "/ui", new FormUrlEncodedContent(form), header);
    }

    static async Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string path, HttpContent? body, string header)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        request.Headers.Add("X-Forwarded-For", header);
        request.Headers.Add("X-Forwarded-Proto", "https");
        return await client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
