using System.Text;
using Postrider.Messages;
using Postrider.Submission;
using Xunit;
using static Postrider.Engine.Tests.Submission.Requests;
using static Postrider.Engine.Tests.Submission.SubmissionHouse;

namespace Postrider.Engine.Tests.Submission;

/// <summary>Messages that come whole: what of them is kept, what must change, and what is refused.</summary>
public sealed class RawSubmissionTests
{
    const string Mime = """
        From: Ann Other <ann@example.org>
        To: Bob <bob@example.com>, carl@example.com
        Cc: dora@example.com
        Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
        Reply-To: replies@example.org
        Date: Thu, 01 Jan 2026 00:00:00 +0000
        Message-ID: <1@example.org>
        X-Odd :  kept   as it is

        Hello.

        """;

    static readonly MessageId Id = MessageId.Create(Now.ToUnixTimeMilliseconds(), 3, 0);

    static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"));

    static SubmissionRequest Raw(string text, params string[] recipients) => new() { Mime = Bytes(text), To = To(recipients) };

    static string Sent(CheckedSubmission entry) => Encoding.UTF8.GetString(entry.ContentFor(Id).Mime!.Value.Span);

    static string[] Describe(IEnumerable<MessageRecipient> recipients) => [.. recipients.Select(r => $"{r.N} {r.Kind} {r.Mailbox}")];

    [Fact]
    public void A_whole_message_is_passed_on_byte_for_byte_without_a_copy()
    {
        var request = Raw(Mime);
        var sent = Accepted(request).ContentFor(Id).Mime!.Value;

        Assert.Equal(request.Mime!.Value.ToArray(), sent.ToArray());
        Assert.True(request.Mime.Value.Span.Overlaps(sent.Span));
    }

    [Fact]
    public void The_headers_say_what_search_and_rules_ask_for()
    {
        var content = Accepted(Raw(Mime)).ContentFor(Id);

        Assert.Equal(("Ann Other <ann@example.org>", "Grüße"), (content.From.ToString(), content.Subject));
        Assert.Equal("replies@example.org", Assert.Single(content.ReplyTo).ToString());
        Assert.Equal(content.From.Address, content.MailFrom);
        Assert.Null(content.Text ?? content.Html);
    }

    [Theory]
    [InlineData("\u0085")]
    [InlineData("\u2028")]
    [InlineData("\u2029")]
    [InlineData("\v")]
    [InlineData("\f")]
    public void What_may_be_taken_for_a_line_break_is_refused_in_a_header_and_passes_in_the_body(string character)
    {
        // Not by way of Bytes, which takes them for line breaks itself.
        SubmissionRequest With(string text) =>
            Raw(Mime) with { Mime = Encoding.UTF8.GetBytes(text.Replace("\n", "\r\n", StringComparison.Ordinal)) };

        Assert.Equal("header-injection", Refused(With($"X-Note: a{character}Bcc: eve@example.net\n{Mime}")).Slug);
        Assert.Contains(character, Sent(Accepted(With($"{Mime}a{character}b\n"))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Sender: list@example.net", new[] { "list@example.net" })]
    [InlineData("Sender: root@localhost", new[] { "root@localhost" })]
    [InlineData("Sender: a@example.net\nsender: b@example.net", new[] { "a@example.net", "b@example.net" })]
    [InlineData("Sender: ", new string[0])]
    public void Whom_the_message_names_as_sender_is_asked_for_too(string field, string[] senders) =>
        Assert.Equal(senders, Accepted(Raw($"{field}\n{Mime}")).Senders.Select(sender => sender.ToString()));

    [Fact]
    public void A_sender_that_cannot_be_read_is_refused() =>
        Assert.Equal("invalid-address", Refused(Raw($"Sender: <a@\n{Mime}")).Slug);

    [Fact]
    public void A_subject_beyond_measure_is_cut_where_it_is_shown_only()
    {
        var line = "\n " + new string('x', 900);
        var subject = string.Concat(Enumerable.Repeat(line, 20));
        var entry = Accepted(Raw($"Subject:{subject}\nFrom: ann@example.org\n\n", "b@example.com"));

        Assert.Equal(2_000, entry.Content.Subject.Length);
        Assert.Contains($"Subject:{subject}\n".ReplaceLineEndings("\r\n"), Sent(entry), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_an_envelope_the_headers_name_the_recipients_and_blind_ones_are_not_passed_on()
    {
        var entry = Accepted(Raw("Bcc: eve@example.com,\n fay@example.com\n" + Mime + "Bcc: not a header\n"));

        Assert.Equal(
            ["0 To Bob <bob@example.com>", "1 To carl@example.com", "2 Cc dora@example.com", "3 Bcc eve@example.com",
                "4 Bcc fay@example.com"],
            Describe(entry.Recipients));
        Assert.Equal((Mime + "Bcc: not a header\n").ReplaceLineEndings("\r\n"), Sent(entry));
    }

    [Fact]
    public void The_envelope_says_who_gets_it_and_the_headers_how_he_is_shown()
    {
        var entry = Accepted(Raw(Mime, "zoe@example.com", "dora@example.com", "BOB@example.com", "zoe@example.com"));

        Assert.Equal(["0 To Bob <BOB@example.com>", "1 Cc dora@example.com", "2 Bcc zoe@example.com"], Describe(entry.Recipients));
    }

    [Theory]
    [InlineData("Bcc: x@example.com\n")]
    [InlineData("BCC : x@example.com\n")]
    [InlineData("Resent-Bcc: x@example.com\n y@example.com\n")]
    [InlineData("X-Postrider-Tag: welcome\nx-postrider-route:\n a\n")]
    [InlineData("From someone@example.org Thu Jan  1 00:00:00 2026\n")]
    public void What_is_not_for_readers_is_taken_out(string field)
    {
        var entry = Accepted(Raw(field + Mime, "bob@example.com") with { RemovedHeaders = ["X-Postrider-*"] });

        Assert.Equal(Mime.ReplaceLineEndings("\r\n"), Sent(entry));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Date:\nMessage-ID: \n")]
    public void What_a_message_lacks_is_added_from_its_id(string fields)
    {
        var entry = Accepted(Raw(fields + "From: ann@example.org\nTo: bob@example.com\n\nHello.\n"));

        Assert.Equal($"Date: Sun, 01 Mar 2026 12:00:00 +0000\r\nMessage-ID: <{Id}@example.org>\r\n"
            + "From: ann@example.org\r\nTo: bob@example.com\r\n\r\nHello.\r\n", Sent(entry));
        Assert.Equal(Sent(entry), Sent(entry));
    }

    [Fact]
    public void Reports_go_where_the_envelope_says()
    {
        var elsewhere = Accepted(Raw(Mime) with { From = new AddressText("bounces@example.org", IsAddressOnly: true) });
        Assert.Equal("bounces@example.org", elsewhere.Content.MailFrom?.ToString());

        var same = Accepted(Raw(Mime) with { From = new AddressText("ann@example.org", IsAddressOnly: true) });
        Assert.Null(same.Content.ReversePath);

        Assert.Null(Accepted(Raw(Mime) with { HasEmptyReversePath = true }).Content.MailFrom);
        Assert.Equal("invalid-address", Refused(Raw(Mime) with { From = new AddressText("no address") }).Slug);
    }

    [Theory]
    [InlineData("To: bob@example.com\n\nHello.")]
    [InlineData("From: ann@example.org\nFrom: eve@example.org\n\nHello.")]
    [InlineData("From: ann@example.org, eve@example.org\n\nHello.")]
    [InlineData("From: undisclosed:;\n\nHello.")]
    [InlineData("From:\n\nHello.")]
    [InlineData("From: ann\n\nHello.")]
    public void A_message_has_exactly_one_sender(string text)
    {
        var problem = Refused(Raw(text, "bob@example.com"));

        Assert.Equal(("invalid-address", "/from"), (problem.Slug, problem.Errors[0].Pointer));
    }

    [Theory]
    [InlineData("From: ann@example.org\nHello.\n", "invalid-mime")]
    [InlineData("From: ann@example.org\nno field\nBcc: x@example.com\n\nHello.", "invalid-mime")]
    [InlineData("\nFrom: ann@example.org\n\nHello.", "invalid-address")]
    [InlineData("From: ann@example.org\nSubject: a\rBcc: eve@example.com\n\nHello.", "header-injection")]
    [InlineData("From: ann@example.org\n\nHel\0lo.", "invalid-mime")]
    [InlineData("", "no-content")]
    public void A_header_that_servers_could_read_differently_is_refused(string text, string slug) =>
        Assert.Equal(slug, Refused(new SubmissionRequest
        {
            Mime = Encoding.Latin1.GetBytes(text.Replace("\n", "\r\n", StringComparison.Ordinal)),
            To = To("bob@example.com"),
        }).Slug);

    [Fact]
    public void Bytes_that_are_no_text_have_no_place_in_a_header() => Assert.Equal("invalid-mime", Refused(new SubmissionRequest
    {
        Mime = Encoding.Latin1.GetBytes("From: ann@example.org\r\nSubject: Grüße\r\n\r\nHello."),
        To = To("bob@example.com"),
    }).Slug);

    [Fact]
    public void Line_ends_become_CRLF()
    {
        var request = new SubmissionRequest
        {
            Mime = "From: ann@example.org\nDate: x\nMessage-ID: <x@y>\n\none\ntwo\rthree\r\nfour\r"u8.ToArray(),
            To = To("bob@example.com"),
        };

        Assert.Equal("From: ann@example.org\nDate: x\nMessage-ID: <x@y>\n\none\ntwo\nthree\nfour\n".ReplaceLineEndings("\r\n"),
            Sent(Accepted(request)));
    }

    [Fact]
    public void Long_lines_are_encoded_anew()
    {
        var line = string.Concat(Enumerable.Repeat("Hallo Jörg. ", 500));
        var sent = Sent(Accepted(Raw($"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n{Mime}{line}\n")));

        Assert.All(sent.Split("\r\n"), text => Assert.InRange(text.Length, 0, 76));
        Assert.Contains("Content-Transfer-Encoding: quoted-printable\r\n", sent, StringComparison.Ordinal);
        Assert.DoesNotContain("8bit", sent, StringComparison.Ordinal);
        Assert.Equal("invalid-mime", Refused(Raw($"X-Long: {new string('x', 1_000)}\n{Mime}")).Slug);
    }

    [Fact]
    public void A_message_is_not_larger_than_messages_may_be()
    {
        var options = new SubmissionOptions { MaxMessageBytes = 2_000 };

        Accepted(Raw(Mime), options);
        Assert.Equal("too-large", Refused(Raw(Mime + new string('\n', 2_000)), options).Slug);
        // Encoded it is larger than it came.
        Assert.Equal("too-large", Refused(Raw(Mime + new string('=', 1_500)), options).Slug);
    }

    [Fact]
    public void Nobody_is_nobody()
    {
        Assert.Equal("no-recipients", Refused(Raw("From: ann@example.org\nTo: undisclosed-recipients:;\nCc:\n\nHello.")).Slug);
        Assert.Equal("/cc", Refused(Raw("From: ann@example.org\nCc: no address\n\nHello.")).Errors[0].Pointer);
        // With an envelope nobody depends on what is shown.
        Accepted(Raw("From: ann@example.org\nTo: no address\n\nHello.", "bob@example.com"));
    }

    [Fact]
    public void A_whole_message_is_not_said_twice()
    {
        Assert.Equal("/mime", Refused(Raw(Mime) with { Subject = "x" }).Errors[0].Pointer);
        Assert.Equal("/mime", Refused(Raw(Mime) with { Text = "x" }).Errors[0].Pointer);
    }

    [Fact]
    public async Task What_is_stored_is_what_is_leased()
    {
        await using var house = new SubmissionHouse();
        var message = await house.AcceptedAsync(Raw("From: ann@example.org\nTo: bob@example.com\nSubject: Raw\n\nHello.\n"));

        var lease = Assert.Single(await house.LeaseAsync());
        var content = lease.Message.Content;
        Assert.StartsWith($"Date: ", Encoding.UTF8.GetString(content.Mime!.Value.Span), StringComparison.Ordinal);
        Assert.Contains($"<{message.Id}@example.org>", Encoding.UTF8.GetString(content.Mime!.Value.Span), StringComparison.Ordinal);
        Assert.Equal("Raw", (await house.ViewAsync(message.Id)).Subject);
        Assert.InRange(lease.Message.ApproximateBytes, content.Mime.Value.Length, content.Mime.Value.Length + 100);
    }

    [Fact]
    public async Task Both_senders_must_be_ones_that_the_tenant_may_use()
    {
        await using var house = new SubmissionHouse();
        house.MaySendFrom = domain => domain == "example.org";

        await house.AcceptedAsync(Raw(Mime));
        await house.AcceptedAsync(Raw(Mime) with { HasEmptyReversePath = true });
        var elsewhere = Raw(Mime) with { From = new AddressText("a@elsewhere.example") };
        Assert.Equal("unverified-sender", Problem(await house.SubmitAsync(elsewhere)).Slug);
    }

    [Fact]
    public async Task Destinations_of_a_batch_share_no_whole_message()
    {
        await using var house = new SubmissionHouse();
        var result = await house.Submitter.SubmitToDestinationsAsync(
            Raw(Mime), [new Destination(new AddressText("bob@example.com"))], With(), default);

        Assert.Equal("/mime", Problem(result).Errors[0].Pointer);
    }
}
