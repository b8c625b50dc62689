using System.Buffers;
using System.Text;
using Postrider.Api;
using Postrider.Messages;
using Postrider.Submission;
using Xunit;

namespace Postrider.EndToEnd.Api;

/// <summary>JSON of the send calls into submissions: every form that is taken, and every one that is not.</summary>
public sealed class SendReaderTests
{
    [Fact]
    public void Every_member_of_an_email_is_read()
    {
        var request = Email(
            """
            {"from":"Ann <ann@example.com>","to":["a@example.com",{"email":"b@example.com","name":"Bee"}],"cc":"c@example.com","bcc":{"email":"d@example.com"},
             "reply_to":["r@example.com"],"subject":"Hi","text":"T","html":"<b>H</b>","headers":{"X-A":"1","x-b":"2"},
             "attachments":[{"filename":"a.txt","content":"aGVs\r\nbG8=","content_type":"text/plain","content_id":"c1","disposition":"inline"},{"filename":"u","path":"https://x.example/u"}],
             "tags":["one",{"name":"n","value":"v"}],"metadata":{"order":"42"},"scheduled_at":"2030-01-01T00:00:00Z","expires_in":3600,"stream":"bulk","route":"r",
             "on_ambiguous":"hold","ordering_key":"k"}
            """);
        Assert.Equal(new AddressText("Ann <ann@example.com>"), request.From);
        Assert.Equal([new AddressText("a@example.com"), new AddressText("b@example.com", "Bee", true)], request.To);
        Assert.Equal([new AddressText("c@example.com")], request.Cc);
        Assert.Equal([new AddressText("d@example.com", null, true)], request.Bcc);
        Assert.Equal([new AddressText("r@example.com")], request.ReplyTo);
        Assert.Equal(("Hi", "T", "<b>H</b>"), (request.Subject, request.Text, request.Html));
        Assert.Equal([new("X-A", "1"), new("x-b", "2")], request.Headers);
        Assert.Equal("hello", Encoding.ASCII.GetString(request.Attachments[0].Bytes!.Value.Span));
        Assert.Equal(("a.txt", "text/plain", "c1", "inline"),
            (request.Attachments[0].FileName, request.Attachments[0].ContentType, request.Attachments[0].ContentId,
            request.Attachments[0].Disposition));
        Assert.Equal("https://x.example/u", request.Attachments[1].Url);
        Assert.Equal(["one", "n:v"], request.Tags);
        Assert.Equal([new MetadataEntry("order", "42")], request.Metadata);
        Assert.Equal(("2030-01-01T00:00:00Z", "3600s", "bulk", "r", "hold", "k"),
            (request.SendAt, request.ExpiresIn, request.Stream, request.Route, request.OnAmbiguous, request.OrderingKey));
    }

    [Fact]
    public void Null_is_the_same_as_absent()
    {
        var request = Email(
            """
            {"from":null,"to":null,"cc":null,"bcc":null,"reply_to":null,"subject":null,"text":null,"html":null,"headers":null,"attachments":null,"tags":null,"metadata":null,
             "send_at":null,"scheduled_at":null,"expires_in":null,"stream":null,"route":null,"on_ambiguous":null,"ordering_key":null,"template":null,"data":null,"track":null}
            """);
        Assert.Equivalent(new SubmissionRequest(), request, strict: true);
    }

    [Fact]
    public void Headers_may_be_a_list_where_a_name_repeats() =>
        Assert.Equal([new("X-A", "1"), new("X-A", "2")], Email("""{"headers":[{"name":"X-A","value":"1"},{"name":"X-A","value":"2"}]}""").Headers);

    [Theory]
    [InlineData("""{"subjet":"x"}""", "unknown-field", "/subjet")]
    [InlineData("""{"tenant_id":2}""", "unknown-field", "/tenant_id")]
    [InlineData("""{"a/b~c":2}""", "unknown-field", "/a~1b~0c")]
    [InlineData("""{"plainContent":"x"}""", "unknown-field", "/plainContent")]
    [InlineData("""{"to":[{"email":"a@b.c","nick":"x"}]}""", "unknown-field", "/to/0/nick")]
    [InlineData("""{"attachments":[{"filename":"a","content":"","bytes":"x"}]}""", "unknown-field", "/attachments/0/bytes")]
    [InlineData("""{"subject":5}""", "invalid-field", "/subject")]
    [InlineData("""{"subject":["x"]}""", "invalid-field", "/subject")]
    [InlineData("""{"to":5}""", "invalid-field", "/to")]
    [InlineData("""{"to":["a@b.c",5]}""", "invalid-field", "/to/1")]
    [InlineData("""{"to":["a@b.c",null]}""", "invalid-field", "/to/1")]
    [InlineData("""{"to":[{"name":"x"}]}""", "invalid-field", "/to/0/email")]
    [InlineData("""{"to":[["a@b.c"]]}""", "invalid-field", "/to/0")]
    [InlineData("""{"headers":{"X-A":1}}""", "invalid-field", "/headers/X-A")]
    [InlineData("""{"headers":[{"name":"X-A"}]}""", "invalid-field", "/headers/0/value")]
    [InlineData("""{"metadata":{"n":1}}""", "invalid-field", "/metadata/n")]
    [InlineData("""{"tags":"x"}""", "invalid-field", "/tags")]
    [InlineData("""{"tags":[{"name":"x"}]}""", "invalid-field", "/tags/0/value")]
    [InlineData("""{"attachments":["x"]}""", "invalid-field", "/attachments/0")]
    [InlineData("""{"attachments":[{"filename":"a","content":"%%%"}]}""", "invalid-attachment", "/attachments/0/content")]
    [InlineData("""{"expires_in":"3600"}""", "invalid-field", "/expires_in")]
    [InlineData("""{"expires_in":1e400}""", "invalid-field", "/expires_in")]
    [InlineData("""{"expires_in":-0}""", "invalid-field", "/expires_in")]
    [InlineData("""{"expires_in":1.5}""", "invalid-field", "/expires_in")]
    [InlineData("""{"expires_in":true}""", "invalid-field", "/expires_in")]
    [InlineData("""{"send_at":"2030-01-01T00:00:00Z","scheduled_at":"2030-01-01T00:00:00Z"}""", "invalid-field", "/scheduled_at")]
    [InlineData("""{"template":["welcome"]}""", "invalid-field", "/template")]
    [InlineData("""{"data":{}}""", "invalid-field", "/data")]
    [InlineData("""{"track":{"opens":"yes"}}""", "invalid-field", "/track/opens")]
    [InlineData("""{"track":{"text":1}}""", "invalid-field", "/track/text")]
    [InlineData("""{"track":{"reads":true}}""", "unknown-field", "/track/reads")]
    [InlineData("""{"track":"all"}""", "invalid-field", "/track")]
    [InlineData("""[]""", "invalid-field", "")]
    [InlineData("""null""", "invalid-field", "")]
    public void What_is_no_such_shape_is_named_by_a_pointer(string json, string slug, string pointer)
    {
        var problem = Parse<SubmissionRequest>(json, SendReader.Email).Problem;
        Assert.Equal((slug, 422), (problem!.Slug, problem.Status));
        Assert.Equal(pointer, Assert.Single(problem.Errors).Pointer);
    }

    [Fact]
    public void All_faults_are_named_at_once() =>
        Assert.Equal(["/a", "/subject", "/to/0"], Parse<SubmissionRequest>("""{"a":1,"subject":1,"to":[1]}""", SendReader.Email).Problem!.Errors.Select(e => e.Pointer));

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("""{"to":"a@b.c"}{}""")]
    [InlineData("""{"to":"a@b.c","to":"d@e.f"}""")]
    [InlineData("""{"headers":{"X-A":"1","X-A":"2"}}""")]
    [InlineData("""{"expires_in":NaN}""")]
    [InlineData("""{"subject":"\ud800"}""")]
    [InlineData("""{"to":"a@b.c",}""")]
    [InlineData("""{"to":/* */"a@b.c"}""")]
    public void What_is_no_JSON_is_malformed(string json) =>
        Assert.Equal("malformed-json", Parse<SubmissionRequest>(json, SendReader.Email).Problem!.Slug);

    [Fact]
    public void Bytes_that_are_no_UTF8_are_malformed() =>
        Assert.Equal("malformed-json", JsonBody.Parse<SubmissionRequest>(new ReadOnlySequence<byte>("""{"subject":" """u8.ToArray()
            .Append((byte)0xFF).Concat("\"}"u8.ToArray()).ToArray()), SendReader.Email, null).Problem!.Slug);

    [Fact]
    public void Sixty_five_levels_are_malformed_and_do_not_overflow()
    {
        Assert.Equal("malformed-json", Parse<SubmissionRequest>(new string('[', 65) + new string(']', 65), SendReader.Email).Problem!.Slug);
        Assert.Equal("malformed-json", Parse<SubmissionRequest>(new string('[', 1_000_000), SendReader.Email).Problem!.Slug);
    }

    [Fact]
    public void Every_prefix_of_a_message_is_malformed()
    {
        const string Json = """{"from":"a@example.com","to":[{"email":"b@example.com","name":"B\u00e9"}],"headers":{"X":"y"},"expires_in":12}""";
        for (var length = 0; length < Json.Length; length++)
            Assert.Equal("malformed-json", Parse<SubmissionRequest>(Json[..length], SendReader.Email).Problem?.Slug);
        Assert.Null(Parse<SubmissionRequest>(Json, SendReader.Email).Problem);
    }

    [Fact]
    public void Destinations_have_addresses_and_names_of_their_own()
    {
        var body = Parse<DestinationsRequest>(
            """{"from":"a@example.com","destinations":[{"email":"b@example.com","name":"B","data":null},"c@example.com"],"subject":"S","plainContent":"T"}""", SendReader.Send);
        Assert.Null(body.Problem);
        Assert.Equal([new AddressText("b@example.com", "B", true), new AddressText("c@example.com")],
            body.Value!.Destinations.Select(d => d.Address));
        Assert.Equal("T", body.Value.Content.Text);
    }

    [Theory]
    [InlineData("""{"to":"a@b.c"}""", "unknown-field", "/to")]
    [InlineData("""{"destinations":{}}""", "invalid-field", "/destinations")]
    [InlineData("""{"destinations":[{"name":"x"}]}""", "invalid-field", "/destinations/0/email")]
    [InlineData("""{"destinations":[{"email":"a@b.c","data":[1]}]}""", "invalid-field", "/destinations/0/data")]
    [InlineData("""{"text":"a","plainContent":"b"}""", "invalid-field", "/plainContent")]
    public void Faults_of_destinations_are_named_by_a_pointer(string json, string slug, string pointer)
    {
        var error = Assert.Single(Parse<DestinationsRequest>(json, SendReader.Send).Problem!.Errors);
        Assert.Equal((slug, pointer), (error.Slug, error.Pointer));
    }

    [Theory]
    [InlineData("""[{"to":"a@b.c"},{"subjet":1}]""")]
    [InlineData("""{"emails":[{"to":"a@b.c"},{"subjet":1}]}""")]
    public void A_batch_is_a_list_where_each_element_has_its_own_faults(string json)
    {
        var entries = Parse<List<SubmissionEntry>>(json, SendReader.Batch).Value!;
        Assert.NotNull(entries[0].Request);
        Assert.Equal("unknown-field", entries[1].Problem!.Slug);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("5")]
    [InlineData("""{"emails":5}""")]
    [InlineData("""{"emails":[],"more":1}""")]
    public void A_batch_that_is_no_list_is_refused(string json) =>
        Assert.NotNull(Parse<List<SubmissionEntry>>(json, SendReader.Batch).Problem);

    [Fact]
    public void Order_space_and_escapes_do_not_make_another_request()
    {
        var hash = Hash("""{"to":"a@b.c","subject":"ä","headers":{"a":"1","b":"2"},"expires_in":12}""");
        Assert.Equal(hash, Hash("""{ "expires_in":12, "headers":{"b":"2","a":"1"}, "subject":"\u00e4", "to":"a@b.c" }"""));
        Assert.NotEqual(hash, Hash("""{"to":"a@b.c","subject":"ä","headers":{"a":"2","b":"1"},"expires_in":12}"""));
        Assert.NotEqual(Hash("""{"to":["a","b"]}"""), Hash("""{"to":["b","a"]}"""));
        Assert.NotEqual(Hash("""{"to":["ab",""]}"""), Hash("""{"to":["a","b"]}"""));
        Assert.NotEqual(hash, Hash("""{"to":"a@b.c","subject":"ä","headers":{"a":"1","b":"2"},"expires_in":12}""", "POST /other"));
    }

    static string Hash(string json, string call = "POST /emails") =>
        Convert.ToHexString(JsonBody.Parse<SubmissionRequest>(Bytes(json), SendReader.Email, call).Hash!);

    static SubmissionRequest Email(string json)
    {
        var body = Parse<SubmissionRequest>(json, SendReader.Email);
        Assert.Null(body.Problem);
        return body.Value!;
    }

    static BodyResult<T> Parse<T>(string json, Shape<T> shape) where T : class => JsonBody.Parse(Bytes(json), shape, null);
    static ReadOnlySequence<byte> Bytes(string json) => new(Encoding.UTF8.GetBytes(json));
}
