using System.Text.Json;
using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Postmark;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Postmark;

public sealed class PostmarkDialectTests
{
    static readonly PostmarkDialect Dialect = new();

    /// <summary>What postmark.js 5.1.0 sends for a message with everything.</summary>
    const string FromTheSdk = """
        {"From":"Sender <sender@example.com>","To":"a@example.net, \"Bee, B\" <b@example.net>",
         "Cc":"c@example.net","Bcc":"d@example.net","ReplyTo":"reply@example.com",
         "Subject":"Hello ünïcode","TextBody":"plain","HtmlBody":"<b>html</b>",
         "Attachments":[{"Name":"a.txt","Content":"aGVsbG8=","ContentType":"text/plain","ContentID":null},
            {"Name":"i.png","Content":"aGk=","ContentType":"image/png","ContentID":"cid:cid1"}],
         "Headers":[{"Name":"X-Custom","Value":"v1"}],"Tag":"welcome","Metadata":{"order_id":"42"},
         "TrackOpens":true,"TrackLinks":"None","MessageStream":"outbound"}
        """;

    static readonly MessageId Id = MessageId.Create(1_900_000_000_000, 5, 5);

    [Fact]
    public void A_full_message_of_the_official_SDK_becomes_one_submission()
    {
        var submit = Submit("/email", FromTheSdk);

        var request = Assert.Single(submit.Submissions).Request;
        Assert.Equal([new("a@example.net", null, true), new AddressText("b@example.net", "Bee, B", true)], request.To);
        Assert.Equal(("c@example.net", "d@example.net", "reply@example.com"), (Assert.Single(request.Cc).Text, Assert.Single(request.Bcc).Text, Assert.Single(request.ReplyTo).Text));
        Assert.Equal(("Hello ünïcode", "plain", "<b>html</b>", "transactional"), (request.Subject, request.Text, request.Html, request.Stream));
        Assert.Equal([new("X-Custom", "v1")], request.Headers);
        Assert.Equal(["welcome"], request.Tags);
        Assert.Equal([new MetadataEntry("order_id", "42")], request.Metadata);
        Assert.Equal([("a.txt", null), ("i.png", "cid1")], request.Attachments.Select(a => (a.FileName, a.ContentId)));
        Assert.Equal([false, true], Requests.Accepted(request).Content.Attachments.Select(a => a.Inline));
    }

    [Fact]
    public void Names_of_fields_are_matched_without_regard_to_case() =>
        Assert.Equal("s", Assert.Single(Submit("/email", """{"from":"a@b.test","TO":"c@d.test","subject":"s","textbody":"t"}""").Submissions).Request.Subject);

    [Fact]
    public void Success_is_200_with_a_GUID_and_a_time_that_the_SDKs_read()
    {
        var answer = Submit("/email", FromTheSdk).Answer(new DialectReceipt(null, [new DialectItem(Id, null)]));

        Assert.Equal((200, "application/json"), (answer.Status, answer.ContentType));
        var body = JsonElement.Parse(answer.Body.Span);
        Assert.Equal(Id.ToString(), body.GetProperty("MessageID").GetGuid().ToString());
        Assert.Equal((0, "OK", "2030-03-17T17:46:40.0000000+00:00"), (body.GetProperty("ErrorCode").GetInt32(), body.GetProperty("Message").GetString(), body.GetProperty("SubmittedAt").GetString()));
    }

    [Theory]
    [InlineData("/email/withTemplate", """{"From":"a@b.test","To":"c@d.test","TemplateAlias":"welcome","TemplateModel":{"name":"Ann"}}""", "welcome")]
    [InlineData("/email/withTemplate", """{"From":"a@b.test","To":"c@d.test","TemplateId":1234,"TemplateModel":{"name":"Ann"}}""", "1234")]
    [InlineData("/email/batchWithTemplates", """{"Messages":[{"From":"a@b.test","To":"c@d.test","TemplateId":1234,"TemplateModel":{"name":"Ann"}}]}""", "1234")]
    public void A_template_is_named_by_alias_or_number(string path, string body, string name)
    {
        var template = Assert.Single(Submit(path, body).Submissions).Template!;

        Assert.Equal((name, "Ann"), (template.Name, template.Data.GetProperty("name").GetString()));
    }

    [Fact]
    public void A_batch_is_answered_with_a_result_for_each()
    {
        var submit = Submit("/email/batch", $$"""[{{FromTheSdk}},{"From":"a@b.test","To":"ok@d.test, nonsense","TextBody":"t"},null]""");
        var items = submit.Submissions.Select((s, i) => i == 0
            ? new DialectItem(Id, null) : new DialectItem(null, Requests.Refused(s.Request))).ToList();

        var answer = submit.Answer(new DialectReceipt(Id, items));

        Assert.Equal(200, answer.Status);
        var results = JsonElement.Parse(answer.Body.Span).EnumerateArray().ToList();
        Assert.Equal([0, 300, 300], results.Select(r => r.GetProperty("ErrorCode").GetInt32()));
        Assert.Equal("Invalid 'To' address: 'nonsense'.", results[1].GetProperty("Message").GetString());
        Assert.False(submit.AllOrNothing);
    }

    [Theory]
    [InlineData("/email", "", 422, 402)]
    [InlineData("/email", "[]", 422, 402)]
    [InlineData("/email", "{\"To\":5}", 422, 402)]
    [InlineData("/email/batch", "{}", 422, 402)]
    [InlineData("/email/batch", "[]", 422, 300)]
    [InlineData("/email/batchWithTemplates", "{}", 422, 300)]
    [InlineData("/email/invented", "{}", 404, 404)]
    public void What_cannot_be_read_is_refused_in_the_vendors_shape(string path, string body, int status, int code)
    {
        var answer = Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post(path, body))).Answer;

        Assert.Equal((status, code, "application/json"), (answer.Status,
            JsonElement.Parse(answer.Body.Span).GetProperty("ErrorCode").GetInt32(), answer.ContentType));
    }

    [Fact]
    public void More_than_500_messages_are_too_many() =>
        Assert.Contains("410", Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post("/email/batch",
            $"[{string.Join(',', Enumerable.Repeat("{}", 501))}]"))).Answer.ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData(401, "unauthorized", 401, 10)]
    [InlineData(403, "unverified-sender", 422, 400)]
    [InlineData(403, "forbidden", 422, 413)]
    [InlineData(413, "too-large", 413, 300)]
    [InlineData(422, "no-content", 422, 300)]
    [InlineData(429, "rate", 429, 429)]
    [InlineData(500, "broken", 500, 500)]
    [InlineData(503, "storage-low", 503, 100)]
    public void A_refusal_of_ours_has_the_status_that_selects_the_SDKs_error_class(int ours, string slug, int status, int code)
    {
        var answer = Dialect.Refuse(new Problem(slug, ours, "T", "detail") { RetryAfter = TimeSpan.FromSeconds(1.5) });

        Assert.Equal((status, code), (answer.Status, JsonElement.Parse(answer.Body.Span).GetProperty("ErrorCode").GetInt32()));
        Assert.Contains(new("Retry-After", "2"), answer.Headers);
    }

    [Fact]
    public void The_token_is_the_key_and_the_test_token_sends_nothing()
    {
        var call = Vendors.Post("/email", FromTheSdk, ("x-postmark-server-token", "POSTMARK_API_TEST"));

        Assert.Equal("POSTMARK_API_TEST", Dialect.ReadCredential(call)?.Key);
        Assert.Null(Dialect.ReadCredential(Vendors.Post("/email", "{}")));
        var submit = Assert.IsType<DialectReading.Submit>(Dialect.Read(call));
        Assert.True(submit.DryRun);
        Assert.Equal(200, submit.Answer(new DialectReceipt(null, [default])).Status);
        Assert.False(Submit("/email", FromTheSdk).DryRun);
    }

    [Fact]
    public void Resends_paths_are_not_ours()
    {
        Assert.True(Dialect.Serves("/email") && Dialect.Serves("/email/batch"));
        Assert.False(Dialect.Serves("/emails") || Dialect.Serves("/emails/batch"));
    }

    [Fact]
    public async Task What_our_sender_sends_arrives_field_by_field()
    {
        DialectSubmission? arrived = null;
        await using var stub = HttpStub.Start(call =>
        {
            var (answer, submissions) = Vendors.Accept(Dialect, Vendors.Inbound(call));
            arrived = Assert.Single(submissions);
            return Vendors.Reply(answer);
        });
        await using var provider = PostmarkProviderTests.ProviderAt(stub);

        await VendorChecks.AssertAllArriveAsync(
            provider, Vendors.AnyWrittenContent, () => arrived!.Request, VendorChecks.InlineByContentId);
    }

    static DialectReading.Submit Submit(string path, string body) =>
        Assert.IsType<DialectReading.Submit>(Dialect.Read(Vendors.Post(path, body)));
}
