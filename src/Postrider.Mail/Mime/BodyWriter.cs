using System.Globalization;

namespace Postrider.Mail.Mime;

/// <summary>
/// The lines between parts (RFC 2046 §5.1.1): "=_", the message's seed and the level. "=_" cannot occur in quoted-printable and base64,
/// text that holds it never stands open inside a multipart, and embedded messages are searched: so no part can hold a boundary.
/// </summary>
readonly struct Boundaries(ulong seed)
{
    /// <summary>"=_", sixteen digits, a dot and the level.</summary>
    const int MaxLength = 20;

    /// <summary>Whether any boundary of this message, at whatever level, stands in the content.</summary>
    public bool OccurIn(ReadOnlySpan<byte> content)
    {
        Span<byte> start = stackalloc byte[MaxLength];
        "=_"u8.CopyTo(start);
        seed.TryFormat(start[2..], out var digits, "x16", CultureInfo.InvariantCulture);
        return content.IndexOf(start[..(2 + digits)]) >= 0;
    }

    public void WriteParameter(ref OutputBuffer output, int level)
    {
        output.Fold();
        output.Write("boundary=\""u8);
        Write(ref output, level);
        output.Write("\"\r\n\r\n"u8);
        output.StartLine();
    }

    /// <summary>Opens a part. The first one follows the empty line after the header, the others the open line of the part before.</summary>
    public void WriteOpening(ref OutputBuffer output, int level, bool first)
    {
        output.Write(first ? "--"u8 : "\r\n--"u8);
        Write(ref output, level);
        output.NewLine();
    }

    /// <summary>Closes the last part; leaves the line open.</summary>
    public void WriteClosing(ref OutputBuffer output, int level)
    {
        output.Write("\r\n--"u8);
        Write(ref output, level);
        output.Write("--"u8);
    }

    void Write(ref OutputBuffer output, int level)
    {
        output.Write("=_"u8);
        output.WriteHex(seed);
        output.Write((byte)'.');
        output.WriteNumber(level);
    }
}

/// <summary>
/// Writes the tree of parts: mixed with attachments, in it related with inline images, in it alternative with text and HTML.
/// </summary>
readonly ref struct BodyWriter
{
    const int Mixed = 0;
    const int Related = 1;
    const int Alternative = 2;

    readonly MimeMessage _message;
    readonly Boundaries _boundaries;

    /// <summary>Whether an image is shown by the HTML, and whether anything else is attached: both decide which levels there are.</summary>
    readonly bool _hasRelated;
    readonly bool _hasAttached;

    public BodyWriter(MimeMessage message)
    {
        _message = message;
        _boundaries = new Boundaries(message.BoundarySeed);
        for (var i = 0; i < message.Attachments.Count; i++)
        {
            var related = IsRelated(message.Attachments[i]);
            _hasRelated |= related;
            _hasAttached |= !related;
        }
    }

    bool HasText => _message.Text is not null || _message.Html is not null;

    bool IsRelated(MimeAttachment attachment) => attachment is { Inline: true, ContentId: not null } && _message.Html is not null;

    /// <summary>From the Content-Type on; ends with a line end.</summary>
    public void Write(ref OutputBuffer output)
    {
        if (_hasAttached)
            WriteMixed(ref output);
        else
            WriteRelatedOrLess(ref output, inside: false);
        if (output.Column > 0)
            output.NewLine();
    }

    void WriteMixed(ref OutputBuffer output)
    {
        output.Write("Content-Type: multipart/mixed;"u8);
        _boundaries.WriteParameter(ref output, Mixed);
        if (HasText)
        {
            _boundaries.WriteOpening(ref output, Mixed, first: true);
            WriteRelatedOrLess(ref output, inside: true);
        }
        WriteAttachments(ref output, Mixed, related: false, first: !HasText);
        _boundaries.WriteClosing(ref output, Mixed);
    }

    void WriteRelatedOrLess(ref OutputBuffer output, bool inside)
    {
        if (!_hasRelated)
        {
            WriteAlternativeOrLess(ref output, inside);
            return;
        }
        // RFC 2387 §3.1: the type of the root, which is the first part.
        output.Write(_message.Text is null
            ? "Content-Type: multipart/related; type=\"text/html\";"u8
            : "Content-Type: multipart/related; type=\"multipart/alternative\";"u8);
        _boundaries.WriteParameter(ref output, Related);
        _boundaries.WriteOpening(ref output, Related, first: true);
        WriteAlternativeOrLess(ref output, inside: true);
        WriteAttachments(ref output, Related, related: true, first: false);
        _boundaries.WriteClosing(ref output, Related);
    }

    void WriteAlternativeOrLess(ref OutputBuffer output, bool inside)
    {
        switch (_message)
        {
            case { Text: not null, Html: not null }:
                output.Write("Content-Type: multipart/alternative;"u8);
                _boundaries.WriteParameter(ref output, Alternative);
                _boundaries.WriteOpening(ref output, Alternative, first: true);
                TextBody.Write(ref output, "text/plain"u8, _message.Text, insideMultipart: true);
                _boundaries.WriteOpening(ref output, Alternative, first: false);
                TextBody.Write(ref output, "text/html"u8, _message.Html, insideMultipart: true);
                _boundaries.WriteClosing(ref output, Alternative);
                break;
            case { Html: not null }:
                TextBody.Write(ref output, "text/html"u8, _message.Html, inside);
                break;
            default:
                TextBody.Write(ref output, "text/plain"u8, _message.Text ?? "", inside);
                break;
        }
    }

    void WriteAttachments(ref OutputBuffer output, int level, bool related, bool first)
    {
        for (var i = 0; i < _message.Attachments.Count; i++)
        {
            if (IsRelated(_message.Attachments[i]) != related)
                continue;
            _boundaries.WriteOpening(ref output, level, first);
            AttachmentWriter.Write(ref output, _message.Attachments[i], _boundaries);
            first = false;
        }
    }
}
