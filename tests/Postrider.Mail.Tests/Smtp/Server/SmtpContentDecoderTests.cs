using System.Buffers;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Xunit;

namespace Postrider.Mail.Tests.Smtp.Server;

public sealed class SmtpContentDecoderTests
{
    /// <summary>What is sent, what is received, and what is left over; no end where that is null.</summary>
    public static TheoryData<string, string, string?> Contents => new()
    {
        { ".\r\n", "", "" },
        { "\r\n.\r\n", "\r\n", "" },
        { "a\r\n.\r\nNOOP\r\n", "a\r\n", "NOOP\r\n" },
        { "..\r\n.\r\n", ".\r\n", "" },
        { "...\r\n..\r\n..\r\n.\r\n", "..\r\n.\r\n.\r\n", "" },
        { ".a\r\n.\r\n", "a\r\n", "" },
        { "a.\r\n.b.\r\n.\r\n", "a.\r\nb.\r\n", "" },
        { "a\r\n", "a\r\n", null },
        { "a\r\n.", "a\r\n", null },
        { "a\r\n.\r", "a\r\n", null },
        { "", "", null },
    };

    [Theory]
    [MemberData(nameof(Contents))]
    public void Dots_are_taken_away_and_the_end_is_found_however_it_is_cut(string sent, string received, string? rest)
    {
        for (var cut = 0; cut <= sent.Length; cut++)
        {
            var decoder = new SmtpContentDecoder(dots: true);
            var output = new ArrayBufferWriter<byte>();
            var (ended, consumed) = Feed(decoder, output, sent[..cut]);
            if (!ended)
            {
                (ended, var more) = Feed(decoder, output, sent[cut..]);
                consumed += more;
            }

            Assert.Equal((rest is not null, SmtpContentFault.None), (ended, decoder.Fault));
            Assert.Equal(received, Encoding.Latin1.GetString(output.WrittenSpan));
            Assert.Equal(sent.Length - (rest?.Length ?? 0), consumed);
        }
    }

    /// <summary>CVE-2023-51764, -51765, -51766 and their relatives: everything that some server somewhere takes for the end.</summary>
    public static TheoryData<string> Smuggling => [
        "a\n.\n", "a\n.\r\n", "a\r\n.\n", "a\r.\r", "a\r.\r\n", "a\r\n.\r", "a\n.\r", "a\r.\n", "a\r\r\n.\r\r\n", "a\r\n\0.\r\n",
        "a\r\n.\0\r\n", "a\r\n.\r\r\n", "a\n\n.\n\n", "a\0\r\n", "\n.\r\n", "\r.\r\n", "a\r\n.\r.\r\n"];

    [Theory]
    [MemberData(nameof(Smuggling))]
    public void Nothing_but_dot_between_two_CRLF_ends_content(string sent)
    {
        for (var cut = 0; cut <= sent.Length; cut++)
        {
            var decoder = new SmtpContentDecoder(dots: true);
            var output = new ArrayBufferWriter<byte>();
            Assert.False(Feed(decoder, output, sent[..cut]).Ended);
            Assert.False(Feed(decoder, output, sent[cut..]).Ended);
            // The next end is the true one, and what came before is not taken for a message.
            Assert.True(Feed(decoder, output, "x\r\n.\r\n").Ended);
            Assert.NotEqual(SmtpContentFault.None, decoder.Fault);
        }
    }

    [Fact]
    public void What_our_client_stuffs_comes_out_as_it_went_in()
    {
        var pieces = Gen.Elements(".", "..", "a", "\r\n", "\r\n.", "é", " ", "\r\n\r\n");
        Prop.ForAll(Arb.From(pieces.ListOf().Select(list => string.Concat(list) + "\r\n")), text =>
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            var wire = new ArrayBufferWriter<byte>();
            var stuffer = new DotStuffer();
            stuffer.Write(bytes, wire);
            stuffer.EndLine(wire);
            wire.Write(".\r\n"u8);
            var decoder = new SmtpContentDecoder(dots: true);
            var output = new ArrayBufferWriter<byte>();
            var ended = decoder.Decode(wire.WrittenSpan, output, out var consumed);
            return ended && consumed == wire.WrittenCount && output.WrittenSpan.SequenceEqual(bytes)
                && decoder.Fault == SmtpContentFault.None;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Chunks_keep_their_dots_and_have_no_end()
    {
        var decoder = new SmtpContentDecoder(dots: false);
        var output = new ArrayBufferWriter<byte>();
        Assert.False(Feed(decoder, output, "..\r\n.\r\na\r").Ended);
        Assert.False(Feed(decoder, output, "\n").Ended);
        decoder.End();
        Assert.Equal(SmtpContentFault.None, decoder.Fault);
        Assert.Equal("..\r\n.\r\na\r\n", Encoding.Latin1.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData("a\r")]
    [InlineData("a\nb")]
    [InlineData("a\rb\r\n")]
    public void Chunks_with_half_a_line_end_are_at_fault(string content)
    {
        var decoder = new SmtpContentDecoder(dots: false);
        Feed(decoder, new ArrayBufferWriter<byte>(), content);
        decoder.End();
        Assert.Equal(SmtpContentFault.BareLineEnd, decoder.Fault);
    }

    static (bool Ended, int Consumed) Feed(SmtpContentDecoder decoder, ArrayBufferWriter<byte> output, string text)
    {
        var ended = decoder.Decode(Encoding.Latin1.GetBytes(text), output, out var consumed);
        return (ended, consumed);
    }
}
