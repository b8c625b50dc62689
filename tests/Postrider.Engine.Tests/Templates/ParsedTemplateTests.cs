using System.Text.Json;
using Postrider.Templates;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

public sealed class ParsedTemplateTests
{
    const string Data = """
        {"name":"Ann <&> Ü","n":0,"price":12.50,"items":[{"t":"a"},{"t":"b"}],"list":[1,"two"],"on":true,"off":false,"nothing":null,
         "o":{"p":"q","r":{"s":"t"}},"empty":[],"when":"2026-03-01T21:05:09Z","constructor2":"c","a b":"spaced","five":"5","Name":"Big"}
        """;

    [Theory]
    [InlineData("plain { } text", "plain { } text")]
    [InlineData("{{name}}|{{{name}}}|{{& name}}", "Ann <&> Ü|Ann <&> Ü|Ann <&> Ü")]
    [InlineData("{{o.p}} {{o/p}} {{ o.r.s }} {{price}} {{n}} {{on}} {{Name}}", "q q t 12.50 0 true Big")]
    [InlineData("{{[a b]}} {{o.[p]}} {{list.[1]}} {{list.1}} {{list.length}} {{list}}", "spaced q two two 2 1,two")]
    [InlineData("{{#each items}}{{@index}}{{t}}{{#unless @last}},{{/unless}}{{/each}}", "0a,1b")]
    [InlineData("{{#each o}}{{@key}}={{this}};{{/each}}", "p=q;r=[object Object];")]
    [InlineData("{{#each list}}{{this}};{{/each}}{{#each empty}}x{{else}}none{{/each}}", "1;two;none")]
    [InlineData("{{#each items as |item i|}}{{i}}{{item.t}}{{../o.p}}{{@root.five}} {{/each}}", "0aq5 1bq5 ")]
    [InlineData("{{#each items}}{{#each ../list}}{{@index}}{{../t}}{{../../five}} {{/each}}{{/each}}", "0a5 1a5 0b5 1b5 ")]
    [InlineData("{{#if on}}yes{{else}}no{{/if}}{{#unless off}}!{{/unless}}", "yes!")]
    [InlineData("{{#if off}}1{{else if n}}2{{else if on}}3{{else}}4{{/if}}", "3")]
    [InlineData("{{#if nothing}}yes{{else}}no{{/if}}{{#if missing}}yes{{^}}no{{/if}}{{#if n}}yes{{else}}no{{/if}}", "nonono")]
    [InlineData("{{#if n includeZero=true}}yes{{/if}}{{#if empty}}yes{{else}}no{{/if}}", "yesno")]
    [InlineData("{{#with o.r}}{{s}}{{../name}}{{/with}}{{#with missing}}x{{else}}y{{/with}}", "tAnn <&> Üy")]
    [InlineData("{{#with o as |it|}}{{it.p}}{{/with}}", "q")]
    [InlineData("{{#o}}{{p}}{{/o}}{{#items}}{{t}}{{/items}}{{^empty}}e{{/empty}}{{#on}}{{five}}{{/on}}", "qabe5")]
    [InlineData("{{! a remark }}x{{!-- with }} in it --}}y{{!---}}--}}z", "xyz")]
    [InlineData("a {{~name~}} b", "aAnn <&> Üb")]
    [InlineData("a\n  {{#if on}}\n  b\n  {{/if}}\nc", "a\n  b\nc")]
    [InlineData("a\r\n{{#each list}}\r\n{{this}}\r\n{{/each}}\r\nc", "a\r\n1\r\ntwo\r\nc")]
    [InlineData("\\{{name}} \\\\{{five}} {{\"quoted }} text\"}}", "{{name}} \\5 quoted }} text")]
    [InlineData("{{lookup o \"p\"}} {{lookup list n}} {{lookup (lookup o \"r\") 's'}}", "q 1 t")]
    [InlineData("{{#*inline \"p\"}}<{{t}}{{x}}>{{/inline}}{{#each items}}{{> p x=@index}}{{/each}}{{> p o x=five}}", "<a0><b1><5>")]
    [InlineData("{{#equals five 5}}=={{else}}!={{/equals}}{{#notEquals name \"x\"}}!={{/notEquals}}", "==!=")]
    [InlineData("{{#greaterThan five 10}}>{{else}}<={{/greaterThan}}{{#lessThan price 12.51}}<{{/lessThan}}", "<=<")]
    [InlineData("{{#greaterThan (length items) 1}}many{{/greaterThan}}{{#and on five}}a{{/and}}{{#or off n}}o{{else}}x{{/or}}", "manyax")]
    [InlineData("{{#if (equals o.p 'q')}}sub{{/if}}{{#equals missing other}}both{{/equals}}", "subboth")]
    [InlineData("{{#equals five 4}}4{{else equals five 5}}5{{else}}?{{/equals}}", "5")]
    [InlineData("{{insert name \"default=You\"}} {{insert nothing \"default=You\"}}", "Ann <&> Ü You")]
    [InlineData("{{insert missing 'default=a \"b\"'}}{{insert missing}}", "a \"b\"")]
    [InlineData("{{formatDate when 'MMMM DD, YYYY h:mm:ss A'}}", "March 01, 2026 9:05:09 PM")]
    [InlineData("{{formatDate when 'YYYY-MM-DD[T]HH:mm Z' '-0800'}}", "2026-03-01T13:05 -08:00")]
    [InlineData("{{formatDate 0 'dddd D MMM YY'}}{{formatDate 99999999999999999 'YYYY'}}", "Thursday 1 Jan 70")]
    public void Data_is_filled_in(string template, string expected) => Assert.Equal(expected, Fill(template));

    [Theory]
    [InlineData("{{missing}}|{{o.p.x.y}}|{{nothing}}|{{list.7}}|{{@nowhere}}|{{../name}}", "|||||")]
    [InlineData("{{constructor}}{{__proto__}}{{this.GetType}}{{name.Length}}{{list.Count}}{{o.Keys}}{{toString}}{{@root.GetHashCode}}", "")]
    [InlineData("{{o.constructor}}{{lookup o 'constructor'}}{{lookup this '__proto__'}}{{name.GetType.Assembly}}", "")]
    public void What_is_not_data_is_empty(string template, string expected) => Assert.Equal(expected, Fill(template));

    [Theory]
    [InlineData("Dear {{missing}}", "Attribute 'missing' is not present", 6)]
    [InlineData("Dear {{o.missing}}", "Attribute 'o.missing' is not present", 6)]
    [InlineData("{{nothing}}", "Attribute 'nothing' is not present", 1)]
    [InlineData("{{formatDate name 'YYYY'}}", "not present", 1)]
    public void When_strict_nothing_is_printed_that_is_missing(string template, string words, int column)
    {
        Assert.Null(Parse(template).Fill(Tree, Rules with { IsStrict = true }, out var fault));
        Assert.Equal((TemplateFaultKind.Data, column), (fault!.Kind, fault.Column));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void When_strict_a_missing_value_may_still_be_asked_for() =>
        Assert.Equal("no none x",
            Parse("{{#if missing}}yes{{else}}no{{/if}} {{#each missing}}{{else}}none{{/each}} {{insert missing 'default=x'}}")
                .Fill(Tree, Rules with { IsStrict = true }, out _));

    [Theory]
    [InlineData("{{name}}|{{{name}}}", "Ann &lt;&amp;&gt; Ü|Ann <&> Ü")]
    [InlineData("<a title={{q}}>", "<a title=x&quot; y&#x3D;&#x27;&#x60;z>")]
    [InlineData("<a href=\"{{js}}\">", "<a href=\"unsafe:javascript:alert(1)\">")]
    [InlineData("<a class='x' HREF = '{{spaced}}'>", "<a class='x' HREF = 'unsafe: java\tscript:alert(1)'>")]
    [InlineData("<a href={{a}}{{b}}>", "<a href=unsafe:javascript:x>")]
    [InlineData("<img src=\"{{vb}}\"><img src=\"{{png}}\">", "<img src=\"unsafe:vbscript:x\"><img src=\"data:image/png;base64,AA\">")]
    [InlineData("<a href=\"https://x.example/?q={{js}}\">{{js}}</a>",
        "<a href=\"https://x.example/?q=javascript:alert(1)\">javascript:alert(1)</a>")]
    [InlineData("<a title=\"{{js}}\" href=\"x\">{{js}}", "<a title=\"javascript:alert(1)\" href=\"x\">javascript:alert(1)")]
    public void A_value_in_html_stays_where_it_was_put(string template, string expected)
    {
        const string data = """
            {"name":"Ann <&> Ü","q":"x\" y='`z","js":"javascript:alert(1)","spaced":" java\tscript:alert(1)","a":"java","b":"script:x",
             "vb":"vbscript:x","png":"data:image/png;base64,AA"}
            """;
        Assert.Equal(expected, Parse(template).Fill(TemplateData.Of(JsonElement.Parse(data)), Rules with { IsHtml = true }, out _));
    }

    [Theory]
    [InlineData("a\n{{#if on}}\nb", 2, 1, "{{#if on}} is not closed")]
    [InlineData("{{#if on}}\n  {{/each}}", 2, 3, "{{/each}} closes nothing: {{#if on}} is open")]
    [InlineData("x{{/if}}", 1, 2, "belongs to no open block")]
    [InlineData("x{{else}}", 1, 2, "belongs to no open block")]
    [InlineData("{{#if on}}{{else}}{{else}}{{/if}}", 1, 19, "else already")]
    [InlineData("ab {{name", 1, 4, "not closed")]
    [InlineData("{{name}", 1, 1, "not closed")]
    [InlineData("{{{name}}", 1, 1, "not closed")]
    [InlineData("{{name {{x}}", 1, 8, "brace")]
    [InlineData("\n\n {{shout name}}", 3, 4, "no helper 'shout'")]
    [InlineData("{{#shout name}}{{/shout}}", 1, 4, "no helper 'shout'")]
    [InlineData("{{#if (shout name)}}{{/if}}", 1, 7, "no helper 'shout'")]
    [InlineData("{{log name}}", 1, 3, "no helper 'log'")]
    [InlineData("{{#if}}{{/if}}", 1, 4, "takes 1 arguments, not 0")]
    [InlineData("{{#equals a}}{{/equals}}", 1, 4, "takes 2 arguments, not 1")]
    [InlineData("{{if name}}", 1, 3, "needs a block")]
    [InlineData("{{#insert name}}{{/insert}}", 1, 4, "has no block")]
    [InlineData("{{> nowhere}}", 1, 1, "no partial 'nowhere'")]
    [InlineData("{{> other}}{{#*inline 'x'}}{{/inline}}", 1, 1, "no partial 'other'")]
    [InlineData("{{#> layout}}{{/other}}", 1, 14, "closes nothing")]
    [InlineData("{{#> layout}}", 1, 1, "not closed")]
    [InlineData("{{#> layout}}{{else}}{{/layout}}", 1, 14, "closes nothing")]
    [InlineData("{{#*inline '@partial-block'}}{{/inline}}", 1, 1, "own name")]
    [InlineData("{{{{raw}}}}", 1, 1, "not supported")]
    [InlineData("{{name.}}", 1, 8, "missing after the dot")]
    [InlineData("{{lookup o \"p}}", 1, 1, "not closed")]
    [InlineData("{{#if (equals 1 2}}{{/if}}", 1, 7, "parenthesis")]
    [InlineData("{{5 name}}", 1, 3, "Only a helper")]
    [InlineData("{{}}", 1, 3, "missing here")]
    public void What_cannot_be_read_says_why_and_where(string template, int line, int column, string words)
    {
        Assert.Null(ParsedTemplate.Parse(template, allowRaw: true, out var fault));
        Assert.Equal((TemplateFaultKind.Syntax, line, column), (fault!.Kind, fault.Line, fault.Column));
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{#> nowhere}}default{{/nowhere}}", "default")]
    [InlineData("{{#*inline 'l'}}<{{> @partial-block}}>{{/inline}}{{#> l}}in{{/l}}", "<in>")]
    [InlineData("{{#*inline 'l'}}<{{> @partial-block}}>{{/inline}}{{> l}}", "<>")]
    [InlineData("{{#*inline 'l'}}<{{> @partial-block}}>{{/inline}}{{#> l}}{{#> l}}in{{/l}}{{/l}}", "<<in>>")]
    [InlineData("{{#*inline 'l'}}<{{> @partial-block}}{{> title}}>{{/inline}}{{#> l}}{{#*inline 'title'}}T{{/inline}}in{{/l}}", "<inT>")]
    [InlineData("{{#*inline 'l'}}{{#> slot}}none{{/slot}}{{/inline}}{{> l}}{{#*inline 'slot'}}own{{/inline}}", "own")]
    public void A_partial_shows_the_block_that_it_is_called_with(string template, string expected) =>
        Assert.Equal(expected, Fill(template));

    [Theory]
    [InlineData("x {{{name}}}")]
    [InlineData("x {{& name}}")]
    public void Three_braces_are_for_templates_that_may(string template)
    {
        Assert.Null(ParsedTemplate.Parse(template, allowRaw: false, out var fault));
        Assert.Equal((1, 3), (fault!.Line, fault.Column));
    }

    [Theory]
    [InlineData("{{#each m}}{{#each @root.m}}{{#each @root.m}}{{#each @root.m}}{{/each}}{{/each}}{{/each}}{{/each}}", "steps")]
    [InlineData("{{#each m}}{{#each @root.m}}{{#equals @root.m @root.m}}{{/equals}}{{/each}}{{/each}}", "steps")]
    [InlineData("{{#each m}}{{#each ../m}}{{#each ../../m}}xxxxxxxxxxxxxxxxxxxx{{/each}}{{/each}}{{/each}}", "characters")]
    [InlineData("{{#*inline \"p\"}}{{> p}}{{/inline}}{{> p}}", "partials")]
    [InlineData("{{#*inline \"p\"}}{{#if on}}{{> p}}{{> p}}{{/if}}{{/inline}}{{> p}}", "partials")]
    [InlineData("{{#*inline \"p\"}}{{#each @root.m}}{{> q}}{{/each}}{{/inline}}{{#*inline \"q\"}}{{#each @root.m}}"
        + "{{> r}}{{/each}}{{/inline}}{{#*inline \"r\"}}{{#each @root.m}}{{#each @root.m}}{{/each}}{{/each}}{{/inline}}{{> p}}", "steps")]
    public void What_takes_too_much_is_stopped(string template, string words)
    {
        var data = TemplateData.Of(JsonElement.Parse($$"""{"on":true,"m":[{{string.Join(',', Enumerable.Range(0, 50))}}]}"""));
        Assert.Null(Parse(template).Fill(data, Rules with { MaxLength = 10_000 }, out var fault));
        Assert.Equal(TemplateFaultKind.Limit, fault!.Kind);
        Assert.Contains(words, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_takes_too_long_is_stopped()
    {
        var clock = new SlowClock();
        var data = TemplateData.Of(JsonElement.Parse($$"""{"m":[{{string.Join(',', Enumerable.Range(0, 2_000))}}]}"""));
        var rules = Rules with { Clock = clock, MaxTime = TimeSpan.FromSeconds(1) };
        Assert.Null(Parse("{{#each m}}x{{/each}}").Fill(data, rules, out var fault));
        Assert.Contains("1000 ms", fault!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{#if on}}", "{{/if}}")]
    [InlineData("{{#each list}}", "{{/each}}")]
    [InlineData("{{#if on}}{{else if off}}", "{{/if}}")]
    [InlineData("{{^off}}", "{{/off}}")]
    [InlineData("{{lookup (lookup ", "")]
    [InlineData("{{#*inline \"p\"}}", "{{/inline}}")]
    [InlineData("{{#if on}}{{> p}}{{/if}}{{#*inline \"p\"}}", "{{/inline}}")]
    public void What_is_nested_deeply_neither_fills_the_stack_nor_takes_long(string open, string close)
    {
        foreach (var depth in (int[])[55, 100, 10_000])
        {
            var template = string.Concat(Enumerable.Repeat(open, depth)) + string.Concat(Enumerable.Repeat(close, depth));
            var thread = new Thread(() => ParsedTemplate.Parse(template, true, out _)?.Fill(Tree, Rules, out _), maxStackSize: 512 * 1024);
            thread.Start();
            Assert.True(thread.Join(TimeSpan.FromSeconds(20)));
        }
    }

    // Whatever is cut off anywhere is read or refused, and never throws.
    [Fact]
    public void Every_part_of_a_template_is_read_or_refused()
    {
        const string template = "a {{#each items as |x i|}}{{~ x.[t] ~}} {{{../o.p}}} {{! c }}{{else}}\\{{n}} "
            + "{{lookup (lookup o \"r\") 's'}}{{/each}}"
            + "{{#*inline \"p\"}}{{@root.five}}{{/inline}}{{> p this a=-1.5}}{{^off}}{{&name}}{{/off}}";
        for (var start = 0; start < template.Length; start++)
            for (var length = 0; length <= template.Length - start; length += 1 + length / 8)
                ParsedTemplate.Parse(template.Substring(start, length), true, out _)?.Fill(Tree, Rules, out _);
        Assert.NotNull(Fill(template));
    }

    static TemplateData Tree { get; } = TemplateData.Of(JsonElement.Parse(Data));
    static FillRules Rules { get; } = new() { MaxLength = 100_000 };

    static ParsedTemplate Parse(string template)
    {
        var parsed = ParsedTemplate.Parse(template, allowRaw: true, out var fault);
        Assert.True(parsed is not null, fault?.ToString());
        return parsed;
    }

    static string? Fill(string template)
    {
        var filled = Parse(template).Fill(Tree, Rules, out var fault);
        Assert.True(filled is not null, fault?.ToString());
        return filled;
    }

    /// <summary>A second passes between two looks.</summary>
    sealed class SlowClock : TimeProvider
    {
        long _now;

        public override long TimestampFrequency => 1;
        public override long GetTimestamp() => _now++;
    }
}
