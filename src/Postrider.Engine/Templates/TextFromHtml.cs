using System.Text;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;

namespace Postrider.Templates;

/// <summary>Makes the plain text of a mail out of its HTML, for readers that show none: paragraphs, lists, tables row by row, and the
/// addresses of links. Pure, so it always comes to the same.</summary>
public static class TextFromHtml
{
    /// <summary>Reading takes time by the square of what is nested: so many, all nested, take some 0.2 s.</summary>
    const int MaxElements = 5_000;

    /// <summary>Deeper elements are left out: walking is recursive.</summary>
    const int MaxDepth = 500;

    static readonly HashSet<string> Hidden = ["head", "style", "script", "title", "noscript", "template"];
    static readonly HashSet<string> Blocks =
    [
        "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "fieldset", "figure", "footer", "form", "header",
        "hr", "li", "main", "nav", "ol", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
    ];
    static readonly HashSet<string> Paragraphs = ["p", "h1", "h2", "h3", "h4", "h5", "h6"];

    /// <summary>Null where the HTML has too many elements.</summary>
    public static string? Of(string html)
    {
        var elements = 0;
        var parser = new HtmlParser(new HtmlParserOptions
        {
            OnCreated = (_, _) =>
            {
                if (++elements > MaxElements)
                    throw new TooManyElementsException();
            },
        });
        try
        {
            using var document = parser.ParseDocument(html);
            var text = new Lines();
            if (document.Body is { } body)
                Write(body, text, 0);
            return text.ToString();
        }
        catch (TooManyElementsException)
        {
            return null;
        }
    }

    static void Write(INode parent, Lines text, int depth)
    {
        if (depth > MaxDepth)
            return;
        foreach (var node in parent.ChildNodes)
        {
            if (node is IText words)
                text.Add(words.Data);
            else if (node is IElement element && !Hidden.Contains(element.LocalName) && !IsHidden(element))
                Write(element, text, depth + 1);
        }
    }

    static void Write(IElement element, Lines text, int depth)
    {
        var name = element.LocalName;
        var gap = Paragraphs.Contains(name) ? 2 : Blocks.Contains(name) ? 1 : 0;
        switch (name)
        {
            case "br": text.Break(); return;
            case "img": text.Add(element.GetAttribute("alt") ?? ""); return;
            case "hr": text.Separate(1); text.Add("---"); text.Separate(1); return;
        }
        text.Separate(gap);
        if (name == "li")
            text.Add("- ");
        Write((INode)element, text, depth);
        if (name == "a")
            AddAddress(element, text);
        if (name is "td" or "th")
            text.Add(" ");
        text.Separate(gap);
    }

    /// <summary>Behind the words of a link, unless they are the address.</summary>
    static void AddAddress(IElement link, Lines text)
    {
        var address = link.GetAttribute("href")?.Trim() ?? "";
        var isOfUse = address.StartsWith("http", StringComparison.OrdinalIgnoreCase)
            || address.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase);
        var shown = link.TextContent.Trim();
        var isBare = shown.Length == 0 && link.QuerySelector("img[alt]") is null;
        if (isOfUse && shown != address && $"mailto:{shown}" != address)
            text.Add(isBare ? address : $" ({address})");
    }

    /// <summary>The preview line that many templates hide would be read twice.</summary>
    static bool IsHidden(IElement element) =>
        element.HasAttribute("hidden") || element.GetAttribute("style")?.Replace(" ", "", StringComparison.Ordinal)
            .Contains("display:none", StringComparison.OrdinalIgnoreCase) == true;

    /// <summary>Ends the reading of a text that nobody wrote for people.</summary>
    sealed class TooManyElementsException : Exception;

    /// <summary>Text whose white space is that of HTML: runs are one space, and breaks are made.</summary>
    sealed class Lines
    {
        readonly StringBuilder _text = new();
        int _breaks;        // owed before the next word
        bool _space;        // owed before the next word

        public void Add(string words)
        {
            foreach (var c in words)
                if (c is ' ' or '\t' or '\r' or '\n' or '\f')
                    _space = true;
                else if (c is not ('\u200B' or '\u200C' or '\u200D' or '\uFEFF' or '\u00AD'))
                    Put(c == '\u00A0' ? ' ' : c);
        }

        /// <summary>One more line end.</summary>
        public void Break() => (_breaks, _space) = (Math.Min(_breaks + 1, 2), false);

        /// <summary>At least so many line ends.</summary>
        public void Separate(int breaks)
        {
            if (breaks > 0)
                (_breaks, _space) = (Math.Max(_breaks, breaks), false);
        }

        public override string ToString() => _text.ToString();

        void Put(char c)
        {
            if (_text.Length > 0 && _breaks > 0)
                _text.Append('\n', _breaks);
            else if (_text.Length > 0 && _space)
                _text.Append(' ');
            (_breaks, _space) = (0, false);
            _text.Append(c);
        }
    }
}
