using AngleSharp;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Postrider.Mail.Mime;

namespace Postrider.Dashboard.Parts;

/// <summary>A mail's HTML for a frame that can do nothing: the images that came with it are put in, and what could only fetch or run is
/// left out, though the frame and its policy would stop it too.</summary>
static class PreviewDocument
{
    const string Cid = "cid:";

    /// <summary>Of images that are put in, all together: a page in the browser is no place for more.</summary>
    const int MaxImageBytes = 10_000_000;

    // Preconnections and the like are no requests to a policy.
    const string Dropped = "script, base, link, meta, object, embed, applet, iframe, frame, frameset, portal, audio, video, source, track, form, template";

    /// <summary>Reading takes time by the square of what is nested, and writing takes a stack as deep.</summary>
    const int MaxElements = 5_000;

    /// <summary>Null where it has too many elements to be looked at.</summary>
    public static string? Make(string html, IReadOnlyList<MimeAttachment> attachments)
    {
        using var document = Parse(html);
        if (document is null)
            return null;
        foreach (var element in document.QuerySelectorAll(Dropped))
            if (element.LocalName == "form")
                element.Replace([.. element.ChildNodes]);
            else
                element.Remove();
        var left = MaxImageBytes;
        foreach (var element in document.All)
        {
            foreach (var name in element.Attributes.Select(a => a.Name).ToList())
                if (name.StartsWith("on", StringComparison.OrdinalIgnoreCase) || name is "ping" or "srcdoc" or "formaction")
                    element.RemoveAttribute(name);
            if (element.LocalName == "img" && element.GetAttribute("src") is { } source
                && source.StartsWith(Cid, StringComparison.OrdinalIgnoreCase)
                && Find(attachments, source[Cid.Length..]) is { } image && image.Content.Length <= left)
            {
                left -= image.Content.Length;
                element.SetAttribute("src", $"data:{TypeOf(image)};base64,{Convert.ToBase64String(image.Content.Span)}");
            }
        }
        return document.ToHtml();
    }

    static IHtmlDocument? Parse(string html)
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
            return parser.ParseDocument(html);
        }
        catch (TooManyElementsException)
        {
            return null;
        }
    }

    sealed class TooManyElementsException : Exception;

    static MimeAttachment? Find(IReadOnlyList<MimeAttachment> attachments, string id) =>
        attachments.FirstOrDefault(a => a.ContentId == Uri.UnescapeDataString(id));

    static string TypeOf(MimeAttachment image) =>
        image.ContentType.Split(';')[0] is var type && type.StartsWith("image/", StringComparison.Ordinal) ? type : "image/png";
}
