using Postrider.Messages;

namespace Postrider.Templates;

/// <summary>The parts of a message out of a template.</summary>
public sealed record FilledTemplate(string? Subject, string? Text, string? Html);

/// <summary>The parts of a template, read, to be filled in any number of times. Pure.</summary>
public sealed class ReadyTemplate
{
    /// <summary>Of a subject: more is no line of a header.</summary>
    const int MaxSubjectLength = 10_000;

    readonly TemplateContent _content;
    ParsedTemplate? _subject, _text, _html;

    ReadyTemplate(TemplateContent content) => _content = content;

    /// <summary>Null when a part cannot be read; then <paramref name="problem"/> says where.</summary>
    public static ReadyTemplate? Read(TemplateContent content, out Problem? problem)
    {
        var ready = new ReadyTemplate(content);
        // In text three braces say nothing that two do not.
        var isRead = TryRead(content.Subject, "/subject", true, out ready._subject, out problem)
            && TryRead(content.Text, "/text", true, out ready._text, out problem)
            && TryRead(content.Html, "/html", content.AllowsRawHtml, out ready._html, out problem);
        return isRead ? ready : null;
    }

    /// <summary>Null when a part cannot be filled in; then <paramref name="problem"/> says why.</summary>
    /// <param name="rules">Whether it is HTML and strict is set here.</param>
    /// <param name="isStrict">Where the template does not say.</param>
    /// <param name="withText">Whether a text is made of the HTML where the template has none.</param>
    public FilledTemplate? Fill(TemplateData data, FillRules rules, bool isStrict, bool withText, out Problem? problem)
    {
        rules = rules with { IsHtml = false, IsStrict = _content.IsStrict ?? isStrict };
        var ofSubject = rules with { MaxLength = Math.Min(MaxSubjectLength, rules.MaxLength) };
        string? text = null, html = null;
        var isFilled = TryFill(_subject, data, ofSubject, out var subject, out problem)
            && TryFill(_text, data, rules, out text, out problem)
            && TryFill(_html, data, rules with { IsHtml = true }, out html, out problem);
        if (!isFilled)
            return null;
        if (withText && text is null && html is not null)
            text = TextFromHtml.Of(html);
        return new FilledTemplate(subject, text, html);
    }

    static bool TryRead(string? source, string pointer, bool allowRaw, out ParsedTemplate? parsed, out Problem? problem)
    {
        TemplateFault? fault = null;
        parsed = source is null ? null : ParsedTemplate.Parse(source, allowRaw, out fault);
        problem = fault is null ? null : TemplateProblems.Of(fault, pointer);
        return fault is null;
    }

    static bool TryFill(ParsedTemplate? part, TemplateData data, FillRules rules, out string? filled, out Problem? problem)
    {
        TemplateFault? fault = null;
        filled = part?.Fill(data, rules, out fault);
        problem = fault is null ? null : TemplateProblems.Of(fault, fault.Kind == TemplateFaultKind.Data ? "/data" : "/template");
        return fault is null;
    }
}
