using System.Text.Json;
using Postrider.Messages;

namespace Postrider.Api;

/// <summary>Reads the members of a message that all send calls share, one by one, into a <see cref="SubmissionRequest"/>. Shape only: the
/// submitter checks what they say.</summary>
sealed class MessageDraft(ShapeFaults faults)
{
    AddressText? _from;
    List<AddressText> _to = [], _cc = [], _bcc = [], _replyTo = [];
    string? _subject, _text, _html, _sendAt, _expiresIn, _stream, _route, _onAmbiguous, _orderingKey;
    List<KeyValuePair<string, string>> _headers = [];
    List<AttachmentText> _attachments = [];
    List<string> _tags = [];
    List<MetadataEntry> _metadata = [];
    TemplateUse? _template;
    TrackRequest? _track;
    JsonElement _data;

    /// <summary>Takes a member that every send call knows. False: it is none of them.</summary>
    public bool TryTake(JsonProperty member)
    {
        var value = member.Value;
        switch (member.Name)
        {
            case "from": _from = AddressReader.One(value, "/from", faults); break;
            case "reply_to": _replyTo = AddressReader.Many(value, "/reply_to", faults); break;
            case "subject": _subject = faults.Text(value, "/subject"); break;
            case "text": Set(ref _text, faults.Text(value, "/text"), "/text", "plainContent"); break;
            case "html": _html = faults.Text(value, "/html"); break;
            case "headers": _headers = HeaderReader.Read(value, faults); break;
            case "attachments": _attachments = AttachmentReader.Read(value, faults); break;
            case "tags": _tags = TagReader.Tags(value, faults); break;
            case "metadata": _metadata = TagReader.Metadata(value, faults); break;
            case "send_at": Set(ref _sendAt, faults.Text(value, "/send_at"), "/send_at", "scheduled_at"); break;
            case "scheduled_at": Set(ref _sendAt, faults.Text(value, "/scheduled_at"), "/scheduled_at", "send_at"); break;
            case "expires_in": _expiresIn = Seconds(value, "/expires_in"); break;
            case "stream": _stream = faults.Text(value, "/stream"); break;
            case "route": _route = faults.Text(value, "/route"); break;
            case "on_ambiguous": _onAmbiguous = faults.Text(value, "/on_ambiguous"); break;
            case "ordering_key": _orderingKey = faults.Text(value, "/ordering_key"); break;
            case "template": _template = TemplateReader.Use(value, faults); break;
            case "track": _track = TrackReader.Read(value, "/track", faults); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Takes what a template is filled in with. False: it is none of it.</summary>
    public bool TryTakeData(JsonProperty member)
    {
        if (!member.NameEquals("data"u8))
            return false;
        _data = TemplateReader.Data(member.Value, "/data", faults);
        return true;
    }

    /// <summary>Takes the members of a message with recipients of its own. False: it is none of them.</summary>
    public bool TryTakeRecipients(JsonProperty member)
    {
        switch (member.Name)
        {
            case "to": _to = AddressReader.Many(member.Value, "/to", faults); break;
            case "cc": _cc = AddressReader.Many(member.Value, "/cc", faults); break;
            case "bcc": _bcc = AddressReader.Many(member.Value, "/bcc", faults); break;
            default: return false;
        }
        return true;
    }

    /// <summary>Another word for <c>text</c>, in calls by destination.</summary>
    public void TakePlainContent(JsonElement value) => Set(ref _text, faults.Text(value, "/plainContent"), "/plainContent", "text");

    public SubmissionRequest ToRequest() => new()
    {
        From = _from,
        To = _to,
        Cc = _cc,
        Bcc = _bcc,
        ReplyTo = _replyTo,
        Subject = _subject,
        Text = _text,
        Html = _html,
        Headers = _headers,
        Attachments = _attachments,
        Tags = _tags,
        Metadata = _metadata,
        SendAt = _sendAt,
        ExpiresIn = _expiresIn,
        Stream = _stream,
        Route = _route,
        OnAmbiguous = _onAmbiguous,
        OrderingKey = _orderingKey,
        Track = _track,
        Template = Template(),
    };

    TemplateUse? Template()
    {
        if (_data.ValueKind != JsonValueKind.Undefined && _template is null)
            faults.Invalid("/data", "Data needs a template to be filled into.");
        else if (_data.ValueKind != JsonValueKind.Undefined && _template!.Data.ValueKind != JsonValueKind.Undefined)
            faults.Invalid("/data", "Means the same as template/variables: give one of them.");
        return _data.ValueKind == JsonValueKind.Undefined || _template is null ? _template : _template with { Data = _data };
    }

    // Two words for one thing: both at once is a fault, because one of them would be dropped.
    void Set(ref string? target, string? value, string pointer, string otherName)
    {
        if (target is not null && value is not null)
            faults.Invalid(pointer, $"Means the same as {otherName}: give one of them.");
        target ??= value;
    }

    /// <summary>A whole number of seconds, or a text with a unit, which the submitter reads.</summary>
    string? Seconds(JsonElement value, string pointer)
    {
        if (value.ValueKind != JsonValueKind.Number)
            return faults.Text(value, pointer) is { } text && HasUnit(text, pointer) ? text : null;
        if (value.TryGetInt64(out var seconds) && value.GetRawText() is not ['-', '0', ..])
            return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{seconds}s");
        faults.Invalid(pointer, "Must be a whole number of seconds, or a text such as \"24h\".");
        return null;
    }

    bool HasUnit(string text, string pointer)
    {
        if (text.Length > 0 && char.IsAsciiLetter(text[^1]))
            return true;
        faults.Invalid(pointer, "Must be a whole number of seconds, or a text with a unit such as \"24h\".");
        return false;
    }
}
