using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Postrider.Templates;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Templates;

/// <summary>Made-up templates, filled in by us and by npm's handlebars, which SendGrid runs.</summary>
/// <remarks>Without names for blocks (<c>as |item|</c>): inside such a block theirs forgets the rounds of another each.</remarks>
public sealed class TemplatePeerTests
{
    const string Data = """
        {"name":"Ann <&> \"Ü\" '`=","n":0,"m":12.5,"items":[{"t":"a","sub":[1,2]},{"t":"b","sub":[]},{"sub":[3]}],
         "list":["one",2,true,""],"on":true,"off":false,"nothing":null,"o":{"p":"q","r":{"s":"t"}},"none":[],"empty":"","a b":"spaced"}
        """;

    [Fact]
    public void Made_up_templates_come_to_the_same()
    {
        var node = Requires.Program("node");
        Peers.Install();
        var templates = Enumerable.Range(0, 3_000).Select(seed => (Source: Make(new Dice((ulong)seed)), IsHtml: seed % 2 == 0)).ToList();
        var theirs = Fill(node, templates);
        var tree = TemplateData.Of(JsonElement.Parse(Data));
        var filled = 0;
        var differences = new List<string>();
        for (var i = 0; i < templates.Count; i++)
        {
            var (source, isHtml) = templates[i];
            var rules = new FillRules { IsHtml = isHtml, MaxLength = 1_000_000 };
            var ours = ParsedTemplate.Parse(source, allowRaw: true, out var fault)?.Fill(tree, rules, out fault);
            if (theirs[i] != ours)
                differences.Add($"{source}\n--- theirs\n{Shown(theirs[i], ours)}\n--- ours\n{Shown(ours, theirs[i])}\n--- {fault}");
            filled += ours is null ? 0 : 1;
        }
        Assert.True(differences.Count == 0, $"{differences.Count} differ:\n{differences.MinBy(text => text.Length)}");
        Assert.InRange(filled, templates.Count * 9 / 10, templates.Count);
    }

    static List<string?> Fill(string node, List<(string Source, bool IsHtml)> templates)
    {
        var file = Path.GetTempFileName();
        try
        {
            var cases = templates.Select(one => (JsonNode)new JsonObject { ["source"] = one.Source, ["html"] = one.IsHtml });
            File.WriteAllText(file,
                new JsonObject { ["data"] = JsonNode.Parse(Data), ["templates"] = new JsonArray([.. cases]) }.ToJsonString());
            var (code, output, error) = Peers.Run(node, "fill-templates.mjs", file);
            Assert.True(code == 0, error);
            return [.. JsonNode.Parse(output)!.AsArray().Select(text => (string?)text)];
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>From a little before where the two part.</summary>
    static string Shown(string? text, string? other) =>
        text is null ? "(refused)" : $"…{text[Math.Max(0, text.AsSpan().CommonPrefixLength(other) - 10)..]}";

    static string Make(Dice dice)
    {
        var text = new StringBuilder();
        // A chain of else-branches over several lines is trimmed in theirs by no rule.
        var hasLines = dice.OneIn(2);
        Write(dice, text, hasLines, depth: 0);
        return text.ToString();
    }

    static void Write(Dice dice, StringBuilder text, bool hasLines, int depth)
    {
        for (var parts = 1 + dice.Next(4); parts > 0; parts--)
        {
            text.Append(hasLines
                ? dice.Pick("", " ", "\n", "  \n", "\r\n", "x", "a\n  ", "ü\t")
                : dice.Pick("", " ", "<b title=\"y\">", " { } "));
            var kind = dice.Next(depth > 2 ? 4 : 9);
            switch (kind)
            {
                case 0: Tag(dice, text, $"lookup {Part(dice)} {dice.Pick("'p'", "\"t\"", "0", "n")}"); break;
                case 1: text.Append("{{{").Append(Name(dice)).Append("}}}"); break;
                case 2: Tag(dice, text, dice.Pick("! note ", "!-- a }} b --", $"&{Name(dice)}")); break;
                case 3: Tag(dice, text, Name(dice)); break;
                case 4 or 5: Block(dice, text, hasLines, depth, dice.Pick("if", "unless"), Value(dice)); break;
                case 6: Block(dice, text, hasLines, depth, "each", dice.Pick("items", "list", "o", "none", "sub", "../list", "x")); break;
                case 7: Block(dice, text, hasLines, depth, "with", dice.Pick("o", "o.r", "nothing", "this", "items.[1]")); break;
                default: Block(dice, text, hasLines, depth, dice.Pick("o", "list", "on", "off", "nothing", "none", "name", "n"), ""); break;
            }
        }
        text.Append(hasLines ? dice.Pick("", "\n", " ", ".") : ".");
    }

    static void Block(Dice dice, StringBuilder text, bool hasLines, int depth, string name, string argument)
    {
        var isInverse = argument.Length == 0 && dice.OneIn(4);
        Tag(dice, text, $"{(isInverse ? '^' : '#')}{name} {argument}".TrimEnd());
        Write(dice, text, hasLines, depth + 1);
        if (dice.OneIn(3) && !isInverse && !hasLines)
        {
            Tag(dice, text, $"else if {Value(dice)}");
            Write(dice, text, hasLines, depth + 1);
        }
        if (dice.OneIn(2) && !isInverse)
        {
            Tag(dice, text, dice.Pick("else", "^"));
            Write(dice, text, hasLines, depth + 1);
        }
        Tag(dice, text, $"/{name}");
    }

    /// <summary>White-space control at values only: at blocks it has corners in theirs that follow no rule.</summary>
    static void Tag(Dice dice, StringBuilder text, string inner)
    {
        var trims = inner[0] is not ('#' or '^' or '/' or '!') && !inner.StartsWith("else", StringComparison.Ordinal);
        text.Append("{{").Append(trims && dice.OneIn(12) ? "~" : "").Append(inner).Append(trims && dice.OneIn(12) ? "~" : "").Append("}}");
    }

    static string Value(Dice dice) => dice.Next(5) switch
    {
        0 => $"(lookup {Part(dice)} {dice.Pick("'p'", "\"t\"", "0", "n", "'length'")})",
        1 => dice.Pick("m", "o.p", "it", "key", "it.t"),
        _ => Name(dice),
    };

    static string Part(Dice dice) => dice.Pick("o", "items", "list", "(lookup items 0)", "(lookup o 'r')", "this");

    static string Name(Dice dice) => dice.Pick(
        "name", "n", "m", "on", "off", "nothing", "missing", "empty", "o.p", "o.r.s", "o/p", "o.missing.x", "list.[1]",
        "list.length", "[a b]", "this.t", "./t", "t", "../t", "../../name", "@index", "@key", "@first", "@last", "@root.name",
        "@../index", "it", "it.t",
        "key", "name.length", "items.[0].t");
}
