using Postrider.Mail.Addresses;
using Postrider.Mail.Mime;

namespace Postrider.Messages;

/// <summary>The Message-ID (RFC 5322 §3.6.4) that is made from our id: the same at every try.</summary>
public static class MessageIdHeader
{
    /// <summary>Without its angle brackets.</summary>
    public static string Of(MessageId message, Mailbox from)
    {
        var domain = from.Address.AsciiDomain.Trim('[', ']').Replace(':', '.');
        // A domain of more than 213 characters leaves no room for it; RFC 6761 §6.4 keeps "invalid" from ever existing.
        return MimeMessage.IsMessageId($"{message}@{domain}") ? $"{message}@{domain}" : $"{message}@postrider.invalid";
    }
}
