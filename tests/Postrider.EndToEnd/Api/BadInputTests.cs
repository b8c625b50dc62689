using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>Bad input over HTTP: each kind has its own answer, and nothing is stored.</summary>
public sealed class BadInputTests(SharedServer shared) : IClassFixture<SharedServer>
{
    const string Good = """ "from":"a@example.com","to":"b@example.com","subject":"S","text":"T" """;

    readonly TestServer _server = shared.Server;

    public static TheoryData<string, string, int, string> Bodies()
    {
        var rows = new TheoryData<string, string, int, string>
        {
            { "malformed", "{", 400, "malformed-json" },
            { "truncated", """{"from":"a@example.com","to""", 400, "malformed-json" },
            { "duplicate key", """{"to":"a@example.com","to":"b@example.com"}""", 400, "malformed-json" },
            { "unknown property", With(""" "colour":"red" """), 422, "unknown-field" },
            { "number as string", With(""" "expires_in":"3600" """), 422, "invalid-field" },
            { "NaN", With(""" "expires_in":"NaN" """), 422, "invalid-field" },
            { "1e400", With(""" "expires_in":1e400"""), 422, "invalid-field" },
            { "-0", With(""" "expires_in":-0"""), 422, "invalid-field" },
            { "no recipients", """{"from":"a@example.com","subject":"S"}""", 422, "no-recipients" },
            { "empty to", """{"from":"a@example.com","to":[],"subject":"S"}""", 422, "no-recipients" },
            { "1,001 recipients", $$"""{"from":"a@example.com","subject":"S","to":[{{Addresses(1001)}}]}""", 422, "too-many-recipients" },
            { "a@b", To("a@b"), 422, "invalid-address" },
            { "@x.com", To("@x.com"), 422, "invalid-address" },
            { "a@", To("a@"), 422, "invalid-address" },
            { "a b@x.com", To("a b@x.com"), 422, "invalid-address" },
            { "a@x..com", To("a@x..com"), 422, "invalid-address" },
            { "CR LF in a quoted local part", To("""\"a\r\nRCPT TO:<e@evil.example>\"@x.com"""), 422, "invalid-address" },
            { "local part 65", To(new string('a', 65) + "@example.com"), 422, "invalid-address" },
            { "domain 256", To("a@" + string.Join('.', Enumerable.Repeat(new string('d', 63), 4)) + ".com"), 422, "invalid-address" },
            { "IPv4 literal", To("user@[127.0.0.1]"), 422, "invalid-address" },
            { "IPv6 literal", To("user@[IPv6:::1]"), 422, "invalid-address" },
            { "localhost", To("user@localhost"), 422, "invalid-address" },
            { "CR LF in the subject", """{"from":"a@example.com","to":"b@example.com","subject":"Hi\r\nBcc: v@evil.example"}""", 422, "header-injection" },
            { "200 headers", With($$""" "headers":{ {{Headers(200)}} }"""), 422, "too-many-headers" },
            { "a header of 100 KB", With($$""" "headers":{"X-A":"{{new string('x', 100_000)}}"}"""), 422, "too-many-headers" },
            { "bad base64", With(""" "attachments":[{"filename":"a.txt","content":"%%%"}]"""), 422, "invalid-attachment" },
            { "over the limit", With($$""" "attachments":[{"filename":"a.bin","content":"{{new string('A', 36_000_000)}}"}]"""), 413, "too-large" },
            { "attachment by URL", With(""" "attachments":[{"filename":"a","path":"http://169.254.169.254/"}]"""), 422, "url-not-allowed" },
            { "HTML of 20 MB", With($$""" "html":"{{new string('x', 20_000_000)}}" """), 413, "too-large" },
            { "beyond a year", With(""" "send_at":"2199-01-01T00:00:00Z" """), 422, "invalid-time" },
            { "no zone", With(""" "send_at":"2027-01-01T00:00:00" """), 422, "invalid-time" },
            { "no such day", With(""" "send_at":"2027-02-30T00:00:00Z" """), 422, "invalid-time" },
            { "negative", With(""" "expires_in":-5"""), 422, "invalid-field" },
            { "beyond the limit", With(""" "expires_in":"400d" """), 422, "invalid-field" },
            { "tenant_id", With(""" "tenant_id":2"""), 422, "unknown-field" },
            { "tracking that is neither on nor off", With(""" "track":{"opens":1} """), 422, "invalid-field" },
            { "a route that is not there", With(""" "route":"nowhere" """), 422, "invalid-field" },
        };
        foreach (var name in (string[])["X: y", "Bcc", "Received", "DKIM-Signature", ""])
            rows.Add($"header {name}", With($$""" "headers":{"{{name}}":"v"}"""), 422, "forbidden-header");
        foreach (var value in (string[])[@"a\rb", @"a\nb", @"a\u0000b", @"a\u2028b", @"a\r\n b"])
            rows.Add($"header value {value}", With($$""" "headers":{"X-A":"{{value}}"}"""), 422, "header-injection");
        return rows;
    }

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_bad_body_is_refused_and_nothing_is_stored(string row, string body, int status, string slug)
    {
        var before = await AcceptedAsync();
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(body));
        await AssertProblemAsync(response, status, slug, row);
        Assert.Equal(before, await AcceptedAsync());
    }

    [Theory]
    [InlineData("""{"from":"a@example.com","to":["b@example.com","c@example.com","nothing"],"subject":"S"}""", "/to/2")]
    [InlineData("""{"from":"nothing","to":"b@example.com","subject":"S"}""", "/from")]
    [InlineData("""{"from":"a@example.com","to":"b@example.com","subject":"S","cc":{"email":"x@"}}""", "/cc")]
    public async Task The_place_of_a_fault_is_named(string body, string pointer)
    {
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(body));
        var problem = await AssertProblemAsync(response, 422, "invalid-address");
        Assert.StartsWith(pointer, (string?)problem["errors"]![0]!["pointer"]);
    }

    [Fact]
    public async Task An_empty_attachment_is_accepted()
    {
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(With(""" "attachments":[{"filename":"a.txt","content":""}]""")));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    [Fact]
    public async Task A_time_that_is_past_means_now()
    {
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(With(""" "send_at":"2001-01-01T00:00:00Z" """)));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("queued", (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["recipients"]![0]!["status"]);
    }

    [Fact]
    public async Task A_body_over_the_limit_is_refused_at_the_header()
    {
        var answer = await RawHttp.SendAsync(_server.Address, Head("Content-Length: 70000000"));
        Assert.StartsWith("HTTP/1.1 413", answer); // without a byte of the body sent
        Assert.Contains("/problems/too-large", answer);
    }

    [Fact]
    public async Task A_body_without_length_is_refused_at_the_limit()
    {
        var chunk = "F4240\r\n" + new string(' ', 1_000_000) + "\r\n";
        var answer = await RawHttp.SendAsync(_server.Address, [Head("Transfer-Encoding: chunked"), .. Enumerable.Repeat(chunk, 70)]);
        Assert.StartsWith("HTTP/1.1 413", answer);
        Assert.Contains("/problems/too-large", answer);
    }

    [Fact]
    public async Task A_compressed_bomb_is_refused_at_the_decompressed_limit()
    {
        using var bomb = new MemoryStream();
        await using (var gzip = new GZipStream(bomb, CompressionLevel.Fastest, leaveOpen: true))
            for (var i = 0; i < 1_000; i++)
                await gzip.WriteAsync(new byte[1_000_000]);
        using var response = await _server.Client.PostAsync("/emails", Compressed(bomb.ToArray(), "gzip"));
        await AssertProblemAsync(response, 413, "too-large");
    }

    [Fact]
    public async Task What_is_misspelt_or_absent_is_answered_with_what_there_is()
    {
        using var field = await _server.Client.PostAsync("/emails", TestServer.Json($$"""{{{Good}},"sendAt":"2030-01-01T00:00:00Z"}"""));
        Assert.Contains("fields are written like send_at", await field.Content.ReadAsStringAsync());
        Assert.Contains("there are limit, after, before, state, address",
            await (await _server.Client.GetAsync("/emails?adress=x")).Content.ReadAsStringAsync());
        Assert.Contains("There is no message with this id",
            await (await _server.Client.GetAsync("/emails/01a200b7-9b5c-7004-802b-978fb1c7e462")).Content.ReadAsStringAsync());
        Assert.Equal(("cancelled", "all 3 cancelled", "failed: bounced", "complete"), (Postrider.Cli.Screen.State("failed", "cancelled"),
            Postrider.Cli.Screen.State("failed", "all 3 cancelled"), Postrider.Cli.Screen.State("failed", "bounced"),
            Postrider.Cli.Screen.State("complete", null)));
    }

    [Theory]
    [InlineData("/emails", "gzip")]
    [InlineData("/emails", "br")]
    [InlineData("/emails", "deflate")]
    [InlineData("/emails/batch", "gzip")]
    [InlineData("/emails/batch", "br")]
    [InlineData("/v3/mail/send", "gzip")]
    [InlineData("/v3/mail/send", "br")]
    public async Task A_body_that_is_not_compressed_as_it_says_is_the_clients_fault(string path, string encoding)
    {
        using var response = await _server.Client.PostAsync(path, Compressed(Encoding.UTF8.GetBytes($"{{{Good}}}"), encoding));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("Content-Encoding", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("gzip", 202, "")]
    [InlineData("zstd", 415, "unsupported-media-type")]
    [InlineData("gzip, gzip", 415, "unsupported-media-type")]
    public async Task A_compressed_body_is_taken_where_the_coding_is_known(string encoding, int status, string slug)
    {
        using var bytes = new MemoryStream();
        await using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
            await gzip.WriteAsync(Encoding.UTF8.GetBytes($"{{{Good}}}"));
        using var response = await _server.Client.PostAsync("/emails", Compressed(bytes.ToArray(), encoding));
        if (status == 202)
            Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        else
            await AssertProblemAsync(response, status, slug);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("multipart/form-data")]
    [InlineData("application/json; charset=utf-16")]
    [InlineData("nothing")]
    [InlineData(null)]
    public async Task Another_media_type_is_refused(string? type)
    {
        var header = type is null ? "" : $"Content-Type: {type}\r\n";
        var answer = await RawHttp.SendAsync(_server.Address,
            $"POST /emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\n{header}Content-Length: {Good.Length + 2}\r\nConnection: close\r\n\r\n{{{Good}}}");
        Assert.StartsWith("HTTP/1.1 415", answer);
        Assert.Contains("/problems/unsupported-media-type", answer);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData(null)]
    public async Task A_stranger_hears_nothing_of_media_types(string? type)
    {
        var header = type is null ? "" : $"Content-Type: {type}\r\n";
        Assert.StartsWith("HTTP/1.1 401", await RawHttp.SendAsync(_server.Address,
            $"POST /emails HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"));
    }

    [Theory]
    [InlineData("", "The body is empty")]
    [InlineData("{\n \"to\": x}", "see line 2, byte 8")]
    public async Task What_is_no_JSON_is_named_by_its_place(string body, string words)
    {
        using var response = await _server.Client.PostAsync("/emails", TestServer.Json(body));
        Assert.Contains(words, (string?)(await AssertProblemAsync(response, 400, "malformed-json"))["detail"]);
    }

    [Fact]
    public async Task Whoever_looks_around_is_told_where_to_read_on()
    {
        var start = JsonNode.Parse(await _server.Stranger.GetStringAsync("/"))!;
        foreach (var place in (string[])["openapi", "ready", "problems"])
            Assert.True((await _server.Stranger.GetAsync((string?)start[place])).IsSuccessStatusCode, place);
        Assert.Equal(Postrider.Api.ProblemCatalog.All.Count,
            JsonNode.Parse(await _server.Stranger.GetStringAsync("/problems"))!["data"]!.AsArray().Count);
    }

    // Refused by the server before any of our code runs, so without a body.
    [Fact]
    public async Task Too_many_or_too_long_headers_and_addresses_are_refused()
    {
        Assert.StartsWith("HTTP/1.1 431",
            await RawHttp.SendAsync(_server.Address, "GET /emails HTTP/1.1\r\nHost: x\r\n" + string.Concat(Enumerable.Range(0, 101).Select(i => $"X-{i}: y\r\n"))
            + "\r\n"));
        Assert.StartsWith("HTTP/1.1 431",
            await RawHttp.SendAsync(_server.Address, $"GET /emails HTTP/1.1\r\nHost: x\r\nX-Long: {new string('y', 40_000)}\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 414",
            await RawHttp.SendAsync(_server.Address, $"GET /emails?{new string('q', 9_000)} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }

    // Request smuggling (RFC 9112 §11.2).
    [Theory]
    [InlineData("POST /emails HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("POST /emails HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")]
    [InlineData("POST /emails HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("POST /emails HTTP/1.1\r\n\r\n")]
    public async Task A_request_of_two_minds_is_refused(string request)
    {
        var answer = await RawHttp.SendAsync(_server.Address, request);
        Assert.True(answer.StartsWith("HTTP/1.1 400", StringComparison.Ordinal)
            || answer.StartsWith("HTTP/1.1 401", StringComparison.Ordinal), answer);
        Assert.Equal(1, answer.Split("HTTP/1.1 ").Length - 1); // and nothing behind it is taken for a second one
    }

    [Theory]
    [InlineData("")]
    [InlineData("\u0007")]
    [InlineData("long")]
    public async Task An_idempotency_key_that_is_none_is_refused(string key)
    {
        var text = key == "long" ? new string('k', 256) : key;
        var answer = await RawHttp.SendAsync(_server.Address,
            $"POST /emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/json\r\nIdempotency-Key: {text}\r\nContent-Length: {Good.Length + 2}\r\nConnection: close\r\n\r\n{{{Good}}}");
        Assert.StartsWith("HTTP/1.1 400", answer);
        if (key != "\u0007") // a control character is refused by the server itself
            Assert.Contains("/problems/invalid-idempotency-key", answer);
    }

    [Theory]
    [InlineData("after=nothing", 400, "invalid-cursor")]
    [InlineData("after=01a200ab-d88e-7000-801a-29a88fa571b6", 400, "invalid-cursor")]
    [InlineData("before=", 400, "invalid-cursor")]
    [InlineData("limit=0", 422, "invalid-field")]
    [InlineData("limit=-1", 422, "invalid-field")]
    [InlineData("limit=1000000000", 422, "invalid-field")]
    [InlineData("limit=101", 422, "invalid-field")]
    [InlineData("limit=x", 422, "invalid-field")]
    [InlineData("state=lost", 422, "invalid-field")]
    [InlineData("state=0", 422, "invalid-field")]
    [InlineData("state=sent&state=queued", 422, "invalid-field")]
    [InlineData("from=yesterday", 422, "invalid-field")]
    [InlineData("metadata=x", 422, "invalid-field")]
    [InlineData("adress=a@example.com", 422, "unknown-field")]
    public async Task Parameters_that_say_nothing_are_refused(string query, int status, string slug)
    {
        using var response = await _server.Client.GetAsync($"/emails?{query}");
        await AssertProblemAsync(response, status, slug);
    }

    [Fact]
    public async Task Filters_are_only_ever_compared()
    {
        string[] texts = ["%", "_", "' OR 1=1 --", "'; DROP TABLE messages; --", "^(a+)+$", "\\", "\"", "😀", new('x', 1_000)];
        foreach (var text in texts)
            foreach (var name in (string[])["address", "tag", "subject", "metadata"])
            {
                var value = name == "metadata" ? "n:" + text[..Math.Min(text.Length, 900)] : text;
                using var response = await _server.Client.GetAsync($"/emails?{name}={Uri.EscapeDataString(value)}");
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Empty(JsonNode.Parse(await response.Content.ReadAsStringAsync())!["data"]!.AsArray());
            }
        using var tooLong = await _server.Client.GetAsync($"/emails?subject={new string('x', 5_000)}");
        await AssertProblemAsync(tooLong, 422, "invalid-field");
    }

    [Theory]
    [InlineData("PUT", "/emails")]
    [InlineData("DELETE", "/emails")]
    [InlineData("TRACE", "/emails")]
    [InlineData("GET", "/emails/send/")]
    [InlineData("BREW", "/emails/batch")]
    public async Task A_method_that_is_not_there_is_refused(string method, string path)
    {
        using var response = await _server.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        if (path == "/emails/send/")
            await AssertProblemAsync(response, 404, "not-found"); // GET /emails/{id}, and "send" is no id
        else
            await AssertProblemAsync(response, 405, "method-not-allowed");
    }

    [Fact]
    public async Task CONNECT_is_refused() =>
        Assert.Matches("^HTTP/1.1 405",
            await RawHttp.SendAsync(_server.Address, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nConnection: close\r\n\r\n"));

    [Fact]
    public async Task An_address_that_is_not_there_is_a_problem_too()
    {
        using var response = await _server.Client.GetAsync("/nothing/here");
        await AssertProblemAsync(response, 404, "not-found");
    }

    // The address of the peer counts, whatever it says of itself.
    [Fact]
    public async Task Forwarded_headers_change_nothing()
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/emails");
        request.Headers.Add("X-Forwarded-For", "203.0.113.9");
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("X-Forwarded-Proto", "https");
        using var response = await _server.Client.SendAsync(request);
        Assert.DoesNotContain("evil.example", await response.Content.ReadAsStringAsync());
        Assert.DoesNotContain("evil.example", response.Headers.ToString());
    }

    async Task<long> AcceptedAsync() => (long)JsonNode.Parse(await _server.Client.GetStringAsync("/stats"))!["accepted"]!;

    async Task<JsonNode> AssertProblemAsync(HttpResponseMessage response, int status, string slug, string? row = null)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{row}: {(int)response.StatusCode} instead of {status}: {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(text)!;
        Assert.Equal($"/problems/{slug}", (string?)problem["type"]);
        Assert.Equal(status, (int?)problem["status"]);
        using var explained = await _server.Stranger.GetAsync((string?)problem["type"]);
        Assert.Equal(HttpStatusCode.OK, explained.StatusCode);
        return problem;
    }

    static string Head(params string[] headers) =>
        $"POST /emails HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TestServer.Key}\r\nContent-Type: application/json\r\n{string.Join("\r\n", headers)}\r\n\r\n";

    static string With(string member) => $"{{{Good},{member}}}";
    static string To(string address) => $$"""{"from":"a@example.com","to":"{{address}}","subject":"S","text":"T"}""";
    static string Addresses(int count) =>
        string.Join(',', Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"r{i}@example.com\"")));
    static string Headers(int count) =>
        string.Join(',', Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"X-{i}\":\"v\"")));

    static ByteArrayContent Compressed(byte[] bytes, string encoding)
    {
        var content = new ByteArrayContent(bytes);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        foreach (var coding in encoding.Split(", "))
            content.Headers.ContentEncoding.Add(coding);
        return content;
    }
}
