namespace Postrider.Templates;

/// <summary>What is wrong.</summary>
public enum TemplateFaultKind : byte
{
    /// <summary>The template itself: it never can be filled in.</summary>
    Syntax,
    /// <summary>The data lacks what the template prints.</summary>
    Data,
    /// <summary>Filled in, it takes more steps, time, depth or output than is allowed.</summary>
    Limit,
}

/// <summary>Why a template cannot be read or filled in, and where.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1, in UTF-16 units.</param>
public sealed record TemplateFault(TemplateFaultKind Kind, string Message, int Line, int Column)
{
    public override string ToString() => $"{Message} (line {Line}, column {Column})";
}

/// <summary>Leaves the parser or the interpreter with a fault; never leaves the room.</summary>
sealed class TemplateException(TemplateFaultKind kind, int at, string message) : Exception(message)
{
    /// <param name="source">What <c>at</c> is a place in.</param>
    public TemplateFault ToFault(string source)
    {
        var before = source.AsSpan(0, Math.Min(at, source.Length));
        return new TemplateFault(kind, Message, before.Count('\n') + 1, before.Length - before.LastIndexOf('\n'));
    }
}
