namespace Postrider.Mail.Mime;

/// <summary>Why a message was not read. Damage is no reason: only what could hurt the reader is. <see cref="MimeFaults.Describe"/> says it
/// in words.</summary>
public enum MimeFault
{
    /// <summary>It was read.</summary>
    None,

    /// <summary>One header, of the message or of a part, is over <see cref="MimeLimits.MaxHeaderBytes"/>.</summary>
    HeaderTooLong,

    /// <summary>One header field is over <see cref="MimeLimits.MaxFieldBytes"/>.</summary>
    FieldTooLong,

    /// <summary>One header has more than <see cref="MimeLimits.MaxFields"/>.</summary>
    TooManyFields,

    /// <summary>Parts inside parts beyond <see cref="MimeLimits.MaxDepth"/>.</summary>
    TooDeep,

    /// <summary>More than <see cref="MimeLimits.MaxParts"/>.</summary>
    TooManyParts,

    /// <summary>A boundary of more than <see cref="MimeLimits.MaxBoundaryBytes"/>.</summary>
    BoundaryTooLong,
}

/// <summary>The words for each <see cref="MimeFault"/>.</summary>
public static class MimeFaults
{
    /// <summary>What is wrong, as the second half of a sentence: "it has too many parts".</summary>
    public static string Describe(this MimeFault fault) => fault switch
    {
        MimeFault.None => "nothing is wrong",
        MimeFault.HeaderTooLong => "its header is too long",
        MimeFault.FieldTooLong => "one of its header fields is too long",
        MimeFault.TooManyFields => "it has too many header fields",
        MimeFault.TooDeep => "its parts are nested too deeply",
        MimeFault.TooManyParts => "it has too many parts",
        MimeFault.BoundaryTooLong => "the boundary of one of its multiparts is too long",
    };
}

/// <summary>How far a reader goes into a message that a stranger wrote.</summary>
public sealed record MimeLimits
{
    /// <summary>The limits where nobody asks for others.</summary>
    public static MimeLimits Default { get; } = new();

    /// <summary>Bytes of one header, from its first field to the empty line. 1,000 shown recipients take about 90 KB.</summary>
    public int MaxHeaderBytes { get; init; } = 256 * 1024;

    /// <summary>Bytes of one field with its folds. Postfix header_size_limit.</summary>
    public int MaxFieldBytes { get; init; } = 100 * 1024;

    /// <summary>Fields of one header.</summary>
    public int MaxFields { get; init; } = 1_000;

    /// <summary>Levels of parts inside parts, embedded messages included. Postfix mime_nesting_limit.</summary>
    public int MaxDepth { get; init; } = 100;

    /// <summary>Entities in all: the message, multiparts and leaves.</summary>
    public int MaxParts { get; init; } = 1_000;

    /// <summary>RFC 2046 §5.1.1 allows 70; some writers do not know that.</summary>
    public int MaxBoundaryBytes { get; init; } = 256;
}
