using System.Text;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>Which part of a tree is the text, which the HTML, and what is attached.</summary>
public sealed class MessagePartsTests
{
    /// <summary>Writes a tree: <c>alternative(plain a|html b)</c>; a leaf is a type and its body.</summary>
    static MessageParts Of(string tree)
    {
        var text = "Subject: x\n" + Write(tree, 0);
        Assert.True(MimeReader.TryRead(Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n")), out var message, out _));
        return MessageParts.Of(message);
    }

    static string Write(string tree, int level)
    {
        var open = tree.IndexOf('(', StringComparison.Ordinal);
        if (open < 0)
        {
            var (kind, body) = (tree.Split(' ')[0], tree[(tree.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
            return kind switch
            {
                "plain" or "html" => $"Content-Type: text/{kind}\n\n{body}",
                "file" => $"Content-Type: text/plain\nContent-Disposition: attachment; filename={body}\n\n{body}",
                "image" => $"Content-Type: image/png\nContent-ID: <{body}>\n\n{body}",
                _ => $"Content-Type: {kind}\n\n{body}",
            };
        }
        var boundary = $"b{level}";
        var parts = Split(tree[(open + 1)..^1]).Select(part => $"--{boundary}\n{Write(part, level + 1)}\n");
        return $"Content-Type: multipart/{tree[..open]}; boundary={boundary}\n\n{string.Concat(parts)}--{boundary}--";
    }

    static IEnumerable<string> Split(string parts)
    {
        var (depth, start) = (0, 0);
        for (var i = 0; i <= parts.Length; i++)
        {
            if (i == parts.Length || (parts[i] == '|' && depth == 0))
            {
                yield return parts[start..i];
                start = i + 1;
            }
            else
                depth += parts[i] == '(' ? 1 : parts[i] == ')' ? -1 : 0;
        }
    }

    [Theory]
    [InlineData("plain a", "a", null, "")]
    [InlineData("html b", null, "b", "")]
    [InlineData("alternative(plain a|html b)", "a", "b", "")]
    [InlineData("alternative(plain a|related(html b|image c))", "a", "b", "c+")]
    [InlineData("related(alternative(plain a|html b)|image c|image d)", "a", "b", "c+d+")]
    [InlineData("mixed(alternative(plain a|html b)|file f)", "a", "b", "f")]
    [InlineData("mixed(plain a|plain footer)", "a", null, "footer")]
    [InlineData("mixed(html b|plain footer)", null, "b", "footer")]
    [InlineData("mixed(file f|plain a)", "a", null, "f")]
    [InlineData("mixed(plain a|alternative(plain c|html d))", "a", null, "cd")]
    [InlineData("mixed(mixed(plain a|file f)|image c)", "a", null, "fc")]
    [InlineData("unheard-of(plain a|file f)", "a", null, "f")]
    [InlineData("application/pdf p", null, null, "p")]
    [InlineData("mixed(message/rfc822 Subject: inner)", null, null, "Subject: inner")]
    public void The_first_body_is_the_message_and_the_rest_is_attached(string tree, string? text, string? html, string attached)
    {
        var parts = Of(tree);

        Assert.Equal((text, html), (parts.Text, parts.Html));
        Assert.Equal(attached, string.Concat(parts.Attachments.Select(
            part => Encoding.UTF8.GetString(part.ToAttachment().Content.Span) + (part.Inline ? "+" : ""))));
        Assert.Null(parts.Bound);
    }

    [Theory]
    [InlineData("signed(plain a|application/pgp-signature s)", "multipart/signed", "a")]
    [InlineData("mixed(signed(plain a|application/pgp-signature s)|file f)", "multipart/signed", "a")]
    [InlineData("encrypted(application/pgp-encrypted v|application/octet-stream e)", "multipart/encrypted", null)]
    [InlineData("report(plain a|message/delivery-status s)", "multipart/report", "a")]
    [InlineData("alternative(plain a|html b|text/calendar c)", "text/calendar", "a")]
    [InlineData("text/calendar c", "text/calendar", null)]
    [InlineData("application/pkcs7-mime c", "application/pkcs7-mime", null)]
    [InlineData("mixed(plain a|text/calendar c)", null, "a")]
    public void What_means_something_only_as_it_stands_is_named(string tree, string? bound, string? text) =>
        Assert.Equal((bound, text), (Of(tree).Bound, Of(tree).Text));

    [Fact]
    public void What_the_writer_writes_is_what_was_said()
    {
        for (var seed = 0UL; seed < 500; seed++)
        {
            var written = MessageMaker.Any(new Dice(seed), recipients: 2);
            Assert.True(MimeReader.TryRead(Output.Of(written), out var message, out _));
            var parts = MessageParts.Of(message);

            if (written.Text is not null || written.Html is not null)
                Assert.Equal((Lines(written.Text), Lines(written.Html)), (Lines(parts.Text), Lines(parts.Html)));
            var files = written.Attachments.OrderBy(
                file => file is { Inline: true, ContentId: not null } && written.Html is not null ? 0 : 1);
            Assert.Equal(
                files.Select(file => (file.FileName, file.ContentId, file.Inline, Convert.ToHexString(file.Content.Span))),
                parts.Attachments.Select(part => part.ToAttachment())
                    .Select(file => (file.FileName, file.ContentId, file.Inline, Convert.ToHexString(file.Content.Span))));
        }
    }

    static string? Lines(string? text) => text is null ? null
        : string.Join('\n', text.Split(["\r\n", "\r", "\n"], StringSplitOptions.None)).TrimEnd('\n');
}
