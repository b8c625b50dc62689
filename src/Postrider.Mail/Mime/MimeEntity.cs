namespace Postrider.Mail.Mime;

/// <summary>A message or a part of one, as it was read: its header, its body, and the parts inside.</summary>
public sealed class MimeEntity
{
    const string Plain = "text/plain";

    readonly List<MimeEntity> _parts = [];

    internal MimeEntity(HeaderBlock headers, ReadOnlyMemory<byte> whole, int start, bool insideDigest)
    {
        Start = start;
        Headers = headers;
        Whole = whole;
        Type = ContentParameters.Parse(headers.Find("Content-Type")?.Value ?? "");
        MediaType = TypeOf(Type.Value, insideDigest);
        Encoding = TransferDecoding.Parse(headers.Find("Content-Transfer-Encoding")?.Value);
    }

    /// <summary>The fields above the body.</summary>
    public HeaderBlock Headers { get; }

    /// <summary>Where it starts in the message that was read.</summary>
    public int Start { get; }

    /// <summary>Header and body as they stand.</summary>
    public ReadOnlyMemory<byte> Whole { get; private set; }

    /// <summary>The body as it stands, still encoded.</summary>
    public ReadOnlyMemory<byte> Body => Whole[Headers.Length..];

    /// <summary>Type and subtype in lower case. Without one, or with none that is well formed, <c>text/plain</c> (RFC 2045 §5.2), in a
    /// digest <c>message/rfc822</c>.</summary>
    public string MediaType { get; }

    /// <summary>The Content-Type with its parameters.</summary>
    public ContentParameters Type { get; }

    /// <summary>How the body is encoded.</summary>
    public TransferEncoding Encoding { get; }

    /// <summary>The parts of a multipart; the one message of a message/rfc822. Empty for all else.</summary>
    public IReadOnlyList<MimeEntity> Parts => _parts;

    /// <summary>True for what claims to have parts; it may have none all the same.</summary>
    public bool IsMultipart => MediaType.StartsWith("multipart/", StringComparison.Ordinal);

    /// <summary>True where it is a message of its own inside another.</summary>
    public bool IsMessage => MediaType is "message/rfc822" or "message/global" or "message/news";

    /// <summary><c>inline</c>, <c>attachment</c> or another word, in lower case; null for none.</summary>
    public string? Disposition => NonEmpty(ContentDisposition?.Value);

    /// <summary>The name to save it under, as the sender gave it: anything but a safe path. Null for none.</summary>
    public string? FileName => NonEmpty(ContentDisposition?["filename"]) ?? NonEmpty(Type["name"]);

    /// <summary>The Content-ID without its angle brackets; null for none.</summary>
    public string? ContentId => NonEmpty(Headers.Find("Content-ID")?.Value.Trim('<', '>', ' ', '\t'));

    /// <summary>The body without its transfer encoding.</summary>
    public ReadOnlyMemory<byte> Decode() => TransferDecoding.Decode(Body, Encoding);

    /// <summary>The body as text. A charset that is unknown here is guessed.</summary>
    public string DecodeText() => Charsets.Decode(Decode().Span, Type["charset"]);

    internal void Add(MimeEntity part) => _parts.Add(part);

    internal void EndAt(int length) => Whole = Whole[..length];

    ContentParameters? ContentDisposition =>
        Headers.Find("Content-Disposition") is { } line ? ContentParameters.Parse(line.Value) : null;

    static string? NonEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;

    static string TypeOf(string given, bool insideDigest)
    {
        if (given.Length == 0)
            return insideDigest ? "message/rfc822" : Plain;
        var slash = given.IndexOf('/', StringComparison.Ordinal);
        return slash > 0 && slash < given.Length - 1 && slash == given.LastIndexOf('/') && !given.Contains(' ', StringComparison.Ordinal)
            ? given : Plain;
    }
}
