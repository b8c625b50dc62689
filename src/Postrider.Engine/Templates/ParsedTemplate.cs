namespace Postrider.Templates;

/// <summary>A template that was read, ready to be filled in any number of times, on any thread.</summary>
/// <remarks>
/// The language is Handlebars with SendGrid's helpers. A template is a stranger's program and runs here: data is a tree of JSON, so there
/// is nothing of ours that a path could reach, helpers do no I/O, and depth, steps, time and output are limited. Filling in is
/// deterministic.
/// </remarks>
public sealed class ParsedTemplate
{
    readonly string _source;
    readonly IReadOnlyList<TemplateNode> _nodes;
    readonly IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> _partials;

    ParsedTemplate(
        string source, IReadOnlyList<TemplateNode> nodes, IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> partials) =>
        (_source, _nodes, _partials) = (source, nodes, partials);

    /// <summary>Null when it cannot be read; then <paramref name="fault"/> says why and where.</summary>
    /// <param name="allowRaw">Values in three braces, which are not escaped.</param>
    public static ParsedTemplate? Parse(string source, bool allowRaw, out TemplateFault? fault)
    {
        fault = null;
        try
        {
            var nodes = TemplateParser.Parse(source, allowRaw, out var partials);
            return new ParsedTemplate(source, nodes, partials);
        }
        catch (TemplateException wrong)
        {
            fault = wrong.ToFault(source);
            return null;
        }
    }

    /// <summary>The text with the data in it; null when it cannot be filled in, then <paramref name="fault"/> says why and where.</summary>
    public string? Fill(TemplateData data, FillRules rules, out TemplateFault? fault)
    {
        fault = null;
        try
        {
            return new TemplateRun(_partials, data, rules).Run(_nodes);
        }
        catch (TemplateException wrong)
        {
            fault = wrong.ToFault(_source);
            return null;
        }
    }
}
