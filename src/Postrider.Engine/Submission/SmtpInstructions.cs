using Postrider.Mail.Mime;
using Postrider.Mail.Smtp;
using Postrider.Mail.Smtp.Server;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>What a message handed over by SMTP asks for: its envelope, and the header fields <c>X-Postrider-…</c> that are instructions
/// to us and are not passed on.</summary>
sealed class SmtpInstructions
{
    const string Prefix = "X-Postrider-";

    /// <summary>RFC 5321 §6.3 asks for at least 100 before mail is taken to go round in circles.</summary>
    const int MaxReceived = 100;

    readonly List<string> _tags = [];
    readonly List<MetadataEntry> _metadata = [];
    string? _route, _stream, _sendAt, _expiresIn, _onAmbiguous, _orderingKey;

    SmtpInstructions(HeaderBlock header) => Header = header;

    public HeaderBlock Header { get; }
    public string? IdempotencyKey { get; private set; }
    public SubmissionRequest Request { get; private set; } = new();

    /// <returns>The refusal; null when there is none.</returns>
    public static SmtpReply? TryRead(SmtpReceivedMail mail, out SmtpInstructions instructions)
    {
        var readable = HeaderBlock.TryRead(mail.Content, MimeLimits.Default, out var header, out var fault);
        instructions = new SmtpInstructions(header);
        if (header.Count("Received") > MaxReceived)
            return new SmtpReply(554, "5.4.6", "too many hops: the message goes round in circles");
        if (!readable)
        {
            return fault is MimeFault.HeaderTooLong or MimeFault.FieldTooLong
                ? new SmtpReply(552, "5.3.4", $"message refused: {fault.Describe()}")
                : new SmtpReply(554, "5.6.0", $"message refused: {fault.Describe()}");
        }
        foreach (var field in header.Fields)
        {
            if (field.StartsWith(Prefix) && !instructions.TryTake(field))
                return new SmtpReply(554, "5.6.0", $"header field {field.Name} is not known, or given twice");
        }
        instructions.Request = instructions.Make(mail);
        return null;
    }

    bool TryTake(HeaderLine field)
    {
        var name = field.Name[Prefix.Length..].ToUpperInvariant();
        switch (name)
        {
            case "TAG":
                _tags.Add(field.Text);
                return true;
            case "METADATA":
                var text = field.Text;
                var equals = text.IndexOf('=', StringComparison.Ordinal);
                _metadata.Add(equals < 0
                    ? new MetadataEntry(text, "") : new MetadataEntry(text[..equals].TrimEnd(), text[(equals + 1)..].TrimStart()));
                return true;
            // What we put on mail ourselves, come back with a forwarded message.
            case "ID":
                return true;
            case "ROUTE":
                return TryTake(ref _route, field);
            case "STREAM":
                return TryTake(ref _stream, field);
            case "SEND-AT":
                return TryTake(ref _sendAt, field);
            case "EXPIRES-IN":
                return TryTake(ref _expiresIn, field);
            case "ON-AMBIGUOUS":
                return TryTake(ref _onAmbiguous, field);
            case "ORDERING-KEY":
                return TryTake(ref _orderingKey, field);
            case "IDEMPOTENCY-KEY":
                var key = IdempotencyKey;
                var isFirst = TryTake(ref key, field);
                IdempotencyKey = key;
                return isFirst;
            default:
                return false;
        }
    }

    static bool TryTake(ref string? value, HeaderLine field)
    {
        if (value is not null)
            return false;
        value = field.Text;
        return true;
    }

    SubmissionRequest Make(SmtpReceivedMail mail) => new()
    {
        Mime = mail.Content,
        From = mail.From.ReversePath is { } from ? new AddressText(from.ToString(), IsAddressOnly: true) : null,
        HasEmptyReversePath = mail.From.ReversePath is null,
        To = [.. mail.Recipients.Select(recipient => new AddressText(recipient.Address.ToString(), IsAddressOnly: true))],
        RemovedHeaders = [Prefix + "*"],
        Route = _route,
        Stream = _stream,
        SendAt = _sendAt,
        ExpiresIn = _expiresIn,
        OnAmbiguous = _onAmbiguous,
        OrderingKey = _orderingKey,
        Tags = _tags,
        Metadata = _metadata,
    };
}
