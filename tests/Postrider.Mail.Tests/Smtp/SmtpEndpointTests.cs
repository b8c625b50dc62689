using Postrider.Mail.Smtp;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpEndpointTests
{
    [Theory]
    [InlineData("mx.example.com", true)]
    [InlineData("localhost", true)]
    [InlineData("192.0.2.1", true)]
    [InlineData("2001:db8::1", true)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a\r\nb", false)]
    [InlineData("mx.example.com:25", false)]
    public void A_host_is_a_name_or_an_address(string host, bool good)
    {
        if (good)
            Assert.Equal(host, new SmtpEndpoint(host, 25).Host);
        else
            Assert.ThrowsAny<ArgumentException>(() => new SmtpEndpoint(host, 25));
    }

    [Theory]
    [InlineData("client.example.com", true)]
    [InlineData("localhost", true)]
    [InlineData("[192.0.2.1]", true)]
    [InlineData("[IPv6:2001:db8::1]", true)]
    [InlineData("", false)]
    [InlineData("a\r\nMAIL FROM:<>", false)]
    [InlineData("[1\r\n2]", false)]
    [InlineData("two words", false)]
    [InlineData("ümlaut.test", false)]
    [InlineData("[]", false)]
    public void A_name_for_EHLO_cannot_hold_a_second_command(string name, bool good)
    {
        if (good)
            Assert.Equal(name, (new SmtpEndpoint("mx.test", 25) { ClientName = name }).ClientName);
        else
            Assert.Throws<ArgumentException>(() => new SmtpEndpoint("mx.test", 25) { ClientName = name });
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65536)]
    public void A_port_has_16_bits_and_is_not_zero(int port)
        => Assert.Throws<ArgumentOutOfRangeException>(() => new SmtpEndpoint("mx.test", port));

    [Fact]
    public void A_timeout_is_more_than_zero_and_not_absurd()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmtpTimeouts { Mail = TimeSpan.Zero });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmtpTimeouts { FinalDot = TimeSpan.FromHours(2) });
        Assert.Throws<ArgumentOutOfRangeException>(() => new SmtpTimeouts { Connect = Timeout.InfiniteTimeSpan });
        Assert.Equal(TimeSpan.FromMinutes(10), SmtpTimeouts.Default.FinalDot);
    }

    [Theory]
    [InlineData("250-mx\r\n250-SIZE\r\n250 AUTH=PLAIN LOGIN\r\n", 0, "PLAIN LOGIN")]
    [InlineData("250-mx\r\n250-size 1000\r\n250-AUTH plain\r\n250 AUTH=PLAIN LOGIN\r\n", 1000, "PLAIN LOGIN")]
    [InlineData("250-mx\r\n250-SIZE 99999999999999999999\r\n250  AUTH\r\n", 0, "")]
    [InlineData("250-mx\r\n250-SIZE -1\r\n250 AUTH  LOGIN \r\n", 0, "LOGIN")]
    public void The_answer_to_EHLO_is_read_leniently(string reply, long size, string mechanisms)
    {
        SmtpReplyParser.Parse(System.Text.Encoding.ASCII.GetBytes(reply), out var parsed, out _);

        var extensions = SmtpExtensions.Parse(parsed);

        Assert.Equal((true, size, mechanisms), (extensions.Size, extensions.MaxMessageBytes, string.Join(' ', extensions.AuthMechanisms)));
    }

    [Fact]
    public void The_first_line_of_the_answer_to_EHLO_is_a_greeting_even_if_it_names_an_extension()
    {
        Assert.False(SmtpExtensions.Parse(new SmtpReply(250, null, "PIPELINING\nSIZE")).Pipelining);
        var extensions = SmtpExtensions.Parse(new SmtpReply(250, null, "mx\npipelining\nChunking\nXUNKNOWN 1 2"));
        Assert.True(extensions is { Pipelining: true, Chunking: true });
    }
}
