using System.Text;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

/// <summary>Parts that cannot travel are encoded anew, say the same as before, and the rest of the message is the same bytes.</summary>
public sealed class TransferRecodingTests
{
    static MimeEntity Read(ReadOnlyMemory<byte> bytes) =>
        MimeReader.TryRead(bytes, out var message, out var fault) ? message : throw new InvalidOperationException(fault.ToString());

    static string? Recoded(string text, bool sevenBit = true) =>
        TransferRecoding.TryRecode(Read(Encoding.UTF8.GetBytes(text.ReplaceLineEndings("\r\n"))), sevenBit, out var bytes)
            ? Encoding.UTF8.GetString(bytes.Span).Replace("\r\n", "\n", StringComparison.Ordinal) : null;

    [Fact]
    public void Only_the_part_that_needs_it_is_encoded() => Assert.Equal(
        """
        Content-Type: multipart/mixed; boundary=b
        MIME-Version: 1.0
        Content-Transfer-Encoding: 7bit

        --b

        plain
        --b
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <p>Gr=C3=BC=C3=9Fe =3D</p>=20
        =2E dot
        --b
        Content-Type: image/png
        Content-Transfer-Encoding: base64

        w7zDvA==
        --b--

        """,
        Recoded("""
            Content-Type: multipart/mixed; boundary=b
            MIME-Version: 1.0
            Content-Transfer-Encoding: 8bit

            --b

            plain
            --b
            Content-Transfer-Encoding: 8bit
            Content-Type: text/html; charset=utf-8

            <p>Grüße =</p> 
            . dot
            --b
            Content-Type: image/png
            Content-Transfer-Encoding: binary

            üü
            --b--

            """));

    [Fact]
    public void A_message_without_MIME_becomes_one_with_it() =>
        Assert.Equal("A: 1\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\nf=C3=BCr uns alle\n",
            Recoded("A: 1\n\nfür uns alle\n"));

    [Fact]
    public void Messages_inside_messages_are_recoded_inside() => Assert.Equal(
        "Content-Type: message/rfc822\n\nA: 1\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC abcdefghijkl\n",
        Recoded("Content-Type: message/rfc822\n\nA: 1\n\nü abcdefghijkl\n"));

    [Theory]
    [InlineData("Content-Type: multipart/signed; boundary=b\n\n--b\n\nü\n--b\n\n--b--\n")]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\npreamble ü\n--b\n\nx\n--b--\n")]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\n--c\n\nü\n--c--\n")]
    [InlineData("Content-Type: message/partial\n\nü")]
    [InlineData("Content-Type: multipart/mixed; boundary=b\n\n--b\nSubject: ü\n\nx\n--b--\n")]
    public void What_must_stay_as_it_is_cannot_be_helped(string text) => Assert.Null(Recoded(text));

    [Fact]
    public void What_is_signed_and_can_travel_does_not_stand_in_the_way() => Assert.Contains("=C3=BC", Recoded(
        "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b\n\n--b--\n"
        + "--m\n\nü x x x x x x\n--m--\n"),
        StringComparison.Ordinal);

    [Fact]
    public void Any_message_says_the_same_afterwards()
    {
        for (var seed = 0UL; seed < 300; seed++)
        {
            var dice = new Dice(seed);
            var text = dice.Body(30).Replace("\0", "", StringComparison.Ordinal).ReplaceLineEndings("\r\n");
            var long1 = dice.OneIn(2) ? new string('x', dice.Next(3_000)) : "";
            var bytes = Encoding.UTF8.GetBytes(
                "Content-Type: multipart/mixed; boundary=\"out er\"\r\n\r\n"
                + $"--out er\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}{long1}\r\n"
                + $"--out er\r\nContent-Type: application/x-any\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{long1}{text}\r\n--out er--\r\n");
            Assert.True(TransferRecoding.TryRecode(Read(bytes), sevenBit: true, out var recoded));
            var (before, after) = (Read(bytes), Read(recoded));
            Assert.True(Ascii.IsValid(recoded.Span));
            Assert.Equal(before.Parts.Select(part => Convert.ToHexString(part.Decode().Span)),
                after.Parts.Select(part => Convert.ToHexString(part.Decode().Span)));
        }
    }
}
