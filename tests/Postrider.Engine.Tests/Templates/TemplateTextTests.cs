using System.Text.Json;
using Postrider.Templates;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

public sealed class TemplateTextTests
{
    const string Data = """
        {"name":"Ann <&> Ü","n":0,"price":12.50,"items":[{"t":"a"},{"t":"b"}],"list":[1,"two"],"on":true,"off":false,"nothing":null,
         "o":{"p":"q"}}
        """;

    [Theory]
    [InlineData("plain { } text", "plain { } text")]
    [InlineData("{{name}}|{{{name}}}", "Ann <&> Ü|Ann <&> Ü")]
    [InlineData("{{o.p}} {{price}} {{n}}", "q 12.50 0")]
    [InlineData("{{#each items}}{{@index}}{{t}},{{/each}}", "0a,1b,")]
    [InlineData("{{#each list}}{{this}};{{/each}}", "1;two;")]
    [InlineData("{{#if on}}yes{{else}}no{{/if}}{{#unless off}}!{{/unless}}", "yes!")]
    [InlineData("{{#if nothing}}yes{{else}}no{{/if}}", "no")]
    [InlineData("{{#if n}}yes{{else}}no{{/if}}", "no")]
    [InlineData("{{! a remark }}x", "x")]
    public void Data_is_filled_in(string template, string expected) => Assert.Equal(expected, Fill(template));

    [Fact]
    public void Html_is_escaped_unless_in_three_braces() =>
        Assert.Equal("Ann &lt;&amp;&gt; Ü|Ann <&> Ü", TemplateText.Fill("{{name}}|{{{name}}}", JsonElement.Parse(Data), true, 1_000, out _));

    [Theory]
    [InlineData("{{missing}}", "Attribute 'missing' is not present")]
    [InlineData("{{#if on}}", "broken")]
    [InlineData("{{#if on}}{{/each}}", "broken")]
    [InlineData("{{name", "broken")]
    [InlineData("{{> nowhere}}", "broken")]
    [InlineData("{{name.Length.GetType}}", "")]
    [InlineData("{{#each items}}{{#each ../items}}{{#each ../../items}}xxxxxxxxxxxxxxxxxxxx{{/each}}{{/each}}{{/each}}", "than 100 char")]
    [InlineData("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "")]
    public void What_cannot_be_filled_in_says_why(string template, string words)
    {
        Assert.Null(TemplateText.Fill(template, JsonElement.Parse(Data), false, 100, out var fault));
        Assert.Contains(words, fault, StringComparison.Ordinal);
        Assert.NotEqual("", fault);
    }

    [Theory]
    [InlineData("{{#if on}}", "{{/if}}")]
    [InlineData("{{#each list}}", "{{/each}}")]
    [InlineData("{{#if on}}{{else if off}}", "{{/if}}")]
    [InlineData("{{^off}}", "{{/off}}")]
    [InlineData("{{lookup (lookup ", "")]
    [InlineData("{{#*inline \"p\"}}", "{{/inline}}")]
    public void What_is_nested_deeply_neither_fills_the_stack_nor_takes_long(string open, string close)
    {
        foreach (var depth in (int[])[100, 10_000])
        {
            var template = string.Concat(Enumerable.Repeat(open, depth)) + string.Concat(Enumerable.Repeat(close, depth));
            var thread = new Thread(() => TemplateText.Fill(template, JsonElement.Parse(Data), false, 100, out _),
                maxStackSize: 512 * 1024);
            thread.Start();
            Assert.True(thread.Join(TimeSpan.FromSeconds(20)));
        }
    }

    static string? Fill(string template) => TemplateText.Fill(template, JsonElement.Parse(Data), false, 1_000, out _);
}
