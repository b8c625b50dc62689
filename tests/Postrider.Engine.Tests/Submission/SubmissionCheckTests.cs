using Postrider.Messages;
using Postrider.Submission;
using Xunit;
using static Postrider.Engine.Tests.Submission.Requests;

namespace Postrider.Engine.Tests.Submission;

/// <summary>What is refused, by which name and at which place: the rows of the table of bad inputs that concern a message.</summary>
public sealed class SubmissionCheckTests
{
    static void AssertRefused(SubmissionRequest request, string slug, string pointer, int status = 422)
    {
        var problem = Refused(request);
        Assert.Equal((slug, status), (problem.Slug, problem.Status));
        var error = Assert.Single(problem.Errors);
        Assert.Equal((pointer, slug), (error.Pointer, error.Slug));
    }

    [Fact]
    public void A_plain_message_is_accepted()
    {
        var entry = Accepted(Good);
        Assert.Equal("sender@example.org", entry.Content.From.Address.ToString());
        Assert.Equal(MailStream.Transactional, entry.Stream);
        Assert.Equal(Now.AddHours(24), entry.ExpiresAt);
        Assert.Null(entry.SendAt);
        Assert.Null(entry.OnAmbiguous);
        var recipient = Assert.Single(entry.Recipients);
        Assert.Equal((0, RecipientKind.To, "ann@example.com"), (recipient.N, recipient.Kind, recipient.Mailbox.ToString()));
    }

    [Fact]
    public void A_message_without_recipients_is_refused() => AssertRefused(Good with { To = [] }, "no-recipients", "/to");

    [Fact]
    public void A_message_with_blind_recipients_only_is_accepted() =>
        Assert.Equal(RecipientKind.Bcc, Assert.Single(Accepted(Good with { To = [], Bcc = To("ann@example.com") }).Recipients).Kind);

    [Fact]
    public void A_thousand_recipients_are_accepted_and_one_more_is_refused()
    {
        var thousand = Enumerable.Range(0, 1_000).Select(i => $"r{i}@example.com").ToArray();
        Assert.Equal(1_000, Accepted(Good with { To = To(thousand) }).Recipients.Count);
        AssertRefused(Good with { To = To(thousand), Cc = To("one@example.com") }, "too-many-recipients", "");
        AssertRefused(Good with { To = To([.. Enumerable.Repeat("a@example.com", 10_001)]) }, "too-many-recipients", "");
    }

    [Theory]
    [InlineData("a@b")]
    [InlineData("@x.com")]
    [InlineData("a@")]
    [InlineData("")]
    [InlineData("a b@x.com")]
    [InlineData("a@x..com")]
    [InlineData("a@x.com, b@x.com")]
    [InlineData("\"a\r\nRCPT TO:<e@evil>\"@x.com")]
    [InlineData("Ann\r\nBcc: v@evil.com <a@x.com>")]
    [InlineData("user@[127.0.0.1]")]
    [InlineData("user@[IPv6:::1]")]
    [InlineData("user@localhost")]
    public void What_is_no_address_is_refused_at_its_place(string text)
    {
        AssertRefused(Good with { To = To("ann@example.com", text) }, "invalid-address", "/to/1");
        AssertRefused(Good with { Cc = To(text) }, "invalid-address", "/cc/0");
        AssertRefused(Good with { Bcc = To(text) }, "invalid-address", "/bcc/0");
        AssertRefused(Good with { ReplyTo = To(text) }, "invalid-address", "/reply_to/0");
        AssertRefused(Good with { From = new AddressText(text) }, "invalid-address", "/from");
        AssertRefused(Good with { To = [new AddressText(text, "Ann", IsAddressOnly: true)] }, "invalid-address", "/to/0/email");
        AssertRefused(Good with { From = new AddressText(text, null, IsAddressOnly: true) }, "invalid-address", "/from/email");
    }

    [Theory]
    [InlineData(65, 10)]    // local part too long
    [InlineData(10, 256)]   // domain too long
    [InlineData(64, 193)]   // both within their limits, together too long for a path
    public void Addresses_beyond_the_limits_of_SMTP_are_refused(int local, int domain)
    {
        var host = string.Join('.', Enumerable.Repeat(new string('d', 49), 10))[..(domain - 4)].TrimEnd('.') + ".com";
        AssertRefused(Good with { To = To($"{new string('a', local)}@{host}") }, "invalid-address", "/to/0");
    }

    [Fact]
    public void Unusual_domains_pass_where_they_are_allowed()
    {
        var options = new SubmissionOptions { AllowIpLiterals = true, AllowSingleLabelDomains = true };
        Assert.Equal(2, Accepted(Good with { To = To("user@[127.0.0.1]", "user@localhost") }, options).Recipients.Count);
    }

    [Fact]
    public void A_display_name_with_a_line_break_is_refused() =>
        AssertRefused(Good with { To = [new AddressText("ann@example.com", "Ann\r\nBcc: v@evil.com", IsAddressOnly: true)] },
            "header-injection", "/to/0/name");

    [Fact]
    public void A_missing_sender_is_refused() => AssertRefused(Good with { From = null }, "invalid-address", "/from");

    [Fact]
    public void The_answer_shows_no_control_characters_of_a_bad_address()
    {
        var detail = Refused(Good with { To = To("a\r\n\u001b[31m@x") }).Detail;
        Assert.DoesNotContain(detail, char.IsControl);
    }

    [Fact]
    public void An_address_that_comes_again_is_dropped_and_its_first_place_counts()
    {
        var entry = Accepted(Good with
        {
            To = To("Ann <ann@example.com>", "bob@EXAMPLE.com", "ann@example.com"),
            Cc = To("bob@example.com", "cid@example.com"),
            Bcc = To("ann@example.com", "dora@example.com"),
        });
        Assert.Equal(
            ["0 To Ann <ann@example.com>", "1 To bob@example.com", "2 Cc cid@example.com", "3 Bcc dora@example.com"],
            entry.Recipients.Select(r => $"{r.N} {r.Kind} {r.Mailbox}"));
    }

    [Fact]
    public void Repetitions_are_dropped_among_many_recipients_too()
    {
        var twice = Enumerable.Range(0, 600).Select(i => $"r{i}@example.com").ToArray();
        Assert.Equal(600, Accepted(Good with { To = To(twice), Bcc = To(twice) }).Recipients.Count);
    }

    [Theory]
    [InlineData("Hi\r\nBcc: v@evil.com", "header-injection")]
    [InlineData("Hi\nthere", "header-injection")]
    [InlineData("Hi\u2028there", "header-injection")]
    [InlineData("Hi\0", "header-injection")]
    [InlineData("Hi\u0007", "invalid-field")]
    public void A_subject_that_is_not_one_line_is_refused(string subject, string slug) =>
        AssertRefused(Good with { Subject = subject }, slug, "/subject");

    // Not as InlineData: attributes are UTF-8, which has no form for it.
    [Fact]
    public void A_subject_with_half_a_surrogate_pair_is_refused() =>
        AssertRefused(Good with { Subject = "Hi\ud800" }, "invalid-field", "/subject");

    [Fact]
    public void A_subject_of_more_than_10_KB_is_refused() =>
        AssertRefused(Good with { Subject = new string('ä', 5_121) }, "invalid-field", "/subject");

    [Theory]
    [InlineData("X: y")]
    [InlineData("")]
    [InlineData("Bcc")]
    [InlineData("bcc")]
    [InlineData("Received")]
    [InlineData("DKIM-Signature")]
    [InlineData("Content-Type")]
    [InlineData("From")]
    [InlineData("Subject")]
    [InlineData("Return-Path")]
    [InlineData("Resent-To")]
    [InlineData("Ünï")]
    public void Headers_that_are_not_the_senders_to_write_are_refused(string name) =>
        AssertRefused(WithHeader(name, "value"), "forbidden-header", $"/headers/{name}");

    [Theory]
    [InlineData("a\rb")]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    [InlineData("a\u2028b")]
    [InlineData("a\r\n folded")]
    public void Header_values_of_more_than_one_line_are_refused(string value) =>
        AssertRefused(WithHeader("X-Custom", value), "header-injection", "/headers/X-Custom");

    [Fact]
    public void A_header_name_with_a_line_break_is_refused() =>
        Assert.Equal("header-injection", Refused(WithHeader("X-A\r\nBcc: v@evil.com\r\nX-B", "value")).Slug);

    [Fact]
    public void A_header_name_becomes_a_token_of_the_pointer() =>
        AssertRefused(WithHeader("X~a/b", "a\nb"), "header-injection", "/headers/X~0a~1b");

    [Fact]
    public void Too_many_or_too_large_headers_are_refused()
    {
        KeyValuePair<string, string>[] Many(int count) =>
            [.. Enumerable.Range(0, count).Select(i => KeyValuePair.Create($"X-{i}", "v"))];

        Assert.Equal(100, Accepted(Good with { Headers = Many(100) }).Content.Headers.Count);
        AssertRefused(Good with { Headers = Many(200) }, "too-many-headers", "/headers");
        AssertRefused(WithHeader("X-Large", new string('x', 100_000)), "too-many-headers", "/headers/X-Large");
    }

    [Fact]
    public void A_header_that_a_message_has_once_is_refused_the_second_time() =>
        AssertRefused(Good with { Headers = [new("List-Id", "<a.example.com>"), new("list-id", "<b.example.com>")] }, "forbidden-header",
            "/headers/list-id");

    [Theory]
    [InlineData("not base64!")]
    [InlineData("YQ=")]
    [InlineData("Y_-=")]
    public void An_attachment_that_is_not_base64_is_refused(string content) =>
        AssertRefused(WithAttachment(Base64(content)), "invalid-attachment", "/attachments/0/content");

    [Theory]
    [InlineData("", "")]
    [InlineData("YQ==", "a")]
    [InlineData("aGVs\r\nbG8=\n", "hello")]
    public void An_attachment_in_base64_is_decoded(string content, string expected)
    {
        var attachment = Assert.Single(Accepted(WithAttachment(Base64(content))).Content.Attachments);
        Assert.Equal(expected, System.Text.Encoding.ASCII.GetString(attachment.Content.Span));
    }

    [Fact]
    public void An_attachment_without_content_is_refused() =>
        AssertRefused(WithAttachment(new AttachmentText("a.txt", null, null, null)), "invalid-attachment", "/attachments/0/content");

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("https://example.com/a.pdf")]
    [InlineData("file:///etc/passwd")]
    public void An_attachment_by_URL_is_refused(string url) =>
        AssertRefused(WithAttachment(new AttachmentText("a.pdf", null, null, null) { Url = url }), "url-not-allowed", "/attachments/0");

    [Theory]
    [InlineData("report.PDF", null, "application/pdf")]
    [InlineData("report.pdf", "", "application/pdf")]
    [InlineData("report.pdf", "text/plain", "text/plain")]
    [InlineData("report.pdf", "application/octet-stream", "application/octet-stream")]
    [InlineData("archive.tar.gz", null, "application/gzip")]
    [InlineData("pdf", null, "application/octet-stream")]
    [InlineData("a.unheard-of", null, "application/octet-stream")]
    [InlineData(null, null, "application/octet-stream")]
    public void A_file_without_a_type_has_that_of_its_name(string? name, string? given, string type) =>
        Assert.Equal(type, Accepted(WithAttachment(new AttachmentText(name, given, "YQ==", null))).Content.Attachments[0].ContentType);

    [Theory]
    [InlineData("a\r\nX: y.txt", null, null, null, "header-injection", "/attachments/0/filename")]
    [InlineData("a.txt", "text/plain\r\nX: y", null, null, "header-injection", "/attachments/0/content_type")]
    [InlineData("a.txt", null, "<a b>", null, "invalid-attachment", "/attachments/0/content_id")]
    [InlineData("a.txt", null, "a\r\nb", null, "invalid-attachment", "/attachments/0/content_id")]
    [InlineData("a.txt", null, null, "form-data", "invalid-attachment", "/attachments/0/disposition")]
    public void Attachment_names_that_cannot_be_written_are_refused(string name, string? type, string? id, string? disposition,
        string slug, string pointer) =>
        AssertRefused(WithAttachment(new AttachmentText(name, type, "YQ==", id) { Disposition = disposition }), slug, pointer);

    [Fact]
    public void An_attachment_with_a_content_id_is_inline_unless_it_says_otherwise()
    {
        Assert.True(Accepted(WithAttachment(new AttachmentText("i.png", "image/png", "YQ==", "cid1"))).Content.Attachments[0].Inline);
        var apart = new AttachmentText("i.png", "image/png", "YQ==", "cid1") { Disposition = "attachment" };
        Assert.False(Accepted(WithAttachment(apart)).Content.Attachments[0].Inline);
        Assert.False(Accepted(WithAttachment(new AttachmentText("i.png", "image/png", "YQ==", null))).Content.Attachments[0].Inline);
    }

    [Fact]
    public void What_is_too_large_is_refused_with_413()
    {
        AssertRefused(Good with { Html = new string('x', 20_000_000) }, "too-large", "/html", 413);
        AssertRefused(Good with { Text = new string('x', 10 * 1024 * 1024 + 1) }, "too-large", "/text", 413);
        AssertRefused(WithAttachment(Base64(new string('A', 26_000_000))), "too-large", "", 413);
        AssertRefused(WithAttachment(new AttachmentText("a", null, null, null, new byte[20_000_000])), "too-large", "", 413);
        Accepted(WithAttachment(new AttachmentText("a", null, null, null, new byte[18_000_000])));
    }

    [Fact]
    public void A_message_needs_a_subject_a_text_or_an_HTML()
    {
        AssertRefused(Good with { Subject = "", Text = null, Html = "" }, "no-content", "");
        Accepted(Good with { Subject = null, Text = null, Html = "<p>x</p>" });
        Accepted(Good with { Subject = "only this", Text = null });
    }

    [Fact]
    public void An_empty_part_is_no_part() => Assert.Null(Accepted(Good with { Text = "", Html = "<p>x</p>" }).Content.Text);

    [Fact]
    public void A_time_that_is_past_is_now()
    {
        var entry = Accepted(Good with { SendAt = "2020-01-01T00:00:00Z" });
        Assert.Null(entry.SendAt);
        Assert.Equal(Now.AddHours(24), entry.ExpiresAt);
    }

    [Fact]
    public void Patience_counts_from_the_time_of_sending()
    {
        var entry = Accepted(Good with { SendAt = "2026-03-02T13:00:00+01:00", ExpiresIn = "3600" });
        Assert.Equal(Now.AddDays(1), entry.SendAt);
        Assert.Equal(Now.AddDays(1).AddHours(1), entry.ExpiresAt);
    }

    [Theory]
    [InlineData("2027-03-02T12:00:00Z")]     // more than a year
    [InlineData("2026-03-02T12:00:00")]      // no zone
    [InlineData("2027-02-30T12:00:00Z")]     // no such day
    [InlineData("in 1 min")]
    [InlineData("")]
    public void Times_that_are_none_or_too_far_are_refused(string sendAt) =>
        AssertRefused(Good with { SendAt = sendAt }, "invalid-time", "/send_at");

    [Theory]
    [InlineData("-1")]
    [InlineData("0")]
    [InlineData("8d")]
    [InlineData("1e400")]
    [InlineData("99999999999999999999")]
    [InlineData("soon")]
    [InlineData("")]
    public void Patience_that_is_none_or_too_long_is_refused(string expiresIn) =>
        AssertRefused(Good with { ExpiresIn = expiresIn }, "invalid-field", "/expires_in");

    [Theory]
    [InlineData("60", 60)]
    [InlineData("90s", 90)]
    [InlineData("90m", 5_400)]
    [InlineData("24h", 86_400)]
    [InlineData("7d", 604_800)]
    public void Patience_is_seconds_or_has_a_unit(string expiresIn, int seconds) =>
        Assert.Equal(Now.AddSeconds(seconds), Accepted(Good with { ExpiresIn = expiresIn }).ExpiresAt);

    [Fact]
    public void Names_that_nobody_knows_are_refused()
    {
        AssertRefused(Good with { Stream = "fast" }, "invalid-field", "/stream");
        AssertRefused(Good with { OnAmbiguous = "maybe" }, "invalid-field", "/on_ambiguous");
        AssertRefused(Good with { Route = "" }, "invalid-field", "/route");
        AssertRefused(Good with { Route = new string('r', 65) }, "invalid-field", "/route");
        AssertRefused(Good with { OrderingKey = new string('k', 129) }, "invalid-field", "/ordering_key");
        Assert.Equal(AmbiguityPolicy.Hold, Accepted(Good with { OnAmbiguous = "hold", Stream = "bulk" }).OnAmbiguous);
        Assert.Equal(MailStream.Bulk, Accepted(Good with { Stream = "bulk" }).Stream);
    }

    [Fact]
    public void Tags_and_metadata_have_limits()
    {
        AssertRefused(Good with { Tags = ["fine", ""] }, "invalid-field", "/tags/1");
        AssertRefused(Good with { Tags = [new string('t', 129)] }, "invalid-field", "/tags/0");
        AssertRefused(Good with { Tags = ["a\nb"] }, "invalid-field", "/tags/0");
        AssertRefused(Good with { Tags = [.. Enumerable.Repeat("t", 51)] }, "invalid-field", "/tags");
        AssertRefused(Good with { Metadata = [new("order", new string('v', 1_001))] }, "invalid-field", "/metadata/order");
        AssertRefused(Good with { Metadata = [new("", "v")] }, "invalid-field", "/metadata/");
        AssertRefused(Good with { Metadata = [.. Enumerable.Repeat(new MetadataEntry("n", "v"), 51)] }, "invalid-field", "/metadata");
        Accepted(Good with { Tags = ["welcome", "größe"], Metadata = [new("order", "4711"), new("empty", "")] });
    }

    [Fact]
    public void All_faults_are_told_at_once()
    {
        var problem = Refused(new SubmissionRequest
        {
            To = To("a@b", "ann@example.com", "c d@x.com"),
            Subject = "Hi\r\nBcc: v@evil.com",
            Headers = [new("Bcc", "v@evil.com"), new("X-A", "a\nb")],
            Attachments = [Base64("?"), new AttachmentText("b", null, null, null) { Url = "http://x" }],
            SendAt = "tomorrow",
            ExpiresIn = "-5",
            Stream = "x",
            OnAmbiguous = "y",
        });
        Assert.Equal(
            ["/attachments/0/content", "/attachments/1", "/expires_in", "/from", "/headers/Bcc", "/headers/X-A", "/on_ambiguous",
                "/send_at", "/stream", "/subject", "/to/0", "/to/2"],
            problem.Errors.Select(e => e.Pointer).Order(StringComparer.Ordinal));
        Assert.Contains("12 faults", problem.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_of_nothing_is_refused_and_says_all_that_is_missing() =>
        Assert.Equal(["no-recipients", "invalid-address", "no-content"], Refused(new SubmissionRequest()).Errors.Select(e => e.Slug));

    [Fact]
    public void The_list_of_faults_has_an_end()
    {
        var problem = Refused(Good with { To = To([.. Enumerable.Repeat("bad", 900)]) });
        Assert.Equal(100, problem.Errors.Count);
        Assert.Contains("900 faults", problem.Detail, StringComparison.Ordinal);
    }
}
