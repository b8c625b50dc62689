using System.Text;
using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;
using Postrider.Messages;
using Postrider.Providers.Http;

namespace Postrider.Providers.Mailgun;

/// <summary>A message on its way to Mailgun, which may go with others that say the same where nothing of it is lost by that.</summary>
/// <remarks>
/// As fields of a batch a message has no MIME of its own: Mailgun writes it, and fills in variables. So it goes alone, as MIME, whenever
/// the fields cannot say all of it in the same words, or it has words that Mailgun would take for a variable.
/// </remarks>
sealed class MailgunEntry(OutgoingEnvelope envelope) : CallEntry(envelope)
{
    /// <summary>What Mailgun fills in, in a batch or anywhere ("Template Variables", its user manual).</summary>
    static readonly string[] Variables = ["%recipient", "unsubscribe_url%", "%unsubscribe_email%"];

    /// <summary>Of all fields of the header together: Mailgun takes 16 KB of options, and they are some of them.</summary>
    const int MaxHeaderCharacters = 8_000;

    /// <summary>Of the first recipient; the only one where there are several entries.</summary>
    public string Address { get; } = envelope.Recipients[0].Mailbox.Address.ToAscii();

    public override object Key { get; } = CanShare(envelope) ? new SameContent(envelope.Content) : new object();

    /// <summary>Its address and its variables.</summary>
    public override long Bytes => 300;

    public static bool CanShare(OutgoingEnvelope envelope)
    {
        var content = envelope.Content;
        return envelope is { AllRecipients: [{ Kind: RecipientKind.To } only], Recipients.Count: 1 }
            && content is { Mime: null, Subject.Length: > 0 }
            && !(string.IsNullOrEmpty(content.Text) && string.IsNullOrEmpty(content.Html))
            && content.Headers.Sum(header => header.Name.Length + header.Value.Length) <= MaxHeaderCharacters
            && content.Headers.DistinctBy(header => header.Name, StringComparer.OrdinalIgnoreCase).Count() == content.Headers.Count
            && content.Headers.All(CanShare) && content.Attachments.All(CanShare)
            && content.ReplyTo.All(mailbox => IsPlain(mailbox.ToStringWithAsciiDomain()))
            && !Texts(content, only.Mailbox).Any(HasVariable);
    }

    /// <summary>Its own fields steer Mailgun; of others we know how it writes ASCII.</summary>
    static bool CanShare(HeaderField header) =>
        !header.Name.StartsWith("X-Mailgun-", StringComparison.OrdinalIgnoreCase)
        && header.Name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_') && IsPlain(header.Value);

    /// <summary>An inline file is named by its content id there, and a file without a type of its own gets that of its name.</summary>
    static bool CanShare(MimeAttachment attachment) =>
        attachment.ContentId == (attachment.Inline ? attachment.FileName : null)
        && !attachment.ContentType.StartsWith("application/octet-stream", StringComparison.OrdinalIgnoreCase)
        && attachment.FileName.Length > 0
        && !attachment.FileName.Any(letter => char.IsControl(letter) || letter is '"' or '\\' or '%')
        && !Variables.Any(variable => attachment.Content.Span.IndexOf(Encoding.ASCII.GetBytes(variable)) >= 0);

    static bool HasVariable(string text) =>
        text.Contains('%', StringComparison.Ordinal)
        && Variables.Any(variable => text.Contains(variable, StringComparison.OrdinalIgnoreCase));

    static bool IsPlain(string text) =>
        !text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains("=?", StringComparison.Ordinal);

    static IEnumerable<string> Texts(MessageContent content, Mailbox to) =>
    [
        content.Subject, content.Text ?? "", content.Html ?? "", content.From.ToString(), to.ToString(),
        .. content.ReplyTo.Select(mailbox => mailbox.ToString()), .. content.Headers.Select(header => header.Value),
    ];

    /// <summary>What a message says, compared by its words.</summary>
    sealed class SameContent(MessageContent content) : IEquatable<SameContent>
    {
        readonly MessageContent _content = content;

        public bool Equals(SameContent? other) => other is not null && AreSame(_content, other._content);

        public override bool Equals(object? obj) => Equals(obj as SameContent);

        public override int GetHashCode() => HashCode.Combine(_content.Subject, _content.Text?.Length, _content.Html?.Length);

        static bool AreSame(MessageContent a, MessageContent b) => ReferenceEquals(a, b)
            || (a.Subject, a.Text, a.Html) == (b.Subject, b.Text, b.Html)
            && AreSame(a.From, b.From)
            && a.ReplyTo.Count == b.ReplyTo.Count && a.ReplyTo.Zip(b.ReplyTo).All(pair => AreSame(pair.First, pair.Second))
            && a.Headers.Select(header => (header.Name, header.Value))
                .SequenceEqual(b.Headers.Select(header => (header.Name, header.Value)))
            && a.Attachments.Count == b.Attachments.Count && a.Attachments.Zip(b.Attachments).All(pair => AreSame(pair.First, pair.Second));

        static bool AreSame(Mailbox a, Mailbox b) => a.Name == b.Name && a.Address.ToString() == b.Address.ToString();

        static bool AreSame(MimeAttachment a, MimeAttachment b) => ReferenceEquals(a, b)
            || (a.FileName, a.ContentType, a.ContentId, a.Inline) == (b.FileName, b.ContentType, b.ContentId, b.Inline)
            && a.Content.Span.SequenceEqual(b.Content.Span);
    }
}
