using System.Buffers;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Smtp;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

public sealed class DotStufferTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a\r\n")]
    [InlineData("a\r\n", "a\r\n")]
    [InlineData(".", "..\r\n")]
    [InlineData("..\r\n.\r\n", "...\r\n..\r\n")]
    [InlineData("a\r\n.b\r\n", "a\r\n..b\r\n")]
    [InlineData("a.b\r\n", "a.b\r\n")]
    [InlineData("a\n.\nb", "a\r\n..\r\nb\r\n")]
    [InlineData("a\r.\rb", "a\r\n..\r\nb\r\n")]
    [InlineData("a\n.\r\nMAIL FROM:<e@evil>", "a\r\n..\r\nMAIL FROM:<e@evil>\r\n")]
    [InlineData("a\r\n.\nb", "a\r\n..\r\nb\r\n")]
    [InlineData("a\r\r\n.\r\n", "a\r\n\r\n..\r\n")]
    [InlineData("a\n\r\n", "a\r\n\r\n")]
    [InlineData("a\n\rb", "a\r\n\r\nb\r\n")]
    [InlineData("\r\n.\r", "\r\n..\r\n")]
    [InlineData("\r\n\0.\r\n", "\r\n\0.\r\n")]
    [InlineData("\r", "\r\n")]
    [InlineData("\n", "\r\n")]
    [InlineData("\r\r", "\r\n\r\n")]
    public void Line_ends_become_CRLF_and_leading_dots_are_doubled_however_it_is_cut(string content, string expected)
    {
        var bytes = Encoding.ASCII.GetBytes(content);
        for (var first = 0; first <= bytes.Length; first++)
        {
            for (var second = first; second <= bytes.Length; second++)
                Assert.Equal(expected, Stuff(bytes[..first], bytes[first..second], bytes[second..]));
        }
    }

    [Fact]
    public void A_strict_server_gets_back_the_content_with_every_line_end_as_CRLF()
    {
        var bytes = Gen.Elements('.', '\r', '\n', 'a', ' ', '\0').ListOf().Select(list => string.Concat(list));

        Prop.ForAll(bytes.ToArbitrary(), content =>
        {
            var sent = Stuff([.. Encoding.ASCII.GetBytes(content).Select(b => new[] { b })]) + ".\r\n";
            var lines = sent.Split("\r\n");
            var end = Array.IndexOf(lines, ".");
            Assert.Equal(lines.Length - 2, end);
            Assert.DoesNotContain('\r', string.Concat(lines));
            Assert.DoesNotContain('\n', string.Concat(lines));
            var received = string.Concat(lines[..end].Select(line => (line.StartsWith('.') ? line[1..] : line) + "\r\n"));
            var canonical = content.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
            if (canonical.Length > 0 && !canonical.EndsWith('\n'))
                canonical += "\n";
            Assert.Equal(canonical.Replace("\n", "\r\n", StringComparison.Ordinal), received);
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("a\r\n", true)]
    [InlineData("\r\n", true)]
    [InlineData("a\r\n.\r\n\r\n", true)]
    [InlineData("", false)]
    [InlineData("a", false)]
    [InlineData("a\n", false)]
    [InlineData("a\rb\r\n", false)]
    [InlineData("a\nb\r\n", false)]
    [InlineData("a\r\r\n", false)]
    public void Only_content_with_CRLF_throughout_is_canonical(string content, bool canonical)
        => Assert.Equal(canonical, DotStuffer.IsCanonical(new ReadOnlySequence<byte>(Encoding.ASCII.GetBytes(content))));

    [Theory]
    [InlineData("DKIM-Signature: x\r\n", "a\r\n", true)]
    [InlineData("DKIM-Signature: x\r\n", "a", false)]
    [InlineData("DKIM-Signature: x\n", "a\r\n", false)]
    [InlineData("a\r", "\n", false)]
    public void Content_in_pieces_is_canonical_when_each_is(string first, string second, bool canonical) => Assert.Equal(
        canonical, DotStuffer.IsCanonical(Pieces.Of(Encoding.ASCII.GetBytes(first), Encoding.ASCII.GetBytes(second))));

    static string Stuff(params byte[][] pieces)
    {
        var stuffer = new DotStuffer();
        var output = new ArrayBufferWriter<byte>();
        foreach (var piece in pieces)
            stuffer.Write(piece, output);
        stuffer.EndLine(output);
        return Encoding.ASCII.GetString(output.WrittenSpan);
    }
}
