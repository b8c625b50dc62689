using System.Globalization;
using System.Text;
using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>Reads what a message says: subject, bodies, header fields, attachments, and how large they are together.</summary>
static class ContentCheck
{
    /// <summary>What travels besides: our own header fields, boundaries, part headers. A generous guess; one counts, not
    /// measures.</summary>
    const int Overhead = 2_048;
    const int AttachmentOverhead = 512;

    /// <summary>The subject as it is stored; empty for none.</summary>
    public static string Subject(string? subject, SubmissionOptions options, Faults faults)
    {
        if (subject is null)
            return "";
        if (!HeaderText.IsSafe(subject, out var fault))
            faults.Add("/subject", fault == HeaderFault.Injection ? "header-injection" : "invalid-field",
                $"The subject is refused: {fault.Describe()}.");
        else if (Encoding.UTF8.GetByteCount(subject) > options.MaxHeaderBytes)
            faults.Add("/subject", "invalid-field", $"The subject is longer than {options.MaxHeaderBytes:N0} bytes.");
        return subject;
    }

    public static IReadOnlyList<HeaderField> Headers(IReadOnlyList<KeyValuePair<string, string>> given, SubmissionOptions options,
        Faults faults)
    {
        if (given.Count == 0)
            return [];
        if (given.Count > options.MaxHeaders)
        {
            faults.Add("/headers", "too-many-headers",
                $"The message has {given.Count:N0} header fields of its own; at most {options.MaxHeaders:N0} are taken.");
            return [];
        }
        var headers = new List<HeaderField>(given.Count);
        foreach (var (name, value) in given)
        {
            if (Header(name, value, options, faults) is not { } header)
                continue;
            if (header.IsSingle && Has(headers, header.Name))
                faults.Add(Pointer(name), "forbidden-header", $"A message has at most one header '{header.Name}'.");
            else
                headers.Add(header);
        }
        return headers;
    }

    public static IReadOnlyList<MimeAttachment> Attachments(IReadOnlyList<AttachmentText> given, SubmissionOptions options, Faults faults)
    {
        if (given.Count == 0)
            return [];
        if (given.Count > options.MaxAttachments)
        {
            faults.Add("/attachments", "invalid-attachment",
                $"The message has {given.Count:N0} attachments; at most {options.MaxAttachments:N0} are taken.");
            return [];
        }
        var attachments = new List<MimeAttachment>(given.Count);
        for (var i = 0; i < given.Count; i++)
        {
            if (Attachment(given[i], i, faults) is { } attachment)
                attachments.Add(attachment);
        }
        return attachments;
    }

    /// <summary>Whether the message stays under the limits, before anything is decoded.</summary>
    public static bool Fits(SubmissionRequest request, SubmissionOptions options, Faults faults)
    {
        var text = Bytes(request.Text);
        var html = Bytes(request.Html);
        if (text > options.MaxBodyBytes)
            AddTooLarge("/text", "The text", text, options.MaxBodyBytes, faults);
        if (html > options.MaxBodyBytes)
            AddTooLarge("/html", "The HTML", html, options.MaxBodyBytes, faults);
        var total = Overhead + text + html + Bytes(request.Subject);
        foreach (var (name, value) in request.Headers)
            total += Bytes(name) + Bytes(value);
        foreach (var attachment in request.Attachments)
            total += AttachmentOverhead + Encoded(attachment);
        if (total > options.MaxMessageBytes)
            AddTooLarge("", "The message, with its attachments in base64,", total, options.MaxMessageBytes, faults);
        return total <= options.MaxMessageBytes;
    }

    static HeaderField? Header(string name, string value, SubmissionOptions options, Faults faults)
    {
        if (Bytes(name) + Bytes(value) > options.MaxHeaderBytes)
        {
            faults.Add(Pointer(name), "too-many-headers", $"The header field is longer than {options.MaxHeaderBytes:N0} bytes.");
            return null;
        }
        if (HeaderField.TryCreate(name, value, out var header, out var fault))
            return header;
        var slug = fault switch
        {
            HeaderFault.Injection => "header-injection",
            HeaderFault.Forbidden or HeaderFault.InvalidName => "forbidden-header",
            HeaderFault.InvalidValue or HeaderFault.None => "invalid-field",
        };
        faults.Add(Pointer(name), slug, $"The header is refused: {fault.Describe()}.");
        return null;
    }

    static bool Has(List<HeaderField> headers, string name)
    {
        foreach (var header in headers)
        {
            if (header.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }

    static MimeAttachment? Attachment(AttachmentText given, int index, Faults faults)
    {
        var pointer = string.Create(CultureInfo.InvariantCulture, $"/attachments/{index}");
        if (given.Url is not null)
        {
            faults.Add(pointer, "url-not-allowed", "Attachments are not fetched from URLs: send the file itself, in base64.");
            return null;
        }
        var names = NamesAreFine(given, pointer, faults);
        var content = given.Bytes ?? Decode(given.Content, pointer, faults);
        if (!names || content is not { } bytes)
            return null;
        return new MimeAttachment
        {
            FileName = given.FileName ?? "",
            ContentType = string.IsNullOrWhiteSpace(given.ContentType) ? FileTypes.Of(given.FileName) : given.ContentType,
            Content = bytes,
            ContentId = string.IsNullOrEmpty(given.ContentId) ? null : given.ContentId,
            Inline = given.Disposition is null ? !string.IsNullOrEmpty(given.ContentId) : IsInline(given.Disposition),
        };
    }

    static bool NamesAreFine(AttachmentText given, string pointer, Faults faults)
    {
        var fine = IsSafe(given.FileName, $"{pointer}/filename", "file name", faults);
        fine &= IsSafe(given.ContentType, $"{pointer}/content_type", "content type", faults);
        if (!string.IsNullOrEmpty(given.ContentId) && !MimeAttachment.IsContentId(given.ContentId))
        {
            faults.Add($"{pointer}/content_id", "invalid-attachment",
                "A content id is 1 to 250 printable ASCII characters without spaces, quotes or brackets.");
            fine = false;
        }
        if (given.Disposition is { } disposition && !IsInline(disposition)
            && !disposition.Equals("attachment", StringComparison.OrdinalIgnoreCase))
        {
            faults.Add($"{pointer}/disposition", "invalid-attachment", "The disposition is 'attachment' or 'inline'.");
            fine = false;
        }
        return fine;
    }

    static bool IsSafe(string? text, string pointer, string what, Faults faults)
    {
        // 255: what file systems take for a name; content types are shorter.
        const int MaxLength = 255;
        if (text is null)
            return true;
        if (!HeaderText.IsSafe(text, out var fault))
            faults.Add(pointer, fault == HeaderFault.Injection ? "header-injection" : "invalid-attachment",
                $"The {what} is refused: {fault.Describe()}.");
        else if (text.Length > MaxLength)
            faults.Add(pointer, "invalid-attachment", $"The {what} is longer than {MaxLength} characters.");
        else
            return true;
        return false;
    }

    static ReadOnlyMemory<byte>? Decode(string? base64, string pointer, Faults faults)
    {
        if (base64 is null)
        {
            faults.Add($"{pointer}/content", "invalid-attachment", "The content is missing: the file in base64.");
            return null;
        }
        var bytes = new byte[base64.Length / 4 * 3 + 3];
        if (Convert.TryFromBase64String(base64, bytes, out var length))
            return bytes.AsMemory(0, length);
        faults.Add($"{pointer}/content", "invalid-attachment", "The content is not base64 (RFC 4648 §4, with padding).");
        return null;
    }

    static bool IsInline(string disposition) => disposition.Equals("inline", StringComparison.OrdinalIgnoreCase);

    static long Bytes(string? text) => text is null ? 0 : Encoding.UTF8.GetByteCount(text);

    /// <summary>The size of an attachment in base64 with a line end after each 76 characters (RFC 2045 §6.8).</summary>
    static long Encoded(AttachmentText attachment)
    {
        var characters = attachment.Bytes is { } bytes ? (bytes.Length + 2L) / 3 * 4 : attachment.Content?.Length ?? 0;
        return characters + characters / 76 * 2;
    }

    static string Pointer(string name) => $"/headers/{Faults.Token(name)}";

    static void AddTooLarge(string pointer, string what, long bytes, long limit, Faults faults) =>
        faults.Add(pointer, "too-large", $"{what} has {bytes:N0} bytes; at most {limit:N0} are taken.");
}
