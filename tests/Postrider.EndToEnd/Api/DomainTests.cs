using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Postrider.Mail.Dkim;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>From <c>POST /domains</c> to a signature that verifies at the other end, with DNS server and SMTP sink on loopback.</summary>
public sealed class DomainTests : IAsyncLifetime
{
    readonly ScriptedDns _dns = ScriptedDns.Start();
    readonly SmtpSink _sink = SmtpSink.Start(new() { Chunking = true });
    TestServer? _started;

    TestServer Server => _started!;

    public async ValueTask InitializeAsync() => _started = await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await _sink.DisposeAsync();
        await _dns.DisposeAsync();
    }

    [Fact]
    public async Task Mail_of_a_domain_whose_record_is_published_verifies_at_the_other_end()
    {
        var domain = await AddAsync("""{"name":"Bücher.example","selector":"S1","subdomains":true}""");
        Assert.Equal(("xn--bcher-kva.example", "s1"), ((string)domain["name"]!, (string)domain["keys"]![0]!["selector"]!));
        Assert.Equal((false, null), ((bool)domain["verified"]!, (string?)domain["signing_selector"]));
        await SendAsync("ann@bücher.example", "unsigned");
        Assert.DoesNotContain("DKIM-Signature", _sink.Messages[0].Text, StringComparison.Ordinal);

        var record = domain["keys"]![0]!["record"]!;
        Assert.Equal((string)record["value"]!, string.Concat(record["strings"]!.AsArray().Select(part => (string)part!)));
        _dns.Text((string)record["name"]!, (string)record["value"]!);
        _dns.Text("xn--bcher-kva.example", "v=spf1 -all");
        domain = await PostAsync("/domains/b%C3%BCcher.example/check");
        Assert.Equal(["dkim ok", "spf ok", "dmarc missing"],
            domain["checks"]!.AsArray().Select(check => $"{check!["kind"]} {check["state"]}"));
        Assert.Equal((true, "s1"), ((bool)domain["verified"]!, (string?)domain["signing_selector"]));

        foreach (var from in new[] { "Ann <ann@bücher.example>", "ann@news.bücher.example" })
            await SendAsync(from, "signed");
        Assert.All(_sink.Messages.Skip(1), message => Assert.Null(DkimVerifier.Verify(message.Content,
            name => name == (string)record["name"]! ? (string)record["value"]! : null)));
        var forged = _sink.Messages[1].Text.Replace("signed", "forged", StringComparison.Ordinal);
        Assert.Equal("the body was changed", DkimVerifier.Verify(Encoding.Latin1.GetBytes(forged), _ => (string)record["value"]!));
    }

    [Fact]
    public async Task A_key_is_changed_for_another_without_a_gap()
    {
        await AddAsync("""{"name":"example.com","selector":"old"}""");
        await PostAsync("/domains/example.com/keys/old/activate");
        var domain = await PostAsync("/domains/example.com/keys", """{"selector":"new"}""", HttpStatusCode.Created);
        Assert.Equal("old", (string?)domain["signing_selector"]);
        _dns.Text("new._domainkey.example.com", (string)domain["keys"]![1]!["record"]!["value"]!);
        domain = await PostAsync("/domains/example.com/check");
        Assert.Equal("new", (string?)domain["signing_selector"]);
        using var removed = await Server.Client.DeleteAsync("/domains/example.com/keys/old");
        Assert.Equal(HttpStatusCode.OK, removed.StatusCode);
        Assert.Single((await Server.Client.GetFromJsonAsync<JsonNode>("/domains"))!["data"]![0]!["keys"]!.AsArray());
    }

    [Fact]
    public async Task Where_a_bounce_domain_is_set_its_MX_is_looked_at_too()
    {
        await using var server = await StartAsync(("BOUNCE_DOMAIN", "bounce.example.com"));
        (await server.Client.PostAsync("/domains", TestServer.Json("""{"name":"example.com"}"""))).Dispose();
        _dns.MailHost("bounce.example.com", 10, "mx.example.com");
        using var answer = await server.Client.PostAsync("/domains/example.com/check", null);
        var checks = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["checks"]!.AsArray();
        var check = checks.Single(check => (string)check!["kind"]! == "bounce_mx")!;
        Assert.Equal(("bounce.example.com", "ok", "mx.example.com"),
            ((string)check["name"]!, (string)check["state"]!, (string)check["detail"]!));
    }

    // Row 23 of the table of bad inputs: unverified-sender, off for the first tenant.
    [Theory]
    [InlineData("others", 1, HttpStatusCode.Accepted)]
    [InlineData("others", 2, HttpStatusCode.Forbidden)]
    [InlineData("all", 1, HttpStatusCode.Forbidden)]
    [InlineData("none", 2, HttpStatusCode.Accepted)]
    public async Task A_sender_that_is_not_verified_is_refused_where_that_is_required(string require, int tenant, HttpStatusCode status)
    {
        await using var server = await StartAsync(("REQUIRE_VERIFIED_SENDERS", require));
        using var client = await server.NewClientAsync(new TenantId(tenant), Scopes.All);
        foreach (var path in new[] { "/emails", "/sendgrid/v3/mail/send" })
        {
            using var answer = await client.PostAsync(path, TestServer.Json(path == "/emails"
                ? Mail("ann@example.com", "x")
                : """
                  {"personalizations":[{"to":[{"email":"b@to.test"}]}],"from":{"email":"ann@example.com"},"subject":"s",
                  "content":[{"type":"text/plain","value":"x"}]}
                  """));
            Assert.Equal(status, answer.StatusCode);
            if (status == HttpStatusCode.Forbidden && path == "/emails")
                Assert.Equal("/problems/unverified-sender", (string?)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["type"]);
        }
    }

    [Fact]
    public async Task A_domain_of_one_tenant_is_nothing_to_another()
    {
        await AddAsync("""{"name":"example.com","selector":"s1"}""");
        using var other = await Server.NewClientAsync(new TenantId(2), Scopes.All);
        Assert.Empty((await other.GetFromJsonAsync<JsonNode>("/domains"))!["data"]!.AsArray());
        foreach (var (method, path) in new[]
        {
            ("GET", "/domains/example.com"), ("DELETE", "/domains/example.com"), ("POST", "/domains/example.com/check"),
            ("POST", "/domains/example.com/keys"), ("POST", "/domains/example.com/keys/s1/activate"),
            ("DELETE", "/domains/example.com/keys/s1"),
        })
        {
            using var theirs = await other.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
            var nowhere = path.Replace("example.com", "absent.example", StringComparison.Ordinal);
            using var absent = await other.SendAsync(new HttpRequestMessage(new HttpMethod(method), nowhere));
            Assert.Equal(HttpStatusCode.NotFound, theirs.StatusCode);
            Assert.Equal(await absent.Content.ReadAsStringAsync(), await theirs.Content.ReadAsStringAsync());
        }
        Assert.NotNull(await Server.Client.GetFromJsonAsync<JsonNode>("/domains/example.com"));
    }

    [Theory]
    [InlineData("""{"name":"localhost"}""", "invalid-field", 422)]
    [InlineData("""{"name":7}""", "invalid-field", 422)]
    [InlineData("""{}""", "invalid-field", 422)]
    [InlineData("""{"name":"example.com","selector":"a b"}""", "invalid-field", 422)]
    [InlineData("""{"name":"example.com","subdomains":"yes"}""", "invalid-field", 422)]
    [InlineData("""{"name":"example.com","tenant_id":2}""", "unknown-field", 422)]
    [InlineData("""{"name":"taken.example"}""", "domain-exists", 409)]
    [InlineData("""{"name":""", "malformed-json", 400)]
    public async Task Bad_domains_are_refused(string body, string slug, int status)
    {
        await AddAsync("""{"name":"taken.example"}""");
        using var answer = await Server.Client.PostAsync("/domains", TestServer.Json(body));
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal($"/problems/{slug}", (string?)(await answer.Content.ReadFromJsonAsync<JsonNode>())!["type"]);
        Assert.Single((await Server.Client.GetFromJsonAsync<JsonNode>("/domains"))!["data"]!.AsArray());
    }

    [Fact]
    public async Task No_answer_and_no_file_holds_a_private_key()
    {
        var added = await AddAsync("""{"name":"example.com"}""");
        Assert.DoesNotContain("private", added.ToJsonString(), StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("sealed", added.ToJsonString(), StringComparison.OrdinalIgnoreCase);
        // The version and the algorithm of every PKCS #8 file with an RSA key.
        byte[] pkcs8 = [0x02, 0x01, 0x00, 0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00, 0x04];
        Assert.True(DkimKey.Generate().AsSpan().IndexOf(pkcs8) >= 0);
        foreach (var file in (string[])["postrider.db", "postrider.db-wal"])
            Assert.True(ReadShared(Path.Combine(Server.Folder, file)).AsSpan().IndexOf(pkcs8) < 0, file);
    }

    static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    Task<TestServer> StartAsync(params (string Name, string Value)[] settings) => TestServer.StartAsync(
        [("DNS", _dns.Address.ToString()), ("TRANSPORTS", $"out=smtp://{SmtpSink.Host}:{_sink.Port}"), .. settings]);

    async Task SendAsync(string from, string text)
    {
        var before = _sink.Count;
        using var answer = await Server.Client.PostAsync("/emails", TestServer.Json(Mail(from, text)));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await _sink.WaitForAsync(before + 1);
    }

    static string Mail(string from, string text) =>
        new JsonObject { ["from"] = from, ["to"] = "b@to.test", ["subject"] = "Grüße", ["text"] = text }.ToJsonString();

    Task<JsonNode> AddAsync(string body) => PostAsync("/domains", body, HttpStatusCode.Created);

    async Task<JsonNode> PostAsync(string path, string? body = null, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var answer = await Server.Client.PostAsync(path, body is null ? null : TestServer.Json(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == answer.StatusCode, text);
        return JsonNode.Parse(text)!;
    }
}
