namespace Postrider.Messages;

/// <summary>A refusal as a value, from the room that refuses to the wire (RFC 9457).
/// <see cref="Slug"/> is stable and becomes <c>/problems/{slug}</c>.</summary>
public sealed record Problem(string Slug, int Status, string Title, string Detail)
{
    public IReadOnlyList<ProblemError> Errors { get; init; } = [];

    /// <summary>When trying again makes sense; null when it does not or is not known.</summary>
    public TimeSpan? RetryAfter { get; init; }
}

/// <summary>One fault of a request.</summary>
/// <param name="Pointer">RFC 6901 JSON pointer to the value at fault, such as <c>/to/0</c>; empty for the whole body.</param>
public sealed record ProblemError(string Pointer, string Slug, string Detail)
{
    /// <summary>Where in a text of several lines, which <see cref="Detail"/> says too; null elsewhere.</summary>
    public TextPlace? Place { get; init; }
}

/// <summary>A place in a text. Both count from 1, columns in UTF-16 units.</summary>
public readonly record struct TextPlace(int Line, int Column);
