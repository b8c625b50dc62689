using System.Text;
using Postrider.Mail.Mime;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>How messages are taken apart: the forms that the RFCs name, and the damage that is met.</summary>
public sealed class MimeReaderTests
{
    static MimeEntity Read(string text, MimeLimits? limits = null) =>
        MimeReader.TryRead(
            Encoding.Latin1.GetBytes(text.ReplaceLineEndings("\r\n")), limits ?? MimeLimits.Default, out var message, out var fault)
            ? message
            : throw new InvalidOperationException($"refused: {fault}");

    static MimeFault Refused(string text, MimeLimits? limits = null)
    {
        Assert.False(MimeReader.TryRead(Encoding.Latin1.GetBytes(text), limits ?? MimeLimits.Default, out var message, out var fault));
        Assert.Null(message);
        return fault;
    }

    static string BodyOf(MimeEntity part) => Encoding.Latin1.GetString(part.Body.Span);

    static string[] Bodies(MimeEntity multipart) => [.. multipart.Parts.Select(BodyOf)];

    [Fact]
    public void A_plain_message_is_its_header_and_its_body()
    {
        var message = Read("From: a@example.org\nSubject: Hello\n world\n\nbody\n");

        Assert.Equal("Hello world", message.Headers.Find("subject")?.Value);
        Assert.Equal(("text/plain", "body\r\n"), (message.MediaType, BodyOf(message)));
        Assert.Empty(message.Parts);
    }

    [Fact]
    public void Fields_know_every_byte_of_themselves()
    {
        const string Text = "A: 1\r\nB : two\r\n\tlines \r\na:3\r\n\r\n";
        var message = Read(Text);

        var fields = message.Headers.Fields;
        Assert.Equal(["A", "B", "a"], fields.Select(field => field.Name));
        Assert.Equal(["1", "two\tlines", "3"], fields.Select(field => field.Value));
        Assert.Equal("B : two\r\n\tlines \r\n", Encoding.ASCII.GetString(fields[1].Bytes.Span));
        Assert.Equal([0, 6, 24], fields.Select(field => field.Start));
        Assert.Equal((Text.Length, Text.Length - 2), (message.Headers.Length, message.Headers.FieldsEnd));
        Assert.Equal(2, message.Headers.Count("A"));
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("\r\n", 0)]
    [InlineData("A: 1", 1)]
    [InlineData("A: 1\r\n", 1)]
    [InlineData("A:\r\n\r\n", 1)]
    public void Small_messages_are_messages_too(string text, int fields)
    {
        var message = Read(text);

        Assert.Equal((fields, ""), (message.Headers.Fields.Count, BodyOf(message)));
        Assert.Null(message.Headers.DamagedAt);
    }

    [Theory]
    [InlineData("A: 1\r\nno field\r\nB: 2\r\n", 6, "no field\r\nB: 2\r\n")]
    [InlineData("A: 1\r\n: no name\r\n", 6, ": no name\r\n")]
    [InlineData("A: 1\r\nnäme: 1\r\n", 6, "näme: 1\r\n")]
    public void A_line_that_is_no_field_starts_the_body_and_is_named(string text, int at, string body)
    {
        var message = Read(text);

        Assert.Equal((at, body), (message.Headers.DamagedAt, BodyOf(message)));
    }

    [Theory]
    [InlineData("From someone@example.org Thu Jan  1 00:00:00 1970\r\nA: 1\r\n\r\nbody")]
    [InlineData(">From someone@example.org Thu Jan  1 00:00:00 1970\r\nA: 1\r\n\r\nbody")]
    [InlineData("  a fold of nothing\r\nA: 1\r\n\r\nbody")]
    public void What_mailbox_files_put_in_front_is_passed_over(string text)
    {
        var message = Read(text);

        Assert.Equal("A", Assert.Single(message.Headers.Fields).Name);
        Assert.Equal("body", BodyOf(message));
    }

    [Fact]
    public void Encoded_words_of_many_charsets_are_decoded()
    {
        var message = Read(
            "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-2?Q?_=BE?= =?koi8-r?B?8NLJ18XU?= =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\n\n");

        Assert.Equal("Grüße žПривет日本", message.Headers.Find("Subject")?.Text);
    }

    [Theory]
    [InlineData("=?utf-7?Q?x?=")]
    [InlineData("=?no-such-charset?Q?x?=")]
    [InlineData("=??Q?x?=")]
    public void Charsets_that_nobody_knows_stay_as_they_are(string word) =>
        Assert.Equal(word, Read($"Subject: {word}\n\n").Headers.Find("Subject")?.Text);

    [Fact]
    public void Raw_bytes_in_a_header_are_read_as_UTF8_or_as_Windows_1252()
    {
        Assert.Equal("ü", Read("A: Ã¼\n\n").Headers.Find("A")?.Value);
        Assert.Equal("ü", Read("A: ü\n\n").Headers.Find("A")?.Value);
    }

    [Fact]
    public void Parts_end_before_the_line_end_of_their_delimiter()
    {
        var message = Read("""
            Content-Type: multipart/mixed; boundary="b"

            preamble
            --b
            Content-Type: text/html

            <p>
            --b

            two
            lines

            --b--
            epilogue
            --b

            not a part
            """);

        Assert.Equal(["text/html", "text/plain"], message.Parts.Select(part => part.MediaType));
        Assert.Equal(["<p>", "two\r\nlines\r\n"], Bodies(message));
    }

    [Fact]
    public void A_boundary_that_starts_like_another_is_another()
    {
        var message = Read("""
            Content-Type: multipart/mixed; boundary=b

            --b
            Content-Type: multipart/alternative; boundary=bb

            --bb

            inner
            --bb--
            --bbb
            --b

            last
            --b--
            """);

        Assert.Equal(["inner"], Bodies(message.Parts[0]));
        Assert.Equal("last", BodyOf(message.Parts[1]));
    }

    [Fact]
    public void The_delimiter_of_an_outer_multipart_ends_the_inner_ones()
    {
        var message = Read("""
            Content-Type: multipart/mixed; boundary=out

            --out
            Content-Type: multipart/mixed; boundary=in

            --in

            never closed
            --out

            last
            """);

        Assert.Equal(["never closed"], Bodies(message.Parts[0]));
        Assert.Equal("last", BodyOf(message.Parts[1]));
    }

    [Theory]
    [InlineData("--b\r\n--b--", "")]
    [InlineData("--b\r\n\r\n--b--", "")]
    [InlineData("--b\r\n\r\n\r\n--b--", "")]
    [InlineData("--b\r\nA: 1\r\n--b--", "")]
    [InlineData("--b\r\n\r\nx", "x")]
    [InlineData("--b \t\r\n\r\nx\r\n--b-- \r\n", "x")]
    public void Parts_may_lack_what_they_should_have(string body, string part) =>
        Assert.Equal([part], Bodies(Read($"Content-Type: multipart/mixed; boundary=b\r\n\r\n{body}")));

    [Theory]
    [InlineData("multipart/mixed")]
    [InlineData("multipart/mixed; boundary=\"\"")]
    [InlineData("multipart/mixed; boundary=other")]
    public void A_multipart_without_delimiters_has_no_parts(string type)
    {
        var message = Read($"Content-Type: {type}\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");

        Assert.True(message.IsMultipart);
        Assert.Empty(message.Parts);
    }

    [Fact]
    public void A_message_inside_a_message_is_a_part_of_it()
    {
        var message = Read("""
            Content-Type: multipart/report; report-type=delivery-status; boundary=r

            --r

            for people
            --r
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example.org

            Final-Recipient: rfc822; bob@example.org
            Action: failed
            Status: 5.1.1
            --r
            Content-Type: message/rfc822

            Subject: inner
            Content-Type: multipart/mixed; boundary=i

            --i

            text
            --i--
            --r--
            """);

        Assert.Equal(["text/plain", "message/delivery-status", "message/rfc822"], message.Parts.Select(part => part.MediaType));
        var inner = Assert.Single(message.Parts[2].Parts);
        Assert.Equal("inner", inner.Headers.Find("Subject")?.Text);
        Assert.Equal(["text"], Bodies(inner));
        Assert.True(HeaderBlock.TryReadGroups(message.Parts[1].Body, MimeLimits.Default, out var groups, out _));
        Assert.Equal([1, 3], groups.Select(group => group.Fields.Count));
        Assert.Equal("5.1.1", groups[1].Find("status")?.Value);
    }

    [Fact]
    public void Groups_of_fields_are_found_among_damage()
    {
        var bytes = "\n\nA: 1\nnonsense\nB: 2\n\n\n\nC: 3"u8.ToArray();

        Assert.True(HeaderBlock.TryReadGroups(bytes, MimeLimits.Default, out var groups, out _));
        Assert.Equal(["A,B", "C"], groups.Select(group => string.Join(',', group.Fields.Select(field => field.Name))));
    }

    [Fact]
    public void The_parts_of_a_digest_are_messages()
    {
        var part = Assert.Single(Read("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner\n\nx\n--b--").Parts);

        Assert.Equal("inner", Assert.Single(part.Parts).Headers.Find("Subject")?.Value);
    }

    [Theory]
    [InlineData("quoted-printable", "Gr=C3=BC=C3=9F=\r\ne = =3D=zz \t\r\nend", "Grüße = ==zz\r\nend")]
    [InlineData("Quoted-Printable", "a=\nb=  \r\nc=", "abc")]
    [InlineData("base64", "R3LDvMOf\r\nZQ==\r\n", "Grüße")]
    [InlineData("BASE64 (really)", "R3LDvM Of Z!Q", "Grüße")]
    [InlineData("base64", "YQ==Yg==\r\n--\r\n", "ab")]
    [InlineData("base64", "A", "")]
    [InlineData("8bit", "Grüße", "Grüße")]
    [InlineData("x-unknown", "Gr=C3=BC", "Gr=C3=BC")]
    public void Bodies_are_decoded_as_well_as_can_be(string encoding, string body, string text)
    {
        var header = $"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n";
        var bytes = Encoding.UTF8.GetBytes(header + body);

        Assert.True(MimeReader.TryRead(bytes, out var message, out _));
        Assert.Equal(text, message.DecodeText());
    }

    [Theory]
    [InlineData("us-ascii", "fÃ¼r", "für")]
    [InlineData("iso-8859-1", "für", "für")]
    [InlineData("windows-1250", "¾", "ľ")]
    [InlineData("cp1252", "\u0080", "€")]
    [InlineData("utf8", "fÃ¼r", "für")]
    [InlineData("utf-7", "+AGE-", "+AGE-")]
    [InlineData("nobody-knows", "für", "für")]
    [InlineData("\"\"", "für", "für")]
    public void Charsets_that_are_unknown_or_wrong_do_no_harm(string charset, string body, string text) =>
        Assert.Equal(text, Read($"Content-Type: text/plain; charset={charset}\n\n{body}").DecodeText());

    [Theory]
    [InlineData("attachment; filename=\"a b.txt\"", "a b.txt")]
    [InlineData("attachment; filename=a b.txt", "a b.txt")]
    [InlineData("attachment; filename=a.txt (a comment); size=3", "a.txt")]
    [InlineData("attachment; filename=a(1).txt", "a(1).txt")]
    [InlineData("attachment; FileName=\"a\\\"b\"", "a\"b")]
    [InlineData("attachment; filename=\"never closed", "never closed")]
    [InlineData("attachment; filename*=utf-8''%C3%9Cbersicht.pdf; filename=\"Ubersicht.pdf\"", "Übersicht.pdf")]
    [InlineData("attachment; filename*=utf-8'de'%C3%9C%zz", "Ü%zz")]
    [InlineData("attachment; filename*1*=%BC.pdf; filename*0*=utf-8''%C3; filename*3=x", "ü.pdf")]
    [InlineData("attachment; filename*0=\"very \"; filename*1=\"long\"", "very long")]
    [InlineData("attachment; filename*=iso-8859-1''%FC; x", "ü")]
    [InlineData("attachment; filename*=no-such''%FC", "ü")]
    [InlineData("attachment; filename=\"=?utf-8?Q?=C3=BC?=.pdf\"", "=?utf-8?Q?=C3=BC?=.pdf")]
    [InlineData("attachment; filename=\"=?utf-8?Q?=C3=BC.pdf?=\"", "ü.pdf")]
    [InlineData("attachment;;; =; ; filename=x", "x")]
    [InlineData("attachment", null)]
    public void File_names_are_found_in_every_spelling(string disposition, string? name)
    {
        var part = Read($"Content-Disposition: {disposition}\n\n");

        Assert.Equal(("attachment", name), (part.Disposition, part.FileName));
    }

    [Theory]
    [InlineData("text/html; charset=utf-8", "text/html")]
    [InlineData("TEXT/HTML", "text/html")]
    [InlineData("text", "text/plain")]
    [InlineData("text/", "text/plain")]
    [InlineData("a/b/c", "text/plain")]
    [InlineData("image/png; name=\"x.png\"", "image/png")]
    [InlineData("text/html (the web)", "text/html")]
    public void A_type_that_is_none_is_plain_text(string type, string mediaType) =>
        Assert.Equal(mediaType, Read($"Content-Type: {type}\n\n").MediaType);

    [Fact]
    public void What_passes_a_limit_is_refused_by_name()
    {
        var small = new MimeLimits
        {
            MaxHeaderBytes = 100,
            MaxFieldBytes = 60,
            MaxFields = 3,
            MaxDepth = 3,
            MaxParts = 4,
            MaxBoundaryBytes = 10,
        };

        Assert.Equal(MimeFault.FieldTooLong, Refused($"A: {new string('x', 60)}\r\n", small));
        Assert.Equal(MimeFault.FieldTooLong, Refused(string.Concat("A: x\r\n", string.Concat(Enumerable.Repeat(" x\r\n", 20))), small));
        Assert.Equal(MimeFault.HeaderTooLong, Refused(string.Concat(Enumerable.Repeat($"A: {new string('x', 40)}\r\n", 3)), small));
        Assert.Equal(MimeFault.TooManyFields, Refused("A:\nA:\nA:\nA:\n", small));
        Assert.Equal(MimeFault.BoundaryTooLong, Refused("Content-Type: multipart/mixed; boundary=12345678901\n\n", small));
        Assert.Equal(MimeFault.TooManyParts, Refused("Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\n--b\n--b\n", small));
        var nested = string.Concat(Enumerable.Range(0, 3).Select(n => $"Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n"));
        Assert.Equal(MimeFault.TooDeep, Refused(nested, small));
        Assert.Equal(MimeFault.TooDeep, Refused(string.Concat(Enumerable.Repeat("Content-Type: message/rfc822\n\n", 4)), small));
    }

    [Fact]
    public void A_thousand_levels_and_ten_thousand_parts_are_refused_at_once()
    {
        var deep = string.Concat(Enumerable.Range(0, 1_000).Select(n => $"Content-Type: multipart/mixed; boundary={n}\n\n--{n}\n"));
        var wide = "Content-Type: multipart/mixed; boundary=b\n\n" + string.Concat(Enumerable.Repeat("--b\n\n", 10_000));

        Assert.Equal(MimeFault.TooDeep, Refused(deep));
        Assert.Equal(MimeFault.TooManyParts, Refused(wide));
        Assert.Equal(MimeFault.BoundaryTooLong, Refused($"Content-Type: multipart/mixed; boundary={new string('b', 65_536)}\n\n"));
    }
}
