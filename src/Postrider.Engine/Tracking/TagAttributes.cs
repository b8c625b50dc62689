namespace Postrider.Tracking;

/// <summary>Finds the place of an attribute's value in the text of a tag, by the rules that browsers read it by (WHATWG HTML §13.2.5.32 to
/// 38).</summary>
static class TagAttributes
{
    /// <summary>Where the attributes of the tag that begins there begin; null: there is no tag of that name.</summary>
    /// <param name="near">Within two characters of its <c>&lt;</c>: parsers count from the one or the other.</param>
    public static int? After(string html, int near, string name)
    {
        for (var at = Math.Min(near + 1, html.Length - 1); at >= Math.Max(0, near - 2); at--)
            if (html[at] == '<' && html.AsSpan(at + 1).StartsWith(name, StringComparison.OrdinalIgnoreCase)
                && at + 1 + name.Length is var end && end < html.Length && (IsSpace(html[end]) || html[end] is '/' or '>'))
                return end;
        return null;
    }

    /// <summary>The value of the first attribute of that name, as it is written, without quotes; null: it has none.</summary>
    public static Range? ValueOf(string html, int at, string name)
    {
        while (true)
        {
            while (at < html.Length && (IsSpace(html[at]) || html[at] == '/'))
                at++;
            if (at >= html.Length || html[at] == '>')
                return null;
            var nameAt = at++; // an attribute's name may begin with '='
            while (at < html.Length && !IsSpace(html[at]) && html[at] is not ('/' or '>' or '='))
                at++;
            var isIt = html.AsSpan(nameAt, at - nameAt).Equals(name, StringComparison.OrdinalIgnoreCase);
            at = SkipSpace(html, at);
            if (at >= html.Length || html[at] != '=')
            {
                if (isIt)
                    return null;
                continue;
            }
            at = SkipSpace(html, at + 1);
            var value = Value(html, at, out var after);
            if (value is null || isIt)
                return value;
            at = after;
        }
    }

    /// <summary>Whether a tag may have more attributes than so many. What merely looks like a tag, in a comment or in a value, counts as
    /// one; text in
    /// which tags seem to lie in each other without end is taken for one that has.</summary>
    public static bool MayHaveMore(string html, int most)
    {
        var effort = 8L * html.Length;
        for (var at = html.IndexOf('<'); at >= 0 && at + 2 < html.Length; at = html.IndexOf('<', at + 1))
        {
            if (!char.IsAsciiLetter(html[at + 1]) && html[at + 1] != '/')
                continue;
            var (start, count) = (at, 0);
            for (var place = at + 1; TryPass(html, ref place); effort -= place - start, start = place)
                if (++count > most + 1 || effort < 0) // the tag's name is the first
                    return true;
            if (effort < 0)
                return true;
        }
        return false;
    }

    /// <summary>Passes one name with its value. False: the tag ends.</summary>
    static bool TryPass(string html, ref int at)
    {
        while (at < html.Length && (IsSpace(html[at]) || html[at] == '/'))
            at++;
        if (at >= html.Length || html[at] == '>')
            return false;
        at++;
        while (at < html.Length && !IsSpace(html[at]) && html[at] is not ('/' or '>' or '='))
            at++;
        var behind = SkipSpace(html, at);
        if (behind >= html.Length || html[behind] != '=')
            return true;
        Value(html, SkipSpace(html, behind + 1), out at);
        return true;
    }

    static Range? Value(string html, int at, out int after)
    {
        after = html.Length;
        if (at >= html.Length)
            return null;
        if (html[at] is '"' or '\'')
        {
            var end = html.IndexOf(html[at], at + 1);
            after = end < 0 ? html.Length : end + 1;
            return end < 0 ? null : (at + 1)..end;
        }
        after = at;
        while (after < html.Length && !IsSpace(html[after]) && html[after] != '>')
            after++;
        return at..after;
    }

    static int SkipSpace(string html, int at)
    {
        while (at < html.Length && IsSpace(html[at]))
            at++;
        return at;
    }

    static bool IsSpace(char c) => c is ' ' or '\t' or '\n' or '\f' or '\r';
}
