using Postrider.Mail.Mime;
using Postrider.Messages;

namespace Postrider.Providers;

/// <summary>
/// A message that came whole, for vendors whose APIs take texts and files: the one rule by which it is taken apart, and when it is not.
/// </summary>
/// <remarks>
/// Kept: From, Reply-To, subject, the text and HTML that <see cref="MessageParts"/> finds, every other part as an attachment (inline with
/// its content id where it was shown in the HTML), and all header fields that a sender may set. Left to the vendor: Message-ID, Date,
/// Sender, who is shown in To and Cc beyond the recipients of this message, boundaries and encodings, traces and seals of earlier servers.
/// Not offered, because it would no longer be the same message: what is signed or encrypted, reports, invitations among the alternatives.
/// </remarks>
public static class TakenApart
{
    /// <summary>What the timeline says of it.</summary>
    public static string Remark(string transport) =>
        $"taken apart for {transport}, which takes no whole messages: Message-ID and Date are the vendor's";

    /// <summary>Null, with the reason as the end of "cannot carry …", where too much would be lost.</summary>
    public static MessageContent? Of(MessageContent whole, out string why)
    {
        why = "a message whose parts cannot be read";
        if (whole.Mime is not { } mime || !MimeReader.TryRead(mime, out var message, out _))
            return null;
        var parts = MessageParts.Of(message);
        if (parts.Bound is { } bound)
        {
            why = $"{bound}, which means something only as it was written";
            return null;
        }
        return whole with
        {
            Mime = null,
            Text = parts.Text,
            Html = parts.Html,
            Headers = Headers(message.Headers),
            Attachments = [.. parts.Attachments.Select(attachment => attachment.ToAttachment())],
        };
    }

    static List<HeaderField> Headers(HeaderBlock header)
    {
        var kept = new List<HeaderField>();
        foreach (var field in header.Fields)
        {
            if (HeaderField.TryCreate(field.Name, field.Text, out var own, out _))
                kept.Add(own);
        }
        return kept;
    }
}
