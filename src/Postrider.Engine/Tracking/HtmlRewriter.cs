using System.Net;
using System.Text;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace Postrider.Tracking;

/// <summary>HTML as it is to be sent.</summary>
/// <param name="Remark">What of it could not be tracked; null: all was.</param>
public readonly record struct RewrittenHtml(string Html, string? Remark);

/// <summary>Puts other addresses into the links of a mail's HTML, and an image at its end. Every other character stays: a parser finds the
/// links, and says afterwards whether anything else would be read differently.</summary>
/// <remarks>What writes HTML anew from a tree loses what mail programs rely on, such as comments for Outlook.</remarks>
public static class HtmlRewriter
{
    /// <summary>On a link: it stays as it is.</summary>
    public const string NoTrack = "data-no-track";

    /// <summary>Reading takes time by the square of what is nested: so many, all nested, take some 0.2 s.</summary>
    const int MaxElements = 5_000;

    /// <summary>And by the square of the attributes of an element, of which each is compared with all before it.</summary>
    const int MaxAttributes = 100;

    /// <param name="link">The address in place of that of a link; null: it stays. The same at each call.</param>
    /// <param name="pixel">Address of the image; null: none.</param>
    public static RewrittenHtml Rewrite(string html, Func<string, string?> link, string? pixel)
    {
        var source = html.Replace("\r\n", "\n", StringComparison.Ordinal); // as the parser counts places
        if (TagAttributes.MayHaveMore(source, MaxAttributes))
            return new RewrittenHtml(html, $"sent without tracking: an element of its HTML has more than {MaxAttributes} attributes");
        var links = new SortedDictionary<int, IElement>();
        using var before = Parse(source, links);
        if (before is null)
            return new RewrittenHtml(html, $"sent without tracking: its HTML has more than {MaxElements} elements");
        var linked = WithLinks(source, links, link);
        var expected = Signature(before, link, pixel: null, out _);
        foreach (var candidate in Candidates(linked, pixel))
        {
            using var after = Parse(candidate, links: null);
            if (after is null || Signature(after, link: null, pixel, out var pixels) != expected)
                continue;
            return pixel is null || pixels == 1
                ? new RewrittenHtml(linked == source && pixel is null ? html : candidate, null)
                : new RewrittenHtml(linked == source ? html : candidate, "its HTML has no place for the image that tells of opens");
        }
        return new RewrittenHtml(html, "sent without tracking: its HTML cannot be changed without being read differently");
    }

    /// <summary>With the image at the end of the body, else of the text, else without: a comment that is not closed swallows it.</summary>
    static IEnumerable<string> Candidates(string html, string? pixel)
    {
        if (pixel is not null)
        {
            var image = $"""<img src="{WebUtility.HtmlEncode(pixel)}" width="1" height="1" alt="" style="border:0">""";
            if (html.LastIndexOf("</body", StringComparison.OrdinalIgnoreCase) is >= 0 and var end)
                yield return html.Insert(end, image);
            yield return html + image;
        }
        yield return html;
    }

    /// <summary>Null where it has too many elements.</summary>
    /// <param name="links">Takes the links, by where their tags begin.</param>
    static IHtmlDocument? Parse(string html, SortedDictionary<int, IElement>? links)
    {
        var elements = 0;
        var parser = new HtmlParser(new HtmlParserOptions
        {
            OnCreated = (element, place) =>
            {
                if (++elements > MaxElements)
                    throw new TooManyElementsException();
                if (links is not null && IsLink(element))
                    links.TryAdd(place.Index, element);
            },
        });
        try
        {
            return parser.ParseDocument(html);
        }
        catch (TooManyElementsException)
        {
            return null;
        }
    }

    static bool IsLink(IElement element) => element is IHtmlAnchorElement or IHtmlAreaElement;

    static string? Changed(IElement element, Func<string, string?> link) =>
        IsLink(element) && !element.HasAttribute(NoTrack) && element.GetAttribute("href") is { } href ? link(href) : null;

    static string WithLinks(string html, SortedDictionary<int, IElement> links, Func<string, string?> link)
    {
        var written = new StringBuilder(html.Length + (links.Count * 200));
        var done = 0;
        foreach (var (near, element) in links)
        {
            if (Changed(element, link) is not { } address
                || TagAttributes.After(html, near, element.LocalName) is not { } attributes || attributes < done
                || TagAttributes.ValueOf(html, attributes, "href") is not { } value)
                continue;
            var (start, end) = (value.Start.Value, value.End.Value);
            var quote = html[start - 1] is '"' or '\'' ? "" : "\"";
            written.Append(html, done, start - done).Append(quote).Append(WebUtility.HtmlEncode(address)).Append(quote);
            done = end;
        }
        return written.Append(html, done, html.Length - done).ToString();
    }

    /// <summary>All that a document says to its reader, in one text: the same for two that are read alike.</summary>
    /// <param name="link">Whose addresses are put in place of those of links; null: they are taken as they are.</param>
    /// <param name="pixel">The image that is no part of it; null: there is none.</param>
    static string Signature(IHtmlDocument document, Func<string, string?>? link, string? pixel, out int pixels)
    {
        pixels = 0;
        var text = new StringBuilder();
        // Null ends an element; no recursion: what is nested deep must not end the process. What is inert is never shown.
        var open = new Stack<(INode? Node, bool IsInert)>();
        open.Push((document, false));
        while (open.TryPop(out var next))
        {
            var (node, isInert) = next;
            if (node is null)
                text.Append("\0/");
            else if (pixel is not null && !isInert && node is IHtmlImageElement image && image.GetAttribute("src") == pixel)
                pixels++;
            else
            {
                Write(node, link, text);
                if (node is ICharacterData)
                    continue;
                open.Push(default);
                var template = node as IHtmlTemplateElement;
                var children = template?.Content.ChildNodes ?? node.ChildNodes;
                for (var i = children.Length - 1; i >= 0; i--)
                    open.Push((children[i], isInert || template is not null));
            }
        }
        return text.ToString();
    }

    static void Write(INode node, Func<string, string?>? link, StringBuilder text)
    {
        switch (node)
        {
            case IText words: text.Append(words.Data); break; // unmarked: the image may lie between two
            case ICharacterData other: text.Append("\0!").Append(other.Data).Append("\0/"); break;
            case IElement element:
                var changed = link is null ? null : Changed(element, link);
                text.Append("\0<").Append(element.NamespaceUri).Append(' ').Append(element.LocalName);
                foreach (var attribute in element.Attributes)
                    text.Append("\0=").Append(attribute.Name).Append("\0:")
                        .Append(changed is not null && attribute.Name == "href" ? changed : attribute.Value);
                text.Append("\0>");
                break;
            default: text.Append("\0#").Append(node.NodeName); break;
        }
    }

    sealed class TooManyElementsException : Exception;
}
