namespace Postrider.Templates;

/// <summary>A part of a template. <see cref="At"/> is its place in the source.</summary>
abstract record TemplateNode(int At);

/// <summary>Text that is written as it is.</summary>
sealed record TextNode(int At, string Text) : TemplateNode(At);

/// <summary>A value that is written.</summary>
/// <param name="IsRaw">In three braces: not escaped.</param>
sealed record ValueNode(int At, TemplateExpression Value, bool IsRaw) : TemplateNode(At);

/// <summary>A block, and what is written in its other case.</summary>
/// <param name="IsInverse"><c>{{^name}}</c>: body and else change places.</param>
/// <param name="Names">Of <c>as |item index|</c>.</param>
sealed record BlockNode(int At, CallExpression Call, bool IsInverse, IReadOnlyList<string> Names) : TemplateNode(At)
{
    public IReadOnlyList<TemplateNode> Body { get; set; } = [];
    public IReadOnlyList<TemplateNode> Else { get; set; } = [];
}

/// <summary>Another template in this place.</summary>
/// <param name="Context">Null: that of the place where it is called.</param>
sealed record PartialNode(
    int At, string Name, TemplateExpression? Context, IReadOnlyList<KeyValuePair<string, TemplateExpression>> Named) : TemplateNode(At)
{
    /// <summary>In place of a partial's name: the block that it was called with.</summary>
    public const string Block = "@partial-block";

    /// <summary>Of a block: what the partial may show as <see cref="Block"/>, and what is shown where there is no such partial. Null: it is
    /// none.</summary>
    public IReadOnlyList<TemplateNode>? Body { get; set; }
}

/// <summary>Something that has a value.</summary>
abstract record TemplateExpression(int At);

/// <summary>A value that stands in the template itself.</summary>
sealed record LiteralExpression(int At, object? Value) : TemplateExpression(At);

/// <summary>A value of the data, by its way there.</summary>
/// <param name="Up">How many times <c>../</c>.</param>
/// <param name="IsVariable"><c>@index</c>, <c>@root.name</c>.</param>
/// <param name="IsOfContext">Begins with <c>this</c>, <c>./</c> or <c>../</c>, so no block parameter is meant.</param>
/// <param name="Parts">Empty: the context itself.</param>
sealed record PathExpression(int At, int Up, bool IsVariable, bool IsOfContext, IReadOnlyList<string> Parts, string Text)
    : TemplateExpression(At)
{
    /// <summary>The name where it may be that of a helper; else null.</summary>
    public string? Simple => Up == 0 && !IsVariable && !IsOfContext && Parts.Count == 1 ? Parts[0] : null;
}

/// <summary>A helper with its arguments; without any perhaps a value.</summary>
sealed record CallExpression(
    int At, PathExpression Head, IReadOnlyList<TemplateExpression> Arguments,
    IReadOnlyList<KeyValuePair<string, TemplateExpression>> Named) : TemplateExpression(At)
{
    public bool HasArguments => Arguments.Count + Named.Count > 0;
}
