using System.Collections;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Cli;
using Postrider.Hosting;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>What whoever wrote a program is told of the calls that were refused to it.</summary>
public sealed class RequestTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task A_refused_call_is_told_to_its_tenant_with_pointer_and_problem_and_without_its_body()
    {
        using var client = await _server.NewClientAsync(TenantId.First, Scopes.Send | Scopes.Read);
        using var refused = await client.PostAsync("/emails", TestServer.Json(
            """{"from":"shop@example.com","to":["bea.tuft@example.org","nobody"],"subject":"a canary in the subject","text":"a canary in the text"}"""));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        var call = await NewestAsync(client, "POST /emails/", "POST /emails");
        Assert.Equal((422, "invalid-address", 1), ((int)call["status"]!, (string?)call["problem"], (int)call["times"]!));
        Assert.Equal("/to/1", (string?)call["errors"]![0]!["pointer"]);
        Assert.Equal(KeyOf(client), (string?)call["key"]);
        Assert.DoesNotContain("canary", call.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("bea.tuft", call.ToJsonString(), StringComparison.Ordinal);

        using var other = await _server.NewClientAsync(new TenantId(9), Scopes.All);
        Assert.Empty((await ListAsync(other, "/requests"))["data"]!.AsArray());
    }

    [Fact]
    public async Task What_a_key_may_not_do_and_what_is_not_there_are_in_it_and_what_went_well_is_not()
    {
        using var client = await _server.NewClientAsync(TenantId.First, Scopes.Read);
        using var denied = await client.PostAsync("/emails", TestServer.Json("{}"));
        Assert.Equal(HttpStatusCode.Forbidden, denied.StatusCode);
        using var absent = await client.GetAsync($"/emails/{new MessageId(12345)}");
        Assert.Equal(HttpStatusCode.NotFound, absent.StatusCode);
        using var fine = await client.GetAsync("/stats");
        Assert.Equal(HttpStatusCode.OK, fine.StatusCode);
        var path = $"/requests?key={KeyOf(client)}";
        var calls = await _server.GetAsync(path, answer => answer["data"]!.AsArray().Count > 1);
        Assert.Equal([("not-found", 404), ("insufficient-scope", 403)],
            calls["data"]!.AsArray().Select(call => ((string)call!["problem"]!, (int)call["status"]!)));
        Assert.Equal("GET /emails/{id}", (string?)calls["data"]![0]!["call"]);
        foreach (var asked in new[] { "call=get%20/emails", "status=404" })
            Assert.Equal("GET /emails/{id}", (string?)Assert.Single((await ListAsync(client, $"{path}&{asked}"))["data"]!.AsArray())!["call"]);
        using var unread = await client.GetAsync("/requests?status=200");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, unread.StatusCode);
    }

    [Fact]
    public async Task A_vendors_call_is_in_it_with_what_the_vendor_would_have_said()
    {
        var key = await _server.NewKeyAsync(TenantId.First, Scopes.Send);
        using var client = _server.NewClient(key.Secret);
        using var refused = await client.PostAsync("/sendgrid/v3/mail/send", TestServer.Json(
            """{"personalizations":[],"from":{"email":"shop@example.com"},"subject":"canary","content":[{"type":"text/plain","value":"canary"}]}"""));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        var calls = await _server.GetAsync($"/requests?key={key.Key.Id}", answer => answer["data"]!.AsArray().Count > 0);
        var call = Assert.Single(calls["data"]!.AsArray())!;
        Assert.Equal(("sendgrid", 400), ((string?)call["problem"], (int)call["status"]!));
        Assert.Contains("/v3/mail/send", (string?)call["call"], StringComparison.Ordinal);
        Assert.Contains("personalizations", (string?)call["detail"], StringComparison.Ordinal);
        Assert.DoesNotContain("canary", call.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Mail_by_smtp_that_is_refused_is_in_it_too()
    {
        await using var server = await TestServer.StartAsync(("SMTP", "127.0.0.1:0"));
        var key = await server.NewKeyAsync(TenantId.First, Scopes.Send);
        await using var client = await SmtpDialogue.GreetedAsync(
            new Uri(server.Services.GetRequiredService<SmtpListener>().Addresses[0]).Port);
        Assert.StartsWith("235", await client.AskAsync(
            "AUTH PLAIN " + Convert.ToBase64String(Encoding.ASCII.GetBytes($"\0app\0{key.Secret}"))));
        Assert.StartsWith("250", await client.AskAsync("MAIL FROM:<shop@example.com>"));
        Assert.StartsWith("250", await client.AskAsync("RCPT TO:<bea.tuft@example.org>"));
        Assert.StartsWith("354", await client.AskAsync("DATA"));
        Assert.StartsWith("5", await client.AskAsync(
            "From: shop@example.com\r\nFrom: another@example.com\r\nSubject: canary\r\n\r\ncanary\r\n."));
        var calls = await server.GetAsync($"/requests?key={key.Key.Id}", answer => answer["data"]!.AsArray().Count > 0);
        var call = Assert.Single(calls["data"]!.AsArray())!;
        Assert.Equal(("SMTP", "invalid-address", "/from"),
            ((string?)call["call"], (string?)call["problem"], (string?)call["errors"]![0]!["pointer"]));
        Assert.DoesNotContain("canary", call.ToJsonString(), StringComparison.Ordinal);
        Assert.DoesNotContain("bea.tuft", call.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_not_there_is_no_empty_list()
    {
        using var answer = await _server.Client.GetAsync("/requests?key=nobody-has-this");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.StatusCode);
        using var misspelt = await _server.Client.GetAsync("/requests?keys=x");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, misspelt.StatusCode);
    }

    [Fact]
    public async Task The_command_line_shows_them_by_the_name_of_the_key()
    {
        using var made = await _server.Client.PostAsync("/keys", TestServer.Json("""{"name":"checkout","scopes":["send"]}"""));
        using var client = _server.NewClient((string)JsonNode.Parse(await made.Content.ReadAsStringAsync())!["key"]!);
        using var refused = await client.PostAsync("/emails", TestServer.Json("""{"from":"a@example.com","to":"nobody"}"""));
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        await _server.GetAsync("/requests?key=checkout", answer => answer["data"]!.AsArray().Count > 0);
        var shown = await RunAsync("keys", "requests", "checkout", "--json");
        Assert.Equal("/to/0", (string?)JsonNode.Parse(shown)!["data"]![0]!["errors"]![0]!["pointer"]);
        Assert.Contains("422", await RunAsync("keys", "requests", "checkout"), StringComparison.Ordinal);
    }

    async Task<string> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var variables = new Hashtable { ["POSTRIDER_URL"] = _server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var code = await CommandLine.RunAsync(arguments, new CommandInput(variables, null), output, error);
        Assert.True(code == 0, error.ToString());
        return output.ToString();
    }

    /// <summary>The id of a key is the part of it that is no secret.</summary>
    static string KeyOf(HttpClient client) => client.DefaultRequestHeaders.Authorization is AuthenticationHeaderValue { Parameter: { } key }
        ? key.Split('_')[1] : "";

    static async Task<JsonNode> ListAsync(HttpClient client, string path) => (await client.GetFromJsonAsync<JsonNode>(path))!;

    async Task<JsonNode> NewestAsync(HttpClient client, params string[] routes)
    {
        var calls = await _server.GetAsync($"/requests?key={KeyOf(client)}", answer => answer["data"]!.AsArray().Count > 0);
        var call = Assert.Single(calls["data"]!.AsArray())!;
        Assert.Contains((string?)call["call"], routes);
        return call;
    }
}
