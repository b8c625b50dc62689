namespace Postrider.Templates;

/// <summary>What a tag of a template is, by the signs after its braces.</summary>
enum TagKind : byte { Text, Value, Raw, Open, Inverse, Close, Else, Comment, Partial, PartialBlock, InlinePartial }

/// <summary>A piece of a template's source: text, or what stands between braces.</summary>
/// <param name="At">Where it begins in the source.</param>
/// <param name="Start">Of the inner part, or of the text that is left after trimming.</param>
readonly record struct TemplateTag(TagKind Kind, int At, int Start, int End);

/// <summary>Cuts a template into text and tags, and trims text as Handlebars does: at <c>~</c>, and where a tag of a block stands on a line
/// of its own.</summary>
static class TemplateTags
{
    /// <summary>A tag as it was cut out, and on which sides white space goes.</summary>
    readonly record struct Cut(TemplateTag Tag, int End, bool TrimBefore, bool TrimAfter);

    /// <exception cref="TemplateException">A tag has no end.</exception>
    public static List<TemplateTag> Read(string source)
    {
        var tags = new List<TemplateTag>();
        var textFrom = 0;    // where text begins that was not yet put down
        var trimStart = false;
        for (var at = source.IndexOf("{{", StringComparison.Ordinal); at >= 0; at = Next(source, at))
        {
            if (at > 0 && source[at - 1] == '\\')
            {
                // \{{ is text; \\{{ is a backslash before a tag.
                var isTag = at > 1 && source[at - 2] == '\\';
                AddText(tags, source, textFrom, at - 1, trimStart, trimEnd: false);
                (textFrom, trimStart) = (at, false);
                if (!isTag)
                {
                    at += 1;
                    continue;
                }
            }
            var cut = ReadTag(source, at);
            var standsAlone = StandsAlone(source, cut);
            var textEnd = standsAlone ? TrimLineEnd(source, textFrom, at) : at;
            AddText(tags, source, textFrom, textEnd, trimStart, cut.TrimBefore);
            tags.Add(cut.Tag);
            (textFrom, trimStart) = (standsAlone ? AfterLine(source, cut.End) : cut.End, cut.TrimAfter);
            at = cut.End - 1;
        }
        AddText(tags, source, textFrom, source.Length, trimStart, trimEnd: false);
        return tags;
    }

    static int Next(string source, int at) => at + 1 >= source.Length ? -1 : source.IndexOf("{{", at + 1, StringComparison.Ordinal);

    static void AddText(List<TemplateTag> tags, string source, int start, int end, bool trimStart, bool trimEnd)
    {
        var at = start;
        while (trimStart && start < end && char.IsWhiteSpace(source[start]))
            start++;
        while (trimEnd && end > start && char.IsWhiteSpace(source[end - 1]))
            end--;
        if (end > start)
            tags.Add(new TemplateTag(TagKind.Text, at, start, end));
    }

    static Cut ReadTag(string source, int at)
    {
        var inner = at + 2;
        if (StartsWith(source, at, "{{{{"))
            throw new TemplateException(TemplateFaultKind.Syntax, at, "Raw blocks ({{{{…}}}}) are not supported.");
        var trimBefore = inner < source.Length && source[inner] == '~';
        if (trimBefore)
            inner++;
        if (StartsWith(source, inner, "!"))
            return Comment(source, at, inner, trimBefore);
        if (StartsWith(source, inner, "{"))
            return Braced(source, at, inner + 1, TagKind.Raw, "}", trimBefore);
        var kind = inner < source.Length ? source[inner] : '\0';
        return kind switch
        {
            '#' when StartsWith(source, inner, "#*inline") => Braced(source, at, inner + 8, TagKind.InlinePartial, "", trimBefore),
            '#' when StartsWith(source, inner, "#*") =>
                throw new TemplateException(TemplateFaultKind.Syntax, at, "Decorators are not supported."),
            '#' when StartsWith(source, inner, "#>") => Braced(source, at, inner + 2, TagKind.PartialBlock, "", trimBefore),
            '#' => Braced(source, at, inner + 1, TagKind.Open, "", trimBefore),
            '/' => Braced(source, at, inner + 1, TagKind.Close, "", trimBefore),
            '>' => Braced(source, at, inner + 1, TagKind.Partial, "", trimBefore),
            '&' => Braced(source, at, inner + 1, TagKind.Raw, "", trimBefore),
            '*' => throw new TemplateException(TemplateFaultKind.Syntax, at, "Decorators are not supported."),
            '^' => Inverse(source, at, inner + 1, trimBefore),
            _ when IsElse(source, inner) =>
                Braced(source, at, source.IndexOf("else", inner, StringComparison.Ordinal) + 4, TagKind.Else, "", trimBefore),
            _ => Braced(source, at, inner, TagKind.Value, "", trimBefore),
        };
    }

    /// <summary><c>{{^name}}</c> opens a block, <c>{{^}}</c> is else.</summary>
    static Cut Inverse(string source, int at, int inner, bool trimBefore)
    {
        var cut = Braced(source, at, inner, TagKind.Inverse, "", trimBefore);
        var isElse = source.AsSpan(cut.Tag.Start, cut.Tag.End - cut.Tag.Start).IsWhiteSpace();
        return isElse ? cut with { Tag = cut.Tag with { Kind = TagKind.Else } } : cut;
    }

    static bool IsElse(string source, int inner)
    {
        while (inner < source.Length && char.IsWhiteSpace(source[inner]))
            inner++;
        return StartsWith(source, inner, "else") && inner + 4 < source.Length
            && (char.IsWhiteSpace(source[inner + 4]) || source[inner + 4] is '}' or '~');
    }

    static Cut Comment(string source, int at, int inner, bool trimBefore)
    {
        var isLong = StartsWith(source, inner, "!--");
        for (var end = inner; (end = source.IndexOf("}}", end, StringComparison.Ordinal)) >= 0; end++)
        {
            var trimAfter = source[end - 1] == '~';
            if (!isLong || source.AsSpan(inner + 3, end - (trimAfter ? 1 : 0) - Math.Min(inner + 3, end)).EndsWith("--"))
                return new Cut(new TemplateTag(TagKind.Comment, at, inner, end), end + 2, trimBefore, trimAfter);
        }
        throw Endless(at);
    }

    /// <param name="closing">What must stand before the two braces.</param>
    static Cut Braced(string source, int at, int inner, TagKind kind, string closing, bool trimBefore)
    {
        for (var i = inner; i < source.Length; i++)
        {
            var c = source[i];
            if (c is '"' or '\'' or '[')
            {
                i = source.IndexOf(c == '[' ? ']' : c, i + 1);
                if (i < 0)
                    break;
            }
            else if (c == '{')
                throw new TemplateException(TemplateFaultKind.Syntax, i, "There is a brace inside a tag.");
            else if (c is '}' or '~')
            {
                var end = i;
                if (closing.Length > 0 && !StartsWith(source, i, closing))
                    break;
                i += closing.Length;
                var trimAfter = i < source.Length && source[i] == '~';
                if (trimAfter)
                    i++;
                if (!StartsWith(source, i, "}}"))
                    break;
                return new Cut(new TemplateTag(kind, at, inner, end), i + 2, trimBefore, trimAfter);
            }
        }
        throw Endless(at);
    }

    static TemplateException Endless(int at) => new(TemplateFaultKind.Syntax, at, "The tag is not closed.");

    static bool StandsAlone(string source, Cut cut)
    {
        if (cut.Tag.Kind is TagKind.Value or TagKind.Raw)
            return false;
        for (var i = cut.Tag.At - 1; i >= 0 && source[i] != '\n'; i--)
            if (source[i] is not (' ' or '\t'))
                return false;
        for (var i = cut.End; i < source.Length && source[i] != '\n'; i++)
            if (source[i] is not (' ' or '\t' or '\r'))
                return false;
        return true;
    }

    static int TrimLineEnd(string source, int from, int end)
    {
        while (end > from && source[end - 1] is ' ' or '\t')
            end--;
        return end;
    }

    static int AfterLine(string source, int at)
    {
        var end = source.IndexOf('\n', at);
        return end < 0 ? source.Length : end + 1;
    }

    static bool StartsWith(string source, int at, string text) =>
        at < source.Length && string.CompareOrdinal(source, at, text, 0, text.Length) == 0;
}
