using Postrider.Mail.Addresses;
using Xunit;

namespace Postrider.Mail.Tests.Addresses;

public sealed class EmailAddressTests
{
    static readonly string Label63 = new('d', 63);

    [Theory]
    [InlineData("a@b.co", "a", "b.co", "b.co")]
    [InlineData("First.Last+tag@Example.COM", "First.Last+tag", "example.com", "example.com")]
    [InlineData("!#$%&'*+-/=?^_`{|}~@x.example", "!#$%&'*+-/=?^_`{|}~", "x.example", "x.example")]
    [InlineData("\"plain\"@x.com", "plain", "x.com", "x.com")]
    [InlineData("\"a b\"@x.com", "a b", "x.com", "x.com")]
    [InlineData("\"a@b\"@x.com", "a@b", "x.com", "x.com")]
    [InlineData("\"a\\\"b\\\\c\"@x.com", "a\"b\\c", "x.com", "x.com")]
    [InlineData("\"\"@x.com", "", "x.com", "x.com")]
    [InlineData("\"a..b\"@x.com", "a..b", "x.com", "x.com")]
    [InlineData("a@1.2.3.com", "a", "1.2.3.com", "1.2.3.com")]
    [InlineData("a@xn--bcher-kva.DE", "a", "xn--bcher-kva.de", "xn--bcher-kva.de")]
    [InlineData("a@Bücher.de", "a", "bücher.de", "xn--bcher-kva.de")]
    [InlineData("a@faß.de", "a", "faß.de", "xn--fa-hia.de")]
    [InlineData("a@例え。テスト", "a", "例え.テスト", "xn--r8jz45g.xn--zckzah")]
    [InlineData("почта@почта.рф", "почта", "почта.рф", "xn--80a1acny.xn--p1ai")]
    [InlineData("𝒽@x.com", "𝒽", "x.com", "x.com")]
    public void Good_addresses_are_taken_apart(string text, string local, string domain, string ascii)
    {
        Assert.True(EmailAddress.TryParse(text, out var address, out var fault), fault.Describe());
        Assert.Equal((local, domain, ascii), (address.LocalPart, address.Domain, address.AsciiDomain));
        Assert.Equal(local.Any(c => c > 127), address.NeedsSmtpUtf8);
    }

    [Theory]
    [InlineData("", AddressFault.Empty)]
    [InlineData("a", AddressFault.MissingAt)]
    [InlineData("a@b", AddressFault.SingleLabelDomain)]
    [InlineData("user@localhost", AddressFault.SingleLabelDomain)]
    [InlineData("@x.com", AddressFault.LocalPartEmpty)]
    [InlineData("a@", AddressFault.DomainEmpty)]
    [InlineData("a b@x.com", AddressFault.LocalPartCharacter)]
    [InlineData(" a@x.com", AddressFault.LocalPartCharacter)]
    [InlineData("a@x.com ", AddressFault.DomainCharacter)]
    [InlineData("a@x..com", AddressFault.DomainDots)]
    [InlineData("a@.x.com", AddressFault.DomainDots)]
    [InlineData("a@x.com.", AddressFault.DomainDots)]
    [InlineData(".a@x.com", AddressFault.LocalPartDots)]
    [InlineData("a.@x.com", AddressFault.LocalPartDots)]
    [InlineData("a..b@x.com", AddressFault.LocalPartDots)]
    [InlineData("a@b@x.com", AddressFault.DomainCharacter)]
    [InlineData("a@x_y.com", AddressFault.DomainCharacter)]
    [InlineData("a@-x.com", AddressFault.LabelHyphen)]
    [InlineData("a@x-.com", AddressFault.LabelHyphen)]
    [InlineData("a@127.0.0.1", AddressFault.NumericTopLevel)]
    [InlineData("user@[127.0.0.1]", AddressFault.IpLiteral)]
    [InlineData("user@[IPv6:::1]", AddressFault.IpLiteral)]
    [InlineData("\"a\r\nRCPT TO:<e@evil>\"@x.com", AddressFault.ControlCharacter)]
    [InlineData("a\r\n@x.com", AddressFault.ControlCharacter)]
    [InlineData("a\0@x.com", AddressFault.ControlCharacter)]
    [InlineData("a@x.com\r\n", AddressFault.ControlCharacter)]
    [InlineData("a@\u2028x.com", AddressFault.ControlCharacter)]
    [InlineData("a@[127.0.0.1\r\n]", AddressFault.ControlCharacter)]
    [InlineData("\"a@x.com", AddressFault.LocalPartQuotes)]
    [InlineData("\"a\"b@x.com", AddressFault.LocalPartQuotes)]
    [InlineData("a\"b@x.com", AddressFault.LocalPartCharacter)]
    [InlineData("a\u200b@x.com", AddressFault.LocalPartCharacter)]
    [InlineData("a\u202e@x.com", AddressFault.LocalPartCharacter)]
    [InlineData("a\u00a0b@x.com", AddressFault.LocalPartCharacter)]
    [InlineData("a@x\u200b.com", AddressFault.DomainCharacter)]
    [InlineData("a@x y.com", AddressFault.DomainCharacter)]
    [InlineData("a@ü..com", AddressFault.InternationalDomain)]
    [InlineData("<a@x.com>", AddressFault.LocalPartCharacter)]
    public void Bad_addresses_are_refused_with_their_reason(string text, AddressFault expected)
    {
        Assert.False(EmailAddress.TryParse(text, out var address, out var fault));
        Assert.Null(address);
        Assert.Equal(expected, fault);
    }

    [Fact]
    public void Half_a_surrogate_pair_is_no_text()
    {
        Assert.False(EmailAddress.TryParse("a\ud800@x.com", out _, out var local));
        Assert.False(EmailAddress.TryParse("a@x\udc00.com", out _, out var domain));
        Assert.Equal((AddressFault.LoneSurrogate, AddressFault.LoneSurrogate), (local, domain));
    }

    [Fact]
    public void Limits_are_those_of_RFC_5321_in_octets()
    {
        AssertFault(AddressFault.None, $"{new string('a', 64)}@x.com");
        AssertFault(AddressFault.LocalPartTooLong, $"{new string('a', 65)}@x.com");
        AssertFault(AddressFault.LocalPartTooLong, $"{new string('ä', 33)}@x.com");
        AssertFault(AddressFault.LocalPartTooLong, $"\"{new string(' ', 63)}\"@x.com");
        AssertFault(AddressFault.None, $"a@{Label63}.com");
        AssertFault(AddressFault.LabelTooLong, $"a@{Label63}d.com");
        AssertFault(AddressFault.DomainTooLong, $"a@{Label63}.{Label63}.{Label63}.{Label63}d");
        // 1 + 1 + 252 octets, and one more.
        AssertFault(AddressFault.None, $"a@{Label63}.{Label63}.{Label63}.{new string('d', 60)}");
        AssertFault(AddressFault.AddressTooLong, $"aa@{Label63}.{Label63}.{Label63}.{new string('d', 60)}");
        AssertFault(AddressFault.DomainTooLong, $"a@{new string('ü', 100_000)}.com");
        AssertFault(AddressFault.LocalPartTooLong, $"{new string('\"', 100_000)}@x.com", $"{new string('ü', 100_000)}@x.com");

        static void AssertFault(AddressFault expected, params string[] texts) => Assert.All(texts, text =>
        {
            Assert.Equal(expected == AddressFault.None, EmailAddress.TryParse(text, out _, out var fault));
            Assert.True(expected == fault || (fault == AddressFault.LocalPartQuotes && text[0] == '"'), $"{text}: {fault}");
        });
    }

    [Theory]
    [InlineData("a@[127.0.0.1]", "[127.0.0.1]")]
    [InlineData("a@[IPV6:2001:DB8::1]", "[IPv6:2001:db8::1]")]
    public void Ip_literals_are_accepted_where_allowed(string text, string domain)
    {
        Assert.True(EmailAddress.TryParse(text, new AddressRules { AllowIpLiteral = true }, out var address, out _));
        Assert.Equal(domain, address.Domain);
    }

    [Theory]
    [InlineData("a@[127.1]")]
    [InlineData("a@[127.0.0.010]")]
    [InlineData("a@[::1]")]
    [InlineData("a@[IPv6:fe80::1%eth0]")]
    [InlineData("a@[IPv6:127.0.0.1]")]
    [InlineData("a@[x.com]")]
    [InlineData("a@[]")]
    [InlineData("a@[")]
    [InlineData("a@[127.0.0.1]x")]
    public void Brackets_hold_an_ip_address_or_nothing_good(string text)
    {
        Assert.False(EmailAddress.TryParse(text, new AddressRules { AllowIpLiteral = true }, out _, out var fault));
        Assert.Equal(AddressFault.IpLiteralMalformed, fault);
    }

    [Fact]
    public void One_label_is_accepted_where_allowed()
    {
        Assert.True(EmailAddress.TryParse("root@LOCALHOST", new AddressRules { AllowSingleLabelDomain = true }, out var address, out _));
        Assert.Equal("localhost", address.Domain);
    }

    [Fact]
    public void Domains_are_equal_however_written_and_local_parts_letter_by_letter()
    {
        Assert.Equal(EmailAddress.Parse("a@BÜCHER.de"), EmailAddress.Parse("a@xn--bcher-kva.de"));
        Assert.Equal(EmailAddress.Parse("a@BÜCHER.de").GetHashCode(), EmailAddress.Parse("a@xn--bcher-kva.de").GetHashCode());
        Assert.Equal(EmailAddress.Parse("\"a\"@x.com"), EmailAddress.Parse("a@X.COM"));
        Assert.NotEqual(EmailAddress.Parse("A@x.com"), EmailAddress.Parse("a@x.com"));
    }

    [Theory]
    [InlineData("\"a b\"@bücher.de", "\"a b\"@bücher.de", "\"a b\"@xn--bcher-kva.de")]
    [InlineData("\"a.b\"@x.com", "a.b@x.com", "a.b@x.com")]
    [InlineData("\"a\\\"\\b\"@x.com", "\"a\\\"b\"@x.com", "\"a\\\"b\"@x.com")]
    [InlineData("ü@ü.de", "ü@ü.de", "ü@xn--tda.de")]
    public void Written_with_quotes_only_where_needed(string text, string written, string ascii)
    {
        var address = EmailAddress.Parse(text);
        Assert.Equal((written, ascii), (address.ToString(), address.ToAscii()));
    }

    [Fact]
    public void Every_fault_has_its_words()
    {
        var words = Enum.GetValues<AddressFault>().Select(fault => fault.Describe()).ToArray();
        Assert.Equal(words.Length, words.Distinct().Count());
    }

    [Fact]
    public void A_constant_that_is_no_address_says_why() =>
        Assert.Contains("no dot", Assert.Throws<FormatException>(() => EmailAddress.Parse("a@b")).Message, StringComparison.Ordinal);
}
