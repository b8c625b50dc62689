using System.Buffers;
using System.Text;
using Postrider.Mail.Smtp;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpReplyParserTests
{
    public static TheoryData<string, int, string?, string> Replies => new()
    {
        { "250 2.1.0 Ok\r\n", 250, "2.1.0", "Ok" },
        { "250 OK\r\n", 250, null, "OK" },
        { "250\r\n", 250, null, "" },
        { "250 \r\n", 250, null, "" },
        { "354 End data with <CR><LF>.<CR><LF>\r\n", 354, null, "End data with <CR><LF>.<CR><LF>" },
        { "550 5.1.1 <a@b>: Recipient address rejected: User unknown\r\n", 550, "5.1.1",
            "<a@b>: Recipient address rejected: User unknown" },
        { "550 5.7.606 Access denied, banned sending IP\r\n", 550, "5.7.606", "Access denied, banned sending IP" },
        { "550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 Learn more - gsmtp\r\n", 550, "5.1.1",
            "The email account that you tried to reach does not exist.\nLearn more - gsmtp" },
        { "550-5.7.1 [1.2.3.4] Our system has detected\r\n550-5.7.1 that\r\n550 5.7.26 see\r\n", 550, "5.7.26",
            "[1.2.3.4] Our system has detected\nthat\nsee" },
        { "250-mx.test\r\n250-SIZE 1000\r\n250 PIPELINING\r\n", 250, null, "mx.test\nSIZE 1000\nPIPELINING" },
        { "250-\r\n250 \r\n", 250, null, "\n" },
        { "421 4.7.0 bye\n", 421, "4.7.0", "bye" },
        { "550 5.7.9999 not a code\r\n", 550, null, "5.7.9999 not a code" },
        { "550 5.1 neither\r\n", 550, null, "5.1 neither" },
        { "550 192.0.2.1 is listed\r\n", 550, null, "192.0.2.1 is listed" },
        { "550 5.1.1\r\n", 550, "5.1.1", "" },
        { "334 VXNlcm5hbWU6\r\n", 334, null, "VXNlcm5hbWU6" },
        { "220 \u00e4\u2028b\u0007c\r\n", 220, null, "\u00e4 b c" },
    };

    [Theory]
    [MemberData(nameof(Replies))]
    public void A_reply_is_read_as_it_stands(string text, int code, string? enhanced, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);

        Assert.Equal(SmtpReplyStatus.Complete, SmtpReplyParser.Parse(bytes, out var reply, out var consumed));

        Assert.Equal(new SmtpReply(code, enhanced, expected), reply);
        Assert.Equal(bytes.Length, consumed);
    }

    [Theory]
    [MemberData(nameof(Replies))]
    public void Each_prefix_of_a_reply_asks_for_more_and_consumes_nothing(string text, int code, string? enhanced, string expected)
    {
        Assert.True(code > 0 && expected is not null && enhanced != "");
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Equal(SmtpReplyStatus.Incomplete, SmtpReplyParser.Parse(bytes.AsSpan(0, length), out _, out var consumed));
            Assert.Equal(0, consumed);
        }
    }

    [Theory]
    [MemberData(nameof(Replies))]
    public void A_reply_split_over_two_segments_is_the_same_reply_and_what_follows_is_left(string text, int code, string? enhanced,
        string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text + "250 next\r\n");
        var length = Encoding.UTF8.GetByteCount(text);
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            var sequence = Sequences.Of(bytes[..cut], bytes[cut..]);

            Assert.Equal(SmtpReplyStatus.Complete, SmtpReplyParser.Parse(sequence, out var reply, out var consumed));

            Assert.Equal(new SmtpReply(code, enhanced, expected), reply);
            Assert.Equal("250 next\r\n", Encoding.UTF8.GetString(sequence.Slice(consumed)));
        }
        Assert.Equal(length + 10, bytes.Length);
    }

    [Theory]
    [InlineData("250-one\r\n251 two\r\n")]
    [InlineData("250-one\r\n550")]
    [InlineData("HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("H")]
    [InlineData("25x")]
    [InlineData("2500 too many digits\r\n")]
    [InlineData("250x")]
    [InlineData("150 no such class")]
    [InlineData("650 no such class")]
    [InlineData("25\r\n")]
    [InlineData("\r\n")]
    [InlineData("\n250 ok\r\n")]
    [InlineData("250-one\r\n\r\n")]
    [InlineData("\0\0\0")]
    [InlineData("\u0016\u0003\u0001")]
    public void Garbage_is_malformed_as_soon_as_it_shows(string text)
    {
        Assert.Equal(SmtpReplyStatus.Malformed, SmtpReplyParser.Parse(Encoding.Latin1.GetBytes(text), out _, out var consumed));
        Assert.Equal(0, consumed);
    }

    [Fact]
    public void A_line_of_a_megabyte_is_refused_at_its_4096th_byte()
    {
        var line = Encoding.ASCII.GetBytes("250 " + new string('a', 1 << 20) + "\r\n");

        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(line, out _, out _));
        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(line.AsSpan(0, 4096), out _, out _));
        Assert.Equal(SmtpReplyStatus.Incomplete, SmtpReplyParser.Parse(line.AsSpan(0, 4095), out _, out _));
    }

    [Fact]
    public void A_line_of_4096_bytes_with_its_end_is_the_longest()
    {
        var longest = Encoding.ASCII.GetBytes("250 " + new string('a', 4090) + "\r\n");
        var longer = Encoding.ASCII.GetBytes("250 " + new string('a', 4091) + "\r\n");

        Assert.Equal(SmtpReplyStatus.Complete, SmtpReplyParser.Parse(longest, out _, out _));
        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(longer, out _, out _));
    }

    [Fact]
    public void The_129th_line_is_one_too_many()
    {
        var lines = string.Concat(Enumerable.Repeat("250-more\r\n", 127));

        Assert.Equal(SmtpReplyStatus.Complete, SmtpReplyParser.Parse(Encoding.ASCII.GetBytes(lines + "250 last\r\n"), out _, out _));
        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(Encoding.ASCII.GetBytes(lines + "250-more\r\n"), out _, out _));
        Assert.Equal(SmtpReplyStatus.TooLarge,
            SmtpReplyParser.Parse(Encoding.ASCII.GetBytes(lines + "250-more\r\n250 last\r\n"), out _, out _));
    }

    [Fact]
    public void A_reply_longer_than_the_whole_may_be_is_refused_also_in_short_lines_and_small_segments()
    {
        var line = "250-" + new string('a', 3000) + "\r\n";
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(line, 12)));

        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(bytes, out _, out _));
        Assert.Equal(SmtpReplyStatus.TooLarge, SmtpReplyParser.Parse(Sequences.Of([.. bytes.Chunk(1000)]), out _, out _));
    }

    [Fact]
    public void A_reply_shows_on_one_line()
    {
        Assert.Equal("550 5.1.1 no such user", new SmtpReply(550, "5.1.1", "no such\nuser").ToString());
        Assert.Equal("250 ok", new SmtpReply(250, null, "ok").ToString());
    }
}

/// <summary>Buffers in pieces, as they come from a socket.</summary>
static class Sequences
{
    public static ReadOnlySequence<byte> Of(params byte[][] pieces)
    {
        var first = new Piece(pieces[0], 0);
        var last = first;
        foreach (var piece in pieces[1..])
            last = last.Append(piece);
        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(byte[] bytes, long index)
        {
            Memory = bytes;
            RunningIndex = index;
        }

        public Piece Append(byte[] bytes)
        {
            var next = new Piece(bytes, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
