using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

public sealed class HeaderFieldTests
{
    [Theory]
    [InlineData("X-Campaign", "spring 2026")]
    [InlineData("X-Ünicode-Value", "", HeaderFault.InvalidName)]
    [InlineData("List-Unsubscribe", "<https://x.com/u?t=1>, <mailto:u@x.com>")]
    [InlineData("x", "Grüße 🎉")]
    [InlineData("X-Tab", "a\tb")]
    [InlineData("X-Empty", "")]
    [InlineData("", "v", HeaderFault.InvalidName)]
    [InlineData("X: y", "v", HeaderFault.InvalidName)]
    [InlineData("X y", "v", HeaderFault.InvalidName)]
    [InlineData("X\r\nBcc", "v", HeaderFault.Injection)]
    [InlineData("X\0", "v", HeaderFault.Injection)]
    [InlineData("Bcc", "v@evil.com", HeaderFault.Forbidden)]
    [InlineData("bCC", "v@evil.com", HeaderFault.Forbidden)]
    [InlineData("Received", "from x", HeaderFault.Forbidden)]
    [InlineData("Return-Path", "<>", HeaderFault.Forbidden)]
    [InlineData("DKIM-Signature", "v=1", HeaderFault.Forbidden)]
    [InlineData("ARC-Seal", "i=1", HeaderFault.Forbidden)]
    [InlineData("Authentication-Results", "x", HeaderFault.Forbidden)]
    [InlineData("Content-Type", "text/html", HeaderFault.Forbidden)]
    [InlineData("content-transfer-encoding", "8bit", HeaderFault.Forbidden)]
    [InlineData("MIME-Version", "1.0", HeaderFault.Forbidden)]
    [InlineData("Message-ID", "<a@b>", HeaderFault.Forbidden)]
    [InlineData("From", "a@x.com", HeaderFault.Forbidden)]
    [InlineData("Subject", "again", HeaderFault.Forbidden)]
    [InlineData("Resent-Bcc", "v@evil.com", HeaderFault.Forbidden)]
    [InlineData("X-A", "a\r\nBcc: v@evil.com", HeaderFault.Injection)]
    [InlineData("X-A", "folded\r\n value", HeaderFault.Injection)]
    [InlineData("X-A", "a\rb", HeaderFault.Injection)]
    [InlineData("X-A", "a\nb", HeaderFault.Injection)]
    [InlineData("X-A", "a\0b", HeaderFault.Injection)]
    [InlineData("X-A", "a\u2028b", HeaderFault.Injection)]
    [InlineData("X-A", "a\u2029b", HeaderFault.Injection)]
    [InlineData("X-A", "a\u0085b", HeaderFault.Injection)]
    [InlineData("X-A", "a\vb", HeaderFault.Injection)]
    [InlineData("X-A", "a\u001bb", HeaderFault.InvalidValue)]
    [InlineData("X-A", "a\u007fb", HeaderFault.InvalidValue)]
    [InlineData("References", "<ü@x.com>", HeaderFault.InvalidValue)]
    public void A_field_is_one_line_of_its_own(string name, string value, HeaderFault expected = HeaderFault.None)
    {
        Assert.Equal(expected == HeaderFault.None, HeaderField.TryCreate(name, value, out var field, out var fault));
        Assert.Equal(expected, fault);
        if (field is not null)
            Assert.Equal((name, value), (field.Name, field.Value));
    }

    [Fact]
    public void Names_have_room_for_a_fold_and_structured_words_for_a_line()
    {
        Assert.True(HeaderField.TryCreate(new string('X', 76), "v", out _, out _));
        Assert.False(HeaderField.TryCreate(new string('X', 77), "v", out _, out var tooLong));
        Assert.True(HeaderField.TryCreate("References", $"<{new string('r', 890)}@x.com>", out _, out _));
        Assert.False(HeaderField.TryCreate("References", $"<{new string('r', 900)}@x.com>", out _, out var unfoldable));
        Assert.Equal((HeaderFault.InvalidName, HeaderFault.InvalidValue), (tooLong, unfoldable));
    }

    [Fact]
    public void Half_a_surrogate_pair_is_no_text()
    {
        Assert.False(HeaderField.TryCreate("X-A", "a\ud83d", out _, out var fault));
        Assert.Equal(HeaderFault.InvalidValue, fault);
    }

    [Fact]
    public void White_space_around_a_value_is_nothing() =>
        Assert.Equal("a  b", MessageMaker.Field("X-A", " \ta  b ").Value);

    [Fact]
    public void Fields_that_may_stand_once_say_so() =>
        Assert.Equal(["References", "list-id"], "References list-id X-A".Split(' ').Where(name => MessageMaker.Field(name, "x").IsSingle));

    [Fact]
    public void Every_fault_has_its_words()
    {
        var words = Enum.GetValues<HeaderFault>().Select(fault => fault.Describe()).ToArray();
        Assert.Equal(words.Length, words.Distinct().Count());
    }
}
