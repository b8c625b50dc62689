using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

public sealed class MessageWriterTests
{
    static string Lines(params ReadOnlySpan<string> lines) => string.Concat(lines.ToArray().Select(line => line + "\r\n"));

    static MimeAttachment File(string name, string type = "text/csv", string content = "a,b") =>
        new() { FileName = name, ContentType = type, Content = Encoding.UTF8.GetBytes(content) };

    static string Header(MimeMessage message, string name)
    {
        var header = "\r\n" + Output.Halves(message).Header;
        var start = header.IndexOf($"\r\n{name}: ", StringComparison.Ordinal) + name.Length + 4;
        var end = start - 2;
        do
            end = header.IndexOf("\r\n", end + 2, StringComparison.Ordinal);
        while (end + 2 < header.Length && header[end + 2] is ' ' or '\t');
        return header[start..end];
    }

    static string AfterMimeVersion(MimeMessage message) => Output.TextOf(message).Split("MIME-Version: 1.0\r\n")[1];

    [Fact]
    public void A_plain_mail_is_as_plain_as_can_be() => Assert.Equal(
        Lines(
            "Date: Sat, 21 Nov 2026 21:05:57 +0000",
            "From: Ann <ann@example.com>",
            "To: bob@example.org",
            "Message-ID: <1.2@example.com>",
            "Subject: Hello",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 7bit",
            "",
            "Hello"),
        Output.TextOf(MessageMaker.Simple()));

    [Fact]
    public void All_levels_are_mixed_around_related_around_alternative() => Assert.Equal(
        Lines(
            "Content-Type: multipart/mixed;",
            " boundary=\"=_0123456789abcdef.0\"",
            "",
            "--=_0123456789abcdef.0",
            "Content-Type: multipart/related; type=\"multipart/alternative\";",
            " boundary=\"=_0123456789abcdef.1\"",
            "",
            "--=_0123456789abcdef.1",
            "Content-Type: multipart/alternative;",
            " boundary=\"=_0123456789abcdef.2\"",
            "",
            "--=_0123456789abcdef.2",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: 7bit",
            "",
            "Hello",
            "--=_0123456789abcdef.2",
            "Content-Type: text/html; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            "<img src=3D\"cid:logo\" alt=3D\"=3D_\">",
            "",
            "--=_0123456789abcdef.2--",
            "--=_0123456789abcdef.1",
            "Content-Type: image/png;",
            " name=\"l.png\"",
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: inline;",
            " filename=\"l.png\"",
            "Content-ID: <logo>",
            "",
            "UE5H",
            "--=_0123456789abcdef.1--",
            "--=_0123456789abcdef.0",
            "Content-Type: text/csv;",
            " name=\"a.csv\"",
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment;",
            " filename=\"a.csv\"",
            "",
            "YSxi",
            "--=_0123456789abcdef.0--"),
        AfterMimeVersion(MessageMaker.Simple() with
        {
            Html = "<img src=\"cid:logo\" alt=\"=_\">\n",
            Attachments = [File("a.csv"), File("l.png", "image/png", "PNG") with { Inline = true, ContentId = "logo" }],
        }));

    [Theory]
    [InlineData("t", null, "", "text/plain")]
    [InlineData(null, "h", "", "text/html")]
    [InlineData(null, null, "", "text/plain")]
    [InlineData("t", "h", "", "multipart/alternative")]
    [InlineData("t", "h", "i", "multipart/related")]
    [InlineData(null, "h", "i", "multipart/related")]
    [InlineData("t", null, "i", "multipart/mixed")]
    [InlineData("t", "h", "n", "multipart/mixed")]
    [InlineData(null, null, "a", "multipart/mixed")]
    public void Levels_stand_only_where_something_needs_them(string? text, string? html, string attachments, string expected)
    {
        var message = MessageMaker.Simple() with
        {
            Text = text,
            Html = html,
            Attachments = [.. attachments.Select(kind => File("f") with { Inline = kind != 'a', ContentId = kind == 'i' ? "i" : null })],
        };
        Assert.StartsWith(expected, Header(message, "Content-Type"), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_shown_recipients_they_are_undisclosed() =>
        Assert.Equal("undisclosed-recipients:;", Header(MessageMaker.Simple() with { To = [] }, "To"));

    [Fact]
    public void With_a_copy_only_there_is_no_To() =>
        Assert.DoesNotContain("To", Output.Names(MessageMaker.Simple() with { To = [], Cc = MessageMaker.Simple().To }));

    [Theory]
    [InlineData("Ann Lee", "Ann Lee")]
    [InlineData("Lee, Ann", "\"Lee, Ann\"")]
    [InlineData("Ann Q. Lee", "\"Ann Q. Lee\"")]
    [InlineData("Ann \"A\" \\", "\"Ann \\\"A\\\" \\\\\"")]
    [InlineData(" Ann  Lee ", "\" Ann  Lee \"")]
    [InlineData("Jörg", "=?utf-8?Q?J=C3=B6rg?=")]
    [InlineData("日本", "=?utf-8?B?5pel5pys?=")]
    [InlineData("=?utf-8?Q?x?=", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=")]
    public void Names_are_quoted_or_encoded_only_where_they_must_be(string name, string written)
    {
        var message = MessageMaker.Simple() with { From = new Mailbox(name, EmailAddress.Parse("a@x.com")) };
        Assert.Equal($"{written} <a@x.com>", Header(message, "From"));
    }

    [Theory]
    [InlineData("Hello, world: = ? _ \"", "Hello, world: = ? _ \"")]
    [InlineData("  trimmed\t", "trimmed")]
    [InlineData("Für alle", "=?utf-8?Q?F=C3=BCr?= alle")]
    [InlineData("An Jörg und Käthe hier", "An =?utf-8?Q?J=C3=B6rg?= und =?utf-8?Q?K=C3=A4the?= hier")]
    [InlineData("Größe  ändern", "=?utf-8?Q?Gr=C3=B6=C3=9Fe__=C3=A4ndern?=")]
    [InlineData("=?utf-8?Q?x?=", "=?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=")]
    [InlineData("https://x.com/?a=?b", "https://x.com/?a=?b")]
    [InlineData("", "")]
    public void Subjects_stay_readable_where_they_can(string subject, string written) =>
        Assert.Equal(written, Header(MessageMaker.Simple(subject), "Subject"));

    [Fact]
    public void Long_subjects_are_folded_before_white_space_that_stays()
    {
        var subject = string.Join(' ', Enumerable.Repeat("word", 60)) + "  two\tand tab "
            + string.Join("  ", Enumerable.Repeat("apart", 30));
        var written = Header(MessageMaker.Simple(subject), "Subject");
        Assert.StartsWith(subject[..250], written.Replace("\r\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
        // Words with more than a space between cannot be folded there: many of them are encoded.
        Assert.EndsWith("apart__apart?=", written, StringComparison.Ordinal);
        Assert.DoesNotContain("\r\n  ", written, StringComparison.Ordinal);
        Assert.All(written.Split("\r\n"), line => Assert.InRange(line.Length, 2, 76));
    }

    [Fact]
    public void Encoded_words_end_at_75_octets_between_characters()
    {
        var written = Header(MessageMaker.Simple(string.Concat(Enumerable.Repeat("👩‍👩‍👧é", 40))), "Subject");
        Assert.All(written.Split("\r\n"), line => Assert.InRange(line.Length, 1, 76));
        foreach (var word in written.Split("\r\n ").Select(word => word[10..^2]))
            Assert.DoesNotContain('\uFFFD', Encoding.UTF8.GetString(Convert.FromBase64String(word)));
    }

    [Fact]
    public void Structured_fields_are_folded_at_white_space_and_nowhere_else()
    {
        var ids = Enumerable.Range(0, 20).Select(n => $"<{new string('r', 20)}{n}=?b?=@example.com>").ToArray();
        var field = MessageMaker.Field("References", string.Join("  ", ids));
        var written = Header(MessageMaker.Simple() with { Headers = [field] }, "References");
        Assert.Equal(ids, written.Split([" ", "\r\n"], StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Domains_in_other_scripts_go_out_in_ASCII_and_local_parts_in_UTF8()
    {
        var ascii = MessageMaker.Simple() with { From = new Mailbox("ü", EmailAddress.Parse("\"a b\"@bücher.de")) };
        Assert.False(MessageWriter.NeedsSmtpUtf8(ascii));
        Assert.Contains("<\"a b\"@xn--bcher-kva.de>", Output.TextOf(ascii), StringComparison.Ordinal);
        var utf8 = MessageMaker.Simple() with { Cc = [new Mailbox(null, EmailAddress.Parse("ü@bücher.de"))] };
        Assert.True(MessageWriter.NeedsSmtpUtf8(utf8));
        Assert.Contains("Cc: ü@xn--bcher-kva.de\r\n", Encoding.UTF8.GetString(Output.Of(utf8)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a\rb\nc\r\nd\n\re", "7bit", "a\r\nb\r\nc\r\nd\r\n\r\ne\r\n")]
    [InlineData("", "7bit", "")]
    [InlineData("\r\n", "7bit", "\r\n")]
    [InlineData(".", "quoted-printable", "=2E\r\n")]
    [InlineData("a\n.\nb", "quoted-printable", "a\r\n=2E\r\nb\r\n")]
    [InlineData("From me", "quoted-printable", "=46rom me\r\n")]
    [InlineData("ü a=b and so on ", "quoted-printable", "=C3=BC a=3Db and so on=20\r\n")]
    [InlineData("ü and so on\t\nx", "quoted-printable", "=C3=BC and so on=09\r\nx\r\n")]
    [InlineData("a\0b", "quoted-printable", "a=00b\r\n")]
    [InlineData("日本語", "base64", "5pel5pys6Kqe\r\n")]
    [InlineData("日本\n語", "base64", "5pel5pysDQroqp4=\r\n")]
    public void Texts_are_encoded_as_little_as_possible(string text, string encoding, string body)
    {
        var message = MessageMaker.Simple(text: text);
        Assert.Equal((encoding, body), (Header(message, "Content-Transfer-Encoding"), Output.Halves(message).Body));
    }

    [Fact]
    public void Lines_too_long_for_comfort_are_quoted_printable()
    {
        var message = MessageMaker.Simple(text: new string('x', 79));
        Assert.Equal(new string('x', 75) + "=\r\nxxxx\r\n", Output.Halves(message).Body);
        Assert.Equal("7bit", Header(MessageMaker.Simple(text: new string('x', 78)), "Content-Transfer-Encoding"));
    }

    [Fact]
    public void Half_a_surrogate_pair_in_a_body_becomes_a_replacement_character() =>
        Assert.Equal("a=EF=BF=BDb and more of the same\r\n",
            Output.Halves(MessageMaker.Simple(text: "a\ud800b and more of the same")).Body);

    [Theory]
    [InlineData("a b.pdf", " name=\"a b.pdf\"\r\n", " filename=\"a b.pdf\"\r\n")]
    [InlineData("ä.txt", " name=\"=?utf-8?B?w6QudHh0?=\"\r\n", " filename*=utf-8''%C3%A4.txt\r\n")]
    [InlineData("a\"b.txt", " name=\"=?utf-8?Q?a=22b=2Etxt?=\"\r\n", " filename*=utf-8''a%22b.txt\r\n")]
    public void File_names_are_written_for_old_and_new_readers(string name, string old, string modern)
    {
        var text = Output.TextOf(MessageMaker.Simple() with { Attachments = [File(name)] });
        Assert.Contains(old, text, StringComparison.Ordinal);
        Assert.Contains(modern, text, StringComparison.Ordinal);
    }

    [Fact]
    public void Long_file_names_go_out_in_sections()
    {
        var text = Output.TextOf(MessageMaker.Simple() with { Attachments = [File(new string('ä', 30))] });
        Assert.Contains(" filename*0*=utf-8''%C3%A4", text, StringComparison.Ordinal);
        Assert.Contains(";\r\n filename*2*=%C3%A4", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_embedded_message_stays_open_unless_it_holds_our_boundary()
    {
        var inner = "Subject: inner\n\nbody";
        var open = Output.TextOf(MessageMaker.Simple() with { Attachments = [File("m.eml", "message/rfc822", inner)] });
        Assert.Contains("7bit\r\nContent-Disposition: attachment;\r\n filename=\"m.eml\"\r\n\r\n", open, StringComparison.Ordinal);
        Assert.Contains("\r\n\r\nSubject: inner\r\n\r\nbody\r\n--=_", open, StringComparison.Ordinal);
        var own = Output.TextOf(MessageMaker.Simple() with { Attachments = [File("m.eml", "message/rfc822", open)] });
        Assert.DoesNotContain("message/rfc822", own, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_message_is_the_same_bytes_into_any_writer()
    {
        var message = MessageMaker.Any(new Dice(7), recipients: 50);
        var pipe = new System.IO.Pipelines.Pipe(new System.IO.Pipelines.PipeOptions(pauseWriterThreshold: 0, minimumSegmentSize: 256));
        MessageWriter.Write(message, pipe.Writer);
        pipe.Writer.Complete();
        Assert.Equal(Output.Of(message), pipe.Reader.AsStream().ReadAll());
    }
}

static class Streams
{
    extension(Stream stream)
    {
        public byte[] ReadAll()
        {
            using var all = new MemoryStream();
            stream.CopyTo(all);
            return all.ToArray();
        }
    }
}
