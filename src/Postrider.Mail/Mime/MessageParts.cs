namespace Postrider.Mail.Mime;

/// <summary>A message as people see it: one text, one HTML, and what is attached. The rule by which a tree of parts becomes that.</summary>
/// <remarks>
/// The first text in the order of the parts is the body: alone, or with its alternatives. Every other part is attached, further texts too.
/// In multipart/related all but the root are shown inline. Unknown multiparts are read like mixed (RFC 2046 §5.1.7).
/// </remarks>
public sealed class MessageParts
{
    readonly List<AttachedPart> _attachments = [];
    bool _hasBody;

    MessageParts() { }

    /// <summary>Null for none.</summary>
    public string? Text { get; private set; }

    /// <summary>Null for none.</summary>
    public string? Html { get; private set; }

    /// <summary>In their order.</summary>
    public IReadOnlyList<AttachedPart> Attachments => _attachments;

    /// <summary>The first part that means something only where it stands, and as it stands: a signature, encrypted content, a report, an
    /// invitation among the alternatives. Null for none.</summary>
    public string? Bound { get; private set; }

    /// <summary>Takes a message apart.</summary>
    public static MessageParts Of(MimeEntity message)
    {
        var parts = new MessageParts();
        parts.Take(message, isRoot: true);
        return parts;
    }

    void Take(MimeEntity entity, bool isRoot = false)
    {
        if (entity is { IsMultipart: true, Parts.Count: > 0 })
            TakeMultipart(entity);
        else if (!_hasBody && IsBody(entity))
            TakeBody(entity);
        else
            Attach(entity, inline: false, bound: isRoot && entity.MediaType == "text/calendar");
    }

    void TakeMultipart(MimeEntity entity)
    {
        switch (entity.MediaType)
        {
            case "multipart/alternative" when !_hasBody:
                TakeAlternatives(entity);
                _hasBody = true;
                return;
            case "multipart/related":
                var root = RootOf(entity);
                Take(root);
                foreach (var part in entity.Parts)
                {
                    if (part != root)
                        Attach(part, inline: true, bound: false);
                }
                return;
            case "multipart/signed" or "multipart/encrypted" or "multipart/report":
                Bound ??= entity.MediaType;
                break;
        }
        foreach (var part in entity.Parts)
            Take(part);
    }

    /// <summary>The last one that can be shown is the best (RFC 2046 §5.1.4), but a text beside the HTML is the text.</summary>
    void TakeAlternatives(MimeEntity entity)
    {
        foreach (var part in entity.Parts)
        {
            if (part is { IsMultipart: true, Parts.Count: > 0 })
            {
                _hasBody = false;
                Take(part);
            }
            else if (IsBody(part) && !IsTaken(part))
                TakeBody(part);
            else
                Attach(part, inline: false, bound: true);
        }
    }

    bool IsTaken(MimeEntity part) => (part.MediaType == "text/html" ? Html : Text) is not null;

    void TakeBody(MimeEntity part)
    {
        _hasBody = true;
        if (part.MediaType == "text/html")
            Html ??= part.DecodeText();
        else
            Text ??= part.DecodeText();
    }

    void Attach(MimeEntity part, bool inline, bool bound)
    {
        if (bound || part.MediaType is "application/pkcs7-mime" or "application/x-pkcs7-mime"
            or "message/partial" or "message/external-body")
            Bound ??= part.MediaType;
        _attachments.Add(new AttachedPart(part, inline || part.Disposition == "inline"));
    }

    /// <summary>What is shown as text: a multipart that has no parts is one too.</summary>
    static bool IsBody(MimeEntity part) =>
        (part.MediaType is "text/plain" or "text/html" || part.IsMultipart)
        && part.Disposition is null or "inline" && part.FileName is null;

    /// <summary>RFC 2387 §3.2: the part that <c>start</c> names, else the first.</summary>
    static MimeEntity RootOf(MimeEntity related)
    {
        var start = related.Type["start"]?.Trim('<', '>', ' ');
        foreach (var part in related.Parts)
        {
            if (!string.IsNullOrEmpty(start) && part.ContentId == start)
                return part;
        }
        return related.Parts[0];
    }
}

/// <summary>A part that is not the text of its message.</summary>
/// <param name="Part">The part.</param>
/// <param name="Inline">Shown in the text.</param>
public readonly record struct AttachedPart(MimeEntity Part, bool Inline)
{
    /// <summary>The same to be written anew: its bytes, and a name that is safe to write.</summary>
    public MimeAttachment ToAttachment()
    {
        var name = Part.FileName is { } given && HeaderText.IsSafe(given, out _) ? given : Part.IsMessage ? "message.eml" : "attachment";
        var type = Part.Headers.Find("Content-Type")?.Value;
        return new MimeAttachment
        {
            FileName = name,
            ContentType = type is not null && HeaderText.IsSafe(type, out _) ? type : Part.MediaType,
            Content = Part.IsMultipart ? Part.Body : Part.Decode(),
            ContentId = Part.ContentId is { } id && MimeAttachment.IsContentId(id) ? id : null,
            Inline = Inline,
        };
    }
}
