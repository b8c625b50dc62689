using System.Diagnostics;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;

namespace Postrider.Messages;

/// <summary>What a message says, without its recipients: written once at accept, read at each attempt.
/// A batch stores it once for all its messages.</summary>
/// <remarks>A message that came whole has <see cref="Mime"/>; then Text, Html, Headers and Attachments are empty, the rest is what its
/// headers say.</remarks>
public sealed record MessageContent
{
    public required Mailbox From { get; init; }
    public IReadOnlyList<Mailbox> ReplyTo { get; init; } = [];
    public string Subject { get; init; } = "";

    /// <summary>Null when there is no such part.</summary>
    public string? Text { get; init; }

    /// <summary>Null when there is no such part.</summary>
    public string? Html { get; init; }

    /// <summary>The sender's own header fields, already checked.</summary>
    public IReadOnlyList<HeaderField> Headers { get; init; } = [];
    public IReadOnlyList<MimeAttachment> Attachments { get; init; } = [];

    /// <summary>The message as it is sent, every byte of it, where the sender made it himself; null where it is rendered at each
    /// attempt.</summary>
    public ReadOnlyMemory<byte>? Mime { get; init; }

    /// <summary>Not null: Subject, Text and Html are templates, filled in for each message of a batch when it is sent.</summary>
    public MergeForm? Merge { get; init; }

    /// <summary>What they are filled in with: a JSON object in UTF-8.</summary>
    public ReadOnlyMemory<byte> MergeData { get; init; }

    /// <summary>Of its HTML, and of its text if so asked. What came whole is sent as it came.</summary>
    public Tracked Track { get; init; }

    /// <summary>Of the call that brought it; default: it was not recorded.</summary>
    public ActivityContext Trace { get; init; }

    /// <summary>Where reports of failure go; null: to <see cref="From"/>.</summary>
    public ReversePath? ReversePath { get; init; }

    /// <summary>MAIL FROM; null is the empty reverse path.</summary>
    public EmailAddress? MailFrom => ReversePath is { } path ? path.Address : From.Address;
}

/// <summary>How the templates of a content are filled in; the same object for all messages of a batch that are read together.</summary>
/// <param name="IsStrict">What would be printed and is missing is a fault.</param>
/// <param name="AllowsRawHtml">Values in three braces may stand in the HTML.</param>
public sealed record MergeForm(bool IsStrict, bool AllowsRawHtml);

/// <summary>MAIL FROM (RFC 5321 §4.1.1.2).</summary>
/// <param name="Address">Null: the empty reverse path, <c>&lt;&gt;</c>, of which nobody hears.</param>
public readonly record struct ReversePath(EmailAddress? Address);

/// <summary>An address of a message with the part it plays in it.</summary>
/// <param name="N">Its place among the message's recipients, from 0: To, then Cc, then Bcc.</param>
public sealed record MessageRecipient(int N, RecipientKind Kind, Mailbox Mailbox);

/// <summary>A name and value that the sender gave for searching and for its own use; values are text.</summary>
public readonly record struct MetadataEntry(string Name, string Value);
