using System.Text;
using System.Text.Json;
using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Ses;

public sealed class SesDialectTests
{
    const string SendPath = "/v2/email/outbound-emails";
    const string BulkPath = "/v2/email/outbound-bulk-emails";
    static readonly SesDialect Dialect = new();

    /// <summary>What @aws-sdk/client-sesv2 3.1169.0 sends for a message with everything.</summary>
    const string FromTheSdk = """
        {"Content":{"Simple":{"Subject":{"Data":"Hello ünïcode","Charset":"UTF-8"},
            "Body":{"Text":{"Data":"plain","Charset":"UTF-8"},"Html":{"Data":"<b>html</b>","Charset":"UTF-8"}},
            "Headers":[{"Name":"X-Custom","Value":"v1"}],
            "Attachments":[{"RawContent":"aGVsbG8=","FileName":"a.txt","ContentDisposition":"ATTACHMENT",
               "ContentDescription":"d","ContentId":"cid1","ContentTransferEncoding":"BASE64","ContentType":"text/plain"}]}},
         "FromEmailAddress":"Sender <sender@example.com>",
         "Destination":{"ToAddresses":["a@example.net","Bee <b@example.net>"],"CcAddresses":["c@example.net"],"BccAddresses":["d@example.net"]},
         "ReplyToAddresses":["reply@example.com"],
         "FeedbackForwardingEmailAddress":"bounce@example.com",
         "EmailTags":[{"Name":"order_id","Value":"42"}],
         "ConfigurationSetName":"cs1",
         "ListManagementOptions":{"ContactListName":"l","TopicName":"t"}}
        """;

    [Fact]
    public void A_simple_message_of_the_official_SDK_becomes_a_submission()
    {
        var submit = Submit(SendPath, FromTheSdk, ("amz-sdk-invocation-id", "e3f5f3dd"));

        var accepted = Requests.Accepted(Assert.Single(submit.Submissions).Request);
        Assert.Equal("Sender <sender@example.com>", accepted.Content.From.ToString());
        Assert.Equal(["a@example.net", "Bee <b@example.net>", "c@example.net", "d@example.net"], accepted.Recipients
            .Select(r => r.Mailbox.ToString()));
        Assert.Equal([RecipientKind.To, RecipientKind.To, RecipientKind.Cc, RecipientKind.Bcc], accepted.Recipients.Select(r => r.Kind));
        Assert.Equal(("Hello ünïcode", "plain", "<b>html</b>"), (accepted.Content.Subject, accepted.Content.Text, accepted.Content.Html));
        Assert.Equal(["reply@example.com"], accepted.Content.ReplyTo.Select(r => r.ToString()));
        Assert.Equal([("X-Custom", "v1")], accepted.Content.Headers.Select(h => (h.Name, h.Value)));
        var attachment = Assert.Single(accepted.Content.Attachments);
        Assert.Equal(("a.txt", "text/plain", "cid1", false, "hello"),
            (attachment.FileName, attachment.ContentType, attachment.ContentId, attachment.Inline,
                Encoding.UTF8.GetString(attachment.Content.Span)));
        Assert.Equal([new MetadataEntry("order_id", "42")], accepted.Metadata);
        Assert.Equal("e3f5f3dd", submit.IdempotencyKey);
    }

    [Fact]
    public void Raw_content_keeps_its_bytes_and_may_leave_the_envelope_to_them()
    {
        var mime = Convert.ToBase64String("From: a@b.test\r\nTo: c@d.test\r\n\r\nhi\r\n"u8);

        var given = Assert.Single(Submit(SendPath, $$$"""{"Content":{"Raw":{"Data":"{{{mime}}}"}},"FromEmailAddress":"x@y.test","Destination":{"ToAddresses":["t@u.test"],"BccAddresses":["v@w.test"]}}""").Submissions);
        var left = Assert.Single(Submit(SendPath, $$$$"""{"Content":{"Raw":{"Data":"{{{{mime}}}}"}}}""").Submissions);

        Assert.Equal("From: a@b.test\r\nTo: c@d.test\r\n\r\nhi\r\n", Encoding.UTF8.GetString(given.Request.Mime!.Value.Span));
        Assert.Equal(("x@y.test", "t@u.test,v@w.test"),
            (given.Request.From!.Value.Text, string.Join(',', given.Request.To.Select(a => a.Text))));
        Assert.Equal((null, 0), (left.Request.From, left.Request.To.Count));
    }

    [Theory]
    [InlineData("""{"TemplateName":"welcome","TemplateData":"{\"name\":\"A\"}"}""", "welcome", null)]
    [InlineData("""{"TemplateArn":"arn:aws:ses:eu-west-1:123456789012:template/welcome","TemplateData":"{\"name\":\"A\"}"}""", "welcome", null)]
    [InlineData("""{"TemplateContent":{"Subject":"Hi {{name}}","Html":"<p>"},"TemplateData":"{\"name\":\"A\"}"}""", null, "Hi {{name}}")]
    public void A_template_is_named_or_brought_along_with_its_data(string template, string? name, string? subject)
    {
        var submit = Submit(SendPath, $$$"""{"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":["c@d.test"]},"Content":{"Template":{{{template}}}}}""");

        var use = Assert.Single(submit.Submissions).Template!;
        Assert.Equal((name, subject, "A"), (use.Name, use.Subject, use.Data.GetProperty("name").GetString()));
    }

    [Fact]
    public void A_bulk_call_is_a_message_for_each_entry_with_its_own_data_tags_and_headers()
    {
        var submit = Submit(BulkPath, """
            {"FromEmailAddress":"a@b.test","DefaultEmailTags":[{"Name":"k","Value":"all"},{"Name":"l","Value":"1"}],
             "DefaultContent":{"Template":{"TemplateName":"t","TemplateData":"{\"x\":1,\"y\":1}","Headers":[{"Name":"X-A","Value":"1"},{"Name":"X-B","Value":"1"}]}},
             "BulkEmailEntries":[
               {"Destination":{"ToAddresses":["1@d.test"]}},
               {"Destination":{"ToAddresses":["2@d.test"]},"ReplacementTags":[{"Name":"k","Value":"own"}],"ReplacementHeaders":[{"Name":"x-a","Value":"2"}],
                "ReplacementEmailContent":{"ReplacementTemplate":{"ReplacementTemplateData":"{\"y\":2}"}}}]}
            """);

        Assert.False(submit.AllOrNothing);
        var (first, second) = (submit.Submissions[0], submit.Submissions[1]);
        Assert.Equal("""{"x":1,"y":1}""", first.Template!.Data.GetRawText());
        Assert.Equal("""{"x":1,"y":2}""", second.Template!.Data.GetRawText());
        Assert.Equal(["l=1", "k=own"], second.Request.Metadata.Select(m => $"{m.Name}={m.Value}"));
        Assert.Equal([new("X-B", "1"), new("x-a", "2")], second.Request.Headers);
        Assert.Equal("2@d.test", Assert.Single(second.Request.To).Text);
    }

    [Fact]
    public void A_bulk_answer_has_a_status_for_each_entry()
    {
        var submit = Submit(BulkPath, """
            {"FromEmailAddress":"a@b.test","DefaultContent":{"Template":{"TemplateName":"t"}},
             "BulkEmailEntries":[{"Destination":{"ToAddresses":["1@d.test"]}},{"Destination":{"ToAddresses":["2@d.test"]}},{"Destination":{"ToAddresses":["3@d.test"]}}]}
            """);
        var id = MessageId.Create(1, 2, 3);

        var answer = submit.Answer(new DialectReceipt(null,
            [new(id, null), new(null, new Problem("invalid-address", 422, "", "bad")),
                new(null, new Problem("not-found", 404, "", "no template"))]));
        var none = submit.Answer(new DialectReceipt(null,
            [.. Enumerable.Repeat(new DialectItem(null, new Problem("storage-low", 503, "", "full")), 3)]));

        Assert.Equal(200, answer.Status);
        Assert.Equal(
            $$"""{"BulkEmailEntryResults":[{"Status":"SUCCESS","MessageId":"{{id}}"},{"Status":"INVALID_PARAMETER","Error":"bad"},{"Status":"TEMPLATE_NOT_FOUND","Error":"no template"}]}""",
            Encoding.UTF8.GetString(answer.Body.Span));
        Assert.Equal(503, none.Status);
    }

    [Fact]
    public void Success_is_the_message_id()
    {
        var id = MessageId.Create(1, 2, 3);

        var answer = Submit(SendPath, FromTheSdk).Answer(new DialectReceipt(null, [new(id, null)]));

        Assert.Equal((200, $$"""{"MessageId":"{{id}}"}"""), (answer.Status, Encoding.UTF8.GetString(answer.Body.Span)));
    }

    [Fact]
    public void The_account_can_be_asked()
    {
        var answer = Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post("/v2/email/account",
            "") with
        { Method = "GET" })).Answer;

        Assert.Equal(200, answer.Status);
        Assert.True(JsonElement.Parse(answer.Body.Span).GetProperty("SendingEnabled").GetBoolean());
    }

    [Theory]
    [InlineData(SendPath, "")]
    [InlineData(SendPath, "null")]
    [InlineData(SendPath, "[]")]
    [InlineData(SendPath, "{}")]
    [InlineData(SendPath, """{"Content":{"Raw":{"Data":"!"}}}""")]
    [InlineData(SendPath, """{"Content":{"Raw":{"Data":""}}}""")]
    [InlineData(SendPath, """{"Content":{"Raw":{"Data":"eA=="},"Simple":{}}}""")]
    [InlineData(SendPath, """{"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{}}},"Destination":{"ToAddresses":["a@b.test"]}}""")]
    [InlineData(SendPath, """{"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{}}},"FromEmailAddress":"a@b.test"}""")]
    [InlineData(SendPath, """{"Content":{"Simple":{"Body":{}}},"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":["a@b.test"]}}""")]
    [InlineData(SendPath, """{"Content":{"Template":{}},"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":["a@b.test"]}}""")]
    [InlineData(SendPath, """{"Content":{"Template":{"TemplateName":"t","TemplateData":"[]"}},"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":["a@b.test"]}}""")]
    [InlineData(SendPath, """{"Content":{"Template":{"TemplateName":"t","TemplateData":"{"}},"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":["a@b.test"]}}""")]
    [InlineData(BulkPath, "{}")]
    [InlineData(BulkPath, """{"FromEmailAddress":"a@b.test","DefaultContent":{"Template":{"TemplateName":"t"}},"BulkEmailEntries":[]}""")]
    [InlineData(BulkPath, """{"FromEmailAddress":"a@b.test","DefaultContent":{"Template":{"TemplateName":"t"}},"BulkEmailEntries":[null]}""")]
    [InlineData(BulkPath, """{"DefaultContent":{"Template":{"TemplateName":"t"}},"BulkEmailEntries":[{}]}""")]
    public void What_SES_refuses_is_a_BadRequestException(string path, string body) =>
        AssertError(Dialect.Read(Vendors.Post(path, body)), 400, "BadRequestException");

    [Fact]
    public void More_than_fifty_recipients_are_refused()
    {
        var many = string.Join(',', Enumerable.Range(0, 51).Select(i => $"\"a{i}@b.test\""));

        AssertError(Dialect.Read(Vendors.Post(SendPath,
            $$$$"""{"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{}}},"FromEmailAddress":"a@b.test","Destination":{"ToAddresses":[{{{{many}}}}]}}""")), 400, "BadRequestException");
    }

    [Theory]
    [InlineData("unauthenticated", 401, 403, "UnrecognizedClientException")]
    [InlineData("insufficient-scope", 403, 403, "AccessDeniedException")]
    [InlineData("unverified-sender", 403, 400, "MessageRejected")]
    [InlineData("invalid-address", 422, 400, "BadRequestException")]
    [InlineData("too-large", 413, 413, "RequestEntityTooLargeException")]
    [InlineData("not-found", 404, 404, "NotFoundException")]
    [InlineData("rate-limited", 429, 429, "TooManyRequestsException")]
    [InlineData("internal-error", 500, 500, "InternalServiceErrorException")]
    [InlineData("storage-low", 503, 503, "InternalServiceErrorException")]
    public void Refusals_of_ours_are_exceptions_that_the_SDKs_know(string slug, int ours, int theirs, string type) =>
        AssertError(new DialectReading.Answered(Dialect.Refuse(new Problem(slug, ours, "T", "words"))), theirs, type);

    [Fact]
    public void An_unknown_call_is_refused_in_JSON()
    {
        AssertError(Dialect.Read(Vendors.Post("/v2/email/templates", "{}")), 404, "UnknownOperationException");
        Assert.True(Dialect.Serves("/v2/email/templates"));
        Assert.False(Dialect.Serves("/email"));
    }

    static void AssertError(DialectReading reading, int status, string type)
    {
        var answer = Assert.IsType<DialectReading.Answered>(reading).Answer;
        Assert.Equal((status, "application/json"), (answer.Status, answer.ContentType));
        Assert.Contains(new("x-amzn-errortype", type), answer.Headers);
        var body = JsonElement.Parse(answer.Body.Span);
        Assert.Equal(type, body.GetProperty("__type").GetString());
        Assert.NotEqual("", body.GetProperty("message").GetString());
    }

    static DialectReading.Submit Submit(string path, string body, params (string, string)[] headers) =>
        Assert.IsType<DialectReading.Submit>(Dialect.Read(Vendors.Post(path, body, headers)));
}
