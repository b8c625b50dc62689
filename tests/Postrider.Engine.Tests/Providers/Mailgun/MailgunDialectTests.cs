using System.Text;
using System.Text.Json;
using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.Mailgun;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Mailgun;

public sealed class MailgunDialectTests
{
    static readonly MailgunDialect Dialect = new();

    /// <summary>What mailgun.js 14.0.1 sends for a message with everything, field by field.</summary>
    static readonly (string Head, string Value)[] FromTheSdk =
    [
        ("name=\"from\"", "Sender <sender@example.com>"), ("name=\"to\"", "Al <a@example.net>"), ("name=\"to\"", "\"Bee, B\" <b@example.net>"), ("name=\"cc\"", "c@example.net"),
        ("name=\"bcc\"", "d@example.net"), ("name=\"subject\"", "Hello ünïcode"), ("name=\"text\"", "plain"), ("name=\"html\"", "<b>html</b>"),
        ("name=\"attachment\"; filename=\"ä; \\\"b\\\".txt\"\r\nContent-Type: text/plain", "hello"),
        ("name=\"inline\"; filename=\"i.png\"\r\nContent-Type: application/octet-stream", "hi"),
        ("name=\"attachment\"\r\nContent-Type: text/plain", "dropped"),
        ("name=\"h:Reply-To\"", "reply@example.com"), ("name=\"h:X-Custom\"", "v1"), ("name=\"v:my-var\"", "{\"a\":1}"), ("name=\"o:tag\"", "t1"), ("name=\"o:tag\"", "t2"),
        ("name=\"o:tracking\"", "no"), ("name=\"o:deliverytime\"", "Fri, 25 Oct 2030 23:10:10 +0200"), ("name=\"o:require-tls\"", "yes"),
    ];

    [Fact]
    public void A_full_message_of_the_official_SDK_becomes_one_submission()
    {
        var submit = Submit("/v3/example.com/messages", FromTheSdk);

        var request = Assert.Single(submit.Submissions).Request;
        Assert.Equal([new("a@example.net", "Al", true), new AddressText("b@example.net", "Bee, B", true)], request.To);
        Assert.Equal(("c@example.net", "d@example.net", "reply@example.com"), (Assert.Single(request.Cc).Text, Assert.Single(request.Bcc).Text, Assert.Single(request.ReplyTo).Text));
        Assert.Equal(("Hello ünïcode", "plain", "<b>html</b>", "2030-10-25T21:10:10Z"), (request.Subject, request.Text, request.Html, request.SendAt));
        Assert.Equal([new("X-Custom", "v1")], request.Headers);
        Assert.Equal(["t1", "t2"], request.Tags);
        Assert.Equal([new MetadataEntry("my-var", "{\"a\":1}")], request.Metadata);
        Assert.Equal([("ä; \"b\".txt", "text/plain", null), ("i.png", "image/png", "i.png")], request.Attachments.Select(a => (a.FileName, a.ContentType, a.ContentId)));
        Assert.Equal(["hello", "hi"], request.Attachments.Select(a => Encoding.UTF8.GetString(a.Bytes!.Value.Span)));
        Assert.Equal([false, true], Requests.Accepted(request with { SendAt = null }).Content.Attachments.Select(a => a.Inline));
        Assert.True(submit is { AllOrNothing: true, DryRun: false });
    }

    [Fact]
    public void Recipient_variables_make_a_message_for_each_recipient()
    {
        var submit = Submit("/v3/example.com/messages",
            ("name=\"from\"", "s@example.com"), ("name=\"to\"", "a@example.net, b@example.net"), ("name=\"to\"", "c@example.net"), ("name=\"subject\"", "Hi %recipient.first%"),
            ("name=\"text\"", "%recipient.first% has %recipient.n%%"), ("name=\"recipient-variables\"", """{"a@example.net":{"first":"%recipient.n%","n":1},"B@example.net":{"first":"Bo"}}"""));

        Assert.Equal([("a@example.net", "Hi %recipient.n%", "%recipient.n% has 1%"), ("b@example.net", "Hi Bo", "Bo has %"), ("c@example.net", "Hi ", " has %")],
            submit.Submissions.Select(s => (Assert.Single(s.Request.To).Text, s.Request.Subject!, s.Request.Text!)));
    }

    // 1.6 MB that ask for 10 GB.
    [Fact]
    public void Variables_cannot_make_a_small_call_a_large_one()
    {
        var submit = Submit("/v3/example.com/messages", ("name=\"from\"", "s@example.com"), ("name=\"to\"", "a@example.net, b@example.net"),
            ("name=\"text\"", string.Concat(Enumerable.Repeat("%recipient.x% ", 100_000))),
            ("name=\"recipient-variables\"", $$$"""{"b@example.net":{"x":"{{{new string('x', 100_000)}}}"}}"""));

        Assert.All(submit.Submissions, submission => Assert.Equal(413, submission.Fault?.Status));
        Assert.All(submit.Submissions, submission => Assert.True(submission.Request.Text!.Length < 1_000_000));
    }

    [Fact]
    public void More_recipients_than_may_be_are_not_made_messages_of_first()
    {
        var call = Vendors.Post("/v3/example.com/messages", "", ("Content-Type", "multipart/form-data; boundary=----b")) with
        {
            Body = Form(("name=\"from\"", "s@example.com"), ("name=\"to\"", string.Join(',', Enumerable.Range(0, 200_000).Select(i => $"r{i}@example.net"))),
                ("name=\"text\"", "x"), ("name=\"recipient-variables\"", "{}")),
        };

        Assert.Equal(400, Assert.IsType<DialectReading.Answered>(Dialect.Read(call)).Answer.Status);
    }

    [Fact]
    public void A_urlencoded_form_is_read_too()
    {
        var call = Vendors.Post("/v3/example.com/messages", "from=S+%3Cs%40example.com%3E&to=a%40example.net&to=b%40example.net&subject=%C3%BC&text=a+%2B+b&template=t&t%3Avariables=%7B%22n%22%3A1%7D&o%3Atestmode=true",
            ("Content-Type", "application/x-www-form-urlencoded"));

        var submit = Assert.IsType<DialectReading.Submit>(Dialect.Read(call));

        var (request, template) = (submit.Submissions[0].Request, submit.Submissions[0].Template!);
        Assert.Equal(("S <s@example.com>", 2, "ü", "a + b"), (request.From!.Value.Text, request.To.Count, request.Subject, request.Text));
        Assert.Equal(("t", 1, true), (template.Name, template.Data.GetProperty("n").GetInt32(), submit.DryRun));
    }

    [Fact]
    public void Success_has_an_id_in_angle_brackets()
    {
        var id = MessageId.Create(5, 5, 5);

        var answer = Submit("/v3/example.com/messages", FromTheSdk).Answer(new DialectReceipt(null, [new DialectItem(id, null)]));

        Assert.Equal($$"""200 {"id":"<{{id}}@example.com>","message":"Queued. Thank you."}""", answer.ToString().Replace("\\u003C", "<", StringComparison.Ordinal).Replace("\\u003E", ">", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("application/json", "{}")]
    [InlineData("multipart/form-data", "")]
    [InlineData("multipart/form-data; boundary=x", "")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\na@b.test\r\n--x")]
    [InlineData("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n")]
    [InlineData("application/x-www-form-urlencoded", "to=a%40b.test&recipient-variables=%5B")]
    [InlineData("application/x-www-form-urlencoded", "to=a%40b.test&recipient-variables=%5B%5D")]
    public void What_is_no_form_is_refused_in_Mailguns_shape(string type, string body)
    {
        var answer = Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post("/v3/example.com/messages", body, ("Content-Type", type)))).Answer;

        Assert.Equal((400, "application/json"), (answer.Status, answer.ContentType));
        Assert.NotEqual("", JsonElement.Parse(answer.Body.Span).GetProperty("message").GetString());
    }

    [Fact]
    public void Every_prefix_of_a_form_is_refused_or_whole()
    {
        var body = Form(FromTheSdk);
        for (var length = 0; length < body.Length - 4; length++)
            Assert.Null(FormReader.Read("multipart/form-data; boundary=----b", body.AsMemory(0, length)));
    }

    [Theory]
    [InlineData(403, 403)]
    [InlineData(413, 413)]
    [InlineData(422, 400)]
    [InlineData(429, 429)]
    [InlineData(503, 503)]
    public void A_refusal_of_ours_has_a_status_that_Mailgun_has(int ours, int theirs)
    {
        var answer = Dialect.Refuse(new Problem("x", ours, "T", "detail") { RetryAfter = TimeSpan.FromSeconds(1.5) });

        Assert.Equal((theirs, """{"message":"detail"}"""), (answer.Status, Encoding.UTF8.GetString(answer.Body.Span)));
        Assert.Contains(new("Retry-After", "2"), answer.Headers);
    }

    [Fact]
    public void A_bad_address_and_a_bad_key_are_told_in_Mailguns_words()
    {
        var submit = Submit("/v3/example.com/messages", ("name=\"from\"", "s@example.com"), ("name=\"to\"", "nonsense"), ("name=\"text\"", "t"));

        Assert.Contains("'to' parameter is not a valid address",
            submit.Answer(new DialectReceipt(null, [new DialectItem(null, Requests.Refused(submit.Submissions[0].Request))])).ToString(),
            StringComparison.Ordinal);
        Assert.Equal("401 Forbidden", Dialect.Refuse(new Problem("unauthorized", 401, "T", "d")).ToString());
        Assert.Equal("key-1", Dialect.ReadCredential(Vendors.Post("/v3/x/messages", "", ("Authorization", "Basic " + Convert.ToBase64String("api:key-1"u8))))?.Key);
        Assert.Null(Dialect.ReadCredential(Vendors.Post("/v3/x/messages", "", ("Authorization", "Bearer key-1"))));
    }

    [Fact]
    public void SendGrids_path_is_not_ours()
    {
        Assert.True(Dialect.Serves("/v3/mg.test/messages") && Dialect.Serves("/v3/mg.test/messages.mime"));
        Assert.False(Dialect.Serves("/v3/mail/send") || Dialect.Serves("/v3//messages"));
    }

    [Fact]
    public async Task What_our_sender_sends_arrives_byte_for_byte()
    {
        DialectSubmission? arrived = null;
        await using var stub = HttpStub.Start(call =>
        {
            var (answer, submissions) = Vendors.Accept(Dialect, Vendors.Inbound(call));
            arrived = Assert.Single(submissions);
            return Vendors.Reply(answer);
        });
        await using var provider = MailgunProviderTests.ProviderAt(stub);
        for (var seed = 0UL; seed < 100; seed++)
        {
            var envelope = Envelopes.With(Vendors.AnyContent(seed), "Al <a@to.test>", "b@bücher.example", "cc:c@to.test", "bcc:d@to.test");
            using var rendered = RenderedMessage.Of(MimeRendering.ToMime(envelope));

            var outcomes = await provider.SendAsync(envelope, CancellationToken.None);

            Assert.All(outcomes, o => Assert.True(o.Kind == OutcomeKind.Accepted, $"seed {seed}: {o.Reply.Text}"));
            Assert.True(rendered.Bytes.Span.SequenceEqual(arrived!.Request.Mime!.Value.Span), $"seed {seed}");
            Assert.Equal(envelope.Recipients.Select(r => r.Mailbox.Address),
                arrived.Request.To.Select(to => Postrider.Mail.Addresses.EmailAddress.Parse(to.Text)));
            Assert.Equal([new MetadataEntry(CarriedId.Name, envelope.Message.ToString())], arrived.Request.Metadata);
        }
    }

    static DialectReading.Submit Submit(string path, params (string Head, string Value)[] parts) => Assert.IsType<DialectReading.Submit>(
        Dialect.Read(Vendors.Post(path, "", ("Content-Type", "multipart/form-data; boundary=----b")) with { Body = Form(parts) }));

    static byte[] Form(params (string Head, string Value)[] parts) =>
        Encoding.UTF8.GetBytes(string.Concat(parts.Select(part => $"------b\r\nContent-Disposition: form-data; {part.Head}\r\n\r\n{part.Value}\r\n")) + "------b--\r\n");
}
