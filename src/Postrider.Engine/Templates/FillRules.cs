namespace Postrider.Templates;

/// <summary>How a template is filled in, and what that may take.</summary>
public sealed record FillRules
{
    /// <summary>Values are escaped, unless in three braces.</summary>
    public bool IsHtml { get; init; }

    /// <summary>What would be printed and is missing or null is a fault; else it is empty.</summary>
    public bool IsStrict { get; init; }

    /// <summary>In UTF-16 units.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Parts that are filled in, counted again in each round of an <c>each</c>. 200,000 take some 20 ms.</summary>
    public int MaxSteps { get; init; } = 200_000;

    /// <summary>Null: steps alone count, so that it always comes to the same.</summary>
    public TimeProvider? Clock { get; init; }
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromSeconds(1);
}
