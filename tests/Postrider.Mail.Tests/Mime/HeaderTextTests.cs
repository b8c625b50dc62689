using System.Text;
using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

public sealed class HeaderTextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("=?utf-8?Q?x?=", "x")]
    [InlineData("a =?utf-8?Q?b=C3?= =?utf-8?Q?=BC?=  c", "a bü  c")]    // RFC 2047 §6.2: white space between encoded words is no text
    [InlineData("a =?iso-8859-1?Q?=FC_?= b", "a ü  b")]
    [InlineData("=?nowhere?Q?x?=", "=?nowhere?Q?x?=")]
    [InlineData("=?utf-8?B?x", "=?utf-8?B?x")]
    [InlineData("=?utf-8?Q?x?=y", "=?utf-8?Q?x?=y")]                      // not set off by white space
    [InlineData(" =?utf-8?Q?x?= ", " x ")]
    public void Encoded_words_are_decoded_where_they_stand_alone(string text, string expected) =>
        Assert.Equal(expected, HeaderText.Decode(text));

    [Fact]
    public void Any_text_goes_through_one_line_of_ASCII_and_back()
    {
        for (var seed = 0UL; seed < 2_000; seed++)
        {
            var text = new Dice(seed).Line(12).Trim(' ', '\t');

            var ascii = HeaderText.ToAscii(text);

            Assert.True(Ascii.IsValid(ascii) && !ascii.AsSpan().ContainsAny('\r', '\n'), ascii);
            Assert.Equal(text, HeaderText.Decode(ascii));
        }
    }
}
