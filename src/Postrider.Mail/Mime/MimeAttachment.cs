using System.Buffers;

namespace Postrider.Mail.Mime;

/// <summary>A file that travels with a message, or an image that its HTML shows.</summary>
public sealed record MimeAttachment
{
    const int MaxContentIdLength = 250;

    /// <summary>
    /// What a Content-ID may hold between its angle brackets: printable ASCII without brackets, quotes, parentheses and backslash.
    /// </summary>
    static readonly SearchValues<char> ContentIdCharacters = SearchValues.Create(
        "!#$%&'*+-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~,");

    /// <summary>
    /// The name to save it under, in any script. A path is cut to its last part; what remains of nothing is "attachment".
    /// Throws <see cref="ArgumentException"/> for what <see cref="HeaderText.IsSafe"/> refuses.
    /// </summary>
    public required string FileName { get; init => field = WithoutPath(HeaderText.Checked(value, "file name")); }

    /// <summary>
    /// Type, subtype and well-formed parameters, such as <c>text/calendar; method=REQUEST</c>. Anything else, and multipart types, become
    /// <c>application/octet-stream</c>, which is also the default; <see cref="FileTypes"/> tells what a file's name says.
    /// </summary>
    public string ContentType { get; init => field = MediaType.Normalize(value); } = MediaType.OctetStream;

    /// <summary>The decoded bytes.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    /// <summary>
    /// The x of <c>cid:x</c>, without angle brackets (they are taken off); null when nothing refers to it. Throws
    /// <see cref="ArgumentException"/> for what <see cref="IsContentId"/> refuses.
    /// </summary>
    public string? ContentId
    {
        get;
        init => field = value is null ? null
            : IsContentId(value) ? WithoutBrackets(value).ToString()
            : throw new ArgumentException("A content id is 1 to 250 printable ASCII characters without spaces, quotes or brackets.");
    }

    /// <summary>
    /// Shown in the text instead of listed under it. With a <see cref="ContentId"/> and an HTML body it travels beside the HTML.
    /// </summary>
    public bool Inline { get; init; }

    /// <summary>Whether a text, with or without angle brackets, can be a Content-ID.</summary>
    public static bool IsContentId(ReadOnlySpan<char> text)
    {
        var id = WithoutBrackets(text);
        return id.Length is > 0 and <= MaxContentIdLength && !id.ContainsAnyExcept(ContentIdCharacters);
    }

    static ReadOnlySpan<char> WithoutBrackets(ReadOnlySpan<char> text) => text is ['<', .., '>'] ? text[1..^1] : text;

    static string WithoutPath(string name)
    {
        var last = name[(name.AsSpan().LastIndexOfAny('/', '\\') + 1)..].Trim(' ', '\t');
        return last.Length == 0 || last is "." or ".." ? "attachment" : last;
    }
}
