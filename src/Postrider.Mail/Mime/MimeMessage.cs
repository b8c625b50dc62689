using System.Buffers;
using Postrider.Mail.Addresses;

namespace Postrider.Mail.Mime;

/// <summary>
/// A message as it is to be written. Nothing in it can add a header or a recipient that is not named here; blind recipients have no place
/// in it at all, they live in the envelope alone. The same message is always the same bytes.
/// </summary>
public sealed record MimeMessage
{
    const int MaxMessageIdLength = 250;

    static readonly SearchValues<char> MessageIdCharacters = SearchValues.Create(
        "!#$%&'*+-./0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Whose message it is.</summary>
    public required Mailbox From { get; init; }

    /// <summary>Who hands it in for them, where that is somebody else (RFC 5322 §3.6.2); null as a rule.</summary>
    public Mailbox? Sender { get; init; }

    /// <summary>Shown recipients. With neither To nor Cc, <c>undisclosed-recipients:;</c> is written.</summary>
    public IReadOnlyList<Mailbox> To { get; init; } = [];

    /// <summary>Shown recipients of a copy.</summary>
    public IReadOnlyList<Mailbox> Cc { get; init; } = [];

    /// <summary>Where answers go instead of <see cref="From"/>; empty for there.</summary>
    public IReadOnlyList<Mailbox> ReplyTo { get; init; } = [];

    /// <summary>
    /// <c>left@right</c>, without angle brackets; the same at every attempt. Throws <see cref="ArgumentException"/> for what
    /// <see cref="IsMessageId"/> refuses.
    /// </summary>
    public required string MessageId
    {
        get;
        init => field = IsMessageId(value)
            ? value
            : throw new ArgumentException("A message id is left@right in printable ASCII, at most 250 characters.");
    }

    /// <summary>When the message was handed in; written in UTC, to the second.</summary>
    public required DateTimeOffset Date { get; init; }

    /// <summary>What the boundaries between parts are made of: any number that belongs to this message, such as its key.</summary>
    public required ulong BoundarySeed { get; init; }

    /// <summary>Null writes no Subject. Throws <see cref="ArgumentException"/> for what <see cref="HeaderText.IsSafe"/> refuses.</summary>
    public string? Subject { get; init => field = value is null ? null : HeaderText.Checked(value, "subject"); }

    /// <summary>The plain text; null when there is none. Line ends of any kind become CRLF.</summary>
    public string? Text { get; init; }

    /// <summary>The HTML; null when there is none. Line ends of any kind become CRLF.</summary>
    public string? Html { get; init; }

    /// <summary>Further header fields, in this order. Not more than one where <see cref="HeaderField.IsSingle"/>.</summary>
    public IReadOnlyList<HeaderField> Headers { get; init; } = [];

    /// <summary>In this order; those shown inside the HTML come before the others.</summary>
    public IReadOnlyList<MimeAttachment> Attachments { get; init; } = [];

    /// <summary>
    /// Whether a text can be a Message-ID: <c>left@right</c> in printable ASCII without spaces, quotes, comments and brackets.
    /// </summary>
    public static bool IsMessageId(ReadOnlySpan<char> text)
    {
        var at = text.IndexOf('@');
        return at > 0 && at < text.Length - 1 && text.Length <= MaxMessageIdLength
            && !text[..at].ContainsAnyExcept(MessageIdCharacters) && !text[(at + 1)..].ContainsAnyExcept(MessageIdCharacters);
    }
}
