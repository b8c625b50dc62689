using System.Text;
using Postrider.Messages;
using Postrider.Providers;
using Postrider.Providers.SendGrid;
using Postrider.Providers.Ses;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Providers;

/// <summary>Whatever reaches a dialect or a callback is answered: nothing that somebody can send makes it throw.</summary>
public sealed class HostileInputTests
{
    static readonly string[] Parts =
    [
        "\"\\ud800\"", "\"\\u0000\"", "null", "[]", "{}", "-1", "1e400", "true", "\"\"", "[null]", "\"=?utf-8?B?/w==?=\"", "9223372036854775808",
        "\"x\",\"x\":", "\"\u2028\"", "[[[[", "\\", "\"", ",", "}", "]", "\"a@b\"", "\"<\"", "\"2026-99-99T00:00:00Z\"", "253402300800",
    ];

    const string SendGridMail = """
        {"from":{"email":"s@x.test","name":"S"},"subject":"s","reply_to_list":[{"email":"r@x.test"}],"content":[{"type":"text/plain","value":"t"},{"type":"text/calendar","value":"c"}],
         "headers":{"X-A":"=?utf-8?Q?=C3=BC?="},"custom_args":{"a":"b"},"categories":["c"],"send_at":1900000000,"template_id":"d-1","mail_settings":{"sandbox_mode":{"enable":true}},
         "attachments":[{"content":"eA==","filename":"a","type":"b/c","disposition":"inline","content_id":"d"}],
         "personalizations":[{"to":[{"email":"a@x.test"}],"cc":[{"email":"b@x.test"}],"subject":"o","substitutions":{"s":"t"},"custom_args":{"a":1},"dynamic_template_data":{"a":"b"}}]}
        """;

    const string SesMail = """
        {"FromEmailAddress":"s@x.test","Destination":{"ToAddresses":["a@x.test"]},"ReplyToAddresses":["r@x.test"],"EmailTags":[{"Name":"a","Value":"b"}],
         "Content":{"Template":{"TemplateArn":"arn:x/y","TemplateData":"{\"a\":\"b\"}","Headers":[{"Name":"X-A","Value":"b"}],
           "Attachments":[{"RawContent":"eA==","FileName":"a","ContentType":"b/c","ContentDisposition":"INLINE","ContentId":"d"}]}}}
        """;

    const string SesBulk = """
        {"FromEmailAddress":"s@x.test","DefaultContent":{"Template":{"TemplateName":"t","TemplateData":"{\"a\":1}","Headers":[{"Name":"X-A","Value":"b"}]}},
         "DefaultEmailTags":[{"Name":"a","Value":"b"}],"BulkEmailEntries":[{"Destination":{"ToAddresses":["a@x.test"]},"ReplacementTags":[{"Name":"a","Value":"c"}],
          "ReplacementHeaders":[{"Name":"x-a","Value":"c"}],"ReplacementEmailContent":{"ReplacementTemplate":{"ReplacementTemplateData":"{\"b\":2}"}}}]}
        """;

    const string SendGridEvents = """
        [{"email":"a@x.test","timestamp":1700000000,"event":"bounce","type":"blocked","sg_event_id":"e","sg_message_id":"m.f","reason":"550 no","status":"5.1.1","sg_machine_open":true}]
        """;

    const string SesEvent = """
        {"eventType":"Bounce","mail":{"messageId":"m","destination":["a@x.test"],"tags":{"postrider_id":["p"]},"headers":[{"name":"X-Postrider-Id","value":"p"}]},
         "bounce":{"bounceType":"Permanent","bounceSubType":"General","feedbackId":"f","timestamp":"2026-11-21T11:00:00Z",
          "bouncedRecipients":[{"emailAddress":"a@x.test","status":"5.1.1","diagnosticCode":"smtp; 550 no"}]}}
        """;

    [Theory]
    [InlineData("/v3/mail/send", SendGridMail)]
    [InlineData("/v2/email/outbound-emails", SesMail)]
    [InlineData("/v2/email/outbound-bulk-emails", SesBulk)]
    public void Any_body_is_answered_by_a_dialect(string path, string body)
    {
        IDialect dialect = path.StartsWith("/v3", StringComparison.Ordinal) ? new SendGridDialect() : new SesDialect();
        var problem = new Problem("invalid-address", 422, "",
            "bad")
        { Errors = [new ProblemError("/to/0", "invalid-address", "bad"), new ProblemError("", "x", "y")] };
        var submitted = 0;
        for (var seed = 0UL; seed < 20_000; seed++)
        {
            var reading = dialect.Read(Vendors.Post(path, "") with { Body = Broken(body, seed) });
            if (reading is not DialectReading.Submit submit)
            {
                Assert.InRange(Assert.IsType<DialectReading.Answered>(reading).Answer.Status, 400, 499);
                continue;
            }
            submitted++;
            Assert.NotEmpty(submit.Submissions);
            Assert.InRange(submit.Answer(new DialectReceipt(null,
                [.. submit.Submissions.Select(_ => new DialectItem(null, problem))])).Status, 200, 499);
        }
        Assert.True(submitted > 1_000, $"only {submitted} bodies still made sense");
    }

    [Fact]
    public void Any_callback_of_SendGrid_is_read_or_refused()
    {
        for (var seed = 0UL; seed < 20_000; seed++)
            Assert.NotNull(SendGridFeedback.Read(Vendors.Post("/", "") with { Body = Broken(SendGridEvents, seed) }, null));
    }

    [Fact]
    public void Any_event_of_SES_is_read_or_counted()
    {
        for (var seed = 0UL; seed < 20_000; seed++)
        {
            var message = new SnsMessage
            {
                Type = "Notification",
                MessageId = "i",
                TopicArn = "t",
                Message = Encoding.UTF8.GetString(Broken(SesEvent, seed)),
                Timestamp = "2026-11-21T12:00:00Z",
                SignatureVersion = "2",
                Signature = "",
                SigningCertUrl = "",
            };
            Assert.NotNull(SesEvents.Read(message).Items);
        }
    }

    [Fact]
    public void Any_signature_is_judged()
    {
        const string Good = "AWS4-HMAC-SHA256 Credential=AK/20300101/us-east-1/ses/aws4_request, SignedHeaders=host;x-amz-date, Signature=07b6";
        var dialect = new SesDialect();
        for (var seed = 0UL; seed < 20_000; seed++)
        {
            var header = Encoding.UTF8.GetString(Broken(Good, seed));
            var call = Vendors.Post("/v2/email/outbound-emails", "{}", ("Authorization", header), ("Host", "h"),
                ("X-Amz-Date", "20300101T000000Z"));
            if (dialect.ReadCredential(call) is not null)
                Assert.NotNull(dialect.Verify(call, "secret", new DateTimeOffset(2030, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        }
    }

    /// <summary>Some bytes flipped, cut out, repeated, or replaced by something awkward; often in place of a whole JSON value.</summary>
    static byte[] Broken(string text, ulong seed)
    {
        var dice = new Dice(seed);
        var bytes = Encoding.UTF8.GetBytes(text).ToList();
        for (var times = 1 + dice.Next(3); times > 0 && bytes.Count > 4; times--)
        {
            var at = dice.Next(bytes.Count - 1);
            switch (dice.Next(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << dice.Next(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, Math.Min(1 + dice.Next(20), bytes.Count - at));
                    break;
                case 2:
                    bytes.InsertRange(at, Encoding.UTF8.GetBytes(dice.Pick<string>(Parts)));
                    break;
                case 3:
                    bytes.InsertRange(at, [0xC3, 0x28, 0xFF]);
                    break;
                default:
                    ReplaceValue(bytes, at, Encoding.UTF8.GetBytes(dice.Pick<string>(Parts)));
                    break;
            }
        }
        return [.. bytes];
    }

    /// <summary>The text between the next colon and the comma or bracket behind it.</summary>
    static void ReplaceValue(List<byte> bytes, int from, byte[] value)
    {
        var colon = bytes.IndexOf((byte)':', from);
        if (colon < 0)
            return;
        var end = bytes.FindIndex(colon + 1, b => b is (byte)',' or (byte)'}' or (byte)']');
        bytes.RemoveRange(colon + 1, (end < 0 ? bytes.Count : end) - colon - 1);
        bytes.InsertRange(colon + 1, value);
    }
}
