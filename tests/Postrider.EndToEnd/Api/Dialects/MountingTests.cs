using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Postrider.Messages;
using Postrider.Tenants;
using Xunit;

namespace Postrider.EndToEnd.Api.Dialects;

/// <summary>The vendors' APIs as parts of the server: where they are, who may call them, and that each refusal has the vendor's shape
/// whoever refuses.</summary>
public sealed class MountingTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Mail = """
        {"from":{"email":"s@example.com"},"subject":"Hi","content":[{"type":"text/plain","value":"t"}],
         "personalizations":[{"to":[{"email":"a@example.net"}]}]}
        """;

    readonly TestServer _server = shared.Server;

    [Theory]
    [InlineData("/v3/mail/send")]
    [InlineData("//v3//mail/send")]
    [InlineData("/sendgrid/v3/mail/send")]
    [InlineData("/sendgrid//v3/mail/send")]
    public async Task A_vendors_call_is_taken_at_the_root_and_below_the_vendors_name(string path)
    {
        using var answer = await _server.Client.SendAsync(Post(path, Mail));

        Assert.Equal((HttpStatusCode.Accepted, 0), (answer.StatusCode, (await answer.Content.ReadAsByteArrayAsync()).Length));
        var id = Assert.Single(answer.Headers.GetValues("X-Message-Id"));
        Assert.Equal("sent", (await _server.GetEmailAsync(id, e => (string?)e["status"] != "incomplete"))["recipients"]![0]!["status"]!.GetValue<string>());
        Assert.True(answer.Headers.Date is not null);
    }

    [Fact]
    public async Task Resends_prefix_leads_to_our_own_calls()
    {
        using var answer = await _server.Client.PostAsync("/resend//emails", TestServer.Json(
            """{"from":"s@example.com","to":"a@example.net","subject":"Hi","text":"t"}"""));
        using var refused = await _server.Client.PostAsync("/resend/emails", TestServer.Json("{}"));

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal(422, (await refused.Content.ReadFromJsonAsync<JsonNode>())!["statusCode"]!.GetValue<int>());
    }

    [Theory]
    [InlineData("/v3/mail/send", "application/json", 401, "\"errors\":[{\"message\":\"The provided authorization grant is invalid")]
    [InlineData("/v3/example.com/messages", "application/x-www-form-urlencoded", 401, "Forbidden")]
    [InlineData("/v2/email/outbound-emails", "application/json", 403, "\"__type\":\"MissingAuthenticationTokenException\"")]
    [InlineData("/email", "application/json", 401, "\"ErrorCode\":10")]
    public async Task A_call_without_a_key_is_refused_in_the_vendors_shape(string path, string type, int status, string words)
    {
        using var answer = await _server.Stranger.SendAsync(Post(path, "{}", type));

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Contains(words, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/sendgrid/nowhere", 404, "\"errors\"")]
    [InlineData("/mailgun/nowhere", 404, "{\"message\":\"Not Found\"}")]
    [InlineData("/ses/nowhere", 404, "\"__type\"")]
    [InlineData("/postmark/nowhere", 404, "\"ErrorCode\"")]
    public async Task An_unknown_path_below_a_vendors_name_is_refused_in_its_shape(string path, int status, string words)
    {
        using var answer = await _server.Client.GetAsync(path);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains(words, await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_without_the_scope_send_is_refused_in_the_vendors_shape()
    {
        using var reader = await _server.NewClientAsync(TenantId.First, Scopes.Read);

        using var answer = await reader.SendAsync(Post("/v3/mail/send", Mail));

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        Assert.Contains("{\"errors\":[{\"message\":\"This needs the scope send", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Postmarks_test_token_checks_for_anybody_and_stores_nothing()
    {
        const string Good = """{"From":"s@example.com","To":"tried@example.net","Subject":"Hi","TextBody":"t"}""";
        var (status, body) = await TryAsync(Good);
        var (refused, why) = await TryAsync(Good.Replace("tried@example.net", "nonsense", StringComparison.Ordinal));
        var (large, _) = await TryAsync(Good.Replace("\"t\"", $"\"{new string('t', 1_100_000)}\"", StringComparison.Ordinal));

        Assert.Equal((200, 0, Guid.Empty), (status, (int)body["ErrorCode"]!, Guid.Parse((string)body["MessageID"]!)));
        Assert.Equal((422, 300), (refused, (int)why["ErrorCode"]!));
        Assert.Equal(413, large);
        Assert.Empty((await _server.Client.GetFromJsonAsync<JsonNode>("/emails?address=tried@example.net"))!["data"]!.AsArray());

        async Task<(int, JsonNode)> TryAsync(string mail)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/email") { Content = TestServer.Json(mail) };
            request.Headers.Add("X-Postmark-Server-Token", "POSTMARK_API_TEST");
            using var answer = await _server.Stranger.SendAsync(request);
            return ((int)answer.StatusCode, (await answer.Content.ReadFromJsonAsync<JsonNode>())!);
        }
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_refused_in_the_vendors_shape()
    {
        await using var server = await TestServer.StartAsync(("SERVER__MAX_SEND_BYTES", "1000"));
        var large = Mail.Replace("\"t\"", $"\"{new string('t', 2_000)}\"", StringComparison.Ordinal);
        using var chunked = Post("/v3/mail/send", large, server: server);
        chunked.Headers.TransferEncodingChunked = true;

        using var told = await server.Client.SendAsync(Post("/v3/mail/send", large, server: server));
        using var found = await server.Client.SendAsync(chunked);

        Assert.Equal([(413, true), (413, true)],
            [((int)told.StatusCode, (await told.Content.ReadAsStringAsync()).StartsWith("{\"errors\":[{", StringComparison.Ordinal)),
             ((int)found.StatusCode, (await found.Content.ReadAsStringAsync()).StartsWith("{\"errors\":[{", StringComparison.Ordinal))]);
    }

    [Fact]
    public async Task A_compressed_body_is_read()
    {
        using var bytes = new MemoryStream();
        await using (var gzip = new System.IO.Compression.GZipStream(bytes, System.IO.Compression.CompressionLevel.Fastest,
            leaveOpen: true))
            await gzip.WriteAsync(Encoding.UTF8.GetBytes(Mail));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v3/mail/send") { Content = new ByteArrayContent(bytes.ToArray()) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Content.Headers.ContentEncoding.Add("gzip");

        using var answer = await _server.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    [Fact]
    public async Task Faults_are_named_by_the_vendors_own_fields_of_the_message_they_are_in()
    {
        var two = Mail.Replace("""}]}]}""", """}]},{"to":[{"email":"b@example.net"},{"email":"not an address"}]}]}""", StringComparison.Ordinal).TrimEnd();

        using var answer = await _server.Client.SendAsync(Post("/v3/mail/send", two));

        var body = (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
        Assert.Equal((HttpStatusCode.BadRequest, "personalizations.1.to.1.email"),
            (answer.StatusCode, body["errors"]!.AsArray().Single()!["field"]!.GetValue<string>()));
    }

    [Fact]
    public async Task A_template_that_is_not_stored_is_no_such_template()
    {
        using var answer = await _server.Client.SendAsync(Post("/v3/mail/send",
            """{"from":{"email":"s@example.com"},"template_id":"d-1","personalizations":[{"to":[{"email":"a@example.net"}],"dynamic_template_data":{}}]}"""));

        var error = (await answer.Content.ReadFromJsonAsync<JsonNode>())!["errors"]![0]!;
        Assert.Equal((HttpStatusCode.BadRequest, "template_id"), (answer.StatusCode, error["field"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Without_a_transport_the_refusal_is_the_vendors_503_with_the_time_to_wait()
    {
        await using var server = await TestServer.StartAsync(("ENVIRONMENT", "Production"));

        using var answer = await server.Client.SendAsync(Post("/v3/mail/send", Mail, server: server));

        Assert.Equal((HttpStatusCode.ServiceUnavailable, "60"), (answer.StatusCode, answer.Headers.RetryAfter?.ToString()));
        Assert.StartsWith("{\"errors\":[{", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_role_without_the_API_serves_no_dialect()
    {
        await using var server = await TestServer.StartAsync(("ROLES", "worker"));

        using var answer = await server.Client.SendAsync(Post("/v3/mail/send", Mail, server: server));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    HttpRequestMessage Post(string path, string body, string type = "application/json", TestServer? server = null) =>
        new(HttpMethod.Post, new Uri((server ?? _server).Address.GetLeftPart(UriPartial.Authority)
            + path))
        { Content = new StringContent(body, Encoding.UTF8, type) };
}
