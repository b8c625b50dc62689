using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Tracking;

/// <summary>Which links may lead over us.</summary>
public sealed class LinkTargetTests
{
    [Theory]
    [InlineData("https://example.com", "https://example.com")]
    [InlineData(" HTTP://Example.com/a?b=c&d#e ", "HTTP://Example.com/a?b=c&d#e")]
    [InlineData("https://example.com/für?q=ä", "https://example.com/f%C3%BCr?q=%C3%A4")]
    [InlineData("https://example.com/a%20b%0d%0a", "https://example.com/a%20b%0d%0a")]
    [InlineData("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x")]
    [InlineData("https://example.com/?next=https://other.example/@x", "https://example.com/?next=https://other.example/@x")]
    public void Web_addresses_do(string href, string target)
    {
        Assert.True(LinkTarget.TryRead(href, out var read));
        Assert.Equal(target, read);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("#part")]
    [InlineData("/relative")]
    [InlineData("relative")]
    [InlineData("?q")]
    [InlineData("//evil.example")]
    [InlineData("\\\\evil.example")]
    [InlineData("/\\evil.example")]
    [InlineData("https:/\\evil.example")]
    [InlineData("https:\\\\evil.example")]
    [InlineData("https:evil.example")]
    [InlineData("https:///evil.example")]
    [InlineData("https://")]
    [InlineData("https://?x")]
    [InlineData("https://good.example\\@evil.example/")]
    [InlineData("https://good.example@evil.example/")]
    [InlineData("https://user:pass@example.com/")]
    [InlineData("https://éxample.com/")]
    [InlineData("https://exa mple.com/")]
    [InlineData("https://example.com/a b")]
    [InlineData("https://example.com/\r\nSet-Cookie: a=b")]
    [InlineData("https://example.com/\tx")]
    [InlineData("https://example.com/\u0000")]
    [InlineData("https://example.com/\u2028")]
    [InlineData("https://example.com/\u0085")]
    [InlineData("ht\ntps://example.com/")]
    [InlineData("javascript:alert(1)")]
    [InlineData("JaVaScRiPt:alert(1)//https://x")]
    [InlineData("java\tscript:alert(1)")]
    [InlineData("data:text/html,<script>alert(1)</script>")]
    [InlineData("vbscript:x")]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://example.com/")]
    [InlineData("mailto:ann@example.com")]
    [InlineData("tel:+123")]
    [InlineData("cid:logo")]
    [InlineData("{{unsubscribe}}")]
    public void All_else_stays_as_it_is(string? href) => Assert.False(LinkTarget.TryRead(href, out _));

    [Fact]
    public void What_is_too_long_for_an_address_stays_as_it_is()
    {
        Assert.False(LinkTarget.TryRead("https://example.com/" + new string('x', 2_000), out _));
        Assert.False(LinkTarget.TryRead("https://example.com/" + new string('ü', 700), out _));
        Assert.False(LinkTarget.TryRead("https://example.com/\ud800", out _));
    }
}
