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

    /// <summary>Where reports of failure go; null: to <see cref="From"/>.</summary>
    public ReversePath? ReversePath { get; init; }

    /// <summary>MAIL FROM; null is the empty reverse path.</summary>
    public EmailAddress? MailFrom => ReversePath is { } path ? path.Address : From.Address;
}

/// <summary>MAIL FROM (RFC 5321 §4.1.1.2).</summary>
/// <param name="Address">Null: the empty reverse path, <c>&lt;&gt;</c>, of which nobody hears.</param>
public readonly record struct ReversePath(EmailAddress? Address);

/// <summary>An address of a message with the part it plays in it.</summary>
/// <param name="N">Its place among the message's recipients, from 0: To, then Cc, then Bcc.</param>
public sealed record MessageRecipient(int N, RecipientKind Kind, Mailbox Mailbox);

/// <summary>A name and value that the sender gave for searching and for its own use; values are text.</summary>
public readonly record struct MetadataEntry(string Name, string Value);
