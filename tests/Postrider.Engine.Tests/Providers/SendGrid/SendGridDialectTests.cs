using System.Text.Json;
using Postrider.Engine.Tests.Submission;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.SendGrid;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers.SendGrid;

public sealed class SendGridDialectTests
{
    static readonly SendGridDialect Dialect = new();

    /// <summary>What @sendgrid/mail 8.1.6 sends for a message with everything.</summary>
    const string FromTheSdk = """
        {"from":{"email":"sender@example.com","name":"Sénder, Inc."},
         "subject":"Hello ünïcode",
         "personalizations":[{"to":[{"email":"a@example.net","name":"Al"},{"email":"b@example.net","name":"Bee"}],
            "cc":[{"email":"c@example.net"}],"bcc":[{"email":"d@example.net"}]}],
         "attachments":[{"content":"aGVsbG8=","filename":"a.txt","type":"text/plain","disposition":"attachment"},
            {"content":"aGk=","filename":"i.png","type":"image/png","disposition":"inline","contentId":"cid1"}],
         "categories":["welcome"],
         "content":[{"value":"plain","type":"text/plain"},{"value":"<b>html</b>","type":"text/html"}],
         "headers":{"X-Custom":"v1"},
         "asm":{"group_id":5},
         "mail_settings":{"sandbox_mode":{"enable":false}},
         "tracking_settings":{"click_tracking":{"enable":false,"enable_text":false},"open_tracking":{"enable":false}},
         "custom_args":{"order_id":"42"},
         "reply_to":{"email":"reply@example.com"},
         "send_at":1900000000,"batch_id":"b1","ip_pool_name":"pool"}
        """;

    [Fact]
    public void A_full_message_of_the_official_SDK_becomes_one_submission()
    {
        var submit = Submit(FromTheSdk);

        var request = Assert.Single(submit.Submissions).Request;
        Assert.Equal(new AddressText("sender@example.com", "Sénder, Inc.", IsAddressOnly: true), request.From);
        Assert.Equal(["a@example.net", "b@example.net"], request.To.Select(a => a.Text));
        Assert.Equal((["c@example.net"], ["d@example.net"], ["reply@example.com"]),
            (request.Cc.Select(a => a.Text), request.Bcc.Select(a => a.Text), request.ReplyTo.Select(a => a.Text)), Lists);
        Assert.Equal(("Hello ünïcode", "plain", "<b>html</b>", "2030-03-17T17:46:40Z"),
            (request.Subject, request.Text, request.Html, request.SendAt));
        Assert.Equal([new("X-Custom", "v1")], request.Headers);
        Assert.Equal(["welcome"], request.Tags);
        Assert.Equal([new MetadataEntry("order_id", "42")], request.Metadata);
        Assert.Equal([("a.txt", null, "attachment"), ("i.png", "cid1", "inline")], request.Attachments
            .Select(a => (a.FileName, a.ContentId, a.Disposition)));
        Assert.True(submit is { AllOrNothing: true, DryRun: false });
        Requests.Accepted(request with { SendAt = null });
    }

    static bool Lists((IEnumerable<string>, IEnumerable<string>, IEnumerable<string>) a,
        (IEnumerable<string>, IEnumerable<string>, IEnumerable<string>) b) =>
        a.Item1.SequenceEqual(b.Item1) && a.Item2.SequenceEqual(b.Item2) && a.Item3.SequenceEqual(b.Item3);

    [Fact]
    public void Each_personalization_is_a_message_with_what_it_says_for_itself()
    {
        var submit = Submit("""
            {"from":{"email":"s@example.com"},"subject":"Hi -name-","content":[{"type":"text/plain","value":"-name- has -sum-"},{"type":"text/html","value":"<b>-name-</b>"}],
             "headers":{"X-A":"1","X-B":"=?utf-8?Q?=C3=BC?="},"custom_args":{"a":"all","b":2},"send_at":1900000000,
             "personalizations":[
               {"to":[{"email":"a@example.net"}],"substitutions":{"-name-":"-sum-","-sum-":"1$&"}},
               {"to":[{"email":"b@example.net"}],"subject":"Own","from":{"email":"other@example.com"},"headers":{"X-A":"2"},"custom_args":{"a":"own"},"send_at":1900000001}]}
            """);

        var (first, second) = (submit.Submissions[0].Request, submit.Submissions[1].Request);
        Assert.Equal(("Hi -sum-", "-sum- has 1$&", "<b>-sum-</b>", "s@example.com"),
            (first.Subject, first.Text, first.Html, first.From!.Value.Text));
        Assert.Equal(("Own", "-name- has -sum-", "other@example.com", "2030-03-17T17:46:41Z"),
            (second.Subject, second.Text, second.From!.Value.Text, second.SendAt));
        Assert.Equal([new("X-A", "1"), new("X-B", "ü")], first.Headers);
        Assert.Equal([new("X-A", "2"), new("X-B", "ü")], second.Headers);
        Assert.Equal([new MetadataEntry("a", "all"), new MetadataEntry("b", "2")], first.Metadata);
        Assert.Equal(new MetadataEntry("a", "own"), second.Metadata[0]);
    }

    // 0.7 MB that ask for 10 GB.
    [Fact]
    public void Substitutions_cannot_make_a_small_call_a_large_one()
    {
        var submit = Submit($$$"""
            {"from":{"email":"s@example.com"},"subject":"x","content":[{"type":"text/plain","value":"{{{string.Concat(Enumerable.Repeat("-name- ", 90_000))}}}"}],
             "personalizations":[{"to":[{"email":"a@example.net"}],"substitutions":{"-name-":"{{{new string('x', 9_000)}}}"}}]}
            """);

        Assert.Equal(413, Assert.Single(submit.Submissions).Fault?.Status);
    }

    [Fact]
    public void A_dynamic_template_needs_neither_subject_nor_content()
    {
        var submit = Submit("""
            {"from":{"email":"s@example.com"},"template_id":"d-1","personalizations":[{"to":[{"email":"a@example.net"}],"dynamic_template_data":{"name":"Ann","n":[1]}}]}
            """);

        var template = Assert.Single(submit.Submissions).Template!;
        Assert.Equal(("d-1", "Ann"), (template.Name, template.Data.GetProperty("name").GetString()));
    }

    [Fact]
    public void Success_is_202_with_the_id_in_a_header_and_the_sandbox_answers_200_and_sends_nothing()
    {
        var id = MessageId.Create(5, 5, 5);
        var receipt = new DialectReceipt(null, [new DialectItem(id, null)]);

        var real = Submit(FromTheSdk).Answer(receipt);
        var sandbox = Submit(FromTheSdk.Replace("\"enable\":false}}", "\"enable\":true}}", StringComparison.Ordinal));

        Assert.Equal((202, 0), (real.Status, real.Body.Length));
        Assert.Equal([new("X-Message-Id", id.ToString())], real.Headers);
        Assert.True(sandbox.DryRun);
        Assert.Equal(200, sandbox.Answer(new DialectReceipt(null, [default])).Status);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("null", null)]
    [InlineData("[]", null)]
    [InlineData("{\"personalizations\":{}}", "personalizations")]
    [InlineData("{\"personalizations\":[{\"to\":[{\"email\":5}]}]}", "personalizations.0.to.0.email")]
    [InlineData("{}", "personalizations")]
    [InlineData("""{"personalizations":[{}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "personalizations.0.to")]
    [InlineData("""{"personalizations":[null],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "personalizations.0.to")]
    [InlineData("""{"personalizations":[{"to":[null]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "personalizations.0.to.0.email")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}],"cc":[{"email":"A@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "personalizations.0")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "from.email")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"content":[{"type":"text/plain","value":"t"}]}""", "subject")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s"}""", "content")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":""}]}""", "content.0.value")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}],"headers":{"Bcc":"x"}}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}]}""", "personalizations.0.headers.Bcc")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}],"categories":["a","a"]}""", "categories")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}],"attachments":[{"filename":"x"}]}""", "attachments.0.content")]
    [InlineData("""{"personalizations":[{"to":[{"email":"a@x.test"}]}],"from":{"email":"s@x.test"},"subject":"s","content":[{"type":"text/plain","value":"t"}],"reply_to":{"email":"a@b.c"},"reply_to_list":[{"email":"a@b.c"}]}""", "reply_to")]
    public void What_SendGrid_refuses_is_refused_in_its_shape_and_names_the_field(string body, string? field)
    {
        var answer = Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post("/v3/mail/send", body))).Answer;

        Assert.Equal((400, "application/json"), (answer.Status, answer.ContentType));
        var errors = JsonElement.Parse(answer.Body.Span).GetProperty("errors").EnumerateArray().ToList();
        Assert.Contains(errors, error => error.TryGetProperty("field", out var named) ? named.GetString() == field : field is null);
        Assert.All(errors, error => Assert.True(error.TryGetProperty("help", out var help) && help.ValueKind == JsonValueKind.Null));
    }

    [Fact]
    public void Refusals_of_ours_name_the_field_they_came_from()
    {
        var submit = Submit("""
            {"from":{"email":"s@example.com"},"subject":"s","content":[{"type":"text/plain","value":"t"}],
             "personalizations":[{"to":[{"email":"a@example.net"}]},{"to":[{"email":"a@example.net"},{"email":"nonsense"}],"from":{"email":"x"}}]}
            """);
        var problem = Requests.Refused(submit.Submissions[1].Request);

        var answer = submit.Answer(new DialectReceipt(null, [new DialectItem(null, null), new DialectItem(null, problem)]));

        Assert.Equal(400, answer.Status);
        Assert.Equal(["personalizations.1.from.email", "personalizations.1.to.1.email"],
            JsonElement.Parse(answer.Body.Span).GetProperty("errors").EnumerateArray()
                .Select(e => e.GetProperty("field").GetString()).Order());
    }

    [Theory]
    [InlineData(401, 401)]
    [InlineData(403, 403)]
    [InlineData(413, 413)]
    [InlineData(422, 400)]
    [InlineData(429, 429)]
    [InlineData(503, 503)]
    public void Other_refusals_keep_a_status_that_SendGrid_has(int ours, int theirs)
    {
        var answer = Dialect.Refuse(new Problem("x", ours, "T", "detail") { RetryAfter = TimeSpan.FromSeconds(1.5) });

        Assert.Equal(theirs, answer.Status);
        Assert.Contains(new("Retry-After", "2"), answer.Headers);
        Assert.NotEqual("", JsonElement.Parse(answer.Body.Span).GetProperty("errors")[0].GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("Bearer SG.key", "SG.key")]
    [InlineData("bearer SG.key ", "SG.key")]
    [InlineData("Basic SG.key", null)]
    [InlineData("Bearer ", null)]
    [InlineData("v1", null)]
    public void The_key_is_the_bearer_token(string header, string? key) =>
        Assert.Equal(key, Dialect.ReadCredential(Vendors.Post("/v3/mail/send", "{}", ("Authorization", header)))?.Key);

    [Fact]
    public void Another_method_is_refused_in_JSON()
    {
        var answer = Assert.IsType<DialectReading.Answered>(Dialect.Read(Vendors.Post("/v3/mail/send", "") with { Method = "GET" })).Answer;

        Assert.Equal((405, "application/json"), (answer.Status, answer.ContentType));
        Assert.True(Dialect.Serves("/v3/mail/send"));
        Assert.False(Dialect.Serves("/v3/mg.example.com/messages"));
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
        await using var provider = SendGridProviderTests.ProviderAt(stub);

        await VendorChecks.AssertAllArriveAsync(provider, Vendors.AnyContent, () => arrived!.Request);
    }

    static DialectReading.Submit Submit(string body) =>
        Assert.IsType<DialectReading.Submit>(Dialect.Read(Vendors.Post("/v3/mail/send", body)));
}
