using System.ComponentModel.DataAnnotations;
using Postrider.Mail.Addresses;
using Postrider.Messages;

namespace Postrider.Submission;

/// <summary>What a submission may be. Section <c>Submission</c>.</summary>
public sealed class SubmissionOptions
{
    /// <summary>Most recipients of one message, To, Cc and Bcc together, after repetitions are dropped. Default 1,000.</summary>
    [Range(1, 10_000)]
    public int MaxRecipients { get; set; } = 1_000;

    /// <summary>Most messages of one call with many messages. Default 1,000.</summary>
    [Range(1, 10_000)]
    public int MaxMessagesPerCall { get; set; } = 1_000;

    /// <summary>Most destinations of one call, a message for each. Default 10,000.</summary>
    [Range(1, 100_000)]
    public int MaxDestinations { get; set; } = 10_000;

    /// <summary>Most recipients of all messages of one call together: what one transaction writes. Default 20,000.</summary>
    [Range(1, 1_000_000)]
    public int MaxRecipientsPerCall { get; set; } = 20_000;

    /// <summary>Most bytes of all messages of one call together, each counted with its own texts and attachments: what one transaction
    /// writes, and memory holds meanwhile. Default 250 MB.</summary>
    [Range(1_048_576, 1_073_741_824)]
    public long MaxBytesPerCall { get; set; } = 250_000_000;

    /// <summary>Recipients that a tenant may have waiting, scheduled ones included; beyond it mail is refused with 429. 0 (the default): as
    /// many as the disk holds.</summary>
    [Range(0L, long.MaxValue)]
    public long MaxWaiting { get; set; }

    /// <summary>Recipients that a tenant may hand over in a time, on each node, such as <c>50/s</c>, or <c>50/s,500</c> with so many at
    /// once; beyond it mail is refused with 429. Empty (the default): no limit.</summary>
    public string Rate { get; set; } = "";

    /// <summary>Most bytes of a message as it will travel: bodies in UTF-8, attachments in base64, header fields. Default 25 MB, as large
    /// mailbox hosts take.</summary>
    [Range(1_024, 1_073_741_824)]
    public long MaxMessageBytes { get; set; } = 25 * 1024 * 1024;

    /// <summary>Most bytes of the text and of the HTML, each, in UTF-8. Default 10 MB.</summary>
    [Range(1_024, 1_073_741_824)]
    public long MaxBodyBytes { get; set; } = 10 * 1024 * 1024;

    /// <summary>Most header fields of the sender's own. Default 100.</summary>
    [Range(0, 1_000)]
    public int MaxHeaders { get; set; } = 100;

    /// <summary>Most bytes of one header field of the sender's own, or of the subject. Default 10 KB.</summary>
    [Range(998, 100_000)]
    public int MaxHeaderBytes { get; set; } = 10 * 1024;

    /// <summary>Most attachments. Default 100.</summary>
    [Range(0, 1_000)]
    public int MaxAttachments { get; set; } = 100;

    /// <summary>Most tags of a message. Default 50. A tag has 1 to 128 characters.</summary>
    [Range(0, 1_000)]
    public int MaxTags { get; set; } = 50;

    /// <summary>Most metadata entries. Default 50. A name has 1 to 64 characters, a value up to 1,000.</summary>
    [Range(0, 1_000)]
    public int MaxMetadata { get; set; } = 50;

    /// <summary>How far ahead <c>send_at</c> may be. Default 365 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3650.00:00:00")]
    public TimeSpan MaxSendAhead { get; set; } = TimeSpan.FromDays(365);

    /// <summary>How long a message waits at most, from <c>send_at</c> on, when it does not say. Default 24 hours.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan DefaultExpiresIn { get; set; } = TimeSpan.FromHours(24);

    /// <summary>The longest <c>expires_in</c>. Default 7 days.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan MaxExpiresIn { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long an idempotency key is remembered. Default 72 hours.</summary>
    [Range(typeof(TimeSpan), "1.00:00:00", "365.00:00:00")]
    public TimeSpan KeepIdempotencyKeys { get; set; } = TimeSpan.FromHours(72);

    /// <summary>What becomes of an attempt that may have been accepted, when neither the message nor its route says. Default
    /// <c>retry</c>.</summary>
    public AmbiguityPolicy OnAmbiguous { get; set; } = AmbiguityPolicy.Retry;

    /// <summary>Take recipients such as <c>user@[192.0.2.1]</c>. Default false.</summary>
    public bool AllowIpLiterals { get; set; }

    /// <summary>Take recipients and senders at domains without a dot, such as <c>root@localhost</c>. Default false.</summary>
    public bool AllowSingleLabelDomains { get; set; }

    /// <summary>Staging: the patterns of recipients that mail may leave for, separated by spaces or commas: <c>ann@example.com</c>,
    /// <c>*@example.com</c> or <c>@example.com</c>, <c>*</c>. All other recipients are held. Empty (the default): everybody.
    /// <c>POSTRIDER_ALLOW_RECIPIENTS</c>.</summary>
    public string AllowRecipients { get; set; } = "";

    /// <summary>Which unusual domains are taken.</summary>
    public AddressRules AddressRules => new() { AllowIpLiteral = AllowIpLiterals, AllowSingleLabelDomain = AllowSingleLabelDomains };
}
