using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Postrider.Testing;
using Postrider.Tracking;
using Xunit;

namespace Postrider.Engine.Tests.Tracking;

/// <summary>Only the addresses of links and one image are new; everything else is the same, to the character.</summary>
public sealed class HtmlRewriterTests
{
    const string Pixel = "https://t.example/t/o/abc.gif";
    const string Image = """<img src="https://t.example/t/o/abc.gif" width="1" height="1" alt="" style="border:0">""";

    static string? Link(string href) =>
        LinkTarget.TryRead(href, out var target) ? "https://t.example/t/c/" + Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(target)) : null;

    static string Tracked(string target) => Link(target)!;

    [Theory]
    [InlineData("<a href=\"https://x.example/?a=1&amp;b=2\">x</a>", "<a href=\"{https://x.example/?a=1&b=2}\">x</a>")]
    [InlineData("<A CLASS=b HREF='https://x.example/'>x</A>", "<A CLASS=b HREF='{https://x.example/}'>x</A>")]
    [InlineData("<a href=https://x.example/>x</a>", "<a href=\"{https://x.example/}\">x</a>")]
    [InlineData("<a\n href = \"https://x.example/\" title='>'>x</a>", "<a\n href = \"{https://x.example/}\" title='>'>x</a>")]
    [InlineData("<a title=\"href='https://y.example/'\" href=\"https://x.example/\">x", "<a title=\"href='https://y.example/'\" href=\"{https://x.example/}\">x")]
    [InlineData("<a href=\"https://x.example/\" href=\"https://y.example/\">x</a>", "<a href=\"{https://x.example/}\" href=\"https://y.example/\">x</a>")]
    [InlineData("<map><area shape=rect href=\"https://x.example/\"></map>", "<map><area shape=rect href=\"{https://x.example/}\"></map>")]
    [InlineData("<p>ä😀<a href=\"https://x.example/\">ü</a>", "<p>ä😀<a href=\"{https://x.example/}\">ü</a>")]
    [InlineData("<!--[if mso]><a href=\"https://x.example/\"><![endif]--><a href=\"https://y.example/\">y</a>", "<!--[if mso]><a href=\"https://x.example/\"><![endif]--><a href=\"{https://y.example/}\">y</a>")]
    [InlineData("<![if !mso]><a href=\"https://y.example/\">y</a><![endif]>", "<![if !mso]><a href=\"{https://y.example/}\">y</a><![endif]>")]
    [InlineData("<a href=\"https://x.example/\" data-no-track>x</a>", "<a href=\"https://x.example/\" data-no-track>x</a>")]
    [InlineData("<base href=\"https://x.example/\"><a href=\"y\">x</a><a href=\"#z\">x</a>", "<base href=\"https://x.example/\"><a href=\"y\">x</a><a href=\"#z\">x</a>")]
    [InlineData("<a href=\"javascript:alert(1)\">x</a><a href=\"//evil\">x</a>", "<a href=\"javascript:alert(1)\">x</a><a href=\"//evil\">x</a>")]
    [InlineData("<style>a{content:'<a href=\"https://x.example/\">'}</style>", "<style>a{content:'<a href=\"https://x.example/\">'}</style>")]
    [InlineData("<textarea><a href=\"https://x.example/\"></textarea>", "<textarea><a href=\"https://x.example/\"></textarea>")]
    [InlineData("<link href=\"https://x.example/s.css\"><img src=\"https://x.example/i\"><abbr href=\"https://x.example/\">", "<link href=\"https://x.example/s.css\"><img src=\"https://x.example/i\"><abbr href=\"https://x.example/\">")]
    public void Links_lead_over_us_and_nothing_else_changes(string html, string expected)
    {
        var start = expected.IndexOf('{', StringComparison.Ordinal);
        // Braces of style sheets are no marks.
        if (start >= 0 && expected[start + 1] == 'h')
        {
            var end = expected.IndexOf('}', start);
            expected = expected[..start] + Tracked(expected[(start + 1)..end]) + expected[(end + 1)..];
        }
        Assert.Equal(new RewrittenHtml(expected, null), HtmlRewriter.Rewrite(html, Link, pixel: null));
    }

    [Theory]
    [InlineData("<html><body><p>x</p></body></html>", "<html><body><p>x</p>" + Image + "</body></html>")]
    [InlineData("<html><body><p>x</p>\r\n</BODY>\r\n</html>\r\n", "<html><body><p>x</p>\n" + Image + "</BODY>\n</html>\n")]
    [InlineData("<p>x", "<p>x" + Image)]
    [InlineData("just words", "just words" + Image)]
    [InlineData("<p>x</p><!-- </body> -->", "<p>x</p><!-- </body> -->" + Image)]
    [InlineData("<table><tr><td>x</table>", "<table><tr><td>x</table>" + Image)]
    public void The_image_stands_at_the_end(string html, string expected) =>
        Assert.Equal(new RewrittenHtml(expected, null), HtmlRewriter.Rewrite(html, Link, Pixel));

    [Theory]
    [InlineData("<p>x<!-- not closed")]
    [InlineData("<p>x<textarea>not closed")]
    [InlineData("<p>x<style>not closed")]
    [InlineData("<p>x<plaintext>")]
    [InlineData("<p>x<div title=\"not closed")]
    public void Where_the_image_would_be_swallowed_it_is_left_out_and_told(string html)
    {
        var rewritten = HtmlRewriter.Rewrite(html, Link, Pixel);
        Assert.Equal(html, rewritten.Html);
        Assert.NotNull(rewritten.Remark);
    }

    // Each attribute is compared with those before it; what hides a tag from one that reads carelessly does not help.
    [Theory]
    [InlineData("<p {0}>x</p>")]
    [InlineData("x</a {0}>")]
    [InlineData("<!-- <a x=' --><p {0}>x</p>")]
    [InlineData("<script><a x=\"</script><p title='>' {0}>x</p>")]
    [InlineData("<p title=\">\" {0}")]
    public void An_element_with_a_hundred_thousand_attributes_is_sent_as_it_is(string form)
    {
        var html = form.Replace("{0}", string.Join(' ', Enumerable.Range(0, 100_000).Select(i => $"a{i}=\">\"")), StringComparison.Ordinal)
            + "<a href=\"https://x.example/\">x</a>";
        Assert.Equal(new RewrittenHtml(html, "sent without tracking: an element of its HTML has more than 100 attributes"),
            HtmlRewriter.Rewrite(html, Link, Pixel));
    }

    [Fact]
    public void Tags_that_seem_to_lie_in_each_other_take_no_long_look()
    {
        var html = string.Concat(Enumerable.Repeat("<a x='", 200_000));
        Assert.NotNull(HtmlRewriter.Rewrite(html, Link, Pixel).Remark);
        html = string.Concat(Enumerable.Repeat("<a x=", 200_000));
        Assert.NotNull(HtmlRewriter.Rewrite(html, Link, Pixel).Remark);
    }

    [Theory]
    [InlineData("<div>")]
    [InlineData("<b>")]
    [InlineData("<a href='https://x.example/'>")]
    [InlineData("<table><td>")]
    [InlineData("<font><p>")]
    public void A_million_elements_are_sent_as_they_are(string element)
    {
        var html = string.Concat(Enumerable.Repeat(element, 1_000_000));
        var rewritten = HtmlRewriter.Rewrite(html, Link, Pixel);
        Assert.Equal(html, rewritten.Html);
        Assert.Contains("5000 elements", rewritten.Remark, StringComparison.Ordinal);
    }

    /// <summary>Read by the parser alone, without the comparison that the rewriter makes itself.</summary>
    [Fact]
    public void Hostile_html_is_read_as_before_but_for_links_and_image()
    {
        var dice = new Dice(20_260_501);
        string[] parts =
        [
            "<a href=\"https://x.example/a\">", "<a href='https://x.example/b?c=1&copy=2'>", "<a href=https://x.example/c>", "</a>", "<p>", "</p>",
            "<b>", "</b>", "<table>", "<tr><td>", "</td>", "</table>", "<svg><a href=\"https://x.example/d\">", "</svg>", "<math><mi>", "</math>",
            "<template>", "</template>", "<select><option>", "</select>", "<!--", "-->", "<![CDATA[", "]]>", "<script>", "</script>", "<style>",
            "</style>", "<textarea>", "</textarea>", "<noscript>", "</noscript>", "&lt;a href=&quot;", "text", "\"", "'", ">", "<", "=", "/",
            "<a href=\"javascript:alert(1)\">", "<a href=\"https://x.example/\r\ny\">", "<a/href=\"https://x.example/e\"/x>", "\0", "\n", "\r", "ä😀",
            "<area href=\"https://x.example/f\">", "</body>", "</html>", "<body>", "<head>", "<form>", "</form>", "<a data-no-track href='https://x.example/g'>",
            "<button>", "<iframe srcdoc=\"<a href='https://x.example/h'>\">", "</iframe>", "<title>", "</title>", "<frameset>", "<plaintext>",
        ];
        var parser = new HtmlParser();
        var changed = 0;
        for (var round = 0; round < 4_000; round++)
        {
            var html = string.Concat(Enumerable.Range(0, 1 + dice.Next(24)).Select(_ => parts[dice.Next(parts.Length)]));
            var rewritten = HtmlRewriter.Rewrite(html, Link, dice.Next(2) == 0 ? Pixel : null);
            using var before = parser.ParseDocument(html);
            using var after = parser.ParseDocument(rewritten.Html);
            foreach (var image in after.QuerySelectorAll($"img[src='{Pixel}']"))
                image.Remove();
            WithoutLinks(before);
            WithoutLinks(after);
            Assert.Equal(before.DocumentElement.OuterHtml, after.DocumentElement.OuterHtml);
            changed += rewritten.Html == html ? 0 : 1;
        }
        Assert.InRange(changed, 1_500, 4_000);
    }

    static void WithoutLinks(IParentNode parent)
    {
        foreach (var link in parent.QuerySelectorAll("a[href],area[href]").Where(l => !l.HasAttribute(HtmlRewriter.NoTrack)))
            link.RemoveAttribute("href");
        foreach (var template in parent.QuerySelectorAll("template").OfType<IHtmlTemplateElement>())
            WithoutLinks(template.Content);
    }
}
