using System.Net;
using System.Net.WebSockets;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Dashboard.Access;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.Dashboard.Tests;

/// <summary>Who gets in, and what nobody can do from outside.</summary>
public sealed class SignInTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("/ui")]
    [InlineData("/ui/")]
    [InlineData("/ui/messages?state=sent")]
    [InlineData("/ui/no-such-page")]
    public async Task Whoever_is_not_signed_in_sees_the_form_whatever_is_asked_for(string path)
    {
        using var visitor = new Visitor(_server);
        using var answer = await visitor.Http.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var page = await answer.Content.ReadAsStringAsync();
        Assert.Contains("<form method=\"post\"", page);
        Assert.Contains("type=\"password\"", page);
        Assert.Contains($"action=\"{path}\"", page);
        Assert.DoesNotContain("blazor.web.js", page);
    }

    [Fact]
    public async Task Signing_in_leads_to_what_was_asked_for()
    {
        await Visitor.AddUserAsync(_server, "lead@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        using var answer = await visitor.SignInAsync("LEAD@example.com", path: "/ui/messages?state=sent");
        Assert.Equal((HttpStatusCode.SeeOther, "/ui/messages?state=sent"), (answer.StatusCode, answer.Headers.Location!.OriginalString));
        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"), c => c.StartsWith("postrider=", StringComparison.Ordinal));
        Assert.Contains("httponly", cookie);
        Assert.Contains("samesite=strict", cookie);
        Assert.Contains("Messages", await visitor.Http.GetStringAsync("/ui/messages?state=sent"));
    }

    [Fact]
    public async Task An_unknown_name_and_a_wrong_password_get_the_same_answer()
    {
        await Visitor.AddUserAsync(_server, "known@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        using var wrong = await visitor.SignInAsync("known@example.com", "not the password at all");
        using var unknown = await visitor.SignInAsync("nobody@example.com", "not the password at all");
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (wrong.StatusCode, unknown.StatusCode));
        Assert.Contains("Name or password is not right", await wrong.Content.ReadAsStringAsync());
        Assert.Contains("Name or password is not right", await unknown.Content.ReadAsStringAsync());
        Assert.DoesNotContain(wrong.Headers.TryGetValues("Set-Cookie", out var cookies) ? cookies : [],
            c => c.StartsWith("postrider=", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_form_without_the_token_of_its_page_is_refused()
    {
        await Visitor.AddUserAsync(_server, "forged@example.com", UserRole.Admin);
        using var visitor = new Visitor(_server);
        var form = await visitor.FormAsync("/ui");
        form["Form.Name"] = "forged@example.com";
        form["Form.Password"] = Visitor.Password;
        form.Remove("__RequestVerificationToken");
        using var answer = await visitor.Http.PostAsync("/ui", new FormUrlEncodedContent(form));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.False(answer.Headers.Contains("Location"));
    }

    [Fact]
    public async Task Nobody_signs_another_out_from_another_site()
    {
        await Visitor.AddUserAsync(_server, "stays@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        using var signedIn = await visitor.SignInAsync("stays@example.com");
        using var answer = await visitor.Http.PostAsync("/ui/sign-out", new FormUrlEncodedContent([]));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("Overview", await visitor.Http.GetStringAsync("/ui/"));
    }

    [Theory]
    [InlineData("https://evil.example")]
    [InlineData("http://127.0.0.1:1")]
    [InlineData("null")]
    [InlineData(null)]
    public async Task A_connection_that_another_site_asks_for_is_refused(string? origin)
    {
        using var visitor = new Visitor(_server);
        var user = await Visitor.AddUserAsync(_server, $"s{origin?.Length ?? 0}@example.com", UserRole.Viewer);
        using var signedIn = await visitor.SignInAsync(user.Name);
        Assert.Equal(HttpStatusCode.SeeOther, signedIn.StatusCode);
        var refused = await Assert.ThrowsAsync<WebSocketException>(() => ConnectAsync(visitor, origin));
        Assert.Contains("403", refused.Message);
        // The control: the same from our own page is let in.
        using var own = await ConnectAsync(visitor, _server.Address.GetLeftPart(UriPartial.Authority));
        Assert.Equal(WebSocketState.Open, own.State);
    }

    [Fact]
    public async Task A_connection_without_a_session_is_refused()
    {
        using var stranger = new Visitor(_server);
        var refused = await Assert.ThrowsAsync<WebSocketException>(
            () => ConnectAsync(stranger, _server.Address.GetLeftPart(UriPartial.Authority)));
        Assert.Contains("401", refused.Message);
    }

    [Fact]
    public async Task One_user_cannot_open_pages_without_end()
    {
        var user = await Visitor.AddUserAsync(_server, "many@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        using var signedIn = await visitor.SignInAsync(user.Name);
        var open = new List<ClientWebSocket>();
        try
        {
            for (var i = 0; i < LiveSessions.MaxOfUser; i++)
                open.Add(await ConnectAsync(visitor, _server.Address.GetLeftPart(UriPartial.Authority)));
            var refused = await Assert.ThrowsAsync<WebSocketException>(
                () => ConnectAsync(visitor, _server.Address.GetLeftPart(UriPartial.Authority)));
            Assert.Contains("429", refused.Message);
        }
        finally
        {
            open.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task A_revoked_session_takes_its_connections_with_it()
    {
        var user = await Visitor.AddUserAsync(_server, "revoked@example.com", UserRole.Admin);
        using var visitor = new Visitor(_server);
        using var signedIn = await visitor.SignInAsync(user.Name);
        using var socket = await ConnectAsync(visitor, _server.Address.GetLeftPart(UriPartial.Authority));
        var began = TimeProvider.System.GetTimestamp();
        Assert.Equal(1, await _server.Services.GetRequiredService<Sessions>().EndAllAsync(user.Id));
        var buffer = new byte[1024];
        await Assert.ThrowsAnyAsync<WebSocketException>(async () =>
        {
            while (true)
                await socket.ReceiveAsync(buffer, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System);
        });
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(20));
        using var after = await visitor.Http.GetAsync("/ui/session");
        Assert.Equal(HttpStatusCode.Unauthorized, after.StatusCode);
    }

    [Fact]
    public async Task Guessing_is_slowed_down_and_locks_out_nobody_else()
    {
        await Visitor.AddUserAsync(_server, "victim@example.com", UserRole.Viewer);
        var users = _server.Services.GetRequiredService<Users>();
        var answers = new List<int>();
        for (var i = 0; i < 8; i++)
            answers.Add((await users.SignInAsync("victim@example.com", "a guess that is wrong", "203.0.113.9", CancellationToken.None)).Problem!.Status);
        Assert.Equal(429, answers[^1]);
        Assert.Contains(401, answers);
        // Even with the right password now.
        Assert.Equal(429, (await users.SignInAsync("victim@example.com", Visitor.Password, "203.0.113.9", CancellationToken.None)).Problem!.Status);
        Assert.NotNull((await users.SignInAsync("victim@example.com", Visitor.Password, "198.51.100.7", CancellationToken.None)).User);
    }

    [Fact]
    public async Task A_link_is_good_once()
    {
        var users = _server.Services.GetRequiredService<Users>();
        var by = new Principal(TenantId.First, "test", Scopes.All, null, IsToken: false);
        var made = await users.AddAsync(by, "once@example.com", UserRole.Viewer);
        Assert.Null((await users.ChoosePasswordAsync(made.Link!, "", Visitor.Password, CancellationToken.None)).Problem);
        Assert.Equal("link-ended", (await users.ChoosePasswordAsync(made.Link!, "", Visitor.Password, CancellationToken.None)).Problem!.Slug);
        var reset = await users.ResetAsync(by, made.User!.Id);
        Assert.NotEqual(made.Link, reset.Link);
        Assert.NotNull(await users.OpenAsync(reset.Link!, CancellationToken.None));
        Assert.Null(await users.OpenAsync(made.Link!, CancellationToken.None));
    }

    [Theory]
    [InlineData("/ui")]
    [InlineData("/ui/assets/ui.css")]
    [InlineData("/ui/session")]
    [InlineData("/ui/preview/messages/none")]
    public async Task Every_answer_tells_the_browser_what_not_to_do(string path)
    {
        using var visitor = new Visitor(_server);
        using var answer = await visitor.Http.GetAsync(path);
        var policy = answer.Headers.GetValues("Content-Security-Policy").Single();
        Assert.Contains("default-src 'none'", policy);
        Assert.Contains("frame-ancestors 'none'", policy);
        Assert.Matches("script-src 'nonce-[A-Za-z0-9+/=]{24}' 'strict-dynamic'", policy);
        Assert.DoesNotContain("script-src 'unsafe-inline'", policy);
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
        Assert.Equal("no-referrer", answer.Headers.GetValues("Referrer-Policy").Single());
        Assert.Equal("same-origin", answer.Headers.GetValues("Cross-Origin-Opener-Policy").Single());
    }

    [Fact]
    public async Task Nothing_of_a_session_or_a_password_can_be_read_from_the_database()
    {
        var user = await Visitor.AddUserAsync(_server, "stored@example.com", UserRole.Viewer);
        using var visitor = new Visitor(_server);
        using var signedIn = await visitor.SignInAsync(user.Name);
        var secret = visitor.Cookies.GetCookies(_server.Address)["postrider"]!.Value;
        var files = Directory.GetFiles(_server.Folder, "postrider.db*").Where(file => !file.EndsWith(".lock", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            var bytes = new byte[stream.Length];
            await stream.ReadExactlyAsync(bytes);
            Assert.True(bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(secret)) < 0);
            Assert.True(bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(Visitor.Password)) < 0);
            // Keys of the framework's protection are XML.
            Assert.True(bytes.AsSpan().IndexOf("masterKey"u8) < 0);
        }
    }

    async Task<ClientWebSocket> ConnectAsync(Visitor visitor, string? origin)
    {
        var socket = new ClientWebSocket();
        socket.Options.Cookies = visitor.Cookies;
        socket.Options.CollectHttpResponseDetails = true;
        if (origin is not null)
            socket.Options.SetRequestHeader("Origin", origin);
        try
        {
            await socket.ConnectAsync(new UriBuilder(_server.Address) { Scheme = "ws", Path = "/ui/_blazor" }.Uri, CancellationToken.None);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

/// <summary>The first administrator.</summary>
public sealed class FirstAdministratorTests
{
    [Fact]
    public async Task The_printed_link_makes_one_administrator_and_no_second()
    {
        await using var server = await TestServer.StartAsync();
        var link = server.Services.GetRequiredService<FirstLink>().Text!;
        using var visitor = new Visitor(server);
        Assert.Contains("Nobody can sign in yet", await visitor.Http.GetStringAsync("/ui"));
        var path = $"/ui/welcome?link={link}";
        var form = await visitor.FormAsync(path);
        form["Form.Name"] = "first@example.com";
        form["Form.Password"] = "short";
        using var refused = await visitor.Http.PostAsync(path, new FormUrlEncodedContent(form));
        Assert.Contains("at least 12 characters", await refused.Content.ReadAsStringAsync());
        form["Form.Password"] = Visitor.Password;
        using var made = await visitor.Http.PostAsync(path, new FormUrlEncodedContent(form));
        Assert.Equal(HttpStatusCode.SeeOther, made.StatusCode);
        var page = await visitor.Http.GetStringAsync("/ui/");
        Assert.Contains("first@example.com", page);
        Assert.Contains("Admin of this installation", page);
        using var second = new Visitor(server);
        Assert.Contains("not good any more", await second.Http.GetStringAsync(path));
        Assert.DoesNotContain("Nobody can sign in yet", await second.Http.GetStringAsync("/ui"));
        Assert.Null(await server.Services.GetRequiredService<Users>().FirstLinkAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Without_the_role_there_is_no_dashboard()
    {
        await using var server = await TestServer.StartAsync(("ROLES", "api worker"));
        using var answer = await server.Stranger.GetAsync("/ui");
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }
}
