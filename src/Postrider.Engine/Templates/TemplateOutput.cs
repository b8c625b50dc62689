using System.Buffers;
using System.Globalization;
using System.Text;

namespace Postrider.Templates;

/// <summary>What is written so far, within a limit; knows how a value is written into HTML.</summary>
sealed class TemplateOutput(bool isHtml, int maxLength)
{
    /// <summary>Handlebars' own set: a value cannot leave an attribute, also where that has no quotes.</summary>
    static readonly SearchValues<char> Special = SearchValues.Create("&<>\"'`=");

    /// <summary>As far as one looks back for the attribute that a value stands in.</summary>
    const int LongestScheme = 200;

    static readonly string[] Links = ["href", "src", "action", "formaction", "background", "poster", "cite", "data", "srcset"];
    static readonly string[] Dangerous = ["javascript:", "vbscript:", "data:"];

    readonly StringBuilder _text = new();

    /// <param name="at">The node that writes, for the fault.</param>
    public void Write(string text, int at)
    {
        if (_text.Length + text.Length > maxLength)
            throw new TemplateException(TemplateFaultKind.Limit, at,
                string.Create(CultureInfo.InvariantCulture, $"Filled in, the template has more than {maxLength} characters."));
        _text.Append(text);
    }

    /// <summary>Escaped in HTML. Where the value of a link would begin with a scheme that runs code, it does not: "unsafe:" is put in
    /// front.</summary>
    public void WriteValue(string value, int at)
    {
        if (!isHtml)
        {
            Write(value, at);
            return;
        }
        Write(Escape(value), at);
        if (StartOfLink() is { } start && IsDangerous(_text.ToString(start, Math.Min(LongestScheme, _text.Length - start))))
            _text.Insert(start, "unsafe:");
    }

    public override string ToString() => _text.ToString();

    static string Escape(string value)
    {
        if (!value.AsSpan().ContainsAny(Special))
            return value;
        var escaped = new StringBuilder(value.Length + 16);
        foreach (var c in value)
            _ = c switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\'' => escaped.Append("&#x27;"),
                '`' => escaped.Append("&#x60;"),
                '=' => escaped.Append("&#x3D;"),
                _ => escaped.Append(c),
            };
        return escaped.ToString();
    }

    /// <summary>Where the value of the attribute begins that is open at the end, if it is one of a link; null where it is not.</summary>
    int? StartOfLink()
    {
        // An escaped value holds neither quote nor equals sign, so what is found is the template's own.
        for (var i = _text.Length - 1; i >= 0 && _text.Length - i < 4_000; i--)
        {
            if (_text[i] is '<' or '>')
                return null;
            if (_text[i] is '=')
                return IsLink(i) ? SkipQuote(i + 1) : null;
        }
        return null;
    }

    bool IsLink(int equals)
    {
        var end = equals;
        while (end > 0 && char.IsWhiteSpace(_text[end - 1]))
            end--;
        var start = end;
        while (start > 0 && char.IsAsciiLetter(_text[start - 1]))
            start--;
        var name = _text.ToString(start, end - start);
        return Links.Contains(name, StringComparer.OrdinalIgnoreCase);
    }

    int? SkipQuote(int at)
    {
        while (at < _text.Length && char.IsWhiteSpace(_text[at]))
            at++;
        if (at >= _text.Length || _text[at] is not ('"' or '\''))
            return at;
        // A quote that is closed again belongs to an attribute before this place.
        for (var i = at + 1; i < _text.Length; i++)
            if (_text[i] == _text[at])
                return null;
        return at + 1;
    }

    /// <summary>As browsers read it: without what they skip.</summary>
    static bool IsDangerous(string value)
    {
        var plain = string.Concat(value.Where(c => c > ' ' && !char.IsControl(c)));
        return Dangerous.Any(scheme => plain.StartsWith(scheme, StringComparison.OrdinalIgnoreCase))
            && !plain.StartsWith("data:image/", StringComparison.OrdinalIgnoreCase);
    }
}
