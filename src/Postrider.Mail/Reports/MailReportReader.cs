using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;

namespace Postrider.Mail.Reports;

// What is written here follows RFC 3464 and RFC 5965; what is tolerated is what servers really send:
//  - the status part anywhere in the message, whatever the outermost type claims, and encoded in base64;
//  - one group of fields for message and recipient together, comments behind a status, actions in capitals, types left out;
//  - old Exim, which has no status part and names the failed recipients in a field of the header.

/// <summary>Reads what comes to a return path. Any bytes give an answer.</summary>
public static partial class MailReportReader
{
    /// <summary>More are not looked at.</summary>
    const int MaxRecipients = 1_000;

    static readonly AddressRules AnyAddress = new() { AllowIpLiteral = true, AllowSingleLabelDomain = true };

    /// <summary>Reads a whole message.</summary>
    public static MailReport Read(ReadOnlyMemory<byte> message)
    {
        if (!MimeReader.TryRead(message, out var root, out _))
            return new MailReport.Unreadable("");
        var parts = new List<MimeEntity>();
        Collect(root, parts);
        var report = ReadReport(root, parts) ?? (IsAutoReply(root.Headers)
            ? new MailReport.AutoReply()
            : new MailReport.Unreadable(root.Headers.Find("Subject")?.Text ?? ""));
        return report with { ReportId = Id(root.Headers), OriginalMessageId = Id(Original(parts)) };
    }

    static MailReport? ReadReport(MimeEntity root, List<MimeEntity> parts)
    {
        if (parts.Find(part => part.MediaType is "message/delivery-status" or "message/global-delivery-status") is { } status)
            return ReadDelivery(status);
        if (parts.Find(part => part.MediaType == "message/feedback-report") is { } feedback)
            return ReadAbuse(feedback);
        return ReadFailedRecipients(root);
    }

    /// <summary>All parts, those of a returned message left out: what it quotes is not what is reported.</summary>
    static void Collect(MimeEntity entity, List<MimeEntity> parts)
    {
        parts.Add(entity);
        if (entity.IsMessage)
            return;
        foreach (var part in entity.Parts)
            Collect(part, parts);
    }

    static MailReport.Delivery? ReadDelivery(MimeEntity part)
    {
        if (!HeaderBlock.TryReadGroups(part.Decode(), MimeLimits.Default, out var groups, out _))
            return null;
        var recipients = groups.Where(IsRecipient).Take(MaxRecipients).Select(ReadRecipient).ToList();
        if (recipients.Count == 0)
            return null;
        return new MailReport.Delivery(recipients)
        {
            OriginalEnvelopeId = Find(groups, "Original-Envelope-Id"),
            ReportingServer = Typed(Find(groups, "Reporting-MTA")).Text,
        };
    }

    static bool IsRecipient(HeaderBlock group) =>
        group.Find("Final-Recipient") is not null || group.Find("Original-Recipient") is not null || group.Find("Action") is not null;

    static RecipientStatus ReadRecipient(HeaderBlock group)
    {
        var (type, diagnosis) = Typed(group.Find("Diagnostic-Code")?.Value);
        var code = type is null or "smtp" && diagnosis is { Length: >= 3 }
            && int.TryParse(diagnosis.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number is >= 200 and < 600 ? number : 0;
        var status = EnhancedCode().Match(group.Find("Status")?.Value ?? "") is { Success: true } found ? found.Value : null;
        // X.0.0 says nothing; the server that refused may have.
        if (status is null or [_, '.', '0', '.', '0'] && EnhancedCode().Match(diagnosis ?? "") is { Success: true } said)
            status = said.Value;
        return new RecipientStatus
        {
            OriginalRecipient = Address(group.Find("Original-Recipient")?.Value),
            FinalRecipient = Address(group.Find("Final-Recipient")?.Value),
            Action = ActionOf(group.Find("Action")?.Value, status, code),
            Status = status,
            Code = code,
            Diagnosis = OneLine(diagnosis ?? ""),
            RemoteServer = Typed(group.Find("Remote-MTA")?.Value).Text,
        };
    }

    /// <summary>RFC 3464 §2.3.3; where it is missing the class of the status tells.</summary>
    static DeliveryAction ActionOf(string? action, string? status, int code) => Word(action) switch
    {
        "failed" or "failure" => DeliveryAction.Failed,
        "delayed" => DeliveryAction.Delayed,
        "delivered" => DeliveryAction.Delivered,
        "relayed" => DeliveryAction.Relayed,
        "expanded" => DeliveryAction.Expanded,
        _ => (status is [var digit, ..] ? digit : code == 0 ? '\0' : (char)('0' + code / 100)) switch
        {
            '2' => DeliveryAction.Delivered,
            '4' => DeliveryAction.Delayed,
            '5' => DeliveryAction.Failed,
            _ => DeliveryAction.Unknown,
        },
    };

    static MailReport.Abuse? ReadAbuse(MimeEntity part)
    {
        if (!HeaderBlock.TryReadGroups(part.Decode(), MimeLimits.Default, out var groups, out _))
            return null;
        // Some put an empty line between the fields.
        var fields = groups.SelectMany(group => group.Fields).ToList();
        string? Find(string name) => fields.Where(field => field.Is(name)).Select(field => (string?)field.Value).FirstOrDefault();
        return new MailReport.Abuse(Word(Find("Feedback-Type")) is { Length: > 0 } type ? type : "other")
        {
            Recipients = [.. fields.Where(field => field.Is("Original-Rcpt-To")).Take(MaxRecipients)
                .Select(field => Address(field.Value)?.ToString()).OfType<string>()],
            OriginalMailFrom = Address(Find("Original-Mail-From"))?.ToString(),
            UserAgent = Find("User-Agent"),
        };
    }

    /// <summary>Exim up to 4.85 and who copies it.</summary>
    static MailReport.Delivery? ReadFailedRecipients(MimeEntity root)
    {
        if (root.Headers.Find("X-Failed-Recipients") is not { } field)
            return null;
        var recipients = field.Value.Split(',').Take(MaxRecipients).Select(Address).OfType<EmailAddress>()
            .Select(address => new RecipientStatus { FinalRecipient = address, Action = DeliveryAction.Failed }).ToList();
        return recipients.Count == 0 ? null : new MailReport.Delivery(recipients);
    }

    /// <summary>RFC 3834 §5; and what was usual before it.</summary>
    static bool IsAutoReply(HeaderBlock headers) =>
        Word(headers.Find("Auto-Submitted")?.Value) is "auto-replied" or "auto-generated" or "auto-notified"
        || headers.Find("X-Autoreply") is not null || headers.Find("X-Autorespond") is not null
        || Word(headers.Find("Precedence")?.Value) is "auto_reply"
        || headers.Find("X-Auto-Response-Suppress") is not null;

    /// <summary>The header of what the report is about: a message, or its header alone (RFC 6522 §3).</summary>
    static HeaderBlock? Original(List<MimeEntity> parts)
    {
        foreach (var part in parts)
        {
            if (part.IsMessage && part.Parts is [var message, ..])
                return message.Headers;
            if ((part.IsMessage || part.MediaType is "text/rfc822-headers" or "message/global-headers")
                && HeaderBlock.TryRead(part.Decode(), MimeLimits.Default, out var headers, out _))
                return headers;
        }
        return null;
    }

    static string? Id(HeaderBlock? headers) =>
        headers?.Find("Message-ID")?.Value.Trim('<', '>', ' ', '\t') is { Length: > 0 } id ? id : null;

    static string? Find(IReadOnlyList<HeaderBlock> groups, string name) =>
        groups.Select(group => group.Find(name)?.Value).FirstOrDefault(value => !string.IsNullOrEmpty(value));

    /// <summary><c>smtp; 550 …</c> or <c>rfc822;ann@example.com</c>: the type in lower case, null where it was left out.</summary>
    static (string? Type, string? Text) Typed(string? value)
    {
        if (value is null)
            return (null, null);
        var semicolon = value.IndexOf(';', StringComparison.Ordinal);
        var type = semicolon < 0 ? "" : value[..semicolon].Trim().ToLowerInvariant();
        return type.Length is > 0 and <= 20 && type.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')
            ? (type, value[(semicolon + 1)..].Trim())
            : (null, value.Trim());
    }

    static EmailAddress? Address(string? value)
    {
        var text = Typed(value).Text?.Trim('<', '>', ' ', '\t', '"');
        return text is not null && EmailAddress.TryParse(text, AnyAddress, out var address, out _) ? address : null;
    }

    /// <summary>The first word, without what may follow in brackets.</summary>
    static string Word(string? value) => (value ?? "").Trim().Split(' ', '\t', ';', '(')[0].ToLowerInvariant();

    static string OneLine(string text)
    {
        const int Most = 1_000;
        var line = new StringBuilder(Math.Min(text.Length, Most));
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, Most)))
            line.Append(char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c);
        return line.ToString();
    }

    // RFC 3463 §2.
    [GeneratedRegex(@"\b[245]\.\d{1,3}\.\d{1,3}\b", RegexOptions.NonBacktracking)]
    private static partial Regex EnhancedCode();
}
