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
        string source, IReadOnlyList<TemplateNode> nodes, IReadOnlyDictionary<string, IReadOnlyList<TemplateNode>> partials,
        IReadOnlyList<PartialNode> missing) =>
        (_source, _nodes, _partials, Missing) = (source, nodes, partials, missing);

    /// <summary>Calls of partials that it does not define; those without a block of their own keep it from being filled in.</summary>
    internal IReadOnlyList<PartialNode> Missing { get; }

    internal bool Defines(string partial) => _partials.ContainsKey(partial);

    /// <summary>A fault at a place of the source.</summary>
    internal TemplateFault FaultAt(int at, string message) => new TemplateException(TemplateFaultKind.Syntax, at, message).ToFault(_source);

    /// <summary>Null when it cannot be read; then <paramref name="fault"/> says why and where.</summary>
    /// <param name="allowRaw">Values in three braces, which are not escaped.</param>
    public static ParsedTemplate? Parse(string source, bool allowRaw, out TemplateFault? fault)
    {
        var parsed = ParseOpen(source, allowRaw, out fault);
        fault ??= parsed?.FirstMissing();
        return fault is null ? parsed : null;
    }

    /// <summary>The same, where partials may be missing.</summary>
    internal static ParsedTemplate? ParseOpen(string source, bool allowRaw, out TemplateFault? fault)
    {
        fault = null;
        try
        {
            var nodes = TemplateParser.Parse(source, allowRaw, out var partials, out var missing);
            return new ParsedTemplate(source, nodes, partials, missing);
        }
        catch (TemplateException wrong)
        {
            fault = wrong.ToFault(source);
            return null;
        }
    }

    /// <summary>The first call that keeps it from being filled in; null: there is none.</summary>
    TemplateFault? FirstMissing() => Missing.FirstOrDefault(call => call.Body is null) is { } call
        ? FaultAt(call.At,
            $"There is no partial '{call.Name}': define it with {{{{#*inline \"{call.Name}\"}}}}, or keep a template of this name.")
        : null;

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
