using Postrider.Templates;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

public sealed class TextFromHtmlTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("<p>One\n  two</p><p>Three</p>", "One two\n\nThree")]
    [InlineData("<div>a</div><div>b<br>c</div>", "a\nb\nc")]
    [InlineData("<h1>Hi</h1>there <b>you</b>!", "Hi\n\nthere you!")]
    [InlineData("<ul><li>a</li><li>b</li></ul>", "- a\n- b")]
    [InlineData("<table><tr><td>Tea</td><td>2</td></tr><tr><td>Sum</td><td>5</td></tr></table>", "Tea 2\nSum 5")]
    [InlineData("See <a href='https://example.com/x'>this</a>.", "See this (https://example.com/x).")]
    [InlineData("<a href='https://example.com'>https://example.com</a> <a href='mailto:a@b.c'>a@b.c</a> <a href='#top'>up</a>",
        "https://example.com a@b.c up")]
    [InlineData("<a href='https://example.com'><img src=x alt='Logo'></a>", "Logo (https://example.com)")]
    [InlineData("<head><title>t</title><style>p{}</style></head><script>x</script><div style='display: none'>h</div>a&amp;b&nbsp;c",
        "a&b c")]
    [InlineData("a<hr>b", "a\n---\nb")]
    public void Text_is_made_of_it(string html, string expected) => Assert.Equal(expected, TextFromHtml.Of(html));

    [Theory]
    [InlineData("<div>", 4_000)]
    [InlineData("<div>", 2_000_000)]
    [InlineData("<b><p>", 100_000)]
    public void Deep_nesting_neither_fills_the_stack_nor_takes_long(string tag, int count)
    {
        var html = string.Concat(Enumerable.Repeat(tag, count)) + "x";
        var thread = new Thread(() => TextFromHtml.Of(html), maxStackSize: 1024 * 1024);
        thread.Start();
        Assert.True(thread.Join(TimeSpan.FromSeconds(30)));
    }
}
