using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Tracking;

/// <summary>Only addresses that every mail program reads alike lead elsewhere; everything else is the same, to the character.</summary>
public sealed class TextRewriterTests
{
    static string? Link(string address) => LinkTarget.TryRead(address, out var target) ? $"[{target}]" : null;

    [Theory]
    // Between « and », what is a link.
    [InlineData("«https://x.example/»")]
    [InlineData("«HTTP://x.example» and «https://y.example/a?b=c&d=e#f»\r\n«https://z.example/»")]
    [InlineData("See «https://x.example/a», or «https://x.example/b».")]
    [InlineData("Here: «https://x.example/a»; there «https://x.example/b»! Where «https://x.example/c»? «https://x.example/d»...")]
    [InlineData("(«https://x.example/a») [«https://x.example/b»] {«https://x.example/c»}")]
    [InlineData("(see «https://x.example/a_(b)») «https://en.example/wiki/A_(b)», («https://en.example/wiki/A_(b)_[c]»).")]
    [InlineData("\"«https://x.example/a»\" '«https://x.example/b»' “«https://x.example/c»” ‘«https://x.example/d»’, `«https://x.example/e»`")]
    [InlineData("<«https://x.example/a»> <URL:«https://x.example/b»>, <«https://x.example/c.»>")]
    [InlineData("*«https://x.example/a»* _«https://x.example/b»_ ~«https://x.example/c»~ |«https://x.example/d»|")]
    [InlineData("[words](«https://x.example/a(b)c») ![image](«https://x.example/i.png»)")]
    [InlineData("Link:«https://x.example/»\tand。«https://y.example/»。次は「«https://z.example/»」")]
    [InlineData("«https://x.example/?u=https://y.example/&v=http://z.example»")]
    [InlineData("«https://x.example:8443/~me/it's/a;b=c,d/*/+/@/!/$/%20» «https://[2001:db8::1]/a»")]
    [InlineData("http https:// http:/x https//x «http://x.example» httpd://x.example")]
    // Part of something else.
    [InlineData("xhttps://x.example/ git+https://x.example/ a@https://x.example/ url=https://x.example/ /https://x.example/")]
    // Nobody knows where they end, or whose they are.
    [InlineData("[https://x.example/a](https://y.example/b) https://x.example/a)b https://x.example/a]b https://x.example/((a)")]
    [InlineData("https://x.example/{id} https://x.example/a|b https://x.example/a`b https://x.example/a\\b https://x.example/a^b")]
    [InlineData("https://x.example/ä https://x.exämple/ https://x.example/をご覧 https://x.example/😀")]
    [InlineData("'https://x.example/'s 'https://x.example/a'b'")]
    [InlineData("<https://x.example/a\r\nb> <https://x.example/a b> <https://x.example/a\"> <https://x.example/a")]
    [InlineData("https://user@x.example/ https://user:word@x.example/ ftp://x.example/ mailto:a@x.example www.x.example //x.example/")]
    [InlineData("")]
    public void Links_lead_over_us_and_nothing_else_changes(string marked)
    {
        var text = marked.Replace("«", "", StringComparison.Ordinal).Replace("»", "", StringComparison.Ordinal);
        var expected = marked.Replace('«', '[').Replace('»', ']');
        Assert.Equal(new RewrittenText(expected, null), TextRewriter.Rewrite(text, Link));
    }

    [Fact]
    public void What_is_signed_stays()
    {
        const string text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSee https://x.example/\n-----BEGIN PGP SIGNATURE-----\n";
        var rewritten = TextRewriter.Rewrite(text, Link);
        Assert.Equal(text, rewritten.Text);
        Assert.Contains("signed", rewritten.Remark);
    }

    [Theory]
    [InlineData(5_000, true)]
    [InlineData(5_001, false)]
    public void Five_thousand_links_are_led_over_us_and_of_more_none(int count, bool isTracked)
    {
        var text = string.Concat(Enumerable.Repeat("http://x.example ", count));
        var rewritten = TextRewriter.Rewrite(text, Link);
        Assert.Equal(isTracked ? text.Replace("http://x.example", "[http://x.example]", StringComparison.Ordinal) : text, rewritten.Text);
        Assert.Equal(isTracked, rewritten.Remark is null);
    }

    [Theory]
    [InlineData("http://")]
    [InlineData("https://x.example/((((")]
    [InlineData("))))")]
    [InlineData("http")]
    public void A_million_characters_of_anything_take_no_longer_than_reading_them(string piece)
    {
        var text = "https://x.example/" + string.Concat(Enumerable.Repeat(piece, 1_000_000 / piece.Length));
        var started = TimeProvider.System.GetTimestamp();
        Assert.Equal(text, TextRewriter.Rewrite(text, _ => null).Text);
        // By the square it would be hours.
        Assert.InRange(TimeProvider.System.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(20));
    }
}
