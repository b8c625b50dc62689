using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Messages;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Api.Dialects;

/// <summary>The vendors' official SDKs, unchanged but for address and key, against the server: what they resolve to or throw, and the mail
/// that arrived, read by another's parser.</summary>
public sealed class SdkTests(SharedServer shared) : IClassFixture<SharedServer>
{
    readonly TestServer _server = shared.Server;

    [Fact]
    public async Task SendGrids_SDK_delivers_everything_it_can_say()
    {
        var calls = await RunAsync("sendgrid");

        AssertFull(calls.Ok("full"), "full@sg.example", "b@sg.example", "c@sg.example", "d@sg.example");
        Assert.Equal((202, ""), (Int(calls.Ok("full"), "status"), Text(calls.Ok("full"), "body")));
        Assert.Equal(("[\"welcome\"]", "42"),
            (Json(calls.Ok("full"), "message", "tags"), Text(calls.Ok("full"), "message", "metadata", "order_id")));
        Assert.Equal(["m0@sg.example", "m2@sg.example"], calls.Ok("multiple").AsArray().Select(mail => Text(mail, "to")));
        var personal = calls.Ok("personalizations").AsArray();
        Assert.Equal([("Hi Ann", "Ann has 1", "<b>Ann</b>", "[\"X-Own: 1\"]"), ("Own", "Bo has {{sum}}", "<b>Bo</b>", "[]")],
            personal.Select(mail => (Text(mail, "subject"), Text(mail, "text"), Text(mail, "html"), Json(mail, "headers"))));
        Assert.Equal([("Order for Ann <&>", "<b>Ann &lt;&amp;&gt;</b>0a,1bbig! 2026-03-01"), ("Order for you", "<b></b>small ")],
            calls.Ok("stored template").AsArray().Select(mail => (Text(mail, "subject"), Text(mail, "html").TrimEnd('\n'))));
        Assert.Equal("[202,202]", calls.Ok("an array of messages").ToJsonString());
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(Int(calls.Ok("later"), "at")), At(calls.Ok("later"), "message", "send_at"));
        Assert.Equal("scheduled", Text(calls.Ok("later"), "message", "last_event"));
        Assert.Equal(10_000_000, Int(calls.Ok("10 MB")[0], "bytes"));
        Assert.Equal("202", calls.Ok("1000 personalizations").ToJsonString());
        Assert.Equal("202", calls.Ok("prefix and slash").ToJsonString());
        Assert.Equal("""{"status":200,"id":null}""", calls.Ok("sandbox").ToJsonString());
        Assert.Equal(0, await CountAsync("sandbox@sg.example"));
    }

    [Theory]
    [InlineData("bad key", 401, "authorization grant is invalid", "")]
    [InlineData("a message header called Authorization", 401, "authorization grant is invalid", "")]
    [InlineData("invalid address", 400, "a@-bad-.example", "personalizations.0.to.1.email")]
    [InlineData("sandbox with a fault", 400, "not an address", "personalizations.0.to.0.email")]
    [InlineData("too many recipients", 400, "no more than 1000", "personalizations")]
    [InlineData("no content", 400, "at least one character", "content.0.value")]
    [InlineData("dynamic template", 400, "d-1234", "template_id")]
    public async Task SendGrids_SDK_throws_its_ResponseError_with_the_field(string call, int status, string words, string field)
    {
        var error = (await RunAsync("sendgrid")).Error(call);

        Assert.Equal(("ResponseError", status), (Text(error, "kind"), Int(error, "code")));
        var first = error["body"]!["errors"]![0]!;
        Assert.Contains(words, Text(first, "message"), StringComparison.Ordinal);
        Assert.Equal(field, (string?)first["field"] ?? "");
    }

    [Fact]
    public async Task Mailguns_SDK_delivers_everything_it_can_say()
    {
        var calls = await RunAsync("mailgun");

        var full = calls.Ok("full");
        AssertFull(full, "full@mg.example", "b@mg.example", "c@mg.example", "d@mg.example");
        Assert.Equal((200, "Queued. Thank you.", true), (Int(full, "status"), Text(full, "words"), (bool)full["bracketed"]!));
        Assert.Equal(("[\"t1\",\"t2\"]", "{\"a\":1}"), (Json(full, "message", "tags"), Text(full, "message", "metadata", "my-var")));
        Assert.Equal(("p.pdf", "application/pdf"),
            (Text(calls.Ok("platform FormData")[0], "name"), Text(calls.Ok("platform FormData")[0], "type")));
        Assert.Equal(
            [
                ("v0@mg.example", "Hi Ann", "Ann has 1 at v0@mg.example", "[\"X-For: Ann\"]"),
                ("v1@mg.example", "Hi Bo", "Bo has  at v1@mg.example", "[\"X-For: Bo\"]"),
            ],
            calls.Ok("recipient variables").AsArray().Select(mail => (Text(mail, "to"), Text(mail, "subject"), Text(mail, "text"),
                Json(mail, "headers"))));
        Assert.Equal(("<b>Ann</b>", "Ann"), (Text(calls.Ok("stored template"), "html"), Text(calls.Ok("stored template"), "text")));
        foreach (var (call, to) in new[]
            { ("mime as a string", "mime0@mg.example"), ("mime as bytes", "mime1@mg.example,mime2@mg.example") })
        {
            var mail = calls.Ok(call);
            Assert.Equal((to, "visible@mg.example", "raw ü", "raw text"), (string.Join(',', mail["envelope"]!.AsArray()),
                Text(mail, "to"), Text(mail, "subject"), Text(mail, "text")));
            Assert.Equal("[\"X-Custom: v1\"]", Json(mail, "headers"));
        }
        Assert.Equal("""{"status":200,"words":"Queued. Thank you."}""", calls.Ok("test mode").ToJsonString());
        Assert.Equal(0, await CountAsync("sandbox@mg.example"));
        Assert.Equal(At(calls.Ok("later"), "at").ToUnixTimeSeconds(), At(calls.Ok("later"), "message", "send_at").ToUnixTimeSeconds());
        Assert.Equal(("200", "200"), (calls.Ok("1000 recipients").ToJsonString(), calls.Ok("prefix").ToJsonString()));
    }

    [Theory]
    [InlineData("bad key", 401, "Forbidden")]
    [InlineData("invalid address", 400, "'to' parameter is not a valid address")]
    [InlineData("no recipient", 400, "'to' parameter is missing")]
    [InlineData("too many recipients", 400, "more than 1000 recipients")]
    [InlineData("variables that are no JSON", 400, "not a valid JSON object")]
    [InlineData("template", 400, "template 'welcome'")]
    public async Task Mailguns_SDK_throws_its_error_with_status_and_details(string call, int status, string words)
    {
        var error = (await RunAsync("mailgun")).Error(call);

        Assert.Equal(status, Int(error, "status"));
        Assert.Contains(words, Text(error, "details"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_AWS_SDK_delivers_with_signed_calls()
    {
        var calls = await RunAsync("ses");

        AssertFull(calls.Ok("full"), "full@ses.example", "b@ses.example", "c@ses.example", "d@ses.example");
        Assert.Equal("42", Text(calls.Ok("full"), "message", "metadata", "order_id"));
        foreach (var (call, to, shown) in new[] { ("raw", "raw@ses.example", "visible@ses.example"),
            ("raw without an envelope", "bare@ses.example,hidden@ses.example", "bare@ses.example") })
        {
            var mail = calls.Ok(call);
            Assert.Equal((to, shown, "", "raw ü", "raw text"), (string.Join(',', mail["envelope"]!.AsArray()), Text(mail, "to"),
                Text(mail, "bcc"), Text(mail, "subject"), Text(mail, "text")));
        }
        var filled = calls.Ok("inline template");
        Assert.Equal(("Hi Ann <&>", "Ann <&> has 1,two,", "<b>Ann &lt;&amp;&gt;</b><i>"),
            (Text(filled, "subject"), Text(filled, "text"), Text(filled, "html")));
        Assert.Equal([("SUCCESS", true), ("INVALID_PARAMETER", false), ("SUCCESS", true)],
            calls.Ok("bulk")["results"]!.AsArray().Select(one => (Text(one, "Status"), (bool)one!["sent"]!)));
        Assert.Equal(["Hi Zero", "Hi You"], calls.Ok("bulk")["mails"]!.AsArray().Select(mail => Text(mail, "subject")));
        var stored = calls.Ok("stored template");
        Assert.Equal("[\"SUCCESS\",\"SUCCESS\",\"INVALID_PARAMETER\"]", Json(stored, "results"));
        Assert.All(stored["missing"]!.AsArray(), status => Assert.Equal("TEMPLATE_NOT_FOUND", (string?)status));
        Assert.Equal([("Hi Ann", "Ann has 1"), ("Hi You", "You has 2"), ("Hi Bo", "Bo has 3")],
            stored["mails"]!.AsArray().Select(mail => (Text(mail, "subject"), Text(mail, "text"))));
        Assert.Equal("true", calls.Ok("account").ToJsonString());
        Assert.Equal("true", calls.Ok("slashes").ToJsonString());
        // The answer to the first attempt never came; the second is the same call, and the mail goes out once.
        Assert.Equal("""{"calls":2,"attempts":2,"same":true}""", calls.Ok("cut before the answer").ToJsonString());
        // Refused for its clock, it takes ours from the Date header and repeats the call.
        Assert.Equal(2, Int(calls.Ok("wrong clock"), "$metadata", "attempts"));
    }

    [Theory]
    [InlineData("wrong secret", "SESv2ServiceException", "SignatureDoesNotMatch", 403, "does not match")]
    [InlineData("unknown access key", "SESv2ServiceException", "UnrecognizedClientException", 403, "security token")]
    [InlineData("session token", "SESv2ServiceException", "IncompleteSignatureException", 403, "x-amz-security-token")]
    [InlineData("invalid address", "BadRequestException", "BadRequestException", 400, "nonsense")]
    [InlineData("too many recipients", "BadRequestException", "BadRequestException", 400, "exceeds 50")]
    [InlineData("no such template", "NotFoundException", "NotFoundException", 404, "welcome")]
    [InlineData("broken template", "BadRequestException", "BadRequestException", 400, "broken")]
    [InlineData("missing data", "BadRequestException", "BadRequestException", 400, "Attribute 'name' is not present")]
    [InlineData("template data that is no JSON", "BadRequestException", "BadRequestException", 400, "JSON object")]
    public async Task The_AWS_SDK_throws_its_typed_exceptions_and_does_not_repeat(
        string call, string kind, string name, int status, string words)
    {
        var error = (await RunAsync("ses")).Error(call);

        Assert.Equal((kind, name, status, 1), (Text(error, "kind"), Text(error, "name"), Int(error, "status"), Int(error, "attempts")));
        Assert.Contains(words, Text(error, "message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Postmarks_SDK_delivers_everything_it_can_say()
    {
        var calls = await RunAsync("postmark");

        var full = calls.Ok("full");
        AssertFull(full, "full@pm.example", "b@pm.example", "c@pm.example", "d@pm.example");
        Assert.Equal((0, "OK", "c@pm.example"), (Int(full, "sent", "ErrorCode"), Text(full, "sent", "Message"), Text(full, "sent", "Cc")));
        Assert.Equal(("[\"welcome\"]", "42", "transactional"),
            (Json(full, "message", "tags"), Text(full, "message", "metadata", "order_id"), Text(full, "message", "stream")));
        Assert.Equal([(0, "OK", true), (300, "Invalid 'To' address: 'nonsense'.", false), (0, "OK", true)],
            calls.Ok("batch")["results"]!.AsArray().Select(one => (Int(one, "ErrorCode"), Text(one, "Message"), (bool)one!["sent"]!)));
        Assert.Equal(["batch0@pm.example", "batch2@pm.example"], calls.Ok("batch")["mails"]!.AsArray().Select(mail => Text(mail, "to")));
        Assert.Equal(("true", "0"), (calls.Ok("500 in a batch").ToJsonString(), calls.Ok("prefix").ToJsonString()));
        Assert.Equal(1101, Int(calls.Ok("batch with templates")[0], "ErrorCode"));
        Assert.Equal("[0,1101]", Json(calls.Ok("stored templates"), "codes"));
        Assert.Equal([("Hi Ann", "Ann of X & Y"), ("Hi Bo", "Bo of")],
            calls.Ok("stored templates")["mails"]!.AsArray().Select(mail => (Text(mail, "subject"), Text(mail, "text"))));
    }

    [Theory]
    [InlineData("bad key", "InvalidAPIKeyError", 10, 401, "valid Server token")]
    [InlineData("invalid address", "InvalidEmailRequestError", 300, 422, "Invalid 'To' address: 'nonsense'.")]
    [InlineData("no sender", "InvalidEmailRequestError", 300, 422, "Invalid 'From' address: ''.")]
    [InlineData("too many recipients", "InvalidEmailRequestError", 300, 422, "at most 50 recipients")]
    [InlineData("too many messages", "ApiInputError", 410, 422, "at most 500")]
    [InlineData("template", "ApiInputError", 1101, 422, "welcome")]
    public async Task Postmarks_SDK_throws_its_own_errors(string call, string kind, int code, int status, string words)
    {
        var error = (await RunAsync("postmark")).Error(call);

        Assert.Equal((kind, code, status), (Text(error, "kind"), Int(error, "code"), Int(error, "status")));
        Assert.Contains(words, Text(error, "message"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Resends_SDK_sends_looks_moves_and_cancels()
    {
        var calls = await RunAsync("resend");

        var full = calls.Ok("full");
        AssertFull(full, "full@rs.example", "b@rs.example", "c@rs.example", "d@rs.example");
        Assert.Null(full["error"]);
        Assert.Equal(("email", "sent", "[\"d@rs.example\"]"),
            (Text(full, "got", "object"), Text(full, "got", "last_event"), Json(full, "got", "bcc")));
        Assert.Equal(["batch0@rs.example", "batch1@rs.example"], calls.Ok("batch")["mails"]!.AsArray().Select(mail => Text(mail, "to")));
        var permissive = calls.Ok("batch, permissive")["data"]!;
        Assert.Equal(("[true,true]", 1), (Json(permissive, "ids"), Int(permissive["errors"]!.AsArray().Single(), "index")));
        Assert.Equal("""{"scheduled":"scheduled","moved":"email","cancelled":"email","after":"canceled","same":true}""",
            calls.Ok("later, moved, cancelled").ToJsonString());
        Assert.Equal("""{"object":"list","count":2,"more":true,"nextIsOther":true}""", calls.Ok("list").ToJsonString());
        Assert.Equal((true, 409, "invalid_idempotent_request"), ((bool)calls.Ok("same key twice")["same"]!,
            Int(calls.Ok("same key twice"), "other", "statusCode"), Text(calls.Ok("same key twice"), "other", "name")));
        Assert.Equal("null", calls.Json("prefix and slash"));
        Assert.Equal(("Hi Ann", "Ann"), (Text(calls.Ok("stored template"), "subject"), Text(calls.Ok("stored template"), "text")));
    }

    [Theory]
    [InlineData("batch, one of them bad", "validation_error", 422, "nonsense")]
    [InlineData("bad key", "invalid_api_key", 401, "API key")]
    [InlineData("invalid address", "validation_error", 422, "nonsense")]
    [InlineData("too many recipients", "validation_error", 422, "1,001")]
    [InlineData("attachment to be fetched", "invalid_attachment", 422, "not fetched")]
    [InlineData("template", "not_found", 404, "template 'welcome'")]
    [InlineData("in plain words", "validation_error", 422, "RFC 3339")]
    [InlineData("no such message", "not_found", 404, "no message with this id")]
    public async Task Resends_SDK_returns_its_error_object(string call, string name, int status, string words)
    {
        var result = (await RunAsync("resend")).Ok(call);

        Assert.Null(result["data"]);
        Assert.Equal((name, status), (Text(result, "error", "name"), Int(result, "error", "statusCode")));
        Assert.Contains(words, Text(result, "error", "message"), StringComparison.Ordinal);
    }

    /// <summary>What every one of them was asked to send, as far as the vendor has it.</summary>
    static void AssertFull(JsonNode full, params string[] envelope)
    {
        var mail = full["mail"]!;
        Assert.Equal(envelope, mail["envelope"]!.AsArray().Select(one => (string)one!));
        Assert.Equal(("Hello ünïcode", "plain", "reply@example.com", envelope[2], ""),
            (Text(mail, "subject"), Text(mail, "text"), Text(mail, "reply_to"), Text(mail, "cc"), Text(mail, "bcc")));
        Assert.Contains("Sénder", Text(mail, "from"), StringComparison.Ordinal);
        Assert.All(envelope[..2], to => Assert.Contains(to, Text(mail, "to"), StringComparison.Ordinal));
        Assert.StartsWith("<b>html</b>", Text(mail, "html"), StringComparison.Ordinal);
        Assert.Contains("X-Custom: v1", mail["headers"]!.AsArray().Select(one => (string)one!));
        var (inline, attached) = (mail["attachments"]![0]!, mail["attachments"]![1]!);
        Assert.Equal(("i.png", "image/png", "inline", 2),
            (Text(inline, "name"), Text(inline, "type"), Text(inline, "disposition"), Int(inline, "bytes")));
        Assert.Equal(("text/plain", "attachment", 5), (Text(attached, "type"), Text(attached, "disposition"), Int(attached, "bytes")));
    }

    async Task<int> CountAsync(string recipient) =>
        JsonNode.Parse(await _server.Client.GetStringAsync($"/inbox?recipient={recipient}"))!["data"]!.AsArray().Count;

    /// <summary>Each script runs once for all tests of the class.</summary>
    Task<SdkCalls> RunAsync(string vendor)
    {
        lock (Runs)
        {
            if (!Runs.TryGetValue((_server, vendor), out var run))
                Runs[(_server, vendor)] = run = Task.Run(() => StartAsync(vendor));
            return run;
        }
    }

    static readonly Dictionary<(TestServer, string), Task<SdkCalls>> Runs = [];

    async Task<SdkCalls> StartAsync(string vendor)
    {
        var node = Requires.Program("node");
        Peers.Install();
        var keys = _server.Services.GetRequiredService<ApiKeys>();
        var signing = (await keys.MakeAsync(new Principal(TenantId.First, "test", Scopes.All, null, IsToken: false),
            new KeyRequest("ses", KeyKind.SigV4, Scopes.Send, null), CancellationToken.None)).Key!;
        var given = new JsonObject
        {
            ["url"] = _server.Address.ToString(),
            ["key"] = TestServer.Key,
            ["accessKeyId"] = signing.Key.Id,
            ["secret"] = signing.Secret,
        };
        var (code, output, error) = Peers.Run(node, Path.Combine("sdk", vendor + ".mjs"), given.ToJsonString());
        Assert.True(code == 0, error);
        return new SdkCalls(output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)
            .ToDictionary(call => (string)call["name"]!));
    }

    static JsonNode? At(JsonNode? node, ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            node = node?[name];
        return node;
    }

    static string Text(JsonNode? node, params ReadOnlySpan<string> path) => (string?)At(node, path) ?? "";
    static int Int(JsonNode? node, params ReadOnlySpan<string> path) => (int)At(node, path)!;
    static string Json(JsonNode? node, params ReadOnlySpan<string> path) => At(node, path)?.ToJsonString() ?? "null";
    static DateTimeOffset At(JsonNode? node, string first, params ReadOnlySpan<string> path) =>
        DateTimeOffset.Parse((string)At(node?[first], path)!, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>What the calls of a script came to, by name.</summary>
    sealed record SdkCalls(Dictionary<string, JsonNode> All)
    {
        public JsonNode Ok(string call)
        {
            Assert.True(All[call]["error"] is null, All[call].ToJsonString());
            return All[call]["ok"]!;
        }

        public JsonNode Error(string call)
        {
            Assert.True(All[call]["error"] is not null, All[call].ToJsonString());
            return All[call]["error"]!;
        }

        public string Json(string call) => All[call]["ok"]?.ToJsonString() ?? "null";
    }
}
