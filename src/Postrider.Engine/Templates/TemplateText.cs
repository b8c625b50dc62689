using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using HandlebarsDotNet;
using HandlebarsDotNet.Compiler;

namespace Postrider.Templates;

/// <summary>Fills Handlebars templates in with data.</summary>
/// <remarks>
/// Templates are a stranger's program and run here: data holds texts, numbers, lists and objects only, so there is nothing of ours that
/// one could reach; the output is limited, and so is what can be nested, because the compiler of the library is recursive. What the data
/// lacks is a fault: half a sentence must not be sent.
/// </remarks>
public static class TemplateText
{
    /// <summary>Blocks, sub-expressions and partials of one text together: so many, nested, compile on a stack of 512 KB.</summary>
    const int MaxBlocks = 200;

    /// <summary>Compiled texts that are kept; beyond it they are compiled afresh.</summary>
    const int MaxKept = 200;

    static readonly IHandlebars Escaping = Make(noEscape: false);
    static readonly IHandlebars Plain = Make(noEscape: true);
    static readonly ConcurrentDictionary<(string Source, bool IsHtml), HandlebarsTemplate<TextWriter, object, object>> Compiled = new();

    /// <summary>The text with the data in it; null when it cannot be filled in, then <paramref name="fault"/> says why.</summary>
    /// <param name="data">An object; undefined is an empty one.</param>
    /// <param name="isHtml">Values are escaped, unless in three braces.</param>
    /// <param name="maxLength">In characters.</param>
    public static string? Fill(string source, JsonElement data, bool isHtml, int maxLength, out string fault)
    {
        fault = "";
        if (!source.Contains("{{", StringComparison.Ordinal))
            return source;
        if (CountBlocks(source) > MaxBlocks)
        {
            fault = $"The template has more than {MaxBlocks} blocks, sub-expressions and partials.";
            return null;
        }
        try
        {
            using var writer = new LimitedWriter(maxLength);
            Compile(source, isHtml)(writer, ValueOf(data) ?? new Dictionary<string, object?>());
            return writer.ToString();
        }
        catch (HandlebarsUndefinedBindingException missing)
        {
            fault = $"Attribute '{missing.MissingKey}' is not present in the rendering data.";
        }
        catch (HandlebarsException wrong)
        {
            fault = wrong.InnerException is OutputTooLongException
                ? TooLong(maxLength)
                : $"The template is broken: {FirstLine(wrong.Message)}";
        }
        catch (OutputTooLongException)
        {
            fault = TooLong(maxLength);
        }
        return null;
    }

    static HandlebarsTemplate<TextWriter, object, object> Compile(string source, bool isHtml)
    {
        if (Compiled.TryGetValue((source, isHtml), out var known))
            return known;
        using var reader = new StringReader(source);
        var compiled = (isHtml ? Escaping : Plain).Compile(reader);
        if (Compiled.Count < MaxKept)
            Compiled[(source, isHtml)] = compiled;
        return compiled;
    }

    static IHandlebars Make(bool noEscape) => Handlebars.Create(new HandlebarsConfiguration
    {
        NoEscape = noEscape,
        ThrowOnUnresolvedBindingExpression = true,
        FormatProvider = CultureInfo.InvariantCulture,
        PartialRecursionDepthLimit = 10,
    });

    /// <summary>Between the braces only: elsewhere these characters are the text's own.</summary>
    static int CountBlocks(string source)
    {
        var count = 0;
        for (var at = source.IndexOf("{{", StringComparison.Ordinal); at >= 0; at = source.IndexOf("{{", at, StringComparison.Ordinal))
        {
            var end = source.IndexOf("}}", at, StringComparison.Ordinal);
            var tag = source.AsSpan(at + 2, (end < 0 ? source.Length : end) - at - 2);
            count += tag.Count('#') + tag.Count('^') + tag.Count('(') + tag.Count('>') + tag.Count("else");
            at += 2;
        }
        return count;
    }

    static object? ValueOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().GroupBy(member => member.Name)
            .ToDictionary(group => group.Key, group => ValueOf(group.Last().Value)),
        JsonValueKind.Array => element.EnumerateArray().Select(ValueOf).ToList(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.TryGetDecimal(out var number) ? number : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null or JsonValueKind.Undefined => null,
        _ => throw new ArgumentOutOfRangeException(nameof(element)),
    };

    static string TooLong(int maxLength) =>
        string.Create(CultureInfo.InvariantCulture, $"Filled in, the template has more than {maxLength} characters.");

    static string FirstLine(string text) => text.Split('\n')[0].TrimEnd();

    /// <summary>Ends a filling-in that would not end.</summary>
    sealed class OutputTooLongException : Exception;

    /// <summary>Throws when there would be more than so many characters.</summary>
    sealed class LimitedWriter(int maxLength) : StringWriter(new StringBuilder(), CultureInfo.InvariantCulture)
    {
        public override void Write(char value)
        {
            Check(1);
            base.Write(value);
        }

        public override void Write(char[] buffer, int index, int count)
        {
            Check(count);
            base.Write(buffer, index, count);
        }

        public override void Write(ReadOnlySpan<char> buffer)
        {
            Check(buffer.Length);
            base.Write(buffer);
        }

        public override void Write(string? value)
        {
            Check(value?.Length ?? 0);
            base.Write(value);
        }

        void Check(int more)
        {
            if (GetStringBuilder().Length + more > maxLength)
                throw new OutputTooLongException();
        }
    }
}
