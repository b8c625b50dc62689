using Postrider.Mail.Mime;

namespace Postrider.Messages;

/// <summary>What people read in a message, also where it came whole.</summary>
public static class WholeContent
{
    extension(MessageContent content)
    {
        /// <summary>The same message with its text and HTML, read from its bytes where it came whole. Null in them for what is not
        /// there or cannot be read.</summary>
        public MessageContent WithBodies()
        {
            if (content.Mime is not { } mime || !MimeReader.TryRead(mime, out var message, out _))
                return content;
            var parts = MessageParts.Of(message);
            return content with { Text = parts.Text, Html = parts.Html };
        }
    }
}
