using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Postrider.Mail.Dkim;
using Xunit;

namespace Postrider.Mail.Tests.Dkim;

/// <summary>The relaxed forms against RFC 6376's own examples, and in pieces of every size.</summary>
public sealed class RelaxedTests
{
    // RFC 6376 §3.4.5, example 1.
    [Theory]
    [InlineData("A: X\r\n", "a:X")]
    [InlineData("B : Y\t\r\n\tZ  \r\n", "b:Y Z")]
    // And what it leaves to the reader.
    [InlineData("Subject:\r\n folded at once\r\n", "subject:folded at once")]
    [InlineData("X-Empty:\r\n", "x-empty:")]
    [InlineData("X-Blank: \t \r\n", "x-blank:")]
    [InlineData("Subject: no line end", "subject:no line end")]
    [InlineData("a:b:c", "a:b:c")]
    [InlineData("no colon\r\n", "no colon:")]
    [InlineData("Über: x\r\n", "\u00c3\u009cber:x")]
    public void Header_field(string field, string relaxed)
    {
        var output = new ArrayBufferWriter<byte>();
        RelaxedHeader.Write(Encoding.UTF8.GetBytes(field), output);
        Assert.Equal(relaxed, Encoding.Latin1.GetString(output.WrittenSpan));
    }

    // RFC 6376 §3.4.5, example 1, then the edges of §3.4.4.
    [Theory]
    [InlineData(" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n")]
    [InlineData("", "")]
    [InlineData("\r\n", "")]
    [InlineData("\r\n\r\n", "")]
    [InlineData(" \t\r\n \r\n", "")]
    [InlineData("x", "x\r\n")]
    [InlineData("x ", "x\r\n")]
    [InlineData("x\r\n \r\n\r\n", "x\r\n")]
    [InlineData("\r\n\r\nx", "\r\n\r\nx\r\n")]
    [InlineData("x\r\n\t\r\ny\r\n", "x\r\n\r\ny\r\n")]
    [InlineData("\tx\t\ty\t\r\n", " x y\r\n")]
    // As DotStuffer writes them: a bare CR or LF is a line end on the wire.
    [InlineData("a\nb\rc\r\r\nd", "a\r\nb\r\nc\r\n\r\nd\r\n")]
    public void Body(string body, string relaxed) => Assert.Equal(relaxed, InPieces(Encoding.ASCII.GetBytes(body), int.MaxValue));

    [Fact]
    public void Pieces_of_every_size_give_the_same() => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500),
        Prop.ForAll(Gen.Elements(" ", "\t", "\r", "\n", "\r\n", ".", "word").ListOf().Select(string.Concat).ToArbitrary(), body =>
        {
            var bytes = Encoding.ASCII.GetBytes(body);
            var whole = InPieces(bytes, int.MaxValue);
            return Enumerable.Range(1, 7).All(size => InPieces(bytes, size) == whole);
        }));

    [Fact]
    public void A_body_longer_than_the_buffer_is_hashed_whole()
    {
        var line = Encoding.ASCII.GetBytes(new string('x', 4095) + "\r\n");
        var body = Enumerable.Repeat(line, 40).SelectMany(bytes => bytes).ToArray();
        using var hashing = new HashingWriter();
        var relaxed = new RelaxedBody();
        relaxed.Write(body, hashing);
        relaxed.Finish(hashing);
        var hash = new byte[32];
        hashing.Finish(hash);
        Assert.Equal(SHA256.HashData(body), hash);
    }

    static string InPieces(byte[] body, int size)
    {
        var output = new ArrayBufferWriter<byte>();
        var relaxed = new RelaxedBody();
        for (var at = 0; at < body.Length; at += Math.Min(size, body.Length - at))
            relaxed.Write(body.AsSpan(at, Math.Min(size, body.Length - at)), output);
        relaxed.Finish(output);
        return Encoding.ASCII.GetString(output.WrittenSpan);
    }
}
